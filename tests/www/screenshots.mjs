// Draws the pictures of the README from the site as it was built: node tests/www/screenshots.mjs
import { fileURLToPath } from "node:url";
import { launch } from "../npm/chromium.mjs";
import { serveSite } from "./site.mjs";

const folder = fileURLToPath(new URL("../../www/screenshots/", import.meta.url));

const server = await serveSite();
const browser = await launch();
try {
  for (const [name, colorScheme, viewport] of [
    ["light", "light", { width: 1280, height: 900 }],
    ["dark", "dark", { width: 1280, height: 900 }],
    ["phone", "light", { width: 390, height: 844 }],
  ]) {
    const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: 1.5 });
    const page = await context.newPage();
    await page.goto(server.url);
    await page.locator("#storage dd").first().waitFor();
    await page.getByRole("button", { name: "Import 10,000 made-up rows" }).click();
    await page.getByText("10,000 created").waitFor();
    await page.getByLabel("domain", { exact: true }).fill("figma.com");
    await page.getByLabel("profile_name", { exact: true }).fill("user-01249");
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await page.getByText("409 Conflict").waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `${folder}${name}.png` });
    await context.close();
  }
} finally {
  await browser.close();
  await server.close();
}

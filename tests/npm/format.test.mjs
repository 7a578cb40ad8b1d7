// The stores that format 1 is frozen by: this runtime opens them, tells what they hold to the byte, and goes on with them.
import assert from "node:assert/strict";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { open, root } from "./package.mjs";

const fixtures = new URL("tests/fixtures/1/", root).pathname;
const directory = fs.mkdtempSync(join(tmpdir(), "connectory-"));
after(() => fs.rmSync(directory, { recursive: true }));

const dump = (store) => new Response(store.dump()).text();

/** Whether two dumps are the same; they are too long to be shown. */
function same(one, other) {
  const [first] = one.split("\n").filter((line, at) => line !== other.split("\n")[at]);
  assert.ok(one === other, `they differ: ${first}`);
}

for (const name of ["closed", "crashed"]) {
  test(`the ${name} store holds what its dump says, and can be written`, async () => {
    const path = join(directory, `${name}.connectory`);
    for (const file of fs.readdirSync(fixtures)) {
      if (file.startsWith(`${name}.connectory`)) fs.copyFileSync(join(fixtures, file), join(directory, file));
    }
    const held = fs.readFileSync(join(fixtures, `${name}.jsonl`), "utf8");
    let store = await open({ path });
    same(await dump(store), held);
    const { connection } = await store.create({ domain: "written.example.com", profile_name: "ada" });
    assert.deepEqual((await store.check()).problems, []);
    await store.close();

    store = await open({ path });
    assert.equal((await store.get(connection.id)).domain, "written.example.com");
    await store.delete(connection.id);
    // A profile stays without its connections.
    const without = (text) => text.replace('{"profile":{"name":"ada"}}\n', "");
    same(without(await dump(store)), without(held));
    await store.close();
  });
}

test("a load of the dumps dumps the same", async () => {
  for (const name of ["closed", "crashed"]) {
    const held = fs.readFileSync(join(fixtures, `${name}.jsonl`), "utf8");
    const store = await open({ memory: true });
    await store.load(held);
    same(await dump(store), held);
    await store.close();
  }
});

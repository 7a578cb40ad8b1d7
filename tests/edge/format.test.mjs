// An object's database, read by what core/FORMAT.md says of it: chunks of the tables, and the log in rows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { root, start } from "./edge.mjs";

const reader = fileURLToPath(new URL("tests/format/read.py", root));
const held = readFileSync(new URL("tests/fixtures/1/closed.jsonl", root), "utf8");

test("a frozen dump is loaded and gone on with, and the database is read as the engine reads it", async () => {
  const persist = mkdtempSync(join(tmpdir(), "connectory-"));
  try {
    const edge = await start({ persist });
    const loaded = await edge.request("POST", "/load", { body: held, headers: { "content-type": "application/jsonl" } });
    assert.equal(loaded.status, 200, loaded.text);
    assert.ok((await edge.request("GET", "/dump")).text === held, "it dumps what was loaded");
    for (let n = 0; n < 20; n += 1) {
      const { status, body } = await edge.create("ada", `edge-${n}.example.com`);
      assert.equal(status, 201);
      if (n % 4 === 0) assert.equal((await edge.request("DELETE", `/auth/connections/${body.id}`)).status, 204);
    }
    const dump = (await edge.request("GET", "/dump")).text;
    await edge.stop();
    const files = readdirSync(persist, { recursive: true }).filter((name) => name.endsWith(".sqlite") && !name.endsWith("metadata.sqlite"));
    assert.equal(files.length, 1, `${files}`);
    const read = execFileSync(process.env.PYTHON ?? "python3", ["-B", reader, "--database", join(persist, files[0])], { encoding: "utf8" });
    assert.ok(read === dump, "it is read alike");
  } finally {
    rmSync(persist, { recursive: true });
  }
});

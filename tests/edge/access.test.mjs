// Who may not does not: no key, no data. What a caller is told never has a key or an inner error in it, and neither has the log.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digest, KEY, READ_KEY, start } from "./edge.mjs";

const WRITER = "key-that-writes";
const STRANGER = "key-of-another-project";
const NOBODY = "key-of-nobody";
const NO_SCOPE = "key-without-a-scope";
const SECRETS = [KEY, READ_KEY, WRITER, STRANGER, NOBODY, NO_SCOPE];
const ALL = ["read", "write", "admin"];
const key = (text, projects, scopes) => ({ sha256: digest(text), projects, scopes });
const keys = [
  key(WRITER, ["default", "four"], ["write"]),
  key(STRANGER, ["other"], ALL),
  { sha256: digest(NO_SCOPE), projects: "*" },
];
const ORIGIN = "https://app.example";

const READS = ["GET /auth/connections", "GET /auth/connections?offset=3", "GET /auth/connections/ma_1", "GET /profiles", "GET /proxies"];
const WRITES = [
  "POST /auth/connections", "PATCH /auth/connections/ma_1", "DELETE /auth/connections/ma_1", "DELETE /profiles/ada",
  "PUT /proxies/px-1", "DELETE /proxies/px-1",
];
const ADMINISTERS = ["GET /dump", "POST /load", "GET /metrics", "GET /bookmarks", "POST /restore"];
const NOWHERE = ["GET /nowhere", "PUT /auth/connections", "OPTIONS /auth/connections"];

let edge;
/** Everything that was answered, headers and all. */
const said = [];

before(async () => {
  edge = await start({
    projects: { other: {}, four: {} },
    keys,
    shards: { four: 4 },
    bindings: { CONNECTORY_ORIGINS: [ORIGIN] },
  });
});
after(() => edge.stop());

async function ask(line, options = {}) {
  const [method, path] = line.split(" ");
  const needsBody = ["POST", "PATCH", "PUT"].includes(method);
  const answer = await edge.request(method, path, { ...(needsBody ? { body: "{}" } : {}), ...options });
  said.push(answer.text, ...[...answer.headers].flat());
  return answer;
}

/** The status of the response to this body on a connection of its own, or why there is none. */
function statusOf(line, project, body) {
  const [method, path] = line.split(" ");
  const headers = { ...edge.headers({ project }), "content-type": "application/json", "content-length": body.length };
  return new Promise((resolve) => {
    const sending = request(new URL(path, edge.url), { method, headers, agent: false }, ({ statusCode }) => resolve(statusCode));
    sending.on("error", ({ code }) => resolve(code));
    sending.end(body);
  });
}

function refused(answer, status, code) {
  assert.deepEqual([answer.status, answer.body?.code], [status, code], answer.text);
  if (status !== 400) assert.ok(!("details" in answer.body), "there are none");
  assert.ok(!answer.text.includes("ma_0") && !answer.text.includes("profile-of-somebody"), answer.text);
}

for (const project of ["default", "four"]) {
  const filled = async () => (await edge.create("profile-of-somebody", `${crypto.randomUUID()}.example`, { project })).body;

  test(`whoever has no key learns nothing of ${project}`, async () => {
    const { id } = await filled();
    const lines = [...READS, ...WRITES, ...ADMINISTERS, ...NOWHERE, `GET /auth/connections/${id}`];
    for (const line of lines) {
      for (const authorization of [undefined, "", "Bearer", `Bearer ${NOBODY}`, `Basic ${KEY}`, KEY, `Bearer ${KEY} `.repeat(2)]) {
        const headers = authorization === undefined ? {} : { authorization };
        const answer = await ask(line, { key: null, project, headers });
        refused(answer, 401, "unauthorized");
        assert.equal(answer.headers.get("www-authenticate"), "Bearer");
      }
      refused(await ask(line, { key: NOBODY, project: "nowhere" }), 401, "unauthorized");
    }
  });

  test(`a key does in ${project} what its scopes say`, async () => {
    const { id } = await filled();
    const readers = project === "default" ? [READ_KEY] : [];
    for (const [lines, those] of [
      [[...READS, `GET /auth/connections/${id}`], [WRITER, NO_SCOPE]],
      [[...WRITES, `DELETE /auth/connections/${id}`], [NO_SCOPE, ...readers]],
      [ADMINISTERS, [WRITER, NO_SCOPE, ...readers]],
    ]) {
      for (const line of lines) {
        for (const key of those) refused(await ask(line, { key, project }), 403, "forbidden");
      }
    }
    assert.equal((await ask(`GET /auth/connections/${id}`, { project })).status, 200, "it is still there");
    const pair = { profile_name: "profile-of-somebody", domain: `${crypto.randomUUID()}.example` };
    assert.equal((await ask("POST /auth/connections", { key: WRITER, project, body: pair })).status, 201);
    for (const key of readers) assert.equal((await ask("GET /auth/connections", { key })).status, 200);
  });

  test(`${project} is closed to the key of another project, and its IDs are unknown there`, async () => {
    const { id } = await filled();
    for (const line of [...READS, ...WRITES, ...ADMINISTERS]) {
      refused(await ask(line, { key: STRANGER, project }), 403, "forbidden");
      refused(await ask(line, { key: STRANGER, project: "nowhere" }), 404, "project_not_found");
    }
    for (const line of [`GET /auth/connections/${id}`, `PATCH /auth/connections/${id}`, `DELETE /auth/connections/${id}`]) {
      for (const elsewhere of ["other", project === "four" ? "default" : "four"]) {
        assert.deepEqual(
          (({ status, body }) => [status, body.code])(await ask(line, { project: elsewhere })), [404, "not_found"], line,
        );
      }
    }
    const [profiles, gone] = [await ask("GET /profiles", { project: "other" }), await ask("DELETE /profiles/ada", { project: "other" })];
    assert.deepEqual([profiles.body, gone.status], [[], 404]);
    const listed = await ask("GET /auth/connections", { key: STRANGER, project: "other" });
    assert.deepEqual([listed.status, listed.body], [200, []]);
    assert.equal((await ask(`GET /auth/connections/${id}`, { project })).body.id, id);
  });

  test(`what a body may not be is refused by ${project} as by the native server`, async () => {
    const { id } = await filled();
    const most = `{}${" ".repeat((64 << 10) - 2)}`;
    for (const line of ["POST /auth/connections", `PATCH /auth/connections/${id}`, "PUT /proxies/px-1"]) {
      assert.notEqual((await ask(line, { project, body: most })).status, 413);
      refused(await ask(line, { project, body: `${most} ` }), 413, "payload_too_large");
      // It is not read to its end, so who goes on sending may be cut off.
      assert.ok([413, "ECONNRESET", "EPIPE"].includes(await statusOf(line, project, most.repeat(20))));
      for (const type of ["text/plain", "application/jsonl", "application/json5", "*/*"]) {
        refused(await ask(line, { project, headers: { "content-type": type } }), 415, "unsupported_media_type");
      }
      for (const coding of ["gzip", "br"]) {
        refused(await ask(line, { project, headers: { "content-encoding": coding } }), 415, "unsupported_media_type");
      }
    }
    refused(await ask("POST /load", { project }), 415, "unsupported_media_type");
  });

  test(`what does not decode names no proxy of ${project}`, async () => {
    for (const bad of ["%", "%zz", "%ff", "%e2%82", "%2F", "a%20b"]) {
      refused(await ask(`DELETE /proxies/${bad}`, { project }), 404, "not_found");
      refused(await ask(`PUT /proxies/${bad}`, { project }), 400, "bad_request");
    }
    refused(await ask("DELETE /proxies/px-1?colour=red", { project }), 400, "bad_request");
  });
}

test("what needs no key is served without one", async () => {
  assert.deepEqual((await ask("GET /healthz", { key: null })).body, { status: "ok" });
  assert.match((await ask("GET /openapi.json", { key: null })).body.openapi, /^3\.1/);
});

test("a wrong method is told the right one, beside the API too", async () => {
  for (const [path, allowed] of [
    ["/healthz", "GET"], ["/openapi.json", "GET"], ["/metrics", "GET"], ["/bookmarks", "GET"], ["/restore", "POST"],
    ["/auth/connections", "GET, POST"], ["/proxies/px-1", "PUT, DELETE"],
  ]) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allowed.split(", ").includes(method)) continue;
      const answer = await ask(`${method} ${path}`);
      refused(answer, 405, "method_not_allowed");
      assert.equal(answer.headers.get("allow"), allowed);
    }
  }
});

test("pages of other origins are told nothing, and those that are named may call", async () => {
  const names = (headers) => [...headers.keys()].filter((name) => name.startsWith("access-control-"));
  const asking = { "access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type" };
  for (const origin of [undefined, "https://evil.example", "null", `${ORIGIN}.evil.example`, ORIGIN.toUpperCase()]) {
    const headers = origin === undefined ? {} : { origin };
    assert.deepEqual(names((await ask("GET /auth/connections", { headers })).headers), [], origin);
    const preflight = await ask("OPTIONS /auth/connections", { key: null, headers: { ...headers, ...asking } });
    refused(preflight, 401, "unauthorized");
    assert.deepEqual(names(preflight.headers), [], origin);
  }
  const preflight = await ask("OPTIONS /auth/connections", { key: null, headers: { origin: ORIGIN, ...asking } });
  const of = (name) => preflight.headers.get(`access-control-${name}`);
  assert.deepEqual(
    [preflight.status, of("allow-origin"), of("allow-headers"), of("allow-credentials")],
    [204, ORIGIN, "authorization, content-type", null],
  );
  for (const method of ["GET", "POST", "PATCH", "PUT", "DELETE"]) assert.ok(of("allow-methods").split(", ").includes(method));
  for (const [line, options, status] of [
    ["GET /auth/connections", {}, 200],
    ["GET /auth/connections", { key: NOBODY }, 401],
    ["GET /auth/connections/ma_1", {}, 404],
  ]) {
    const answer = await ask(line, { ...options, headers: { origin: ORIGIN } });
    assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [status, ORIGIN]);
    assert.match(answer.headers.get("vary"), /origin/i);
    assert.match(answer.headers.get("access-control-expose-headers"), /x-next-cursor/);
  }
});

test("a request has an ID, its own or a new one, and it is in the log", async () => {
  for (const id of ["request-1", "x".repeat(128), "a/b;c=d"]) {
    assert.equal((await ask("GET /proxies", { headers: { "x-request-id": id } })).headers.get("x-request-id"), id);
  }
  const made = new Set();
  for (const id of [undefined, "", "two words", "x".repeat(129), "cl\u00e9"]) {
    const headers = id === undefined ? {} : { "x-request-id": id };
    for (const path of ["/proxies", "/nowhere", "/healthz"]) {
      made.add((await ask(`GET ${path}`, { headers })).headers.get("x-request-id"));
    }
  }
  assert.equal(made.size, 15);
  for (const id of made) assert.match(id, /^[0-9a-f-]{36}$/);
  for (const id of ["request-1", ...made]) assert.ok(edge.log.includes(id), id);
});

test("a key is never told, nor is it in the log", async () => {
  await ask(`GET /auth/connections?api_key=${KEY}`);
  await ask("POST /auth/connections", { body: { profile_name: "ada", domain: "a.example", credential: { name: "n", secret: KEY } } });
  assert.ok(said.length > 1000 && edge.log.length > 1000);
  for (const secret of SECRETS.flatMap((secret) => [secret, digest(secret)])) {
    assert.ok(!edge.log.includes(secret), secret);
    assert.ok(!said.some((text) => text.includes(secret)), secret);
  }
});

test("without rules, or with rules that cannot be read, nobody is let in", async () => {
  const secret = "0123456789abcdef".repeat(4);
  for (const rules of [undefined, "", "nonsense", `{"keys":[{"sha256":"${secret}0"}]}`, `{"kees":"${secret}"}`]) {
    const closed = await start({ bindings: { CONNECTORY_KEYS: rules } });
    try {
      for (const line of [...READS, ...WRITES, ...ADMINISTERS]) {
        for (const key of [null, KEY]) {
          const [method, path] = line.split(" ");
          const answer = await closed.request(method, path, { key });
          refused(answer, 500, "internal_error");
          assert.doesNotMatch(answer.text, /CONNECTORY_KEYS|sha256|0123456789abcdef/, `${rules}`);
        }
      }
      assert.equal((await closed.request("GET", "/healthz", { key: null })).status, 200);
      assert.ok(!closed.log.includes(secret));
    } finally {
      await closed.stop();
    }
  }
});

test("a number of shards that cannot be is an operator's error, and no client's", async () => {
  for (const shards of [0, 3, 512, "4", null]) {
    const wrong = await start({ shards: { default: shards } });
    try {
      for (const path of ["/auth/connections", "/metrics"]) refused(await wrong.request("GET", path), 500, "internal_error");
      refused(await wrong.create("ada", "a.example"), 500, "internal_error");
      assert.match(wrong.log, /default cannot have .* shards; set a power of two/);
    } finally {
      await wrong.stop();
    }
  }
});

test("headers that mean nothing here do no harm, whatever is in them", async () => {
  const headers = { "cf-ipcity": "S\u00e3o Paulo", "x-kernel-projects": "nowhere", cookie: "a=\u00e9" };
  assert.equal((await edge.create("ada", "headers.example", { headers })).status, 201);
});

test("one key's requests are limited, and another's are not", async () => {
  const limit = 5;
  const limited = await start({ keys, ratelimits: { RATE_LIMIT: { simple: { limit, period: 60 } } } });
  try {
    const statuses = [];
    for (let n = 0; n < limit; n += 1) statuses.push((await limited.request("GET", "/proxies")).status);
    assert.deepEqual(statuses, Array(limit).fill(200));
    const over = await limited.create("ada", "a.example");
    refused(over, 429, "rate_limited");
    assert.match(over.headers.get("retry-after"), /^[1-9][0-9]*$/);
    assert.equal((await limited.request("GET", "/metrics")).status, 429, "an operator's too");
    assert.deepEqual((await limited.request("GET", "/proxies", { key: READ_KEY })).body, []);
    assert.deepEqual((await limited.request("GET", "/auth/connections", { key: READ_KEY })).body, [], "it was not created");
  } finally {
    await limited.stop();
  }
});

test("what went wrong inside is in the log alone", async () => {
  const persist = mkdtempSync(join(tmpdir(), "connectory-"));
  // A project that was spread and is capped now: its objects refuse to count.
  const broken = await start({ persist, shards: { default: 4 } });
  try {
    for (let n = 0; n < 8; n += 1) assert.equal((await broken.create(`ada-${n}`, "a.example")).status, 201);
    await broken.restart({ projects: { default: { cap: 3 } } });
    for (const line of [...READS, ...WRITES, "GET /dump", "GET /metrics"]) {
      const [method, path] = line.split(" ");
      const body = { profile_name: "ada-0", domain: "b.example" };
      const answer = await broken.request(method, path, method === "GET" || method === "DELETE" ? {} : { body });
      assert.equal(answer.status, 500, `${line}: ${answer.text}`);
      assert.deepEqual(Object.keys(answer.body), ["code", "message"]);
      assert.doesNotMatch(answer.text, /shard|capped|cap /i, line);
      assert.doesNotMatch(JSON.stringify([...answer.headers]), /shard|capped/i, line);
    }
    assert.match(broken.log, /a capped project has one/);
  } finally {
    await broken.stop();
    rmSync(persist, { recursive: true });
  }
});

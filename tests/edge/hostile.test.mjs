// Clients that mean it harm: what they send is bounded, refused without a trace in the objects, and never comes back as a header.
// Slow and idle connections are the platform's affair, before the Worker is asked.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { start } from "./edge.mjs";

const PROJECTS = ["default", "four"];
const HEADER = '{"format":"connectory-dump","version":1}\n';

let edge;
before(async () => {
  edge = await start({ projects: { four: {} }, shards: { four: 4 } });
});
after(() => edge.stop());

/** Rows that the objects of a project have written, and requests that they were asked. */
async function touched(project) {
  const { text } = await edge.request("GET", "/metrics", { project });
  const sum = (name) => {
    const counts = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} ([0-9]+)`, "gm"))].map(([, count]) => Number(count));
    assert.ok(counts.length > 0, `${name}: ${text}`);
    return counts.reduce((all, count) => all + count);
  };
  return { rows: sum("connectory_rows_written_total"), batches: sum("connectory_batches_total") };
}

/** Sends a body piece by piece until there is an answer, or the connection is gone: the status or why, and what was sent. */
function pouring(path, { headers = {}, project, piece, most }) {
  return new Promise((resolve) => {
    let sent = 0;
    const all = { ...edge.headers({ project }), "content-type": "application/json", ...headers };
    const sending = request(new URL(path, edge.url), { method: "POST", headers: all, agent: false });
    const end = (status, text = "") => {
      resolve({ status, text, sent });
      sending.destroy();
    };
    sending.on("error", ({ code }) => end(code));
    sending.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (data) => (text += data));
      response.on("error", () => end(response.statusCode, text)).on("end", () => end(response.statusCode, text));
    });
    const pour = () => {
      while (sent < most && !sending.destroyed) {
        sent += piece.length;
        if (!sending.write(piece)) return void sending.once("drain", pour);
      }
      sending.end();
    };
    pour();
  });
}

const code = ({ status, body }) => [status, body?.code];

for (const project of PROJECTS) {
  test(`a body that does not end is not waited for by ${project}`, async () => {
    const most = 64 << 20;
    const { status } = await pouring("/auth/connections", { project, piece: Buffer.alloc(1 << 16, " "), most });
    assert.ok([413, "ECONNRESET", "EPIPE"].includes(status), `${status}`);
  });

  test(`a line of a load that does not end is not kept by ${project}`, async () => {
    const headers = { "content-type": "application/jsonl" };
    const piece = Buffer.alloc(1 << 16, "x");
    const { status, text } = await pouring("/load", { project, headers, piece, most: 8 << 20 });
    // Who goes on sending may be cut off before the answer.
    assert.ok([413, "ECONNRESET", "EPIPE"].includes(status), `${status} ${text}`);
    const body = HEADER + "x".repeat(3 << 19);
    assert.deepEqual(code(await edge.request("POST", "/load", { project, headers, body })), [413, "payload_too_large"]);
    assert.deepEqual((await edge.request("GET", "/auth/connections", { project })).body, [], "nothing was loaded");
  });

  test(`nothing is unpacked by ${project}`, async () => {
    const bomb = gzipSync(Buffer.alloc(32 << 20));
    for (const coding of ["gzip", "deflate", "br", "zstd", "identity, gzip"]) {
      for (const [path, type] of [["/auth/connections", "application/json"], ["/load", "application/jsonl"]]) {
        const headers = { "content-type": type, "content-encoding": coding };
        const answer = await edge.request("POST", path, { project, headers, body: bomb });
        assert.deepEqual(code(answer), [415, "unsupported_media_type"], `${path} ${coding}: ${answer.text}`);
        assert.match(answer.body.message, /not compressed$/);
      }
    }
  });

  test(`what is no text, or nested deeply, is refused by ${project}`, async () => {
    for (const bad of ["\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"]) {
      const bytes = (text) => Buffer.from(text.replace("?", bad), "latin1");
      const create = await edge.request("POST", "/auth/connections", { project, body: bytes('{"domain":"a.com","profile_name":"u","login_url":"?"}') });
      assert.deepEqual(code(create), [400, "bad_request"]);
      // Where a name is free text nothing else would find that it is none.
      const headers = { "content-type": "application/jsonl" };
      const body = bytes(`${HEADER}{"proxy":{"id":"px-1","name":"?"}}\n`);
      assert.deepEqual(code(await edge.request("POST", "/load", { project, headers, body })), [400, "bad_request"]);
      assert.deepEqual((await edge.request("GET", "/proxies", { project })).body, []);
    }
    for (const deep of ["[".repeat(60_000), '{"a":'.repeat(12_000), `{"credential":${"[".repeat(60_000)}`]) {
      assert.deepEqual(code(await edge.request("POST", "/auth/connections", { project, body: deep })), [400, "bad_request"]);
      const headers = { "content-type": "application/jsonl" };
      assert.deepEqual(code(await edge.request("POST", "/load", { project, headers, body: `${HEADER}${deep}\n` })), [400, "bad_request"]);
    }
  });
}

/** Every header that the Worker has, and those of the connection. */
const HEADERS = new Set([
  "allow", "cache-control", "connection", "content-encoding", "content-length", "content-type", "date", "idempotency-replayed", "keep-alive", "location",
  "preference-applied", "retry-after", "transfer-encoding", "www-authenticate", "x-has-more", "x-next-cursor", "x-next-offset",
  "x-request-id", "x-should-retry",
]);

test("nothing that is echoed becomes a header or a line of the log", async () => {
  const evil = [
    "%0d%0ax-evil:%20yes", "%0D%0A%0D%0A%3Cscript%3E", "%0ax-evil:yes", "%00x-evil:yes", "%E5%98%8A%E5%98%8Dx-evil:yes", "%1b%5b31m",
    "%C2%9B31m", "%E2%80%AE",
  ];
  const isClean = ({ status, headers, text }, what) => {
    assert.notEqual(status, 500, `${what}: ${text}`);
    for (const [name, value] of headers) {
      assert.ok(HEADERS.has(name), `${what}: ${name}`);
      assert.match(value, /^[ -~]*$/);
      assert.ok(!value.includes("evil"), `${what}: ${name}: ${value}`);
    }
    assert.doesNotMatch(text, /[\x00\x1b]/);
  };
  const { id } = (await edge.create("ada", "echo.example")).body;
  for (const text of evil) {
    for (const path of [
      `/${text}`, `/auth/connections/${text}`, `/auth/connections/${id}${text}`, `/auth/connections?query=${text}`, `/auth/connections?cursor=c.${text}`,
      `/auth/connections?${text}=${text}`, `/profiles/${text}`, `/proxies/${text}`, `/proxies?cursor=x.${text}`, `/dump?${text}`,
    ]) {
      for (const method of ["GET", "DELETE", "PUT", "OPTIONS"]) {
        for (const project of PROJECTS) isClean(await edge.request(method, path, { project, ...(method === "PUT" ? { body: {} } : {}) }), path);
      }
    }
    for (const name of ["idempotency-key", "prefer", "x-request-id", "x-kernel-project-id", "origin"]) {
      const answer = await edge.create("ada", "echo.example", { headers: { [name]: text } });
      // An ID that is good is the caller's own.
      const headers = [...answer.headers].filter(([header]) => header !== name);
      isClean({ ...answer, headers }, name);
    }
  }
  for (const line of edge.log.split("\n")) assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1a\x1c-\x1f\x80-\x9f\u202e]|\x1b\[31m|^x-evil/, line);
});

test("every key that is none is answered alike, and no object hears of it", async () => {
  await edge.create("ada", "keys.example");
  const before = await touched("default");
  const shapes = new Set();
  for (const key of ["k", "key-of-the-tests-", "key-of-the-test", "KEY-OF-THE-TESTS", "x".repeat(8000), "key-that-read"]) {
    for (const [method, path] of [["GET", "/auth/connections"], ["GET", "/dump"], ["POST", "/load"], ["DELETE", "/profiles/ada"], ["GET", "/nowhere"]]) {
      for (const project of ["default", "four", "nowhere"]) {
        const { status, headers, text } = await edge.request(method, path, { key, project });
        const names = [...headers.keys()].filter((name) => !["date", "connection", "keep-alive", "transfer-encoding", "content-length"].includes(name));
        shapes.add(JSON.stringify([status, names.sort(), text]));
      }
    }
  }
  assert.equal(shapes.size, 1, [...shapes].join("\n"));
  assert.deepEqual(await touched("default"), before);
});

test("a thousand bad requests leave no row, and others are answered meanwhile", async () => {
  for (const project of PROJECTS) {
    const { id } = (await edge.create("regular", "crowd.example", { project })).body;
    const before = await touched(project);
    const bad = [
      ["POST", "/auth/connections", { body: "{" }],
      ["POST", "/auth/connections", { body: { domain: "..", profile_name: " " } }],
      ["POST", "/auth/connections", { body: { domain: "crowd.example", profile_name: "regular" } }],
      ["POST", "/auth/connections", { body: {}, headers: { "idempotency-key": "\u00ff" } }],
      ["PATCH", `/auth/connections/${id}`, { body: { health_check_interval: 1 } }],
      ["DELETE", "/auth/connections/ma_1", {}],
      ["DELETE", "/profiles/regular", {}],
      ["DELETE", "/profiles/nobody", {}],
      ["PUT", "/proxies/%00", { body: {} }],
      ["GET", "/auth/connections?limit=1000", {}],
      // Of several shards one may be empty, and begin.
      ...(project === "default" ? [["POST", "/load", { body: "{}", headers: { "content-type": "application/jsonl" } }]] : []),
      ["POST", "/restore", { body: { bookmarks: ["x".repeat(60_000), 1] } }],
      ["GET", "/auth/connections", { key: "none" }],
    ];
    let n = 0;
    const hostile = Array.from({ length: 24 }, async () => {
      while (n < 600) {
        n += 1;
        const [method, path, options] = bad[n % bad.length];
        // Some of them close the connection under the next one.
        const { status, text } = await edge.request(method, path, { project, ...options }).catch(({ cause }) => ({ status: 400, text: `${cause}` }));
        assert.ok((status >= 400 && status < 500) || status === 503, `${method} ${path}: ${status} ${text}`);
      }
    });
    let answered = 0;
    while (n < 600) {
      const answer = await edge.request("GET", `/auth/connections/${id}`, { project });
      assert.deepEqual([answer.status, answer.body?.id], [200, id]);
      answered += 1;
    }
    await Promise.all(hostile);
    assert.ok(answered > 0);
    assert.equal((await touched(project)).rows, before.rows, project);
  }
});

test("readers of dumps that are stuck hold up nobody", async () => {
  const hosts = Array.from({ length: 20 }, (_, n) => `${"x".repeat(60)}.${"y".repeat(60)}.host-${n}.example.com`);
  const creates = Array.from({ length: 400 }, (_, n) => () => edge.request("POST", "/auth/connections", {
    body: { domain: `d${n}.example.com`, profile_name: "long", login_url: `https://d${n}.example.com/${"z".repeat(1900)}`, allowed_domains: hosts },
  }));
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let create = creates.pop(); create; create = creates.pop()) assert.equal((await create()).status, 201);
  }));
  const controller = new AbortController();
  const stuck = await Promise.all(Array.from({ length: 8 }, () => edge.send("/dump", { headers: edge.headers(), signal: controller.signal })));
  for (const { status } of stuck) assert.equal(status, 200);
  assert.equal((await edge.create("after", "stuck.example")).status, 201);
  const { text } = await edge.request("GET", "/dump");
  assert.ok(text.endsWith("}\n") && text.includes("stuck.example"));
  controller.abort();
});

// The engine in two parts answers as the whole one: random requests, many of them wrong, to instances that have not loaded
// the rest yet.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantiate } from "../../bindings/npm/src/glue.js";
import { dist } from "./package.mjs";

const INSTANCES = process.env.CONNECTORY_LONG === undefined ? 150 : 3000;
const REQUESTS = 40;
const seed = Number(process.env.CONNECTORY_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`CONNECTORY_SEED=${seed}`);

let state = seed;
function below(n) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}
const pick = (list) => list[below(list.length)];

const [whole, first, rest] = ["connectory", "first", "rest"].map(
  (name) => new WebAssembly.Module(readFileSync(new URL(`${name}.wasm`, dist))),
);

// The same time and the same random numbers for both, from outside: options for tests are not ordinary work.
let nowMs = 1_800_000_000_000;
Date.now = () => nowMs;
Object.defineProperty(crypto, "getRandomValues", { value: (bytes) => bytes.fill(nowMs & 0x7f) });

/** An instance in two parts, which says when the rest is loaded. */
function inParts(onRest) {
  return instantiate(first, (module, imports) => {
    const load = () => {
      onRest();
      new WebAssembly.Instance(rest, { ...imports, first: instance.exports });
    };
    const instance = new WebAssembly.Instance(module, { ...imports, rest: { load } });
    return instance;
  });
}

const DOMAINS = ["a.com", "B.com", "c.example.com", "netflix.com", "localhost"];
const ODD = [
  "netflix.com.",
  "xn--bcher-kva.example",
  "",
  " ",
  "a b",
  "bücher.example",
  "faß.de",
  "☃.net",
  "127.0.0.1",
  "0x7f",
  "http://a.com/",
  "user@a.com",
  "a.com:80",
  "*.a.com",
  "-a.com",
  "a..b",
  "\u0000",
  "\ud800",
  "x".repeat(300),
  null,
  true,
  0,
  -1,
  1.5,
  3600,
  3600.0,
  1e300,
  86401,
  {},
  [],
  { name: "x" },
  { id: "p" },
  ["*.a.com", "b.com"],
  { provider: "v", path: "p" },
  { provider: "v", auto: true },
  { provider: "v" },
  "https://a.com/login",
  "https://u:p@a.com",
  "ftp://a.com",
  "ma_01",
];
const FIELDS = [
  "login_url",
  "proxy",
  "credential",
  "allowed_domains",
  "health_check_interval",
  "health_checks",
  "auto_reauth",
  "save_credentials",
  "record_session",
  "unknown",
];

/** How often what is sent is odd: once in so many times, or never. */
let oddity = 0;
const isOdd = () => oddity > 0 && below(oddity) === 0;
const usually = (usual, odd = ODD) => pick(isOdd() ? odd : usual);

function body(pair) {
  if (isOdd())
    return pick(["", "{", "[]", "null", '{"domain":"a.com","domain":"a.com"}', '{"domain":"\\ud800"}', "1e999"]);
  const fields = isOdd() ? { domain: pick(ODD), profile_name: pick(ODD) } : pair;
  for (let n = isOdd() ? below(4) : 0; n > 0; n -= 1) fields[pick(FIELDS)] = pick(ODD);
  return JSON.stringify(fields);
}

/** A request, perhaps of something that is there. */
function request(ids) {
  const id = usually(ids.length > 0 ? ids : ["ma_01k"], ["x", "ma_00000000000000000000000000", "%"]);
  const json = [["content-type", "application/json"]];
  const key = below(6) ? [] : [["idempotency-key", usually(["k"], ["\u00e9", "x".repeat(256), ""])]];
  const prefer = below(5) ? [] : [["prefer", usually(["resolution=ignore-duplicates"], ["return=minimal", ";"])]];
  const names = ["limit", "cursor", "offset", "domain", "profile_name", "query", "x"];
  const value = String(pick(ODD)).replace(/\p{Surrogate}/gu, "");
  const query = isOdd()
    ? `?${pick(names)}=${encodeURIComponent(value)}`
    : pick(["", "?limit=3", "?domain=a.com", "?query=p"]);
  const create = () => {
    const pair = { domain: pick(DOMAINS), profile_name: `p${below(4)}` };
    return ["POST", "/auth/connections", [...json, ...key, ...prefer], body(pair)];
  };
  return pick([
    create,
    create,
    () => [
      "PATCH",
      `/auth/connections/${id}`,
      json,
      body(pick([{}, { record_session: true }, { login_url: "https://a.com/" }])),
    ],
    () => ["GET", `/auth/connections/${id}`, [], ""],
    () => ["DELETE", `/auth/connections/${id}`, [], ""],
    () => ["GET", `/auth/connections${query}`, [], ""],
    () => ["GET", usually(["/profiles", "/profiles?limit=2"], ["/profiles?x", "/dump/", "/nowhere"]), [], ""],
    () => [
      "PUT",
      `/proxies/${usually(["p", "q"], ["%20", "x".repeat(300)])}`,
      json,
      usually(["{}", '{"name":"x"}'], ["1", ""]),
    ],
    () => ["DELETE", `/profiles/p${below(5)}`, [], ""],
    () => [usually(["GET"], ["PUT", "HEAD", "TRACE"]), "/auth/connections", [], ""],
  ])();
}

test(`${INSTANCES} instances of ${REQUESTS} requests`, () => {
  const encoder = new TextEncoder();
  let restLoaded = 0;
  let answered = 0;
  const statuses = new Map();
  for (let n = 0; n < INSTANCES; n += 1) {
    oddity = pick([0, 80, 20, 5]);
    let isRestHere = false;
    const stores = [instantiate(whole), inParts(() => (isRestHere = true))].map((glue) => glue.Store.open({}));
    const ids = [];
    for (let asked = 0; asked < REQUESTS; asked += 1) {
      const [method, target, headers, text] = request(ids);
      nowMs += 1;
      const answers = stores.map(
        (store) => store.respond(method, target, headers, encoder.encode(text)) ?? store.commit()[0],
      );
      assert.deepEqual(answers[1], answers[0], `${method} ${target} ${JSON.stringify(headers)} ${text}`);
      answered += 1;
      const { status, body } = answers[0];
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 201) ids.push(JSON.parse(body).id);
    }
    if (isRestHere) restLoaded += 1;
    const bytes = stores.map((store) => store.toBytes());
    assert.ok(Buffer.from(bytes[0]).equals(Buffer.from(bytes[1])), "the stores are not the same bytes");
    for (const store of stores) store.close();
  }
  console.log(
    `${answered} answers, the rest loaded in ${restLoaded} of ${INSTANCES} instances; by status`,
    Object.fromEntries(statuses),
  );
  assert.ok(restLoaded > 0 && restLoaded < INSTANCES, "the rest was never needed, or always");
  for (const status of [200, 201, 204, 400, 404, 405, 409])
    assert.ok(statuses.has(status), `none was answered ${status}`);
});

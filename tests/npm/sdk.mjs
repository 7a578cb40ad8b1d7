// What the official client does on a store behind `createFetch`, in Node.js and in browsers; what was not as it should be.

/** Uses every operation that the client has for connections. */
export async function use(Kernel, fetch) {
  const faults = [];
  const is = (what, found, wanted) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
      faults.push(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    }
  };
  let requests = 0;
  const counting = (...request) => ((requests += 1), fetch(...request));
  const { connections } = new Kernel({
    apiKey: "offline", baseURL: "http://connectory.example", fetch: counting, dangerouslyAllowBrowser: true,
  }).auth;
  const thrown = (call) => call.then((answer) => ({ name: "nothing", answer }), (error) => error);

  const request = {
    domain: "Netflix.com", profile_name: "ada", login_url: "https://netflix.com/login", credential: { name: "netflix" },
    allowed_domains: ["*.netflix.com"], health_check_interval: 1800,
  };
  const created = await connections.create(request);
  is("created", [created.domain, created.status, created.allowed_domains], ["netflix.com", "NEEDS_AUTH", ["*.netflix.com"]]);
  is("retrieved", await connections.retrieve(created.id), created);

  requests = 0;
  const conflict = await thrown(connections.create({ domain: "netflix.com", profile_name: "ada" }));
  is("a conflict", [conflict instanceof Kernel.ConflictError, conflict.status], [true, 409]);
  is("its holder", conflict.error?.existing_id, created.id);
  is("the requests of a conflict", requests, 1);

  const refused = await thrown(connections.create({ domain: "https://netflix.com", profile_name: "ada" }));
  is("a refusal", [refused instanceof Kernel.BadRequestError, refused.error?.code], [true, "bad_request"]);
  const missing = await thrown(connections.retrieve("ma_00000000000000000000000000"));
  is("an unknown one", missing instanceof Kernel.NotFoundError, true);

  const updated = await connections.update(created.id, { login_url: "", record_session: true });
  is("updated", ["login_url" in updated, updated.record_session, updated.credential], [false, true, { name: "netflix" }]);

  for (let n = 0; n < 47; n += 1) await connections.create({ domain: `d${n}.example.com`, profile_name: "grace" });
  const ids = [];
  for await (const { id, profile_name } of connections.list({ profile_name: "grace", limit: 10 })) {
    is("the profile of a listed one", profile_name, "grace");
    ids.push(id);
  }
  is("listed", [ids.length, new Set(ids).size], [47, 47]);
  is("newest first", ids, [...ids].sort().reverse());
  const page = await connections.list({ domain: "netflix.com" });
  is("of one domain", page.items.map(({ id }) => id), [created.id]);

  await connections.delete(created.id);
  is("deleted", (await thrown(connections.delete(created.id))) instanceof Kernel.NotFoundError, true);
  is("free again", (await connections.create({ domain: "netflix.com", profile_name: "ada" })).id !== created.id, true);
  return faults;
}

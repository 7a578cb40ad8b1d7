// What a newcomer does with a store, in every runtime; returns what came of it.

const pair = { domain: "netflix.com", profile_name: "ada" };

/** Opens a store, uses it and closes it. `connectory` is what the package exports. */
export async function use({ open, RefusedError, FailedError, createFetch }, options) {
  const store = await open(options);
  const { items: before } = await store.list();
  const first = await store.create(pair);
  const second = await store.create(pair);
  const id = first.outcome === "conflict" ? first.existing_id : first.connection.id;
  const refused = await store.create({ ...pair, domain: "no domain" }).catch((error) => error);
  const response = await createFetch(store)(`http://offline/auth/connections/${id}`);
  const report = {
    before: before.map(({ domain }) => domain),
    outcomes: [first.outcome, second.outcome],
    holder: second.existing_id === id,
    got: (await store.get(id)).domain,
    listed: (await store.list({ profile_name: "ada" })).items.length,
    refused: refused instanceof RefusedError && refused.details.map(({ code }) => code),
    fetched: (await response.json()).id === id,
  };
  await store.close();
  const closed = await store.get(id).catch((error) => error);
  return { ...report, closed: closed instanceof FailedError && closed.reason };
}

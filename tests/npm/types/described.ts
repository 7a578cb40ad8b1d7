// The types that are written by hand agree with those made from the description of the HTTP API.
import type {
  Conflict, Connection, ConnectionChanges, Created, CreateOptions, Flow, ListQuery, NewConnection, Observation, PageQuery,
  Profile, Proxy, RefusedError, Violation,
} from "connectory";
import type { components, operations } from "./node_modules/connectory/dist/api.js";
import { type Same, that } from "./same.ts";

type Schemas = components["schemas"];
type Body<Operation> = Operation extends { requestBody: { content: { "application/json": infer Json } } } ? Json : never;
type Answer<Operation, Status extends number> = Operation extends {
  responses: { [S in Status]: { content: { "application/json": infer Json } } };
} ? Json : never;
type Query<Operation> = Operation extends { parameters: { query?: infer Fields } } ? NonNullable<Fields> : never;
type Flat<T> = { [K in keyof T]: T[K] };

// What goes in.
that<Same<Body<operations["createConnection"]>, NewConnection>>();
that<Same<Body<operations["updateConnection"]>, ConnectionChanges>>();
// A page is asked for by its cursor alone.
that<Same<Flat<Omit<Query<operations["listConnections"]>, "offset">>, Flat<ListQuery>>>();
that<Same<Flat<Omit<Query<operations["listProfiles"]>, "offset">>, Flat<PageQuery>>>();
that<Same<Flat<Omit<Query<operations["listProxies"]>, "offset">>, Flat<PageQuery>>>();
type Headers = NonNullable<operations["createConnection"]["parameters"]["header"]>;
that<Same<Headers["Idempotency-Key"], CreateOptions["idempotency_key"]>>();

// What comes out.
that<Same<Answer<operations["getConnection"], 200>, Connection>>();
that<Same<Answer<operations["updateConnection"], 200>, Connection>>();
that<Same<Answer<operations["listConnections"], 200>, Connection[]>>();
that<Same<Answer<operations["listProfiles"], 200>, Profile[]>>();
that<Same<Answer<operations["listProxies"], 200>, Proxy[]>>();
type Made = Extract<Created, { connection: unknown }>;
that<Same<Answer<operations["createConnection"], 200 | 201>, Made["connection"]>>();
type Taken = Extract<Created, { outcome: "conflict" }>;
that<Same<Flat<Omit<Taken, "outcome">>, Flat<Conflict>>>();
that<Same<Conflict, Schemas["Conflict"]>>();
that<Same<Schemas["Error"]["details"], RefusedError["details"]>>();
that<Same<Schemas["ErrorDetail"], Violation>>();

// An observation is fields of a connection; what a connection need not have, it need not say.
type Seen = Omit<Observation, "flow">;
that<Same<keyof Seen, keyof Seen & keyof Connection>>();
that<Same<Flat<Required<Seen>>, Flat<Required<Pick<Connection, keyof Seen>>>>>();
that<Same<keyof Flow, keyof Flow & keyof Connection>>();
that<Same<Flow["flow_step"], Connection["flow_step"] | undefined>>();
that<Same<Flow["flow_status"] | null, Connection["flow_status"]>>();

// No text or address of the description became `unknown`.
type Unknowns<T> = { [K in keyof T]-?: unknown extends T[K] ? K : never }[keyof T];
that<Same<Unknowns<Connection> | Unknowns<NewConnection> | Unknowns<ConnectionChanges>, never>>();

// What goes in and what comes out, in the API's own names.
import type { components } from "./api.js";

type Schemas = components["schemas"];

/** An auth connection: what keeps one profile logged in to one domain. */
export type Connection = Schemas["Connection"];
/** What is asked for when a connection is created. */
export type NewConnection = Schemas["NewConnection"];
/** What an update changes; what is absent stays as it is. */
export type ConnectionChanges = Schemas["ConnectionChanges"];
/** Where the credentials of a login are kept; never the credentials themselves. */
export type Credential = Schemas["Credential"];
/** A registered proxy, by ID or by name. */
export type ProxyChoice = Schemas["ProxyChoice"];
/** A browser profile and the number of its connections. */
export type Profile = Schemas["Profile"];
/** A registered proxy and the number of connections that use it. */
export type Proxy = Schemas["Proxy"];
/** Who holds a pair. */
export type Conflict = Schemas["Conflict"];
/** One thing that is wrong with a request; its message begins with the field. */
export type Violation = Schemas["ErrorDetail"];

/** What became of a create. A conflict is an answer, not an error. */
export type Created =
  | { outcome: "created" | "replayed" | "existing"; connection: Connection }
  | ({ outcome: "conflict" } & Conflict);

/** How a create treats a request that was sent before, and a pair that is taken. */
export interface CreateOptions {
  /** Under this key (1 to 255 visible ASCII characters) the same request may be sent again: it is answered with the connection that it made. */
  idempotency_key?: string;
  /** Answers with the connection that holds the pair, instead of a conflict. */
  ensure?: boolean;
}

type Seen = Pick<
  Connection,
  | "flow_step" | "flow_expires_at" | "discovered_fields" | "mfa_options" | "sign_in_options" | "pending_sso_buttons"
  | "external_action_message" | "website_error" | "sso_provider" | "error_message" | "error_code" | "hosted_url"
  | "live_view_url" | "browser_session_id"
>;

/** A login flow as a login driver saw it. */
export type Flow = Partial<Seen> & {
  flow_status: NonNullable<Connection["flow_status"]>;
  flow_type: NonNullable<Connection["flow_type"]>;
};

/** What a login driver saw; what is absent stays as it is. */
export interface Observation {
  status?: Connection["status"];
  /** Sent with its reason, or left to it. */
  can_reauth?: boolean;
  can_reauth_reason?: Connection["can_reauth_reason"];
  /** RFC 3339. */
  last_auth_check_at?: string;
  post_login_url?: string;
  /** Replaces the flow as a whole; `null` clears it. */
  flow?: Flow | null;
}

/** A page of a list. */
export interface Page<T> {
  items: T[];
  /** Where the next page begins; absent on the last. */
  next_cursor?: string;
}

/** Which page, and how long. */
export interface PageQuery {
  /** 1 to 100; 20 unless sent. */
  limit?: number;
  /** Where a page before this one ended. It stays good whatever is written meanwhile. */
  cursor?: string;
}

/** Which connections; all unless said otherwise. */
export interface ListQuery extends PageQuery {
  profile_name?: string;
  /** Exact, after normalisation. */
  domain?: string;
  /** An exact ID, or a prefix of domain or profile name. */
  query?: string;
}

/** Something that happened to a connection, durably. */
export type Change =
  | { seq: number; kind: "created" | "updated"; id: string; connection: Connection }
  | { seq: number; kind: "deleted"; id: string };

/** What happened since; or that it is no longer kept, and the number of the oldest change that is. */
export type Changes = { changes: Change[] } | { too_old: true; oldest: number };

/** What a subscriber is told: changes without a gap, or one `reset` where some are gone: read everything anew. */
export type ChangeEvent = Change | { seq: number; kind: "reset" };

/** What a store holds. */
export interface Stats {
  connections: number;
  profiles: number;
  proxies: number;
  /** The number of the last change; 0 before the first. */
  last_change: number;
  /** The number of the oldest change that is kept; 0 where there was none. */
  oldest_change: number;
}

/** What a check found. */
export interface CheckReport {
  connections: number;
  profiles: number;
  proxies: number;
  /** Whether the checksums of pages were looked at. */
  pages_checked: boolean;
  /** What does not agree; empty in a sound store. */
  problems: string[];
}

/** A moment and 64 random bits: what a new ID is made of. */
export interface Stamp {
  /** Milliseconds since 1970. */
  now_ms: number;
  random: bigint | number;
}

/** How every store is opened. */
export interface StoreOptions {
  /** The project's plan, which sets the floor of `health_check_interval`; enterprise unless given. */
  plan?: "enterprise" | "startup" | "hobbyist";
  /** The most connections that the project may have. */
  cap?: number;
  /** Memory for pages of the store, in bytes; 32 MiB unless given. */
  cacheBytes?: number;
  /** How long the log may become, in bytes; 16 MiB unless given. A store that has a log keeps its length. */
  logBytes?: number;
  /** Where time and randomness come from, for tests. Only where the engine runs in this thread. */
  stamps?: () => Stamp;
}

/** A store in memory, gone when it is closed; it can begin with the bytes of a `backup`. */
export interface InMemory extends StoreOptions {
  memory: true | Uint8Array;
}

/** A store in files of the browser, shared by all tabs of the origin. */
export interface InBrowser extends StoreOptions {
  /** 1 to 64 letters, digits, `.`, `_` and `-`. */
  name: string;
  /** Whether to ask the browser to keep its files when space is short; `true` unless given. */
  persist?: boolean;
}

/** A store in a file, with its log beside it; one process has it open at a time, and native ones count. */
export interface InFile extends StoreOptions {
  path: string;
  /** `"none"` opens it without a lock where there is none to be had: then nobody else must open it. */
  lock?: "none";
}

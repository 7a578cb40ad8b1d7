// Errors: what was refused, and what failed.
import type { Violation } from "./types.js";

/** Why an operation has no answer. `code` is the API's, and stable. */
export abstract class ConnectoryError extends Error {
  /** The API's code. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The request's fault: it was refused and changed nothing. */
export class RefusedError extends ConnectoryError {
  override readonly name = "RefusedError";
  /** Everything that is wrong with the request; only of `bad_request`. */
  declare readonly details?: Violation[];

  constructor(code: string, message: string, details?: Violation[]) {
    super(code, message);
    if (details !== undefined) this.details = details;
  }
}

/** What failed, more exactly than the API's code says. */
export type Reason =
  /** Somebody else has the store open. */
  | "in_use"
  /** This host has no way to lock a file, and `lock: "none"` was not passed. */
  | "lock_unavailable"
  /** This host keeps no files for pages. */
  | "no_storage"
  /** The tab that owned the store is gone, and none has taken over yet. */
  | "handing_over"
  | "not_a_store" | "damaged" | "other_format"
  /** The disk or the quota is full. Nothing was written; the store works again once there is space. */
  | "storage_full"
  /** The storage failed. What was being written is not there. */
  | "io"
  /** The write may or may not have happened: look before trying again. */
  | "outcome_unknown"
  | "busy" | "read_only" | "closed"
  /** A bug. */
  | "internal";

const CODES: Partial<Record<Reason, string>> = {
  in_use: "unavailable",
  lock_unavailable: "lock_unavailable",
  no_storage: "unavailable",
  handing_over: "unavailable",
  busy: "unavailable",
  closed: "unavailable",
  storage_full: "storage_full",
  outcome_unknown: "outcome_unknown",
};

/** The environment's fault. */
export class FailedError extends ConnectoryError {
  override readonly name = "FailedError";
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(CODES[reason] ?? "internal_error", message);
    this.reason = reason;
    if (options?.cause !== undefined) this.cause = options.cause;
  }
}

/** Nobody can tell whether a write happened. */
export function outcomeUnknown(why: string): FailedError {
  return new FailedError("outcome_unknown", `the write may or may not have happened (${why}); look before trying again`);
}

/** There is no space left. */
export function storageFull(cause?: unknown): FailedError {
  return new FailedError("storage_full", "the disk is full; nothing was written, free some space and try again", { cause });
}

/** The storage failed with what `why` says. */
export function storageFailed(why: string, cause: unknown): FailedError {
  return new FailedError("io", `the storage failed: ${why}`, { cause });
}

/** An error on its way between threads. */
export interface Thrown {
  code: string;
  message: string;
  reason?: Reason;
  details?: Violation[];
}

/** Anything that was thrown, as one of ours. */
export function asError(error: unknown): ConnectoryError {
  if (error instanceof ConnectoryError) return error;
  if (error instanceof Error && "code" in error && typeof error.code === "string") return fromThrown(error as Error & Thrown);
  return new FailedError("internal", String(error), { cause: error });
}

/** Anything that was thrown, for its way to another thread. */
export function asThrown(error: unknown): Thrown {
  const { code, message, reason, details } = asError(error) as Thrown;
  return { code, message, ...(reason && { reason }), ...(details && { details }) };
}

export function fromThrown({ code, message, reason, details }: Thrown): ConnectoryError {
  return reason ? new FailedError(reason, message) : new RefusedError(code, message, details);
}

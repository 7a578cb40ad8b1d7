// Answers that no engine makes: what the Worker and its objects say by themselves, in the API's own form.
import type { Answer } from "./glue.js";
import { isFull } from "./tables.js";

export function json(status: number, body: unknown): Answer {
  return { status, headers: [["content-type", "application/json"]], body: JSON.stringify(body) };
}

/** An error that a retry cannot mend. */
export function error(status: number, code: string, message: string, details?: unknown): Answer {
  return withHeader(json(status, { code, message, details }), "x-should-retry", "false");
}

/** An error that may be over in so many seconds. */
export function notNow(status: number, code: string, message: string, seconds: number): Answer {
  return withHeader(json(status, { code, message }), "retry-after", `${seconds}`);
}

export function withHeader(answer: Answer, name: string, value: string): Answer {
  return { ...answer, headers: [...answer.headers, [name, value]] };
}

/** What an error says. */
export function said(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The response where the engine failed as a whole: nothing was written. */
export function failure(thrown: unknown): Answer {
  const { code } = thrown as { code?: unknown };
  const answer = code === "storage_full" || isFull(thrown)
    ? error(507, "storage_full", "the registry's storage is full and nothing was written; the operator must make space")
    : json(500, { code: "internal_error", message: "the registry failed and nothing was written; its log says why" });
  return { ...answer, cause: said(thrown) };
}

/** The response to what the engine threw because it refused a request; `undefined` where it threw for another reason. */
export function refusal(thrown: unknown): Answer | undefined {
  const { code, details } = thrown as { code?: string; details?: unknown };
  if (code === "payload_too_large") return error(413, code, said(thrown));
  return code === "bad_request" || code === "resource_in_use" ? error(400, code, said(thrown), details) : undefined;
}

// What every entry exports beside its `open`.
export { ConnectoryError, FailedError, RefusedError, type Reason } from "../errors.js";
export { List, Store, type CreatedRow, type LoadSource } from "../store.js";
export type * from "../types.js";

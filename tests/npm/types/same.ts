// Assertions about types.

/** Whether two types are the same, and not only assignable. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles if `T` is `true`. */
export function that<T extends true>(): T | undefined {
  return undefined;
}

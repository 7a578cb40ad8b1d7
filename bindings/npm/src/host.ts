// Where a host keeps a store: what the module calls, see wasm/src/host.rs.

/** Where a host keeps a store, open for as long as the engine is. */
export interface Files {
  /** Whether a flush is only advice, and tables are to be checked when they are opened after an unclean end. */
  readonly onePhase: boolean;
  /** The tables, a whole store already. */
  open(): File;
  /** The log; made if `make` says so, its name durable, and undefined if it is not there otherwise. */
  openLog(make: boolean): File | undefined;
  removeLog(): void;
  /** Lets go of everything, the store's lock too. */
  close(): void | Promise<void>;
}

/** An open file. Nothing here returns a promise; reads and writes return how many bytes they did. */
export interface File {
  size(): number;
  read(at: number, into: Uint8Array): number;
  write(at: number, bytes: Uint8Array): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

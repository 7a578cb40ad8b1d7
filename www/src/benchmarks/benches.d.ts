// What the page uses of the repository's own benchmark.

declare module "*/benches/javascript/report.mjs" {
  export function median(figures: number[]): number;
  export function figure(value: number | undefined): string;
  export function asJson<About>(
    about: About,
    sections: { host: string; place: string; rows: Measured[] }[],
  ): {
    about: About;
    sections: { host: string; place: string; rows: JavaScriptRow[] }[];
  };
  /** A row as it is written to a file. */
  export interface JavaScriptRow {
    name: string;
    unit: string;
    medians: Record<string, number>;
    rounds: Record<string, number[]>;
    best?: { peer: string; ratio: number };
  }
  /** A row as it is measured, with the figure of every round. */
  export interface Measured {
    name: string;
    unit: string;
    figures: Record<string, number[]>;
  }
}

declare module "*/benches/javascript/contenders.mjs" {
  export interface Contender {
    name: string;
    peer: string;
    kind: string;
    role: "ours" | "peer" | "floor";
    inPage?: boolean;
  }
  export function contendersOf(host: string, isDurable: boolean): Contender[];
}

declare module "*/benches/javascript/rounds.mjs" {
  import type { Contender } from "*/benches/javascript/contenders.mjs";
  import type { Measured } from "*/benches/javascript/report.mjs";
  export interface Plan {
    /** Connections in a store before anything is timed. */
    size: number;
    rounds: number;
    /** At most so many creates one at a time, creates 64 in flight, and reads, in a measurement. */
    durable: number;
    together: number;
    reads: number;
    /** No operation of a measurement begins after so many milliseconds. */
    ms: number;
    imported: number;
    imports: number;
  }
  export interface Command {
    ask: string;
    [option: string]: unknown;
  }
  export type Answer = Record<string, number>;
  export type Asking = Contender & {
    open(place: string): Promise<void>;
    ask(command: Command): Promise<Answer>;
  };
  export type Say = (text: string) => unknown;
  export class Figures {
    rows: Measured[];
  }
  export function agree(contenders: Asking[], seed: number, say: Say): Promise<void>;
  type Measure = (
    contenders: Asking[],
    isDurable: boolean,
    plan: Plan,
    say: Say,
    figures: Figures,
  ) => Promise<Measured[]>;
  export const measure: Measure;
  export const imports: Measure;
}

declare module "*/benches/javascript/asking.mjs" {
  import type { Answer, Command } from "*/benches/javascript/rounds.mjs";
  export function asking(worker: Worker): Promise<(command: Command) => Promise<Answer>>;
}

declare module "*/benches/javascript/answering.mjs" {
  export function answer(load: (peer: string) => Promise<unknown>): void;
}

declare module "*/benches/javascript/subject.mjs" {
  import type { Answer, Command } from "*/benches/javascript/rounds.mjs";
  export class Subject {
    constructor(load: (peer: string) => Promise<unknown>);
    ask(command: Command): Promise<Answer>;
  }
}

declare module "*/benches/javascript/peers/ours.mjs" {
  export function open(opening: object, load: () => Promise<object>): Promise<object>;
}
declare module "*/benches/javascript/peers/sqlite-wasm.mjs" {
  export function open(opening: object, load: () => Promise<object>): Promise<object>;
}
declare module "*/benches/javascript/peers/indexeddb.mjs" {
  export function open(opening: object): Promise<object>;
}
declare module "*/benches/javascript/peers/disk.mjs" {
  export function open(opening: object): Promise<object>;
}

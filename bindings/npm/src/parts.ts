// The module in two parts, for stores in files of browsers: the first does all ordinary work, the rest is loaded once a
// store is open, or when it is needed sooner.
import type { Code } from "./engine.js";
import { FailedError } from "./errors.js";

/** Both parts, for any number of instances in this thread. */
export class Parts implements Code {
  readonly module: WebAssembly.Module;
  /** Where the rest is. */
  readonly rest: string;
  #loaded: WebAssembly.Module | undefined;

  constructor(first: WebAssembly.Module, rest: string) {
    this.module = first;
    this.rest = rest;
  }

  /** Loads the rest while the store works. If that fails, it is loaded when it is needed. */
  async onOpen(): Promise<void> {
    if (this.#loaded) return;
    const loaded = await compiled(this.rest).catch(() => undefined);
    this.#loaded ??= loaded;
  }

  /** Makes an instance of the first part, to which the rest is added when it is needed. */
  instance(first: WebAssembly.Module, imports: WebAssembly.Imports): WebAssembly.Instance {
    const add = (): void => {
      try {
        new WebAssembly.Instance(this.#now(), { ...imports, first: instance.exports });
      } catch (error) {
        throw error instanceof WebAssembly.LinkError ? ofOtherBuild(error) : error;
      }
    };
    const instance = new WebAssembly.Instance(first, { ...imports, rest: { load: add } });
    return instance;
  }

  /** The rest, waited for in the middle of a call if need be, which only workers may do. */
  #now(): WebAssembly.Module {
    try {
      return (this.#loaded ??= new WebAssembly.Module(bytesOf(this.rest)));
    } catch (error) {
      throw notLoaded(error);
    }
  }
}

/** Loads a module and compiles it. */
export async function compiled(url: string | URL): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  // Not every server knows the media type that streaming asks for.
  const isKnown = response.headers.get("content-type")?.startsWith("application/wasm");
  return isKnown ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

/** What is at `url`, waited for. */
function bytesOf(url: string): ArrayBuffer {
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${url} answered ${request.status}`);
  return request.response as ArrayBuffer;
}

function notLoaded(cause: unknown): FailedError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `the rest of the engine could not be loaded: ${why}; try again when online`;
  return new FailedError("internal", message, { cause });
}

function ofOtherBuild(cause: unknown): FailedError {
  const message = "the two parts of the engine are of different builds, first.wasm and rest.wasm; load the page again";
  return new FailedError("internal", message, { cause });
}

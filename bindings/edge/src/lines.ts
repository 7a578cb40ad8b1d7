// Lines on their way through streams.

/** Where the bytes of a stream come from. */
export interface ByteSource {
  pull(controller: ReadableStreamDefaultController<Uint8Array>): void | Promise<void>;
  cancel(): void | Promise<void>;
}

/** A stream that can go to another object: the types of the platform do not know the kind that they ask for. */
export function byteStream(source: ByteSource): ReadableStream<Uint8Array> {
  return new ReadableStream({ type: "bytes", ...source } as unknown as UnderlyingSource<Uint8Array>);
}

/** Whole lines, without the end of the last, and the number of the first. */
export interface Lines {
  first: number;
  text: string;
}

/** The longest line of a dump that is kept, in characters; as many bytes are the native server's. */
const LINE_MAX = 1 << 20;

/** Why no line is made of what came, as the engine would say it. */
function refused(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** The whole lines of a stream, as many at a time as came at once, or about `piece` characters. */
export async function* linesOf(stream: ReadableStream<Uint8Array>, piece = 0): AsyncGenerator<Lines> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decoded = (...bytes: Parameters<TextDecoder["decode"]>): string => {
    try {
      return decoder.decode(...bytes);
    } catch {
      throw refused("bad_request", "the body is not UTF-8; send lines of JSON");
    }
  };
  let first = 1;
  let rest = "";
  const counted = (text: string): Lines => {
    const lines = { first, text };
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) first += 1;
    first += 1;
    return lines;
  };
  for await (const bytes of stream) {
    rest += decoded(bytes, { stream: true });
    const end = rest.lastIndexOf("\n");
    if (rest.length - end > LINE_MAX) throw refused("payload_too_large", `a line is larger than ${LINE_MAX} bytes; send less`);
    if (rest.length < piece || end < 0) continue;
    yield counted(rest.slice(0, end));
    rest = rest.slice(end + 1);
  }
  rest += decoded();
  if (rest !== "") yield counted(rest);
}

/** The same lines, each of which had its own number and a tab before it. */
export function* numbered({ text }: Lines): Generator<Lines> {
  for (const line of text.split("\n")) {
    const tab = line.indexOf("\t");
    yield { first: Number(line.slice(0, tab)), text: line.slice(tab + 1) };
  }
}

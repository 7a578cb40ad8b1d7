// The binary format of modules, as far as splitting one asks for it: sections, and what is in them.

/** Reads what a module is made of, from a place in its bytes on. */
export class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** A number in LEB128. */
  number() {
    let number = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.byte();
      number += (byte & 127) * weight;
      if (byte < 128) return number;
    }
  }

  /** A number in LEB128 that may be below zero, of 32 bits. */
  signed() {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      number |= (byte & 127) << shift;
      if (byte < 128) return shift < 28 && byte & 64 ? number | (-1 << (shift + 7)) : number;
    }
  }

  text() {
    const length = this.number();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  /** What `read` reads, as often as the number here says. */
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
}

/** Every section: its number, its name if it has one, where it starts, where its content does, and where it ends. */
export function sectionsOf(bytes) {
  const sections = [];
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const start = reader.at;
    const id = reader.byte();
    const length = reader.number();
    const end = reader.at + length;
    const name = id === 0 ? reader.text() : undefined;
    sections.push({ id, name, start, content: reader.at, end });
    reader.at = end;
  }
  return sections;
}

/** What the module writes into its memory: addresses and bytes, and where in the section these are. */
export function dataOf(bytes) {
  const { content } = sectionsOf(bytes).find(({ id }) => id === 11);
  const reader = new Reader(bytes, content);
  return reader.list(() => {
    if (reader.byte() !== 0 || reader.byte() !== 0x41) throw new Error("a data segment has no constant address");
    const address = reader.signed();
    reader.at += 1;
    const length = reader.number();
    const offset = reader.at - content;
    reader.at += length;
    return { address, offset, bytes: bytes.subarray(reader.at - length, reader.at) };
  });
}

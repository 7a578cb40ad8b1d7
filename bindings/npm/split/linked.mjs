// What the linker wrote down (--emit-relocs): which functions and which data refer to which data.
import { dataOf, Reader, sectionsOf } from "./sections.mjs";

/** The kinds of relocations that are addresses in memory, and those that are not. */
const ADDRESSES = new Set([3, 4, 5]);
const OTHERS = new Set([0, 1, 2, 6, 7, 20]);
const DATA = 1;
const IS_UNDEFINED = 0x10;
const HAS_NAME = 0x40;

/** The pieces of memory whose data none of these functions can reach, and that have none of the addresses `pinned`. */
export function unreached(bytes, functions, pinned) {
  const sections = sectionsOf(bytes);
  const section = (key) => sections.find(({ id, name }) => id === key || name === key);
  const segments = dataOf(bytes);
  const objects = objectsOf(bytes, section("linking"), segments);
  const inOrder = [...objects.values()].sort((a, b) => a.address - b.address);
  const at = (address) => inOrder.filter(({ address: start, end }) => start <= address && address < end);

  for (const { offset, symbol } of relocations(bytes, section("reloc.DATA"))) {
    const { address, offset: start } = segments.findLast((segment) => segment.offset <= offset);
    for (const object of at(address + offset - start)) object.refersTo.push(objects.get(symbol));
  }

  const reached = new Set();
  const reach = (object) => {
    if (!object || reached.has(object)) return;
    reached.add(object);
    object.refersTo.forEach(reach);
  };
  const bodies = bodiesOf(bytes, section);
  let body = 0;
  for (const { offset, symbol } of relocations(bytes, section("reloc.CODE"))) {
    while (bodies[body].end <= offset) body += 1;
    if (bodies[body].names.some((name) => functions.has(name))) reach(objects.get(symbol));
  }
  for (const address of pinned) at(address).forEach(reach);

  return gapsBetween(inOrder, reached);
}

/** The longest pieces of memory with unreached objects in them, and no reached ones. */
function gapsBetween(inOrder, reached) {
  const pieces = [];
  let piece;
  let reachedTo = 0;
  for (const object of inOrder) {
    if (reached.has(object)) {
      if (piece) piece.end = Math.min(piece.end, object.address);
      piece = undefined;
      reachedTo = Math.max(reachedTo, object.end);
    } else if (piece) {
      piece.end = Math.max(piece.end, object.end);
    } else {
      piece = { start: Math.max(object.address, reachedTo), end: object.end };
      pieces.push(piece);
    }
  }
  return pieces.filter(({ start, end }) => start < end);
}

/** Every object in memory, by the number of its symbol. */
function objectsOf(bytes, { content, end }, segments) {
  const objects = new Map();
  const reader = new Reader(bytes, content);
  reader.number();
  while (reader.at < end) {
    const kind = reader.byte();
    const length = reader.number();
    const next = reader.at + length;
    if (kind === 8) {
      for (const [number, symbol] of reader.list(() => symbolOf(reader)).entries()) {
        if (!symbol) continue;
        const address = segments[symbol.segment].address + symbol.offset;
        objects.set(number, { address, end: address + symbol.size, refersTo: [] });
      }
    }
    reader.at = next;
  }
  return objects;
}

/** Where in a segment a symbol is; `undefined` of what is not in memory. */
function symbolOf(reader) {
  const kind = reader.byte();
  const flags = reader.number();
  if (kind === DATA) {
    reader.text();
    if (flags & IS_UNDEFINED) return undefined;
    return { segment: reader.number(), offset: reader.number(), size: reader.number() };
  }
  reader.number();
  const isSection = kind === 3;
  if (!isSection && (!(flags & IS_UNDEFINED) || flags & HAS_NAME)) reader.text();
  return undefined;
}

function relocations(bytes, { content }) {
  const reader = new Reader(bytes, content);
  reader.number();
  const all = reader.list(() => {
    const type = reader.byte();
    if (!ADDRESSES.has(type) && !OTHERS.has(type)) throw new Error(`relocation type ${type} is not known here`);
    const found = { isAddress: ADDRESSES.has(type), offset: reader.number(), symbol: reader.number() };
    if (found.isAddress) reader.signed();
    return found;
  });
  return all.filter(({ isAddress }) => isAddress);
}

/** Where the code of each function ends, and what it is called. */
function bodiesOf(bytes, section) {
  const imports = new Reader(bytes, section(2).content);
  const imported = imports.list(() => {
    imports.text();
    imports.text();
    if (imports.byte() !== 0) throw new Error("the linker's module imports something other than functions");
    return imports.number();
  }).length;
  const { content } = section(10);
  const code = new Reader(bytes, content);
  const bodies = code.list(() => {
    const length = code.number();
    code.at += length;
    return { end: code.at - content, names: [] };
  });
  const name = (index, text) => bodies[index - imported]?.names.push(text);
  const exports = new Reader(bytes, section(7).content);
  exports.list(() => {
    const text = exports.text();
    if (exports.byte() === 0) name(exports.number(), text);
    else exports.number();
  });
  const names = new Reader(bytes, section("name").content);
  while (names.at < section("name").end) {
    const kind = names.byte();
    const next = names.number() + names.at;
    if (kind === 1) names.list(() => name(names.number(), names.text()));
    names.at = next;
  }
  return bodies;
}

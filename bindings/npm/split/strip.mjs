// Removes from a module what the linker wrote down for linking again: nobody does, and Binaryen warns of it.
import { readFileSync, writeFileSync } from "node:fs";
import { sectionsOf } from "./sections.mjs";

const [path] = process.argv.slice(2);
const bytes = readFileSync(path);
const kept = sectionsOf(bytes).filter(({ name }) => name !== "linking" && !name?.startsWith("reloc."));
writeFileSync(path, Buffer.concat([bytes.subarray(0, 8), ...kept.map(({ start, end }) => bytes.subarray(start, end))]));

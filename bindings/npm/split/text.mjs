// A module as Binaryen writes it as text: its forms, one for each function, import, and so on.

const NAME = String.raw`\$(?:"(?:[^"\\]|\\.)*"|[^\s()"]+)`;
const FUNCTION = new RegExp(String.raw`^ \(func (${NAME})(.*)`);
const REFERENCE = new RegExp(String.raw`\((?:call|return_call|ref\.func) (${NAME})`, "g");

/** The names in a piece of text. */
export const namesIn = (text) => text.match(new RegExp(NAME, "g")) ?? [];

/** The forms of a module: of what kind each is, its text, and what a function is called and takes and returns. */
export function formsOf(text) {
  return text.split(/\n(?= \()/).slice(1).map((form, n, { length }) => {
    const lines = n === length - 1 ? form.replace(/\n\)\s*$/, "") : form;
    const [, kind] = /^ \((\w+)/.exec(lines);
    return kind === "func" ? new Func(lines) : { kind, text: lines };
  });
}

export const moduleOf = (forms) => `(module\n${forms.join("\n")}\n)\n`;

class Func {
  kind = "func";

  constructor(text) {
    this.text = text;
    [, this.name, this.signature] = FUNCTION.exec(text);
  }

  /** What the linker may have called it. */
  get plainName() {
    return this.name.replace(/^\$"?|"$/g, "");
  }

  /** How many lines it has, which is about one for each instruction. */
  get length() {
    return this.text.split("\n").length;
  }

  /** The functions that it calls or refers to. */
  get references() {
    return new Set(Array.from(this.text.matchAll(REFERENCE), ([, name]) => name));
  }

  /** It, with a call before everything else that it does. */
  beginningWith(call) {
    const begun = this.text.replace(/^.*\n(?:  \(local .*\n)*/, (head) => `${head}  ${call}\n`);
    if (begun === this.text) throw new Error(`${this.name} has no body`);
    return begun;
  }

  /** A function like it that calls what is at a place in the table, after `before`. */
  through(table, slot, before) {
    const params = [...this.signature.matchAll(/\(param (\$\S+) (\w+)\)/g)];
    const types = params.map(([, , type]) => `(param ${type})`).join(" ");
    const [result = ""] = /\(result [^)]*\)/.exec(this.signature) ?? [];
    const values = params.map(([, name]) => `(local.get ${name})`).join(" ");
    const call = `(call_indirect ${table} ${types} ${result} ${values} (i32.const ${slot}))`;
    return ` (func ${this.name}${this.signature}\n  ${before}\n  ${call}\n )`;
  }
}

/** Every number in a function that could be an address. */
export function* numbersIn({ text }) {
  for (const [, number] of text.matchAll(/(?:i32\.const |offset=)(\d+)/g)) yield Number(number);
}

/** Bytes at an address, as a form. */
export function dataForm(address, bytes) {
  const text = bytes.toString("hex").replace(/../g, "\\$&");
  return ` (data (i32.const ${address}) "${text}")`;
}

// The contenders in Node.js: each in a process of its own, one of them at work at a time.
import { execFile, fork, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { contendersOf } from "./contenders.mjs";

const CHILD = new URL("child.mjs", import.meta.url).pathname;
const NATIVE = new URL("../../target/release/native", import.meta.url).pathname;

class InProcess {
  #child;
  #waiting = new Map();
  #count = 0;
  #directory;

  constructor(contender, directory) {
    Object.assign(this, contender);
    this.#directory = join(directory, `${contender.name} ${contender.kind}`);
    this.#child = fork(CHILD, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", ({ id, answer, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(`${this.name}: ${error}`));
      else resolve(answer);
    });
    this.#child.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.name} ended with ${code}`));
    });
  }

  ask(command) {
    return new Promise((resolve, reject) => {
      this.#count += 1;
      this.#waiting.set(this.#count, { resolve, reject });
      this.#child.send({ id: this.#count, command });
    });
  }

  async open(place) {
    await mkdir(this.#directory, { recursive: true });
    await this.ask({ ask: "open", peer: this.peer, kind: this.kind, place: join(this.#directory, place) });
  }

  end() {
    this.#child.kill();
  }
}

/** The engine built natively, in memory: beside contenders, not one of them. */
export class Native {
  name = "native";
  peer = "native";
  kind = "memory";
  operations = ["create", "conflict", "get"];
  #child;
  #lines;

  constructor() {
    this.#child = spawn(NATIVE, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  static isThere = () => existsSync(NATIVE);

  async open() {}

  async #us(...words) {
    this.#child.stdin.write(`${words.join(" ")}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the native engine has ended");
    return Number(value);
  }

  async ask({ ask, operation, many }) {
    if (ask === "import") return { us: await this.#us("import", "values", many) };
    if (ask === "time") return { us: await this.#us(operation, "values", many), json: await this.#us(operation, "json", many) };
  }

  end() {
    this.#child.kill();
  }
}

/** A contender for each that can be loaded here; the others are said to be missing. */
export async function nodeContenders(isDurable, directory, missing) {
  const all = [];
  for (const contender of contendersOf("node", isDurable)) {
    const subject = new InProcess(contender, directory);
    try {
      await subject.open("trial");
      await subject.ask({ ask: "close" });
      all.push(subject);
    } catch (error) {
      if (contender.role === "ours") throw error;
      subject.end();
      missing.add(`${contender.name} in Node.js: ${error.message.split(/\n| imported from /)[0]}`);
    }
  }
  return all;
}

/** Milliseconds from a fresh process' import to its first create. */
export async function coldInNode({ peer }) {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, "cold", peer]);
  return Number(stdout);
}

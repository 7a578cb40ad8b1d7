// The packed package, and fresh projects that have it installed, outside of this repository.
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = fileURLToPath(new URL(".", import.meta.url));
const source = fileURLToPath(new URL("../../../bindings/npm/", import.meta.url));

/** A tool of this folder's, by the name of its command. */
export const tool = (name) => join(here, "node_modules/.bin", name);

/** Runs a program to its end and returns what it prints; rejects with all that it said if it fails. */
export async function run(command, args, options = {}) {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: 60_000, ...options });
    return stdout;
  } catch (error) {
    error.message = `${error.message}\n${error.stdout}${error.stderr}`;
    throw error;
  }
}

/** A temporary folder with the package as it would be published, and projects beside it. */
export class Projects {
  #folder = mkdtempSync(join(tmpdir(), "connectory-"));
  tarball;
  /** The paths of the packed files. */
  files;

  static async create() {
    if (!existsSync(join(source, "dist/connectory.wasm"))) throw new Error("the package is not built; run bindings/npm/build");
    const projects = new this();
    const packing = ["pack", "--ignore-scripts", "--json", "--pack-destination", projects.#folder];
    const [{ filename, files }] = JSON.parse(await run("npm", packing, { cwd: source }));
    projects.tarball = join(projects.#folder, filename);
    projects.files = files.map(({ path }) => path);
    return projects;
  }

  /** A fresh project with the package installed, these programs or folders of this one's, and these other files. */
  async add(name, programs, files = {}) {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    const settings = { name, private: true, type: "module" };
    writeFileSync(join(folder, "package.json"), JSON.stringify(settings));
    await run("npm", ["install", this.tarball, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
    for (const program of programs) cpSync(join(here, program), join(folder, program.split("/").at(-1)), { recursive: true });
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
    return folder;
  }

  remove() {
    rmSync(this.#folder, { recursive: true });
  }
}

/** The one program of a folder of platforms' packages that is installed here. */
export function program(folder, path) {
  const packages = join(here, "node_modules", folder);
  const [name] = readdirSync(packages).filter((name) => existsSync(join(packages, name, path)));
  if (!name) throw new Error(`${folder} has no package for this platform`);
  return join(packages, name, path);
}

// The documents of the site: the file that each is made from, where it stands, what it is for.
import { resolve } from "node:path";

export interface Document {
  /** Its file, from the root of the repository. */
  file: string;
  /** Its page, from the root of the site. */
  path: string;
  /** In lists of documents, and in the tab. */
  name: string;
  /** What somebody finds there. */
  about: string;
}

export const REPOSITORY = resolve(import.meta.dirname, "../..");
export const DESCRIPTION = "core/src/http/openapi.json";

export const GROUPS: { name: string; documents: Document[] }[] = [
  {
    name: "Begin",
    documents: [
      {
        file: "README.md",
        path: "documents/readme/",
        name: "Overview",
        about: "What Connectory is and is not, the ways to use it, and how fast it is beside other engines.",
      },
      {
        file: "bindings/npm/README.md",
        path: "documents/npm/",
        name: "npm package",
        about: "The engine in browsers, Node.js and workers: opening a store, outcomes, durability, bundlers.",
      },
    ],
  },
  {
    name: "Contract",
    documents: [
      {
        file: "core/REFERENCE.md",
        path: "documents/reference/",
        name: "Reference",
        about: "What every runtime promises: fields and their rules, outcomes, codes, durability, lists, dumps.",
      },
      {
        file: "core/FORMAT.md",
        path: "documents/format/",
        name: "Format",
        about: "Stores, logs, records and dumps byte by byte, enough to write a reader from.",
      },
      {
        file: DESCRIPTION,
        path: "documents/http/",
        name: "HTTP API",
        about: "Every operation with its parameters, bodies, answers and examples, from the OpenAPI description.",
      },
    ],
  },
  {
    name: "At the edge",
    documents: [
      {
        file: "bindings/edge/README.md",
        path: "documents/edge/",
        name: "Cloudflare Worker",
        about: "How to deploy the HTTP API on Durable Objects, and what can be counted on there.",
      },
      {
        file: "bindings/edge/OPERATING.md",
        path: "documents/operating/",
        name: "Operations",
        about: "What to do at night: is it up, going back in time, copies, another number of shards.",
      },
      {
        file: "bindings/edge/COST.md",
        path: "documents/cost/",
        name: "Cost",
        about: "Rows, bytes and dollars of creates and of stored connections, measured.",
      },
      {
        file: "bindings/edge/SCALING.md",
        path: "documents/scaling/",
        name: "Scaling",
        about: "How many shards a project needs, how even they are, and what a list over them costs.",
      },
    ],
  },
  {
    name: "Project",
    documents: [
      {
        file: "ARCHITECTURE.md",
        path: "documents/architecture/",
        name: "Architecture",
        about: "The map of the sources and the reasons behind every decision.",
      },
      {
        file: "CONTRIBUTING.md",
        path: "documents/contributing/",
        name: "Contributing",
        about: "How to run the tests, where things are, and how the code reads.",
      },
      {
        file: "CHANGELOG.md",
        path: "documents/changelog/",
        name: "Changelog",
        about: "What changes for those who use it.",
      },
    ],
  },
];

export const DOCUMENTS: Document[] = GROUPS.flatMap(({ documents }) => documents);

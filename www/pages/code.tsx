// The page "Code": the same steps in four languages, taken from programs that the tests run.
import { basename } from "node:path";
import type { VNode } from "preact";
import { examples, type Language, LANGUAGES } from "../build/examples.ts";
import { highlight } from "../build/highlight.ts";
import { onGitHub } from "../build/links.ts";
import { inline } from "../build/markdown.ts";
import type { Page } from "../build/page.ts";
import { WithSide } from "../build/side.tsx";

interface Step {
  id: string;
  title: string;
  /** What happens, in a sentence or two. */
  text: string;
  /** Where it does not exist, and why. */
  missing?: Partial<Record<Language["id"], string>>;
}

const STEPS: Step[] = [
  {
    id: "open",
    title: "Open a store",
    text: `In Rust and TypeScript the engine runs in your process, on a file. The SDK runs on a store in memory here,
      without a network; curl asks a server, \`connectory serve\`.`,
  },
  {
    id: "create",
    title: "Create a connection",
    text: `The pair of profile and domain is free, so it gets a connection.
      Once this is answered, it survives power loss where the store is on disk.`,
  },
  {
    id: "conflict",
    title: "Learn who holds the pair",
    text: `The pair is taken, and the conflict names its holder.
      In the engine a conflict is an answer; over HTTP it is 409, which the SDK throws after one request.`,
  },
  {
    id: "ensure",
    title: "Take what is there",
    text: "Whoever does not mind that the connection exists already asks for it in the same call.",
  },
  {
    id: "retry",
    title: "Retry after a lost answer",
    text: `Under an idempotency key the same request can be sent again: it is answered with the connection that it made,
      not with a conflict.`,
  },
  {
    id: "many",
    title: "Create many at once",
    text: "Writes that arrive together share a commit, and so one sync of the disk.",
  },
  {
    id: "get",
    title: "Get one, find a pair",
    text: "By its ID, or by profile and domain. Over HTTP the second is a list with both filters.",
  },
  {
    id: "list",
    title: "List with a filter, walk the pages",
    text: `Newest first, at most 100 on a page.
      A cursor stays good whatever is written meanwhile: nothing is listed twice.`,
  },
  {
    id: "update",
    title: "Update",
    text: "Only what is named changes; an empty `login_url`, in Rust `Edit::Clear`, takes it away.",
  },
  {
    id: "delete",
    title: "Delete",
    text: "The pair is free at once. The profile stays.",
  },
  {
    id: "changes",
    title: "Follow changes",
    text: `Every create, update and delete has a number.
      A subscriber gets them without a gap, from whatever number it says.`,
    missing: {
      sdk: `There are no changes over HTTP, and so none in the SDK.
        The store under \`createFetch\` has \`subscribe\`, see TypeScript.`,
      curl: `There are no changes over HTTP.
        On the machine of the store, \`connectory changes --follow\` prints them as lines of JSON.`,
    },
  },
  {
    id: "dump",
    title: "Dump and load",
    text: `A dump is one moment of the store as JSON Lines.
      A load takes all of it or nothing, and equal stores dump equal bytes.`,
    missing: {
      sdk: `The API that the SDK was made for has no dumps.
        The store under \`createFetch\` has \`dump\` and \`load\`, see TypeScript.`,
    },
  },
];

const codes = examples(STEPS);

function Panel({ step, language }: { step: Step; language: Language }): VNode {
  const { id, name, highlighted } = language;
  const code = codes.get(step.id)?.get(id);
  const panel = `${step.id}-${id}`;
  const label = `${step.title}, ${name}`;
  return (
    <div class="panel" role="tabpanel" id={panel} aria-labelledby={`${panel}-tab`} data-language={id}>
      <p class="panel-name">{name}</p>
      {code === undefined && <p class="note" dangerouslySetInnerHTML={{ __html: inline(step.missing?.[id] ?? "") }} />}
      {code !== undefined && (
        <>
          <button class="small quiet copy needs-script" type="button" aria-label={`Copy: ${label}`}>Copy</button>
          <pre class="scroll" role="region" tabIndex={0} aria-label={label}>
            <code dangerouslySetInnerHTML={{ __html: highlight(code, highlighted) }} />
          </pre>
        </>
      )}
    </div>
  );
}

const Tabs = ({ step }: { step: Step }): VNode => (
  <div role="tablist" aria-label={`Language of "${step.title}"`} class="needs-script">
    {LANGUAGES.map(({ id, name }) => (
      <button
        type="button"
        role="tab"
        id={`${step.id}-${id}-tab`}
        aria-controls={`${step.id}-${id}`}
        data-language={id}
      >
        {name}
      </button>
    ))}
  </div>
);

export const code: Page = {
  path: "code/",
  title: "Code",
  description: "The same steps in Rust, TypeScript, the official SDK and curl, from programs that the tests run.",
  section: "Code",
  styles: ["/src/side/side.css", "/src/code/code.css"],
  script: "/src/code/code.ts",
  body: (root) => (
    <WithSide label="Steps" sections={STEPS.map(({ id, title }) => ({ id, title, level: 2 }))}>
      {/* Which language, before any of it is drawn. */}
      <script src={`${root}language.js`} {...{ "vite-ignore": true }} />
      <h1>The same steps, four ways</h1>
      <p class="lead">
        In Rust, in TypeScript, with the official SDK (@onkernel/sdk) and with curl. Each is cut out of a program that the
        tests run from beginning to end, with its assertions:{" "}
        {LANGUAGES.map(({ file }, at) => <>{at > 0 && ", "}<a href={onGitHub(file)}>{basename(file)}</a></>)}.
      </p>
      {STEPS.map((step) => (
        <section class="step">
          <h2 id={step.id} tabIndex={-1}>{step.title}</h2>
          <p dangerouslySetInnerHTML={{ __html: inline(step.text) }} />
          <Tabs step={step} />
          {LANGUAGES.map((language) => <Panel step={step} language={language} />)}
        </section>
      ))}
      <p class="visually-hidden" role="status" id="copied" />
    </WithSide>
  ),
};

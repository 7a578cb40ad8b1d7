// The HTTP reference, from the OpenAPI description in the engine's sources: operations by tag, then what they share.
import { type ComponentChildren, Fragment, type VNode } from "preact";
import { DESCRIPTION } from "./library.ts";
import { onGitHub } from "./links.ts";
import {
  api, between, Example, Fields, find, nameOf, Required, Rules, type Schema, Table, Text, Type, Value, Whole,
} from "./schema.tsx";

interface Content {
  schema: Schema;
  example?: unknown;
  examples?: Record<string, { summary: string; value: unknown }>;
}
interface Body {
  required?: boolean;
  content: Record<string, Content>;
}
interface Header {
  $ref?: string;
  required?: boolean;
  description: string;
  schema: Schema;
}
interface Parameter extends Header {
  name: string;
  in: string;
  example?: unknown;
}
interface Response {
  $ref?: string;
  description: string;
  headers?: Record<string, Header>;
  content?: Record<string, Content>;
}
interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: Body;
  responses: Record<string, Response>;
}
type Listed = Operation & { method: string; path: string };

const METHODS = ["get", "post", "put", "patch", "delete"];

/** In the order of the description. */
const operations: Listed[] = Object.entries<Record<string, Operation>>(api.paths).flatMap(([path, item]) =>
  Object.keys(item).filter((key) => METHODS.includes(key)).map((method) => {
    const operation = item[method] as Operation;
    const shared = (item.parameters ?? []) as unknown as Parameter[];
    const parameters = [...shared, ...(operation.parameters ?? [])];
    return { ...operation, method: method.toUpperCase(), path, parameters };
  }),
);

function Heading({ id, level: H, children }: { id: string; level: "h2" | "h3"; children: ComponentChildren }): VNode {
  return <H id={id} tabIndex={-1}><a class="to-here" href={`#${id}`}>{children}</a></H>;
}

function Request({ of, label }: { of: Body; label: string }): VNode {
  return (
    <>
      <h4>Request body</h4>
      {Object.entries(of.content).map(([type, { schema, example, examples }]) => (
        <Fragment key={type}>
          <p><code>{type}</code>: <Type of={schema} />{of.required ? <Required /> : ", may be left out"}</p>
          {schema.$ref && <Fields of={find(schema)} label={`${label}, fields of the body`} />}
          {Object.entries(examples ?? {}).map(([name, { summary, value }]) => (
            <Fragment key={name}>
              <p class="caption">{summary}</p>
              <Example label={`${label}, example: ${summary}`} of={value} />
            </Fragment>
          ))}
          {example !== undefined && <Example label={`${label}, example of ${type}`} of={example} />}
        </Fragment>
      ))}
    </>
  );
}

/** The codes of an error, where its answer says which. */
function codesOf({ content }: Response): unknown[] {
  const [body] = Object.values(content ?? {});
  const code = body && find(body.schema).properties?.code;
  return code ? [...(code.enum ?? []), ..."const" in code ? [code.const] : []] : [];
}

function Answers({ of, label }: { of: Listed; label: string }): VNode {
  return (
    <>
      <h4>Answers</h4>
      <Table label={`${label}, answers`} head={["status", "meaning", "body", "headers"]}>
        {Object.entries(of.responses).map(([status, said]) => {
          const response = find(said);
          const codes = codesOf(response);
          return (
            <tr key={status}>
              <th scope="row"><span class={`badge ${status < "300" ? "good" : "bad"}`}>{status}</span></th>
              <td>
                <Text of={response.description} />
                {codes.length > 0 && <> {between(codes.map((code) => <code>{String(code)}</code>), ", ")}</>}
              </td>
              <td class="type">
                {between(Object.entries(response.content ?? {}).map(([type, { schema }]) => (
                  <>{type !== "application/json" && `${type}: `}<Type of={schema} /></>
                )), ", ")}
              </td>
              <td>{between(Object.entries(response.headers ?? {}).map(([name, { $ref = "" }]) => (
                <a class="header-name" href={`#header-${nameOf($ref)}`}>{name}</a>
              )), ", ")}</td>
            </tr>
          );
        })}
      </Table>
    </>
  );
}

function Parameters({ of, label }: { of: Listed; label: string }): VNode | null {
  if (!of.parameters?.length) return null;
  return (
    <>
      <h4>Parameters</h4>
      <Table label={`${label}, parameters`} head={["name", "in", "type", "meaning and rules"]}>
        {of.parameters.map(find).map(({ name, in: where, required, description, schema, example }) => (
          <tr key={name}>
            <th scope="row"><code>{name}</code>{required && <Required />}</th>
            <td>{where}</td>
            <td class="type"><Type of={schema} /></td>
            <td>
              <Text of={description} /> {example !== undefined && <>Example: <Value of={example} />.</>}
              <Rules of={schema} />
            </td>
          </tr>
        ))}
      </Table>
    </>
  );
}

const Address = ({ of: { method, path } }: { of: Listed }): VNode => (
  <code class="address"><span class={`method ${method.toLowerCase()}`}>{method}</span> {path}</code>
);

/** Where the headers of answers are shared: the name under which each is sent. */
function headers(): [string, string, Header][] {
  const responses = operations.flatMap(({ responses }) => Object.values(responses));
  const all = responses.flatMap((said) => Object.entries(find(said).headers ?? {}));
  const names = new Map(all.map(([name, { $ref = "" }]) => [nameOf($ref), name]));
  return Object.entries<Header>(api.components.headers).map(([key, header]) => [key, names.get(key) ?? key, header]);
}

export function HttpReference(): VNode {
  return (
    <>
      <h1 id="http-api" tabIndex={-1}>HTTP API</h1>
      {api.info.description.split("\n\n").map((text: string) => <Text key={text} as="p" of={text} />)}
      <p>
        This page is made from <a href={onGitHub(DESCRIPTION)}>openapi.json</a>, which every server also answers
        at <a href="#openapi"><code>GET /openapi.json</code></a>. What the words mean is in
        the <a href="../reference/">reference</a>.
      </p>
      <nav class="operations" aria-label="Operations">
        {api.tags.map(({ name }: { name: string }) => (
          <Fragment key={name}>
            <p><a href={`#tag-${name}`}>{name}</a></p>
            <ul>
              {operations.filter(({ tags }) => tags.includes(name)).map((operation) => (
                <li key={operation.operationId}>
                  <a href={`#${operation.operationId}`}><Address of={operation} /></a>{" "}
                  <span class="muted">{operation.summary}</span>
                </li>
              ))}
            </ul>
          </Fragment>
        ))}
      </nav>
      {api.tags.map(({ name, description }: { name: string; description: string }) => (
        <Fragment key={name}>
          <Heading id={`tag-${name}`} level="h2">{name.charAt(0).toUpperCase() + name.slice(1)}</Heading>
          <Text as="p" of={description} />
          {operations.filter(({ tags }) => tags.includes(name)).map((operation) => (
            <section key={operation.operationId} class="operation">
              <Heading id={operation.operationId} level="h3">{operation.summary}</Heading>
              <p><Address of={operation} /></p>
              <Text as="p" of={operation.description} />
              <Parameters of={operation} label={operation.summary} />
              {operation.requestBody && <Request of={operation.requestBody} label={operation.summary} />}
              <Answers of={operation} label={operation.summary} />
            </section>
          ))}
        </Fragment>
      ))}
      <Heading id="headers" level="h2">Headers of answers</Heading>
      <Table label="Headers of answers" head={["header", "type", "meaning and rules"]}>
        {headers().map(([key, name, { description, required, schema }]) => (
          <tr key={key} id={`header-${key}`}>
            <th scope="row"><code>{name}</code></th>
            <td class="type"><Type of={schema} /></td>
            <td><Text of={description} />{!required && " Not always sent."} <Rules of={schema} /></td>
          </tr>
        ))}
      </Table>
      <Heading id="schemas" level="h2">Schemas</Heading>
      {Object.entries<Schema>(api.components.schemas).map(([name, schema]) => (
        <section key={name}>
          <Heading id={`schema-${name}`} level="h3">{name}</Heading>
          <Whole of={schema} label={name} />
        </section>
      ))}
    </>
  );
}

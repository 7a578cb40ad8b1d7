// Schemas of the OpenAPI description as prose and tables: types, rules, fields, examples.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type ComponentChildren, Fragment, type VNode } from "preact";
import { highlight } from "./highlight.ts";
import { DESCRIPTION, REPOSITORY } from "./library.ts";
import { inline } from "./markdown.ts";

export interface Schema {
  $ref?: string;
  title?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  enum?: (string | null)[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  deprecated?: boolean;
  [rule: string]: unknown;
}

export const api = JSON.parse(readFileSync(resolve(REPOSITORY, DESCRIPTION), "utf8"));

/** What a reference names, with what was said beside it. */
export function find<T extends { $ref?: string }>(said: T): T {
  if (!said.$ref) return said;
  const { $ref, ...beside } = said;
  return { ...$ref.slice(2).split("/").reduce((found, name) => found[name], api), ...beside };
}
export const nameOf = ($ref: string): string => $ref.split("/").at(-1) ?? "";

/** Texts between which something stands. */
export function between(parts: ComponentChildren[], by: string): VNode {
  return <>{parts.map((part, at) => <Fragment key={at}>{at > 0 && by}{part}</Fragment>)}</>;
}
export const Text = ({ of, as: As = "span" }: { of: string | undefined; as?: "span" | "p" }): VNode | null =>
  of ? <As dangerouslySetInnerHTML={{ __html: inline(of) }} /> : null;
export const Value = ({ of }: { of: unknown }): VNode => <code>{JSON.stringify(of)}</code>;

export const Required = (): VNode => <> <span class="badge warn">required</span></>;

/** A table that scrolls by itself. */
export function Table(props: { label: string; head: string[]; children: ComponentChildren }): VNode {
  const { label, head, children } = props;
  return (
    <div class="scroll" role="region" tabIndex={0} aria-label={label}>
      <table class="fields">
        <thead><tr>{head.map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Example({ label, of }: { label: string; of: unknown }): VNode {
  const isText = typeof of === "string" && of.includes("\n");
  const code = isText ? of : JSON.stringify(of, null, 2);
  return (
    <pre class="scroll" role="region" tabIndex={0} aria-label={label}>
      <code dangerouslySetInnerHTML={{ __html: highlight(code, "json") }} />
    </pre>
  );
}

/** What a value is, in a few words. */
export function Type({ of }: { of: Schema }): VNode {
  if (of.$ref) return <a href={`#schema-${nameOf(of.$ref)}`}>{nameOf(of.$ref)}</a>;
  const alternatives = of.oneOf ?? of.anyOf;
  if (alternatives && !of.type) return between(alternatives.map((one) => one.title ?? <Type of={one} />), ", ");
  if ("const" in of) return <Value of={of.const} />;
  if (of.enum) return between(of.enum.map((word) => <Value of={word} />), ", ");
  const orNull = Array.isArray(of.type) && of.type.includes("null") ? " or null" : "";
  if (of.items) return <>array of <Type of={of.items} />{orNull}</>;
  return <>{Array.isArray(of.type) ? of.type.join(" or ") : of.type}</>;
}

const RULES: [string, (value: unknown) => string][] = [
  ["format", (value) => `format \`${value}\``],
  ["minimum", (value) => `at least ${value}`],
  ["maximum", (value) => `at most ${value}`],
  ["minLength", (value) => `at least ${value} character${value === 1 ? "" : "s"}`],
  ["maxLength", (value) => `at most ${value} characters`],
  ["x-maxBytes", (value) => `at most ${value} bytes`],
  ["minItems", (value) => `at least ${value} item${value === 1 ? "" : "s"}`],
  ["maxItems", (value) => `at most ${value} items`],
  ["pattern", (value) => (String(value).length > 100 ? "a pattern, see openapi.json" : `matches \`${value}\``)],
  ["not", (value) => `does not match \`${(value as Schema).pattern}\``],
  ["default", (value) => `default \`${JSON.stringify(value)}\``],
];

/** What a value must keep to. */
export function Rules({ of }: { of: Schema }): VNode | null {
  const rules = [
    ...RULES.flatMap(([name, say]) => (name in of ? [say(of[name])] : [])),
    ...(of.deprecated ? ["deprecated"] : []),
  ].join(", ");
  if (rules === "") return null;
  return <span class="rules"><Text of={`${rules.charAt(0).toUpperCase()}${rules.slice(1)}.`} /></span>;
}

export function Fields({ of, label }: { of: Schema; label: string }): VNode {
  return (
    <Table label={label} head={["field", "type", "meaning and rules"]}>
      {Object.entries(of.properties ?? {}).map(([name, field]) => (
        <tr key={name}>
          <th scope="row"><code>{name}</code>{of.required?.includes(name) && <Required />}</th>
          <td class="type"><Type of={field} /></td>
          <td><Text of={find(field).description} /> <Rules of={field} /></td>
        </tr>
      ))}
    </Table>
  );
}

/** All of a schema: what it means, its rules, its fields or its alternatives, an example. */
export function Whole({ of, label }: { of: Schema; label: string }): VNode {
  const titled = of.oneOf?.filter(({ title }) => title) ?? [];
  return (
    <>
      <Text as="p" of={of.description} />
      {of.properties ? <Fields of={of} label={`${label}, fields`} /> : (
        <p>{(of.oneOf ?? of.anyOf ?? of.enum) ? "One of: " : "Type: "}<Type of={of} />. <Rules of={of} /></p>
      )}
      {titled.map((one) => (
        <Fragment key={one.title}>
          <p><strong>{one.title}</strong></p>
          <Fields of={one} label={`${label}, ${one.title}`} />
        </Fragment>
      ))}
      {of.examples?.map((example, at) => <Example key={at} label={`${label}, example`} of={example} />)}
    </>
  );
}

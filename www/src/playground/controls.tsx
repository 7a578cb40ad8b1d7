// The controls of forms: each with its label, a hint, and what the engine refused of it.
import type { Violation } from "connectory";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface FieldsOf<T> {
  draft: T;
  change: (change: Partial<T>) => void;
  violations: Violation[];
}

/** What was refused of a field: the engine's sentences that begin with its name, without it. */
export function refusalsOf(violations: Violation[], field: string): string[] {
  return violations.flatMap(({ message }) => {
    const [, name, rest] = /^([\w.[\]-]+): ([^]*)$/.exec(message) ?? [];
    return name !== undefined && (name === field || name.startsWith(`${field}.`) || name.startsWith(`${field}[`))
      ? [name === field ? (rest ?? "") : message]
      : [];
  });
}

interface Control {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby"?: string;
}

/** A label, a control, a hint, and what was refused. */
export function Field({
  label,
  hint,
  refused,
  children,
}: {
  label: string;
  hint?: string;
  refused: string[];
  children: (control: Control) => ComponentChildren;
}) {
  const id = useId();
  const hints = [hint && `${id}-hint`, refused.length > 0 && `${id}-refused`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-invalid": refused.length > 0, ...(hints && { "aria-describedby": hints }) })}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <div id={`${id}-refused`}>
        {refused.map((message) => (
          <p class="refusal">{message}</p>
        ))}
      </div>
    </div>
  );
}

type Texts<T> = { [K in keyof T]: T[K] extends string ? K : never }[keyof T] & string;

/** A field of one line of text. */
export function TextField<T>({
  draft,
  change,
  violations,
  name,
  label = name,
  of = name,
  hint,
  ...attributes
}: FieldsOf<T> & {
  name: Texts<T>;
  label?: string;
  /** Its name in refusals. */
  of?: string;
  hint?: string;
  placeholder?: string;
  inputMode?: "url" | "numeric";
}) {
  return (
    <Field label={label} {...(hint && { hint })} refused={refusalsOf(violations, of)}>
      {(control) => (
        <input
          {...control}
          {...attributes}
          name={name}
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={String(draft[name])}
          onInput={({ currentTarget }) => change({ [name]: currentTarget.value } as Partial<T>)}
        />
      )}
    </Field>
  );
}

/** A field that is one of a few. */
export function Choice<V extends string>({
  label,
  hint,
  refused = [],
  value,
  options,
  onChange,
}: {
  label: string;
  hint?: string;
  refused?: string[];
  value: V;
  options: readonly (readonly [V, string])[];
  onChange: (value: V) => void;
}) {
  return (
    <Field label={label} {...(hint && { hint })} refused={refused}>
      {(control) => (
        <select {...control} value={value} onChange={({ currentTarget }) => onChange(currentTarget.value as V)}>
          {options.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** A switch. */
export function Check({
  label,
  checked,
  onChange,
  hint,
}: {
  label: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
  hint?: string;
}) {
  const id = useId();
  return (
    <div class="field">
      <label class="check" for={id}>
        <input
          id={id}
          type="checkbox"
          checked={checked}
          {...(hint && { "aria-describedby": `${id}-hint` })}
          onChange={({ currentTarget }) => onChange(currentTarget.checked)}
        />
        <span>{label}</span>
      </label>
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

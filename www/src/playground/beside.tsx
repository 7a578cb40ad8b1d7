// Beside the table: profiles with their counts, and proxies.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { profiles, proxies } from "./counted.ts";
import { Field } from "./controls.tsx";
import * as listing from "./listing.ts";
import { type Answer, detailsOf, registry, type Request } from "./registry.ts";

const refused = { profiles: signal(""), proxies: signal("") };

/** Asks, and says beside the list what was refused. */
async function ask(list: keyof typeof refused, request: Request): Promise<Answer> {
  const answer = await registry.ask(request);
  const { message = "" } = (answer.body ?? {}) as { message?: string };
  const details = detailsOf(answer).map(({ message }) => message);
  refused[list].value = answer.status < 300 ? "" : details.join("; ") || message;
  registry.changed();
  return answer;
}

interface ListOf {
  list: keyof typeof refused;
  title: string;
  /** What is said where there is nothing. */
  none: string;
  items: { key: string; label: ComponentChildren; connections: number; act: ComponentChildren }[];
  /** Between title and list. */
  children?: ComponentChildren;
}

/** A list that scrolls in itself, with how many there are in all. */
function List({ list, title, none, items, children }: ListOf) {
  const total = registry.stats.value?.[list];
  const shown = items.length;
  return (
    <section class="card stack" aria-labelledby={`${list}-title`}>
      <div class="row spread">
        <h2 id={`${list}-title`}>{title}</h2>
        <span class="muted">
          {total !== undefined && total > shown && `the first ${shown} of `}
          {total?.toLocaleString("en")}
        </span>
      </div>
      {children}
      <p class="refusal" role="alert">
        {refused[list].value}
      </p>
      <div class="scroll list" tabIndex={0} role="region" aria-label={`The ${list}`}>
        <ul class="plain">
          {items.map(({ key, label, connections, act }) => (
            <li key={key} class="row spread">
              {label}
              <span class="row">
                <span class="muted number" title="connections">
                  {connections}
                </span>
                {act}
              </span>
            </li>
          ))}
        </ul>
        {shown === 0 && <p class="muted">{none}</p>}
      </div>
    </section>
  );
}

function Act({ label, text, onClick }: { label: string; text: string; onClick: () => void }) {
  return (
    <button type="button" class="quiet small" aria-label={label} onClick={onClick}>
      {text}
    </button>
  );
}

export function Profiles() {
  const show = (name: string) => listing.show({ ...listing.NO_FILTERS, profile_name: name });
  const remove = (name: string) => ask("profiles", { method: "DELETE", path: `/profiles/${encodeURIComponent(name)}` });
  const items = profiles.value.map(({ name, connections }) => ({
    key: name,
    label: (
      <button
        type="button"
        class="quiet small long"
        onClick={() => show(name)}
        aria-label={`Show the connections of ${name}`}
      >
        {name}
      </button>
    ),
    connections,
    act: <Act label={`Delete the profile ${name}`} text="Delete" onClick={() => void remove(name)} />,
  }));
  return <List list="profiles" title="Profiles" none="A profile comes with its first connection." items={items} />;
}

const id = signal("");
const name = signal("");

async function register(event: Event): Promise<void> {
  event.preventDefault();
  const body = name.peek() === "" ? {} : { name: name.peek() };
  const { status } = await ask("proxies", { method: "PUT", path: `/proxies/${encodeURIComponent(id.peek())}`, body });
  if (status < 300) id.value = name.value = "";
}

export function Proxies() {
  const remove = (id: string) => ask("proxies", { method: "DELETE", path: `/proxies/${encodeURIComponent(id)}` });
  const items = proxies.value.map(({ id, name, connections }) => ({
    key: id,
    label: (
      <span class="long">
        {id} <span class="muted">{name}</span>
      </span>
    ),
    connections,
    act: <Act label={`Remove the proxy ${id}`} text="Remove" onClick={() => void remove(id)} />,
  }));
  return (
    <List list="proxies" title="Proxies" none="None is registered." items={items}>
      <form class="register" onSubmit={register} noValidate>
        {(
          [
            ["id", id],
            ["name (optional)", name],
          ] as const
        ).map(([label, text]) => (
          <Field key={label} label={label} refused={[]}>
            {(control) => (
              <input
                {...control}
                autocomplete="off"
                spellcheck={false}
                value={text.value}
                onInput={({ currentTarget }) => (text.value = currentTarget.value)}
              />
            )}
          </Field>
        ))}
        <button type="submit" disabled={id.value === ""}>
          Register
        </button>
      </form>
    </List>
  );
}

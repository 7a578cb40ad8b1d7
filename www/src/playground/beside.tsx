// Beside the table: profiles with their counts, and proxies.
import { signal } from "@preact/signals";
import { Field } from "./fields.tsx";
import * as listing from "./listing.ts";
import { type Answer, registry, type Request } from "./registry.ts";
import { profiles, proxies } from "./counted.ts";

const said = { profiles: signal(""), proxies: signal("") };

/** Asks, and says beside the list what was refused. */
async function ask(list: keyof typeof said, request: Request): Promise<Answer> {
  const answer = await registry.ask(request);
  const body = answer.body as { message?: string; details?: { message: string }[] } | undefined;
  said[list].value =
    answer.status < 300 ? "" : (body?.details?.map(({ message }) => message).join("; ") ?? body?.message ?? "");
  registry.changed();
  return answer;
}

export function Profiles() {
  const total = registry.stats.value?.profiles;
  return (
    <section class="card" aria-labelledby="profiles-title">
      <div class="row spread">
        <h2 id="profiles-title">Profiles</h2>
        <span class="muted">{total === undefined ? "" : counted(total, profiles.value.length)}</span>
      </div>
      <p class="refusal" role="alert">
        {said.profiles.value}
      </p>
      <div class="scroll list" tabIndex={0} role="region" aria-label="The profiles">
        <ul class="plain">
          {profiles.value.map(({ name, connections }) => (
            <li key={name} class="row spread">
              <button
                type="button"
                class="quiet small long"
                onClick={() => listing.show({ ...listing.NO_FILTERS, profile_name: name })}
                aria-label={`Show the connections of ${name}`}
              >
                {name}
              </button>
              <span class="row">
                <span class="muted number" title="connections">
                  {connections}
                </span>
                <button
                  type="button"
                  class="quiet small"
                  aria-label={`Delete the profile ${name}`}
                  onClick={() =>
                    void ask("profiles", { method: "DELETE", path: `/profiles/${encodeURIComponent(name)}` })
                  }
                >
                  Delete
                </button>
              </span>
            </li>
          ))}
        </ul>
        {profiles.value.length === 0 && <p class="muted">A profile comes with its first connection.</p>}
      </div>
    </section>
  );
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
  const total = registry.stats.value?.proxies;
  return (
    <section class="card stack" aria-labelledby="proxies-title">
      <div class="row spread">
        <h2 id="proxies-title">Proxies</h2>
        <span class="muted">{total === undefined ? "" : counted(total, proxies.value.length)}</span>
      </div>
      <form class="register" onSubmit={register} noValidate>
        {(
          [
            ["id", id],
            ["name (optional)", name],
          ] as const
        ).map(([label, text]) => (
          <Field label={label} refused={[]}>
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
      <p class="refusal" role="alert">
        {said.proxies.value}
      </p>
      <div class="scroll list short" tabIndex={0} role="region" aria-label="The proxies">
        <ul class="plain">
          {proxies.value.map(({ id, name, connections }) => (
            <li key={id} class="row spread">
              <span class="long">
                {id}
                {name !== undefined && <span class="muted"> {name}</span>}
              </span>
              <span class="row">
                <span class="muted number" title="connections">
                  {connections}
                </span>
                <button
                  type="button"
                  class="quiet small"
                  aria-label={`Remove the proxy ${id}`}
                  onClick={() => void ask("proxies", { method: "DELETE", path: `/proxies/${encodeURIComponent(id)}` })}
                >
                  Remove
                </button>
              </span>
            </li>
          ))}
        </ul>
        {proxies.value.length === 0 && <p class="muted">None is registered.</p>}
      </div>
    </section>
  );
}

function counted(total: number, shown: number): string {
  return total > shown ? `the first ${shown} of ${total.toLocaleString("en")}` : total.toLocaleString("en");
}

// The connections as a table: filters, order, pages; edit and delete in each row.
import type { Connection } from "connectory";
import { useEffect, useRef } from "preact/hooks";
import { Countdown } from "./waiting.tsx";
import { deleteSoon, waiting } from "./deletions.ts";
import { edit } from "./edit.tsx";
import { Choice, Field } from "./controls.tsx";
import * as listing from "./listing.ts";
import { registry } from "./registry.ts";

const COLUMNS = [
  { name: "domain", label: "Domain", order: "domain" },
  { name: "profile_name", label: "Profile", order: "profile_name" },
  { name: "status", label: "Status", order: "status", isOptional: true },
  { name: "health_check_interval", label: "Checked every", isOptional: true },
] as const;

export function Connections() {
  const { value: stats } = registry.stats;
  return (
    <section class="connections card" aria-labelledby="connections-title">
      <div class="row spread">
        <h2 id="connections-title">Connections</h2>
        <span class="row">
          {listing.isFiltered.value && (
            <button type="button" class="small" onClick={() => listing.show(listing.NO_FILTERS)}>
              Show all
            </button>
          )}
          <span class="muted" role="status">
            {stats ? `${stats.connections.toLocaleString("en")} in all` : "\u00a0"}
          </span>
        </span>
      </div>
      <Filters />
      <p class="refusal" role="alert">
        {listing.refusal.value}
      </p>
      <div class="scroll rows" tabIndex={0} role="region" aria-label="The table of connections">
        <table>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <Heading {...column} />
              ))}
              <th class="acts">
                <span class="visually-hidden">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {listing.rows.value.map((connection) => (
              <Row key={connection.id} connection={connection} />
            ))}
          </tbody>
        </table>
        {listing.rows.value.length === 0 && <Empty />}
      </div>
      <Pager />
    </section>
  );
}

const ORDERS = [
  ["newest", "newest first"],
  ["oldest", "oldest first"],
  ["domain", "by domain"],
  ["profile_name", "by profile"],
  ["status", "by status"],
] as const;

function Filters() {
  const { value: filters } = listing.filters;
  return (
    <div class="filters" role="search" aria-label="Filter the connections">
      {(
        [
          ["query", "ID, or start of domain or profile"],
          ["domain", "domain, exactly"],
          ["profile_name", "profile, exactly"],
        ] as const
      ).map(([name, hint]) => (
        <Field label={hint} refused={[]}>
          {(control) => (
            <input
              {...control}
              type="search"
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              value={filters[name]}
              onInput={({ currentTarget }) => listing.show({ [name]: currentTarget.value })}
            />
          )}
        </Field>
      ))}
      <Choice label="order" value={listing.order.value} options={ORDERS} onChange={listing.sortBy} />
    </div>
  );
}

/** Optional columns are for those who have the width. */
function Heading({ label, order, isOptional }: { label: string; order?: listing.Order; isOptional?: boolean }) {
  const isSorted = order !== undefined && listing.order.value === order;
  return (
    <th scope="col" class={isOptional ? "optional" : ""} {...(isSorted && { "aria-sort": "ascending" as const })}>
      {order ? (
        <button type="button" class="quiet small heading" onClick={() => listing.sortBy(isSorted ? "newest" : order)}>
          {label}
          <span aria-hidden="true">{isSorted ? " \u25b2" : ""}</span>
        </button>
      ) : (
        label
      )}
    </th>
  );
}

function Row({ connection }: { connection: Connection }) {
  const { id, domain, profile_name, status, health_check_interval } = connection;
  const isMarked = listing.marked.value === id;
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isMarked) row.current?.focus();
  }, [isMarked]);
  const deletion = waiting.value.get(id);
  const pair = `${domain} of ${profile_name}`;
  return (
    <tr ref={row} id={id} tabIndex={-1} class={`${isMarked ? "marked" : ""} ${deletion ? "leaving" : ""}`}>
      <td>
        <span class="long">{domain}</span>
      </td>
      <td>
        <span class="long">{profile_name}</span>
      </td>
      <td class="optional">
        <span class={`badge ${status === "AUTHENTICATED" ? "good" : ""}`}>{status}</span>
      </td>
      <td class="optional">{health_check_interval} s</td>
      <td class="acts">
        {deletion ? (
          <Countdown due={deletion.due} />
        ) : (
          <span class="row">
            <button type="button" class="quiet small" onClick={() => void edit(id)} aria-label={`Edit ${pair}`}>
              Edit
            </button>
            <button
              type="button"
              class="quiet small danger"
              onClick={() => deleteSoon(connection)}
              aria-label={`Delete ${pair}`}
            >
              Delete
            </button>
          </span>
        )}
      </td>
    </tr>
  );
}

function Empty() {
  const text = listing.isFresh.value
    ? "Reading\u2026"
    : listing.isFiltered.value
      ? "Nothing matches."
      : "Nothing here yet. Create a connection above, or import a file.";
  return <p class="empty muted">{text}</p>;
}

function Pager() {
  const { page, hasMore, size, matching, isFiltered, order } = listing;
  const isCut = order.value !== "newest" && matching.value === listing.SORTED_MAX;
  return (
    <div class="row spread pager">
      <div class="row">
        <button type="button" class="small" disabled={page.value === 0} onClick={() => (page.value -= 1)}>
          Previous
        </button>
        <span role="status">Page {page.value + 1}</span>
        <button type="button" class="small" disabled={!hasMore.value} onClick={() => (page.value += 1)}>
          Next
        </button>
      </div>
      <span class="muted small-text">
        {isCut
          ? `the newest ${listing.SORTED_MAX.toLocaleString("en")}, sorted`
          : isFiltered.value && matching.value !== undefined
            ? `${matching.value.toLocaleString("en")} match`
            : ""}
      </span>
      <label class="row small-text">
        rows
        <select
          class="rows-a-page"
          value={size.value}
          onChange={({ currentTarget }) => listing.resize(Number(currentTarget.value))}
        >
          {[20, 50, 100].map((rows) => (
            <option value={rows}>{rows}</option>
          ))}
        </select>
      </label>
    </div>
  );
}

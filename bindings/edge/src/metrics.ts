// What the objects of a project count, in the text format of OpenMetrics. Counts begin anew whenever an object starts; what the
// store holds does not.
import type { Metrics } from "./shard.js";

const FAMILIES: Record<keyof Metrics, ["gauge" | "counter", string, string]> = {
  connections: ["gauge", "connections", "Connections"],
  profiles: ["gauge", "profiles", "Profiles"],
  proxies: ["gauge", "proxies", "Proxies"],
  changes: ["gauge", "changes", "Changes so far"],
  databaseBytes: ["gauge", "database_bytes", "Bytes of the object's database"],
  creates: ["counter", "creates", "Connections created"],
  conflicts: ["counter", "conflicts", "Creates answered with a conflict"],
  writes: ["counter", "writes", "Writes that went into a commit"],
  batches: ["counter", "batches", "Commits, a row of the log each"],
  checkpoints: ["counter", "checkpoints", "Checkpoints"],
  rowsWritten: ["counter", "rows_written", "Rows written, as they are billed"],
  rowsRead: ["counter", "rows_read", "Rows read, as they are billed"],
  bytesWritten: ["counter", "bytes_written", "Bytes of the rows written"],
};

/** One moment of every shard. */
export function rendered(shards: Metrics[]): string {
  const lines: string[] = [];
  for (const [member, [type, name, help]] of Object.entries(FAMILIES)) {
    lines.push(`# HELP connectory_${name} ${help}.`, `# TYPE connectory_${name} ${type}`);
    for (const [shard, metrics] of shards.entries()) {
      const value = metrics[member as keyof Metrics];
      lines.push(`connectory_${name}${type === "counter" ? "_total" : ""}{shard="${shard}"} ${value}`);
    }
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

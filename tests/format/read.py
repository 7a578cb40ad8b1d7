# Prints the dump of a store, read by nothing but what core/FORMAT.md says.
#   read.py STORE                    a store, and its log beside it
#   read.py STORE --rows FOLDER N    its log is N rows of a database, each a file in the folder
#   read.py --database FILE          the database of an object of the Worker
#   read.py --records FILE           checks every value of core/fixtures/N/records.json
import json
import os
import sqlite3
import sys

import container
import log
import values
from container import hold

FORMAT = 1
CHUNK = 65_536
ROWS = 16_384


class Store:
    """Tables as bytes, and a function for the batches of their log."""

    def __init__(self, data, batches_of):
        tables = container.Container(data).tables()
        meta = tables["meta"]
        format = int.from_bytes(meta[b"format"], "big")
        hold(format == FORMAT, f"it has format {format}")
        self.tables = {name: tables[name] for name in values.TABLES.values()}
        self.state = values.state(values.Fields(meta[b"state"]).version())
        if b"loading" in meta:
            self.state = values.state(values.Fields(meta[b"loading"]).version())
            self.tables.update({name: {} for name in self.tables if name != "changes"})
        if b"log" in meta:
            mark = meta[b"log"]
            id, segment_bytes = (int.from_bytes(part, "big") for part in (mark[:8], mark[8:]))
            for revision, data in batches_of(id, segment_bytes, self.state["revision"]):
                self.replay(revision, data)

    def replay(self, revision, data):
        if revision <= self.state["revision"]:
            return
        after, rows, _ = values.batch(data)
        hold(revision == self.state["revision"] + 1 == after["revision"], "the log belongs to other tables")
        for table, key, value in rows:
            if value is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = value
        self.state = after

    def rows(self, table):
        return sorted(self.tables[table].items())

    def dump(self):
        yield {"format": "connectory-dump", "version": 1}
        for key, value in self.rows("proxies"):
            if key[0] == 1:
                name = values.proxy(value)["name"]
                yield {"proxy": present(id=key[1:].decode(), name=name)}
        for key, _ in self.rows("profiles"):
            if key[-1] == 0 and key.index(0) == len(key) - 1:
                yield {"profile": {"name": key[:-1].decode()}}
        for key, value in self.rows("connections"):
            yield {"connection": connection(key, values.record(value))}

    def check(self):
        """Holds the store to what a reader may count on."""
        records = {key: values.record(value) for key, value in self.rows("connections")}
        pairs, ordered, profiles, spilled = {}, set(), 0, {}
        for key, value in self.rows("profiles"):
            end = key.index(0)
            name, rest = key[:end].decode(), key[end + 1 :]
            if rest == b"":
                profiles += 1
                row = values.profile_row(value)
                spilled[name] = row if isinstance(row, int) else None
                for id, domain in row if spilled[name] is None else []:
                    pairs[name, domain] = id
                    ordered.add((name, id))
            elif rest[0] == 1:
                pairs[name, rest[1:].decode()] = value
            else:
                hold(rest[0] == 2, "a row of a profile")
                ordered.add((name, rest[1:]))
        for name, count in spilled.items():
            hold(count in (None, sum(of == name for of, _ in pairs)), f"the number of connections of {name}")
        hold(pairs == {(record["profile_name"], record["domain"]): id for id, record in records.items()}, "the pairs")
        hold(ordered == {(record["profile_name"], id) for id, record in records.items()}, "the orders of profiles")
        domains = self.tables["domains"].items()
        numbers = {key[1:].decode(): value for key, value in domains if key[0] == 1}
        entries = {(key[1:5], key[5:]) for key, _ in domains if key[0] == 2}
        hold(entries == {(numbers[record["domain"]], id) for id, record in records.items()}, "the entries of domains")
        hold(all(0 < int.from_bytes(n, "big") <= self.state["last_domain"] for n in numbers.values()), "a domain's number")
        hold(len(set(numbers.values())) == len(numbers) == len({number for number, _ in entries}), "the domains")
        proxies = {key[1:].decode(): values.proxy(value) for key, value in self.rows("proxies") if key[0] == 1}
        for id, proxy in proxies.items():
            uses = sum(record["proxy_id"] == id for record in records.values())
            hold(proxy["connections"] == uses, f"the number of connections of {id}")
        names = {key[1:] for key, _ in self.rows("proxies") if key[0] == 2}
        named = {f"{proxy['name']}\0{id}".encode() for id, proxy in proxies.items() if proxy["name"] is not None}
        hold(names == named, "the names of proxies")
        counts = {"connections": len(records), "profiles": profiles, "proxies": len(proxies)}
        hold({name: self.state[name] for name in counts} == counts, "the counts")
        last = self.state["last_ms"] << 64 | self.state["last_order"]
        for id, record in records.items():
            number = int.from_bytes(id, "big")
            hold(number & 0xFFFF == values.route(record["profile_name"]), "a route")
            hold(number >> 16 <= last, "an ID beyond the last")
        numbers = [int.from_bytes(key, "big") for key, _ in self.rows("changes")]
        hold(len(numbers) <= 10_000 and numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True, "the changes")
        for _, value in self.rows("changes"):
            hold(value[0] in values.KINDS and (value[0] == 3) == (len(value) == 17), "a change")
            if value[0] != 3:
                values.record(value[17:])


class Json(str):
    """Text that is JSON already."""


def present(**members):
    return {name: value for name, value in members.items() if value is not None}


def moment(ms):
    """RFC 3339; the standard library knows no year 0."""
    days, ms = divmod(ms, 86_400_000)
    # Days since the first of March of the year 0, in eras of 400 years.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day += 1 - (153 * month + 2) // 5
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    seconds, ms = divmod(ms, 1000)
    fraction = f".{ms:03}".rstrip("0") if ms else ""
    return f"{year:04}-{month:02}-{day:02}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}Z"


def connection(id, record):
    seen = record["observation"]
    if seen is not None:
        at, flow = seen["last_auth_check_at"], seen["flow"]
        seen = present(**{**seen, "last_auth_check_at": None if at is None else moment(at), "flow": flow and Json(flow)})
    return present(
        id=values.id_text(id),
        domain=record["domain"],
        profile_name=record["profile_name"],
        login_url=record["login_url"],
        proxy=record["proxy_id"] and {"id": record["proxy_id"]},
        credential=record["credential"],
        allowed_domains=record["allowed_domains"] or None,
        health_check_interval=record["health_check_interval"],
        **{name: record[name] for name in values.SWITCHES},
        observation=seen,
        idempotency=record["idempotency"],
    )


def to_json(value):
    if isinstance(value, Json):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(name)}:{to_json(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def log_beside(path):
    def batches(id, segment_bytes, _covered):
        hold(os.path.exists(path), "the log is missing")
        return log.of_file(bytes_of(path), id, segment_bytes)

    return batches


def log_in_rows(row, count):
    return lambda id, _segment_bytes, covered: log.of_rows(row, count, id, covered)


def files_in(folder):
    def row(number):
        path = os.path.join(folder, str(number))
        return bytes_of(path) if os.path.exists(path) else None

    return row


def of_database(path):
    database = sqlite3.connect(path)
    # What follows the last chunk of the file is zero, and nothing leads there.
    data = bytearray()
    for id, chunk in database.execute("SELECT id, bytes FROM chunks ORDER BY id"):
        data.extend(bytes(CHUNK * id - len(data)) + chunk)

    def row(number):
        found = database.execute("SELECT bytes FROM log WHERE id = ?", (number,)).fetchone()
        return found and found[0]

    return Store(bytes(data), log_in_rows(row, ROWS))


def main(arguments):
    match arguments:
        case ["--records", path]:
            import records

            records.check(path)
            return
        case [path]:
            store = Store(bytes_of(path), log_beside(path + "-log"))
        case [path, "--rows", folder, count]:
            store = Store(bytes_of(path), log_in_rows(files_in(folder), int(count)))
        case ["--database", path]:
            store = of_database(path)
        case _:
            sys.exit("read.py STORE [--rows FOLDER N]")
    store.check()
    out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)
    for line in store.dump():
        out.write(to_json(line) + "\n")
    out.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except container.Damaged as damage:
        sys.exit(f"damaged: {damage}")

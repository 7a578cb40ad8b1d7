# Checks the frozen values: each must be read as what it is said to stand for.
import json

import log
import values
from read import connection, to_json


def check(path):
    with open(path, encoding="utf-8") as file:
        fixtures = json.load(file)
    by_name = {(fixture["kind"], fixture["name"]): fixture for fixture in fixtures}
    for fixture in fixtures:
        key, data = (bytes.fromhex(fixture.get(part, "")) for part in ("key", "bytes"))
        found, expected = read(fixture["kind"], key, data, fixture["means"], by_name)
        assert found == expected, f"{fixture['kind']}: {fixture['name']}: {found} is not {expected}"
    print(f"{len(fixtures)} values are read as what they stand for")


def big(data):
    return int.from_bytes(data, "big")


def split(key):
    name, _, rest = key.partition(b"\0")
    return name.decode(), rest


def read(kind, key, data, means, by_name):
    """What the bytes are read as, and what they are said to be."""
    match kind:
        case "connection":
            return to_json({"connection": connection(key, values.record(data))}), means
        case "proxy":
            return {"id": key[1:].decode(), "name": None, **values.proxy(data)}, {"name": None, **means}
        case "proxy_name":
            name, _, id = key[1:].decode().partition("\0")
            return {"id": id, "name": name}, means
        case "profile":
            name, rest = split(key)
            row = values.profile_row(data)
            if isinstance(row, int):
                return {"profile_name": name, "spilled": row}, means
            return {"profile_name": name, "connections": [[values.id_text(id), domain] for id, domain in row]}, means
        case "profile_pair":
            name, rest = split(key)
            return {"profile_name": name, "domain": rest[1:].decode(), "id": values.id_text(data)}, means
        case "profile_order":
            name, rest = split(key)
            return {"profile_name": name, "id": values.id_text(rest[1:])}, means
        case "domain":
            return {"domain": key[1:].decode(), "number": big(data)}, means
        case "domain_order":
            return {"number": big(key[1:5]), "id": values.id_text(key[5:])}, means
        case "change":
            found = {"seq": big(key), "kind": values.KINDS[data[0]], "id": values.id_text(data[1:17])}
            record = by_name["connection", means["record"]]["bytes"] if "record" in means else ""
            return (found, data[17:].hex()), ({name: means[name] for name in found}, record)
        case "format":
            return {"format": big(data)}, means
        case "state":
            return values.state(values.Fields(data).version()), means
        case "log":
            return {"id": big(data[:8]), "segment_bytes": big(data[8:])}, means
        case "batch":
            after, rows, changes = values.batch(data)
            hexed = lambda value: None if value is None else value.hex()
            rows = [{"table": table, "key": key.hex(), "value": hexed(value)} for table, key, value in rows]
            changes = [{"kind": kind, "id": values.id_text(id), "record": hexed(record)} for kind, id, record in changes]
            return {"state": after, "rows": rows, "changes": changes}, means
        case "opening":
            frame = log.frame_at(data, 0)
            return {"log_id": frame.id, "salt": frame.salt, "revision": frame.revision, "salt_before": frame.before}, means
        case "frame":
            frame = log.frame_at(data, 0)
            batch = bytes.fromhex(by_name["batch", means["batch"]]["bytes"])
            return (frame.salt, frame.revision, frame.payload), (means["salt"], means["revision"], b"\1" + batch)
        case "salt":
            return log.next_salt(means["log_id"], means["salt_before"], means["place"]), means["salt"]
        case "row":
            [found] = log.of_rows({means["revision"]: data}.get, 4, means["log_id"], means["revision"] - 1)
            return found, (means["revision"], bytes.fromhex(by_name["batch", means["batch"]]["bytes"]))
        case "id":
            found = {"text": values.id_text(data), "unix_ms": big(data[:6]), "order": big(data[6:14]), "route": big(data[14:])}
            return found, {name: means[name] for name in found}
    raise AssertionError(f"no kind is called {kind}")

# The values of a store: IDs, states, records, rows of profiles, batches. Written from core/FORMAT.md.
from container import Damaged, hold

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
VERSION = 1
SWITCHES = ("health_checks", "auto_reauth", "save_credentials", "record_session")
TABLES = {1: "connections", 2: "profiles", 3: "domains", 4: "proxies", 5: "changes"}
STATE = ("last_ms", "last_order", "connections", "profiles", "proxies", "seq", "revision", "last_domain")
KINDS = {1: "created", 2: "updated", 3: "deleted"}


class Fields:
    """A value, read field by field."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def version(self):
        found = self.u8()
        hold(found == VERSION, f"a value has version {found}")
        return self

    def take(self, length):
        taken = self.data[self.at : self.at + length]
        hold(len(taken) == length, "a value is cut")
        self.at += length
        return taken

    def u8(self):
        return self.take(1)[0]

    def bool(self):
        byte = self.u8()
        hold(byte < 2, "neither true nor false")
        return byte == 1

    def number(self):
        first = self.u8()
        if first <= 250:
            return first
        hold(first <= 253, "a number too long")
        return int.from_bytes(self.take({251: 2, 252: 4, 253: 8}[first]), "little")

    def signed(self):
        number = self.number()
        return -(number + 1 >> 1) if number & 1 else number >> 1

    def bytes(self):
        return self.take(self.number())

    def text(self):
        return self.bytes().decode()

    def list(self, read):
        return [read() for _ in range(self.number())]

    def optional(self, read):
        return read() if self.bool() else None

    def rest(self):
        return self.data[self.at :]


def id_text(data):
    hold(len(data) == 16, "an ID of another length")
    number = int.from_bytes(data, "big")
    return "ma_" + "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))


def route(name):
    hash = 0xCBF29CE484222325
    for byte in name.encode():
        hash = (hash ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return (hash >> 48 ^ hash >> 32 ^ hash >> 16 ^ hash) & 0xFFFF


def state(fields):
    return {name: fields.number() for name in STATE}


def credential(fields):
    which = fields.number()
    if which == 0:
        return {"name": fields.text()}
    if which == 1:
        return {"provider": fields.text(), "path": fields.text()}
    hold(which == 2, "a credential of no form")
    return {"provider": fields.text(), "auto": True}


def observation(fields):
    return {
        "status": "AUTHENTICATED" if fields.bool() else "NEEDS_AUTH",
        "can_reauth": fields.bool(),
        "can_reauth_reason": fields.text(),
        "last_auth_check_at": fields.optional(fields.signed),
        "post_login_url": fields.optional(fields.text),
        "flow": fields.optional(fields.text),
    }


def record(data):
    fields = Fields(data).version()
    found = {"profile_name": fields.text(), "domain": fields.text()}
    switches = fields.u8()
    found.update({name: bool(switches >> bit & 1) for bit, name in enumerate(SWITCHES)})
    found["health_check_interval"] = fields.number()
    found["login_url"] = fields.optional(fields.text)
    found["proxy_id"] = fields.optional(fields.text)
    found["credential"] = fields.optional(lambda: credential(fields))
    found["allowed_domains"] = fields.list(fields.text)
    found["observation"] = fields.optional(lambda: observation(fields))
    found["idempotency"] = fields.optional(lambda: {"key": fields.text(), "fingerprint": fields.take(16).hex()})
    return found


def proxy(data):
    fields = Fields(data).version()
    return {"connections": fields.number(), "name": fields.optional(fields.text)}


def profile_row(data):
    """The connections that stand in it, or how many have rows of their own."""
    fields = Fields(data)
    count = fields.u8()
    if count == 255:
        return int.from_bytes(fields.take(8), "big")
    hold(count <= 16, "a row of a profile")
    return [(fields.take(16), fields.take(fields.u8()).decode()) for _ in range(count)]


def batch(data):
    """Its state, its rows as table, key and value, its changes as kind, ID and record."""
    fields = Fields(data).version()
    after = state(fields)
    rows = fields.list(lambda: (TABLES[fields.u8()], fields.bytes(), fields.optional(fields.bytes)))
    changes = fields.list(lambda: (KINDS[fields.u8()], fields.take(16), fields.optional(fields.bytes)))
    hold(fields.rest() == b"", "something follows a batch")
    return after, rows, changes

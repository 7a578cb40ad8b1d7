# The tables of a store: pages, trees, and which commit counts. Written from core/FORMAT.md.
import struct

import xxhash

MAGIC = b"redb\x1a\x0a\xa9\x0d\x0a"
PAGE = 4096
TWO_PHASE = 4


class Damaged(Exception):
    """The bytes are not what they should be."""


def hold(holds, what):
    if not holds:
        raise Damaged(what)


def checksum(data):
    return xxhash.xxh3_128_intdigest(data)


def u16(data, at):
    return struct.unpack_from("<H", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def u128(data, at):
    return int.from_bytes(data[at : at + 16], "little")


class Root:
    def __init__(self, data, at):
        self.page, self.checksum, self.length = u64(data, at), u128(data, at + 8), u64(data, at + 24)


class Slot:
    def __init__(self, data, at):
        hold(data[at] == 3, f"the container has version {data[at]}")
        self.tables = Root(data, at + 8) if data[at + 1] else None
        self.system = Root(data, at + 40) if data[at + 2] else None
        self.number = u64(data, at + 104)
        self.is_right = u128(data, at + 112) == checksum(data[at : at + 112])


class Definition:
    """A table, as the tree of tables has it."""

    def __init__(self, value):
        hold(value[0] == 3, f"a table of kind {value[0]}")
        self.length = u64(value, 1)
        self.root = Root(value, 10) if value[9] else None
        self.key_width = u32(value, 43) if value[42] else None
        self.value_width = u32(value, 48) if value[47] else None
        hold((u32(value, 52), u32(value, 56)) == (1, 1), "alignment")
        end = 64 + u32(value, 60)
        self.types = (value[64:end], value[end:])


class Container:
    def __init__(self, data):
        hold(data[:9] == MAGIC, "it is no store")
        hold(u32(data, 12) == PAGE, "pages of another length")
        self.data = data
        self.header_pages, self.region_pages = u32(data, 16), u32(data, 20)
        self.slot = self.choose(data)

    def choose(self, data):
        slots = [Slot(data, 64), Slot(data, 192)]
        if data[9] & 1:
            slots.reverse()
        if data[9] & TWO_PHASE:
            hold(slots[0].is_right, "the primary commit slot")
            return slots[0]
        slots = sorted((slot for slot in slots if slot.is_right), key=lambda slot: -slot.number)
        for slot in slots:
            try:
                self.verify(slot)
                return slot
            except Damaged:
                continue
        raise Damaged("no commit is whole")

    def verify(self, slot):
        for root in (slot.tables, slot.system):
            for _, value in self.rows(root):
                table = Definition(value)
                for _ in self.rows(table.root, table.key_width, table.value_width):
                    pass

    def page(self, number):
        order = number >> 59
        index = number & (0xFFFFF >> order)
        region = number >> 20 & 0xFFFFF
        length = PAGE << order
        at = PAGE * (1 + region * (self.header_pages + self.region_pages) + self.header_pages) + index * length
        page = self.data[at : at + length]
        hold(len(page) == length, "a page is not there")
        return page

    def rows(self, root, key_width=None, value_width=None):
        """Every key and value of a tree, in order; each page is held to its checksum."""
        if root is not None:
            yield from self.walk(root.page, root.checksum, key_width, value_width, 0)

    def walk(self, number, expected, key_width, value_width, depth):
        hold(depth < 64, "a tree without end")
        page = self.page(number)
        count = u16(page, 2)
        try:
            if page[0] == 1:
                keys, at = spans(page, 4, count, key_width)
                values, at = spans(page, at, count, value_width)
                # The ends stand before all keys and values.
                ends = cut(page, at, keys, count, key_width)
                values = cut(page, ends[-1][1], values, count, value_width)
                hold(checksum(page[: values[-1][1]]) == expected, "a checksum")
                for (start, end), (first, last) in zip(ends, values):
                    yield page[start:end], page[first:last]
                return
            hold(page[0] == 2, "a page of no kind")
            children = 8 + 24 * (count + 1)
            keys, at = spans(page, children, count, key_width)
            end = cut(page, at, keys, count, key_width)[-1][1]
        except (struct.error, IndexError):
            raise Damaged("a page is malformed")
        hold(checksum(page[:end]) == expected, "a checksum")
        for child in range(count + 1):
            number = u64(page, 8 + 16 * (count + 1) + 8 * child)
            yield from self.walk(number, u128(page, 8 + 16 * child), key_width, value_width, depth + 1)

    def tables(self):
        """Every table of ours, by name, as a dictionary of its rows."""
        found = {}
        for name, value in self.rows(self.slot.tables):
            table = Definition(value)
            rows = dict(self.rows(table.root, table.key_width, table.value_width))
            hold(len(rows) == table.length, f"the number of rows of {name}")
            found[name.decode()] = rows
        return found


def spans(page, at, count, width):
    """Where things end, if they are not of one width, and what comes behind."""
    if width is not None:
        return None, at
    return [u32(page, at + 4 * n) for n in range(count)], at + 4 * count


def cut(page, at, ends, count, width):
    """Where each begins and ends, the first of them at `at`."""
    if ends is None:
        ends = [at + width * (n + 1) for n in range(count)]
    pairs = list(zip([at] + ends, ends))
    hold(all(start <= end <= len(page) for start, end in pairs), "a page is malformed")
    return pairs

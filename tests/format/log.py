# The log of a store, in a file or in rows: the batches that count. Written from core/FORMAT.md.
import xxhash

from container import hold, u32, u64

HEADER = 28
OPENING = HEADER + 17


class Frame:
    def __init__(self, data, at):
        self.length = HEADER + u32(data, at + 8)
        self.salt, self.revision = u64(data, at + 12), u64(data, at + 20)
        self.payload = data[at + HEADER : at + self.length]
        self.opens = self.payload[:1] == b"\0" and len(self.payload) == 17
        if self.opens:
            self.id, self.before = u64(self.payload, 1), u64(self.payload, 9)


def frame_at(data, at):
    """The frame there, if it is whole."""
    if at < 0 or at + HEADER > len(data):
        return None
    end = at + HEADER + u32(data, at + 8)
    if end > len(data) or end == at + HEADER or xxhash.xxh3_64_intdigest(data[at + 8 : end]) != u64(data, at):
        return None
    return Frame(data, at)


def next_salt(id, salt, place):
    return xxhash.xxh3_64_intdigest(b"".join(number.to_bytes(8, "little") for number in (id, salt, place)))


class Segment:
    def __init__(self, data, start, id):
        self.data, self.start = data, start
        self.salt, self.batches, self.end = None, [], 0
        while (frame := frame_at(data, self.end)) and self.counts(frame, id):
            if frame.opens:
                self.salt = frame.salt
            else:
                self.batches.append((frame.revision, frame.payload[1:]))
            self.end += frame.length

    def counts(self, frame, id):
        if frame.opens:
            return frame.id == id and self.salt in (None, frame.before)
        return frame.payload[0] == 1 and frame.salt == self.salt and frame.revision > self.last

    @property
    def last(self):
        return self.batches[-1][0] if self.batches else 0

    def is_broken(self, id, newest_salt, newest):
        """Whether a frame stands behind the end that would come after the newest batch."""
        salts = {next_salt(id, newest_salt, self.start)}
        if self.salt is not None:
            salts |= {self.salt, next_salt(id, self.salt, self.start + self.end)}
        for wanted in salts:
            needle, at = wanted.to_bytes(8, "little"), self.end
            while (at := self.data.find(needle, at)) >= 0:
                for distance in (12, HEADER + 9):
                    place = at - distance
                    frame = frame_at(self.data, place) if place >= self.end else None
                    if frame and frame.revision + frame.opens > newest:
                        return True
                at += 1
        return False


def of_file(data, id, segment_bytes):
    """The batches of both segments, with their revisions, in order."""
    starts = (0, segment_bytes)
    segments = [Segment(data[start : start + segment_bytes], start, id) for start in starts]
    hold(any(segment.salt is not None for segment in segments), "the log is missing, or another store's")
    newest = max(segment.last for segment in segments)
    segments.sort(key=lambda segment: (segment.last, segment.salt is not None))
    newest_salt = segments[-1].salt
    batches = []
    for segment in segments:
        hold(not segment.is_broken(id, newest_salt, newest), "the log is broken before its end")
        batches += segment.batches
    return batches


def of_rows(read, count, id, covered):
    """The batches after the one that the tables cover; `read` gives the row of a number, or nothing."""
    batches, revision = [], covered + 1
    while (row := read(revision % count)) is not None:
        hold(len(row) >= 24 and xxhash.xxh3_64_intdigest(row[8:]) == u64(row, 0), "a row of the log")
        if u64(row, 8) != id or u64(row, 16) < revision:
            break
        hold(u64(row, 16) == revision, "a row of the log")
        batches.append((revision, row[24:]))
        revision += 1
    return batches

#!/usr/bin/env python3
"""Reads archives of spillpipe, written from docs/format.md alone: the standard library, and zstd for zstd frames.

reader.py FILE...               the data of the files, which are one archive, to stdout
reader.py --range A..B FILE     those bytes of the data of the last segment, found by its seek table

The last line on stderr says what it is: complete (exit 0), incomplete (4) or damaged (3), and why.
"""
import struct
import subprocess
import sys
from zlib import crc32

CHUNK_BYTES_MAX, CHUNKS_MAX, MAGIC = 4 << 20, 1 << 24, 0x184D2A58
EMPTY = {1: bytes.fromhex("28B52FFD E0 0000000000000000 010000"), 2: bytes.fromhex("04224D18 607073 00000000")}


class Damaged(Exception):
    pass


class Short(Damaged):
    """The bytes end here."""


def check(right, what):
    if not right:
        raise Damaged(what)


def take(file, at, length, what):
    if at < 0 or at + length > len(file):
        raise Short(f"{what} at byte {at} is not all there")
    return file[at : at + length]


class Header:  # section 3
    def __init__(self, file, at):
        raw = take(file, at, 128, "header")
        families = [family for family, empty in EMPTY.items() if raw.startswith(empty)]
        check(families, f"no segment at byte {at}")
        start = len(EMPTY[families[0]])
        magic, length, ours, major = struct.unpack_from("<II8sH", raw, start)
        check(magic == MAGIC and ours == b"SPSG\r\n\x1a\n", f"no segment at byte {at}")
        check(crc32(raw[:124]) == int.from_bytes(raw[124:], "little"), "header checksum")
        check(major == 1, f"major version {major} is newer")
        features, _, _ = struct.unpack_from("<III", raw, start + 20)
        check(length == 120 - start and features == 0, f"header length {length}, incompatible features {features:#x}")
        fields = struct.unpack_from("<16sQQQIIQI", raw, start + 32)
        self.store, self.number, self.seq, self.offset, self.chunk_max, self.salt, _, self.family = fields
        check(self.family == families[0] and 1 <= self.chunk_max <= CHUNK_BYTES_MAX, "header fields")
        self.frames = [(start, 0), (128 - start, 0)]


class Record:  # sections 4 and 6
    def __init__(self, file, at, header):
        raw = take(file, at, 64, "record")
        magic, length, self.tag, store, salt = struct.unpack_from("<II4s8sI", raw)
        check((magic, length, store, salt) == (MAGIC, 56, header.store[:8], header.salt), f"no record at byte {at}")
        check(self.tag in (b"SPCK", b"SPSL"), f"no record at byte {at}")
        fields = struct.unpack_from("<QQIIIIBBHI", raw, 24)
        self.seq, self.offset, self.count, self.length, self.raw_crc, self.crc, self.codec, self.flags = fields[:8]
        check(crc32(header.store + raw[:60]) == fields[9] and fields[8] == 0, f"record checksum at byte {at}")
        if self.tag == b"SPSL":
            check(self.flags <= 2 and self.codec == 0 and self.raw_crc == 0, "seal fields")
            check(self.count <= CHUNKS_MAX and self.length >= 8 * (2 * self.count + 3) + 17, "seal lengths")
            return
        extra = 3 * -(-self.count // (128 << 10)) + 18 if header.family == 1 else 27
        check(1 <= self.count <= header.chunk_max and 1 <= self.length <= self.count + extra, "chunk lengths")
        check(self.flags <= 1 and self.codec in (0, header.family), "codec or flags")
        check(self.seq < 2**64 - 1 and self.offset + self.count < 2**64, "chunk numbers")


def lz4_block(block, length):
    out, at = bytearray(), 0

    def longer(n):
        nonlocal at
        while n >= 15:
            n, at = n + block[at], at + 1
            if block[at - 1] < 255:
                break
        return n

    while at < len(block):
        token, at = block[at], at + 1
        literals = longer(token >> 4)
        out, at = out + block[at : at + literals], at + literals
        if at < len(block):
            back, at = int.from_bytes(block[at : at + 2], "little"), at + 2
            match = longer(token & 15) + 4
            check(1 <= back <= len(out) and match <= length, "LZ4 match")
            repeated = out[-back:]
            out += (repeated * (match // back + 1))[:match]
    return bytes(out)


def zstd_frame(frame):
    try:
        import zstandard

        return zstandard.ZstdDecompressor().decompress(frame)
    except ImportError:
        return subprocess.run(["zstd", "-dcq"], input=frame, stdout=subprocess.PIPE, check=True).stdout


def chunk(file, at, record, header):  # section 5
    frame = take(file, at + 64, record.length, "data frame")
    check(crc32(frame) == record.crc, f"frame checksum at byte {at + 64}")
    n = record.count
    if header.family == 2:
        magic, flags, size, content, _, block = struct.unpack_from("<IBBQBI", frame)
        check((magic, flags & ~4, content) == (0x184D2204, 0x68, n) and size in (0x40, 0x50, 0x60, 0x70), "LZ4 frame")
        check((block >> 31) == (record.codec == 0), "LZ4 block of another codec")
        end = 19 + (block & 0x7FFFFFFF)
        check(frame[end : end + 4] == bytes(4) and len(frame) == end + 4 + (flags & 4), "LZ4 frame's end")
        raw = frame[19:end] if record.codec == 0 else lz4_block(frame[19:end], n)
    elif record.codec == 0:
        check(frame[:4] == b"\x28\xb5\x2f\xfd" and frame[4] & ~4 == 0xA0, "raw zstd frame")
        check(frame[5:9] == n.to_bytes(4, "little"), "content size")
        raw, here = b"", 9
        while len(raw) < n:
            size = min(n - len(raw), 128 << 10)
            block_header = size * 8 + (len(raw) + size == n)
            check(frame[here : here + 3] == block_header.to_bytes(3, "little"), "raw zstd block")
            raw, here = raw + frame[here + 3 : here + 3 + size], here + 3 + size
        check(len(frame) == here + (frame[4] & 4), "raw zstd frame's end")
    else:
        check(frame[:4] == b"\x28\xb5\x2f\xfd" and frame[4] & 3 == 0, "zstd frame without a dictionary")
        raw = zstd_frame(frame)
    check(len(raw) == n and crc32(raw) == record.raw_crc, f"raw data of chunk {record.seq}")
    return raw


def table(file, at, seal):  # section 7
    raw = take(file, at, seal.length, "seek table")
    check(crc32(raw) == seal.crc, "seek table checksum")
    magic, length = struct.unpack_from("<II", raw)
    count, descriptor, footer = struct.unpack_from("<IBI", raw, len(raw) - 9)
    check((magic, descriptor, footer) == (0x184D2A5E, 0, 0x8F92EAB1), "seek table magics")
    check(length == len(raw) - 8 == 8 * count + 9, "seek table length")
    return list(struct.iter_unpack("<II", raw[8:-9]))


def walk(file, at, stream, out):
    """One segment from its header on: what it leaves in `stream` is checked by the next one. Its end."""
    header, had = Header(file, at), 0
    if stream.get("store") == header.store:  # section 12
        check(header.number > stream["number"] and header.seq <= stream["seq"], "the next segment's numbers")
        check(header.seq == stream["seq"] or not stream["sealed"], "chunks come twice")
        check(header.seq < stream["seq"] or header.offset >= stream["offset"], "the next segment's offset")
        stream["missing"] = stream.get("missing", False) or stream["aborted"]
        had = stream["seq"]
    elif stream and not stream["complete"]:
        stream["missing"] = True
    missing = stream.get("missing", False)
    stream.clear()
    stream.update(store=header.store, number=header.number, seq=header.seq, offset=header.offset)
    stream.update(sealed=False, complete=False, aborted=False, missing=missing)
    start, at, frames, chunks = at, at + 128, list(header.frames), 0
    while at < len(file):
        magic = int.from_bytes(file[at : at + 4], "little")
        if any(file.startswith(empty, at) for empty in EMPTY.values()):
            return at  # unsealed, and another one follows
        if 0x184D2A51 <= magic <= 0x184D2A57:  # section 8
            length = 8 + int.from_bytes(take(file, at + 4, 4, "frame of others"), "little")
            check(length <= 1 << 20, "frame of others")
            take(file, at, length, "frame of others")
            frames, at = frames + [(length, 0)], at + length
            continue
        record = Record(file, at, header)
        check(record.seq == stream["seq"] and record.offset >= stream["offset"], f"order at byte {at}")
        frames.append((64, 0))
        if record.tag == b"SPSL":
            check(record.count == chunks, "number of chunks")
            check(table(file, at + 64, record) == frames, "seek table entries")
            check(record.seq >= had, "the end of a segment that repeats another")
            stream.update(sealed=True, complete=record.flags == 1, aborted=record.flags == 2, offset=record.offset)
            return at + 64 + record.length
        raw = chunk(file, at, record, header)
        if record.seq >= had:  # the one before had no seal, and its last chunks come again
            out(raw)
        frames.append((record.length, record.count))
        stream.update(seq=record.seq + 1, offset=record.offset + record.count)
        chunks, at = chunks + 1, at + 64 + record.length
        check(chunks <= CHUNKS_MAX, f"chunks of the segment at byte {start}")
    return at


def read_range(file, first, end, out):
    """The positions `first..end` of the last segment's data, without a look at what lies before."""
    count, _, footer = struct.unpack("<IBI", take(file, len(file) - 9, 9, "footer"))
    check(footer == 0x8F92EAB1, "no seek table")
    table_at = len(file) - (8 * count + 17)
    entries = list(struct.iter_unpack("<II", take(file, table_at + 8, 8 * count, "seek table")))
    at = table_at - sum(length for length, _ in entries)
    header = Header(file, at)
    seal = Record(file, table_at - 64, header)
    check(seal.tag == b"SPSL" and table(file, table_at, seal) == entries, "seek table")
    position, seq = 0, header.seq
    for length, raw_length in entries:
        if raw_length:
            if position < end and position + raw_length > first:
                record = Record(file, at - 64, header)
                check((record.seq, record.length, record.count) == (seq, length, raw_length), "entry and record")
                out(chunk(file, at - 64, record, header)[max(first - position, 0) : end - position])
            position, seq = position + raw_length, seq + 1
        at += length


def main(args):
    file, stream, at, ranged = b"", {}, 0, args[0] == "--range"
    for name in args[2 if ranged else 0 :]:
        with open(name, "rb") as source:
            file += source.read()
    out = sys.stdout.buffer.write
    try:
        if ranged:
            read_range(file, *map(int, args[1].split("..")), out)
            return 0
        check(file, "an empty file is no archive")
        while at < len(file):
            at = walk(file, at, stream, out)
    except Short as error:
        print(f"incomplete: {error}", file=sys.stderr)
        return 4
    except Exception as error:  # whatever hostile bytes may lead to
        print(f"damaged: {error}", file=sys.stderr)
        return 3
    if stream["missing"] or not stream["complete"]:
        print("incomplete: no end mark", file=sys.stderr)
        return 4
    print("complete", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A reader of stores, written from docs/format.md alone ("Read one file, step by step"). It compares what it reads."""

from __future__ import annotations

import struct
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash
import zstandard
from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Files = dict[
        str, tuple[bool, bytes]
    ]  # (executable, content) by path inside the model; "" for a model that is a file


class Place(NamedTuple):
    pack: str
    offset: int
    stored: int
    encoding: int
    xxh3: int


class Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found


def must(right: object, what: str) -> None:
    if not right:
        raise ValueError(what)


class Stranger:
    def __init__(self, store: Path) -> None:
        self.store = store
        config = tomllib.loads((store / "config").read_text())
        must(config["format"] == 1 and config["names"] == "plain" and not config["read_features"], "a format it knows")
        self.places = {cid: place for pack in store.glob("packs/??/*") for cid, place in self.trailer(pack)}

    def read(self, pointer: bytes) -> Files:
        said = tomllib.loads(pointer.decode())
        oid, kind = said["oid"].removeprefix("blake3:"), {"file": "b", "tree": "t"}[said["kind"]]
        root = (self.store / kind / oid[:2] / oid).read_bytes()
        must(blake3(root[:-32]).digest() == root[-32:], "a whole root")
        cursor = Cursor(root)
        magic, version, number, flags, name, size, files, _, packs = cursor.take("4sBBH32sQQ16sI")
        must((magic, version, number, name.hex()) == (b"MVCR", 1, 1 + (kind == "t"), oid), "the root of that name")
        names = [cursor.take("32sQ")[0].hex() for _ in range(packs)]
        if kind == "t":
            found = self.tree(cursor, flags, names, (files, size, name))
        else:
            content = b"".join(self.content(cursor, flags, names))
            must(blake3(content).hexdigest() == oid, "the blob of that name")
            found = {"": (said.get("executable", False), content)}
        must(sum(len(data) for _, data in found.values()) == size == said["size"], "the size in pointer and root")
        return found

    def tree(self, cursor: Cursor, flags: int, packs: list[str], said: tuple[int, int, bytes]) -> Files:
        found, hashes = {}, []
        for _ in range(cursor.take("I")[0]):
            leaf_hash, _, _, length = cursor.take("32sIQH")
            cursor.at += length  # the first path
            leaf = Cursor(self.part(cursor, flags, packs))
            digest = blake3(leaf.data, derive_key_context="modelvc v1 tree leaf").digest()
            must(digest == leaf_hash, "the leaf of that hash")
            hashes.append(leaf_hash)
            pieces = self.content(cursor, flags, packs)
            while leaf.at < len(leaf.data):
                mode, length = leaf.take("BH")
                path, size, oid = leaf.take(f"{length}sQ32s")
                content = b""
                while len(content) < size:  # each file begins with a record of its own
                    content += next(pieces)
                must(len(content) == size and blake3(content).digest() == oid, "the file of that name")
                found[path.decode()] = (bool(mode), content)
            must(next(pieces, None) is None, "no content beside the files")
        head = struct.pack("<QQ", *said[:2]) + b"".join(hashes)
        must(blake3(head, derive_key_context="modelvc v1 tree").digest() == said[2], "the tree of that name")
        return found

    def content(self, cursor: Cursor, flags: int, packs: list[str]) -> Iterator[bytes]:
        for part in [self.part(cursor, flags, packs) for _ in range(cursor.take("I")[0])]:
            yield from self.segment(Cursor(part))

    def part(self, cursor: Cursor, flags: int, packs: list[str]) -> bytes:
        if cursor.take("B")[0] == 0:
            return bytes(cursor.take(f"{cursor.take('I')[0]}s")[0])
        name, length, _ = cursor.take("32sIQ")
        place = self.places.get(name)
        if flags & 1:
            pack, offset, stored, encoding, check = cursor.take("IQIBQ")  # here an id, elsewhere a place in a table
            place = Place(packs[pack], offset, stored, encoding, check)
        return self.chunk(name, length, place)

    def segment(self, cursor: Cursor) -> list[bytes]:
        magic, version, flags, _, n, m, size, packs, encodings, spans = cursor.take("4sBBHIIQIHH")
        must((magic, version) == (b"MVCS", 1), "a segment")
        cursor.at += 6 * spans
        ids = self.encodings(cursor, encodings)
        names = [cursor.take("32sQ")[0].hex() for _ in range(packs)]
        cids = [cursor.take("32s")[0] for _ in range(n + m)]
        raws = cursor.take(f"{n + m}I")
        places = [self.places.get(cid) for cid in cids]
        if flags & 1:
            columns = [cursor.take(f"{n + m}{letter}") for letter in "IQIHQ"]
            places = [Place(names[p], o, s, ids[e], x) for p, o, s, e, x in zip(*columns, strict=True)]
        found = [self.chunk(*one) for one in zip(cids[:n], raws[:n], places[:n], strict=True)]  # no auxiliary records
        must(sum(map(len, found)) == size, "a segment of its size")
        return found

    def encodings(self, cursor: Cursor, count: int) -> list[int]:
        return [cursor.take("BH")[0] for _ in range(count)]  # those of version 1 have no parameters

    def chunk(self, cid: bytes, raw: int, place: Place | None) -> bytes:
        if place is None or max(raw, place.stored) > 16 << 20 or place.encoding > 1:
            raise ValueError("a chunk that can be read")
        with open(self.store / "packs" / place.pack[:2] / place.pack, "rb") as pack:
            pack.seek(place.offset)
            stored = pack.read(place.stored)
        must(xxhash.xxh3_64_intdigest(stored) == place.xxh3, "the stored bytes")
        data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=raw) if place.encoding else stored
        must(len(data) == raw and blake3(data).digest() == cid, "the chunk of that name")
        return data

    def trailer(self, pack: Path) -> Iterator[tuple[bytes, Place]]:
        data = pack.read_bytes()
        length, count, check, magic = struct.unpack("<II32s8s", data[-48:])
        cursor = Cursor(data[-48 - length : -48])
        must((data[:8], magic, check) == (b"MVCPACK1", b"MVCPEND1", blake3(cursor.data).digest()), "a whole pack")
        must(
            blake3(cursor.data, derive_key_context="modelvc v1 pack").hexdigest() == pack.name, "the pack of that name"
        )
        version, flags, _, counted, encodings = cursor.take("HH16sIH")
        must((version, flags, counted) == (1, 0, count), "a trailer of version 1")
        ids = self.encodings(cursor, encodings)
        for cid, offset, stored, _, xxh3, encoding in (cursor.take("32sQIIQH") for _ in range(count)):
            yield cid, Place(pack.name, offset, stored, ids[encoding], xxh3)

"""A reader of stores by somebody who has docs/format.md and nothing of ours: "Read one file, step by step" in code.

It reads what lies in a folder, local store or remote alike, and takes nothing for true that was not compared.
"""

from __future__ import annotations

import struct
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash
import zstandard
from blake3 import blake3

if TYPE_CHECKING:
    from pathlib import Path


class Place(NamedTuple):
    """Where a chunk lies in a pack; ENCODING is the id, 0 or 1."""

    pack: str
    offset: int
    stored: int
    encoding: int
    xxh3: int


def _refuse(wrong: object, why: str) -> None:
    if wrong:
        raise ValueError(why)


class Stranger:
    """A store in a folder."""

    def __init__(self, store: Path) -> None:
        self.store = store
        config = tomllib.loads((store / "config").read_text())
        _refuse(config["format"] != 1 or config["names"] != "plain" or config["read_features"], "a later format")
        self._places: dict[bytes, Place] = {}
        for pack in store.glob("packs/??/*"):
            self._trailer(pack)

    def read(self, pointer: bytes) -> dict[str, tuple[bool, bytes]]:
        """(executable, content) by path inside the model; a file alone has the path ""."""
        said = tomllib.loads(pointer.decode())
        oid = said["oid"].removeprefix("blake3:")
        kind = {"file": "b", "tree": "t"}[said["kind"]]
        root = (self.store / kind / oid[:2] / oid).read_bytes()
        found = self._root(root, bytes.fromhex(oid), kind == "t")
        _refuse(sum(len(data) for _, data in found.values()) != said["size"], "the pointer's size is another")
        return found if kind == "t" else {"": (said.get("executable", False), found[""][1])}

    def _root(self, data: bytes, oid: bytes, tree: bool) -> dict[str, tuple[bool, bytes]]:  # noqa: FBT001
        _refuse(blake3(data[:-32]).digest() != data[-32:], "a damaged root")
        magic, version, kind, flags, name, size, files, _, packs = struct.unpack_from("<4sBBH32sQQ16sI", data)
        _refuse((magic, version, kind, name) != (b"MVCR", 1, 1 + tree, oid), "another root")
        names = [data[76 + 40 * n :][:32].hex() for n in range(packs)]
        at = [76 + 40 * packs]
        count = self._take(data, at, "<I")[0]
        if not tree:
            content = b"".join(
                piece for _ in range(count) for piece in self._segment(self._part(data, at, flags, names))
            )
            _refuse(blake3(content).digest() != oid or (len(content), files) != (size, 1), "not the blob of that name")
            return {"": (False, content)}
        found: dict[str, tuple[bool, bytes]] = {}
        hashes = []
        for _ in range(count):
            leaf_hash, _, _, length = self._take(data, at, "<32sIQH")
            at[0] += length
            leaf = self._part(data, at, flags, names)
            _refuse(
                blake3(leaf, derive_key_context="modelvc v1 tree leaf").digest() != leaf_hash,
                "not the leaf of that hash",
            )
            hashes.append(leaf_hash)
            parts = [self._part(data, at, flags, names) for _ in range(self._take(data, at, "<I")[0])]
            pieces = iter([piece for part in parts for piece in self._segment(part)])
            here = [0]
            while here[0] < len(leaf):
                mode, length = self._take(leaf, here, "<BH")
                path, rest, file_oid = self._take(leaf, here, f"<{length}sQ32s")
                content = b""
                while len(content) < rest:  # each file begins with a record of its own
                    content += next(pieces)
                _refuse(len(content) != rest or blake3(content).digest() != file_oid, "not the file of that name")
                found[path.decode()] = (bool(mode), content)
        head = struct.pack("<QQ", files, size) + b"".join(hashes)
        _refuse(
            blake3(head, derive_key_context="modelvc v1 tree").digest() != oid or len(found) != files,
            "not the tree of that name",
        )
        return found

    def _part(self, data: bytes, at: list[int], flags: int, packs: list[str]) -> bytes:
        if self._take(data, at, "<B")[0] == 0:
            (length,) = self._take(data, at, "<I")
            at[0] += length
            return data[at[0] - length : at[0]]
        name, length, _ = self._take(data, at, "<32sIQ")
        place = self._places.get(name)
        if flags & 1:
            pack, offset, stored, encoding, check = self._take(data, at, "<IQIBQ")
            place = Place(packs[pack], offset, stored, encoding, check)
        return self._chunk(name, length, place)

    def _segment(self, data: bytes) -> list[bytes]:
        magic, version, flags, _, n, m, size, packs, encodings, spans = struct.unpack_from("<4sBBHIIQIHH", data)
        _refuse((magic, version) != (b"MVCS", 1), "another segment")
        at = [32 + 6 * spans]
        ids = []
        for _ in range(encodings):
            number, length = self._take(data, at, "<BH")
            ids.append(number)
            at[0] += length
        names = [self._take(data, at, "<32sQ")[0].hex() for _ in range(packs)]
        total = n + m
        cids = [self._take(data, at, "<32s")[0] for _ in range(total)]
        raws = self._take(data, at, f"<{total}I")
        places: list[Place | None] = [self._places.get(cid) for cid in cids]
        if flags & 1:
            columns = [self._take(data, at, f"<{total}{letter}") for letter in "IQIHQ"]
            places = [Place(names[p], o, s, ids[e], x) for p, o, s, e, x in zip(*columns, strict=True)]
        found = [self._chunk(*one) for one in zip(cids[:n], raws[:n], places[:n], strict=True)]  # the rest: auxiliary
        _refuse(sum(map(len, found)) != size, "a segment of another size")
        return found

    def _chunk(self, cid: bytes, raw: int, place: Place | None) -> bytes:
        if place is None or max(raw, place.stored) > 16 << 20:
            raise ValueError("a chunk that cannot be had")
        with open(self.store / "packs" / place.pack[:2] / place.pack, "rb") as pack:
            pack.seek(place.offset)
            stored = pack.read(place.stored)
        _refuse(
            xxhash.xxh3_64_intdigest(stored) != place.xxh3 or place.encoding > 1,
            "a damaged chunk, or one of a later format",
        )
        data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=raw) if place.encoding else stored
        _refuse(len(data) != raw or blake3(data).digest() != cid, "not the chunk of that name")
        return data

    def _trailer(self, pack: Path) -> None:
        data = pack.read_bytes()
        length, count, check, magic = struct.unpack("<II32s8s", data[-48:])
        trailer = data[-48 - length : -48]
        _refuse((data[:8], magic, blake3(trailer).digest()) != (b"MVCPACK1", b"MVCPEND1", check), "a damaged pack")
        _refuse(
            blake3(trailer, derive_key_context="modelvc v1 pack").hexdigest() != pack.name, "not the pack of that name"
        )
        at = [20]
        counted, encodings = self._take(trailer, at, "<IH")
        ids = []
        for _ in range(encodings):
            number, parameters = self._take(trailer, at, "<BH")
            ids.append(number)
            at[0] += parameters
        _refuse(counted != count, "a damaged trailer")
        for _ in range(count):
            cid, offset, stored, _, xxh3, encoding = self._take(trailer, at, "<32sQIIQH")
            self._places[cid] = Place(pack.name, offset, stored, ids[encoding], xxh3)

    @staticmethod
    def _take(data: bytes, at: list[int], form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, data, at[0])
        at[0] += struct.calcsize(form)
        return found

"""One wrong field at a time, the rest as it should be: each rule of the binary formats refuses in its own words."""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats import limits, toml
from modelvc.formats.binary import pack, root, segment, tree
from modelvc.formats.binary.pack import RAW, ZSTD, Stored, Trailer
from modelvc.formats.binary.root import LeafRef, Part, PartPlace, Root
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.formats.text import repository_registration
from modelvc.ids import Oid
from modelvc.store.objects import codec
from modelvc.store.objects.zstd import ZstdCompressor

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = bytes(range(32)), bytes(range(1, 33))
SIZE = 1 << 40
ONE = Stored(A, 8, 100, 100, 0, RAW)


def edited(data: bytes, at: int, value: bytes) -> bytes:
    at %= len(data)
    return data[:at] + value + data[at + len(value) :]


# -- a trailer


def trailer(*chunks: Stored, edit: tuple[int, bytes] = (0, b"")) -> Callable[[], object]:
    data = edited(pack.encode_trailer(chunks), *edit)
    return lambda: Trailer(data, SIZE)


def swapped() -> object:
    data = pack.encode_trailer([ONE, ONE._replace(cid=B)])
    width = pack.RECORD.size
    return Trailer(data[: -2 * width] + data[-width:] + data[-2 * width : -width], SIZE)


def twice() -> object:
    data = pack.encode_trailer([ONE, ONE._replace(cid=B)])
    return Trailer(edited(data, -pack.RECORD.size, A), SIZE)


TRAILERS: dict[str, tuple[Callable[[], object], str]] = {
    "a later version": (trailer(ONE, edit=(0, b"\x02")), "version 2 with flags 0 is unknown"),
    "a flag": (trailer(ONE, edit=(2, b"\x01")), "version 1 with flags 1 is unknown"),
    "not sorted": (swapped, "not sorted"),
    "one cid twice": (twice, "not sorted"),
    "before the pack": (trailer(ONE._replace(offset=7)), "outside the pack"),
    "behind the pack": (trailer(ONE._replace(offset=SIZE - 99)), "outside the pack"),
    "too much stored": (trailer(ONE._replace(stored=limits.CHUNK + 1)), "too large"),
    "too much raw": (trailer(ONE._replace(raw=limits.CHUNK + 1)), "too large"),
    "an encoding that is not listed": (trailer(ONE, edit=(-2, b"\x01")), "an encoding that is not listed"),
    "damaged": (lambda: Trailer(pack.encode_trailer([ONE]), SIZE, bytes(32)), "its trailer is damaged"),
    "more records than bytes": (trailer(ONE, edit=(20, b"\x02")), "do not fill it"),
}


# -- a segment

RECIPE = Recipe(A + B, array("I", [100, 100]), ((2, 1),))
FRAMED = bytes(range(256)) * 4
FRAME = bytes(codec.encode(FRAMED, compress=True)[1])


def _frame_with_an_empty_last_block() -> bytes:
    packer = ZstdCompressor()
    packer.set_pledged_input_size(len(FRAMED))
    return packer.compress(FRAMED, packer.FLUSH_BLOCK) + packer.flush(packer.FLUSH_FRAME)


PLACES = Placement(((A, SIZE),), array("I", [0, 0]), (ONE, ONE._replace(cid=B, offset=200, encoding=ZSTD)))
SEGMENT = Segment(RECIPE, PLACES)


def placed(at: int, value: bytes) -> Callable[[], object]:
    """The segment with VALUE at AT, from the end where that is negative."""
    return lambda: segment.parse(edited(SEGMENT.encode(), at, value))


def recipe(**changes: object) -> Callable[[], object]:
    return lambda: segment.parse(Segment(replace(RECIPE, **changes), None).encode())  # type: ignore[arg-type]


def chunk(**changes: int) -> Callable[[], object]:
    stored = (ONE._replace(**changes), PLACES.stored[1])  # type: ignore[arg-type]
    return lambda: segment.parse(Segment(RECIPE, replace(PLACES, stored=stored)).encode())


# behind each other at the end: u32 pack, u64 offset, u32 stored, u16 encoding, u64 xxh3, each for both records
_PACK, _ENCODING = -2 * (4 + 8 + 4 + 2 + 8), -2 * (2 + 8)
SEGMENTS: dict[str, tuple[Callable[[], object], str]] = {
    "another magic": (placed(0, b"X"), "first bytes"),
    "a later version": (placed(4, b"\x02"), "version 2 with flags 1 is unknown"),
    "a flag": (placed(5, b"\x03"), "version 1 with flags 3 is unknown"),
    "a reserved field": (placed(6, b"\x01"), "is unknown"),
    "too many bytes": (lambda: segment.parse(SEGMENT.encode() + bytes(limits.SEGMENT)), "it is larger than"),
    "too many records": (placed(8, b"\x01\x40\x00\x00"), "too many records"),
    "too many bases": (placed(12, b"\x01\x40\x00\x00"), "too many records"),
    "too many packs": (placed(24, b"\x01\x80\x00\x00"), "too many records"),
    "another size": (placed(16, b"\x01"), "lengths do not add up"),
    "spans of fewer": (recipe(spans=((1, 1),)), "spans do not add up"),
    "an empty chunk": (recipe(lengths=array("I", [100, 0])), "a chunk is empty or too large"),
    "a large chunk": (recipe(lengths=array("I", [100, limits.CHUNK + 1])), "a chunk is empty or too large"),
    "a pack that is not listed": (placed(_PACK, b"\x01"), "a pack or an encoding that is not listed"),
    "an encoding that is not listed": (placed(_ENCODING, b"\x02"), "a pack or an encoding that is not listed"),
    "behind the pack": (chunk(offset=SIZE - 99), "a chunk lies outside its pack"),
    "too much stored": (chunk(stored=limits.CHUNK + 1), "or is too large"),
    "more bytes": (lambda: segment.parse(SEGMENT.encode() + b"\0"), "bytes follow"),
    "fewer bytes": (lambda: segment.parse(SEGMENT.encode()[:-1]), "ends too early"),
}


# -- a root

PART = Part(None, A, 1000, 100, PartPlace(0, 8, 1000, 0, 7))
LEAF = LeafRef(A, 1, 100, "a", PART, (PART,))
ROOT = Root("tree", Oid(A), 100, 1, bytes(16), ((A, SIZE),), (), (LEAF,), placed=True)


def sealed(at: int, value: bytes, *, more: bytes = b"") -> Callable[[], object]:
    body = edited(ROOT.encode()[:-32], at, value) + more
    return lambda: root.parse(body + blake3(body).digest())


def part(**changes: int) -> Callable[[], object]:
    place = PART.place
    assert place is not None
    inside = {key: value for key, value in changes.items() if key != "length"}
    other = replace(PART, length=changes.get("length", 1000), place=place._replace(**inside))
    return lambda: root.parse(replace(ROOT, leaves=(replace(LEAF, leaf=other),)).encode())


ROOTS: dict[str, tuple[Callable[[], object], str]] = {
    "another magic": (sealed(0, b"X"), "first bytes"),
    "a later version": (sealed(4, b"\x02"), "version 2, kind 2, flags 1 is unknown"),
    "another kind": (sealed(5, b"\x03"), "kind 3"),
    "a flag": (sealed(6, b"\x05"), "flags 5 is unknown"),
    "too many bytes": (sealed(0, b"M", more=bytes(limits.ROOT)), "it is larger than"),
    "damaged": (lambda: root.parse(edited(ROOT.encode(), 10, b"x")), "it is damaged"),
    "another size": (lambda: root.parse(replace(ROOT, size=101).encode()), "do not add up"),
    "another number of files": (lambda: root.parse(replace(ROOT, files=2).encode()), "do not add up"),
    "too many packs": (sealed(72, b"\xff"), "too many packs"),
    "too many leaves": (sealed(72 + 4 + 40, b"\xff"), "more parts than it has"),
    "a part of another kind": (sealed(72 + 4 + 40 + 4 + 47, b"\x02"), "a part of kind 2"),
    "a path that is no text": (sealed(72 + 4 + 40 + 4 + 46, b"\xff"), "not UTF-8"),
    "a long part": (part(length=limits.LEAF + 1), "a part is too large"),
    "a pack that is not listed": (part(pack=1), "outside its pack"),
    "behind the pack": (part(offset=SIZE - 999), "outside its pack"),
    "too much stored": (part(stored=limits.CHUNK + 1), "a part is too large"),
    "more bytes": (sealed(0, b"M", more=b"\0"), "bytes follow"),
}


# -- a leaf, and what is small


def leaf(*names: bytes, mode: int = 0) -> Callable[[], object]:
    data = b"".join(struct.pack("<BH", mode, len(name)) + name + struct.pack("<Q32s", 1, A) for name in names)
    return lambda: tree.parse_leaf(data)


OTHERS: dict[str, tuple[Callable[[], object], str]] = {
    "a leaf's mode": (leaf(b"a", mode=2), "mode 2 is not known"),
    "a leaf that is not sorted": (leaf(b"b", b"a"), "not sorted"),
    "a leaf with a path twice": (leaf(b"a", b"a"), "not sorted"),
    "a leaf's path": (leaf(b"a/../b"), 'the part ".."'),
    "a leaf's path that is no text": (leaf(b"\xff"), "not UTF-8"),
    "a leaf of too many bytes": (lambda: tree.parse_leaf(bytes(limits.LEAF + 1)), "it is larger than"),
    "a number of 65 bits": (lambda: toml.read(b"a = 9223372036854775808", "it", limit=99), "does not fit into 64"),
    "raw bytes of another length": (lambda: codec.decode(RAW, b"abc", 4), "of 4 bytes is stored in 3"),
    "a frame without its last byte": (
        lambda: codec.decode(ZSTD, _frame_with_an_empty_last_block()[:-1], len(FRAMED)),
        "is cut off at 1024 of 1024 bytes",
    ),
    "a frame without its content": (lambda: codec.decode(ZSTD, FRAME[:10], len(FRAMED)), "is cut off at 0 of"),
    "a frame of another length": (lambda: codec.decode(ZSTD, FRAME, len(FRAMED) - 1), "does not hold the"),
    "no frame at all": (lambda: codec.decode(ZSTD, b"not a frame, but text", 21), "is damaged"),
    "a frame that is damaged": (
        lambda: codec.decode(ZSTD, FRAME[:7] + b"\xff\xff\xff" + FRAME[10:], len(FRAMED)),
        "is damaged",
    ),
    "an encoding of a later version": (lambda: codec.decode(pack.Encoding(9), b"abc", 3), "encoding 9 is unknown"),
    "a place that is none": (
        lambda: repository_registration.parse(repository_registration.encode(""), "it"),
        "must be one line",
    ),
    "a place too long": (
        lambda: repository_registration.parse(repository_registration.encode("a" * 2_001), "it"),
        "must be one line",
    ),
    "a place to hide": (
        lambda: repository_registration.parse(repository_registration.encode("a\u202eb"), "it"),
        "must be one line",
    ),
}

ALL = {
    f"{what}: {name}": case
    for what, cases in (("trailer", TRAILERS), ("segment", SEGMENTS), ("root", ROOTS), ("other", OTHERS))
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", ALL)
def test_refused(name: str) -> None:
    parse, words = ALL[name]
    with pytest.raises(FormatError, match=words):
        parse()


def test_what_they_were_made_of_is_taken() -> None:
    assert next(iter(Trailer(pack.encode_trailer([ONE]), SIZE))) == ONE
    assert segment.parse(SEGMENT.encode()) == SEGMENT
    assert root.parse(ROOT.encode()) == ROOT
    assert repository_registration.parse(repository_registration.encode("host/path"), "it") == "host/path"
    leaf(b"a", b"b", mode=1)()

"""Read and write roots: what one object is made of, and where that lies in one store. Spec: docs/format.md#root."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary.pack import PackRef
from modelvc.formats.binary.reader import Reader
from modelvc.ids import Oid

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"MVCR"
_PLACED, _UNPROVEN = 1, 2
_KINDS = {"file": 1, "tree": 2}
_HEAD = struct.Struct("<4sBBH32sQQ16s")
_REF = struct.Struct("<B32sIQ")
_PLACE = struct.Struct("<IQIBQ")
_PACK = struct.Struct("<32sQ")


class PartPlace(NamedTuple):
    """Where a part lies on a remote."""

    pack: int  # position in the root's pack table
    offset: int
    stored: int
    encoding: int
    xxh3: int


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or a leaf: its bytes, or its name and (on a remote) its place."""

    data: bytes | None
    name: bytes  # blake3 of its bytes
    length: int  # bytes
    content: int  # bytes of content that it describes
    place: PartPlace | None = None


@dataclass(frozen=True, slots=True)
class LeafRef:
    """One leaf of a tree, and the segments of its files' contents."""

    digest: bytes
    entries: int
    size: int
    first: str  # path of its first entry
    leaf: Part
    segments: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """What one object is made of in one store: the segments of a blob, or the leaves of a tree."""

    kind: str  # "file" | "tree"
    oid: Oid
    size: int
    files: int
    write_id: bytes
    packs: tuple[PackRef, ...] = ()
    segments: tuple[Part, ...] = ()
    leaves: tuple[LeafRef, ...] = ()
    placed: bool = False
    unproven: bool = False

    def parts(self) -> Iterator[Part]:
        """Yield every part in order: of a tree, each leaf before its segments."""
        yield from self.segments
        for leaf in self.leaves:
            yield leaf.leaf
            yield from leaf.segments

    def records(self) -> Iterator[Part]:
        """Yield the segments in order: of a blob, or of every leaf of a tree."""
        yield from self.segments
        for leaf in self.leaves:
            yield from leaf.segments

    def encode(self) -> bytes:
        """Return the bytes of the root. Raises FormatError if they exceed the limit."""
        flags = (_PLACED if self.placed else 0) | (_UNPROVEN if self.unproven else 0)
        out = [
            _HEAD.pack(_MAGIC, 1, _KINDS[self.kind], flags, self.oid, self.size, self.files, self.write_id),
            struct.pack("<I", len(self.packs)),
            *(_PACK.pack(name, size) for name, size in self.packs),
        ]
        if self.kind == "file":
            out.append(struct.pack("<I", len(self.segments)))
            out += [_encode_part(part) for part in self.segments]
        else:
            out.append(struct.pack("<I", len(self.leaves)))
            for leaf in self.leaves:
                first = leaf.first.encode()
                out.append(struct.pack("<32sIQH", leaf.digest, leaf.entries, leaf.size, len(first)) + first)
                out += [_encode_part(leaf.leaf), struct.pack("<I", len(leaf.segments))]
                out += [_encode_part(part) for part in leaf.segments]
        body = b"".join(out)
        if len(body) + 32 > limits.ROOT:
            raise FormatError(f"the root of {self.oid.short} is larger than {limits.ROOT:,} bytes")
        return body + blake3(body).digest()

    def check_room(self) -> None:
        """Raise FormatError if the root may exceed the limit on a remote, where each part has a place and a pack."""
        apart = sum(part.data is None for part in self.parts())
        if len(self.encode()) + apart * (_PLACE.size + _PACK.size) > limits.ROOT:
            raise FormatError(f"the root of {self.oid.short} would be larger than {limits.ROOT:,} bytes on a remote")


def inline(data: bytes, content: int) -> Part:
    """Return a part that holds DATA, which describes CONTENT bytes of content."""
    return Part(data, b"", len(data), content)


def _encode_part(part: Part) -> bytes:
    if part.data is not None:
        return struct.pack("<BI", 0, len(part.data)) + part.data
    ref = _REF.pack(1, part.name, part.length, part.content)
    return ref + _PLACE.pack(*part.place) if part.place else ref


def parse(data: bytes) -> Root:
    """Read a root. Raises FormatError for other or damaged bytes, for a later version, and above the limits."""
    if len(data) > limits.ROOT:
        raise FormatError(f"not a valid root: it is larger than {limits.ROOT:,} bytes")
    if blake3(data[:-32]).digest() != data[-32:]:
        raise FormatError("not a valid root: it is damaged")
    reader = Reader(data[:-32], "root")
    magic, version, kind, flags, name, size, files, write_id = _HEAD.unpack(reader.take(_HEAD.size))
    if magic != _MAGIC:
        raise reader.fail("its first bytes are not a root's")
    if version != 1 or flags & ~(_PLACED | _UNPROVEN) or kind not in _KINDS.values():
        raise reader.fail(f"version {version}, kind {kind}, flags {flags} is unknown; a newer mvc may read it")
    placed = bool(flags & _PLACED)
    count = reader.number("I")
    if count * 40 > reader.left:
        raise reader.fail("it claims too many packs")
    packs = tuple(PackRef(reader.raw(32), reader.number("Q")) for _ in range(count))
    parts = _PartReader(reader, packs, placed=placed)
    segments: tuple[Part, ...] = ()
    leaves: tuple[LeafRef, ...] = ()
    if kind == _KINDS["file"]:
        segments = parts.several()
        counted = (size, files)
    else:
        leaves = tuple(parts.leaf() for _ in range(parts.count(48)))
        counted = (sum(leaf.size for leaf in leaves), sum(leaf.entries for leaf in leaves))
    reader.end()
    if counted != (size, files):
        raise reader.fail("its parts do not add up")
    known = "file" if kind == _KINDS["file"] else "tree"
    return Root(known, Oid(name), size, files, write_id, packs, segments, leaves, placed, bool(flags & _UNPROVEN))


class _PartReader:
    """Reads the parts of a root whose pack table is known."""

    __slots__ = ("_packs", "_placed", "_reader")

    def __init__(self, reader: Reader, packs: tuple[PackRef, ...], *, placed: bool) -> None:
        self._reader = reader
        self._packs = packs
        self._placed = placed

    def count(self, least: int) -> int:
        """Read the number of items that follow, of at least LEAST bytes each. Raises FormatError if they cannot fit."""
        count = self._reader.number("I")
        if count * least > self._reader.left:
            raise self._reader.fail("it claims more parts than it has")
        return count

    def several(self) -> tuple[Part, ...]:
        return tuple(self.part() for _ in range(self.count(5)))

    def part(self) -> Part:
        reader = self._reader
        kind = reader.number("B")
        if kind == 0:
            length = reader.number("I")
            return inline(reader.raw(length), 0)
        if kind != 1:
            raise reader.fail(f"a part of kind {kind} is not known")
        name, length, content = reader.raw(32), *reader.fields("IQ")
        if length > max(limits.SEGMENT, limits.LEAF):
            raise reader.fail("a part is too large")
        place = self._place() if self._placed else None
        return Part(None, name, length, content, place)

    def _place(self) -> PartPlace:
        place = PartPlace(*_PLACE.unpack(self._reader.take(_PLACE.size)))
        if place.pack >= len(self._packs) or place.offset + place.stored > self._packs[place.pack].size:
            raise self._reader.fail("a part lies outside its pack")
        if place.stored > limits.CHUNK:
            raise self._reader.fail("a part is too large")
        return place

    def leaf(self) -> LeafRef:
        reader = self._reader
        digest = reader.raw(32)
        entries, size, length = reader.fields("IQH")
        try:
            first = reader.raw(length).decode()
        except UnicodeDecodeError:
            raise reader.fail("a path is not UTF-8") from None
        return LeafRef(digest, entries, size, first, self.part(), self.several())

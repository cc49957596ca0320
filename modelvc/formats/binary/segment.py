"""Read and write segments: runs of records, each a chunk's cid and, on a remote, its placement. Spec:

docs/format.md#segment.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary.pack import Encoding, Located, PackRef, Stored, read_encodings, write_encodings
from modelvc.formats.binary.reader import Reader, column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAGIC = b"MVCS"
_PLACED = 1
_BORDER = 0x0FFF  # twelve zero bits: 4,096 records on average


@dataclass(frozen=True, slots=True)
class Recipe:
    """The cids and raw lengths of chunks in the order of the content. It is the same in every store."""

    cids: bytes  # 32 bytes a record
    lengths: array[int]  # 'I', raw bytes
    spans: tuple[tuple[int, int], ...]  # (records, chunker id), in order

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        cids = self.cids
        for place, length in enumerate(self.lengths):
            yield cids[place * 32 : place * 32 + 32], length

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(self.lengths)

    def cut(self, start: int, stop: int) -> Recipe:
        """Return the records from START up to STOP."""
        spans, at = [], 0
        for count, chunker in self.spans:
            inside = min(at + count, stop) - max(at, start)
            if inside > 0:
                spans.append((inside, chunker))
            at += count
        return Recipe(self.cids[start * 32 : stop * 32], self.lengths[start:stop], tuple(spans))


EMPTY = Recipe(b"", array("I"), ())


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the chunks of a recipe lie on one remote: for each record a pack's position in `packs`, and a Stored."""

    packs: tuple[PackRef, ...]
    pack: array[int]  # 'I', position in `packs`
    stored: tuple[Stored, ...]

    def chunks(self, count: int | None = None) -> Iterator[Located]:
        """Yield where the chunk of each record lies, or of the first COUNT records."""
        for place, stored in zip(self.pack[:count], self.stored[:count], strict=True):
            yield Located(self.packs[place].name, stored)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of records. The last `auxiliary` ones serve as bases for decoding:

    the object needs them, its content does not.
    """

    recipe: Recipe  # of all records; see `content`
    placement: Placement | None
    auxiliary: int = 0

    @property
    def count(self) -> int:
        """Number of records that are content."""
        return len(self.recipe) - self.auxiliary

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(self.recipe.lengths[: self.count])

    def content(self) -> Recipe:
        """Return the records that are content. Only these may be joined to the content of an object."""
        return self.recipe.cut(0, self.count) if self.auxiliary else self.recipe

    def places(self) -> Iterator[Located]:
        """Yield where the chunks of the content lie. Raises FormatError for a segment without placement."""
        return self.placed().chunks(self.count)

    def all_places(self) -> Iterator[Located]:
        """Yield where all chunks lie that the object needs, auxiliary ones included. Raises FormatError as `places`."""
        return self.placed().chunks()

    def placed(self) -> Placement:
        """Return the placement. Raises FormatError for a segment without one."""
        if self.placement is None:
            raise FormatError("not a valid root: a segment has no placement")
        return self.placement

    def encode(self) -> bytes:
        """Return the bytes of the segment. Raises FormatError if they exceed the limit."""
        recipe, placement = self.recipe, self.placement
        n = self.count
        if max(n, self.auxiliary) > limits.SEGMENT_RECORDS:
            raise FormatError(f"a segment of {n:,} and {self.auxiliary:,} records is too large")
        packs, encodings = (placement.packs, sorted({s.encoding for s in placement.stored})) if placement else ((), [])
        head = struct.pack(
            "<4sBBHIIQIHH",
            _MAGIC,
            1,
            _PLACED if placement else 0,
            0,
            n,
            self.auxiliary,
            sum(recipe.lengths[:n]),
            len(packs),
            len(encodings),
            len(recipe.spans),
        )
        parts = [head, *(struct.pack("<IH", count, chunker) for count, chunker in recipe.spans)]
        parts.append(write_encodings(encodings))
        parts += [struct.pack("<32sQ", name, size) for name, size in packs]
        parts += [recipe.cids, column("I", recipe.lengths)]
        if placement:
            number = {encoding: place for place, encoding in enumerate(encodings)}
            parts += [
                column("I", placement.pack),
                column("Q", array("Q", [s.offset for s in placement.stored])),
                column("I", array("I", [s.stored for s in placement.stored])),
                column("H", array("H", [number[s.encoding] for s in placement.stored])),
                column("Q", array("Q", [s.xxh3 for s in placement.stored])),
            ]
        data = b"".join(parts)
        if len(data) > limits.SEGMENT:
            raise FormatError(f"a segment of {len(data):,} bytes is too large")
        return data


def parse(data: bytes | memoryview) -> Segment:
    """Read a segment. Raises FormatError for other bytes, for a later version, and above the limits."""
    reader = Reader(data, "segment")
    if len(data) > limits.SEGMENT:
        raise reader.fail(f"it is larger than {limits.SEGMENT:,} bytes")
    reader.expect(_MAGIC, "its first bytes are not a segment's")
    version, flags, zero = reader.fields("BBH")
    if version != 1 or flags & ~_PLACED or zero:
        raise reader.fail(f"version {version} with flags {flags} is unknown; a newer mvc may read it")
    n, m, size = reader.fields("IIQ")
    packs, encodings, spans = reader.fields("IHH")
    if max(n, m, packs) > 2 * limits.SEGMENT_RECORDS or max(n, m) > limits.SEGMENT_RECORDS:
        raise reader.fail("it claims too many records")
    runs = tuple((count, chunker) for count, chunker in (reader.fields("IH") for _ in range(spans)))
    if sum(count for count, _ in runs) != n:
        raise reader.fail("its spans do not add up")
    kinds: tuple[Encoding, ...] = read_encodings(reader, encodings)
    table = tuple(PackRef(reader.raw(32), reader.number("Q")) for _ in range(packs))
    total = n + m
    recipe = Recipe(reader.raw(total * 32), reader.column("I", total), runs)
    if any(length > limits.CHUNK or not length for length in recipe.lengths):
        raise reader.fail("a chunk is empty or too large")
    if sum(recipe.lengths[:n]) != size:
        raise reader.fail("its lengths do not add up")
    placement = _placement(reader, recipe, table, kinds) if flags & _PLACED else None
    reader.end()
    return Segment(recipe, placement, m)


def _placement(reader: Reader, recipe: Recipe, packs: tuple[PackRef, ...], kinds: tuple[Encoding, ...]) -> Placement:
    """Read the columns that say where the chunks of RECIPE lie."""
    total = len(recipe)
    pack, offset = reader.column("I", total), reader.column("Q", total)
    stored, encoding, xxh3 = reader.column("I", total), reader.column("H", total), reader.column("Q", total)
    if total and (max(pack) >= len(packs) or max(encoding) >= len(kinds)):
        raise reader.fail("a record names a pack or an encoding that is not listed")
    for place, start, length in zip(pack, offset, stored, strict=True):
        if length > limits.CHUNK or start + length > packs[place].size:
            raise reader.fail("a chunk lies outside its pack or is too large")
    records = zip(recipe, offset, stored, encoding, xxh3, strict=True)
    return Placement(packs, pack, tuple(Stored(cid, o, s, raw, x, kinds[e]) for (cid, raw), o, s, e, x in records))


def borders(cids: bytes) -> Sequence[int]:
    """Return where the segments of a blob end, as positions of records. The last one is the number of records."""
    total = len(cids) // 32
    ends, start = [], 0
    for place in range(total):
        if not (cids[place * 32] | cids[place * 32 + 1] << 8) & _BORDER or place + 1 - start == limits.SEGMENT_RECORDS:
            start = place + 1
            ends.append(start)
    if not ends or ends[-1] != total:
        ends.append(total)
    return ends

"""Packs: many stored chunks in one write-once file. Spec: docs/format.md#pack."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    ReadAt = Callable[[int, int], bytes | memoryview]  # offset, length

MAGIC = b"MVCPACK1"
END = b"MVCPEND1"
ALIGN = 4096  # a raw blob starts at a multiple of this, so that a file system can clone it
FOOTER = struct.Struct("<II32s8s")
RECORD = struct.Struct("<32sQIIQH")
_HEAD = struct.Struct("<HH16sIH")
NO_SALT = bytes(16)
_CONTEXT = "modelvc v1 pack"

Encoding = tuple[int, bytes]  # id, parameters
RAW: Encoding = (0, b"")
ZSTD: Encoding = (1, b"")


class Stored(NamedTuple):
    """One chunk in a pack: its name, where its stored bytes lie, and how to read them."""

    cid: bytes
    offset: int
    stored: int  # bytes as stored
    raw: int  # bytes of content
    xxh3: int  # xxh3-64 of the stored bytes
    encoding: Encoding


class Building:
    """The records of a pack that is being written. Whatever a reader would refuse does not fit in."""

    __slots__ = ("_encodings", "_table", "chunks")

    def __init__(self) -> None:
        self.chunks: dict[bytes, Stored] = {}
        self._encodings: set[Encoding] = set()
        self._table = _HEAD.size  # bytes before the records

    def __len__(self) -> int:
        return len(self.chunks)

    def fits(self, encodings: Sequence[Encoding]) -> bool:
        """Whether a reader accepts the pack with one more chunk in each of ENCODINGS."""
        new = set(encodings) - self._encodings
        records = (len(self.chunks) + len(encodings)) * RECORD.size
        table = self._table + sum(3 + len(params) for _, params in new)
        return table + records <= limits.TRAILER and len(self._encodings) + len(new) <= limits.ENCODINGS

    def add(self, chunk: Stored) -> None:
        """Note a chunk that fits. FormatError for one that no reader accepts."""
        if max(chunk.stored, chunk.raw) > limits.CHUNK:
            raise FormatError(f"a chunk of {max(chunk.stored, chunk.raw):,} bytes is too large for a pack")
        if chunk.encoding not in self._encodings:
            self._encodings.add(chunk.encoding)
            self._table += 3 + len(chunk.encoding[1])
        self.chunks[chunk.cid] = chunk

    @property
    def end(self) -> int:
        """Bytes that follow the chunks: trailer and footer."""
        return self._table + len(self.chunks) * RECORD.size + FOOTER.size


def encode_trailer(chunks: Iterable[Stored], salt: bytes = NO_SALT) -> bytes:
    """The trailer of a pack that holds CHUNKS; a cid given twice keeps its first place."""
    by_cid: dict[bytes, Stored] = {}
    for chunk in chunks:
        by_cid.setdefault(chunk.cid, chunk)
    encodings = sorted({chunk.encoding for chunk in by_cid.values()})
    number = {encoding: place for place, encoding in enumerate(encodings)}
    head = _HEAD.pack(1, 0, salt, len(by_cid), len(encodings))
    return b"".join(
        (
            head,
            write_encodings(encodings),
            *(
                RECORD.pack(c.cid, c.offset, c.stored, c.raw, c.xxh3, number[c.encoding])
                for _, c in sorted(by_cid.items())
            ),
        )
    )


def size_of(chunks: int, stored: int) -> int:
    """Bytes of a pack of so many CHUNKS with so many STORED bytes, without gaps."""
    return len(MAGIC) + stored + _HEAD.size + 3 + chunks * RECORD.size + FOOTER.size


def pack_id(trailer: bytes | memoryview) -> bytes:
    """The name of the pack with this trailer: 32 bytes."""
    return blake3(trailer, derive_key_context=_CONTEXT).digest()


def footer(trailer: bytes) -> bytes:
    (count,) = struct.unpack_from("<I", trailer, 20)
    return FOOTER.pack(len(trailer), count, blake3(trailer).digest(), END)


def parse_footer(data: bytes | memoryview) -> tuple[int, bytes]:
    """The length of the trailer before this footer, and its hash."""
    if len(data) != FOOTER.size:
        raise FormatError("not a valid pack: it ends too early")
    length, _, digest, end = FOOTER.unpack(data)
    if end != END:
        raise FormatError("not a valid pack: its last bytes are not a pack's")
    if length > limits.TRAILER:
        raise FormatError(f"not a valid pack: a trailer of {length} bytes is too large")
    return length, digest


def read_trailer(size: int, read_at: ReadAt, name: bytes) -> Trailer:
    """The trailer of a pack of SIZE bytes, compared with the pack's NAME. Raises FormatError."""
    end = size - FOOTER.size
    if end < len(MAGIC):
        raise FormatError("not a valid pack: it ends too early")
    length, digest = parse_footer(read_at(end, FOOTER.size))
    start = end - length
    if start < len(MAGIC):
        raise FormatError("not a valid pack: its trailer is longer than the pack")
    data = read_at(start, length)
    if pack_id(data) != name:
        raise FormatError("not a valid pack: its trailer does not belong to its name")
    return Trailer(data, start, digest)


def prove(size: int, read_at: ReadAt, name: bytes, count: int) -> Trailer:
    """Read a pack of COUNT chunks back as any reader will. Every writer asks this before the pack gets its NAME."""
    found = read_trailer(size, read_at, name)
    if read_at(0, len(MAGIC)) != MAGIC or read_at(size - FOOTER.size, FOOTER.size) != found.footer():
        raise FormatError("not a valid pack: its first or last bytes are damaged")
    if found.count != count:
        raise FormatError(f"not a valid pack: it holds {found.count:,} chunks instead of {count:,}")
    return found


class Trailer:
    """What a pack holds, looked up by bisection in its own bytes: no parsing for a single chunk."""

    __slots__ = ("_at", "_data", "count", "encodings", "salt")

    def __init__(self, data: bytes | memoryview, size: int, digest: bytes | None = None) -> None:
        """DATA is the trailer of a pack whose trailer starts at byte SIZE; DIGEST is the footer's hash of it."""
        if digest is not None and blake3(data).digest() != digest:
            raise FormatError("not a valid pack: its trailer is damaged")
        reader = Reader(data, "pack trailer")
        version, flags = reader.fields("HH")
        if version != 1 or flags:
            raise reader.fail(f"version {version} with flags {flags} is not known; a newer mvc may read it")
        self.salt = reader.raw(16)
        self.count, encodings = reader.fields("IH")
        if len(data) > limits.TRAILER or encodings > limits.ENCODINGS:
            raise reader.fail(f"{len(data):,} bytes with {encodings:,} encodings are too many")
        self.encodings: tuple[Encoding, ...] = read_encodings(reader, encodings)
        if reader.left != self.count * RECORD.size:
            raise reader.fail("its records do not fill it")
        self._at = len(data) - self.count * RECORD.size
        self._data = memoryview(data)
        last = b""
        for cid, offset, stored, raw, _, encoding in RECORD.iter_unpack(self._data[self._at :]):
            if cid <= last and last:
                raise reader.fail("its records are not sorted")
            if offset < len(MAGIC) or offset + stored > size or stored > limits.CHUNK or raw > limits.CHUNK:
                raise reader.fail("a chunk lies outside the pack or is too large")
            if encoding >= len(self.encodings):
                raise reader.fail("a chunk has an encoding that is not listed")
            last = cid

    def __iter__(self) -> Iterator[Stored]:
        table = self.encodings
        for cid, offset, stored, raw, xxh3, encoding in RECORD.iter_unpack(self._data[self._at :]):
            yield Stored(cid, offset, stored, raw, xxh3, table[encoding])

    def find(self, cid: bytes) -> Stored | None:
        place = self.place(cid)
        return None if place is None else self.at(place)

    def place(self, cid: bytes) -> int | None:
        """Which record a chunk has, counted from 0."""
        data, base, width = self._data, self._at, RECORD.size
        low, high = 0, self.count
        while low < high:
            middle = (low + high) >> 1
            at = base + middle * width
            if data[at : at + 32].tobytes() < cid:
                low = middle + 1
            else:
                high = middle
        at = base + low * width
        return low if low < self.count and data[at : at + 32] == cid else None

    def at(self, place: int) -> Stored:
        cid, offset, stored, raw, xxh3, encoding = RECORD.unpack_from(self._data, self._at + place * RECORD.size)
        return Stored(cid, offset, stored, raw, xxh3, self.encodings[encoding])

    def footer(self) -> bytes:
        """The last bytes of the pack."""
        return footer(self.data)

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return bytes(self._data)

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self._data)


def read_encodings(reader: Reader, count: int) -> tuple[Encoding, ...]:
    found = []
    for _ in range(count):
        code, length = reader.fields("BH")
        found.append((code, reader.raw(length)))
    return tuple(found)


def write_encodings(encodings: Sequence[Encoding]) -> bytes:
    return b"".join(struct.pack("<BH", code, len(params)) + params for code, params in encodings)

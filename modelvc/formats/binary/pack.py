"""Read and write packs: many stored chunks in one write-once file. Spec: docs/format.md#pack."""

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


class Encoding(NamedTuple):
    """How the bytes of a chunk were changed to be stored. Ids and parameters: docs/format.md#encodings."""

    id: int
    params: bytes = b""


RAW = Encoding(0)
ZSTD = Encoding(1)


class NewChunk(NamedTuple):
    """A chunk that goes into a pack: its cid, and how its stored bytes are read."""

    cid: bytes
    stored: int  # bytes as stored
    raw: int  # bytes of content
    xxh3: int  # xxh3-64 of the stored bytes
    encoding: Encoding

    def at(self, offset: int) -> Stored:
        """Return the chunk as it lies at byte OFFSET of a pack."""
        return Stored(self.cid, offset, self.stored, self.raw, self.xxh3, self.encoding)


class Stored(NamedTuple):
    """A chunk in a pack: its cid, where its stored bytes lie, and how they are read."""

    cid: bytes
    offset: int
    stored: int  # bytes as stored
    raw: int  # bytes of content
    xxh3: int  # xxh3-64 of the stored bytes
    encoding: Encoding

    def as_new(self) -> NewChunk:
        """Return the chunk as it goes into another pack."""
        return NewChunk(self.cid, self.stored, self.raw, self.xxh3, self.encoding)


class Located(NamedTuple):
    """A chunk and the id of the pack in which it lies."""

    pack: bytes
    chunk: Stored


class PackRef(NamedTuple):
    """A pack: its id, and its size in bytes."""

    name: bytes
    size: int


class Building:
    """The records of a pack that is being written. It takes only what a reader accepts."""

    __slots__ = ("_encodings", "_table", "chunks")

    def __init__(self) -> None:
        self.chunks: dict[bytes, Stored] = {}
        self._encodings: set[Encoding] = set()
        self._table = _HEAD.size  # bytes before the records

    def __len__(self) -> int:
        return len(self.chunks)

    def fits(self, encodings: Sequence[Encoding]) -> bool:
        """Return True if a reader accepts the pack with one more chunk in each of ENCODINGS."""
        new = set(encodings) - self._encodings
        records = (len(self.chunks) + len(encodings)) * RECORD.size
        table = self._table + sum(3 + len(one.params) for one in new)
        return table + records <= limits.TRAILER and len(self._encodings) + len(new) <= limits.ENCODINGS

    def add(self, chunk: Stored) -> None:
        """Add a chunk for which `fits` is True. Raises FormatError for a chunk above the limit."""
        if max(chunk.stored, chunk.raw) > limits.CHUNK:
            raise FormatError(f"a chunk of {max(chunk.stored, chunk.raw):,} bytes is too large for a pack")
        if chunk.encoding not in self._encodings:
            self._encodings.add(chunk.encoding)
            self._table += 3 + len(chunk.encoding.params)
        self.chunks[chunk.cid] = chunk

    @property
    def end(self) -> int:
        """Bytes that follow the chunks: trailer and footer."""
        return self._table + len(self.chunks) * RECORD.size + FOOTER.size


def encode_trailer(chunks: Iterable[Stored], salt: bytes = NO_SALT) -> bytes:
    """Return the trailer of a pack that holds CHUNKS. Of two chunks with one cid, the first counts."""
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
    """Return the bytes of a pack of so many CHUNKS with so many STORED bytes, without gaps."""
    return len(MAGIC) + stored + _HEAD.size + 3 + chunks * RECORD.size + FOOTER.size


def pack_id(trailer: bytes | memoryview) -> bytes:
    """Return the name of the pack with this trailer, 32 bytes."""
    return blake3(trailer, derive_key_context=_CONTEXT).digest()


class Footer(NamedTuple):
    """The last bytes of a pack, which bound and prove its trailer."""

    length: int  # bytes of the trailer
    records: int
    digest: bytes  # blake3 of the trailer


def footer(trailer: bytes) -> bytes:
    """Return the last bytes of a pack with this TRAILER."""
    (count,) = struct.unpack_from("<I", trailer, 20)
    return FOOTER.pack(len(trailer), count, blake3(trailer).digest(), END)


def parse_footer(data: bytes | memoryview) -> Footer:
    """Read the last bytes of a pack. Raises FormatError for other bytes and for a trailer above the limit."""
    if len(data) != FOOTER.size:
        raise FormatError("not a valid pack: it ends too early")
    length, count, digest, end = FOOTER.unpack(data)
    if end != END:
        raise FormatError("not a valid pack: its end marker is wrong")
    if length > limits.TRAILER:
        raise FormatError(f"not a valid pack: a trailer of {length} bytes is too large")
    return Footer(length, count, digest)


def bytes_at(data: bytes | bytearray) -> ReadAt:
    """Return a function that reads ranges of a pack in memory."""
    return lambda offset, length: bytes(data[offset : offset + length])


def read_trailer(size: int, read_at: ReadAt, name: bytes, *, ahead: int = 0, strict: bool = False) -> Trailer:
    """Find the trailer of a pack of SIZE bytes, bound it, compare it with the pack's NAME, and return it.

    The last AHEAD bytes are read at once. If they hold the whole trailer, nothing else is read. With STRICT, a footer
    that counts other records is refused too, although no reader needs that count. Raises FormatError, and what READ_AT
    raises.
    """
    end = size - FOOTER.size
    if end < len(MAGIC):
        raise FormatError("not a valid pack: it ends too early")
    known = max(0, min(end, size - ahead))
    tail = read_at(known, size - known)
    length, count, digest = parse_footer(tail[end - known :])
    start = end - length
    if start < len(MAGIC):
        raise FormatError("not a valid pack: its trailer is longer than the pack")
    head = bytes(read_at(start, known - start)) if start < known else b""
    data = head + tail[max(0, start - known) : end - known]
    if pack_id(data) != name:
        raise FormatError("not a valid pack: its trailer does not match its name")
    found = Trailer(data, start, digest)
    if strict and found.count != count:
        raise FormatError("not a valid pack: its footer is damaged")
    return found


def check_pack(size: int, read_at: ReadAt, name: bytes, count: int | None = None) -> Trailer:
    """Read the trailer of a pack, compare the first and last bytes as well, and return it.

    Every writer checks a pack before the pack gets its NAME. Raises FormatError, also unless the pack holds COUNT
    chunks (None: any number).
    """
    found = read_trailer(size, read_at, name, strict=True)
    if read_at(0, len(MAGIC)) != MAGIC:
        raise FormatError("not a valid pack: its header is damaged")
    if count is not None and found.count != count:
        raise FormatError(f"not a valid pack: it holds {found.count:,} chunks instead of {count:,}")
    return found


class Trailer:
    """What a pack holds.

    A chunk is found by bisection in the bytes of the trailer, which are parsed once to check them.
    """

    __slots__ = ("_at", "_data", "count", "encodings", "salt")

    def __init__(self, data: bytes | memoryview, size: int, digest: bytes | None = None) -> None:
        """Check DATA, the trailer that starts at byte SIZE of its pack.

        DIGEST is the footer's hash of DATA; None if it is not known. Raises FormatError for damaged bytes, for a later
        version, and above the limits.
        """
        if digest is not None and blake3(data).digest() != digest:
            raise FormatError("not a valid pack: its trailer is damaged")
        reader = Reader(data, "pack trailer")
        version, flags = reader.fields("HH")
        if version != 1 or flags:
            raise reader.fail(f"version {version} with flags {flags} is unknown; a newer mvc may read it")
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
        """Return the chunk CID, or None if the pack does not hold it."""
        place = self.place(cid)
        return None if place is None else self.at(place)

    def place(self, cid: bytes) -> int | None:
        """Return the position of a chunk's record, or None if the pack does not hold the chunk."""
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
        """Return the chunk whose record is at position PLACE."""
        cid, offset, stored, raw, xxh3, encoding = RECORD.unpack_from(self._data, self._at + place * RECORD.size)
        return Stored(cid, offset, stored, raw, xxh3, self.encodings[encoding])

    def footer(self) -> bytes:
        """Return the last bytes of the pack."""
        return footer(self.data)

    @property
    def data(self) -> bytes:
        """The bytes of the trailer."""
        return bytes(self._data)

    @property
    def size(self) -> int:
        """Number of bytes of the trailer."""
        return len(self._data)


def read_encodings(reader: Reader, count: int) -> tuple[Encoding, ...]:
    """Read a table of COUNT encodings."""
    found = []
    for _ in range(count):
        code, length = reader.fields("BH")
        found.append(Encoding(code, reader.raw(length)))
    return tuple(found)


def write_encodings(encodings: Sequence[Encoding]) -> bytes:
    """Return the bytes of a table of encodings."""
    return b"".join(struct.pack("<BH", code, len(params)) + params for code, params in encodings)

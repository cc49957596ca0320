r"""Find the pack that holds a chunk. The index is a cache: sorted generations over old packs, trailers of newer packs.

A generation is one file, replaced as a whole:
    "MVCIDX1\0", u32 packs, u32 encodings, u64 records; pack ids; encodings as in a pack's trailer;
    256 x u64 number of cids whose first byte is at most that; cids, sorted; records of 30 bytes in the same order
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from typing import TYPE_CHECKING

from modelvc.atomic import make_folder, write_durably
from modelvc.errors import FormatError, IntegrityError
from modelvc.formats import limits
from modelvc.formats.binary.pack import Located, Stored, read_encodings, write_encodings
from modelvc.formats.binary.reader import Reader
from modelvc.store.local import packfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelvc.atomic import Disk
    from modelvc.formats.binary.pack import Encoding, Trailer

_MAGIC = b"MVCIDX1\0"
_HEAD = struct.Struct("<8sIIQ")
_RECORD = struct.Struct("<IQIIQH")
_FAN = struct.Struct("<256Q")
_HEX = frozenset("0123456789abcdef")
LOOSE = 16  # packs read one by one before they are merged into a generation


class _Generation:
    """One sorted file, mapped into memory and searched by bisection."""

    def __init__(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO there is damage: do not wait
        try:
            self._map = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        reader = Reader(memoryview(self._map), "chunk index")
        magic, packs, encodings, self.count = _HEAD.unpack(reader.take(_HEAD.size))
        if magic != _MAGIC or packs * 32 > reader.left:
            raise reader.fail("its first bytes are not an index's")
        self.packs = [reader.raw(32) for _ in range(packs)]
        self._encodings = read_encodings(reader, encodings)
        self._fan = _FAN.unpack(reader.take(_FAN.size))
        if reader.left != self.count * (32 + _RECORD.size):
            raise reader.fail("its records do not fill it")
        self._cids = len(self._map) - reader.left
        self._records = self._cids + self.count * 32

    def find(self, cid: bytes) -> Located | None:
        """Return where a chunk lies, or None. Raises IndexError, ValueError or struct.error for a damaged file."""
        data, base = self._map, self._cids
        low, high = (self._fan[cid[0] - 1] if cid[0] else 0), self._fan[cid[0]]
        while low < high:
            middle = (low + high) >> 1
            at = base + middle * 32
            if data[at : at + 32] < cid:
                low = middle + 1
            else:
                high = middle
        at = base + low * 32
        if low >= self.count or data[at : at + 32] != cid:
            return None
        return self._at(cid, low)

    def _at(self, cid: bytes, place: int) -> Located:
        pack, offset, stored, raw, xxh3, encoding = _RECORD.unpack_from(self._map, self._records + place * _RECORD.size)
        if stored > limits.CHUNK or raw > limits.CHUNK:  # damage; never allocate gigabytes for a cache
            raise ValueError
        chunk = Stored(cid, offset, stored, raw, xxh3, self._encodings[encoding])
        return Located(self.packs[pack], chunk)

    def __iter__(self) -> Iterator[Located]:
        for place in range(self.count):
            at = self._cids + place * 32
            yield self._at(self._map[at : at + 32], place)


class ChunkIndex:
    """Finds chunks in all packs of a local store. Call `refresh` after packs came or went.

    Reading is safe from many threads.
    """

    def __init__(self, root: str, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._generation: _Generation | None = None
        self._loose: dict[bytes, Trailer] = {}
        self._covered: frozenset[bytes] = frozenset()
        self.refresh()

    def refresh(self) -> None:
        """List the packs and choose the newest generation again."""
        here = set(list_packs(self._root))
        self._generation = self._newest(here)
        self._covered = frozenset(self._generation.packs) if self._generation else frozenset()
        self._loose = {name: self._loose.get(name) or self._open(name) for name in here - self._covered}

    def find(self, cid: bytes) -> Located | None:
        """Return where a chunk lies, or None if no pack holds it. A damaged generation is dropped on the way."""
        generation = self._generation
        try:
            if generation and (found := generation.find(cid)):
                return found
        except (IndexError, ValueError, struct.error):  # damaged; the trailers hold the same
            self.drop()
            self.refresh()
        for name, trailer in self._loose.items():
            if chunk := trailer.find(cid):
                return Located(name, chunk)
        return None

    @property
    def loose(self) -> int:
        """Number of packs that no generation covers."""
        return len(self._loose)

    def chunks_of(self, name: bytes) -> Iterator[Stored]:
        """Iterate over the chunks of one pack, by its own trailer. A damaged pack has none."""
        return iter(self._loose.get(name) or self._open(name))

    def merge(self) -> None:
        """Write a generation over all packs, and delete the one before."""
        old = self._names()
        number = int(old[-1]) + 1 if old else 1
        found = [*(self._generation or ()), *(Located(name, chunk) for name, t in self._loose.items() for chunk in t)]
        found.sort(key=lambda one: one.chunk.cid)
        make_folder(self._disk, self._folder)
        data = _encode(found)
        write_durably(
            self._disk, os.path.join(self._folder, f"{number:08d}"), data, tmp=os.path.join(self._root, "tmp")
        )
        for name in old:
            _forget(os.path.join(self._folder, name))
        self.refresh()

    def drop(self) -> None:
        """Delete every generation: the trailers hold the same."""
        if os.path.isdir(self._folder):
            for name in self._names():
                _forget(os.path.join(self._folder, name))

    def _names(self) -> list[str]:
        """Return the file names of generations, the oldest first, and ignore other files."""
        found = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        return sorted(name for name in found if name.isascii() and name.isdigit())

    @property
    def _folder(self) -> str:
        return os.path.join(self._root, "index")

    def _newest(self, here: set[bytes]) -> _Generation | None:
        for name in reversed(self._names()):
            try:
                found = _Generation(os.path.join(self._folder, name))
            except (OSError, FormatError, ValueError, struct.error):
                continue  # replaced meanwhile, torn, or no file; the trailers hold the same
            if here.issuperset(found.packs):
                return found
        return None

    def _open(self, name: bytes) -> Trailer:
        try:
            return packfile.open_trailer(self._root, name)
        except FileNotFoundError:
            return _EMPTY
        except IntegrityError:
            return _EMPTY  # its chunks count as missing; fsck names the pack


def _encode(found: list[Located]) -> bytes:
    packs = sorted({name for name, _ in found})
    pack_number = {name: place for place, name in enumerate(packs)}
    encodings: list[Encoding] = sorted({chunk.encoding for _, chunk in found})
    encoding_number = {encoding: place for place, encoding in enumerate(encodings)}
    cids, records, fan, last = [], [], [0] * 256, b""
    for name, (cid, offset, stored, raw, xxh3, encoding) in found:
        if cid == last:
            continue
        last = cid
        cids.append(cid)
        records.append(_RECORD.pack(pack_number[name], offset, stored, raw, xxh3, encoding_number[encoding]))
        fan[cid[0]] += 1
    for byte in range(1, 256):
        fan[byte] += fan[byte - 1]
    head = _HEAD.pack(_MAGIC, len(packs), len(encodings), len(cids))
    return b"".join((head, *packs, write_encodings(encodings), _FAN.pack(*fan), *cids, *records))


def is_shard(name: str) -> bool:
    """Return True if NAME is two hex digits. File managers leave other folders in a store."""
    return len(name) == 2 and _HEX.issuperset(name)


def list_packs(root: str) -> Iterable[bytes]:
    """Yield the names of the packs in a local store."""
    top = os.path.join(root, "packs")
    if not os.path.isdir(top):
        return
    for shard in os.listdir(top):
        if not is_shard(shard):
            continue
        for name in os.listdir(os.path.join(top, shard)):
            if len(name) == 64 and _HEX.issuperset(name) and name.startswith(shard):
                yield bytes.fromhex(name)


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _nothing() -> Trailer:
    from modelvc.formats.binary.pack import Trailer, encode_trailer

    return Trailer(encode_trailer(()), 0)


_EMPTY = _nothing()

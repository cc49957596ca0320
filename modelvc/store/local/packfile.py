"""One pack as a file of the local store: written once, found by its trailer."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.atomic import create_file, lock, make_folder
from modelvc.formats.binary import pack
from modelvc.store.objects import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.atomic import Disk
    from modelvc.formats.binary.pack import NewChunk, ReadAt, Stored, Trailer

_BUFFER = 1 << 20  # small chunks are written together
_WRITEBACK = 16 << 20  # bytes written before the disk is told to start on them


class PackWriter:
    """Appends chunks to a pack that has no name yet; `seal` gives it one. Not for several threads.

    The temporary file is locked for as long as its process lives, so that others know a dead one's and remove it.
    """

    def __init__(self, root: str, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._tmp = os.path.join(root, "tmp", f"pack-{os.getpid()}-{os.urandom(8).hex()}")
        self._fd = create_file(self._tmp, os.O_RDWR | os.O_EXCL)
        lock(self._fd)
        self._pending = bytearray(pack.MAGIC)
        self._size = len(pack.MAGIC)
        self._records = pack.Building()
        self._writeback = EarlyWriteback(self._fd)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def find(self, cid: bytes) -> Stored | None:
        return self._records.chunks.get(cid)

    def cids(self) -> Iterable[bytes]:
        return self._records.chunks.keys()

    def fits(self, chunks: Sequence[NewChunk]) -> bool:
        """Whether a reader accepts the pack with CHUNKS as well."""
        return self._records.fits([chunk.encoding for chunk in chunks])

    def align(self) -> None:
        """Let the next chunk start where a file system can clone it."""
        gap = -self._size % pack.ALIGN
        self._pending += bytes(gap)
        self._size += gap

    def append(self, data: bytes | bytearray | memoryview, chunks: Iterable[NewChunk]) -> None:
        """Write DATA, the stored bytes of CHUNKS one behind the other, at once."""
        size = len(data)
        for chunk in chunks:
            self._records.add(chunk.at(self._size))
            self._size += chunk.stored
        if size >= _BUFFER >> 3:
            self._flush()
            self._disk.write(self._fd, data)
            self._writeback.wrote(size)
        else:
            self._pending += data
            if len(self._pending) >= _BUFFER:
                self._flush()

    def read(self, chunk: Stored) -> bytes:
        """Stored bytes of a chunk of this unfinished pack."""
        self._flush()
        return os.pread(self._fd, chunk.stored, chunk.offset)

    def seal(self) -> bytes:
        """Finish the pack, read it back, and give it its name; the pack id."""
        trailer = pack.encode_trailer(self._records.chunks.values())
        self._pending += trailer + pack.footer(trailer)
        self._flush()
        self._disk.fsync(self._fd)
        name = pack.pack_id(trailer)
        pack.prove(os.fstat(self._fd).st_size, _reading(self._fd), name, len(self._records))
        folder = os.path.dirname(path_of(self._root, name))
        make_folder(self._disk, folder)
        self._disk.rename(self._tmp, path_of(self._root, name))
        self._disk.fsync_dir(folder)
        os.close(self._fd)
        return name

    def abandon(self) -> None:
        os.close(self._fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._tmp)

    def _flush(self) -> None:
        if self._pending:
            self._disk.write(self._fd, self._pending)
            self._writeback.wrote(len(self._pending))
            self._pending = bytearray()


class EarlyWriteback:
    """Lets the disk work while the processor does, so that the last fsync finds little left to do."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun = self._written = 0

    def wrote(self, size: int) -> None:
        self._written += size
        length = self._written - self._begun
        if length >= _WRITEBACK and hasattr(os, "posix_fadvise"):
            # Linux answers this advice by starting to write; dirty pages stay in the cache
            os.posix_fadvise(self._fd, self._begun, length, os.POSIX_FADV_DONTNEED)
            self._begun = self._written


def path_of(root: str, name: bytes) -> str:
    digits = name.hex()
    return os.path.join(root, "packs", digits[:2], digits)


def read_trailer(fd: int, name: bytes) -> Trailer:
    """The trailer of the pack open as FD, checked against the pack's NAME."""
    return pack.read_trailer(os.fstat(fd).st_size, _reading(fd), name)


def prove(fd: int, name: bytes) -> Trailer:
    """Read the trailer, and compare the first and last bytes of the pack as well. Raises FormatError."""
    return pack.prove(os.fstat(fd).st_size, _reading(fd), name)


def open_trailer(root: str, name: bytes) -> Trailer:
    """The trailer of a pack of the store at ROOT; FileNotFoundError or FormatError."""
    fd = os.open(path_of(root, name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_trailer(fd, name)
    finally:
        os.close(fd)


def verified_bytes(fd: int, chunk: Stored) -> bytes | None:
    """The stored bytes of a chunk, if they are what the trailer says and the content is what the cid says."""
    stored = os.pread(fd, chunk.stored, chunk.offset)
    return None if codec.verified_content(chunk, stored) is None else stored


def missing_chunks(root: str, cids: Iterable[bytes], packs: Iterable[bytes]) -> set[bytes]:
    """Those of CIDS that none of PACKS holds. Each pack is opened and read for that, as its readers will."""
    left = set(cids)
    for name in packs:
        with contextlib.suppress(FileNotFoundError):  # another process merged it into a pack of its own
            left.difference_update(chunk.cid for chunk in open_trailer(root, name))
    return left


def _reading(fd: int) -> ReadAt:
    return lambda offset, length: os.pread(fd, length, offset)

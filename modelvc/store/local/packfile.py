"""Write and read one pack as a file of the local store."""

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

_BUFFER = 1 << 20  # bytes; small chunks are written together
_WRITEBACK = 16 << 20  # bytes after which writeback is started


class PackWriter:
    """Appends chunks to a pack that gets its name from `seal`. Use it from one thread only.

    The temporary file is locked while its process lives. Other processes delete an unlocked one.
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
        """Bytes written so far."""
        return self._size

    def find(self, cid: bytes) -> Stored | None:
        """Return the chunk CID, or None if this pack does not hold it."""
        return self._records.chunks.get(cid)

    def cids(self) -> Iterable[bytes]:
        """The cids of all chunks so far."""
        return self._records.chunks.keys()

    def fits(self, chunks: Sequence[NewChunk]) -> bool:
        """Return True if a reader accepts the pack with CHUNKS as well."""
        return self._records.fits([chunk.encoding for chunk in chunks])

    def align(self) -> None:
        """Move to a multiple of ALIGN bytes, where a file system can clone the next chunk."""
        gap = -self._size % pack.ALIGN
        self._pending += bytes(gap)
        self._size += gap

    def append(self, data: bytes | bytearray | memoryview, chunks: Iterable[NewChunk]) -> None:
        """Write DATA, the stored bytes of CHUNKS one after the other.

        Raises FormatError for a chunk above the limit.
        """
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
        """Return the stored bytes of a chunk of this unfinished pack."""
        self._flush()
        return os.pread(self._fd, chunk.stored, chunk.offset)

    def seal(self) -> bytes:
        """Finish the pack, read it back, and give it its name. Return the pack id.

        Raises FormatError if the file is damaged.
        """
        trailer = pack.encode_trailer(self._records.chunks.values())
        self._pending += trailer + pack.footer(trailer)
        self._flush()
        self._disk.fsync(self._fd)
        name = pack.pack_id(trailer)
        pack.check_pack(os.fstat(self._fd).st_size, _reading(self._fd), name, len(self._records))
        folder = os.path.dirname(path_of(self._root, name))
        make_folder(self._disk, folder)
        self._disk.rename(self._tmp, path_of(self._root, name))
        self._disk.fsync_dir(folder)
        os.close(self._fd)
        return name

    def abandon(self) -> None:
        """Delete the unfinished pack."""
        os.close(self._fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._tmp)

    def _flush(self) -> None:
        if self._pending:
            self._disk.write(self._fd, self._pending)
            self._writeback.wrote(len(self._pending))
            self._pending = bytearray()


class EarlyWriteback:
    """Lets the disk write while the processor works, so that the last fsync finds little left to do."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun = self._written = 0

    def wrote(self, size: int) -> None:
        """Count SIZE bytes that were written, and start writeback of every 16 MiB."""
        self._written += size
        length = self._written - self._begun
        if length >= _WRITEBACK and hasattr(os, "posix_fadvise"):
            # On this advice Linux starts to write; dirty pages stay in the cache.
            os.posix_fadvise(self._fd, self._begun, length, os.POSIX_FADV_DONTNEED)
            self._begun = self._written


def path_of(root: str, name: bytes) -> str:
    """Return the path of a pack in the store at ROOT."""
    digits = name.hex()
    return os.path.join(root, "packs", digits[:2], digits)


def read_trailer(fd: int, name: bytes) -> Trailer:
    """Return the trailer of the pack open as FD, compared with the pack's NAME. Raises FormatError."""
    return pack.read_trailer(os.fstat(fd).st_size, _reading(fd), name)


def check_pack(fd: int, name: bytes) -> Trailer:
    """Return the same trailer, after comparing the first and last bytes of the pack as well. Raises FormatError."""
    return pack.check_pack(os.fstat(fd).st_size, _reading(fd), name)


def open_trailer(root: str, name: bytes) -> Trailer:
    """Return the trailer of a pack of the store at ROOT. Raises FileNotFoundError or FormatError."""
    fd = os.open(path_of(root, name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return read_trailer(fd, name)
    finally:
        os.close(fd)


def verified_bytes(fd: int, chunk: Stored) -> bytes | None:
    """Return the stored bytes of a chunk, or None unless they fit the trailer and their content fits the cid."""
    stored = os.pread(fd, chunk.stored, chunk.offset)
    return None if codec.verified_content(chunk, stored) is None else stored


def missing_chunks(root: str, cids: Iterable[bytes], packs: Iterable[bytes]) -> set[bytes]:
    """Return those of CIDS that none of PACKS holds, by the trailers on the disk.

    Raises FormatError for a damaged pack.
    """
    left = set(cids)
    for name in packs:
        with contextlib.suppress(FileNotFoundError):  # another process merged it into another pack
            left.difference_update(chunk.cid for chunk in open_trailer(root, name))
    return left


def _reading(fd: int) -> ReadAt:
    return lambda offset, length: os.pread(fd, length, offset)

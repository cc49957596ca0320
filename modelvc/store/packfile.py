"""One pack as a file of the local store: written once, found by its trailer."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError
from modelvc.formats import pack
from modelvc.formats.pack import Encoding, Stored, Trailer
from modelvc.store.disk import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.store.disk import Disk

_BUFFER = 1 << 20  # small chunks are written together
_WRITEBACK = 16 << 20  # bytes written before the disk is told to start on them


class NewChunk(NamedTuple):
    """A chunk to be kept."""

    cid: bytes
    stored: int  # bytes as stored
    raw: int  # bytes of content
    xxh3: int  # of the stored bytes
    encoding: Encoding


class PackWriter:
    """Appends chunks to a pack that has no name yet; `seal` gives it one. Not for several threads.

    The temporary file is locked for as long as its process lives, so that others know a dead one's and remove it.
    """

    def __init__(self, root: str, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._tmp = os.path.join(root, "tmp", f"pack-{os.getpid()}-{os.urandom(8).hex()}")
        self._fd = os.open(self._tmp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._pending = bytearray(pack.MAGIC)
        self._size = len(pack.MAGIC)
        self._chunks: dict[bytes, Stored] = {}
        self._writeback = _EarlyWriteback(self._fd)

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def find(self, cid: bytes) -> Stored | None:
        return self._chunks.get(cid)

    def cids(self) -> Iterable[bytes]:
        return self._chunks.keys()

    def align(self) -> None:
        """Let the next chunk start where a file system can clone it."""
        gap = -self._size % pack.ALIGN
        self._pending += bytes(gap)
        self._size += gap

    def append(self, data: bytes | bytearray | memoryview, chunks: Iterable[NewChunk]) -> None:
        """Write DATA, the stored bytes of CHUNKS one behind the other, at once."""
        size = len(data)
        for chunk in chunks:
            self._chunks[chunk.cid] = Stored(chunk.cid, self._size, chunk.stored, chunk.raw, chunk.xxh3, chunk.encoding)
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
        """Finish the pack and give it its name; the pack id."""
        trailer = pack.encode_trailer(self._chunks.values())
        self._pending += trailer + pack.footer(trailer)
        self._flush()
        self._disk.fsync(self._fd)
        name = pack.pack_id(trailer)
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


class _EarlyWriteback:
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
    size = os.fstat(fd).st_size
    if size < len(pack.MAGIC) + pack.FOOTER.size:
        raise FormatError("not a valid pack: it ends too early")
    length, digest = pack.parse_footer(os.pread(fd, pack.FOOTER.size, size - pack.FOOTER.size))
    start = size - pack.FOOTER.size - length
    if start < len(pack.MAGIC):
        raise FormatError("not a valid pack: its trailer is longer than the pack")
    data = os.pread(fd, length, start)
    if pack.pack_id(data) != name:
        raise FormatError("not a valid pack: its trailer does not belong to its name")
    return Trailer(data, start, digest)

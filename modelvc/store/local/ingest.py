"""From a file to chunks in the store, reading it once, with bounded memory.

    reader (this thread)   read a block, cut it
    hasher                 hash the whole
    workers                name each chunk, look it up, compress what is new
    one appender           append in order
Hashing, cutting, compressing and writing release the GIL, so the stages overlap.
"""

from __future__ import annotations

import os
import stat
from array import array
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from blake3 import blake3

from modelvc.chunking.fastcdc import MAX_CHUNK, Cutter
from modelvc.chunking.sniff import plan
from modelvc.errors import FileChanged
from modelvc.formats.binary.pack import RAW, NewChunk
from modelvc.formats.binary.segment import EMPTY, Recipe
from modelvc.ids import Oid
from modelvc.store.objects import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, Self

    class ChunkSink(Protocol):
        """Where new chunks go: a StoreWriter."""

        def has(self, cid: bytes) -> bool:
            """Return True if the chunk CID is stored already."""

        def begin_blob(self, together: int = 0) -> None:
            """Start another blob, of which the next TOGETHER bytes stay in one pack."""

        def append(self, data: bytes | bytearray | memoryview, chunks: Sequence[NewChunk]) -> None:
            """Keep CHUNKS, whose stored bytes are DATA."""


BLOCK = 8 << 20  # bytes read at once
AHEAD = 4  # blocks in flight
SMALL = 64 << 10  # bytes; such a file is one chunk
HEAD = 64 << 10
BATCH = 128  # small files that one worker reads at a time
_WHOLE = ((1, 0),)  # one record of chunker 0

Bytes = bytes | bytearray | memoryview


class FileStat(NamedTuple):
    """Identifies the state of a file in which it was read. Times are in nanoseconds."""

    ino: int
    size: int
    mtime: int
    ctime: int
    mode: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileStat:
        """Return the part of a stat result that identifies the state."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)


class Ingested(NamedTuple):
    """One file that is in the store once the session commits."""

    oid: Oid
    recipe: Recipe
    stat: FileStat


class _Run(NamedTuple):
    """New chunks, and their stored bytes one behind the other."""

    data: Bytes
    chunks: list[NewChunk]


class _Block(NamedTuple):
    """The chunks of one block: the names and lengths of all, and the runs of new ones to append."""

    cids: list[bytes]
    lengths: list[int]
    new: list[_Run]


class Ingest:
    """Adds files to one writing session. Use it as a context manager: it owns threads."""

    def __init__(self, writer: ChunkSink, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        self._writer = writer
        self._on_bytes = on_bytes
        jobs = max(2, os.cpu_count() or 2)
        from concurrent.futures import ThreadPoolExecutor

        self._workers = ThreadPoolExecutor(min(jobs, 8), "mvc-name")
        self._hasher = ThreadPoolExecutor(1, "mvc-hash")
        self._appender = ThreadPoolExecutor(1, "mvc-append")
        self._free: list[bytearray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(cancel_futures=True)
        self._hasher.shutdown(cancel_futures=True)
        self._appender.shutdown(cancel_futures=True)

    def file(self, fd: int, path: str) -> Ingested:
        """Store the regular file open as FD. PATH is for messages. Raises FileChanged if the file changes meanwhile."""
        before = FileStat.of(os.fstat(fd))
        if before.size <= SMALL:
            named = _small(fd, before, path, self._writer)
            self._appender.submit(self._append, named.new, start=True).result()
            self._on_bytes(before.size)
            return named.done
        oid, recipe = self._large(fd, before.size, path)
        if FileStat.of(os.fstat(fd)) != before:
            raise FileChanged(path)
        return Ingested(oid, recipe, before)

    def many(
        self,
        names: Sequence[str],
        open_folder: Callable[[str], int],
        what: str,
        opened: Callable[[int], None] = lambda _: None,
    ) -> list[Ingested]:
        """Store the files NAMES, relative to a folder called WHAT, in order. Small files are read in batches.

        OPEN_FOLDER returns a descriptor of a sub-folder, "" for the folder itself. OPENED is called with each file
        before its stat data is taken. Raises FileChanged if a file is no regular file any more, or changes meanwhile.
        """
        results: list[Ingested] = []
        pending: deque[tuple[Sequence[str], Future[list[_Small | None]]]] = deque()

        def collect() -> None:
            batch, future = pending.popleft()
            found = future.result()
            new = [run for small in found if small for run in small.new]
            self._appender.submit(self._append, new, start=False).result()
            for name, small in zip(batch, found, strict=True):
                results.append(small.done if small else self._one(name, open_folder, what, opened))
                if small:
                    self._on_bytes(small.done.stat.size)

        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            pending.append((batch, self._workers.submit(_batch, batch, (open_folder, opened), what, self._writer)))
            if len(pending) > AHEAD:
                collect()
        while pending:
            collect()
        return results

    def _one(self, name: str, open_folder: Callable[[str], int], what: str, opened: Callable[[int], None]) -> Ingested:
        parent, _, last = name.rpartition("/")
        folder = open_folder(parent)
        try:
            fd = _open(last, folder, f"{what}/{name}")
        finally:
            os.close(folder)
        try:
            opened(fd)
            return self.file(fd, f"{what}/{name}")
        finally:
            os.close(fd)

    def _large(self, fd: int, size: int, path: str) -> tuple[Oid, Recipe]:
        def read_at(offset: int, length: int) -> bytes:
            return os.pread(fd, length, offset)

        cut = plan(read_at(0, HEAD), read_at, size)
        compress = cut.compressible is not False and codec.worth_compressing(size, read_at)
        cutter = Cutter(cut.chunker, cut.hints)
        whole = blake3()
        cids: list[bytes] = []
        lengths = array("I")
        self._appender.submit(self._writer.begin_blob, 0 if compress else size).result()
        flying: deque[Future[_Block]] = deque()

        def take_next() -> None:
            named = flying.popleft().result()
            cids.extend(named.cids)
            lengths.extend(named.lengths)

        offset = base = 0
        tail = b""
        while base < size or offset < size:
            buffer = self._buffer()
            view = memoryview(buffer)
            view[: len(tail)] = tail
            wanted = min(BLOCK, size - offset)
            got = os.preadv(fd, [view[len(tail) : len(tail) + wanted]], offset)
            if got == 0 and wanted:
                raise FileChanged(path)
            filled = view[: len(tail) + got]
            hashed = self._hasher.submit(whole.update, filled[len(tail) :])
            offset += got
            ends = cutter.ends(filled, base, last=offset == size)
            start = ends[-1] if ends else 0
            tail = bytes(filled[start:])
            base += start
            named = self._workers.submit(_name, filled, ends, self._writer, compress=compress)
            flying.append(self._appender.submit(self._append_named, named, hashed, buffer))
            self._on_bytes(got)
            if len(flying) >= AHEAD:
                take_next()
        while flying:
            take_next()
        return Oid(whole.digest()), Recipe(b"".join(cids), lengths, ((len(cids), cut.chunker),))

    def _buffer(self) -> bytearray:
        return self._free.pop() if self._free else bytearray(BLOCK + MAX_CHUNK)

    def _append_named(self, naming: Future[_Block], hashed: Future[Any], buffer: bytearray) -> _Block:
        named = naming.result()
        self._append(named.new, start=False)
        named.new.clear()  # views of the buffer, which is reused
        hashed.result()
        self._free.append(buffer)
        return named

    def _append(self, new: Sequence[_Run], *, start: bool) -> None:
        if start:
            self._writer.begin_blob()
        for data, chunks in new:
            self._writer.append(data, chunks)


def _name(view: memoryview, ends: Sequence[int], writer: ChunkSink, *, compress: bool) -> _Block:
    found = _Block([], [], [])
    run: list[NewChunk] = []
    start = run_start = 0
    for end in ends:
        piece = view[start:end]
        cid = blake3(piece).digest()
        found.cids.append(cid)
        found.lengths.append(end - start)
        encoding, stored = (None, piece) if writer.has(cid) else codec.encode(piece, compress=compress)
        if encoding == RAW:
            if not run:
                run_start = start
            run.append(codec.new_chunk(cid, piece, end - start))
        else:
            if run:
                found.new.append(_Run(view[run_start:start], run))
                run = []
            if encoding:
                found.new.append(_Run(stored, [codec.new_chunk(cid, stored, end - start, encoding)]))
        start = end
    if run:
        found.new.append(_Run(view[run_start:start], run))
    return found


class _Small(NamedTuple):
    """A small file that was read, and its chunk if that is new."""

    done: Ingested
    new: list[_Run]


def _batch(
    names: Sequence[str],
    opening: tuple[Callable[[str], int], Callable[[int], None]],
    what: str,
    writer: ChunkSink,
) -> list[_Small | None]:
    """Read small files. Return None in the position of a file that is not small."""
    open_folder, opened = opening
    found: list[_Small | None] = []
    at, folder = "", open_folder("")
    try:
        for name in names:
            parent, _, last = name.rpartition("/")
            if parent != at:
                os.close(folder)
                at, folder = parent, open_folder(parent)
            fd = _open(last, folder, f"{what}/{name}")
            try:
                opened(fd)
                before = os.fstat(fd)
                small = before.st_size <= SMALL
                found.append(_small(fd, FileStat.of(before), f"{what}/{name}", writer) if small else None)
            finally:
                os.close(fd)
    finally:
        os.close(folder)
    return found


def _open(name: str, folder: int, path: str) -> int:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        raise FileChanged(path) from None
    return fd


def _small(fd: int, before: FileStat, path: str, writer: ChunkSink) -> _Small:
    if not stat.S_ISREG(before.mode):  # a FIFO would look like an empty file
        raise FileChanged(path)
    data = os.pread(fd, SMALL + 1, 0)
    if len(data) != before.size or FileStat.of(os.fstat(fd)) != before:
        raise FileChanged(path)
    digest = blake3(data).digest()
    if not data:
        return _Small(Ingested(Oid(digest), EMPTY, before), [])
    done = Ingested(Oid(digest), Recipe(digest, array("I", (len(data),)), _WHOLE), before)
    if writer.has(digest):
        return _Small(done, [])
    encoding, stored = codec.encode(data, compress=True)
    return _Small(done, [_Run(stored, [codec.new_chunk(digest, stored, len(data), encoding)])])

"""From a file to chunks in the store, reading it once, with bounded memory.

    reader (this thread)   read a block, hash the whole, cut
    workers                name each chunk, look it up, compress what is new
    one appender           append in order
Hashing, cutting, compressing and writing release the GIL, so the stages overlap.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.chunking.fastcdc import MAX_CHUNK, Cutter
from modelvc.chunking.sniff import plan
from modelvc.errors import FileChanged
from modelvc.formats.pack import RAW
from modelvc.formats.segment import EMPTY, Recipe
from modelvc.oid import Oid
from modelvc.store import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from modelvc.formats.pack import Encoding
    from modelvc.store.writer import StoreWriter

BLOCK = 4 << 20  # bytes read at once
AHEAD = 4  # blocks in flight
SMALL = 64 << 10  # a file up to this is one chunk, read and named in one go
HEAD = 64 << 10

Bytes = bytes | bytearray | memoryview


class FileStat(NamedTuple):
    """What tells that a file is still the one that was read; times in nanoseconds."""

    ino: int
    size: int
    mtime: int
    ctime: int
    mode: int

    @classmethod
    def of(cls, found: os.stat_result) -> FileStat:
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)


class Ingested(NamedTuple):
    """One file that is in the store (once the session commits)."""

    oid: Oid
    recipe: Recipe
    stat: FileStat


class _Named(NamedTuple):
    """A chunk with its name; `stored` is None when the store has it."""

    cid: bytes
    raw: int
    encoding: Encoding
    stored: Bytes | None


class Ingest:
    """Adds files to one writing session. Use as a context manager: it owns threads."""

    def __init__(self, writer: StoreWriter, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        self._writer = writer
        self._on_bytes = on_bytes
        jobs = max(2, os.cpu_count() or 2)
        self._workers = ThreadPoolExecutor(min(jobs, 8), "mvc-name")
        self._appender = ThreadPoolExecutor(1, "mvc-append")
        self._free: list[bytearray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(cancel_futures=True)
        self._appender.shutdown(cancel_futures=True)

    def file(self, fd: int, path: str) -> Ingested:
        """Store the regular file open as FD; FileChanged when it changes meanwhile. PATH is for messages."""
        before = FileStat.of(os.fstat(fd))
        if before.size <= SMALL:
            named = _small(fd, before, path, self._writer)
            self._appender.submit(self._append, [named.chunk] if named.chunk else [], start=True).result()
            self._on_bytes(before.size)
            return named.done
        oid, recipe = self._large(fd, before.size, path)
        if FileStat.of(os.fstat(fd)) != before:
            raise FileChanged(path)
        return Ingested(oid, recipe, before)

    def many(self, files: Sequence[tuple[str, Callable[[], int]]]) -> list[Ingested]:
        """Store many files, given as (path, opener of a descriptor), in order. Small ones go in batches."""
        results: list[Ingested | None] = [None] * len(files)
        pending: deque[tuple[Sequence[int], Future[list[_Small | None]]]] = deque()
        step = 128

        def collect() -> None:
            places, future = pending.popleft()
            found = future.result()
            chunks = [small.chunk for small in found if small and small.chunk]
            self._appender.submit(self._append, chunks, start=False).result()
            for place, small in zip(places, found, strict=True):
                if small is None:
                    fd = files[place][1]()
                    try:
                        results[place] = self.file(fd, files[place][0])
                    finally:
                        os.close(fd)
                else:
                    results[place] = small.done
                    self._on_bytes(small.done.stat.size)

        for start in range(0, len(files), step):
            places = range(start, min(start + step, len(files)))
            pending.append((places, self._workers.submit(_batch, [files[p] for p in places], self._writer)))
            if len(pending) > AHEAD:
                collect()
        while pending:
            collect()
        return [found for found in results if found is not None]

    def _large(self, fd: int, size: int, path: str) -> tuple[Oid, Recipe]:
        def read_at(offset: int, length: int) -> bytes:
            return os.pread(fd, length, offset)

        cut = plan(read_at(0, HEAD), read_at, size)
        compress = cut.compressible is not False and codec.worth_compressing(size, read_at)
        cutter = Cutter(cut.chunker, cut.hints)
        whole = blake3()
        cids: list[bytes] = []
        lengths = array("I")
        self._appender.submit(self._writer.begin_blob).result()
        flying: deque[Future[list[_Named]]] = deque()

        def settle() -> None:
            for chunk in flying.popleft().result():
                cids.append(chunk.cid)
                lengths.append(chunk.raw)

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
            whole.update(filled[len(tail) :])
            offset += got
            ends = cutter.ends(filled, base, last=offset == size)
            start = ends[-1] if ends else 0
            tail = bytes(filled[start:])
            base += start
            named = self._workers.submit(_name, filled, ends, self._writer, compress=compress)
            flying.append(self._appender.submit(self._append_named, named, buffer))
            self._on_bytes(got)
            if len(flying) >= AHEAD:
                settle()
        while flying:
            settle()
        return Oid(whole.digest()), Recipe(b"".join(cids), lengths, ((len(cids), cut.chunker),))

    def _buffer(self) -> bytearray:
        return self._free.pop() if self._free else bytearray(BLOCK + MAX_CHUNK)

    def _append_named(self, named: Future[list[_Named]], buffer: bytearray) -> list[_Named]:
        chunks = named.result()
        self._append(chunks, start=False)
        self._free.append(buffer)
        return [chunk._replace(stored=None) for chunk in chunks]

    def _append(self, chunks: Sequence[_Named], *, start: bool) -> None:
        if start:
            self._writer.begin_blob()
        for cid, raw, encoding, stored in chunks:
            if stored is not None:
                self._writer.append(stored, cid, raw, encoding)


def _name(view: memoryview, ends: Sequence[int], writer: StoreWriter, *, compress: bool) -> list[_Named]:
    found = []
    start = 0
    for end in ends:
        piece = view[start:end]
        cid = blake3(piece).digest()
        if writer.has(cid):
            found.append(_Named(cid, end - start, RAW, None))
        else:
            encoding, stored = codec.encode(piece, compress=compress)
            found.append(_Named(cid, end - start, encoding, stored))
        start = end
    return found


class _Small(NamedTuple):
    done: Ingested
    chunk: _Named | None


def _batch(files: Sequence[tuple[str, Callable[[], int]]], writer: StoreWriter) -> list[_Small | None]:
    """Read small files; None stands for one that is not small."""
    found: list[_Small | None] = []
    for path, opener in files:
        fd = opener()
        try:
            before = FileStat.of(os.fstat(fd))
            found.append(_small(fd, before, path, writer) if before.size <= SMALL else None)
        finally:
            os.close(fd)
    return found


def _small(fd: int, before: FileStat, path: str, writer: StoreWriter) -> _Small:
    data = os.pread(fd, SMALL + 1, 0)
    if len(data) != before.size or FileStat.of(os.fstat(fd)) != before:
        raise FileChanged(path)
    digest = blake3(data).digest()
    if not data:
        return _Small(Ingested(Oid(digest), EMPTY, before), None)
    done = Ingested(Oid(digest), Recipe(digest, array("I", [len(data)]), ((1, 0),)), before)
    if writer.has(digest):
        return _Small(done, None)
    encoding, stored = codec.encode(data, compress=True)
    return _Small(done, _Named(digest, len(data), encoding, stored))

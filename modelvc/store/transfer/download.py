"""Fetch objects of a remote into the local store. Every chunk is verified before it enters a pack.

Stored bytes are copied without compressing them again. The pack is sealed now and then, so that a crash loses little.
An object is unproven until a checkout hashes it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, IntegrityError, KeyMissing, ObjectCorrupt, ObjectMissing
from modelvc.store.backends.api import KeyDenied
from modelvc.store.backends.spans import GAP
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.store import pack_key
from modelvc.store.remote.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from modelvc.errors import ModelvcError
    from modelvc.formats.binary.pack import Located, NewChunk, Stored
    from modelvc.formats.binary.segment import Segment
    from modelvc.ids import ObjectName
    from modelvc.store.local.store import LocalStore
    from modelvc.store.objects.manifest import Content
    from modelvc.store.remote.store import RemoteStore

RANGE = 18 << 20  # bytes of one request: a pack of 16 MiB and one chunk
SEAL = 256 << 20  # bytes after which the pack is sealed


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a fetch did: objects that came, objects that the remote lacks, bytes received."""

    came: tuple[ObjectName, ...]
    missing: tuple[ObjectName, ...]
    bytes: int


class _Range(NamedTuple):
    """Chunks that lie near each other in one pack."""

    pack: bytes
    start: int
    stop: int
    chunks: tuple[Stored, ...]


class _Found(NamedTuple):
    """What an object on the remote is made of, and the segments that say where its chunks lie."""

    content: Content
    segments: tuple[Segment, ...]


class Downloader:
    """One fetch from one remote."""

    def __init__(self, local: LocalStore, remote: RemoteStore, jobs: int) -> None:
        self._local = local
        self._remote = remote
        self._jobs = jobs
        self._bytes = 0

    def run(self, wanted: Sequence[ObjectName], on_bytes: Callable[[int], None] = lambda _: None) -> Downloaded:
        """Bring WANTED into the local store. Objects that the remote lacks are returned as missing.

        Raises ObjectCorrupt, KeyMissing or KeyDenied for damaged and refused objects, after all others are here.
        """
        came: list[ObjectName] = []
        missing: list[ObjectName] = []
        damage: ModelvcError | None = None
        self._remote.check()
        with Workers(self._remote.backend, self._jobs, "mvc-fetch") as pool, StoreWriter(self._local) as writer:
            flying: deque[tuple[ObjectName, Future[_Found | None]]] = deque()
            waiting = deque(wanted)
            while flying or waiting:
                while waiting and len(flying) < self._jobs:
                    name = waiting.popleft()
                    flying.append((name, pool.submit(self._look, name)))
                name, future = flying.popleft()
                try:
                    found = future.result()
                    if found is None:
                        missing.append(name)
                        continue
                    self._bring(name, found, pool, writer, on_bytes)
                except (IntegrityError, KeyMissing, KeyDenied) as error:
                    damage = damage or error
                    continue
                except ObjectMissing:
                    missing.append(name)
                    continue
                came.append(name)
            writer.commit()
        if damage:
            raise damage
        return Downloaded(tuple(came), tuple(missing), self._bytes)

    def _look(self, name: ObjectName) -> _Found | None:
        """Return what an object is made of, or None if it has no root there. Raises ObjectCorrupt."""
        found = self._remote.read_root(*name)
        if found is None:
            return None
        root = found.root
        try:
            sections = list(manifest.sections(self._remote, root))
        except FormatError as error:
            raise ObjectCorrupt(f"the root of {root.oid.short} ({error})", self._remote.name, remote=True) from None
        segments = tuple(segment for section in sections for segment in section.segments)
        return _Found(manifest.content_of(root, sections), segments)

    def _bring(
        self,
        name: ObjectName,
        found: _Found,
        pool: Workers,
        writer: StoreWriter,
        on_bytes: Callable[[int], None],
    ) -> None:
        try:
            self._bring_chunks(found, pool, writer, on_bytes)
        except KeyMissing:  # gc replaced its pack since the root was read: read the root again
            again = self._look(name)
            if again is None:
                raise ObjectMissing(name.oid, self._remote.name) from None
            found = again
            self._bring_chunks(found, pool, writer, on_bytes)
        writer.add(found.content, unproven=True)

    def _bring_chunks(self, found: _Found, pool: Workers, writer: StoreWriter, on_bytes: Callable[[int], None]) -> None:
        flying: deque[tuple[_Range, Future[bytes]]] = deque()
        writer.begin_blob()

        def take_next() -> None:
            part, future = flying.popleft()
            data = future.result()
            view = memoryview(data)
            for start, stop, chunks in _stretches(part):
                writer.append(view[start:stop], chunks)
            self._bytes += len(data)
            on_bytes(len(data))
            if writer.open_bytes > SEAL:
                writer.seal()

        for part in _ranges(_wanted(found.segments, writer)):
            flying.append((part, pool.submit(self._read, part)))
            if len(flying) >= self._jobs:
                take_next()
        while flying:
            take_next()

    def _read(self, part: _Range) -> bytes:
        """Return the bytes of one range, every chunk verified. A damaged answer is requested once more."""
        try:
            return self._read_once(part)
        except ObjectCorrupt:
            return self._read_once(part)

    def _read_once(self, part: _Range) -> bytes:
        (data,) = self._remote.backend.read_ranges(pack_key(part.pack), [(part.start, part.stop - part.start)])
        view = memoryview(data)
        for chunk in part.chunks:
            at = chunk.offset - part.start
            try:
                raw = codec.decode(chunk.encoding, view[at : at + chunk.stored], chunk.raw)
            except FormatError as error:
                raise self._damaged(part, chunk, str(error)) from None
            if blake3(raw).digest() != chunk.cid:
                raise self._damaged(part, chunk, "other content")
        return bytes(data)

    def _damaged(self, part: _Range, chunk: Stored, why: str) -> ObjectCorrupt:
        return ObjectCorrupt(
            f"pack {part.pack.hex()[:10]} (chunk {chunk.cid.hex()[:10]}: {why})", self._remote.name, remote=True
        )


class _Stretch(NamedTuple):
    """A piece of a range that holds only wanted chunks. Its offsets count from the start of the range."""

    start: int
    stop: int
    chunks: list[NewChunk]


def _stretches(part: _Range) -> Iterator[_Stretch]:
    """Cut a range into the pieces that hold wanted chunks."""
    run: list[NewChunk] = []
    start = stop = 0
    for chunk in part.chunks:
        at = chunk.offset - part.start
        if run and at != stop:
            yield _Stretch(start, stop, run)
            run = []
        if not run:
            start = at
        run.append(chunk.as_new())
        stop = at + chunk.stored
    if run:
        yield _Stretch(start, stop, run)


def _wanted(segments: Sequence[Segment], writer: StoreWriter) -> Iterator[Located]:
    """Yield each chunk that is not here, once."""
    seen: set[bytes] = set()
    for segment in segments:
        for place in segment.places():
            cid = place.chunk.cid
            if cid not in seen and not writer.has(cid):
                seen.add(cid)
                yield place


def _ranges(chunks: Iterator[Located]) -> Iterator[_Range]:
    """Yield ranges of neighbouring chunks, in the order of the content."""
    pack = b""
    run: list[Stored] = []
    start = stop = 0
    for name, chunk in chunks:
        end = chunk.offset + chunk.stored
        near = run and name == pack and 0 <= chunk.offset - stop <= GAP and end - start <= RANGE
        if not near:
            if run:
                yield _Range(pack, start, stop, tuple(run))
            pack, run, start = name, [], chunk.offset
        run.append(chunk)
        stop = end
    if run:
        yield _Range(pack, start, stop, tuple(run))

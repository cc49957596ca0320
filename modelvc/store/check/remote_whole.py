"""Hash the whole of objects on a remote, in the order of their content, without keeping a byte."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import KeyMissing, ModelvcError, ObjectCorrupt
from modelvc.store.backends.api import KeyDenied
from modelvc.store.backends.spans import GAP
from modelvc.store.objects import manifest
from modelvc.store.remote.workers import Workers, windowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import ThreadPoolExecutor

    from modelvc.formats.binary.pack import Stored
    from modelvc.formats.binary.root import Root
    from modelvc.formats.binary.segment import Segment
    from modelvc.ids import Oid
    from modelvc.store.local.store import LocalStore
    from modelvc.store.remote.packs import Content, RemotePacks
    from modelvc.store.remote.store import RemoteStore

_JOBS = 4
_PIECE = 9 << 20  # bytes of content, and of a request: half a pack of 16 MiB


class _Piece(NamedTuple):
    """Records that follow each other in the content: all held by this clone, or near each other in one pack."""

    pack: bytes | None
    records: tuple[Stored, ...]


class WholeCheck:
    """Hashes objects of one remote. Chunks that this clone holds are read from the local store."""

    def __init__(self, remote: RemoteStore, local: LocalStore, packs: RemotePacks) -> None:
        self._remote = remote
        self._local = local
        self._packs = packs

    def is_cheap(self, root: Root) -> bool:
        """Return True if at most half of what hashing an object reads was read before."""
        fresh = again = 0
        for segment in manifest.read_segments(self._remote, root):
            trailers = self._packs.open(segment.placed().packs)
            seen: set[bytes] = set()
            for pack, stored in segment.places():
                if stored.cid in seen or self._local.find(stored.cid) is not None:
                    continue
                seen.add(stored.cid)
                if self._packs.is_done(pack, stored, trailers[pack]):
                    again += stored.stored
                else:
                    fresh += stored.stored
        return again <= fresh

    def hash(self, root: Root, on_bytes: Callable[[int], None]) -> bool:
        """Hash an object. Return False if a chunk is damaged or gone. Raises ObjectCorrupt if the hash is another."""
        try:
            with Workers(self._remote.backend, _JOBS, "mvc-whole") as pool:
                if root.kind == "file":
                    contents = self._contents(manifest.read_segments(self._remote, root), pool, on_bytes)
                    self._compare(root.oid, contents, root)
                    return True
                for section in manifest.sections(self._remote, root):
                    contents = self._contents(section.segments, pool, on_bytes)
                    for entry, start, stop in section.files:
                        self._compare(entry.oid, islice(contents, stop - start), root)
        except _Damaged:
            return False
        return True

    def _compare(self, oid: Oid, contents: Iterable[Content], root: Root) -> None:
        whole = blake3()
        for content in contents:
            whole.update(content)
        if whole.digest() != oid:
            raise ObjectCorrupt(
                f"{root.oid.short} (every chunk is good, but not what it is made of)", self._remote.name
            )

    def _contents(
        self, segments: Iterable[Segment], pool: ThreadPoolExecutor, on_bytes: Callable[[int], None]
    ) -> Iterator[Content]:
        pieces = (piece for segment in segments for piece in self._pieces(segment))
        for piece, contents in windowed(pool, _JOBS, self._read, pieces):
            on_bytes(sum(stored.stored for stored in piece.records))
            yield from contents

    def _pieces(self, segment: Segment) -> Iterator[_Piece]:
        where: bytes | None = None
        run: list[Stored] = []
        raw = start = stop = 0
        for pack, stored in segment.places():
            place = None if self._local.find(stored.cid) is not None else pack
            end = stored.offset + stored.stored
            near = place is None or (0 <= stored.offset - stop <= GAP and end - start <= _PIECE)
            repeated = bool(run) and run[-1] == stored
            if run and (place != where or raw + stored.raw > _PIECE or not (near or repeated)):
                yield _Piece(where, tuple(run))
                run, raw = [], 0
            if not run:
                where, start = place, stored.offset
            run.append(stored)
            raw += stored.raw
            stop = end if not repeated else stop
        if run:
            yield _Piece(where, tuple(run))

    def _read(self, piece: _Piece) -> tuple[_Piece, list[Content]]:
        """Return the contents of a piece, each compared with its cid."""
        if piece.pack is None:
            return piece, [self._here(stored) for stored in piece.records]
        start = piece.records[0].offset
        stop = max(stored.offset + stored.stored for stored in piece.records)
        try:
            data = self._packs.read(piece.pack, start, stop - start)
        except (KeyMissing, KeyDenied):
            raise _Damaged from None
        one = self._packs.packs[piece.pack]
        trailer = self._packs.open([one.ref])[one.name]
        view, found = memoryview(data), []
        for stored in piece.records:
            at = stored.offset - start
            content = self._packs.compare(piece.pack, stored, view[at : at + stored.stored], trailer)
            if content is None:
                raise _Damaged
            found.append(content)
        return piece, found

    def _here(self, stored: Stored) -> Content:
        try:
            return self._local.read_chunk(stored.cid)
        except ModelvcError:  # damaged or missing here, which says nothing of the remote
            raise _Damaged from None


class _Damaged(Exception):
    """A chunk cannot be read."""

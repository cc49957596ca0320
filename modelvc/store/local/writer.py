"""Write to the local store. Order is the crash safety: chunks into packs first, then roots."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.atomic import make_folder, write_durably
from modelvc.formats.binary.root import Part
from modelvc.formats.binary.segment import Segment
from modelvc.store.local.packfile import PackWriter
from modelvc.store.objects import codec
from modelvc.store.objects.manifest import Content, write_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from modelvc.formats.binary.pack import NewChunk
    from modelvc.formats.binary.segment import Recipe
    from modelvc.store.local.store import LocalStore

PACK = 1 << 30  # bytes above which a new pack begins: gc moves no more at once


class StoreWriter:
    """One writing session. Use it as a context manager. `commit` seals the open pack and writes the roots.

    Call `append` and `add` from one thread, `has` from any. A new pack begins above PACK bytes, and where one more
    chunk would exceed a reader's limits.
    """

    def __init__(self, store: LocalStore, *, locked: bool = False) -> None:
        """Start a session. With LOCKED, the caller holds the exclusive lock of the store."""
        self._store = store
        self._pack: PackWriter | None = None
        self._roll = PACK  # bytes of the open pack above which the next pack begins
        self._sealed: set[bytes] = set()  # cids in packs of this session that the index lacks
        self._roots: list[tuple[str, bytes]] = []
        self._lock = contextlib.nullcontext() if locked else store.shared()
        self.new_bytes = 0
        self.packs: set[bytes] = set()  # that this session sealed

    def __enter__(self) -> Self:
        self._store.prepare()
        self._lock.__enter__()
        self._store.clean_tmp()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._pack is not None:
                self._pack.abandon()
                self._pack = None
        finally:
            self._lock.__exit__(kind, error, trace)

    @property
    def open_bytes(self) -> int:
        """Bytes appended since the last pack was sealed."""
        return self._pack.size if self._pack else 0

    def has(self, cid: bytes) -> bool:
        """Return True if the store or this session holds the chunk CID."""
        return self._has_here(cid) or self._store.find(cid) is not None

    def begin_blob(self, together: int = 0) -> None:
        """Start another blob. Its next TOGETHER bytes stay in one pack, so that they can be cloned."""
        pack = self._open()
        pack.align()
        self._roll = max(PACK, pack.size + together)

    def append(self, data: bytes | bytearray | memoryview, chunks: Sequence[NewChunk]) -> None:
        """Keep CHUNKS, whose stored bytes lie one after the other in DATA. Skip chunks that this session holds."""
        pack = self._open()
        if pack.fits(chunks) and not any(self._has_here(chunk.cid) for chunk in chunks):
            self.new_bytes += len(data)
            pack.append(data, chunks)
            return
        view, at = memoryview(data), 0
        for chunk in chunks:
            if not self._has_here(chunk.cid):
                if not self._open().fits((chunk,)):
                    self.seal()
                self.new_bytes += chunk.stored
                self._open().append(view[at : at + chunk.stored], (chunk,))
            at += chunk.stored

    def _has_here(self, cid: bytes) -> bool:
        """Return True if a pack of this session holds the chunk CID."""
        return cid in self._sealed or (self._pack is not None and self._pack.find(cid) is not None)

    def put_part(self, data: bytes, content: int) -> Part:
        """Keep a segment or leaf like a chunk."""
        name = blake3(data).digest()
        if not self.has(name):
            self.append(data, (codec.new_chunk(name, data, len(data)),))
        return Part(None, name, len(data), content)

    def segment(self, recipe: Recipe) -> Segment:
        """Return the segment of RECIPE without placement, as the local store keeps it."""
        return Segment(recipe, None)

    def add(self, content: Content, *, unproven: bool = False) -> None:
        """Write a root for CONTENT when the session commits. A proven root that is here stays.

        Raises FormatError if the root exceeds the limit here or, unless CONTENT came from a remote, on a remote.
        """
        if not self._store.has_root(content.kind, content.oid) or not unproven:
            root = write_root(content, self, placed=False, unproven=unproven)
            if not unproven:
                root.check_room()
            self._roots.append((self._store.root_path(root.kind, root.oid), root.encode()))

    def seal(self) -> None:
        """Make durable what was appended so far."""
        pack = self._pack
        if pack is not None:
            if len(pack):
                self.packs.add(pack.seal())
                self._sealed.update(pack.cids())
            else:
                pack.abandon()
            self._pack = None

    def commit(self) -> None:
        """Seal the open pack, then write the roots."""
        self.seal()
        store, tmp = self._store, os.path.join(self._store.root, "tmp")
        for path, root in self._roots:
            make_folder(store.disk, os.path.dirname(path))
            write_durably(store.disk, path, root, tmp=tmp)
        self._roots = []
        if self._sealed:
            self._sealed = set()
            store.index.refresh()

    def _open(self) -> PackWriter:
        """Return the pack to append to, a new one above the roll size."""
        if self._pack is not None and self._pack.size > self._roll:
            self.seal()
        if self._pack is None:
            self._pack, self._roll = PackWriter(self._store.root, self._store.disk), PACK
        return self._pack

"""Writing to the local store: chunks into a pack, then roots. Order is the crash safety: packs, roots."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.atomic import make_folder, write_file
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

PACK = 1 << 30  # bytes above which a new pack is begun, so that gc never moves more at once


class StoreWriter:
    """One writing session. Use as a context manager; `commit` seals what was appended and writes the roots.

    `append` and `add` belong to one thread; `has` may be asked from any. A new pack is begun above PACK bytes, and
    wherever one chunk more would be more than a reader accepts.
    """

    def __init__(self, store: LocalStore, *, locked: bool = False) -> None:
        """LOCKED: the caller holds the exclusive lock of the store."""
        self._store = store
        self._pack: PackWriter | None = None
        self._roll = PACK  # bytes of the open pack above which the next one is begun
        self._sealed: set[bytes] = set()  # cids in packs of this session that the index does not know yet
        self._roots: list[tuple[str, bytes]] = []
        self._lock = contextlib.nullcontext() if locked else store.shared()
        self.new_bytes = 0
        self.packs: set[bytes] = set()  # names of the packs that this session sealed

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
        return self._has_here(cid) or self._store.find(cid) is not None

    def begin_blob(self, together: int = 0) -> None:
        """Chunks of another blob follow. Its next TOGETHER bytes stay in one pack, so that they can be cloned."""
        pack = self._open()
        pack.align()
        self._roll = max(PACK, pack.size + together)

    def append(self, data: bytes | bytearray | memoryview, chunks: Sequence[NewChunk]) -> None:
        """Keep CHUNKS, whose stored bytes lie one behind the other in DATA, but for those that this session has."""
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
        """Whether a pack of this session has a chunk."""
        return cid in self._sealed or (self._pack is not None and self._pack.find(cid) is not None)

    def put_part(self, data: bytes, content: int) -> Part:
        """Keep a segment or leaf like a chunk."""
        name = blake3(data).digest()
        if not self.has(name):
            self.append(data, (codec.new_chunk(name, data, len(data)),))
        return Part(None, name, len(data), content)

    def segment(self, recipe: Recipe) -> Segment:
        return Segment(recipe, None)

    def add(self, content: Content, *, unproven: bool = False) -> None:
        """Have a root written for CONTENT when the session commits; one that is here and proven stays.

        FormatError when no reader accepts the root, here or, unless it came from there, on a remote.
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
        self.seal()
        store, tmp = self._store, os.path.join(self._store.root, "tmp")
        for path, root in self._roots:
            make_folder(store.disk, os.path.dirname(path))
            write_file(store.disk, path, root, tmp=tmp)
        self._roots = []
        if self._sealed:
            self._sealed = set()
            store.index.refresh()

    def _open(self) -> PackWriter:
        """The pack to append to."""
        if self._pack is not None and self._pack.size > self._roll:
            self.seal()
        if self._pack is None:
            self._pack, self._roll = PackWriter(self._store.root, self._store.disk), PACK
        return self._pack

"""Read content from chunks of the local store, and hash it on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.atomic import write_all, write_all_at
from modelvc.errors import FormatError, ModelvcError, ObjectCorrupt, ObjectMissing
from modelvc.formats.binary.pack import ALIGN, RAW
from modelvc.store.local import packfile
from modelvc.store.local.packfile import EarlyWriteback
from modelvc.store.objects import codec, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import Self

    from modelvc.formats.binary.pack import Located, Stored
    from modelvc.formats.binary.root import Root
    from modelvc.formats.binary.segment import Recipe
    from modelvc.ids import Oid
    from modelvc.store.local.store import LocalStore

    Write = Callable[[memoryview], None]

RUN = 4 << 20  # bytes read at once
_INLINE = 1 << 20  # bytes; for smaller blobs a second thread costs more than it saves
_SLOTS = 4
_HASHED = 1 << 20
_COPIED = 256 << 10  # bytes of a run above which the kernel copies it


class _Run(NamedTuple):
    """Chunks that lie one behind the other in one pack, in the order of the content."""

    pack: bytes
    chunks: tuple[Stored, ...]

    @property
    def stored(self) -> int:
        """Bytes as stored."""
        return sum(chunk.stored for chunk in self.chunks)

    @property
    def is_raw(self) -> bool:
        return all(chunk.encoding == RAW for chunk in self.chunks)


class CloneSource(NamedTuple):
    """An open pack (its caller closes it), and the offset of a blob's content in it."""

    fd: int
    offset: int


class ContentReader:
    """Reads content from a local store. One reader serves many files, from one thread."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        from concurrent.futures import ThreadPoolExecutor

        self._hasher = ThreadPoolExecutor(1, "mvc-hash")
        self._buffers = [bytearray(0) for _ in range(_SLOTS)]
        self._slot = 0
        self._copies = hasattr(os, "copy_file_range")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hasher.shutdown()

    def recipes(self, root: Root) -> Iterator[Recipe]:
        """Yield the recipes of a blob's segments, one in memory at a time.

        Their sums are not checked: callers hash the content.
        """
        for part in root.segments:
            yield manifest.read_segment(self._store, root, part).content()

    def write_blob(self, root: Root, write: Write, what: str) -> None:
        """Pass a blob's bytes to WRITE in order. WHAT names the blob in messages.

        Raises ObjectCorrupt after the last byte if the hash is another, so the caller must not use the bytes before.
        """
        self._write(root.oid, lambda: self.recipes(root), write, what, small=root.size < _INLINE)

    def write_blob_to(self, root: Root, fd: int, on_bytes: Callable[[int], None], what: str) -> None:
        """Write a blob to the file FD, which holds nothing yet, and hash what was written.

        ON_BYTES gets the size of each piece. FD may have `root.size` bytes reserved. Long raw runs go from pack to file
        inside the kernel, where it can copy. Raises ObjectCorrupt, in which WHAT names the blob.
        """
        if root.size < _INLINE:
            self.write_blob(root, lambda piece: _write_at_end(fd, piece, on_bytes), what)
            return
        try:
            if self._copy_overlapped(root, fd, on_bytes):
                return
            if self._copies:  # some file systems report success and copy nothing
                self._copies = False
                os.ftruncate(fd, 0)
                if self._copy_overlapped(root, fd, lambda _: None):
                    return
        except ObjectMissing:
            raise self._incomplete(root.oid, what) from None
        except FormatError:
            pass
        self._find_fault(root.oid, self.recipes(root), what)

    def write_file(self, oid: Oid, recipe: Recipe, write: Write, what: str) -> None:
        """Pass the bytes of one file of a tree to WRITE, with the errors of `write_blob`."""
        self._write(oid, lambda: iter((recipe,)), write, what, small=recipe.size < _INLINE)

    def _write(
        self, oid: Oid, recipes: Callable[[], Iterator[Recipe]], write: Write, what: str, *, small: bool
    ) -> None:
        whole = blake3()
        try:
            if small:
                for recipe in recipes():
                    for piece in self._pieces(recipe):
                        whole.update(piece)
                        write(piece)
            else:
                self._overlapped(recipes(), whole, write)
        except ObjectMissing:
            raise self._incomplete(oid, what) from None
        except FormatError:
            self._find_fault(oid, recipes(), what)
        if whole.digest() != oid:
            self._find_fault(oid, recipes(), what)

    def _overlapped(self, recipes: Iterator[Recipe], whole: blake3, write: Write) -> None:
        """Hash on another thread while this thread reads and writes."""
        flying = []
        for recipe in recipes:
            for piece in self._pieces(recipe):
                flying.append(self._hasher.submit(whole.update, piece))
                write(piece)
                if len(flying) >= _SLOTS - 1:  # the next piece may overwrite the oldest buffer
                    flying.pop(0).result()
        for future in flying:
            future.result()

    def _copy_overlapped(self, root: Root, fd: int, on_bytes: Callable[[int], None]) -> bool:
        """Copy to FD while another thread hashes what FD then holds. Return True if that is the blob, to the last byte.

        Raises FormatError for a chunk that the index, its pack or its manifest describes wrongly.
        """
        whole = blake3()
        flying: list[Future[object]] = []
        writeback = EarlyWriteback(fd)
        at = 0
        for recipe in self.recipes(root):
            for run in _runs(self._store, recipe):
                start = at
                if run.stored >= _COPIED and run.is_raw and self._copy(run, fd, at):
                    flying.append(self._hasher.submit(_hash_range, whole, fd, at, run.stored))
                    at += run.stored
                else:
                    for piece in self._pieces_of(run):
                        flying.append(self._hasher.submit(whole.update, piece))
                        write_all_at(fd, piece, at)
                        at += len(piece)
                        if len(flying) >= _SLOTS - 1:
                            flying.pop(0).result()
                while len(flying) >= _SLOTS - 1:
                    flying.pop(0).result()
                writeback.wrote(at - start)
                on_bytes(at - start)
        for future in flying:
            future.result()
        return at == root.size and whole.digest() == root.oid

    def _copy(self, run: _Run, fd: int, at: int) -> bool:
        """Copy RUN to FD at AT inside the kernel. Return False if the kernel did not: RUN is then read and written."""
        if not self._copies:
            return False
        try:
            source = self._store.pack_fd(run.pack)
        except FileNotFoundError:  # the pack was merged away: _read finds its chunks
            return False
        start, left = run.chunks[0].offset, run.stored
        while left:
            try:
                done = os.copy_file_range(source, fd, left, start, at)
            except OSError:  # a full disk, too: the write that follows raises that
                done = 0
            if not done:
                self._copies = False
                return False
            start, at, left = start + done, at + done, left - done
        return True

    def _pieces(self, recipe: Recipe) -> Iterator[memoryview]:
        """Yield the content of RECIPE. A piece stays valid until _SLOTS - 1 further pieces are taken."""
        for run in _runs(self._store, recipe):
            yield from self._pieces_of(run)

    def _pieces_of(self, run: _Run) -> Iterator[memoryview]:
        size = run.stored
        self._slot = (self._slot + 1) % _SLOTS
        if len(self._buffers[self._slot]) < size:
            self._buffers[self._slot] = bytearray(size)
        view = memoryview(self._buffers[self._slot])[:size]
        self._read(run, view)
        if run.is_raw:
            yield view
            return
        at = 0
        for chunk in run.chunks:
            yield memoryview(codec.decode(chunk.encoding, view[at : at + chunk.stored], chunk.raw))
            at += chunk.stored

    def _read(self, run: _Run, view: memoryview) -> None:
        start = run.chunks[0].offset
        try:
            got = os.preadv(self._store.pack_fd(run.pack), [view], start)
        except FileNotFoundError:  # merged into another pack since the index was read
            at = 0
            for chunk in run.chunks:
                _, stored = self._store.read_stored(chunk.cid)
                if len(stored) != chunk.stored:
                    raise FormatError("a chunk was stored again in another size") from None
                view[at : at + chunk.stored] = stored
                at += chunk.stored
            return
        if got != len(view):
            raise FormatError("a pack ends too early")

    def _incomplete(self, oid: Oid, what: str) -> ObjectMissing:
        """Return the error for an object of which a chunk is missing: it names the object, not the chunk."""
        hint = "run `mvc fsck --repair`; if no remote has it, first `mvc push --all` in a clone that has it"
        return ObjectMissing(oid, f"{self._store.name} as a whole", path=what, hint=hint)

    def _find_fault(self, oid: Oid, recipes: Iterable[Recipe], what: str) -> None:
        """Raise ObjectMissing, or ObjectCorrupt with the damaged chunk (the manifest, if every chunk is good)."""
        for recipe in recipes:
            for cid, _ in recipe:
                try:
                    self._store.read_chunk(cid)
                except ObjectMissing:
                    raise self._incomplete(oid, what) from None
                except ModelvcError:
                    raise ObjectCorrupt(f"{what} ({oid.short}, chunk {cid.hex()[:10]})", self._store.name) from None
        raise ObjectCorrupt(f"{what} ({oid.short}, its manifest)", self._store.name)

    def clone_range(self, root: Root) -> CloneSource | None:
        """Return where a blob lies as one raw aligned run of one pack. Return None if it cannot be cloned."""
        first: Located | None = None
        expected = 0
        for recipe in self.recipes(root):
            for cid, length in recipe:
                found = self._store.find(cid)
                if found is None or found.chunk.encoding != RAW:
                    return None
                if first is None:
                    first, expected = found, found.chunk.offset
                if (found.pack, found.chunk.offset) != (first.pack, expected):
                    return None
                expected += length
        if first is None or first.chunk.offset % ALIGN:
            return None
        fd = os.open(packfile.path_of(self._store.root, first.pack), os.O_RDONLY | os.O_CLOEXEC)
        return CloneSource(fd, first.chunk.offset)


def _hash_range(whole: blake3, fd: int, start: int, size: int) -> None:
    """Add SIZE bytes of the file FD from START to WHOLE."""
    buffer = bytearray(min(size, _HASHED))
    while size:
        got = os.preadv(fd, [memoryview(buffer)[: min(size, _HASHED)]], start)
        if not got:  # less arrived than the kernel said: the hash will differ
            return
        whole.update(memoryview(buffer)[:got])
        start, size = start + got, size - got


def _write_at_end(fd: int, piece: memoryview, on_bytes: Callable[[int], None]) -> None:
    write_all(fd, piece)
    on_bytes(len(piece))


def _runs(store: LocalStore, recipe: Recipe) -> Iterator[_Run]:
    pack = b""
    run: list[Stored] = []
    size = end = 0
    for cid, length in recipe:
        name, chunk = store.locate(cid)
        if chunk.raw != length:
            raise FormatError("a chunk has another length than its manifest says")
        if run and (name != pack or chunk.offset != end or size + chunk.stored > RUN):
            yield _Run(pack, tuple(run))
            run, size = [], 0
        pack = name
        run.append(chunk)
        size += chunk.stored
        end = chunk.offset + chunk.stored
    if run:
        yield _Run(pack, tuple(run))

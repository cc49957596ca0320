"""The bytes of a version, read at random: from a file of the worktree, or from the chunks of the local store.

Facts and verdicts come from these bytes, so each byte belongs to the oid: a chunk is compared with its cid, an object
that came from a remote is hashed as a whole first, and a file of the worktree has the stat data with which it was
hashed, before and after.
"""

from __future__ import annotations

import contextlib
import os
import time
from bisect import bisect_right
from collections import OrderedDict
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

from blake3 import blake3

from modelvc.errors import FileChanged, FormatError, ObjectCorrupt
from modelvc.modelfiles.source import OutOfTime, Source
from modelvc.store.objects import manifest
from modelvc.worktree.digest import digest_of
from modelvc.worktree.state import Stat, stat_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelvc.formats.binary.root import Root
    from modelvc.formats.binary.segment import Recipe
    from modelvc.ids import Oid
    from modelvc.repo import Repo
    from modelvc.store.local.store import LocalStore
    from modelvc.worktree.state import Known

_KEPT = 16 << 20  # bytes of decoded chunks that are kept; one chunk is kept in any case
_OPEN = 32  # files of a folder that are open at a time


class Version(Protocol):
    """An object by its name: a Pointer, or an ObjectName."""

    @property
    def kind(self) -> str:
        """`file` or `tree`."""

    @property
    def oid(self) -> Oid:
        """The hash of the content."""


class Opened(NamedTuple):
    """The bytes of one version. `files`: a source for each file of a folder by its path in it; for a file under ""."""

    kind: str
    files: Mapping[str, Source]


@contextlib.contextmanager
def open_version(repo: Repo, version: Version, path: str = "", *, seconds: float = 60.0) -> Iterator[Opened | None]:
    """Yield the bytes of VERSION, or None if this clone lacks them. PATH: the model that may hold them in the worktree.

    A file of the worktree comes first if its stat data proves that it has the oid, then the local store, then a file of
    the worktree that must be hashed. SECONDS limits the hashing of an object that was never hashed as a whole.
    Raises FileChanged at the end of the block if a file changed meanwhile, OutOfTime, and ObjectMissing or
    ObjectCorrupt for a damaged object; the block's reads raise the same.
    """
    known = _known_files(repo, version, path) if path else {}
    stored = repo.store.has_root(version.kind, version.oid)
    if known and not (stored and any(not one.settled for one in known.values())):
        with contextlib.ExitStack() as stack:
            files = _WorktreeFiles(repo, path, known)
            stack.callback(files.close)
            yield Opened(version.kind, files.sources())
            files.finish()
    elif stored:
        root = repo.store.read_root(version.kind, version.oid)
        yield Opened(version.kind, stored_sources(repo.store, root, seconds=seconds))
    else:
        yield None


def stored_sources(store: LocalStore, root: Root, *, seconds: float = 60.0) -> dict[str, Source]:
    """Return a source for each file of the object of ROOT, by its path in a folder; for a file under "".

    Hashes an object that was never hashed as a whole. Raises OutOfTime if that takes more than SECONDS, ObjectMissing
    and ObjectCorrupt.
    """
    chunks = _Chunks(store)
    found = {name: _StoredFile(oid, recipe, chunks) for name, (oid, recipe) in file_recipes(store, root).items()}
    if root.unproven:
        end = time.monotonic() + seconds
        for name, one in found.items():
            _prove(store, name or root.oid.short, one, end)
        with contextlib.suppress(OSError):  # a store that this account may only read
            store.mark_proven(root)
    return {name: one.source for name, one in found.items()}


def file_recipes(store: LocalStore, root: Root) -> dict[str, tuple[Oid, Recipe]]:
    """Return the oid and the recipe of each file of the object of ROOT, by its path in a folder; for a file under "".

    Raises ObjectMissing, and ObjectCorrupt for a damaged manifest.
    """
    try:
        sections = manifest.sections(store, root)
        if root.kind == "file":
            return {"": (root.oid, manifest.join([section.recipe for section in sections]))}
        return {
            str(entry.path): (entry.oid, section.recipe.cut(start, stop))
            for section in sections
            for entry, start, stop in section.files
        }
    except FormatError:
        raise ObjectCorrupt(f"the manifest of {root.oid.short}", store.name) from None


# -- the local store


class _Chunks:
    """The decoded chunks that were read last."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._kept: OrderedDict[bytes, bytes | memoryview] = OrderedDict()
        self._size = 0

    def read(self, cid: bytes) -> bytes | memoryview:
        """Return the content of a chunk, compared with its cid. Raises ObjectMissing or ObjectCorrupt."""
        if (data := self._kept.get(cid)) is not None:
            self._kept.move_to_end(cid)
            return data
        data = self._store.read_chunk(cid)
        self._kept[cid] = data
        self._size += len(data)
        while self._size > _KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)
        return data


class _StoredFile:
    """One file of the local store: its recipe, and where each chunk begins in it."""

    def __init__(self, oid: Oid, recipe: Recipe, chunks: _Chunks) -> None:
        self.oid = oid
        self.recipe = recipe
        self._chunks = chunks
        self._ends: list[int] | None = None

    @property
    def source(self) -> Source:
        return Source(self.recipe.size, self._read_at)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yield the content in order, chunk by chunk."""
        for cid, length in self.recipe:
            yield self._chunk(cid, length)

    def _read_at(self, offset: int, length: int) -> bytes:
        if self._ends is None:
            self._ends = list(accumulate(self.recipe.lengths))
        ends, cids, lengths = self._ends, self.recipe.cids, self.recipe.lengths
        found: list[bytes | memoryview] = []
        at = bisect_right(ends, offset)
        end = min(offset + length, ends[-1] if ends else 0)
        while offset < end:
            start = ends[at] - lengths[at]
            piece = self._chunk(cids[at * 32 : at * 32 + 32], lengths[at])
            found.append(memoryview(piece)[offset - start : end - start])
            offset = ends[at]
            at += 1
        return b"".join(found)

    def _chunk(self, cid: bytes, length: int) -> bytes | memoryview:
        data = self._chunks.read(cid)
        if len(data) != length:
            raise ObjectCorrupt(f"chunk {cid.hex()[:10]} of {self.oid.short}", "the local store")
        return data


def _prove(store: LocalStore, what: str, one: _StoredFile, end: float) -> None:
    """Raise ObjectCorrupt unless the content of ONE hashes to its oid, OutOfTime if the clock passes END."""
    whole = blake3()
    for piece in one.pieces():
        whole.update(piece)
        if time.monotonic() > end:
            raise OutOfTime("hashing it takes longer than is allowed")
    if whole.digest() != one.oid:
        raise ObjectCorrupt(f"{what} (its manifest)", store.name)


# -- the worktree


def _known_files(repo: Repo, version: Version, path: str) -> dict[str, Known]:
    """Return the files at PATH that have VERSION's content as the state file knows it; {} if they have not."""
    if version.kind == "file":
        file = repo.state.file(path)
        return {"": file} if file and file.oid == version.oid and repo.worktree.stat(path) == file.stat else {}
    tree = repo.state.tree(path)
    return tree.files if tree.oid == version.oid else {}


class _WorktreeFiles:
    """Files of the worktree that have the oids in KNOWN. A few are open at a time."""

    def __init__(self, repo: Repo, path: str, known: Mapping[str, Known]) -> None:
        self._repo = repo
        self._path = path
        self._known = known
        self._fds: OrderedDict[str, int] = OrderedDict()

    def sources(self) -> dict[str, Source]:
        return {name: Source(one.stat.size, self._reader(name)) for name, one in self._known.items()}

    def _reader(self, name: str) -> Callable[[int, int], bytes]:
        def read_at(offset: int, length: int) -> bytes:
            return os.pread(self._open(name), max(0, length), offset)

        return read_at

    def _open(self, name: str) -> int:
        if (fd := self._fds.get(name)) is not None:
            self._fds.move_to_end(name)
            return fd
        if len(self._fds) >= _OPEN:
            old, fd = self._fds.popitem(last=False)
            self._close(old, fd)
        inside = f"{self._path}/{name}" if name else self._path
        known = self._known[name]
        try:
            fd = self._repo.worktree.open(inside)
        except FileNotFoundError:
            raise FileChanged(inside) from None
        self._fds[name] = fd
        if stat_of(os.fstat(fd)) != known.stat or (not known.settled and digest_of(fd) != known.oid):
            raise FileChanged(inside)
        return fd

    def _close(self, name: str, fd: int) -> None:
        """Close FD. Raises FileChanged if the file changed while it was open."""
        try:
            now: Stat = stat_of(os.fstat(fd))
        finally:
            os.close(fd)
        if now != self._known[name].stat:
            raise FileChanged(f"{self._path}/{name}" if name else self._path)

    def finish(self) -> None:
        """Raise FileChanged if an open file changed."""
        while self._fds:
            self._close(*self._fds.popitem())

    def close(self) -> None:
        """Close all files."""
        while self._fds:
            os.close(self._fds.popitem()[1])

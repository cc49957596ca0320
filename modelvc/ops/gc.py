"""Remove from the local store what nothing reaches; with evict, what a remote verifiably has."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import BrokenPointer, IntegrityError, ModelvcError, NotFoundError
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer import parse
from modelvc.git import history, index, worktrees
from modelvc.oid import Oid
from modelvc.ops import remotes
from modelvc.store import compact, manifest, packfile
from modelvc.store.writer import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.repo import Repo

    Named = tuple[str, Oid]

GRACE = 14 * 86_400.0  # seconds
_DEAD_SHARE = 0.25  # of a pack's bytes, from which it is rewritten


@dataclass(frozen=True, slots=True)
class GcItem:
    """One object that would go. `why`: "unreachable" or "on REMOTE"; `age`: seconds since it was stored."""

    path: str
    kind: str
    oid: str
    size: int
    age: float
    why: str


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a gc would do. `frees`: bytes on disk, about."""

    items: tuple[GcItem, ...]
    kept: int
    frees: int
    remove_packs: tuple[bytes, ...]
    rewrite_packs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GcDone:
    """What a gc did; `freed`: bytes on disk."""

    items: tuple[GcItem, ...]
    freed: int


def plan_gc(repo: Repo, *, grace: float = GRACE, evict: bool = False) -> GcPlan:
    """What could go: unreachable and older than GRACE seconds; with EVICT also what a remote has, complete."""
    repo.require_init()
    store = repo.store
    compact.check_allowed(store)
    needed, current, names = reachable(repo, grace)
    there = _on_remote(repo, needed) if evict else {}
    now = time.time()
    items: list[GcItem] = []
    live: set[bytes] = set()
    kept = 0
    for kind, oid in store.roots():
        age = now - os.stat(store.root_path(kind, oid)).st_mtime
        name = (kind, oid)
        why = ""
        if name not in needed:
            why = "unreachable" if age >= grace else ""
        elif name in there and name not in current:
            why = f"on {there[name]}"
        if why:
            items.append(GcItem(names.get(name, ""), kind, str(oid), _size(repo, name), age, why))
        else:
            kept += 1
            live |= _chunks(repo, name)
    free = set[bytes]().union(*(_chunks_if_readable(repo, (item.kind, Oid.parse(item.oid))) for item in items)) - live
    remove, rewrite, frees = _packs(repo, _Chunks(live, free), now - grace)
    return GcPlan(tuple(items), kept, frees, tuple(remove), tuple(rewrite))


def apply_gc(repo: Repo, *, grace: float = GRACE, evict: bool = False) -> GcDone:
    """Do what `plan_gc` says now, with no writer at work. Killed at any point, the store still works."""
    store = repo.store
    store.prepare()
    with store.exclusive():
        store.forget_packs()
        plan = plan_gc(repo, grace=grace, evict=evict)
        before = sum(size for _, size in store.packs())
        live: set[bytes] = set()
        going = {(item.kind, item.oid) for item in plan.items}
        for kind, oid in store.roots():
            if (kind, str(oid)) not in going:
                live |= _chunks(repo, (kind, oid))
        done: list[bytes] = []
        with StoreWriter(store, locked=True) as writer:

            def keep(pack: bytes, cid: bytes) -> bool:
                return cid in live and not _is_good_elsewhere(repo, cid, pack)

            done = compact.copy_chunks(store, plan.rewrite_packs, keep, writer)
            writer.commit()
        compact.remove_roots(store, [(item.kind, Oid.parse(item.oid)) for item in plan.items])
        store.index.drop()
        # a pack is named by what it holds: a rewritten one may be one of those that were to go
        compact.remove_packs(store, {*plan.remove_packs, *done} - writer.packs)
        store.forget_packs()
        with suppress(OSError):  # a full disk, and nothing that could go: the index is a cache
            store.index.merge()
        return GcDone(plan.items, before - sum(size for _, size in store.packs()))


def reachable(repo: Repo, grace: float) -> tuple[set[Named], set[Named], dict[Named, str]]:
    """Objects that must stay, those that the worktrees show now, and a path for each."""
    found: set[Named] = set()
    current: set[Named] = set()
    names: dict[Named, str] = {}
    for path, data, now in _pointers(repo):
        try:
            pointer = parse(data, path)
        except ModelvcError as error:
            raise BrokenPointer(
                f"nothing can be removed while a pointer can not be read: {error}",
                hint="mend it, or if it is in history only, rewrite or forget that history",
            ) from None
        for version in pointer.versions:
            name = (version.kind, version.oid)
            found.add(name)
            names.setdefault(name, model_of(path))
            if now:
                current.add(name)
    for when, path, kind, oid in repo.replaced():
        names.setdefault((kind, oid), path)
        if time.time() - when < grace:
            found.add((kind, oid))
    return found, current, names


def _pointers(repo: Repo) -> Iterator[tuple[str, bytes, bool]]:
    """(path, bytes, whether a worktree shows it now) of every pointer that anything reaches."""
    for seen in history.pointers_in(repo.layout, all_refs=True, reflog=True):
        yield seen.path, seen.data, False
    for layout in worktrees.layouts(repo.layout):
        entries = index.pointers(layout)
        blobs = index.read_blobs(layout, sorted({entry.blob for entry in entries}))
        for entry in entries:
            if entry.blob in blobs:
                yield entry.path, blobs[entry.blob], True
            try:
                with open(os.path.join(layout.worktree, entry.path), "rb") as file:
                    yield entry.path, file.read(POINTER + 1), True
            except OSError:
                continue
    for path in repo.tracked():
        if repo.worktree.stat(pointer_of(path)) is not None:
            yield pointer_of(path), repo.worktree.read(pointer_of(path), POINTER), True


def _on_remote(repo: Repo, reachable: set[Named]) -> dict[Named, str]:
    """Objects that the default remote has, complete, as of now."""
    from modelvc.store.upload import needed_packs

    name = remotes.chosen_name(repo)
    store = remotes.open_remote(repo, name, writing=False)
    found = {}
    try:
        listing = store.listing()
        doomed = store.doomed(listing.dooms)
        for one in reachable:
            try:
                packs = needed_packs(store, *one) if listing.has_root(*one) else None
            except IntegrityError:
                continue  # what is damaged there is not there
            if packs is not None and all(listing.has_pack(*pack) and pack[0] not in doomed for pack in packs):
                found[one] = name
    finally:
        store.close()
    return found


def _chunks(repo: Repo, name: Named) -> set[bytes]:
    """Every chunk that an object needs, its manifests included."""
    root = repo.store.read_root(*name)
    found = {part.name for part in root.parts() if part.data is None}
    for part in root.records():
        found.update(cid for cid, _ in manifest.read_segment(repo.store, root, part).recipe)
    return found


def _chunks_if_readable(repo: Repo, name: Named) -> set[bytes]:
    try:
        return _chunks(repo, name)
    except (IntegrityError, NotFoundError):
        return set()


def _size(repo: Repo, name: Named) -> int:
    try:
        return repo.store.read_root(*name).size
    except IntegrityError:
        return 0  # nothing reaches it, and it is damaged


class _Chunks(NamedTuple):
    """Chunks that objects need which stay, and those that only objects need which go."""

    live: set[bytes]
    free: set[bytes]


def _packs(repo: Repo, chunks: _Chunks, before: float) -> tuple[list[bytes], list[bytes], int]:
    """Packs with nothing alive in them, packs to rewrite, and the bytes that both free.

    A chunk of no object may be the beginning of a fetch that was broken off, so a pack made after BEFORE (seconds
    since the epoch) keeps its own.
    """
    store = repo.store
    remove, rewrite, frees = [], [], 0
    small = set(compact.small_packs(store))
    for name, size in store.packs():
        path = packfile.path_of(store.root, name)
        try:
            here = compact.chunks_of(store, name)
        except IntegrityError:
            continue  # what is in it nobody knows: fsck sets it aside
        mine = [chunk for chunk in here if chunk.cid in chunks.live and not _is_good_elsewhere(repo, chunk.cid, name)]
        alive = sum(chunk.stored for chunk in mine)
        dead = sum(chunk.stored for chunk in here) - alive
        loose = any(chunk.cid not in chunks.live and chunk.cid not in chunks.free for chunk in here)
        if loose and os.stat(path).st_mtime > before:
            continue
        if not mine:
            remove.append(name)
            frees += size
        elif dead > _DEAD_SHARE * size or name in small:
            rewrite.append(name)
            frees += dead
    return remove, rewrite, frees


def _is_good_elsewhere(repo: Repo, cid: bytes, name: bytes) -> bool:
    """Whether readers take a chunk from another pack than NAME, where it is whole."""
    if repo.store.locate(cid)[0] == name:
        return False
    try:
        repo.store.read_chunk(cid)
    except (IntegrityError, NotFoundError):
        return False
    return True

"""Remove from the local store what nothing reaches; with evict, what a remote verifiably has."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import BrokenPointer, ModelvcError
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer import parse
from modelvc.git import history, index
from modelvc.git.layout import discover
from modelvc.git.run import git
from modelvc.oid import Oid
from modelvc.ops import remotes
from modelvc.store import compact, manifest
from modelvc.store.writer import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.git.layout import Layout
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
    reachable, current, names = _reachable(repo, grace)
    there = _on_remote(repo, reachable) if evict else {}
    now = time.time()
    items: list[GcItem] = []
    live: set[bytes] = set()
    kept = 0
    for kind, oid in store.roots():
        path = store.root_path(kind, oid)
        age = now - os.stat(path).st_mtime
        name = (kind, oid)
        why = ""
        if name not in reachable:
            why = "unreachable" if age >= grace else ""
        elif name in there and name not in current:
            why = f"on {there[name]}"
        if why:
            items.append(GcItem(names.get(name, ""), kind, str(oid), store.read_root(kind, oid).size, age, why))
        else:
            kept += 1
            live |= _chunks(repo, name)
    remove, rewrite, frees = _packs(repo, live, now, grace)
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
            done = compact.copy_chunks(store, plan.rewrite_packs, live, writer)
            writer.commit()
        for item in plan.items:
            store.disk.unlink(store.root_path(item.kind, Oid.parse(item.oid)))
        store.index.drop()
        compact.remove_packs(store, [*plan.remove_packs, *done])
        store.forget_packs()
        store.index.merge()
        return GcDone(plan.items, before - sum(size for _, size in store.packs()))


def _reachable(repo: Repo, grace: float) -> tuple[set[Named], set[Named], dict[Named, str]]:
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
        name = (pointer.kind, pointer.oid)
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
    for layout in _worktrees(repo):
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


def _worktrees(repo: Repo) -> list[Layout]:
    listed = git(repo.layout, "worktree", "list", "--porcelain", "-z")
    found = []
    for line in listed.split(b"\0"):
        if line.startswith(b"worktree "):
            try:
                found.append(discover(os.fsdecode(line[9:]), {}))
            except ModelvcError:
                continue  # pruned by hand, or bare
    return found


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
            packs = needed_packs(store, *one) if listing.has_root(*one) else None
            if packs is not None and all(listing.has_pack(*pack) and pack[0] not in doomed for pack in packs):
                found[one] = name
    finally:
        store.close()
    return found


def _chunks(repo: Repo, name: Named) -> set[bytes]:
    """Every chunk that an object needs, its manifests included."""
    root = repo.store.read_root(*name)
    found = {part.name for part in root.parts() if part.data is None}
    for part in (*root.segments, *(part for ref in root.leaves for part in ref.segments)):
        found.update(cid for cid, _ in manifest.read_segment(repo.store, root, part).recipe)
    return found


def _packs(repo: Repo, live: set[bytes], now: float, grace: float) -> tuple[list[bytes], list[bytes], int]:
    """Packs with nothing alive in them, packs to rewrite, and the bytes that both free."""
    from modelvc.store import packfile

    store = repo.store
    remove, rewrite, frees = [], [], 0
    sizes = dict(store.packs())
    small = set(compact.small_packs(store))
    for name, size in sizes.items():
        age = now - os.stat(packfile.path_of(store.root, name)).st_mtime
        chunks = list(store.index.chunks_of(name))
        mine = [chunk for chunk in chunks if chunk.cid in live and store.locate(chunk.cid)[0] == name]
        alive = sum(chunk.stored for chunk in mine)
        dead = sum(chunk.stored for chunk in chunks) - alive
        if age < grace and dead and not mine:
            continue  # maybe the beginning of a fetch that was broken off
        if not mine:
            remove.append(name)
            frees += size
        elif dead > _DEAD_SHARE * size or name in small:
            rewrite.append(name)
            frees += dead
    return remove, rewrite, frees

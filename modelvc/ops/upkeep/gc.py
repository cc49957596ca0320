"""Remove unreachable versions that a remote has from the local store; with evict, all that a remote has.

A version that no remote has is removed only when it is named.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import IntegrityError, ModelvcError, NotFoundError, shown
from modelvc.formats.paths import model_of, pointer_of
from modelvc.ids import ObjectName, Oid
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.remotes.kept_copies import CopyCheck, find_on_remote, find_on_remotes, kept_by_gc
from modelvc.models.versions.shared_store import reachable_from_all_clones
from modelvc.store.local import compact, packfile
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


GRACE = 14 * 86_400.0  # seconds
UNREACHABLE, ONLY_HERE = "unreachable", "only here"
_SHORTEST = 8  # hex digits of a digest that names a version
_DEAD_SHARE = 0.25  # of a pack's bytes, from which it is rewritten


@dataclass(frozen=True, slots=True)
class GcItem:
    """One object that would go, or is only here. `why`: "unreachable", "on REMOTE" or "only here"; `age`: seconds
    since it was stored; `what`: "version", "predictions", or "object" if no pointer and no reflog names it.
    """

    path: str
    kind: str
    oid: str
    size: int
    age: float
    why: str
    what: str


@dataclass(frozen=True, slots=True)
class GcPlan:
    """What a gc would do. `only_here`: unreachable, and on no remote, so it stays; `unasked`: remotes that
    could not be asked, and why; `unpushed`: versions that --evict leaves alone, since no branch of a Git remote
    reaches them; `kept`: objects that stay; `frees`: bytes on disk, about.
    """

    items: tuple[GcItem, ...]
    only_here: tuple[GcItem, ...]
    unasked: tuple[str, ...]
    unpushed: int
    kept: int
    frees: int
    remove_packs: tuple[bytes, ...]
    rewrite_packs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GcDone:
    """What a gc did. `only_here`, `unasked`, `unpushed`: as in the plan; `freed`: bytes on disk."""

    items: tuple[GcItem, ...]
    only_here: tuple[GcItem, ...]
    unasked: tuple[str, ...]
    unpushed: int
    freed: int


@dataclass(frozen=True, slots=True)
class GcOptions:
    """What may go: objects unreachable for GRACE seconds, if a remote has them or NAMES say so (models' paths, or
    digests); with EVICT also what the default remote has, and keeps when it is cleaned up.
    """

    grace: float = GRACE
    evict: bool = False
    names: Sequence[str] = ()


DEFAULT = GcOptions()


class _RemoteCopies(NamedTuple):
    """What remotes have: of unreachable objects, and of those that may be evicted."""

    spare: Mapping[ObjectName, str]
    evicted: Mapping[ObjectName, str]
    unasked: tuple[str, ...]
    unpushed: int


def plan_gc(repo: Repo, rules: GcOptions = DEFAULT) -> GcPlan:
    """What could go. Raises NotFoundError for a name of nothing that could."""
    repo.require_init()
    compact.check_allowed(repo.store)
    return _plan(repo, rules, _find_remote_copies(repo, rules, CopyCheck(deep=False)))[0]


def _find_remote_copies(repo: Repo, rules: GcOptions, look: CopyCheck) -> _RemoteCopies:
    """Ask the remotes, before any lock is held."""
    needed, current, names, versions = reachable_from_all_clones(repo, rules.grace)
    spare = list(_spare(repo, needed, rules))
    for word in rules.names:
        if not any(_is_called(repo, word, name, names) for name in spare):
            raise NotFoundError(
                f"nothing that could go is called {shown(word)}",
                hint="see `mvc gc`, which names what no branch, tag or reflog reaches",
            )
    found, unasked = find_on_remotes(repo, spare, look)
    evicted: dict[ObjectName, str] = {}
    unpushed = 0
    if rules.evict:
        remote = configured.chosen_name(repo)
        kept = kept_by_gc(repo, remote, rules.grace)
        evicted = dict.fromkeys(find_on_remote(repo, (needed - current) & kept, remote, look), remote)
        unpushed = sum(repo.store.has_root(*name) for name in needed & versions - current - kept)
    return _RemoteCopies(found, evicted, unasked, unpushed)


def _spare(repo: Repo, needed: set[ObjectName], rules: GcOptions) -> Iterator[ObjectName]:
    """Yield the unreachable objects that are older than the grace period."""
    before = time.time() - rules.grace
    for name in repo.store.roots():
        if name not in needed and _is_older(repo, name, before):
            yield name


def _is_older(repo: Repo, name: ObjectName, before: float) -> bool:
    try:
        return os.stat(repo.store.root_path(*name)).st_mtime <= before
    except FileNotFoundError:  # another gc was faster
        return False


def _is_called(repo: Repo, word: str, name: ObjectName, names: Mapping[ObjectName, str]) -> bool:
    """Whether WORD is the path of an object, or the beginning of its digest."""
    digest = word.removeprefix("blake3:")
    if len(digest) >= _SHORTEST and name.oid.hex().startswith(digest):
        return True
    try:
        return bool(names.get(name)) and model_of(pointer_of(repo.inside(word))) == names[name]
    except ModelvcError:
        return False


def _plan(repo: Repo, rules: GcOptions, there: _RemoteCopies) -> tuple[GcPlan, set[bytes]]:
    """What can go, and the chunks of all that stays."""
    store = repo.store
    needed, current, names, versions = reachable_from_all_clones(repo, rules.grace)
    spare = set(_spare(repo, needed, rules))
    now = time.time()
    items: list[GcItem] = []
    only_here: list[GcItem] = []
    live: set[bytes] = set()
    kept = 0
    free: set[bytes] = set()
    for name in store.roots():
        why, chunks = "", _chunks_if_readable(repo, name)
        if chunks is None and not store.has_root(*name):
            continue  # another gc was faster
        if name in spare:
            named = any(_is_called(repo, word, name, names) for word in rules.names)
            why = UNREACHABLE if named or chunks is None or name in there.spare else ONLY_HERE
        elif name in there.evicted and name not in current:
            why = f"on {there.evicted[name]}"
        if why:
            age = now - os.stat(store.root_path(*name)).st_mtime
            what = "version" if name in versions else "predictions" if name in names else "object"
            item = GcItem(names.get(name, ""), name.kind, str(name.oid), _size(repo, name), age, why, what)
            (only_here if why == ONLY_HERE else items).append(item)
        if why in {"", ONLY_HERE}:
            kept += 1
            live |= _chunks(repo, name) if chunks is None else chunks  # which says what is wrong with it
        else:
            free |= chunks or set()
    free -= live
    remove, rewrite, frees = _packs(repo, _Chunks(live, free), now - rules.grace)
    told = (tuple(items), tuple(only_here), there.unasked, there.unpushed)
    return GcPlan(*told, kept, frees, tuple(remove), tuple(rewrite)), live


def apply_gc(repo: Repo, rules: GcOptions = DEFAULT, progress: Progress = SILENT) -> GcDone:
    """Do what `plan_gc` says now, with no writer at work. Killed at any point, the store still works.

    What goes because a remote has it was read there, every byte.
    """
    store = repo.store
    repo.require_init()
    compact.check_allowed(store)
    there = _find_remote_copies(repo, rules, CopyCheck(deep=True, progress=progress))
    store.prepare()
    with store.exclusive():
        store.forget_packs()
        plan, live = _plan(repo, rules, there)
        before = sum(size for _, size in store.packs())
        with StoreWriter(store, locked=True) as writer:

            def keep(pack: bytes, cid: bytes) -> bool:
                return cid in live and not _is_good_elsewhere(repo, cid, pack)

            copied = compact.copy_chunks(store, plan.rewrite_packs, keep, writer)
            writer.commit()
        compact.remove_roots(store, [ObjectName(item.kind, Oid.parse(item.oid)) for item in plan.items])
        # a pack is named by what it holds: a rewritten one may be one of those that were to go
        compact.remove_packs(store, set(plan.remove_packs) - writer.packs)
        compact.remove_copied(store, copied, writer.packs)
        store.forget_packs()
        with suppress(OSError):  # a full disk, and nothing that could go: the index is a cache
            store.index.merge()
        freed = before - sum(size for _, size in store.packs())
        return GcDone(plan.items, plan.only_here, plan.unasked, plan.unpushed, freed)


def _chunks(repo: Repo, name: ObjectName) -> set[bytes]:
    """Every chunk that an object needs, its manifests included."""
    root = repo.store.read_root(*name)
    found = {part.name for part in root.parts() if part.data is None}
    for segment in manifest.read_segments(repo.store, root):
        found.update(cid for cid, _ in segment.recipe)
    return found


def _chunks_if_readable(repo: Repo, name: ObjectName) -> set[bytes] | None:
    try:
        return _chunks(repo, name)
    except (IntegrityError, NotFoundError):
        return None


def _size(repo: Repo, name: ObjectName) -> int:
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
        except FileNotFoundError:
            continue  # another process merged it
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
    if repo.store.locate(cid).pack == name:
        return False
    try:
        repo.store.read_chunk(cid)
    except (IntegrityError, NotFoundError):
        return False
    return True

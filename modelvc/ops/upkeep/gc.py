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
from modelvc.models.inside import facts_cache
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
_SHORTEST = 8  # hex digits of an oid that name a version
_DEAD_SHARE = 0.25  # a pack with a larger share of unused bytes is rewritten


@dataclass(frozen=True, slots=True)
class GcItem:
    """One object. `why`: "unreachable" or "on REMOTE" if it can be removed, "only here" if it stays; `age`: seconds
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
    """A gc that was not carried out. `items`: objects to remove; `only_here`: unreachable objects that no remote has,
    which stay; `unasked`: remotes that could not be asked, and why; `unpushed`: versions that --evict keeps, since no
    branch of a Git remote reaches them; `kept`: number of objects that stay; `frees`: bytes on disk, estimated.
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
    """The result of a gc. `only_here`, `unasked`, `unpushed`: as in the plan; `freed`: bytes on disk."""

    items: tuple[GcItem, ...]
    only_here: tuple[GcItem, ...]
    unasked: tuple[str, ...]
    unpushed: int
    freed: int


@dataclass(frozen=True, slots=True)
class GcOptions:
    """The objects to remove: unreachable ones older than `grace`, if a remote has them or `names` names them."""

    grace: float = GRACE  # seconds
    evict: bool = False  # also objects that the default remote has, and keeps in its own gc
    names: Sequence[str] = ()  # models' paths, or beginnings of oids


DEFAULT = GcOptions()


class _RemoteCopies(NamedTuple):
    """The objects that remotes have, each with the name of a remote."""

    spare: Mapping[ObjectName, str]  # unreachable ones
    evicted: Mapping[ObjectName, str]  # reachable ones that may be evicted
    unasked: tuple[str, ...]
    unpushed: int


def plan_gc(repo: Repo, options: GcOptions = DEFAULT) -> GcPlan:
    """Return what a gc would remove. Raises NotFoundError for a name in OPTIONS that no removable object has."""
    repo.require_init()
    compact.check_allowed(repo.store)
    return _plan(repo, options, _find_remote_copies(repo, options, CopyCheck(deep=False)))[0]


def _find_remote_copies(repo: Repo, options: GcOptions, check: CopyCheck) -> _RemoteCopies:
    """Find the copies that remotes have of removable objects. Call this before taking a lock: it may take long."""
    needed, current, names, versions = reachable_from_all_clones(repo, options.grace)
    spare = list(_spare(repo, needed, options))
    for word in options.names:
        if not any(_is_called(repo, word, name, names) for name in spare):
            raise NotFoundError(
                f"no unused version is called {shown(word)}",
                hint="run `mvc gc` to list unused versions",
            )
    found, unasked = find_on_remotes(repo, spare, check)
    evicted: dict[ObjectName, str] = {}
    unpushed = 0
    if options.evict:
        remote = configured.chosen_name(repo)
        kept = kept_by_gc(repo, remote, options.grace)
        evicted = dict.fromkeys(find_on_remote(repo, (needed - current) & kept, remote, check), remote)
        unpushed = sum(repo.store.has_root(*name) for name in needed & versions - current - kept)
    return _RemoteCopies(found, evicted, unasked, unpushed)


def _spare(repo: Repo, needed: set[ObjectName], options: GcOptions) -> Iterator[ObjectName]:
    """Yield the unreachable objects that are older than the grace period."""
    before = time.time() - options.grace
    for name in repo.store.roots():
        if name not in needed and _is_older(repo, name, before):
            yield name


def _is_older(repo: Repo, name: ObjectName, before: float) -> bool:
    try:
        return os.stat(repo.store.root_path(*name)).st_mtime <= before
    except FileNotFoundError:  # another gc removed it
        return False


def _is_called(repo: Repo, word: str, name: ObjectName, names: Mapping[ObjectName, str]) -> bool:
    """Return whether WORD is the path of an object or the beginning of its oid."""
    digest = word.removeprefix("blake3:")
    if len(digest) >= _SHORTEST and name.oid.hex().startswith(digest):
        return True
    try:
        return bool(names.get(name)) and model_of(pointer_of(repo.inside(word))) == names[name]
    except ModelvcError:
        return False


def _plan(repo: Repo, options: GcOptions, copies: _RemoteCopies) -> tuple[GcPlan, set[bytes]]:
    """Return the plan, and the chunks of all objects that stay."""
    store = repo.store
    needed, current, names, versions = reachable_from_all_clones(repo, options.grace)
    spare = set(_spare(repo, needed, options))
    now = time.time()
    items: list[GcItem] = []
    only_here: list[GcItem] = []
    live: set[bytes] = set()
    kept = 0
    free: set[bytes] = set()
    for name in store.roots():
        why, chunks = "", _chunks_if_readable(repo, name)
        if chunks is None and not store.has_root(*name):
            continue  # another gc removed it
        if name in spare:
            named = any(_is_called(repo, word, name, names) for word in options.names)
            why = UNREACHABLE if named or chunks is None or name in copies.spare else ONLY_HERE
        elif name in copies.evicted and name not in current:
            why = f"on {copies.evicted[name]}"
        if why:
            age = now - os.stat(store.root_path(*name)).st_mtime
            what = "version" if name in versions else "predictions" if name in names else "object"
            item = GcItem(names.get(name, ""), name.kind, str(name.oid), _size(repo, name), age, why, what)
            (only_here if why == ONLY_HERE else items).append(item)
        if why in {"", ONLY_HERE}:
            kept += 1
            live |= _chunks(repo, name) if chunks is None else chunks  # _chunks raises the error
        else:
            free |= chunks or set()
    free -= live
    remove, rewrite, frees = _packs(repo, _Chunks(live, free), now - options.grace)
    plan = GcPlan(
        items=tuple(items),
        only_here=tuple(only_here),
        unasked=copies.unasked,
        unpushed=copies.unpushed,
        kept=kept,
        frees=frees,
        remove_packs=tuple(remove),
        rewrite_packs=tuple(rewrite),
    )
    return plan, live


def apply_gc(repo: Repo, options: GcOptions = DEFAULT, progress: Progress = SILENT) -> GcDone:
    """Remove what `plan_gc` would return now, while no writer is at work. A kill at any point leaves a usable store.

    Before an object is removed because a remote has it, every byte of the remote's copy is read.
    """
    store = repo.store
    repo.require_init()
    compact.check_allowed(store)
    copies = _find_remote_copies(repo, options, CopyCheck(deep=True, progress=progress))
    store.prepare()
    with store.exclusive():
        store.forget_packs()
        plan, live = _plan(repo, options, copies)
        before = sum(size for _, size in store.packs())
        with StoreWriter(store, locked=True) as writer:

            def keep(pack: bytes, cid: bytes) -> bool:
                return cid in live and not _is_good_elsewhere(repo, cid, pack)

            copied = compact.copy_chunks(store, plan.rewrite_packs, keep, writer)
            writer.commit()
        compact.remove_roots(store, [ObjectName(item.kind, Oid.parse(item.oid)) for item in plan.items])
        # a pack is named by its content, so a rewritten pack may equal one of those to remove
        compact.remove_packs(store, set(plan.remove_packs) - writer.packs)
        compact.remove_copied(store, copied, writer.packs)
        store.forget_packs()
        with suppress(OSError):  # the disk is full; the index is only a cache
            store.index.merge()
        facts = {name.oid for name in store.roots()} | {Oid.parse(i.oid) for i in plan.items if i.why != UNREACHABLE}
        facts_cache.tidy(repo, facts.__contains__)  # facts of a version that only a remote has now stay true
        freed = before - sum(size for _, size in store.packs())
        return GcDone(plan.items, plan.only_here, plan.unasked, plan.unpushed, freed)


def _chunks(repo: Repo, name: ObjectName) -> set[bytes]:
    """Return every chunk that an object needs, including those of its manifests."""
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
        return 0  # an unreachable object that is damaged


class _Chunks(NamedTuple):
    """The chunks of all objects."""

    live: set[bytes]  # objects that stay need them
    free: set[bytes]  # only objects to remove need them


def _packs(repo: Repo, chunks: _Chunks, before: float) -> tuple[list[bytes], list[bytes], int]:
    """Return packs without live chunks, packs to rewrite, and the bytes that removing and rewriting them frees.

    A chunk of no object may come from a fetch that was interrupted. A pack made after BEFORE (seconds since the epoch)
    keeps such chunks.
    """
    store = repo.store
    remove, rewrite, frees = [], [], 0
    small = set(compact.small_packs(store))
    for name, size in store.packs():
        path = packfile.path_of(store.root, name)
        try:
            chunks_here = compact.chunks_of(store, name)
        except FileNotFoundError:
            continue  # another process merged it
        except IntegrityError:
            continue  # its content is unknown: fsck sets it aside
        mine = [
            chunk for chunk in chunks_here if chunk.cid in chunks.live and not _is_good_elsewhere(repo, chunk.cid, name)
        ]
        alive = sum(chunk.stored for chunk in mine)
        dead = sum(chunk.stored for chunk in chunks_here) - alive
        loose = any(chunk.cid not in chunks.live and chunk.cid not in chunks.free for chunk in chunks_here)
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
    """Return whether readers take the chunk CID from a pack other than NAME, where it is intact."""
    if repo.store.locate(cid).pack == name:
        return False
    try:
        repo.store.read_chunk(cid)
    except (IntegrityError, NotFoundError):
        return False
    return True

"""Verify objects, pointers and reachability, and repair damage from good copies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, NotFoundError, ObjectCorrupt
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.remotes.holders import find_holders
from modelvc.models.versions import claims
from modelvc.models.versions.scope import scope_of
from modelvc.ops.upkeep import fsck_remote, repair
from modelvc.ops.upkeep.problems import (
    BROKEN,
    DAMAGED,
    MISSING,
    NOT_PUSHED,
    WRONG,
    FsckFinding,
    Problem,
    broken_pointers,
    with_pointers,
    with_way_back,
    wrong_pointers,
)
from modelvc.store.check import local_store
from modelvc.store.repair import recover
from modelvc.store.repair.local_store import repair_local_pack

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from modelvc.errors import ModelvcError
    from modelvc.ids import ObjectName
    from modelvc.models.progress import Progress
    from modelvc.ops.upkeep.fsck_remote import RemoteCheck
    from modelvc.repo import Repo
    from modelvc.store.check.local_store import PackHealth


__all__ = ["BROKEN", "MISSING", "NOT_PUSHED", "WRONG", "Depth", "Fsck", "Problem", "fsck"]


@dataclass(frozen=True, slots=True)
class Fsck:
    """The result of a check. `objects`: versions that pointers name; `bytes_read`: bytes of packs that were read.

    `not_here`: versions in history that the local store lacks; remotes have them or were not searched for them.
    `not_asked`: remotes that may have missing objects or good copies but could not be asked, and why.
    """

    problems: tuple[Problem, ...]
    objects: int
    packs: int
    bytes_read: int
    not_here: int
    not_asked: tuple[str, ...] = ()
    remote: RemoteCheck | None = None

    @property
    def open(self) -> tuple[Problem, ...]:
        """The problems that were not repaired."""
        return tuple(problem for problem in self.problems if not problem.repaired)


@dataclass(frozen=True, slots=True)
class Depth:
    """How thorough a check is."""

    quick: bool = False  # verify structure and reachability only
    repair: bool = False  # repair from good copies in the worktree and on remotes
    remote: str | None = None  # also verify this remote; "": the default one
    share: float = 1.0  # share of the bytes of that remote's chunks to read


DEFAULT = Depth()


def fsck(repo: Repo, revs: Sequence[str] = (), depth: Depth = DEFAULT, progress: Progress = SILENT) -> Fsck:
    """Verify the local store, and every pointer in all of history, the index and the worktree (or in REVS)."""
    repo.require_init()
    scope = scope_of(repo, revs, everything=not revs)
    needed_by = scope.needed_by
    findings = broken_pointers(repo, scope)
    progress.expect(sum(size for _, size in repo.store.packs()))
    try:
        repo.store.check()
    except FormatError as error:
        config = FsckFinding(Problem(DAMAGED, f"the config of the store ({error})", repo.store.name))
        findings.append(config)
        if not (depth.repair and repo.store.restore_config()):  # without its config the store's format is unknown
            return Fsck(with_pointers(repo, findings, needed_by), len(scope.versions), 0, 0, 0)
        config.repaired()
    if not local_store.check_index(repo.store):
        cache = Problem(DAMAGED, "the pack index, a cache that was dropped", repo.store.name, repaired=True)
        findings.append(FsckFinding(cache))
    health = local_store.check_packs(repo.store, every_byte=not depth.quick, on_bytes=progress.advance)
    sick = [pack for pack in health if pack.unreadable or pack.damaged]
    needing = _needing(repo, sick)
    packs = [FsckFinding(_pack(repo, bad), needing[bad.name]) for bad in sick]
    if depth.repair:
        for bad in sick:
            repair_local_pack(repo.store, bad.name, os.path.join(repo.layout.mvc_dir, "damaged"))
    objects, absent = _objects(repo, needed_by, deep=not depth.quick)
    not_here = len(absent & scope.versions)
    unasked: tuple[str, ...] = ()
    if absent and depth.remote is None:  # else the check of that remote reports missing objects
        nowhere, unasked = _lost_versions(repo, absent, progress)
        objects |= nowhere
        not_here -= len(nowhere.keys() & scope.versions)
    for bad, pack in zip(sick, packs, strict=True):
        if not depth.repair:
            _blame(repo, bad, pack, objects)
    repairer = repair.Repairer(repo, {one.name: one.path for one in scope.objects}, progress)
    if depth.repair and objects:
        repairer.repair_local(objects)
        if not revs:
            repairer.set_aside({name: one for name, one in objects.items() if name not in needed_by})
    for bad, pack in zip(sick, packs, strict=True) if depth.repair else ():
        _settle(bad, pack, objects)
    findings += packs + list(objects.values()) + wrong_pointers(scope, partial(claims.stored, repo.store))
    far = None
    if depth.remote is not None:
        options = fsck_remote.RemoteCheckOptions(
            depth.remote, 0.0 if depth.quick else depth.share, repairer if depth.repair else None
        )
        worse, far = fsck_remote.check_remote(repo, options, scope, progress)
        findings += worse
    read = 0 if depth.quick else sum(pack.size for pack in health)
    with_pointers(repo, findings, needed_by)
    with_way_back(repo, findings)
    problems = tuple(found.problem for found in findings)
    not_asked = tuple(dict.fromkeys((*unasked, *repairer.not_asked)))
    return Fsck(problems, len(scope.versions), len(health), read, not_here, not_asked, far)


def _pack(repo: Repo, bad: PackHealth) -> Problem:
    count = len(bad.damaged)
    why = bad.unreadable or f"{count} damaged chunk{'' if count == 1 else 's'}"
    return Problem(DAMAGED, f"pack {bad.name.hex()[:10]}: {why}", repo.store.name)


def _needing(repo: Repo, sick: Sequence[PackHealth]) -> dict[bytes, set[ObjectName]]:
    """Return the objects that need a damaged chunk, by pack."""
    where = {cid: bad.name for bad in sick for cid in bad.damaged}
    found: dict[bytes, set[ObjectName]] = {bad.name: set() for bad in sick}
    for name in repo.store.roots() if where else ():
        content = recover.content_in_store(repo.store, name)
        for cid, _ in content.recipe if content else ():
            if cid in where:
                found[where[cid]].add(name)
    return found


def _blame(repo: Repo, bad: PackHealth, pack: FsckFinding, objects: dict[ObjectName, FsckFinding]) -> None:
    """Add findings for the objects that a damaged pack affects."""
    for name in pack.names:
        words = f"{name.oid.short}: damaged chunks"
        objects.setdefault(name, FsckFinding(Problem(DAMAGED, words, repo.store.name), (name,)))
    if bad.unreadable:  # its chunks are unknown, so any missing chunk may have been in it
        pack.names = [name for name, found in objects.items() if found.problem.kind == MISSING]


def _settle(bad: PackHealth, pack: FsckFinding, objects: Mapping[ObjectName, FsckFinding]) -> None:
    """Mark a damaged pack as repaired, or as set aside if an object may need a chunk that was lost with the pack."""
    users = objects if bad.unreadable else pack.names  # the chunks of an unreadable pack are unknown
    left = (objects[name].problem for name in users if name in objects)
    if any(one.set_aside or not one.repaired for one in left):
        pack.set_aside()
    else:
        pack.repaired()


def _objects(
    repo: Repo, needed: Mapping[ObjectName, Sequence[str]], *, deep: bool
) -> tuple[dict[ObjectName, FsckFinding], set[ObjectName]]:
    """Return the findings on objects of the store, and the objects of NEEDED that the store lacks."""
    found: dict[ObjectName, FsckFinding] = {}
    stored = set(repo.store.roots())
    for name in sorted(stored):
        error = local_store.check_object(repo.store, name, every_byte=deep)
        if error is not None and repo.store.has_root(*name):  # else another gc removed it meanwhile
            found[name] = FsckFinding(_object(repo, name, error), (name,))
    return found, {name for name in needed if name not in stored}


def _lost_versions(
    repo: Repo, absent: Collection[ObjectName], progress: Progress
) -> tuple[dict[ObjectName, FsckFinding], tuple[str, ...]]:
    """Return findings for the objects of ABSENT that no remote lists, and why remotes could not be asked."""
    holders = find_holders(repo, absent, on_wait=progress.waiting)
    stores = repo.store.name
    if configured.remotes(repo).remotes:
        stores = f"{stores} and every remote that was checked"
    gone = (name for name in absent if name not in holders.where)
    return {name: FsckFinding(Problem(MISSING, name.oid.short, stores), (name,)) for name in gone}, holders.unasked


def _object(repo: Repo, name: ObjectName, error: ModelvcError) -> Problem:
    short = name.oid.short
    if isinstance(error, NotFoundError):
        return Problem(MISSING, f"{short}: chunks are missing", repo.store.name)
    words = "damaged chunks" if isinstance(error, ObjectCorrupt) else str(error)
    return Problem(DAMAGED, f"{short}: {words}", repo.store.name)

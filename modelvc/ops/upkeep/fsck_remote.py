"""Find the objects that history needs and that a remote lacks or holds damaged."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from modelvc.errors import FormatError
from modelvc.models.remotes import configured, opening, seen_cache
from modelvc.models.versions.claims import Extent
from modelvc.ops.upkeep.problems import (
    DAMAGED,
    MISSING,
    NOT_PUSHED,
    UNREADABLE,
    FsckFinding,
    Problem,
    wrong_pointers,
)
from modelvc.store.check.remote_store import CheckDepth, RemoteChecker
from modelvc.store.remote.store import pack_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.ids import ObjectName
    from modelvc.models.progress import Progress
    from modelvc.models.versions.scope import Scope
    from modelvc.ops.upkeep.repair import Repairer
    from modelvc.repo import Repo
    from modelvc.store.check.remote_store import Fault, RemoteHealth
    from modelvc.store.remote.packs import RemotePack
    from modelvc.store.remote.store import Listing, RemoteStore


@dataclass(frozen=True, slots=True)
class RemoteCheckOptions:
    """Options of the check of a remote."""

    remote: str
    share: float  # share of the bytes of its chunks to read
    repairer: Repairer | None = None  # None: repair nothing


@dataclass(frozen=True, slots=True)
class RemoteCheck:
    """The extent of a check of a remote, in stored bytes. `needed_bytes`: needed by history; `checked_bytes`: compared
    with their ids; `read_bytes`: read for that.

    `proven`: versions whose whole hash is known to be right, by this check or because this clone hashed the same chunks
    in the same order.
    """

    name: str
    url: str
    versions: int
    packs: int
    proven: int
    needed_bytes: int
    checked_bytes: int
    read_bytes: int
    requests: int


def check_remote(
    repo: Repo, options: RemoteCheckOptions, scope: Scope, progress: Progress
) -> tuple[list[FsckFinding], RemoteCheck]:
    """Verify the objects in SCOPE on a remote and, with a repairer, repair them. Return findings and the extent."""
    name = configured.chosen_name(repo, options.remote)
    store = opening.open_remote(repo, name, writing=options.repairer is not None, on_wait=progress.waiting)
    try:
        listing = store.listing()
        findings = _config(store, listing, options)
        health = RemoteChecker(store, listing, repo.store, CheckDepth(options.share)).run(
            list(scope.needed_by), progress.advance, progress.expect
        )
        objects, packs = _findings(store, health)
        _mark_not_pushed(repo, name, listing, objects)
        if options.repairer is not None and (objects or packs):
            options.repairer.repair_remote_packs(store, health)
            left = _check_again(repo, store, listing, health)
            if left.faults or left.packs:
                options.repairer.send_again(name, store, left)
                left = _check_again(repo, store, listing, health)
            for one, finding in (*objects.items(), *packs.items()):
                if one not in left.faults and one not in left.packs:
                    finding.repaired()
        found = RemoteCheck(
            name=name,
            url=store.name,
            versions=len(scope.versions),
            packs=health.count,
            proven=len(health.proven),
            needed_bytes=health.needed_bytes,
            checked_bytes=health.checked_bytes,
            read_bytes=health.read_bytes,
            requests=store.backend.requests,
        )
        wrong = wrong_pointers(scope, partial(_actual, repo, health))
        return [*findings, *packs.values(), *objects.values(), *wrong], found
    finally:
        store.close()


def _actual(repo: Repo, health: RemoteHealth, pointer: Pointer) -> Extent | None:
    """Return the extent in the remote's root of an object that this clone lacks; None for any other."""
    name = pointer.kind, pointer.oid
    if name not in health.sizes or repo.store.has_root(*name):
        return None
    size, files = health.sizes[name]
    return Extent(size, files if pointer.kind == "tree" else None)


def _config(store: RemoteStore, listing: Listing, options: RemoteCheckOptions) -> list[FsckFinding]:
    """Return the finding on the config of a store that has packs; none if it is fine."""
    try:
        if store.check() is not None or not any(key.startswith("packs/") for key in listing.keys):
            return []
        found = FsckFinding(Problem(MISSING, "the config of the store", store.name))
    except FormatError as error:
        found = FsckFinding(Problem(DAMAGED, f"the config of the store ({error})", store.name))
    if options.repairer is not None:
        with suppress(FormatError):  # a config of a newer version stays
            store.prepare()
            found.repaired()
    return [found]


def _findings(
    store: RemoteStore, health: RemoteHealth
) -> tuple[dict[ObjectName, FsckFinding], dict[bytes, FsckFinding]]:
    objects = {}
    for name, fault in sorted(health.faults.items()):
        what = f"{name.oid.short}: {fault.why}" if fault.why else name.oid.short
        objects[name] = FsckFinding(Problem(_kind(fault), what, store.name), (name,))
    packs = {}
    for one in health.packs.values():
        problem = Problem(_kind(one), f"pack {one.short}: {one.why}", store.name)
        packs[one.name] = FsckFinding(problem, health.users[one.name])
    return objects, packs


def _mark_not_pushed(repo: Repo, remote: str, listing: Listing, objects: Mapping[ObjectName, FsckFinding]) -> None:
    """Call those of OBJECTS not pushed that this clone has and never saw on REMOTE, which does not list them."""
    seen = seen_cache.load(repo, remote)
    for name, found in objects.items():
        if not listing.has_root(*name) and name not in seen and repo.store.has_root(*name):
            found.problem = replace(found.problem, kind=NOT_PUSHED, what=name.oid.short)


def _kind(one: Fault | RemotePack) -> str:
    return MISSING if one.gone else UNREADABLE if one.denied else DAMAGED


def _check_again(repo: Repo, store: RemoteStore, before: Listing, health: RemoteHealth) -> RemoteHealth:
    """Verify the faulty objects again. Only packs that were bad or are new are read."""
    names = sorted(health.faults.keys() | {name for users in health.users.values() for name in users})
    only = CheckDepth(only=lambda pack: pack in health.packs or pack_key(pack) not in before.keys)
    return RemoteChecker(store, store.listing(), repo.store, only).run(names)

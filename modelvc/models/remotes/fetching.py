"""Fetch objects that the local store lacks, from one remote after the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import LockHeld, ModelvcError, shown
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured, opening, seen_cache
from modelvc.models.remotes.holders import list_roots
from modelvc.models.versions.scope import versions_in
from modelvc.store.local import compact
from modelvc.store.local.writer import StoreWriter
from modelvc.store.remote.seen_root import SeenRoot
from modelvc.store.transfer.download import Downloader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.ids import ObjectName
    from modelvc.models.progress import Progress
    from modelvc.models.versions.scope import ScopedObject
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore


JOBS = 6


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a fetch. `came`: paths of versions that came; `predictions`: number of versions whose predictions
    came. `missing`: (path, oid) of objects that no asked remote had. `came_from`: remotes that had objects;
    `unasked`: remotes that could not be asked, and why. `empty`: remotes where nothing was pushed yet.

    `dry_run`: nothing was written; `received_bytes` is then the size of the versions, an upper bound.
    """

    remote: str
    url: str
    came: tuple[str, ...]
    received_bytes: int
    here: int  # versions that were here already
    missing: tuple[tuple[str, str], ...]
    requests: int
    predictions: int = 0
    came_from: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    dry_run: bool = False
    empty: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """The hint about missing versions."""
        if self.remote in self.empty:
            return opening.nothing_pushed(self.url)
        return "run `mvc push --all` in a clone that has them"


def fetch_objects(
    repo: Repo, name: str, objects: Sequence[ScopedObject], jobs: int = JOBS, progress: Progress = SILENT
) -> Fetched:
    """Download from the remote NAME those of OBJECTS that the local store lacks.

    Without NAME, ask the remote of the branch's upstream first, then every other remote that this clone accepted.
    The error of the first remote is raised if it is NAME, nothing was to fetch, or objects are missing in the end.
    """
    wanted = _lacking(repo, objects)
    progress.expect(sum(one.pointer.size for one in wanted.values()))
    return _ask_in_turn(repo, name, objects, _Fetch(repo, jobs, progress, wanted))


def plan_fetch(repo: Repo, name: str, objects: Sequence[ScopedObject]) -> Fetched:
    """Return what `fetch_objects` would fetch, according to listings of the same remotes. Writes nothing."""
    return replace(_ask_in_turn(repo, name, objects, _DryRun(repo, 0, SILENT, _lacking(repo, objects))), dry_run=True)


def _lacking(repo: Repo, objects: Sequence[ScopedObject]) -> dict[ObjectName, ScopedObject]:
    return {one.name: one for one in objects if not repo.store.has_root(*one.name)}


def _ask_in_turn(repo: Repo, name: str, objects: Sequence[ScopedObject], work: _Fetch) -> Fetched:
    """Let WORK ask one remote after the other until it has all objects."""
    first = name or configured.for_upstream(repo)
    failure: ModelvcError | None = None
    unasked = []
    for remote in (first,) if name else (first, *configured.others(repo, first, trusted=True)):
        if remote != first and not work.left():
            break
        try:
            work.ask(remote)
        except ModelvcError as error:
            if remote == first:
                failure = error
            else:
                unasked.append(f"{shown(remote)}: {error}")
    if failure and (name or work.left() or not work.wanted):
        raise failure
    came = [one for one in work.came if not one.predictions]
    return Fetched(
        remote=first,
        url=work.url,
        came=tuple(str(one.path) for one in came),
        received_bytes=work.received,
        here=len(versions_in(objects) - work.wanted.keys()),
        missing=tuple((str(one.path), str(one.pointer.oid)) for one in work.left()),
        requests=work.requests,
        predictions=len(work.came) - len(came),
        came_from=tuple(work.gave),
        unasked=(*([f"{shown(first)}: {failure}"] if failure else []), *unasked),
        empty=tuple(work.empty),
    )


class _Fetch:
    """A fetch from one remote after the other. `gave`: the remotes that had objects; `empty`: those without a store."""

    def __init__(self, repo: Repo, jobs: int, progress: Progress, wanted: Mapping[ObjectName, ScopedObject]) -> None:
        self._repo = repo
        self._jobs = jobs
        self._progress = progress
        self.wanted = wanted
        self.url = ""
        self.received = 0
        self.requests = 0
        self.gave: list[str] = []
        self.empty: list[str] = []

    def left(self) -> list[ScopedObject]:
        """Return the wanted objects that are still missing."""
        return [one for name, one in self.wanted.items() if not self._has(name)]

    @property
    def came(self) -> list[ScopedObject]:
        """The wanted objects that were fetched."""
        return [one for name, one in self.wanted.items() if self._has(name)]

    def ask(self, remote: str) -> None:
        """Fetch the missing objects that REMOTE has."""
        left = [one.name for one in self.left()]
        store = opening.open_remote(self._repo, remote, writing=False, on_wait=self._progress.waiting)
        try:
            self.url = self.url or store.name
            if left:
                try:
                    self._fetch(store, left)
                    if len(self.left()) == len(left) and store.check() is None:
                        self.empty.append(remote)
                finally:
                    self.requests += store.backend.requests
                    self._remember(remote, [name for name in left if self._has(name)])
        finally:
            store.close()

    def _has(self, name: ObjectName) -> bool:
        return self._repo.store.has_root(*name)

    def _fetch(self, store: RemoteStore, left: Sequence[ObjectName]) -> None:
        done = Downloader(self._repo.store, store, self._jobs).run(left, self._progress.advance)
        self.received += done.bytes
        # the objects are here: neither a gc at work nor a full disk makes this fetch fail
        with suppress(LockHeld, OSError), StoreWriter(self._repo.store) as writer:
            compact.tidy(self._repo.store, writer)

    def _remember(self, remote: str, came: Sequence[ObjectName]) -> None:
        if came:
            self.gave.append(remote)
            known = seen_cache.load(self._repo, remote)
            seen_cache.save(self._repo, remote, {**known, **{one: known.get(one, SeenRoot(0, ())) for one in came}})


class _DryRun(_Fetch):
    """A fetch that writes nothing: an object that a remote lists counts as fetched."""

    def __init__(self, repo: Repo, jobs: int, progress: Progress, wanted: Mapping[ObjectName, ScopedObject]) -> None:
        super().__init__(repo, jobs, progress, wanted)
        self._listed: set[ObjectName] = set()

    def _has(self, name: ObjectName) -> bool:
        return name in self._listed

    def _fetch(self, store: RemoteStore, left: Sequence[ObjectName]) -> None:
        store.check()
        listing = list_roots(store, left)
        found = [name for name in left if listing.has_root(*name)]
        self._listed.update(found)
        self.received += sum(self.wanted[name].pointer.size for name in found)

    def _remember(self, remote: str, came: Sequence[ObjectName]) -> None:
        if came:
            self.gave.append(remote)

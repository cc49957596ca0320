"""Bring objects here: verified chunks into the local store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, shown
from modelvc.ops import pushed, remotes
from modelvc.ops.how import USUAL
from modelvc.ops.progress import SILENT
from modelvc.ops.scope import scope, versions_among
from modelvc.store.download import Downloader
from modelvc.store.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.oid import Oid
    from modelvc.ops.how import Transfer
    from modelvc.ops.progress import Progress
    from modelvc.ops.scope import Meant
    from modelvc.repo import Repo

    Named = tuple[str, Oid]

JOBS = 6


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch did. `missing`: (path, oid) of objects that no remote had that was asked; `predictions`: of how many
    versions the predictions came. `came_from`: the remotes that gave them; `unasked`: those that could not be asked.
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


def fetch(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    how: Transfer = USUAL,
    progress: Progress = SILENT,
) -> Fetched:
    """Download the objects that REVS and PATHS mean and that are not here yet."""
    repo.require_init()
    remotes.chosen_name(repo, how.remote)
    meant = scope(repo, revs, paths, everything=how.everything).meant
    return fetch_objects(repo, how.remote, meant, how.jobs or JOBS, progress)


def fetch_objects(
    repo: Repo, name: str, meant: Sequence[Meant], jobs: int = JOBS, progress: Progress = SILENT
) -> Fetched:
    """Download those of MEANT that the local store lacks from the remote NAME.

    Without NAME from the remote that belongs to the upstream of the branch; what it lacks, from every other remote that
    this clone accepted. Raises the error of the first remote when something stays away that it could not answer for.
    """
    wanted = {one.name: one for one in meant if not repo.store.has_root(*one.name)}
    first = name or remotes.of_upstream(repo)
    progress.expect(sum(one.pointer.size for one in wanted.values()))
    work = _Work(repo, jobs, progress, wanted)
    failure: ModelvcError | None = None
    unasked = []
    for place in (first,) if name else (first, *remotes.accepted(repo, first)):
        if place != first and not work.left():
            break
        try:
            work.ask(place)
        except ModelvcError as error:
            if place == first:
                failure = error
            else:
                unasked.append(f"{shown(place)}: {error}")
    if failure and (name or work.left() or not wanted):
        raise failure
    came = [one for one in work.came if not one.predictions]
    return Fetched(
        remote=first,
        url=work.url,
        came=tuple(str(one.path) for one in came),
        received_bytes=work.received,
        here=len(versions_among(meant) - wanted.keys()),
        missing=tuple((str(one.path), str(one.pointer.oid)) for one in work.left()),
        requests=work.requests,
        predictions=len(work.came) - len(came),
        came_from=tuple(work.gave),
        unasked=(*([f"{shown(first)}: {failure}"] if failure else []), *unasked),
    )


class _Work:
    """A fetch from one remote after the other. `gave`: those that had something."""

    def __init__(self, repo: Repo, jobs: int, progress: Progress, wanted: Mapping[Named, Meant]) -> None:
        self._repo = repo
        self._jobs = jobs
        self._progress = progress
        self._wanted = wanted
        self.url = ""
        self.received = 0
        self.requests = 0
        self.gave: list[str] = []

    def left(self) -> list[Meant]:
        return [one for name, one in self._wanted.items() if not self._repo.store.has_root(*name)]

    @property
    def came(self) -> list[Meant]:
        return [one for name, one in self._wanted.items() if self._repo.store.has_root(*name)]

    def ask(self, place: str) -> None:
        """Bring what the remote PLACE has of what is left."""
        repo = self._repo
        left = [one.name for one in self.left()]
        store = remotes.open_remote(repo, place, writing=False)
        try:
            self.url = self.url or store.name
            if left:
                try:
                    done = Downloader(repo.store, store, self._jobs).run(left, self._progress.advance)
                    self.received += done.bytes
                finally:
                    self.requests += store.backend.requests
                    self._remember(place, [name for name in left if repo.store.has_root(*name)])
        finally:
            store.close()

    def _remember(self, place: str, came: Sequence[Named]) -> None:
        if came:
            self.gave.append(place)
            known = pushed.load(self._repo, place)
            pushed.save(self._repo, place, {**known, **{one: known.get(one, Seen(0, ())) for one in came}})

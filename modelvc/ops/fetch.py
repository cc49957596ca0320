"""Bring objects here: verified chunks into the local store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.ops import pushed, remotes
from modelvc.ops.how import USUAL
from modelvc.ops.progress import SILENT
from modelvc.ops.scope import scope, versions_among
from modelvc.store.download import Downloader
from modelvc.store.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.oid import Oid
    from modelvc.ops.how import Transfer
    from modelvc.ops.progress import Progress
    from modelvc.ops.scope import Meant
    from modelvc.repo import Repo

    Named = tuple[str, Oid]

JOBS = 6


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch did. `missing`: (path, oid) of objects that the remote does not have; `predictions`: of how many
    versions the predictions came.
    """

    remote: str
    url: str
    came: tuple[str, ...]
    received_bytes: int
    here: int  # versions that were here already
    missing: tuple[tuple[str, str], ...]
    requests: int
    predictions: int = 0


def fetch(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    how: Transfer = USUAL,
    progress: Progress = SILENT,
) -> Fetched:
    """Download the objects that REVS and PATHS mean and that are not here yet."""
    repo.require_init()
    name = remotes.chosen_name(repo, how.remote)
    meant = scope(repo, revs, paths, everything=how.everything).meant
    return fetch_objects(repo, name, meant, how.jobs or JOBS, progress)


def fetch_objects(
    repo: Repo, name: str, meant: Sequence[Meant], jobs: int = JOBS, progress: Progress = SILENT
) -> Fetched:
    """Download those of MEANT that the local store lacks from the remote NAME."""
    wanted = {one.name: one for one in meant if not repo.store.has_root(*one.name)}
    here = len(versions_among(meant) - wanted.keys())
    store = remotes.open_remote(repo, name, writing=False)
    try:
        if not wanted:
            return Fetched(name, store.name, (), 0, here, (), 0)
        progress.expect(sum(one.pointer.size for one in wanted.values()))
        done = Downloader(repo.store, store, jobs).run(list(wanted), progress.advance)
        known = pushed.load(repo, name)
        pushed.save(repo, name, {**known, **{one: known.get(one, Seen(0, ())) for one in done.came}})
        return Fetched(
            remote=name,
            url=store.name,
            came=tuple(str(wanted[one].path) for one in done.came if not wanted[one].predictions),
            received_bytes=done.bytes,
            here=here,
            missing=tuple((str(wanted[one].path), str(one[1])) for one in done.missing),
            requests=store.backend.requests,
            predictions=sum(wanted[one].predictions for one in done.came),
        )
    finally:
        store.close()

"""Bring objects here: verified chunks into the local store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.remotes.fetching import JOBS, fetch_objects, would_come
from modelvc.models.versions.scope import scope
from modelvc.ops.sharing.transfer import USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.progress import Progress
    from modelvc.models.remotes.fetching import Fetched
    from modelvc.ops.sharing.transfer import Transfer
    from modelvc.repo import Repo


def fetch(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    how: Transfer = USUAL,
    progress: Progress = SILENT,
) -> Fetched:
    """Download the objects that REVS and PATHS mean and that are not here yet."""
    repo.require_init()
    configured.chosen_name(repo, how.remote)
    meant = scope(repo, revs, paths, everything=how.everything).meant
    if how.dry_run:
        return would_come(repo, how.remote, meant)
    return fetch_objects(repo, how.remote, meant, how.jobs or JOBS, progress)

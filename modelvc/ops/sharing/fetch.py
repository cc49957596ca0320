"""Fetch objects into the local store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.remotes.fetching import JOBS, fetch_objects, plan_fetch
from modelvc.models.versions.scope import scope_of
from modelvc.ops.sharing.transfer_options import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.progress import Progress
    from modelvc.models.remotes.fetching import Fetched
    from modelvc.ops.sharing.transfer_options import TransferOptions
    from modelvc.repo import Repo


def fetch(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    options: TransferOptions = DEFAULT,
    progress: Progress = SILENT,
) -> Fetched:
    """Fetch the objects in REVS and below PATHS (default: HEAD, index and worktree) that the local store lacks."""
    repo.require_init()
    configured.chosen_name(repo, options.remote)
    objects = scope_of(repo, revs, paths, everything=options.everything).objects
    if options.dry_run:
        return plan_fetch(repo, options.remote, objects)
    return fetch_objects(repo, options.remote, objects, options.jobs or JOBS, progress)

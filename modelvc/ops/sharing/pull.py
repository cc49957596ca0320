"""Fetch, then check out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.models.files.prepare import CheckoutOptions
from modelvc.models.progress import SILENT
from modelvc.ops.sharing.fetch import fetch
from modelvc.ops.sharing.transfer import DEFAULT
from modelvc.ops.tracking.checkout import CheckedOut, checkout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.progress import Progress
    from modelvc.models.remotes.fetching import Fetched
    from modelvc.ops.sharing.transfer import TransferOptions
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came, and what became of the worktree."""

    fetched: Fetched
    checked_out: CheckedOut


def pull(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    options: TransferOptions = DEFAULT,
    progress: Progress = SILENT,
) -> Pulled:
    """Bring the objects that REVS and PATHS mean, then make the worktree's models what their pointers say."""
    fetched = fetch(repo, revs, paths, options, progress)
    return Pulled(
        fetched, checkout(repo, "", paths, CheckoutOptions(remote=options.remote, dry_run=options.dry_run), progress)
    )

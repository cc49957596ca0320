"""Fetch objects, then check out models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import WorktreeDirty, shown
from modelvc.models.files.prepare import CheckoutOptions
from modelvc.models.progress import SILENT
from modelvc.ops.sharing.fetch import fetch
from modelvc.ops.sharing.transfer_options import DEFAULT
from modelvc.ops.tracking.checkout import CheckedOut, checkout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.progress import Progress
    from modelvc.models.remotes.fetching import Fetched
    from modelvc.ops.sharing.transfer_options import TransferOptions
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Pulled:
    """The results of the fetch and of the checkout."""

    fetched: Fetched
    checked_out: CheckedOut


def pull(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    options: TransferOptions = DEFAULT,
    progress: Progress = SILENT,
) -> Pulled:
    """Fetch the objects in REVS and below PATHS, then check out the models in PATHS by the worktree's pointers.

    Raises WorktreeDirty, as checkout does; the fetched objects stay.
    """
    fetched = fetch(repo, revs, paths, options, progress)
    checkout_options = CheckoutOptions(remote=options.remote, dry_run=options.dry_run)
    try:
        return Pulled(fetched, checkout(repo, "", paths, checkout_options, progress))
    except WorktreeDirty as error:  # pull has no --force
        name = shown(error.path)
        error.hint = f"keep them with `mvc add {name}`, or store and replace them with `mvc checkout --force {name}`"
        raise

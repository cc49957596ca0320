"""Find the objects of this clone that remotes keep, before gc deletes local copies."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError
from modelvc.git import git_remotes
from modelvc.models.progress import SILENT
from modelvc.models.remotes import opening
from modelvc.models.remotes.holders import ask_in_turn
from modelvc.models.versions import repositories
from modelvc.models.versions.reachable import reachable
from modelvc.store.check.remote_store import CheckDepth, RemoteChecker

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelvc.ids import ObjectName
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class CopyCheck:
    """How to check the copies: by manifests and a listing or, if `deep`, by hashing every byte and each object."""

    deep: bool
    progress: Progress = SILENT


def find_on_remote(repo: Repo, wanted: Collection[ObjectName], name: str, check: CopyCheck) -> set[ObjectName]:
    """Return those of WANTED that the remote NAME has with every pack that they need. A doomed pack does not count."""
    from modelvc.store.transfer.upload import needed_packs

    store = opening.open_remote(repo, name, writing=False, on_wait=check.progress.waiting)
    found = []
    try:
        listing = store.listing()
        doomed = store.doomed(listing.dooms)
        for one in wanted:
            try:
                packs = needed_packs(store, *one) if listing.has_root(*one) else None
            except IntegrityError:
                continue  # a damaged copy does not count
            if packs is not None and all(listing.has_pack(*pack) and pack[0] not in doomed for pack in packs):
                found.append(one)
        depth = CheckDepth(share=1.0 if check.deep else 0.0, whole=check.deep)
        health = RemoteChecker(store, listing, repo.store, depth).run(
            found, check.progress.advance, check.progress.expect
        )
        # another writer may have stored good chunks of another object under this name
        return health.proven if check.deep else set(found) - health.faults.keys()
    finally:
        store.close()


def kept_by_gc(repo: Repo, name: str, grace: float) -> set[ObjectName]:
    """Return the objects that `gc --remote` of the remote NAME keeps for this clone.

    These are the objects that registered Git remotes of this clone reach now; without Git remotes, those that the clone
    reaches. GRACE: seconds. Raises GitError for a Git remote that cannot be read.
    """
    own = git_remotes.own_repositories(repo.layout)
    if len(own) == 1:  # only the clone itself, which is registered without a URL
        return reachable(repo, grace).needed
    store = opening.open_remote(repo, name, writing=False)
    try:
        registered = store.repositories()
    finally:
        store.close()
    urls = [url for repository, url in list(own.items())[:-1] if repository in registered]
    return set(repositories.reached_objects(repo, urls))


def find_on_remotes(
    repo: Repo, wanted: Collection[ObjectName], check: CopyCheck
) -> tuple[dict[ObjectName, str], tuple[str, ...]]:
    """Return the objects of WANTED that a remote has, each with its name; and why remotes could not be asked."""
    found, errors = ask_in_turn(repo, wanted, lambda name, left: find_on_remote(repo, left, name, check))
    return found, tuple(f"{name} could not be checked: {error}" for name, error in sorted(errors, key=itemgetter(0)))

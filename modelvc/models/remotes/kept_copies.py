"""Which objects of this clone a remote has too, asked before they are deleted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError
from modelvc.git import git_remotes
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.versions import repositories
from modelvc.models.versions.reachable import reachable
from modelvc.store.check.remote_store import FarCheck, How

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelvc.ids import ObjectName
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class CopyCheck:
    """How to look: at all that manifests and a listing say or, DEEP, at every byte and what they add up to."""

    deep: bool
    progress: Progress = SILENT


def find_on_remote(repo: Repo, wanted: Collection[ObjectName], name: str, look: CopyCheck) -> set[ObjectName]:
    """Those of WANTED that the remote NAME has, with every pack they need, none of which is to go."""
    from modelvc.store.transfer.upload import needed_packs

    store = configured.open_remote(repo, name, writing=False)
    found = []
    try:
        listing = store.listing()
        doomed = store.doomed(listing.dooms)
        for one in wanted:
            try:
                packs = needed_packs(store, *one) if listing.has_root(*one) else None
            except IntegrityError:
                continue  # what is damaged there is not there
            if packs is not None and all(listing.has_pack(*pack) and pack[0] not in doomed for pack in packs):
                found.append(one)
        how = How(share=1.0 if look.deep else 0.0, whole=look.deep)
        health = FarCheck(store, listing, repo.store, how).run(found, look.progress.advance, look.progress.expect)
        # another writer may have put good chunks of something else under this name
        return health.proven if look.deep else set(found) - health.faults.keys()
    finally:
        store.close()


def kept_by_gc(repo: Repo, name: str, grace: float) -> set[ObjectName]:
    """What a clean-up of the remote NAME keeps for this clone: all that Git's remotes reach, which are asked now.

    Those that are not registered there do not count. Without Git remotes: what this clone reaches. Raises GitError for
    a Git remote that cannot be read.
    """
    own = git_remotes.own_repositories(repo.layout)
    if len(own) == 1:  # the clone alone: remotes know it by itself
        return reachable(repo, grace).needed
    store = configured.open_remote(repo, name, writing=False)
    try:
        registered = store.repositories()
    finally:
        store.close()
    urls = [url for place, url in list(own.items())[:-1] if place in registered]
    return set(repositories.reached_objects(repo, urls))


def find_on_remotes(
    repo: Repo, wanted: Collection[ObjectName], look: CopyCheck
) -> tuple[dict[ObjectName, str], tuple[str, ...]]:
    """Those of WANTED that some remote has, each with its name; and why remotes could not be asked."""
    found: dict[ObjectName, str] = {}
    unasked = []
    for remote in configured.remotes(repo).remotes:
        left = [one for one in wanted if one not in found]
        if not left:
            break
        try:
            found |= dict.fromkeys(find_on_remote(repo, left, remote.name, look), remote.name)
        except ModelvcError as error:
            unasked.append(f"{remote.name} could not be asked: {error}")
    return found, tuple(unasked)

"""What remotes have of the objects of this clone, before it lets go of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ModelvcError
from modelvc.formats.pointer import parse
from modelvc.git import history, places
from modelvc.ops import remotes
from modelvc.ops.progress import SILENT
from modelvc.ops.reach import reachable
from modelvc.store.farcheck import FarCheck, How

if TYPE_CHECKING:
    from collections.abc import Collection

    from modelvc.oid import Oid
    from modelvc.ops.progress import Progress
    from modelvc.repo import Repo

    Named = tuple[str, Oid]


@dataclass(frozen=True, slots=True)
class Look:
    """How to look: at all that manifests and a listing say or, DEEP, at every byte and what they add up to."""

    deep: bool
    progress: Progress = SILENT


def on_remote(repo: Repo, wanted: Collection[Named], name: str, look: Look) -> set[Named]:
    """Those of WANTED that the remote NAME has, with every pack they need, none of which is to go."""
    from modelvc.store.upload import needed_packs

    store = remotes.open_remote(repo, name, writing=False)
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


def kept_there(repo: Repo, grace: float) -> set[Named]:
    """What a clean-up of a remote keeps for this clone: all that Git's remotes reach; without any, what it reaches."""
    if len(places.own_places(repo.layout)) == 1:  # the clone alone: remotes know it by itself
        return reachable(repo, grace)[0]
    found: set[Named] = set()
    heads = history.published_heads(repo.layout)
    for seen in history.pointers_in(repo.layout, include=heads):
        with suppress(ModelvcError):  # one that can not be read stops gc itself
            found.update((one.kind, one.oid) for one in parse(seen.data, seen.path).versions)
    return found


def on_any(repo: Repo, wanted: Collection[Named], look: Look) -> tuple[dict[Named, str], tuple[str, ...]]:
    """Those of WANTED that some remote has, each with its name; and why remotes could not be asked."""
    found: dict[Named, str] = {}
    unasked = []
    for remote in remotes.remotes(repo).remotes:
        left = [one for one in wanted if one not in found]
        if not left:
            break
        try:
            found |= dict.fromkeys(on_remote(repo, left, remote.name, look), remote.name)
        except ModelvcError as error:
            unasked.append(f"{remote.name} could not be asked: {error}")
    return found, tuple(unasked)

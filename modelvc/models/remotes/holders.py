"""Which remotes list a version, before a command says that it is nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ModelvcError, shown
from modelvc.models.remotes import configured
from modelvc.store.remote.store import Listing, root_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from modelvc.ids import ObjectName
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore


_FEW = 16  # objects that are asked for one by one


class Holders(NamedTuple):
    """The remote that lists each object, and why other remotes could not be asked."""

    where: Mapping[ObjectName, str]
    unasked: tuple[str, ...]


def find_holders(repo: Repo, wanted: Collection[ObjectName], *, skip: str = "") -> Holders:
    """Ask every remote that this clone may read, the default one first and SKIP not at all, for the objects WANTED."""
    found: dict[ObjectName, str] = {}
    unasked = []
    for name in others(repo, skip):
        left = [one for one in wanted if one not in found]
        if not left:
            break
        try:
            store = configured.open_remote(repo, name, writing=False)
            try:
                store.check()
                listed = list_roots(store, left)
                found |= {one: name for one in left if listed.has_root(*one)}
            finally:
                store.close()
        except ModelvcError as error:
            unasked.append(f"{shown(name)}: {error}")
    return Holders(found, tuple(unasked))


def others(repo: Repo, first: str = "") -> list[str]:
    """The names of all remotes but FIRST, the default one first."""
    default = configured.default_name(repo)
    named = [info.name for info in configured.remotes(repo).remotes if info.name != first]
    return sorted(named, key=lambda one: (one != default, one))


def list_roots(store: RemoteStore, wanted: Collection[ObjectName]) -> Listing:
    if len(wanted) > _FEW:
        return store.listing()
    return Listing(store.backend.stat([root_key(*one) for one in wanted]))

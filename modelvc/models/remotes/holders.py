"""Find the remotes that list a version, before a command reports that no store has it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ModelvcError, shown
from modelvc.models.remotes import configured, opening
from modelvc.store.remote.store import Listing, root_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from modelvc.ids import ObjectName
    from modelvc.repo import Repo
    from modelvc.store.backends.retry import OnWait
    from modelvc.store.remote.store import RemoteStore


_FEW = 16  # objects that are asked for one by one


class Holders(NamedTuple):
    """The remote that lists each object, and why other remotes could not be asked."""

    where: Mapping[ObjectName, str]
    unasked: tuple[str, ...]


def find_holders(repo: Repo, wanted: Collection[ObjectName], *, skip: str = "", on_wait: OnWait = None) -> Holders:
    """Find a remote that lists each object of WANTED, among all remotes but SKIP."""

    def listed(name: str, left: Collection[ObjectName]) -> list[ObjectName]:
        with closing(opening.open_remote(repo, name, writing=False, on_wait=on_wait)) as store:
            store.check()
            listing = list_roots(store, left)
            return [one for one in left if listing.has_root(*one)]

    found, errors = ask_in_turn(repo, wanted, listed, skip=skip)
    return Holders(found, tuple(f"{shown(name)}: {error}" for name, error in errors))


def ask_in_turn(
    repo: Repo,
    wanted: Collection[ObjectName],
    ask: Callable[[str, Collection[ObjectName]], Iterable[ObjectName]],
    *,
    skip: str = "",
) -> tuple[dict[ObjectName, str], list[tuple[str, ModelvcError]]]:
    """Call ASK for the default remote, then every other one but SKIP, until all objects of WANTED are found.

    ASK gets the name of a remote and the objects still missing, and returns those that the remote has. Return the
    remote of each object found, and the errors of ASK by remote.
    """
    found: dict[ObjectName, str] = {}
    errors = []
    for name in configured.others(repo, skip):
        left = [one for one in wanted if one not in found]
        if not left:
            break
        try:
            found |= dict.fromkeys(ask(name, left), name)
        except ModelvcError as error:
            errors.append((name, error))
    return found, errors


def list_roots(store: RemoteStore, wanted: Collection[ObjectName]) -> Listing:
    """Return a listing that tells which roots of WANTED are in STORE. For a few objects only their roots are listed."""
    if len(wanted) > _FEW:
        return store.listing()
    return Listing(store.backend.stat([root_key(*one) for one in wanted]))

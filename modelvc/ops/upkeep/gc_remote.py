"""Remove from a remote what no Git repository that uses it reaches. Never run by a hook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, NotFoundError, UsageError, shown, shown_url
from modelvc.ids import ObjectName
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured
from modelvc.models.versions import repositories
from modelvc.models.versions.reachable import reachable
from modelvc.store.backends.probe import clock_error, probe
from modelvc.store.gc.collector import Collector
from modelvc.store.gc.survey import GcRules
from modelvc.store.transfer.upload import GRACE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.formats.text.store_config import StoreConfig
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore


_CLOCKS_APART = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """An object that goes. `path`: where this clone knows it from; `size`: bytes; `age`: seconds since its push."""

    path: str
    kind: str
    oid: str
    size: int
    age: float


@dataclass(frozen=True, slots=True)
class RemoteGc:
    """What a clean-up of a remote did or, unless `applied`, would do. Sizes are bytes of packs, `grace` is in seconds.

    Doomed packs wait for the grace; then what is still needed of them is copied, and they are deleted.
    """

    remote: str
    url: str
    applied: bool
    grace: float
    repositories: tuple[str, ...]  # whose refs were read, besides this clone's
    items: tuple[RemoteItem, ...]
    doomed: int
    doomed_bytes: int
    waiting: int  # doomed before, and younger than the grace
    waiting_bytes: int
    deleted: int
    deleted_bytes: int
    copied_bytes: int  # of the deleted ones; 0 when not applied


@dataclass(frozen=True, slots=True)
class RemoteGcOptions:
    """How to clean up. `exclusive`: nobody else uses the remote now.

    `also`: URLs of other repositories whose refs are read; `forget`: the place of one that is gone for good.
    """

    remote: str = ""
    grace: float = GRACE
    exclusive: bool = False
    also: Sequence[str] = ()
    forget: str = ""


def gc_remote(repo: Repo, asked: RemoteGcOptions, *, apply: bool = False, progress: Progress = SILENT) -> RemoteGc:
    """What can go from a remote; with APPLY, let it go as far as it can go now. May be broken off anywhere."""
    repo.require_init()
    if apply and asked.grace < GRACE and not asked.exclusive:
        raise UsageError(
            f"others rely on a grace of {GRACE / 86_400:g} days when they push and fetch",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )
    name = configured.chosen_name(repo, asked.remote)
    store = configured.open_remote(repo, name, writing=apply or bool(asked.forget))
    try:
        config = store.check()
        if config is None:
            raise NotFoundError(f"nothing was pushed to {store.name} yet", hint=f"run `mvc push -r {shown(name)}`")
        config.check_gc(store.name)
        if apply or asked.forget:
            store.adapt(config.id)
        if not asked.exclusive:
            _require_conditions(store, config, write=apply)
        if apply and asked.grace > 0:
            _require_clock(store)
        registered = store.repositories()
        if asked.forget:
            _forget(store, registered, asked.forget)
        urls = repositories.urls_to_read(repo, registered, asked.also, name)
        names: dict[ObjectName, str] = {}
        rules = GcRules(_reached(repo, urls, names, asked.grace), asked.grace, registered=registered.values())
        work = Collector(store, rules, progress.advance)
        done = work.run() if apply else work.plan()
        return RemoteGc(
            remote=name,
            url=store.name,
            applied=apply,
            grace=asked.grace,
            repositories=tuple(map(shown_url, urls)),
            items=tuple(
                RemoteItem(names.get(ObjectName(one.kind, one.oid), ""), one.kind, str(one.oid), one.size, one.age)
                for one in done.roots
            ),
            doomed=done.doomed,
            doomed_bytes=done.doomed_bytes,
            waiting=done.waiting,
            waiting_bytes=done.waiting_bytes,
            deleted=done.deleted,
            deleted_bytes=done.deleted_bytes,
            copied_bytes=done.copied_bytes,
        )
    finally:
        store.close()


def _require_conditions(store: RemoteStore, config: StoreConfig, *, write: bool) -> None:
    if config.unconditional:
        raise ConflictError(
            f"some clones write to {store.name} without conditions, so a push at the same time could be lost",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )
    fits = probe(store.backend).conditional if write else store.backend.capabilities.conditional
    if not fits:
        raise ConflictError(
            f"{store.name} cannot change a key only if it is still the same, so a push at the same time could be lost",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )


def _require_clock(store: RemoteStore) -> None:
    """Ages are the time that a server tells less the one that its keys got: a proxy may have a clock of its own."""
    ahead = clock_error(store.backend)
    if abs(ahead) > _CLOCKS_APART:
        raise ConflictError(
            f"{store.name} tells a time {abs(ahead) / 3600:,.0f} hours {'after' if ahead > 0 else 'before'} "
            "the one it gives to what is written now, so what is young could seem old",
            hint="see to the clocks of the server and of a proxy before it, then run the command again",
        )


def _forget(store: RemoteStore, registered: dict[str, str], place: str) -> None:
    key = registered.pop(place, None)
    if key is None:
        raise NotFoundError(f"no repository {shown(place, 300)} is registered", hint="see `mvc gc --remote`")
    store.backend.delete(key, None)


def _reached(
    repo: Repo, urls: Sequence[str], names: dict[ObjectName, str], grace: float
) -> Callable[[], set[ObjectName]]:
    """What asks for all that refs reach, when it is called; a path for each goes to NAMES."""

    def ask() -> set[ObjectName]:
        mine = reachable(repo, grace)
        found = repositories.reached_objects(repo, urls)
        names.update(mine.names | found)
        return mine.needed | set(found)

    return ask

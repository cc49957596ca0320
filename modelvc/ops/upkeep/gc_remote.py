"""Remove objects from a remote that no Git repository using it reaches. No hook runs this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, NotFoundError, UsageError, shown, shown_url
from modelvc.ids import ObjectName
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured, opening
from modelvc.models.versions import repositories
from modelvc.models.versions.reachable import reachable
from modelvc.store.backends.probe import clock_error, probe
from modelvc.store.remote_gc.gc import Gc
from modelvc.store.remote_gc.survey import GcRules
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
    """An object to remove. `path`: that of a pointer, if known; `size`: bytes; `age`: seconds since its push."""

    path: str
    kind: str
    oid: str
    size: int
    age: float


@dataclass(frozen=True, slots=True)
class RemoteGc:
    """The result of a gc of a remote. Unless `applied`, nothing was changed. Sizes: bytes of packs; `grace`: seconds.

    Doomed packs wait for the grace period. Then chunks that are still needed are copied, and the packs are deleted.
    """

    remote: str
    url: str
    applied: bool
    grace: float
    repositories: tuple[str, ...]  # URLs whose refs were read, besides this clone
    items: tuple[RemoteItem, ...]
    doomed: int
    doomed_bytes: int
    waiting: int  # doomed before, and still in the grace period
    waiting_bytes: int
    deleted: int
    deleted_bytes: int
    copied_bytes: int  # of the deleted packs; 0 unless applied


@dataclass(frozen=True, slots=True)
class RemoteGcOptions:
    """Options of `mvc gc --remote`."""

    remote: str = ""  # "": the default one
    grace: float = GRACE  # seconds
    exclusive: bool = False  # no other clone uses the remote meanwhile
    also: Sequence[str] = ()  # URLs of other repositories whose refs are read
    forget: str = ""  # canonical name of a repository that no longer exists


def gc_remote(repo: Repo, options: RemoteGcOptions, *, apply: bool = False, progress: Progress = SILENT) -> RemoteGc:
    """Find the objects and packs that a remote can do without; with APPLY, doom or delete them. May be killed anywhere.

    Raises ConflictError if another repository may need them, or if the remote or its clock makes removal unsafe.
    """
    repo.require_init()
    if apply and options.grace < GRACE and not options.exclusive:
        raise UsageError(
            f"other clones rely on a grace period of {GRACE / 86_400:g} days when they push and fetch",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )
    name = configured.chosen_name(repo, options.remote)
    store = opening.open_remote(repo, name, writing=apply or bool(options.forget), on_wait=progress.waiting)
    try:
        config = store.check()
        if config is None:
            raise NotFoundError(f"nothing was pushed to {store.name} yet", hint=f"run `mvc push -r {shown(name)}`")
        config.check_gc(store.name)
        if apply or options.forget:
            store.adapt(config.id)
        if not options.exclusive:
            _require_conditions(store, config, write=apply)
        if apply and options.grace > 0:
            _require_clock(store)
        registered = store.repositories()
        if options.forget:
            _forget(store, registered, options.forget)
        urls = repositories.urls_to_read(repo, registered, options.also, name)
        names: dict[ObjectName, str] = {}
        rules = GcRules(_reached(repo, urls, names, options.grace), options.grace, registered=registered.values())
        work = Gc(store, rules, progress.advance)
        done = work.run() if apply else work.plan()
        return RemoteGc(
            remote=name,
            url=store.name,
            applied=apply,
            grace=options.grace,
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
            f"some clones write to {store.name} without compare-and-swap, so a concurrent push could be lost",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )
    fits = probe(store.backend).conditional if write else store.backend.capabilities.conditional
    if not fits:
        raise ConflictError(
            f"{store.name} has no compare-and-swap, so a concurrent push could be lost",
            hint="add `--exclusive` if nobody else uses this remote while it is cleaned up",
        )


def _require_clock(store: RemoteStore) -> None:
    """Raise ConflictError if the server's clock differs from its keys' times. A proxy may have a clock of its own.

    The age of a key is the server's time minus the time of the key.
    """
    ahead = clock_error(store.backend)
    if abs(ahead) > _CLOCKS_APART:
        raise ConflictError(
            f"{store.name} tells a time {abs(ahead) / 3600:,.0f} hours {'after' if ahead > 0 else 'before'} "
            "the one it gives to what is written now, so what is young could seem old",
            hint="check the clocks of the server and of any proxy before it, then run the command again",
        )


def _forget(store: RemoteStore, registered: dict[str, str], repository: str) -> None:
    key = registered.pop(repository, None)
    if key is None:
        raise NotFoundError(f"no repository {shown(repository, 300)} is registered", hint="see `mvc gc --remote`")
    store.backend.delete(key, None)


def _reached(
    repo: Repo, urls: Sequence[str], names: dict[ObjectName, str], grace: float
) -> Callable[[], set[ObjectName]]:
    """Return a function that reads all refs and returns the objects that they reach. It adds their paths to NAMES."""

    def ask() -> set[ObjectName]:
        mine = reachable(repo, grace)
        found = repositories.reached_objects(repo, urls)
        names.update(mine.names | found)
        return mine.needed | set(found)

    return ask

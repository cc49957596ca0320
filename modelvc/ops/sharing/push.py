"""Push objects to a remote, before Git pushes refs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import BrokenPointer, ModelvcError
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import reachability
from modelvc.ids import ObjectName
from modelvc.models.progress import SILENT
from modelvc.models.remotes import configured, opening, proofs, seen_cache
from modelvc.models.remotes.holders import find_holders
from modelvc.models.versions.repositories import own_registrations
from modelvc.models.versions.scope import scope_between, scope_of
from modelvc.ops.sharing.transfer_options import DEFAULT
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import PUSH_ALL, Uploader, UploadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelvc.models.progress import Progress
    from modelvc.models.versions.scope import Scope, ScopedObject
    from modelvc.ops.sharing.transfer_options import TransferOptions
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore
    from modelvc.store.transfer.upload import Uploaded


JOBS = 4
BROKEN_HINT = "repair or remove that pointer (`mvc fsck` lists all of them); if only history has it"
_RELATED = 16  # objects that may share chunks with a new one


class OpenRemote(NamedTuple):
    """A remote opened for writing, and its name."""

    name: str
    store: RemoteStore


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of a push. `sent_bytes`: bytes uploaded; `requests`: number of requests to the remote.

    `predictions`: number of versions whose predictions were sent; `unsent`: versions that the remote lacks and this
    clone could not send. `dry_run`: nothing was sent; `sent_bytes` is then the size of the versions, an upper bound.
    `broken`: number of pointers in published commits that cannot be read.
    """

    remote: str
    url: str
    sent: tuple[str, ...]  # paths, one for each version
    sent_bytes: int
    there: int  # versions that were on the remote already, complete
    requests: int
    predictions: int = 0
    unsent: tuple[Unsent, ...] = ()
    dry_run: bool = False
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Unsent:
    """A version that was not sent, and why. `code`: the error's code; `hint`: the command that helps."""

    path: str
    oid: str
    code: str
    why: str
    hint: str


def push(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    options: TransferOptions = DEFAULT,
    progress: Progress = SILENT,
) -> Pushed:
    """Upload the objects in REVS and below PATHS; by default those of HEAD's history, the index and the worktree.

    A version that cannot be sent does not stop the others; `unsent` names it. Raises BrokenPointer at the end for a
    pointer that cannot be read, unless its commit was published.
    """
    repo.require_init()
    name = configured.chosen_name(repo, options.remote)
    starts = reachability.start_commits(repo.layout, all_refs=options.everything)
    scope = scope_of(repo, revs, paths, everything=options.everything, history_too=True)
    store = opening.open_remote(repo, name, writing=True, create=options.create, on_wait=progress.waiting)
    try:
        before = proofs.store_state(store)
        to = OpenRemote(name, store)
        done = send(repo, to, scope, options, progress)
        whole = not (options.dry_run or revs or paths) and starts == reachability.start_commits(
            repo.layout, all_refs=options.everything
        )
        if whole and not done.absent and not scope.broken:
            proofs.note(repo, name, store, before, proofs.Verified(starts, (), {*done.sent, *done.complete}))
        paths_of = {one.name: str(one.path) for one in scope.objects}
        published = _refuse_broken(scope, _published_broken(repo, scope))
        return Pushed(
            remote=name,
            url=store.name,
            sent=tuple(paths_of[one] for one in done.sent if one in scope.versions),
            sent_bytes=_sizes(scope, done.sent) if options.dry_run else done.sent_bytes,
            there=sum(one in scope.versions for one in done.complete),
            requests=store.backend.requests,
            predictions=sum(one not in scope.versions for one in done.sent),
            unsent=_unsent(repo, to, done, paths_of),
            dry_run=options.dry_run,
            broken=published,
        )
    finally:
        store.close()


def _sizes(scope: Scope, names: Sequence[ObjectName]) -> int:
    chosen = set(names)
    return sum(one.pointer.size for one in scope.objects if one.name in chosen)


def _refuse_broken(scope: Scope, published: Iterable[tuple[str, str]] = ()) -> int:
    """Raise BrokenPointer for a pointer that cannot be read: its object may be on no remote.

    PUBLISHED: the broken pointers of commits that Git remotes have. History cannot be repaired, so those are only
    counted, unless the worktree still has one. Return their number.
    """
    known = {(where.rpartition(" in ")[0], why) for where, why in published}
    for where, why in scope.broken:
        path, _, commit = where.rpartition(" in ")
        if commit == "the worktree" or (path, why) not in known:
            raise BrokenPointer(f"{where} cannot be pushed: {why}", hint=f"{BROKEN_HINT}: `mvc push HEAD`")
    return len(scope.broken)


def _published_broken(repo: Repo, scope: Scope) -> tuple[tuple[str, str], ...]:
    """Return the broken pointers of commits that Git remotes have; () if SCOPE has none."""
    if not scope.broken:
        return ()
    return scope_between(repo, reachability.remote_tracking_commits(repo.layout), ()).broken


def _unsent(repo: Repo, to: OpenRemote, done: Uploaded, paths: Mapping[ObjectName, str]) -> tuple[Unsent, ...]:
    """Return the versions that could not be sent, with the command that helps if another remote has them."""
    on_wait = to.store.waits.on_wait
    elsewhere = find_holders(repo, list(done.absent), skip=to.name, on_wait=on_wait).where if done.absent else {}
    found = []
    for one, error in done.absent.items():
        hint = error.hint
        if one in elsewhere:
            hint = f"run `mvc fetch --all -r {elsewhere[one]}`, then `{PUSH_ALL} -r {to.name}`"
        found.append(Unsent(paths[one], str(one[1]), error.code, str(error), hint))
    return tuple(found)


def send(
    repo: Repo, to: OpenRemote, scope: Scope, options: TransferOptions = DEFAULT, progress: Progress = SILENT
) -> Uploaded:
    """Upload the objects in SCOPE to a remote, and note in the cache which objects it has."""
    known = seen_cache.load(repo, to.name)
    wanted = [
        ToPush(*one.name, one.path, partial(_related, repo, one), repo.store.has_root(*one.name))
        for one in scope.objects
    ]
    progress.expect(sum(one.pointer.size for one, want in zip(scope.objects, wanted, strict=True) if want.here))
    terms = UploadOptions(options.jobs or JOBS, repositories=own_registrations(repo, options.git_url))
    uploader = Uploader(repo.store, to.store, known, terms)
    if options.dry_run:
        return uploader.plan(wanted)
    done = uploader.run(wanted, progress.advance)
    seen_cache.save(repo, to.name, {**known, **done.seen})
    return done


def _related(repo: Repo, one: ScopedObject) -> list[ObjectName]:
    """Return objects that may share chunks with ONE: its parent, other versions of its path, models beside it."""
    found: dict[ObjectName, None] = {}
    if one.pointer.parent is not None:
        found[ObjectName(one.pointer.kind, one.pointer.parent)] = None
    for data in _candidates(repo, one):
        with suppress(ModelvcError):
            pointer = parse(data)
            found[ObjectName(pointer.kind, pointer.oid)] = None
        if len(found) > _RELATED:
            break
    found.pop(one.name, None)
    return list(found)[:_RELATED]


def _candidates(repo: Repo, one: ScopedObject) -> Iterator[bytes]:
    if not repo.history.has_head():
        return
    for version in islice(repo.history.of(pointer_of(one.path)), _RELATED):
        yield version.data
    for path, data in repo.history.at("HEAD").items():
        if path.rpartition("/")[0] == one.path.parent:
            yield data

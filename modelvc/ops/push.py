"""Bring objects to a remote, before Git's refs go."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from modelvc.errors import BrokenPointer, ModelvcError, NoRemote, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer import parse
from modelvc.formats.sizes import about
from modelvc.git import history
from modelvc.ops import pushed, remotes
from modelvc.ops.how import USUAL, counted
from modelvc.ops.progress import SILENT
from modelvc.ops.repositories import registered_as
from modelvc.ops.scope import scope, scope_between
from modelvc.store.upload import Terms, Uploader, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.oid import Oid
    from modelvc.ops.how import Transfer
    from modelvc.ops.progress import Progress
    from modelvc.ops.scope import Meant, Scope
    from modelvc.repo import Repo

    Named = tuple[str, Oid]

JOBS = 4
_RELATED = 16  # objects that may share chunks with a new one


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did. `sent_bytes`: bytes uploaded; `requests`: made to the remote.

    `predictions`: of how many versions the predictions were sent.
    """

    remote: str
    url: str
    sent: tuple[str, ...]  # paths, one for each version
    sent_bytes: int
    there: int  # versions that were there already, complete
    requests: int
    predictions: int = 0


def push(
    repo: Repo,
    revs: Sequence[str] = (),
    paths: Sequence[str] = (),
    how: Transfer = USUAL,
    progress: Progress = SILENT,
) -> Pushed:
    """Upload the objects that REVS and PATHS mean; every one is complete on the remote when this returns."""
    repo.require_init()
    name = remotes.chosen_name(repo, how.remote)
    meant = scope(repo, revs, paths, everything=how.everything)
    _refuse_broken(meant)
    return _push(repo, name, meant, how, progress)


def _refuse_broken(meant: Scope) -> None:
    """A pointer that can not be read may name an object that is nowhere else: saying "done" would be a lie."""
    if meant.broken:
        where, why = meant.broken[0]
        raise BrokenPointer(
            f"{where} can not be pushed: {why}", hint="mend or remove that pointer; `mvc fsck` lists all of them"
        )


def _push(repo: Repo, name: str, meant: Scope, how: Transfer, progress: Progress = SILENT) -> Pushed:
    store = remotes.open_remote(repo, name, writing=True)
    try:
        known = pushed.load(repo, name)
        wanted = [
            Wanted(*one.name, one.path, partial(_related, repo, one), repo.store.has_root(*one.name))
            for one in meant.meant
        ]
        progress.expect(sum(one.pointer.size for one, want in zip(meant.meant, wanted, strict=True) if want.here))
        terms = Terms(how.jobs or JOBS, repositories=registered_as(repo, how.git_url))
        done = Uploader(repo.store, store, known, terms).run(wanted, progress.advance)
        pushed.save(repo, name, {**known, **done.seen})
        paths = {one.name: str(one.path) for one in meant.meant if not one.predictions}
        return Pushed(
            remote=name,
            url=store.name,
            sent=tuple(paths[one] for one in done.sent if one in paths),
            sent_bytes=done.sent_bytes,
            there=sum(one in paths for one in done.there),
            requests=store.backend.requests,
            predictions=sum(one not in paths for one in done.sent),
        )
    finally:
        store.close()


def _related(repo: Repo, one: Meant) -> list[Named]:
    """Objects that may share chunks: the version before, other versions of the path, models beside it."""
    found: dict[Named, None] = {}
    if one.pointer.parent is not None:
        found[one.pointer.kind, one.pointer.parent] = None
    for data in _candidates(repo, one):
        with suppress(ModelvcError):
            pointer = parse(data)
            found[pointer.kind, pointer.oid] = None
        if len(found) > _RELATED:
            break
    found.pop(one.name, None)
    return list(found)[:_RELATED]


def _candidates(repo: Repo, one: Meant) -> Iterator[bytes]:
    if not history.has_head(repo.layout):
        return
    for version in islice(history.versions(repo.layout, pointer_of(one.path)), _RELATED):
        yield version.data
    for path, data in sorted(history.pointers_at(repo.layout, "HEAD").items()):
        if path.rpartition("/")[0] == one.path.parent:
            yield data


def push_for_git(repo: Repo, remote_name: str, url: str, updates: Sequence[tuple[str, str, str, str]]) -> str:
    """For the pre-push hook: upload what the pushed refs need; one line for the person, or "" when there is nothing.

    URL is that of Git's remote. UPDATES are (local ref, local commit, remote ref, remote commit), as Git gives them.
    Git's remote X uses the mvc remote X, else the default one. Raises ModelvcError when an upload fails.
    """
    named = {info.name for info in remotes.remotes(repo).remotes}
    include = [update[1] for update in updates if update[1].strip("0")]
    exclude = [update[3] for update in updates if update[3].strip("0")]
    meant = scope_between(repo, include, exclude, remote_name)
    name = remote_name if remote_name in named else remotes.default_name(repo) or ""
    if name and include:
        meant = _with_earlier(repo, name, meant, include)
    if not meant.meant and not meant.broken:
        return ""
    if not name:
        raise NoRemote(
            "this repository has models, but no remote to keep them", hint="add one with `mvc remote add origin URL`"
        )
    _refuse_broken(meant)
    done = _push(repo, name, meant, replace(USUAL, git_url=url))
    unsettled = sorted({str(one.path) for one in meant.meant if one.pointer.conflict})
    more = f"; in conflict still: {', '.join(map(shown, unsettled))} (see `mvc resolve`)" if unsettled else ""
    if not done.sent and not done.predictions:
        return f"{counted(done.there, 0)} on {done.remote} already{more}"
    return f"{counted(len(done.sent), done.predictions)} sent to {done.remote} ({about(done.sent_bytes)}){more}"


def _with_earlier(repo: Repo, name: str, meant: Scope, include: Sequence[str]) -> Scope:
    """Also what went out before there was a remote: Git has those commits already, and no later push would name them.

    Only while nothing is known to be on the remote, and only what this clone has: the rest is somebody else's to send.
    """
    if pushed.load(repo, name):
        return meant
    known = {one.name for one in meant.meant}
    earlier = scope_between(repo, include, (), "").meant
    more = tuple(one for one in earlier if one.name not in known and repo.store.has_root(*one.name))
    return replace(meant, meant=meant.meant + more)

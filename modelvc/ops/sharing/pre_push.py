"""Push the objects that a `git push` needs, before Git sends its refs. The pre-push hook calls this."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import BrokenPointer, GitError, NoRemote, shown
from modelvc.formats.pointer.pointer import Pointer
from modelvc.formats.sizes import about
from modelvc.formats.text.proofs import Lost
from modelvc.git import history, reachability
from modelvc.models.remotes import configured, opening, proofs
from modelvc.models.remotes.holders import find_holders
from modelvc.models.versions.scope import ScopedObject, scope_between
from modelvc.ops.sharing.push import BROKEN_HINT, OpenRemote, send
from modelvc.ops.sharing.transfer_options import DEFAULT, versions_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelvc.errors import ModelvcError
    from modelvc.ids import ObjectName
    from modelvc.models.versions.scope import Scope
    from modelvc.repo import Repo
    from modelvc.store.backends.retry import OnWait
    from modelvc.store.transfer.upload import Uploaded


_NAMED = 3  # versions that a line names


class Update(NamedTuple):
    """A pushed ref, as Git passes it to the hook. Zeros stand for no commit."""

    local_ref: str
    local: str
    remote_ref: str
    remote: str


class _GitRemote(NamedTuple):
    """Git's remote: its URL, and the commits at its end of the pushed refs, as far as this clone has them."""

    url: str
    tips: Sequence[str]


def push_for_git(repo: Repo, git_remote: str, url: str, updates: Sequence[Update], on_wait: OnWait = None) -> str:
    """Upload the objects that the pushed refs need. Return a line for the user, "" if the remote had all of them.

    URL: that of Git's remote GIT_REMOTE. Raises ModelvcError if an upload fails. Raises it too for a version that no
    store has, unless commits that Git's remote already has name it.
    """
    layout = repo.layout
    include = reachability.local_commits(layout, [one.local for one in updates if one.local.strip("0")])
    if not include or next(iter(history.pointers_in(layout, include=include)), None) is None:
        return ""
    name = configured.for_git_remote(repo, git_remote)
    if name is None:
        raise NoRemote(
            "this repository has models, but no remote to keep them", hint="add one with `mvc remote add origin URL`"
        )
    remote_tips = reachability.local_commits(layout, [one.remote for one in updates if one.remote.strip("0")])
    store = opening.open_remote(repo, name, writing=True, on_wait=on_wait)
    try:
        return _push(repo, OpenRemote(name, store), _GitRemote(url, remote_tips), include)
    finally:
        store.close()


def _push(repo: Repo, to: OpenRemote, git_remote: _GitRemote, include: Sequence[str]) -> str:
    before = proofs.store_state(to.store)
    proof = proofs.valid(repo, to.name, before)
    left_out: Sequence[str] = ()
    if proof:  # gc keeps what refs of Git's remote reach, so nothing of that was deleted since the proof
        left_out = reachability.reached_by(
            repo.layout, git_remote.tips, reachability.local_commits(repo.layout, proof.tips)
        )
    scope = scope_between(repo, include, left_out)
    scope = replace(scope, objects=(*scope.objects, *_stored_again(repo, proof.lost if proof else (), scope)))
    if not scope.objects and not scope.broken:
        return ""
    done = send(repo, to, scope, replace(DEFAULT, git_url=git_remote.url))
    on_wait = to.store.waits.on_wait
    elsewhere = find_holders(repo, list(done.absent), skip=to.name, on_wait=on_wait).where if done.absent else {}
    lost = {name: error for name, error in done.absent.items() if name not in elsewhere}
    _refuse_lost_or_broken(repo, git_remote, lost, scope)
    known = {one.name for one in proof.lost} if proof else set()
    new = (one for one in scope.objects if one.name in lost and one.name not in known)  # each is reported once
    gone = [Lost(*one.name, one.commit, one.path) for one in new]
    if not elsewhere:
        proofs.note(repo, to.name, to.store, before, proofs.Verified(include, gone, {*done.sent, *done.complete}))
    return _summary(repo, to, done, scope, (gone, elsewhere))


def _stored_again(repo: Repo, lost: Sequence[Lost], scope: Scope) -> Iterator[ScopedObject]:
    """Yield the versions of LOST that the local store has now, without those in SCOPE."""
    for one in lost:
        if one.name not in scope.needed_by and repo.store.has_root(*one.name):
            root = repo.store.read_root(*one.name)
            tree = one.kind == "tree"
            pointer = Pointer("tree" if tree else "file", one.oid, root.size, files=root.files if tree else None)
            yield ScopedObject(one.path, pointer, one.commit)


def _refuse_lost_or_broken(
    repo: Repo, git_remote: _GitRemote, lost: Mapping[ObjectName, ModelvcError], scope: Scope
) -> None:
    """Raise for the first broken pointer or lost version, unless a commit that Git's remote has names it."""
    if not lost and not scope.broken:
        return
    published = list(git_remote.tips)
    with suppress(GitError):  # without an answer, only the pushed refs of Git's remote are known
        published = list(dict.fromkeys([*published, *reachability.remote_commits(repo.layout, git_remote.url)]))
    old = scope_between(repo, published, ())
    known = {(where.rpartition(" in ")[0], why) for where, why in old.broken}
    for where, why in scope.broken:
        if (where.rpartition(" in ")[0], why) not in known:
            raise BrokenPointer(
                f"{where} cannot be pushed: {why}",
                hint=f"{BROKEN_HINT}: `mvc push HEAD`, then `git push --no-verify` once",
            )
    for name, error in lost.items():
        if name not in old.needed_by:
            raise error


def _summary(
    repo: Repo, to: OpenRemote, done: Uploaded, scope: Scope, lacking: tuple[Sequence[Lost], Mapping[ObjectName, str]]
) -> str:
    lost, elsewhere = lacking
    models = scope.versions
    words = []
    if done.sent:
        sent = sum(name in models for name in done.sent)
        words = [f"{versions_in_words(sent, len(done.sent) - sent)} sent to {to.name} ({about(done.sent_bytes)})"]
    if lost:
        words.append(
            f"missing from every store that was checked: {_first_few(lost)} (published before; see `mvc fsck`)"
        )
    if elsewhere:
        others = ", ".join(sorted(set(elsewhere.values())))
        again = f"`mvc fetch --all`, then `mvc push --all -r {to.name}`"
        words.append(f"{versions_in_words(len(elsewhere), 0)} on {others} alone ({again})")
    if scope.broken:
        count = len(scope.broken)
        words.append(f"{count} published pointer{'s' * (count > 1)} cannot be read (see `mvc fsck`)")
    if repo.layout.shallow:
        words.append("this clone is shallow, so earlier versions were not checked")
    unsettled = sorted({str(one.path) for one in scope.objects if one.pointer.conflict})
    if unsettled:
        words.append(f"still in conflict: {', '.join(map(shown, unsettled))} (see `mvc resolve`)")
    return "; ".join(words)


def _first_few(lost: Sequence[Lost]) -> str:
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return ", ".join(f"{shown(one.path)} {one.oid.short}" for one in lost[:_NAMED]) + more

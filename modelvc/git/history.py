"""Git's history, read with pygit2: which pointers which commits hold. Nothing is walked twice."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from modelvc.errors import GitError, UsageError, shown
from modelvc.formats.limits import POINTER
from modelvc.git.index import read_blobs
from modelvc.git.worktrees import git_dirs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelvc.git.layout import Layout

    _Children = tuple[tuple[bytes, Any, bool], ...]

_open: dict[str, Any] = {}
_IN_PROGRESS = ("MERGE_HEAD", "MERGE_AUTOSTASH", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "BISECT_HEAD")
_COMMIT = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")


class PointerSeen(NamedTuple):
    """A pointer's bytes at a path, and one commit that holds them."""

    path: str
    data: bytes
    commit: str


class Version(NamedTuple):
    """A commit at which the pointer of a path changed; DATA is the pointer's bytes."""

    commit: str
    time: int  # seconds since the epoch, of the commit
    author: str
    subject: str
    data: bytes


def _repository(layout: Layout) -> Any:
    found = _open.get(layout.git_dir)
    if found is None:
        import pygit2

        try:
            found = _open[layout.git_dir] = pygit2.Repository(layout.git_dir)
        except pygit2.GitError as error:
            words = f"the repository can not be read: {shown(error)}"
            raise GitError(words, hint="see what `git status` says") from None
    return found


def has_head(layout: Layout) -> bool:
    """Whether there is a commit yet."""
    return not _repository(layout).head_is_unborn


def has_commit(layout: Layout, commit: str) -> bool:
    try:
        return commit in _repository(layout)
    except ValueError:
        return False


def resolve(layout: Layout, rev: str) -> str:
    """The full id of the commit that REV names; UsageError when it names none."""
    import pygit2

    try:
        return str(_repository(layout).revparse_single(rev).peel(pygit2.Commit).id)
    except (KeyError, ValueError, pygit2.GitError, pygit2.InvalidSpecError):
        words = f"{shown(rev)} is no commit, branch or tag here"
        raise UsageError(words, hint="see `git log --all --oneline`") from None


def pointers_at(layout: Layout, rev: str) -> dict[str, bytes]:
    """Path and bytes of every pointer in one commit."""
    repo = _repository(layout)
    commit = resolve(layout, rev)
    with _explained():
        found = [(path, blob, commit) for path, blob in _pointers(repo, repo[commit].tree_id, {}, set())]
        return {seen.path: seen.data for seen in _read(layout, repo, found)}


def _bearing(repo: Any, top: Any, known: dict[Any, _Children]) -> _Children:
    """Name, id and kind of the pointers in the tree TOP, and of the folders in it that hold any at all.

    KNOWN remembers that by tree: what did not change is never read twice, and a tree without pointers costs nothing
    wherever else it appears.
    """
    waiting = [top]  # not recursive: a hostile tree may be deep
    while waiting:
        at = waiting[-1]
        found, unknown = [], []
        for entry in () if at in known else repo[at]:
            mode = entry.filemode & 0o170000
            if mode == 0o040000:
                if entry.id not in known:
                    unknown.append(entry.id)
                elif known[entry.id]:
                    found.append((entry.raw_name, entry.id, True))
            elif mode == 0o100000 and entry.raw_name.endswith(b".mvc") and entry.raw_name != b".mvc":
                found.append((entry.raw_name, entry.id, False))
        if unknown:
            waiting += unknown
        else:
            known.setdefault(at, tuple(found))
            waiting.pop()
    return known[top]


def _pointers(
    repo: Any, top: Any, known: dict[Any, _Children], done: set[tuple[bytes, Any]]
) -> Iterator[tuple[str, Any]]:
    """(path, blob id) below the tree TOP, apart from what lies in folders that are DONE, which grows."""
    waiting = [(b"", top)]
    while waiting:
        place = waiting.pop()
        if place in done:
            continue
        done.add(place)
        folder, tree = place
        for name, oid, is_tree in _bearing(repo, tree, known):
            if not is_tree:
                yield os.fsdecode(folder + name), oid
            elif folder or name != b".mvc":
                waiting.append((folder + name + b"/", oid))


def _read(layout: Layout, repo: Any, found: Sequence[tuple[str, Any, str]]) -> Iterator[PointerSeen]:
    """The bytes of (path, blob, commit), unless too large for a pointer; Git fetches what a partial clone left out."""
    absent = {str(blob) for _, blob, _ in found if blob not in repo}
    fetched = read_blobs(layout, sorted(absent))
    for path, blob, commit in found:
        if str(blob) in absent:
            data = fetched.get(str(blob))
        else:
            data = repo[blob].data if repo[blob].size <= POINTER else None
        if data is not None:
            yield PointerSeen(path, data, commit)


@contextmanager
def _explained() -> Iterator[None]:
    """Objects that are not here are Git's to explain."""
    import pygit2

    try:
        yield
    except (KeyError, pygit2.GitError) as error:
        raise GitError(
            f"a part of history can not be read: {shown(error)}",
            hint="see what `git fsck` says; a clone without trees gets them with `git fetch --refetch --no-filter`",
        ) from None


def pointers_in(
    layout: Layout,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    all_refs: bool = False,
    reflog: bool = False,
) -> Iterator[PointerSeen]:
    """Every distinct (path, content) in commits reachable from INCLUDE and not from EXCLUDE, newest commits first.

    ALL_REFS adds every branch, tag, remote-tracking ref, stash entry and the HEAD of each worktree; REFLOG what the
    reflogs of all of them name.
    """
    import pygit2

    repo = _repository(layout)
    walker = repo.walk(None, pygit2.enums.SortMode.TIME)
    starts = {resolve(layout, rev) for rev in include}
    if all_refs:
        starts |= set(_all_starts(layout, repo, reflog=reflog))
    for start in starts:
        walker.push(start)
    for rev in exclude:
        walker.hide(resolve(layout, rev))
    if starts:
        yield from _pointers_of(layout, repo, walker)


def introductions(layout: Layout) -> Iterator[PointerSeen]:
    """Every distinct (path, content) that any ref or worktree reaches, with the first commit that has it."""
    import pygit2

    repo = _repository(layout)
    walker = repo.walk(None, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE)
    for start in set(_all_starts(layout, repo, reflog=False)):
        walker.push(start)
    yield from _pointers_of(layout, repo, walker)


def _pointers_of(layout: Layout, repo: Any, walker: Iterable[Any]) -> Iterator[PointerSeen]:
    """Each (path, content) with the first commit of WALKER that has it."""
    with _explained():
        known: dict[Any, _Children] = {}
        done: set[tuple[bytes, Any]] = set()
        seen: set[tuple[str, Any]] = set()
        for commit in walker:
            new = [
                (path, blob, str(commit.id))
                for path, blob in _pointers(repo, commit.tree_id, known, done)
                if (path, blob) not in seen
            ]
            seen.update((path, blob) for path, blob, _ in new)
            yield from _read(layout, repo, new)


def _all_starts(layout: Layout, repo: Any, *, reflog: bool) -> Iterator[str]:
    import pygit2

    names = [*repo.references]
    for name in names:
        try:
            yield str(repo.references[name].peel(pygit2.Commit).id)
        except (KeyError, pygit2.GitError, pygit2.InvalidSpecError):
            continue  # a tag of something else, or a ref that points nowhere
    yield from _heads(layout, repo, reflog=reflog)
    logs = {"refs/stash", *names, "HEAD"} if reflog else {"refs/stash"}
    for name in logs:
        yield from _logged(repo, name)


def check_refs(layout: Layout) -> None:
    """Raises GitError for a ref that is damaged or leads to something that is: what it reaches, nobody knows."""
    repo = _repository(layout)
    names = set(repo.references)
    top = os.path.join(layout.common_dir, "refs")
    loose = (
        os.path.relpath(os.path.join(folder, name), layout.common_dir)
        for folder, _, files in os.walk(top)
        for name in files
        if not name.endswith(".lock")
    )
    broken = sorted({name for name in loose if name not in names} | {name for name in names if _is_broken(repo, name)})
    if broken:  # libgit2 passes over those that it can not parse
        raise GitError(
            f"nothing can be removed while the ref {shown(broken[0])} can not be read",
            hint="see `git fsck`; fetch what it leads to, or delete it with `git update-ref -d`",
        )


def _is_broken(repo: Any, name: str) -> bool:
    """Whether a ref leads to an object that is not here or can not be read."""
    import pygit2

    try:
        target = repo.references[name].resolve().target
    except (KeyError, pygit2.GitError):
        return False  # a name for a ref that is gone, such as origin/HEAD
    try:
        found = repo[target]
        while isinstance(found, pygit2.Tag):
            found = found.get_object()
    except (KeyError, ValueError, pygit2.GitError):
        return True
    return False


def _heads(layout: Layout, repo: Any, *, reflog: bool) -> Iterator[str]:
    """HEAD of the main worktree and of every linked one; with REFLOG also what Git noted beside it."""
    import pygit2

    for folder in git_dirs(layout):
        for path in (os.path.join(folder, "HEAD"), *(_notes(folder) if reflog else ())):
            for text in _commits_named_in(path):
                try:
                    yield str(repo[text].peel(pygit2.Commit).id)
                except (KeyError, ValueError, pygit2.GitError, pygit2.InvalidSpecError):
                    continue  # gone, or a number that only looks like a commit's
    if not repo.head_is_unborn:
        yield str(repo.head.target)


def _commits_named_in(path: str) -> Iterable[str]:
    try:
        with open(path, "rb") as file:
            return {found.decode() for found in _COMMIT.findall(file.read()) if found.strip(b"0")}
    except OSError:
        return ()


def _notes(folder: str) -> Iterator[str]:
    """Files in the Git folder of a worktree that name commits which no ref may reach: work in progress, and its log."""
    yield from (os.path.join(folder, name) for name in _IN_PROGRESS)
    for step in ("rebase-merge", "rebase-apply"):
        yield from (os.path.join(folder, step, name) for name in ("orig-head", "onto", "autostash", "stopped-sha"))
    if os.path.exists(os.path.join(folder, "commondir")):  # refs of a linked worktree alone: bisect, worktree
        for top, _, names in os.walk(os.path.join(folder, "refs")):
            yield from (os.path.join(top, name) for name in names)
    yield os.path.join(folder, "logs", "HEAD")


def _logged(repo: Any, name: str) -> Iterator[str]:
    try:
        entries: Iterable[Any] = list(repo.references[name].log())
    except (KeyError, ValueError):
        return
    for entry in entries:
        for one in (entry.oid_new, entry.oid_old):
            text = str(one)
            if text.strip("0") and text in repo:
                yield text


def remote_heads(layout: Layout, remote: str) -> list[str]:
    """Commits that Git's remote is known to have, from its remote-tracking refs."""
    return _tips(layout, f"refs/remotes/{remote}/") if remote else []


def published_heads(layout: Layout) -> list[str]:
    """The same of all of Git's remotes."""
    return _tips(layout, "refs/remotes/")


def _tips(layout: Layout, prefix: str) -> list[str]:
    import pygit2

    repo = _repository(layout)
    found = []
    for name in repo.references:
        if name.startswith(prefix):
            try:
                found.append(str(repo.references[name].peel(pygit2.Commit).id))
            except (KeyError, pygit2.GitError, pygit2.InvalidSpecError):
                continue
    return found


def versions(layout: Layout, path: str, *, start: str = "HEAD", all_refs: bool = False) -> Iterator[Version]:
    """The commits at which the pointer at PATH became what it is, newest first."""
    import pygit2

    repo = _repository(layout)
    walker = repo.walk(None, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.TIME)
    starts = set(_all_starts(layout, repo, reflog=False)) if all_refs else {resolve(layout, start)}
    for one in starts:
        walker.push(one)
    with _explained():
        blobs: dict[Any, Any] = {}  # by tree, since most commits are also somebody's parent
        for commit in walker:
            blob = _blob(repo, commit.tree_id, path, blobs)
            if blob is None:
                continue
            if any(_blob(repo, repo[parent].tree_id, path, blobs) == blob for parent in commit.parent_ids):
                continue
            subject = commit.message.partition("\n")[0]
            for seen in _read(layout, repo, [(path, blob, str(commit.id))]):
                yield Version(seen.commit, commit.commit_time, commit.author.name, subject, seen.data)


def _blob(repo: Any, tree: Any, path: str, known: dict[Any, Any]) -> Any:
    """The id of the regular file at PATH in TREE; None when there is none."""
    if tree not in known:
        folder = repo[tree]
        try:
            entry = folder[path]
        except KeyError:
            known[tree] = None
        else:
            known[tree] = entry.id if entry.filemode & 0o170000 == 0o100000 else None
    return known[tree]


def branches_and_tags(layout: Layout) -> dict[str, list[str]]:
    """Names of branches and tags by the commit that they point to."""
    import pygit2

    repo = _repository(layout)
    found: dict[str, list[str]] = {}
    for name in repo.references:
        for prefix in ("refs/heads/", "refs/tags/", "refs/remotes/"):
            if name.startswith(prefix):
                try:
                    commit = str(repo.references[name].peel(pygit2.Commit).id)
                except (KeyError, pygit2.GitError, pygit2.InvalidSpecError):
                    continue
                found.setdefault(commit, []).append(name[len(prefix) :])
    return found

"""Read Git's history with the `git` program: which commit holds which pointers."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import AmbiguousRev, GitError, UsageError, near, shown
from modelvc.formats.limits import POINTER
from modelvc.git.objects import objects
from modelvc.git.pointer_trees import PointerTrees
from modelvc.git.refs import branches_and_tags, check_refs, names, stashed, unreferenced
from modelvc.git.run import git, piped, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

    from modelvc.git.layout import Layout

__all__ = [
    "DEEPEN", "PointerSeen", "Version", "branches_and_tags", "check_refs", "find", "has_commit", "has_head", "holders",
    "introductions", "names", "nearest",
    "pointers_at", "pointers_in", "present", "resolve", "versions",
]  # fmt: skip

DEEPEN = "git fetch --deepen=100, or --unshallow for all of it (in pipelines: fetch the whole history)"

_PLAIN = re.compile(r"(?:HEAD|[0-9a-f]{40}|[0-9a-f]{64})(?:~[0-9]{0,6})?")  # names that git cat-file takes safely
_NAME_OF = re.compile(r"(?:(?!@\{)[^~^:])*")  # the text before ~2, ^{commit}, @{1}
_AMBIGUOUS = re.compile(rb"^warning: refname .* is ambiguous", re.MULTILINE)
_ORIGINAL = "--no-replace-objects"
_NOTHING_FETCHED = {"GIT_NO_LAZY_FETCH": "1"}  # a partial clone without trees would fetch each tree by itself
_COMMIT = 1 << 20  # most bytes that are read of a commit
FIRST, MOST = 4, 256  # pointers in the first and in the largest portion
_FEW = 64  # most top folders that limit a walk; with more, the walk covers all of history


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


class _Change(NamedTuple):
    """The (mode, blob) of one path in a commit, and in each of its parents."""

    commit: str
    path: bytes
    new: tuple[bytes, bytes]
    old: tuple[tuple[bytes, bytes], ...]


def has_head(layout: Layout) -> bool:
    """Return True if HEAD leads to a commit. Raises GitError if HEAD names a commit that cannot be read."""
    if objects(layout).one("HEAD"):
        return True
    if run(layout, "rev-parse", "-q", "--verify", "HEAD")[0]:
        return False
    raise GitError("the commit that HEAD names cannot be read", hint="see what `git fsck` says")


def has_commit(layout: Layout, commit: str) -> bool:
    """Return True if this clone has the commit with this id. Nothing is fetched."""
    return bool(present(layout, [commit]))


def present(layout: Layout, commits: Sequence[str]) -> set[str]:
    """Return the ids among COMMITS (full ids) that this clone has. Nothing is fetched."""
    asked = [one for one in commits if len(one) in {40, 64} and _PLAIN.fullmatch(one)]
    if not asked:
        return set()
    check = (_ORIGINAL, "cat-file", "--batch-check")
    out = git(layout, *check, stdin="".join(f"{one}\n" for one in asked).encode(), extra=_NOTHING_FETCHED)
    return {one for one, line in zip(asked, out.splitlines(), strict=True) if line.split()[1] == b"commit"}


def resolve(layout: Layout, rev: str, *, original: bool = False) -> str:
    """Return the full id of the commit that REV names. ORIGINAL: without replace refs.

    Raises UsageError if REV names no commit, AmbiguousRev if it names two refs.
    """
    if found := find(layout, rev, original=original):
        return found
    words = f"{shown(rev)} is not a commit, branch or tag {'in this shallow clone' if layout.shallow else 'here'}"
    meant = nearest(layout, rev)
    hint = f"did you mean {shown(meant)}?" if meant else "see `git log --all --oneline`"
    raise UsageError(words, hint=DEEPEN if layout.shallow and not meant else hint)


def nearest(layout: Layout, rev: str) -> str:
    """Return the branch or tag that REV most likely means, "" if none is near.

    The name of a branch that only a Git remote has means its remote-tracking branch.
    """
    name = _NAME_OF.match(rev)[0]  # type: ignore[index]
    if name in {"HEAD", "@"}:  # the person means this commit's history, however far
        return ""
    known = names(layout)
    tracking = [one for one in known if one.endswith(f"/{name}")]
    return tracking[0] if name and len(tracking) == 1 else near(name, known)


def find(layout: Layout, rev: str, *, original: bool = False) -> str:
    """Return the full id of the commit that REV names, or "". Raises AmbiguousRev if REV names two refs."""
    name = rev if _PLAIN.fullmatch(rev) else _named(layout, rev, original=original)
    found = objects(layout, original=original).one(f"{name}^{{commit}}", _COMMIT) if name else None
    return found.oid if found else ""


def _named(layout: Layout, rev: str, *, original: bool) -> str:
    """Return the id of the object that REV names, or "". Raises AmbiguousRev for a name of two refs."""
    if not rev or rev.startswith("-") or "\0" in rev:
        return ""
    options = ("-c", "core.warnAmbiguousRefs=true", *((_ORIGINAL,) if original else ()))
    code, out, words = run(layout, *options, "rev-parse", "--verify", _exactly(layout, rev))
    if not code and _AMBIGUOUS.search(words):
        raise AmbiguousRev(_NAME_OF.match(rev)[0])  # type: ignore[index]
    return "" if code else out.decode("ascii").strip()


def _exactly(layout: Layout, rev: str) -> str:
    """Return REV in a form in which REMOTE/BRANCH means the remote-tracking branch and nothing else."""
    name = _NAME_OF.match(rev)[0]  # type: ignore[index]
    if "/" in name and not name.startswith("refs/"):
        remotes = os.fsdecode(git(layout, "remote")).split("\n")
        if any(one and name.startswith(f"{one}/") for one in remotes):
            return f"refs/remotes/{rev}"
    return rev


def pointers_at(layout: Layout, rev: str) -> dict[str, bytes]:
    """Return the bytes of every pointer in the commit REV, by path."""
    commit = resolve(layout, rev)
    with _explained():
        found = ((path, blob, commit) for path, blob in _pointers_of(layout, PointerTrees(objects(layout)), commit))
        return {seen.path: seen.data for seen in _read(layout, found)}


def _pointers_of(
    layout: Layout, trees: PointerTrees, commit: str, *, original: bool = False
) -> Iterator[tuple[bytes, str]]:
    tree = objects(layout, original=original).one(f"{commit}^{{tree}}", 0)
    if not tree:
        raise GitError(f"the tree of {commit} is missing", hint="see what `git fsck` says")
    return trees.new_pointers(tree.oid)


def pointers_in(
    layout: Layout,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    all_refs: bool = False,
    reflog: bool = False,
) -> Iterator[PointerSeen]:
    """Yield every distinct (path, content) in commits reachable from INCLUDE and not from EXCLUDE, newest first.

    ALL_REFS adds every branch, tag, remote-tracking ref, stash entry and the HEAD of each worktree. With ALL_REFS,
    REFLOG also adds the commits in their reflogs. Replace refs are ignored, because `git push` sends original commits.
    """
    asked = [resolve(layout, rev, original=True) for rev in include]
    if all_refs:
        asked += stashed(layout)
        asked += unreferenced(layout) if reflog else ()
    asked += [f"^{resolve(layout, rev, original=True)}" for rev in exclude]
    options = [*(["--all"] if all_refs else ()), *(["--reflog"] if all_refs and reflog else ())]
    if asked or all_refs:
        yield from _every(layout, options, asked, whole=bool(exclude))


def holders(layout: Layout, paths: Sequence[str]) -> dict[str, str]:
    """Return by path a commit on any ref in which Git itself has a file where the model at that path lies.

    The file lies at the path, below it, or instead of one of its folders. PATHS without such a file are left out.
    """
    wanted = {os.fsencode(path): path for path in paths}
    above: dict[bytes, list[str]] = {}
    for raw, path in wanted.items():
        parts = raw.split(b"/")
        for length in range(1, len(parts)):
            above.setdefault(b"/".join(parts[:length]), []).append(path)
    tops = sorted({raw.partition(b"/")[0] for raw in wanted})
    few = [os.fsdecode(top) for top in tops] if len(tops) <= _FEW else []
    said = git(
        layout, "--literal-pathspecs", "-c", "log.showRoot=true", "log", "--all", "--full-history", "--raw", "-z",
        "--no-abbrev", "--no-renames", "--diff-merges=first-parent", "--diff-filter=AT", "--format=%x01%H", "--", *few,
    )  # fmt: skip
    found: dict[str, str] = {}
    commit, is_name = "", False
    for token in said.split(b"\0"):
        if is_name:
            folders = token.split(b"/")
            names = [b"/".join(folders[:length]) for length in range(1, len(folders) + 1)]
            held = [*above.get(token, ()), *(wanted[name] for name in names if name in wanted)]
            found.update(dict.fromkeys(held, commit))
        elif token.lstrip(b"\n").startswith(b"\x01"):
            commit = token.strip(b"\n\x01").decode("ascii")
        is_name = not is_name and token.lstrip(b"\n").startswith(b":")
    return found


def introductions(layout: Layout) -> Iterator[PointerSeen]:
    """Yield every distinct (path, content) that any ref or worktree reaches, with the first commit that has it."""
    yield from _every(layout, ["--all", "--topo-order", "--reverse"], stashed(layout), whole=False)


def _every(layout: Layout, options: Sequence[str], asked: Sequence[str], *, whole: bool) -> Iterator[PointerSeen]:
    """Yield each (path, content) in the commits of a walk, with the commit that brought it.

    A commit is compared with its first parent: equal pointers were reported at the parent. WHOLE: the walk lacks some
    first parents, so all pointers of their children are reported.
    """
    with _explained():
        seen: set[tuple[bytes, str]] = set()
        yield from _read(layout, _unseen(_brought(layout, options, asked), seen), original=True)
        if whole:
            trees = PointerTrees(objects(layout, original=True))
            for commit in _first(layout, options, asked):
                found = ((path, blob, commit) for path, blob in _pointers_of(layout, trees, commit, original=True))
                yield from _read(layout, _unseen(found, seen), original=True)


def _brought(layout: Layout, options: Sequence[str], asked: Sequence[str]) -> Iterator[tuple[bytes, str, str]]:
    commits = (_ORIGINAL, "rev-list", "--ignore-missing", *options, "--stdin")
    changes = (_ORIGINAL, *_DIFF, "--diff-merges=first-parent", "--", "*.mvc")
    with piped(layout, commits, changes, stdin=_lines(asked), extra=_NOTHING_FETCHED) as out:
        for change in _changes(out):
            if _is_pointer(change):
                yield change.path, change.new[1].decode("ascii"), change.commit


# Compare each commit of the input with its parents. Plumbing ignores the user's settings for diffs.
_DIFF = ("diff-tree", "--stdin", "-r", "--root", "--raw", "-z", "--no-abbrev", "--no-renames")


def _first(layout: Layout, options: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the commits of a walk whose first parent is outside the walk."""
    out = git(layout, _ORIGINAL, "rev-list", "--ignore-missing", "--parents", *options, "--stdin", stdin=_lines(asked))
    lines = [line.split()[:2] for line in out.splitlines()]
    there = {line[0] for line in lines}
    return [line[0].decode("ascii") for line in lines if len(line) > 1 and line[1] not in there]


def _lines(asked: Iterable[str]) -> bytes:
    return "".join(f"{one}\n" for one in asked).encode("ascii")


def _changes(out: IO[bytes]) -> Iterator[_Change]:
    """Parse the output of `git diff-tree --stdin --raw -z`."""
    fields = _fields(out)
    commit = ""
    for field in fields:
        if not field.startswith(b":"):
            commit = field.decode("ascii")
            continue
        words = field.lstrip(b":").split(b" ")
        parents = len(field) - len(field.lstrip(b":"))
        modes, ids = words[: parents + 1], words[parents + 1 : 2 * parents + 2]
        *old, new = zip(modes, ids, strict=True)
        yield _Change(commit, next(fields, b""), new, tuple(old))


def _fields(out: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := out.read(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields


def _is_pointer(change: _Change) -> bool:
    path = change.path
    name = path.rpartition(b"/")[2]
    return change.new[0].startswith(b"100") and name != b".mvc" and name.endswith(b".mvc") and path[:5] != b".mvc/"


def _unseen(found: Iterable[tuple[bytes, str, str]], seen: set[tuple[bytes, str]]) -> Iterator[tuple[bytes, str, str]]:
    for path, blob, commit in found:
        if (path, blob) not in seen:
            seen.add((path, blob))
            yield path, blob, commit


def _read(layout: Layout, found: Iterable[tuple[bytes, str, str]], *, original: bool = False) -> Iterator[PointerSeen]:
    """Yield the pointer of each (path, blob, commit). Blobs too large for a pointer are left out.

    Git fetches the blobs that a partial clone lacks.
    """
    for some in growing(found):
        yield from _read_at_once(layout, some, original=original)


def _read_at_once(layout: Layout, some: list[tuple[bytes, str, str]], *, original: bool) -> Iterator[PointerSeen]:
    blobs = objects(layout, original=original).read(blob.encode() for _, blob, _ in some)
    for (path, blob, commit), one in zip(some, blobs, strict=True):
        if one is None:
            raise GitError(f"the blob {blob} is missing", hint="see what `git fsck` says")
        if one.size <= POINTER and one.kind == "blob":
            yield PointerSeen(os.fsdecode(path), one.data, commit)


def growing(found: Iterable[tuple[bytes, str, str]]) -> Iterator[list[tuple[bytes, str, str]]]:
    """Yield FOUND in portions that grow: a caller that stops after one version has read few."""
    some: list[tuple[bytes, str, str]] = []
    size = FIRST
    for one in found:
        some.append(one)
        if len(some) >= size:
            yield some
            some, size = [], min(2 * size, MOST)
    if some:
        yield some


@contextmanager
def _explained() -> Iterator[None]:
    """Turn a GitError about a missing object into one that says how to get it."""
    try:
        yield
    except GitError as error:
        raise GitError(
            f"a part of history cannot be read: {error}",
            hint="see what `git fsck` says; a clone without trees gets them with `git fetch --refetch --no-filter`",
        ) from None


def versions(layout: Layout, path: str, *, start: str = "HEAD", all_refs: bool = False) -> Iterator[Version]:
    """Yield the commits that changed the pointer at PATH, newest first. Replace refs are followed."""
    with _explained():
        known: dict[str, tuple[int, str, str]] = {}
        for some in growing(changes(layout, path, start=start, all_refs=all_refs)):
            for _, version in described(layout, some, known):
                yield version


def changes(
    layout: Layout, path: str = "", *, start: str = "HEAD", all_refs: bool = False
) -> Iterator[tuple[bytes, str, str]]:
    """Yield (path, blob, commit) of each pointer that no parent of the commit has, newest first.

    PATH limits the walk to one pointer.
    """
    options = ["--date-order", *(["--all"] if all_refs else ())]
    asked = stashed(layout) if all_refs else [resolve(layout, start)]
    commits = ("rev-list", "--ignore-missing", *options, "--stdin")
    which = ("--literal-pathspecs", *_DIFF, "-c", "--", path) if path else (*_DIFF, "-c", "--", "*.mvc")
    with piped(layout, commits, which, stdin=_lines(asked), extra=_NOTHING_FETCHED) as out:
        for change in _changes(out):
            if path and change.path != os.fsencode(path):  # PATH is a folder there
                continue
            if _is_pointer(change) and change.new[1] not in _regular(change):
                yield change.path, change.new[1].decode("ascii"), change.commit


def described(
    layout: Layout, some: list[tuple[bytes, str, str]], known: dict[str, tuple[int, str, str]]
) -> Iterator[tuple[str, Version]]:
    """Yield path and version of each (path, blob, commit), read at once. KNOWN caches time, author and subject."""
    new = list(dict.fromkeys(commit for _, _, commit in some if commit not in known))
    for commit, one in zip(new, objects(layout).read((name.encode() for name in new), _COMMIT), strict=True):
        known[commit] = _description(one.data if one else b"")
    for path, data, commit in _read_at_once(layout, some, original=False):
        yield path, Version(commit, *known[commit], data)


def gone(layout: Layout, commits: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Return by commit the pointers (path to bytes) that its first parent has and the commit itself lacks."""
    found: dict[str, dict[str, bytes]] = {commit: {} for commit in commits}
    names = (*_DIFF, "--diff-merges=first-parent", "--", "*.mvc")
    with _explained(), piped(layout, names, stdin=_lines(found), extra=_NOTHING_FETCHED) as out:
        lost = [
            (change.path, change.old[0][1].decode("ascii"), change.commit)
            for change in _changes(out)
            if not change.new[0].startswith(b"100") and _is_pointer(change._replace(new=change.old[0]))
        ]
    for seen in _read(layout, lost):
        found[seen.commit][seen.path] = seen.data
    return found


def parents(layout: Layout, *, start: str, all_refs: bool) -> dict[str, list[str]]:
    """Return the parents of every commit that START reaches; with ALL_REFS, that any ref reaches."""
    options = ("rev-list", "--ignore-missing", "--parents", *(["--all"] if all_refs else ()), "--stdin")
    asked = stashed(layout) if all_refs else [resolve(layout, start)]
    lines = git(layout, *options, stdin=_lines(asked)).decode("ascii").splitlines()
    return {commit: rest for commit, *rest in map(str.split, lines)}


def _regular(change: _Change) -> set[bytes]:
    """Return the blobs of regular files that the parents have at this path."""
    return {blob for mode, blob in change.old if mode.startswith(b"100")}


def _description(commit: bytes) -> tuple[int, str, str]:
    """Return the commit's time (seconds since the epoch), the author's name, and the subject."""
    head, _, message = commit.partition(b"\n\n")
    fields = {key: value for key, _, value in (line.partition(b" ") for line in reversed(head.split(b"\n")))}
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    when = fields.get(b"committer", b"").rpartition(b"> ")[2].partition(b" ")[0]
    author = fields.get(b"author", b"").rpartition(b" <")[0].strip()
    return int(when) if when.isdigit() else 0, _text(author, encoding), _text(_subject(message), encoding)


def _subject(message: bytes) -> bytes:
    return message.lstrip(b"\n").partition(b"\n")[0]


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")

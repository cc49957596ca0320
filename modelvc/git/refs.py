"""Refs of a repository, asked of Git: however it keeps them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import GitError, shown
from modelvc.git.objects import objects
from modelvc.git.run import git, run, said
from modelvc.git.worktrees import git_dirs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.git.layout import Layout

_IN_PROGRESS = ("MERGE_HEAD", "MERGE_AUTOSTASH", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "BISECT_HEAD")
_COMMIT = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
_PASSED_OVER = re.compile(rb"^(?:warning: ignoring|error:) .*?(\S+)$", re.MULTILINE)
_ORIGINAL = "--no-replace-objects"
_SHORTENED = ("refs/heads/", "refs/tags/", "refs/remotes/")


class _Ref(NamedTuple):
    name: str
    commit: str


def _refs(layout: Layout) -> Iterator[_Ref]:
    """Refs that lead to commits. Replace refs change what they lead to: `git push` sends the original."""
    listed = git(layout, _ORIGINAL, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(b" ", 1) for line in listed.splitlines()]
    found = objects(layout, original=True).read((oid + b"^{commit}" for oid, _ in lines), 0)
    for (_, name), commit in zip(lines, found, strict=True):
        if commit:  # else a tag of something else, or a ref that points nowhere
            yield _Ref(os.fsdecode(name), commit.oid)


def branches_and_tags(layout: Layout) -> dict[str, list[str]]:
    """Names of branches and tags by the commit that they point to."""
    found: dict[str, list[str]] = {}
    for ref in _refs(layout):
        for prefix in _SHORTENED:
            if ref.name.startswith(prefix):
                found.setdefault(ref.commit, []).append(ref.name[len(prefix) :])
    return found


def stashed(layout: Layout) -> list[str]:
    """The commit of every stash entry: only its reflog names all but the last."""
    if run(layout, "rev-parse", "-q", "--verify", "refs/stash")[0]:
        return []
    return git(layout, "rev-list", "--ignore-missing", "--walk-reflogs", "refs/stash").decode("ascii").split()


def unreferenced(layout: Layout) -> list[str]:
    """Commits that our own refs may not reach: work in progress anywhere; HEAD, refs and reflogs of other worktrees."""
    found: set[str] = set()
    names = "".join(f"{name}\n" for name in _IN_PROGRESS).encode()
    for folder in git_dirs(layout):
        for path in _notes(folder):
            found |= _commits_named_in(path)
        # a worktree that Git does not list, since its folder is unknown, answers all the same
        others = () if folder == layout.git_dir else ("--all", "--reflog")
        listed = ("rev-list", "--no-walk", "--ignore-missing", *others, "--stdin")
        place = {"GIT_DIR": folder, "GIT_COMMON_DIR": layout.common_dir}
        found.update(git(layout.common_dir, *listed, stdin=names, extra=place).decode("ascii").split())
    ids = sorted(found)
    commits = objects(layout, original=True).read((f"{one}^{{commit}}".encode() for one in ids), 0)
    return [one.oid for one in commits if one]  # else gone, or a number that only looks like a commit's


def _notes(folder: str) -> Iterator[str]:
    """Files in the Git folder of a worktree that name commits: they are no refs, however Git keeps those."""
    yield os.path.join(folder, "MERGE_HEAD")  # may name several
    for step in ("rebase-merge", "rebase-apply"):
        yield from (os.path.join(folder, step, name) for name in ("orig-head", "onto", "autostash", "stopped-sha"))


def _commits_named_in(path: str) -> set[str]:
    try:
        with open(path, "rb") as file:
            return {found.decode() for found in _COMMIT.findall(file.read()) if found.strip(b"0")}
    except OSError:
        return set()


def check_refs(layout: Layout) -> None:
    """Raises GitError for a ref that is damaged or leads to something that is: what it reaches, nobody knows."""
    code, out, words = run(layout, _ORIGINAL, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(b" ", 1) for line in out.splitlines()]
    ends = objects(layout, original=True).read((oid + b"^{}" for oid, _ in lines), 0)
    broken = [name for (_, name), end in zip(lines, ends, strict=True) if end is None]
    broken += [name for name in _PASSED_OVER.findall(words) if not _is_symbolic(layout, name)]
    if broken or code:
        which = f"the ref {shown(os.fsdecode(min(broken)))}" if broken else f"a ref ({said(words)})"
        raise GitError(
            f"nothing can be removed while {which} cannot be read",
            hint="see `git fsck`; fetch what it leads to, or delete it with `git update-ref -d`",
        )


def _is_symbolic(layout: Layout, name: bytes) -> bool:
    """Whether a ref is a name for another, which may be gone: such as origin/HEAD."""
    return run(layout, "symbolic-ref", "-q", os.fsdecode(name))[0] == 0

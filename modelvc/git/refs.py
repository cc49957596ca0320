"""List the refs of a repository with Git, whatever format stores them."""

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
_SKIPPED = re.compile(rb"^(?:warning: ignoring|error:) .*?(\S+)$", re.MULTILINE)
_ORIGINAL = "--no-replace-objects"
_SHORTENED = ("refs/heads/", "refs/tags/", "refs/remotes/")


class _Ref(NamedTuple):
    name: str
    commit: str


def _refs(layout: Layout) -> Iterator[_Ref]:
    """Yield the refs that lead to commits. Replace refs are ignored, because `git push` sends original commits."""
    listed = git(layout, _ORIGINAL, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(b" ", 1) for line in listed.splitlines()]
    found = objects(layout, original=True).read((oid + b"^{commit}" for oid, _ in lines), 0)
    for (_, name), commit in zip(lines, found, strict=True):
        if commit:  # else the tag of another object, or a broken ref
            yield _Ref(os.fsdecode(name), commit.oid)


def branches_and_tags(layout: Layout) -> dict[str, list[str]]:
    """Return the names of branches and tags by the commit that they point to."""
    found: dict[str, list[str]] = {}
    for ref in _refs(layout):
        for prefix in _SHORTENED:
            if ref.name.startswith(prefix):
                found.setdefault(ref.commit, []).append(ref.name[len(prefix) :])
    return found


def names(layout: Layout) -> list[str]:
    """Return the names of branches, tags and remote-tracking branches, as a user writes them."""
    listed = git(layout, "for-each-ref", "--format=%(refname)", *_SHORTENED)
    found = map(os.fsdecode, listed.splitlines())
    return [name[len(prefix) :] for name in found for prefix in _SHORTENED if name.startswith(prefix)]


def stashed(layout: Layout) -> list[str]:
    """Return the commit of every stash entry. Only the reflog of refs/stash names the older ones."""
    if run(layout, "rev-parse", "-q", "--verify", "refs/stash")[0]:
        return []
    return git(layout, "rev-list", "--ignore-missing", "--walk-reflogs", "refs/stash").decode("ascii").split()


def unreferenced(layout: Layout) -> list[str]:
    """Return commits that this worktree's refs may not reach.

    They are those of a merge, rebase or similar in progress in any worktree, and those that HEAD, refs and reflogs of
    other worktrees name.
    """
    found: set[str] = set()
    names = "".join(f"{name}\n" for name in _IN_PROGRESS).encode()
    for folder in git_dirs(layout):
        for path in _notes(folder):
            found |= _commits_named_in(path)
        # Git lists no worktree whose folder is unknown, but reads its Git folder.
        others = () if folder == layout.git_dir else ("--all", "--reflog")
        listed = ("rev-list", "--no-walk", "--ignore-missing", *others, "--stdin")
        folders = {"GIT_DIR": folder, "GIT_COMMON_DIR": layout.common_dir}
        found.update(git(layout.common_dir, *listed, stdin=names, extra=folders).decode("ascii").split())
    ids = sorted(found)
    commits = objects(layout, original=True).read((f"{one}^{{commit}}".encode() for one in ids), 0)
    return [one.oid for one in commits if one]  # else deleted, or hex digits that are no id


def _notes(folder: str) -> Iterator[str]:
    """Yield the files in a worktree's Git folder that name commits and are no refs in any ref format."""
    yield os.path.join(folder, "MERGE_HEAD")  # an octopus merge names several commits
    for step in ("rebase-merge", "rebase-apply"):
        yield from (os.path.join(folder, step, name) for name in ("orig-head", "onto", "autostash", "stopped-sha"))


def _commits_named_in(path: str) -> set[str]:
    try:
        with open(path, "rb") as file:
            return {found.decode() for found in _COMMIT.findall(file.read()) if found.strip(b"0")}
    except OSError:
        return set()


def check_refs(layout: Layout) -> None:
    """Check that every ref can be read, since the objects behind a broken ref are unknown.

    Raises GitError for a corrupt ref, and for a ref to a missing or corrupt object.
    """
    code, out, words = run(layout, _ORIGINAL, "for-each-ref", "--format=%(objectname) %(refname)")
    lines = [line.split(b" ", 1) for line in out.splitlines()]
    ends = objects(layout, original=True).read((oid + b"^{}" for oid, _ in lines), 0)
    broken = [name for (_, name), end in zip(lines, ends, strict=True) if end is None]
    broken += [name for name in _SKIPPED.findall(words) if not _is_symbolic(layout, name)]
    if broken or code:
        which = f"the ref {shown(os.fsdecode(min(broken)))}" if broken else f"a ref ({said(words)})"
        raise GitError(
            f"nothing can be removed while {which} cannot be read",
            hint="see `git fsck`; fetch what it leads to, or delete it with `git update-ref -d`",
        )


def _is_symbolic(layout: Layout, name: bytes) -> bool:
    """Return True if the ref NAME is symbolic. Its target may be deleted, as that of origin/HEAD."""
    return run(layout, "symbolic-ref", "-q", os.fsdecode(name))[0] == 0

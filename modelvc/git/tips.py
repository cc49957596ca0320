"""Commits as Git sends them, without replace refs: which reach which, and which a Git remote has at this moment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.errors import GitError
from modelvc.git.run import git, run, said

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.git.layout import Layout


_PLAINLY = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1"}


def here(layout: Layout, names: Iterable[str]) -> list[str]:
    """The commits that NAMES lead to (ids, or ids of tags), each once, without those that are not in this clone."""
    asked = "".join(f"{name}^{{commit}}\n" for name in names)
    lines = _plain(layout, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked).splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if line.endswith(" commit")))


def reached(layout: Layout, some: Sequence[str], tips: Sequence[str]) -> list[str]:
    """Those of the commits SOME that one of TIPS reaches. All are in this clone."""
    if not some or not tips:
        return []
    beyond = set(_walk(layout, some, tips))
    return [one for one in some if one not in beyond]


def maximal(layout: Layout, new: Sequence[str], old: Sequence[str]) -> list[str]:
    """Those of the commits NEW and OLD that no other of them reaches; NEW first. No commit of OLD reaches another."""
    known = set(reached(layout, new, old))
    fresh = [one for one in dict.fromkeys(new) if one not in known]
    below: set[str] = set()
    if len(fresh) > 1:
        for line in _walk(layout, fresh, old, "--parents"):
            below.update(line.split()[1:])
        fresh = [one for one in fresh if one not in below]
    covered = set(reached(layout, old, fresh))
    return fresh + [one for one in old if one not in covered]


def live(layout: Layout, url: str) -> list[str]:
    """Commits of this clone that refs of the Git repository at URL lead to now. GitError without an answer."""
    code, out, words = run(layout, "ls-remote", "--quiet", "--", url)
    if code:
        raise GitError(said(words), hint="see what `git ls-remote` says")
    return here(layout, dict.fromkeys(line.split()[0] for line in out.decode("ascii", "replace").splitlines()))


def starts(layout: Layout, *, all_refs: bool = False) -> list[str]:
    """The commit of HEAD, if there is one; with ALL_REFS also those that refs lead to."""
    names = ["HEAD"]
    if all_refs:
        names += _plain(layout, "for-each-ref", "--format=%(objectname)", stdin="").splitlines()
    return here(layout, names)


def remotes(layout: Layout) -> list[str]:
    """The names of Git's remotes."""
    return os.fsdecode(git(layout, "remote")).split("\n")[:-1]


def configured_by(layout: Layout, config: str) -> str:
    """A hash of the configurations of mvc, as the pre-push shim makes it; CONFIG: the path of the committed one."""
    data = b""
    for path in (os.path.join(layout.worktree, config), os.path.join(layout.mvc_dir, "config.toml")):
        try:
            with open(path, "rb") as file:
                data += file.read()
        except OSError:
            continue
    return git(layout, "hash-object", "--stdin", stdin=data).decode("ascii").strip()


def _walk(layout: Layout, some: Sequence[str], tips: Sequence[str], *options: str) -> list[str]:
    asked = "".join([f"{one}\n" for one in some] + [f"^{tip}\n" for tip in tips])
    return _plain(layout, "rev-list", *options, "--stdin", stdin=asked).splitlines()


def _plain(layout: Layout, *words: str, stdin: str) -> str:
    return git(layout, *words, stdin=stdin.encode(), extra=_PLAINLY).decode("ascii", "replace")

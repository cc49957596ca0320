"""Which commits reach which, and which a Git remote has now. Replace refs are ignored, as in `git push`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import GitError
from modelvc.git.run import git, run, said

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.git.layout import Layout

_ENVIRONMENT = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1"}


def local_commits(layout: Layout, names: Iterable[str]) -> list[str]:
    """Return the commits that NAMES (ids of commits or tags) lead to, each once. Ids that this clone lacks go."""
    asked = "".join(f"{name}^{{commit}}\n" for name in names)
    lines = _git(layout, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked).splitlines()
    return list(dict.fromkeys(line.split()[0] for line in lines if line.endswith(" commit")))


def reached_by(layout: Layout, commits: Sequence[str], tips: Sequence[str]) -> list[str]:
    """Return the COMMITS that at least one of TIPS reaches. This clone has all of both."""
    if not commits or not tips:
        return []
    beyond = set(_walk(layout, commits, tips))
    return [one for one in commits if one not in beyond]


def maximal(layout: Layout, new: Sequence[str], old: Sequence[str]) -> list[str]:
    """Return the commits of NEW and OLD that no other commit of both reaches, NEW first.

    The caller guarantees that no commit of OLD reaches another commit of OLD.
    """
    known = set(reached_by(layout, new, old))
    fresh = [one for one in dict.fromkeys(new) if one not in known]
    below: set[str] = set()
    if len(fresh) > 1:
        for line in _walk(layout, fresh, old, "--parents"):
            below.update(line.split()[1:])
        fresh = [one for one in fresh if one not in below]
    covered = set(reached_by(layout, old, fresh))
    return fresh + [one for one in old if one not in covered]


def remote_commits(layout: Layout, url: str) -> list[str]:
    """Return the commits of this clone that refs of the Git repository at URL lead to now.

    Raises GitError if the repository is unreachable.
    """
    code, out, words = run(layout, "ls-remote", "--quiet", "--", url)
    if code:
        raise GitError(said(words), hint="see what `git ls-remote` says")
    return local_commits(layout, dict.fromkeys(line.split()[0] for line in out.decode("ascii", "replace").splitlines()))


def remote_tracking_commits(layout: Layout) -> list[str]:
    """Return the commits of all remote-tracking branches: those that Git remotes had when they were last asked."""
    names = _git(layout, "for-each-ref", "--format=%(objectname)", "refs/remotes", stdin="").splitlines()
    return local_commits(layout, names)


def start_commits(layout: Layout, *, all_refs: bool = False) -> list[str]:
    """Return the commit of HEAD, if it has one; with ALL_REFS also the commits of all refs."""
    names = ["HEAD"]
    if all_refs:
        names += _git(layout, "for-each-ref", "--format=%(objectname)", stdin="").splitlines()
    return local_commits(layout, names)


def _walk(layout: Layout, commits: Sequence[str], tips: Sequence[str], *options: str) -> list[str]:
    """Run `git rev-list` from COMMITS without the commits that TIPS reach. Return its lines."""
    asked = "".join([f"{one}\n" for one in commits] + [f"^{tip}\n" for tip in tips])
    return _git(layout, "rev-list", *options, "--stdin", stdin=asked).splitlines()


def _git(layout: Layout, *args: str, stdin: str) -> str:
    return git(layout, *args, stdin=stdin.encode(), extra=_ENVIRONMENT).decode("ascii", "replace")

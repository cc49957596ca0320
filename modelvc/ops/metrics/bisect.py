"""Judge the commits of `git bisect run` by the policy of the bad end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import UsageError, shown
from modelvc.formats.text import policy as policies
from modelvc.git.run import run
from modelvc.models.measures.verdict import FAIL
from modelvc.ops.metrics.check import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.text.policy import Policy
    from modelvc.ops.metrics.check import Checked
    from modelvc.repo import Repo

_MOST = 1_000_000  # bytes read of a file of Git's
_END = re.compile(r"^# (\S+): \[([0-9a-f]{40,64})\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BisectEnds:
    """The ends with which a bisection began. `policy`: that of the bad end; `good`: "" before a commit was called good.

    `begins`: no commit between the ends was judged yet.
    """

    policy: Policy
    good: str
    bad: str
    begins: bool


def bisect_ends(repo: Repo) -> BisectEnds:
    """Return the ends with which the bisection began. Raises UsageError or ConfigError without a usable policy.

    refs/bisect/bad cannot be used: it moves during the search, to commits that may be older than the policy.
    """
    bad_term, good_term = _git_file(repo, "BISECT_TERMS", "bad\ngood\n").split("\n")[:2]
    first: dict[str, str] = {}
    named = _END.findall(_git_file(repo, "BISECT_LOG"))
    for term, commit in named:
        first.setdefault(term, commit)
    bad = first.get(bad_term) or f"refs/bisect/{bad_term}"
    code, data, _ = run(repo.layout, "cat-file", "blob", f"{bad}:{policies.POLICY}")
    if code:
        raise UsageError(
            f"there is no bisection under way whose bad end has a {policies.POLICY}",
            hint="git bisect start BAD GOOD, then git bisect run mvc check --bisect",
        )
    return BisectEnds(
        policies.parse(data), first.get(good_term, ""), bad, begins=len({commit for _, commit in named}) <= 2
    )


def check_bad_end(repo: Repo, ends: BisectEnds, paths: Sequence[str] = ()) -> None:
    """Raise UsageError if the bad end passes. Git never has it judged, so it would blame a commit at random."""
    if ends.begins and ends.good:
        found = check(repo, paths, against=ends.good, rev=ends.bad, policy=ends.policy)
        if found.outcome != FAIL:
            raise UsageError(
                f"the bad end, {shown(ends.bad)[:10]}, does not fail the policy: there is nothing to search for",
                hint=f"see what it says: mvc check --rev {shown(ends.bad)[:10]} --against {ends.good[:10]}",
            )


def bisect_check(repo: Repo, ends: BisectEnds, paths: Sequence[str] = ()) -> Checked:
    """Judge the models of HEAD by the bad end's policy, compared with the good end's versions."""
    return check(repo, paths, against=ends.good, rev="HEAD", policy=ends.policy)


def _git_file(repo: Repo, name: str, otherwise: str = "") -> str:
    try:
        with open(os.path.join(repo.layout.git_dir, name), "rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except FileNotFoundError:
        return otherwise

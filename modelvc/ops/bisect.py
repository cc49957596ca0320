"""Under `git bisect run`: is the model of this commit good or bad? The policy is that of the bad end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import UsageError
from modelvc.formats import policy as policies
from modelvc.git.run import run
from modelvc.ops.check import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.check import Checked
    from modelvc.repo import Repo

_BAD = "refs/bisect/bad"
_GOOD = "refs/bisect/good-*"


def bisect_check(repo: Repo, paths: Sequence[str] = ()) -> Checked:
    """Judge the models of HEAD by the bad end's policy, compared with the good end's version."""
    code, data, _ = run(repo.layout, "cat-file", "blob", f"{_BAD}:{policies.POLICY}")
    if code:
        raise UsageError(
            f"there is no bisection under way whose bad end has a {policies.POLICY}",
            hint="git bisect start BAD GOOD, then git bisect run mvc check --bisect",
        )
    _, out, _ = run(repo.layout, "for-each-ref", "--format=%(objectname)", "--count=1", _GOOD)
    return check(repo, paths, against=out.decode("ascii").strip(), rev="HEAD", policy=policies.parse(data))

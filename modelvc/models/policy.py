"""Read the policy in .mvc/policy.toml, of the worktree or of a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text import policy
from modelvc.git.objects import objects

if TYPE_CHECKING:
    from modelvc.repo import Repo


def read_policy(repo: Repo) -> policy.Policy:
    """Return the worktree's policy, an empty one without a file."""
    try:
        return policy.parse(repo.worktree.read(SafeRelPath(policy.POLICY), limits.POLICY))
    except (FileNotFoundError, NotADirectoryError):
        return policy.Policy()


def policy_at(repo: Repo, commit: str) -> policy.Policy:
    """Return the policy of COMMIT, a full id; an empty one without a file."""
    found = objects(repo.layout).one(f"{commit}:{policy.POLICY}", limits.POLICY + 1)
    return policy.parse(found.data) if found is not None and found.kind == "blob" else policy.Policy()

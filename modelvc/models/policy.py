"""Read the policy in .mvc/policy.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text import policy

if TYPE_CHECKING:
    from modelvc.repo import Repo


def read_policy(repo: Repo) -> policy.Policy:
    """Return the worktree's policy, an empty one without a file."""
    try:
        return policy.parse(repo.worktree.read(SafeRelPath(policy.POLICY), limits.POLICY))
    except (FileNotFoundError, NotADirectoryError):
        return policy.Policy()

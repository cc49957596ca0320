"""Commit with the user's own Git, so that their hooks run and their signature is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import GitError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.git.layout import Layout


def commit(layout: Layout, message: str, paths: Sequence[str]) -> str:
    """Commit PATHS as they are staged, and nothing else from the index. Return the id of the commit.

    Raises GitError with the message of Git, or of the hook that refused.
    """
    import git

    try:
        with git.Repo(layout.worktree) as repo:  # which ends its cat-file processes
            repo.git.commit("-q", "--only", "-m", message, "--", *paths)
            return str(repo.git.rev_parse("HEAD"))  # by Git: GitPython itself reads neither SHA-256 nor reftable
    except git.GitCommandError as error:
        words = "; ".join(line for line in (error.stderr or error.stdout or "").strip().splitlines() if line)
        raise GitError(f"git commit failed: {shown(words)}", hint="resolve that, then commit what is staged") from None

"""List all worktrees of a clone from its Git folder, also those whose disk is not mounted now."""

from __future__ import annotations

import os

from modelvc.git.layout import Layout


def git_dirs(layout: Layout) -> list[str]:
    """Return the Git folders of the main worktree and of every linked worktree."""
    linked = os.path.join(layout.common_dir, "worktrees")
    names = sorted(os.listdir(linked)) if os.path.isdir(linked) else []
    return [layout.common_dir, *(os.path.join(linked, name) for name in names)]


def layouts(layout: Layout) -> list[Layout]:
    """Return this worktree and every other that has an index.

    If the folder of a worktree is missing, its layout has its Git folder as `worktree`.
    """
    found = []
    for git_dir in git_dirs(layout):
        if git_dir == layout.git_dir or os.path.exists(os.path.join(git_dir, "index")):
            top = _top(layout, git_dir)
            found.append(Layout(top if os.path.isdir(top) else git_dir, git_dir, layout.common_dir))
    return found


def _top(layout: Layout, git_dir: str) -> str:
    if git_dir == layout.git_dir:
        return layout.worktree
    try:
        with open(os.path.join(git_dir, "gitdir"), encoding="utf-8", errors="surrogateescape") as file:
            return os.path.dirname(os.path.join(git_dir, file.readline().rstrip("\r\n")))
    except OSError:
        return os.path.dirname(git_dir) if os.path.basename(git_dir) == ".git" else git_dir

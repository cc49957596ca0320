"""Find the Git command that brings a good pointer back: from the index, from HEAD, or from an older commit."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError
from modelvc.git import history, index

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.git.layout import Layout

_MOST = 200  # versions of history that are looked at


def restoring(layout: Layout, pointer: str, name: str, is_good: Callable[[bytes], bool]) -> str:
    """Return the command that restores POINTER, a path below the worktree, to the nearest content that IS_GOOD.

    NAME: the same file as the user names it. Return "" if the index, HEAD and its history have no such content.
    """
    file = shlex.quote(f"./{name}" if name.startswith(("-", ":")) else name)
    staged = {entry.stage: entry.blob for entry in index.pointers(layout) if entry.path == pointer}
    if 0 in staged and any(map(is_good, index.read_blobs(layout, [staged[0]]).values())):
        return f"git restore {file}"
    if any(map(is_good, index.head_blobs(layout, [pointer]).values())):
        return f"git restore --staged --worktree {file}"
    try:
        found = history.versions(layout, pointer) if history.has_head(layout) else iter(())
        for version in islice(found, _MOST):
            if is_good(version.data):
                return f"git restore --source={version.commit[:10]} --staged --worktree {file}"
    except ModelvcError:  # history that cannot be read has no good content
        pass
    return ""

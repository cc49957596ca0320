"""Refuse paths that no model can have: files that Git or mvc reads, and paths inside another Git repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.errors import UsageError, shown
from modelvc.git import index
from modelvc.git.layout import git_dir_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.repo import Repo

_OF_GIT = frozenset({".gitattributes", ".gitignore", ".gitmodules"})  # Git reads these by name


def check_model_paths(repo: Repo, paths: Sequence[SafeRelPath]) -> None:
    """Raise UsageError for the first of PATHS that no model can have."""
    for path in paths:
        _check_name(path)
    folders = {folder for path in paths for folder in (*_above(path), str(path))}
    links = set(index.submodules(repo.layout, sorted(folders)))
    for path in paths:
        for folder in (*_above(path), str(path)):
            if folder in links:
                raise _in_other_repository(path, folder, "the submodule")
            if git_dir_of(os.path.join(repo.layout.worktree, folder)):
                raise _in_other_repository(path, folder, "the Git repository")


def _check_name(path: SafeRelPath) -> None:
    if path.parts[0] == ".mvc":
        raise UsageError(f"{shown(path)} belongs to mvc itself", hint="keep models outside of .mvc/")
    if path.name.casefold() in _OF_GIT:
        raise UsageError(f"Git reads {shown(path)} itself, so it cannot be a model", hint=f"git add {shown(path)}")
    if path.name.casefold().startswith(".mvc"):
        raise UsageError(f"mvc keeps names that begin with .mvc for itself: {shown(path)}", hint="rename the file")


def _in_other_repository(path: str, folder: str, what: str) -> UsageError:
    if path == folder:
        return UsageError(
            f"{shown(path)} is a Git repository of its own, so it cannot be a model",
            hint="run `mvc add` inside it, or name files outside of it",
        )
    inside = path[len(folder) + 1 :]
    return UsageError(
        f"{shown(path)} lies in {what} {shown(folder)}, not in this repository",
        hint=f"run mvc there: `mvc --repo {shown(folder)} add {shown(inside)}`",
    )


def _above(path: str) -> list[str]:
    """Return the folders that hold PATH, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]

"""Where a clone keeps what: found without starting Git. Short path: imports nothing heavy."""

from __future__ import annotations

import os

from modelvc.errors import NoRepository, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Layout:
    """The folders of one worktree; absolute paths without links."""

    __slots__ = ("common_dir", "git_dir", "worktree")

    def __init__(self, worktree: str, git_dir: str, common_dir: str) -> None:
        self.worktree = worktree
        self.git_dir = git_dir  # of this worktree
        self.common_dir = common_dir  # shared by linked worktrees

    @property
    def mvc_dir(self) -> str:
        """What all worktrees of the clone share."""
        return os.path.join(self.common_dir, "mvc")

    @property
    def state_dir(self) -> str:
        """What belongs to this worktree."""
        return os.path.join(self.git_dir, "mvc")


def discover(start: str, env: Mapping[str, str]) -> Layout:
    """The worktree that START lies in. NoRepository when there is none, or only a bare one."""
    start = os.path.realpath(start)
    if given := env.get("GIT_DIR"):
        git_dir = os.path.realpath(os.path.join(start, given))
        if not _is_git_dir(git_dir):
            raise NoRepository(f"GIT_DIR is {shown(given)}, which is no Git repository", hint="unset GIT_DIR")
        tree = env.get("GIT_WORK_TREE")
        worktree = os.path.join(start, tree) if tree else _configured(git_dir) or _above(git_dir) or start
        return _layout(os.path.realpath(worktree), git_dir, env)
    ceilings = {os.path.realpath(path) for path in env.get("GIT_CEILING_DIRECTORIES", "").split(":") if path}
    folder = start
    while True:
        git_dir = _git_dir_of(folder)
        if git_dir:
            return _layout(_configured(git_dir) or folder, git_dir, env)
        if _is_git_dir(folder):
            raise NoRepository(
                f"{shown(start)} is inside a Git repository, not in its worktree", hint="change to the worktree"
            )
        above = os.path.dirname(folder)
        if above == folder or above in ceilings:
            raise NoRepository(f"{shown(start)} is not in a Git repository", hint="run `git init`, then `mvc init`")
        folder = above


def _layout(worktree: str, git_dir: str, env: Mapping[str, str]) -> Layout:
    common = env.get("GIT_COMMON_DIR") or _first_line(os.path.join(git_dir, "commondir")) or git_dir
    return Layout(worktree, git_dir, os.path.realpath(os.path.join(git_dir, common)))


def _git_dir_of(folder: str) -> str:
    """The Git folder of the worktree whose top is FOLDER; "" when it is not one."""
    path = os.path.join(folder, ".git")
    if _is_git_dir(path):
        return os.path.realpath(path)
    line = _first_line(path)  # a linked worktree or a submodule
    if line.startswith("gitdir: "):
        found = os.path.realpath(os.path.join(folder, line[8:]))
        if _is_git_dir(found):
            return found
    return ""


def _is_git_dir(path: str) -> bool:
    if not os.path.lexists(os.path.join(path, "HEAD")):
        return False
    return os.path.isdir(os.path.join(path, "objects")) or os.path.isfile(os.path.join(path, "commondir"))


def _above(git_dir: str) -> str:
    """The worktree of a Git folder that is named by the environment, as Git finds it for a linked worktree."""
    pointer = _first_line(os.path.join(git_dir, "gitdir"))
    if pointer:
        return os.path.dirname(os.path.join(git_dir, pointer))
    return os.path.dirname(git_dir) if os.path.basename(git_dir) == ".git" else ""


def _configured(git_dir: str) -> str:
    """core.worktree, which Git writes for submodules; "" when it is not set."""
    try:
        with open(os.path.join(git_dir, "config"), encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return ""
    if "worktree" not in text:
        return ""
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped.lower()
        key, equals, value = stripped.partition("=")
        if section == "[core]" and equals and key.strip().lower() == "worktree":
            return os.path.realpath(os.path.join(git_dir, value.strip().strip('"')))
    return ""


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline(8192).rstrip("\r\n")
    except OSError:
        return ""

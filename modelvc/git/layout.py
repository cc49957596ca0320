"""Find the folders of a clone without starting Git. Every command loads this module, so it imports little."""

from __future__ import annotations

import os

from modelvc.errors import NoRepository, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Layout:
    """The folders of one worktree, as absolute paths without symbolic links."""

    __slots__ = ("common_dir", "git_dir", "readers", "worktree")

    def __init__(self, worktree: str, git_dir: str, common_dir: str) -> None:
        self.worktree = worktree
        self.git_dir = git_dir  # of this worktree
        self.common_dir = common_dir  # shared by linked worktrees
        self.readers: dict[bool, object] = {}  # of git/objects.py alone: its open processes, which end with this object

    @property
    def mvc_dir(self) -> str:
        """Mvc's folder that all worktrees of the clone share."""
        return os.path.join(self.common_dir, "mvc")

    @property
    def main_worktree(self) -> str:
        """The top folder of the clone's main worktree; of a bare clone, its Git folder."""
        return self.worktree if self.git_dir == self.common_dir else of_git_dir(self.common_dir).worktree

    @property
    def shallow(self) -> bool:
        """True if the clone is shallow: it lacks older commits."""
        try:
            return os.path.getsize(os.path.join(self.common_dir, "shallow")) > 0
        except OSError:
            return False

    @property
    def state_dir(self) -> str:
        """Mvc's folder of this worktree."""
        return os.path.join(self.git_dir, "mvc")


def discover(start: str, env: Mapping[str, str]) -> Layout:
    """Return the worktree that contains the folder START, as `git rev-parse` finds it.

    Raises NoRepository outside of a worktree, and in a bare repository.
    """
    start = os.path.realpath(start)
    if given := env.get("GIT_DIR"):
        git_dir = os.path.realpath(os.path.join(start, given))
        if not _is_git_dir(git_dir):
            raise NoRepository(f"GIT_DIR is {shown(given)}, which is not a Git repository", hint="unset GIT_DIR")
        return _layout(start, start, git_dir, env)
    ceilings = {os.path.realpath(path) for path in env.get("GIT_CEILING_DIRECTORIES", "").split(":") if path}
    folder = start
    while True:
        if git_dir := git_dir_of(folder):
            return _layout(start, folder, git_dir, env)
        if _is_git_dir(folder):
            raise NoRepository(
                f"{shown(start)} is inside a Git repository, not in its worktree", hint="change to the worktree"
            )
        above = os.path.dirname(folder)
        if above == folder or above in ceilings:
            hint = "change to your project's folder; in a new one run `git init`, then `mvc init`"
            raise NoRepository(f"{shown(start)} is not in a Git repository", hint=hint)
        folder = above


def of_git_dir(git_dir: str) -> Layout:
    """Return the main worktree of the clone whose Git folder is GIT_DIR. Raises NoRepository for another folder."""
    if not _is_git_dir(git_dir):
        raise NoRepository(f"{shown(git_dir)} is not a Git folder", hint="is its disk there?")
    worktree, _ = _configured(git_dir)
    top = worktree or (os.path.dirname(git_dir) if os.path.basename(git_dir) == ".git" else git_dir)
    return Layout(os.path.realpath(top), git_dir, git_dir)


def _layout(start: str, found: str, git_dir: str, env: Mapping[str, str]) -> Layout:
    """Return GIT_DIR with the worktree that the environment names, else its configuration, else FOUND."""
    common = env.get("GIT_COMMON_DIR") or _first_line(os.path.join(git_dir, "commondir")) or git_dir
    if given := env.get("GIT_WORK_TREE"):
        worktree = os.path.join(start, given)
    else:
        worktree, bare = _configured(git_dir)
        if bare and not worktree:
            raise NoRepository(
                f"{shown(git_dir)} is a bare repository: it has no worktree",
                hint="change to a worktree of it, or make one with `git worktree add`",
            )
        worktree = worktree or found
    return Layout(os.path.realpath(worktree), git_dir, os.path.realpath(os.path.join(git_dir, common)))


def git_dir_of(folder: str) -> str:
    """Return the Git folder of the worktree whose top is FOLDER, or ""."""
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


def _configured(git_dir: str) -> tuple[str, bool]:
    """Return core.worktree ("" if it is not set), which Git sets for submodules, and core.bare."""
    # `git sparse-checkout` and others move both to config.worktree. The Git folder of a linked worktree has no config:
    # there neither setting applies.
    worktree, bare = "", False
    for name in ("config", "config.worktree"):
        for key, value in _core(os.path.join(git_dir, name)):
            if key == "worktree":
                worktree = os.path.join(git_dir, value)
            elif key == "bare":
                bare = value.lower() in {"", "true", "yes", "on", "1"}
    return worktree, bare


def _core(path: str) -> list[tuple[str, str]]:
    """Return the keys and values of the section [core] in a configuration file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    section = ""
    for line in lines:
        text = line.strip()
        if text.startswith("["):
            head, _, text = text.partition("]")
            section, text = head[1:].strip().lower(), text.strip()
        key, _, value = text.partition("=")
        if section == "core":
            found.append((key.strip().lower(), _unquoted(value.strip())))
    return found


def _unquoted(value: str) -> str:
    """Return VALUE without quotes, escapes and comments: as much of Git's syntax as paths need."""
    quoted, text, at = False, "", 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            at += 1
            text += value[at : at + 1]
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            return text.rstrip()
        else:
            text += char
        at += 1
    return text


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline(8192).rstrip("\r\n")
    except OSError:
        return ""

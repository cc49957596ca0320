"""List the files of a tracked folder. Short path: it imports nothing heavy."""

from __future__ import annotations

import os
import stat

from modelvc.errors import UsageError, shown
from modelvc.worktree.state import Stat, stat_of


def scan(root: str, folder: str) -> dict[str, Stat]:
    """Return the stat data of every file in FOLDER (a path below ROOT), by its path in FOLDER.

    Raises UsageError for content that a tree cannot hold: links, sockets, devices and Git repositories.
    """
    found: dict[str, Stat] = {}
    top = os.path.join(root, folder)
    waiting = [("", top)]
    while waiting:
        prefix, path = waiting.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.name == ".git":
                    raise _repository(f"{folder}/{prefix}".rstrip("/"))
                data = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(data.st_mode):
                    found[name] = stat_of(data)
                elif stat.S_ISDIR(data.st_mode):
                    waiting.append((name + "/", entry.path))
                else:
                    raise _unfit(f"{folder}/{name}", data.st_mode)
    return found


def _repository(path: str) -> UsageError:
    return UsageError(
        f"{shown(path)} is a Git repository of its own, and a tracked folder cannot hold one",
        hint=f"move it out of the folder, or run `mvc --repo {shown(path)} add` for the models in it",
    )


def _unfit(path: str, mode: int) -> UsageError:
    if stat.S_ISLNK(mode):
        return UsageError(
            f"{shown(path)} is a symbolic link; a tracked folder holds only files",
            hint="replace it by the file that it points to, or move it out of the folder",
        )
    return UsageError(
        f"{shown(path)} is neither a file nor a folder", hint="move it out of the folder, then run the command again"
    )

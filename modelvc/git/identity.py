"""Where the Git repository of a clone lies, as a name that all its clones agree on."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from modelvc.formats.text.repository_registration import one_line
from modelvc.git.run import git, run

if TYPE_CHECKING:
    from modelvc.git.layout import Layout

_LINE = re.compile(r"[^\t]*\t(.*) \((?:fetch|push)\)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?([^/]*)/*(.*)")
_SCP = re.compile(r"(?:[^/@:]*@)?([^/:]+):/*(.*)")


def own_places(layout: Layout) -> dict[str, str]:
    """The place of each of Git's remotes with the URL that this clone uses; of the clone itself (its folder) last."""
    found: dict[str, str] = {}
    for line in os.fsdecode(git(layout, "remote", "-v")).splitlines():
        if match := _LINE.match(line):
            found.setdefault(place_of(match[1], layout.worktree), match[1])
    found[place_of(layout.common_dir, layout.worktree)] = layout.common_dir
    return found


def upstream_remote(layout: Layout) -> str:
    """The name of the Git remote that the current branch follows; "" without one."""
    code, out, _ = run(layout, "symbolic-ref", "-q", "HEAD")
    branch = os.fsdecode(out).strip().removeprefix("refs/heads/")
    if code or not branch:
        return ""
    code, out, _ = run(layout, "config", "-z", "--get", f"branch.{branch}.remote")
    return "" if code else os.fsdecode(out).rstrip("\0")


def asked_at(url: str, folder: str) -> str:
    """The URL for a Git that does not run in FOLDER: a path is made absolute. By its colons Git tells a path."""
    return url if ":" in url.partition("/")[0] else os.path.join(folder, url)


def place_of(url: str, folder: str) -> str:
    """One name for all ways to write the URL of a repository, without accounts: `host/path`, or a folder.

    A folder is named with its number on the disk: the same path on another computer is another repository, the same
    folder of a share is the same one.
    """
    if url.startswith("file://"):
        url = "/" + url.removeprefix("file://").partition("/")[2]
    match = _URL.fullmatch(url) or (None if os.path.exists(os.path.join(folder, url)) else _SCP.fullmatch(url))
    if match:
        return one_line(f"{match[1].lower()}/{_bare(match[2])}")
    path = os.path.realpath(os.path.join(folder, url))
    try:
        number = os.stat(path).st_ino
    except OSError:
        number = 0
    return one_line(f"{path}#{number}")


def _bare(path: str) -> str:
    return path.rstrip("/").removesuffix(".git").rstrip("/")

"""Git's own remotes, and names of Git repositories that all their clones agree on."""

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


def names(layout: Layout) -> list[str]:
    """Return the names of Git's remotes."""
    return os.fsdecode(git(layout, "remote")).split("\n")[:-1]


def own_repositories(layout: Layout) -> dict[str, str]:
    """Return the URL of each of Git's remotes by its canonical name. The clone's own Git folder comes last."""
    found: dict[str, str] = {}
    for line in os.fsdecode(git(layout, "remote", "-v")).splitlines():
        if match := _LINE.match(line):
            found.setdefault(canonical_name(match[1], layout.worktree), match[1])
    found[canonical_name(layout.common_dir, layout.worktree)] = layout.common_dir
    return found


def upstream(layout: Layout) -> str:
    """Return the name of the Git remote that the current branch follows, or ""."""
    code, out, _ = run(layout, "symbolic-ref", "-q", "HEAD")
    branch = os.fsdecode(out).strip().removeprefix("refs/heads/")
    if code or not branch:
        return ""
    code, out, _ = run(layout, "config", "-z", "--get", f"branch.{branch}.remote")
    return "" if code else os.fsdecode(out).rstrip("\0")


def absolute_url(url: str, folder: str) -> str:
    """Return URL for a Git that runs outside FOLDER: a relative path is joined to FOLDER.

    Like Git, this takes a URL without a colon before its first slash for a path.
    """
    return url if ":" in url.partition("/")[0] else os.path.join(folder, url)


def canonical_name(url: str, folder: str) -> str:
    """Return one name for all spellings of a repository's URL, without accounts: `host/path`, or a folder.

    The name of a folder holds its inode number. The same path on another computer then has another name, and the same
    folder of a network share keeps its name.
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

"""Set a repository up for mvc, or a clone of one; and undo the latter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import NoRepository, UsageError, shown
from modelvc.formats.config import Remote
from modelvc.formats.paths import SafeRelPath
from modelvc.git import hooks, index
from modelvc.git.run import git, run
from modelvc.ops import remotes
from modelvc.ops.follow import follow, note_seen
from modelvc.repo import CONFIG

if TYPE_CHECKING:
    from modelvc.git.hooks import Installed
    from modelvc.ops.follow import Followed
    from modelvc.ops.remotes import RemoteInfo
    from modelvc.repo import Repo

_ATTRIBUTES = (b"*.mvc text eol=lf", b".gitignore merge=union")
_LARGE_FILE = "mvc.largeFile"
_LIMIT = 1 << 20  # a larger .gitattributes is somebody's accident


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `mvc init` did; `wrote` are the files that it wrote and staged, empty when all was in place."""

    worktree: str
    wrote: tuple[str, ...]
    hooks: Installed
    remote: RemoteInfo | None = None


@dataclass(frozen=True, slots=True)
class InstalledHere:
    """What `mvc install` did; `untrusted` are remotes that the repository names and this clone has not accepted."""

    hooks: Installed
    remotes: tuple[RemoteInfo, ...]
    untrusted: tuple[RemoteInfo, ...]
    followed: Followed


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """The hooks that `mvc uninstall` took away."""

    hooks: tuple[str, ...]


def init(repo: Repo, python: str, *, remote_url: str = "", endpoint_url: str = "", cwd: str = "") -> Initialised:
    """Write and stage configuration and attributes, install hooks. Doing it again changes nothing. Never commits."""
    os.makedirs(repo.layout.mvc_dir, exist_ok=True)
    wrote = []
    with repo.updating():
        if repo.worktree.stat(CONFIG) is None:
            remotes.save_config(repo, repo.config)
            wrote.append(CONFIG)
        if _write_attributes(repo):
            wrote.append(".gitattributes")
            index.stage(repo.layout, add=[".gitattributes"])
        installed = _install(repo, python)
    added = None
    if remote_url:
        from modelvc.store.backends import absolute_url

        known = repo.config.remotes.get("origin")
        place = Remote(absolute_url(remote_url, cwd or repo.layout.worktree), endpoint_url)
        if known is None:
            added = remotes.add_remote(repo, "origin", place, cwd=repo.layout.worktree)
        elif not known.same_place(place):
            raise UsageError(
                f"the remote origin is {shown(known.url)} already",
                hint="change it with `mvc remote remove` and `mvc remote add`",
            )
    return Initialised(repo.layout.worktree, tuple(wrote), installed, added)


def install(repo: Repo, python: str, *, trust: bool = False) -> InstalledHere:
    """Set up the hooks of this clone; with TRUST accept the remotes that the repository names."""
    if repo.worktree.stat(CONFIG) is None and not repo.index_pointers():
        raise NoRepository("this Git repository does not use mvc yet", hint="run `mvc init`")
    os.makedirs(repo.layout.mvc_dir, exist_ok=True)
    with repo.updating():
        installed = _install(repo, python)
    named = remotes.trust(repo).remotes if trust and repo.config.remotes else remotes.remotes(repo).remotes
    followed = follow(repo)
    note_seen(repo)
    return InstalledHere(installed, named, tuple(one for one in named if not one.trusted), followed)


def uninstall(repo: Repo) -> Uninstalled:
    """Take the hooks of this clone away and put back what was there. Models stay."""
    run(repo.layout, "config", "--local", "--unset-all", _LARGE_FILE)
    return Uninstalled(hooks.uninstall(repo.layout))


def _install(repo: Repo, python: str) -> Installed:
    git(repo.layout, "config", "--local", _LARGE_FILE, str(repo.config.hooks.large_file))
    return hooks.install(repo.layout, python)


def _write_attributes(repo: Repo) -> bool:
    """Add our lines to `.gitattributes`; whether any was missing."""
    path = SafeRelPath(".gitattributes")
    try:
        before = repo.worktree.read(path, _LIMIT)
    except FileNotFoundError:
        before = b""
    if len(before) > _LIMIT:
        raise UsageError(f"{path} is larger than {_LIMIT:,} bytes", hint="move lines that are not needed out of it")
    missing = [line for line in _ATTRIBUTES if line not in before.splitlines()]
    if not missing:
        return False
    end = b"" if not before or before.endswith(b"\n") else b"\n"
    after = before + end + b"".join(line + b"\n" for line in missing)

    def fill(fd: int) -> None:
        os.write(fd, after)
        os.fsync(fd)

    repo.worktree.write(path, fill)
    return True

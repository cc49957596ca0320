"""Set up a repository or a clone for mvc, and undo the setup of a clone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelvc.errors import NoRepository, UsageError, shown_url
from modelvc.formats.paths import SafeRelPath
from modelvc.git import index
from modelvc.git.run import git, run
from modelvc.git.setup import drivers, hooks
from modelvc.models import config_files
from modelvc.models.files.follow import follow
from modelvc.models.notebooks import note_edition, unstripped
from modelvc.models.remotes import configured, opening, pinning
from modelvc.repo import CONFIG

if TYPE_CHECKING:
    from modelvc.formats.text.config import Remote
    from modelvc.git.setup.drivers import Mode
    from modelvc.git.setup.hooks import Installed
    from modelvc.models.files.follow import Followed
    from modelvc.models.remotes.configured import RemoteInfo
    from modelvc.repo import Repo

_NOTEBOOK = b" filter=mvc-notebook diff=mvc-notebook"
_ATTRIBUTES = (
    b"*.mvc text eol=lf merge=mvc-pointer diff=mvc-pointer",
    b".gitignore merge=union",
    b"*.ipynb" + _NOTEBOOK + b" merge=mvc-notebook",
    b"*.zpln" + _NOTEBOOK,
    b"note.json" + _NOTEBOOK,  # the notes of older Zeppelins; the filter leaves any other file of that name as it is
)
_EARLIER = {b"*.mvc text eol=lf": _ATTRIBUTES[0]}  # lines of earlier versions, with their replacements
_LARGE_FILE = "mvc.largeFile"
_LIMIT = 1 << 20  # bytes of .gitattributes; a larger one is an accident


@dataclass(frozen=True, slots=True)
class Initialised:
    """The result of `mvc init`. `wrote`: files that it wrote and staged; `unstripped`: notebooks in Git's index that
    the filter would change.
    """

    worktree: str
    wrote: tuple[str, ...]
    hooks: Installed
    remote: RemoteInfo | None = None
    notebooks: Mode = "off"
    unstripped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstalledHere:
    """The result of `mvc install`. `untrusted`: remotes that the repository names and this clone has not accepted.

    `refused`: by name of an untrusted remote what mvc refuses. `readable`: `mvc pull` needs none of them accepted.
    """

    hooks: Installed
    remotes: tuple[RemoteInfo, ...]
    untrusted: tuple[RemoteInfo, ...]
    followed: Followed
    notebooks: Mode = "off"
    refused: dict[str, str] = field(default_factory=dict)
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """The hooks that `mvc uninstall` removed."""

    hooks: tuple[str, ...]


def init(
    repo: Repo,
    python: str,
    *,
    remote: Remote | None = None,
    cwd: str = "",
    notebooks: Mode | None = None,
) -> Initialised:
    """Write and stage configuration and attributes, and install hooks and drivers. A second call changes nothing.

    PYTHON: the interpreter for the hooks. REMOTE: the remote to add as origin, a folder relative to CWD. NOTEBOOKS: the
    drivers to install; None keeps the present ones, "both" at first. Raises UsageError if origin lies elsewhere.
    """
    os.makedirs(repo.layout.mvc_dir, exist_ok=True)
    wrote = []
    with repo.updating():
        if repo.worktree.stat(CONFIG) is None:
            config_files.save_config(repo, repo.config)
            wrote.append(CONFIG)
        chosen = _notebook_mode(repo, notebooks)
        if _write_attributes(repo, chosen):
            wrote.append(".gitattributes")
            index.stage(repo.layout, add=[".gitattributes"])
        installed = _install(repo, python, chosen)
    added = None
    if remote:
        from modelvc.store.backends import absolute_url

        start = cwd or repo.layout.worktree
        known = repo.config.remotes.get("origin")
        origin = replace(known, url=configured.used_url(repo, known.url)) if known else None
        if origin is None:
            added = pinning.add_remote(repo, "origin", remote, cwd=start)
        elif not origin.same_place(replace(remote, url=absolute_url(remote.url, start))):
            raise UsageError(
                f"the remote origin is {shown_url(origin.url)} already",
                hint=f"change it with `mvc remote set-url origin {shown_url(remote.url)}`",
            )
    left = unstripped(repo) if drivers.filters(repo.layout) else ()
    note_edition(repo)
    return Initialised(repo.layout.worktree, tuple(wrote), installed, added, chosen, left)


def install(repo: Repo, python: str, *, trust: bool = False, notebooks: Mode | None = None) -> InstalledHere:
    """Install the hooks and drivers of this clone, and update its models. TRUST: pin the repository's remotes.

    Raises NoRepository if the repository does not use mvc.
    """
    if repo.worktree.stat(CONFIG) is None and not repo.index_pointers():
        raise NoRepository("this Git repository does not use mvc yet", hint="run `mvc init`")
    os.makedirs(repo.layout.mvc_dir, exist_ok=True)
    with repo.updating():
        chosen = _notebook_mode(repo, notebooks)
        installed = _install(repo, python, chosen)
    named = pinning.trust(repo).remotes if trust and repo.config.remotes else configured.remotes(repo).remotes
    followed = follow(repo)
    untrusted = tuple(one for one in named if not one.trusted)
    places = {one.name: configured.find(repo, one.name) for one in untrusted}
    refused = {name: opening.refusals(place) for name, place in places.items()}
    return InstalledHere(
        installed, named, untrusted, followed, chosen, refused, all(map(opening.harmless, places.values()))
    )


def uninstall(repo: Repo) -> Uninstalled:
    """Remove the hooks and drivers of this clone, and restore those before them. Models stay."""
    run(repo.layout, "config", "--local", "--unset-all", _LARGE_FILE)
    drivers.uninstall(repo.layout)
    return Uninstalled(hooks.uninstall(repo.layout))


def _notebook_mode(repo: Repo, wanted: Mode | None) -> Mode:
    """Return the mode of notebook drivers: WANTED, else the present one, else "both"."""
    return wanted or drivers.chosen(repo.layout) or "both"


def _install(repo: Repo, python: str, notebooks: Mode) -> Installed:
    if drivers.chosen(repo.layout) is None:
        note_edition(repo)  # the user of a new clone needs no note on changes
    drivers.install(repo.layout, notebooks)
    git(repo.layout, "config", "--local", _LARGE_FILE, str(repo.config.hooks.large_file))
    return hooks.install(repo.layout, python)


def _write_attributes(repo: Repo, notebooks: Mode) -> bool:
    """Add mvc's lines to `.gitattributes`. Return whether any was missing."""
    path = SafeRelPath(".gitattributes")
    try:
        before = repo.worktree.read(path, _LIMIT)
    except FileNotFoundError:
        before = b""
    if len(before) > _LIMIT:
        raise UsageError(f"{path} is larger than {_LIMIT:,} bytes", hint="move lines that are not needed out of it")
    wanted = [line for line in _ATTRIBUTES if notebooks != "off" or _NOTEBOOK not in line]
    lines = [
        _EARLIER.get(line.rstrip(b"\r\n"), b"") + b"\n" if line.rstrip(b"\r\n") in _EARLIER else line
        for line in before.splitlines(keepends=True)
    ]
    present = {line.rstrip(b"\r\n") for line in lines}
    missing = [line + b"\n" for line in wanted if line not in present]
    end = b"" if not lines or lines[-1].endswith(b"\n") or not missing else b"\n"
    after = b"".join((*lines, end, *missing))
    if after == before:
        return False

    repo.worktree.write_bytes(path, after, seen=repo.worktree.as_read(path, before))
    return True

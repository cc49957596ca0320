"""The remotes that the repository or this clone names: which there are, which is meant, where each lies."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import NoRemote, NotFoundError, near, shown
from modelvc.formats.text.config import Remote
from modelvc.git.git_remotes import upstream

if TYPE_CHECKING:
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class RemoteInfo:
    """A remote as `mvc remote list` shows it. `trusted`: pinned and unchanged since; `options`: those of this clone."""

    name: str
    url: str
    endpoint_url: str
    region: str
    profile: str
    default: bool
    trusted: bool
    committed: bool
    options: dict[str, str | bool]


@dataclass(frozen=True, slots=True)
class Remotes:
    """All remotes of a clone, sorted by name."""

    remotes: tuple[RemoteInfo, ...]


def remotes(repo: Repo) -> Remotes:
    """Describe every remote that the repository or this clone names."""
    repo.require_init()
    default = default_name(repo)
    return Remotes(tuple(describe(repo, name, default) for name in sorted(names(repo))))


def names(repo: Repo) -> set[str]:
    """Return the names of all remotes that the repository or this clone names."""
    return {*repo.clone_config.trust, *repo.clone_config.remotes, *repo.config.remotes}


def describe(repo: Repo, name: str, default: str | None) -> RemoteInfo:
    """Describe the remote NAME; DEFAULT is the name of the default remote. Raises NotFoundError without a remote."""
    remote = find(repo, name)
    pin = repo.clone_config.trust.get(name)
    trusted = name in repo.clone_config.remotes and bool(repo.clone_config.remotes[name].url)
    return RemoteInfo(
        name=name,
        url=remote.url,
        endpoint_url=remote.endpoint_url,
        region=remote.region,
        profile=remote.profile,
        default=name == default,
        trusted=trusted or (pin is not None and pin.same_place(remote)),
        committed=name in repo.config.remotes,
        options=dict(remote.options),
    )


def default_name(repo: Repo) -> str | None:
    """Return the name of the remote to use if a command names none; None without remotes."""
    named = names(repo)
    if repo.config.default_remote in named:
        return repo.config.default_remote
    return "origin" if "origin" in named else min(named, default=None)


def for_git_remote(repo: Repo, git_remote: str) -> str | None:
    """Return the mvc remote for models of Git's remote GIT_REMOTE: the one of that name, else the default one."""
    return git_remote if git_remote in names(repo) else default_name(repo)


def for_upstream(repo: Repo) -> str:
    """Return the mvc remote of the Git remote that the branch follows, else the default one."""
    return for_git_remote(repo, upstream(repo.layout)) or chosen_name(repo)


def others(repo: Repo, first: str = "", *, trusted: bool = False) -> list[str]:
    """Return the names of all remotes but FIRST, the default one first; with TRUSTED only those accepted here."""
    found = [info for info in remotes(repo).remotes if info.name != first and (info.trusted or not trusted)]
    return [info.name for info in sorted(found, key=lambda info: (not info.default, info.name))]


def chosen_name(repo: Repo, name: str = "") -> str:
    """Return NAME, or the name of the default remote if NAME is "". Raises NotFoundError if there is no such remote."""
    found = name or default_name(repo)
    if found is None:
        raise NoRemote("no remote is configured", hint="add one with `mvc remote add origin URL`")
    find(repo, found)
    return found


def find(repo: Repo, name: str) -> Remote:
    """Return the remote NAME as it is used: from the repository, else from this clone, else its pin.

    The pin serves commits whose configuration does not name the remote. Raises NotFoundError without a remote.
    """
    clone = repo.clone_config
    own = clone.remotes.get(name)
    found = repo.config.remotes.get(name) or (own if own and own.url else None) or clone.trust.get(name)
    if found is None:
        raise unknown_remote(repo, name)
    profile, options = (own.profile, own.options) if own else ("", {})
    return Remote(used_url(repo, found.url), found.endpoint_url, found.region, profile, found.extra, options)


def unknown_remote(repo: Repo, name: str) -> NotFoundError:
    """Return the error for a NAME that no remote has, with the name that is probably meant."""
    meant = near(name, names(repo))
    hint = f"did you mean {shown(meant, 80)}?" if meant else f"add it with `mvc remote add {shown(name, 80)} URL`"
    return NotFoundError(f'there is no remote "{shown(name, 80)}"', hint=hint)


def used_url(repo: Repo, url: str) -> str:
    """Return URL as this clone uses it: a relative folder begins at the top of the main worktree."""
    from modelvc.store.backends import is_relative

    return os.path.normpath(os.path.join(repo.layout.main_worktree, url)) if is_relative(url) else url


def as_committed(repo: Repo, remote: Remote, cwd: str) -> Remote:
    """Return REMOTE as it is committed. Its folder may be relative to CWD."""
    from modelvc.store.backends import committed_url

    url = committed_url(remote.url, os.path.realpath(cwd), repo.layout.main_worktree)
    return Remote(url, remote.endpoint_url, remote.region)


def as_used(repo: Repo, remote: Remote) -> Remote:
    """Return the committed REMOTE with its URL as this clone uses it."""
    return replace(remote, url=used_url(repo, remote.url))

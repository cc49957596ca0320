"""List, trust, change and open remotes.

The repository names remotes; this clone pins those that it accepted. A remote without a pin is only read. Even
that requires a folder, or `s3://` without an endpoint: then reading sends nothing to a place that the repository chose.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.atomic import RealDisk, make_folder, write_durably
from modelvc.errors import ConfigError, NoRemote, NotFoundError, UntrustedRemote, UsageError, shown, shown_url
from modelvc.formats.text import config, server_support
from modelvc.formats.text.config import Remote
from modelvc.git.git_remotes import upstream

if TYPE_CHECKING:
    from modelvc.formats.text.config import CloneConfig, Config
    from modelvc.repo import Repo
    from modelvc.store.backends.retry import OnWait
    from modelvc.store.remote.store import RemoteStore

_HEADER = "modelvc: where the models of this repository lie. Change it with `mvc remote`."
_CLONE_HEADER = "modelvc: settings of this clone only."


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
        raise NotFoundError(
            f'there is no remote "{shown(name, 80)}"', hint=f"add it with `mvc remote add {shown(name, 80)} URL`"
        )
    profile, options = (own.profile, own.options) if own else ("", {})
    return Remote(used_url(repo, found.url), found.endpoint_url, found.region, profile, found.extra, options)


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


def open_remote(repo: Repo, name: str = "", *, writing: bool, on_wait: OnWait = None) -> RemoteStore:
    """Open the store of the remote NAME ("": the default one). Raises UntrustedRemote unless this clone accepted it.

    ON_WAIT is called, from any thread, with the reason for which the remote is asked again.
    """
    chosen = chosen_name(repo, name)
    remote = find(repo, chosen)
    config.check_usable(chosen, remote)
    _check_trust(repo, chosen, remote, writing=writing)
    return open_unchecked(remote, os.path.join(repo.layout.mvc_dir, server_support.FOLDER), on_wait)


def open_unchecked(remote: Remote, servers: str = "", on_wait: OnWait = None) -> RemoteStore:
    """Open the store at REMOTE without a check of trust. SERVERS: the folder that remembers what servers honour."""
    from modelvc.store.backends import RemoteOptions, open_backend
    from modelvc.store.backends.retry import Waits
    from modelvc.store.remote.servers import Servers
    from modelvc.store.remote.store import RemoteStore

    options = RemoteOptions(remote.endpoint_url, remote.profile, remote.region, remote.options)
    waits = Waits(on_wait)
    return RemoteStore(open_backend(remote.url, options, waits), Servers(servers), waits)


def _check_trust(repo: Repo, name: str, remote: Remote, *, writing: bool) -> None:
    own = repo.clone_config.remotes.get(name)
    if name not in repo.config.remotes and own and own.url:
        return  # only this clone names it
    pin = repo.clone_config.trust.get(name)
    if pin is not None:
        if pin.same_place(remote):
            return
        raise UntrustedRemote(
            f"the remote {name} has changed: this clone accepted {_shown_remote(pin)}, "
            f"the repository now says {_shown_remote(remote)}",
            hint=f"if that is right, run `mvc trust {name}`",
        )
    if writing or not harmless(remote):
        raise UntrustedRemote(
            f"the repository names the remote {name} at {_shown_remote(remote)}, which this clone has not accepted",
            hint=f"if you trust it, run `mvc trust {name}` (or `mvc install --trust`)",
        )


def harmless(remote: Remote) -> bool:
    """Return whether reading from REMOTE sends nothing to a place that the repository chose."""
    local = "://" not in remote.url or remote.url.startswith("file://")
    return local or (remote.url.startswith("s3://") and not remote.endpoint_url)


def _shown_remote(remote: Remote) -> str:
    extra = [f"endpoint {remote.endpoint_url}"] if remote.endpoint_url else []
    extra += [f"region {remote.region}"] if remote.region else []
    return shown_url(remote.url) + shown(f" ({', '.join(extra)})" if extra else "")


# -- changes


def add_remote(repo: Repo, name: str, remote: Remote, *, cwd: str) -> RemoteInfo:
    """Add a remote to the repository's configuration and pin it. A folder relative to CWD is committed as relative."""
    repo.require_init()
    committed = as_committed(repo, remote, cwd)
    if remote.options and not committed.url.startswith("s3://"):
        raise UsageError(
            f"{shown(next(iter(remote.options)))} is an option of s3:// remotes", hint="run the command without `-o`"
        )
    with repo.updating():
        repo_config = repo.config.with_remote(name, committed)
        if not repo_config.default_remote:
            repo_config = repo_config.with_default(name)
        clone = repo.clone_config.without_pin(name).with_pin(name, as_used(repo, committed))
        if remote.profile or remote.options:
            clone = clone.with_remote(name, Remote(profile=remote.profile, options=remote.options))
        save_config(repo, repo_config)
        save_clone_config(repo, clone)
    return describe(repo, name, default_name(repo))


def trust(repo: Repo, names: tuple[str, ...] = ()) -> Remotes:
    """Pin the remotes NAMES (default: all that the repository names) as they are now."""
    repo.require_init()
    with repo.updating():
        clone = repo.clone_config
        for name in names or tuple(repo.config.remotes):
            if name not in repo.config.remotes:
                raise NotFoundError(f'the repository names no remote "{shown(name, 80)}"', hint="run `mvc remote list`")
            clone = clone.with_pin(name, as_used(repo, repo.config.remotes[name]))
        save_clone_config(repo, clone)
    return remotes(repo)


def save_config(repo: Repo, changed: Config) -> None:
    """Write the repository's configuration and stage it."""
    from modelvc.formats.paths import SafeRelPath
    from modelvc.git import index
    from modelvc.repo import CONFIG

    repo.worktree.write_bytes(SafeRelPath(CONFIG), changed.encode(_HEADER))
    if index.ignore_rule(repo.layout, CONFIG) is not None:
        raise ConfigError(f"Git ignores {CONFIG}", hint="take the rule for .mvc out of your .gitignore")
    index.stage(repo.layout, add=[CONFIG], remove=[])
    repo.config_changed(changed)


def save_clone_config(repo: Repo, changed: CloneConfig) -> None:
    """Write this clone's configuration."""
    disk = RealDisk()
    tmp = os.path.join(repo.layout.mvc_dir, "tmp")
    make_folder(disk, tmp)
    write_durably(disk, repo.clone_config_path, changed.encode(_CLONE_HEADER), tmp=tmp)
    repo.clone_config_changed(changed)

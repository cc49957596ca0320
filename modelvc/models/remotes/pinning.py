"""Accept remotes for this clone: pin those that the repository names, or name and pin a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import NotFoundError, UsageError, near, shown
from modelvc.formats.text.config import Remote
from modelvc.models.config_files import save_clone_config, save_config
from modelvc.models.remotes import configured, proofs, seen_cache

if TYPE_CHECKING:
    from modelvc.models.remotes.configured import RemoteInfo, Remotes
    from modelvc.repo import Repo


def add_remote(repo: Repo, name: str, remote: Remote, *, cwd: str) -> RemoteInfo:
    """Add a remote to the repository's configuration and pin it. A folder relative to CWD is committed as relative."""
    repo.require_init()
    committed = configured.as_committed(repo, remote, cwd)
    if remote.options and not committed.url.startswith("s3://"):
        raise UsageError(
            f"{shown(next(iter(remote.options)))} is an option of s3:// remotes", hint="run the command without `-o`"
        )
    with repo.updating():
        repo_config = repo.config.with_remote(name, committed)
        if not repo_config.default_remote:
            repo_config = repo_config.with_default(name)
        clone = repo.clone_config.without_pin(name).with_pin(name, configured.as_used(repo, committed))
        if remote.profile or remote.options:
            clone = clone.with_remote(name, Remote(profile=remote.profile, options=remote.options))
        save_config(repo, repo_config)
        save_clone_config(repo, clone)
    return configured.describe(repo, name, configured.default_name(repo))


def trust(repo: Repo, names: tuple[str, ...] = ()) -> Remotes:
    """Pin the remotes NAMES (default: all that the repository names) as they are now."""
    repo.require_init()
    with repo.updating():
        clone = repo.clone_config
        for name in names or tuple(repo.config.remotes):
            if name not in repo.config.remotes:
                meant = near(name, repo.config.remotes)
                hint = f"did you mean {shown(meant, 80)}?" if meant else "run `mvc remote list`"
                raise NotFoundError(f'the repository names no remote "{shown(name, 80)}"', hint=hint)
            now, pin = configured.as_used(repo, repo.config.remotes[name]), clone.trust.get(name)
            if pin is not None and not pin.same_place(now):  # what was seen there is not seen here
                seen_cache.forget(repo, name)
                proofs.forget(repo, name)
            clone = clone.with_pin(name, now)
        save_clone_config(repo, clone)
    return configured.remotes(repo)

"""Change existing remotes: set the URL, rename, remove, choose the default."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import UsageError
from modelvc.formats.text import config
from modelvc.models import config_files
from modelvc.models.remotes import configured, proofs, seen_cache

if TYPE_CHECKING:
    from modelvc.formats.text.config import Remote
    from modelvc.models.remotes.configured import RemoteInfo
    from modelvc.repo import Repo


def set_url(repo: Repo, name: str, remote: Remote, *, cwd: str) -> RemoteInfo:
    """Set the URL and endpoint of the remote NAME, and pin it. If they change, its cache and proof are deleted.

    If both URLs are on S3, an endpoint or a region that REMOTE does not give stays.
    """
    repo.require_init()
    committed = configured.as_committed(repo, remote, cwd)
    with repo.updating():
        before = configured.find(repo, name)
        if before.url.startswith("s3://") and committed.url.startswith("s3://"):
            committed = replace(
                committed,
                endpoint_url=committed.endpoint_url or before.endpoint_url,
                region=committed.region or before.region,
            )
        clone = repo.clone_config
        if name in repo.config.remotes:
            config_files.save_config(repo, repo.config.with_place(name, committed))
        elif name in clone.remotes and clone.remotes[name].url:
            clone = clone.with_place(name, configured.as_used(repo, committed))
        else:  # only the pin knows it: the configuration no longer names it
            config_files.save_config(repo, repo.config.with_remote(name, committed))
        if name in repo.config.remotes:
            clone = clone.without_pin(name).with_pin(name, configured.as_used(repo, committed))
        config_files.save_clone_config(repo, clone)
        if not configured.find(repo, name).same_place(before):
            seen_cache.forget(repo, name)
            proofs.forget(repo, name)
    return configured.describe(repo, name, configured.default_name(repo))


def rename_remote(repo: Repo, old: str, new: str) -> RemoteInfo:
    """Rename the remote OLD to NEW, with its pin, its profile and its cache. Raises UsageError if NEW exists."""
    repo.require_init()
    with repo.updating():
        configured.find(repo, old)
        if old == new:
            return configured.describe(repo, new, configured.default_name(repo))
        config.check_name(new)
        if new in configured.names(repo):
            raise UsageError(f"the remote {new} already exists", hint=f"remove it first with `mvc remote remove {new}`")
        changed = repo.config.renamed(old, new)
        if changed != repo.config:
            config_files.save_config(repo, changed)
        config_files.save_clone_config(repo, repo.clone_config.renamed(old, new))
        seen_cache.rename(repo, old, new)
        proofs.forget(repo, old)
    return configured.describe(repo, new, configured.default_name(repo))


def remove_remote(repo: Repo, name: str) -> None:
    """Remove a remote, its pin, its cache and its proof from this clone. Its objects stay."""
    repo.require_init()
    with repo.updating():
        configured.find(repo, name)
        if name in repo.config.remotes:
            config_files.save_config(repo, repo.config.without_remote(name))
        clone = repo.clone_config.without_pin(name)
        config_files.save_clone_config(repo, clone.without_remote(name) if name in clone.remotes else clone)
        seen_cache.forget(repo, name)
        proofs.forget(repo, name)


def set_default(repo: Repo, name: str) -> RemoteInfo:
    """Make NAME the default remote. Raises NotFoundError if it does not exist."""
    repo.require_init()
    with repo.updating():
        configured.find(repo, name)
        config_files.save_config(repo, repo.config.with_default(name))
    return configured.describe(repo, name, name)

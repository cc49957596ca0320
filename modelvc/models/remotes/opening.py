"""Open remotes, as far as this clone trusts them.

The repository names remotes; this clone pins those that it accepted. A remote without a pin is only read. Even
that requires a folder, or `s3://` without an endpoint: then reading sends nothing to a place that the repository chose.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.errors import UntrustedRemote, shown, shown_url
from modelvc.formats.text import config, server_support
from modelvc.models.remotes import proofs, seen_cache
from modelvc.models.remotes.configured import chosen_name, find

if TYPE_CHECKING:
    from modelvc.formats.text.config import Remote
    from modelvc.repo import Repo
    from modelvc.store.backends.retry import OnWait
    from modelvc.store.remote.store import RemoteStore


def open_remote(
    repo: Repo, name: str = "", *, writing: bool, create: bool = False, on_wait: OnWait = None
) -> RemoteStore:
    """Open the store of the remote NAME ("": the default one). Raises UntrustedRemote.

    A remote that this clone has not accepted is opened only to read, and only if that is harmless.

    If this clone has used the remote before, its store raises StoreGone when nothing is left of it. With CREATE, such
    a store counts as new. ON_WAIT is called, from any thread, with the reason for which the remote is asked again.
    """
    chosen = chosen_name(repo, name)
    remote = find(repo, chosen)
    config.check_usable(chosen, remote)
    _check_trust(repo, chosen, remote, writing=writing)
    used = seen_cache.is_used(repo, chosen) or proofs.holds(repo, chosen)
    servers = os.path.join(repo.layout.mvc_dir, server_support.FOLDER)
    return open_unchecked(remote, servers, on_wait, used=chosen if used and not create else "")


def open_unchecked(remote: Remote, servers: str = "", on_wait: OnWait = None, *, used: str = "") -> RemoteStore:
    """Open the store at REMOTE without a check of trust.

    SERVERS: the folder that remembers what servers honour. USED: the remote's name if this clone has used the store.
    """
    from modelvc.store.backends import RemoteOptions, open_backend
    from modelvc.store.backends.retry import Waits
    from modelvc.store.remote.servers import Servers
    from modelvc.store.remote.store import RemoteStore

    options = RemoteOptions(remote.endpoint_url, remote.profile, remote.region, remote.options)
    waits = Waits(on_wait)
    return RemoteStore(open_backend(remote.url, options, waits), Servers(servers), waits, used=used)


def nothing_pushed(url: str) -> str:
    """Return the hint about versions that are missing because the remote at URL has no store."""
    push = "run `mvc push --all` in a clone that has them"
    if "://" in url:
        return f"nothing was pushed to {shown_url(url)} yet: {push}"
    return f"nothing was pushed to {shown(url)} yet, or its drive is not mounted: mount it, or {push}"


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


def refusals(remote: Remote) -> str:
    """Return in words what mvc refuses while REMOTE is not accepted."""
    return "push is refused" if harmless(remote) else "fetch and push are refused"


def _shown_remote(remote: Remote) -> str:
    extra = [f"endpoint {remote.endpoint_url}"] if remote.endpoint_url else []
    extra += [f"region {remote.region}"] if remote.region else []
    return shown_url(remote.url) + shown(f" ({', '.join(extra)})" if extra else "")

"""Proofs: for each remote, the commits whose whole history this clone verified there.

A push verifies and writes a proof; the pre-push shim and the hook skip proven commits. docs/decisions/0014-proofs.md
says why a proof needs the generation of the store.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from modelvc.atomic import write_atomically
from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.text import proofs as proofformat
from modelvc.formats.text.proofs import Lost, Proof
from modelvc.git import git_remotes, reachability
from modelvc.git.run import git
from modelvc.models.remotes import configured
from modelvc.repo import CONFIG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from modelvc.git.layout import Layout
    from modelvc.ids import ObjectName
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore


class StoreState(NamedTuple):
    """The id and generation of a store. `store` is "" while the store has no valid config."""

    store: str
    generation: int


class Verified(NamedTuple):
    """The result of a push: the history of `tips` is complete on the remote, apart from `lost`."""

    tips: Sequence[str]
    lost: Sequence[Lost]
    seen: Collection[ObjectName]  # objects that the push saw on the remote


def store_state(store: RemoteStore) -> StoreState:
    """Read the id, then the generation of STORE. A push reads both before it lists the store."""
    try:
        config = store.check()
    except FormatError:  # torn: a push writes another one
        config = None
    return StoreState(config.id if config else "", store.generation())


def load(repo: Repo, name: str) -> Proof | None:
    """Return the proof for the remote NAME; None without a readable one."""
    try:
        with open(_path(repo, name), "rb") as file:
            return proofformat.parse(file.read(limits.PROOF + 1))
    except (OSError, FormatError):
        return None


def holds(repo: Repo, name: str) -> bool:
    """Return True if this clone has a proof for the remote NAME, and no configuration changed since."""
    found = load(repo, name)
    return found is not None and found.config == config_hash(repo.layout)


def valid(repo: Repo, name: str, now: StoreState) -> Proof | None:
    """Return the proof for the remote NAME if it fits the store's state NOW. Otherwise delete it and return None."""
    found = load(repo, name)
    if found is not None and (found.store, found.generation) != now:
        forget(repo, name)
        return None
    return found


def note(repo: Repo, name: str, store: RemoteStore, before: StoreState, verified: Verified) -> bool:
    """Write the proof of what a push VERIFIED on the remote NAME. Return False if it proves nothing.

    BEFORE: the state of STORE before the push listed it. A shallow clone and a store with another id prove nothing.
    """
    config = store.check()
    now = StoreState(config.id if config else "", before.generation)
    if repo.layout.shallow or not now.store or (before.store and before.store != now.store):
        return False
    old = valid(repo, name, now)
    known = {one.name: one for one in (*(old.lost if old else ()), *verified.lost)}
    lost = [one for one in known.values() if one.name not in verified.seen]
    if len(lost) > limits.PROOF_LOST:
        forget(repo, name)
        return False
    served = [one for one in git_remotes.names(repo.layout) if configured.for_git_remote(repo, one) == name]
    kept = reachability.maximal(
        repo.layout, verified.tips, reachability.local_commits(repo.layout, old.tips) if old else []
    )
    _save(
        repo,
        name,
        Proof(
            now.store,
            now.generation,
            config_hash(repo.layout),
            tuple(served[: limits.PROOF_REMOTES]),
            tuple(kept[: limits.PROOF_TIPS]),
            tuple(lost),
        ),
    )
    return True


def forget(repo: Repo, name: str) -> None:
    """Delete the proof for the remote NAME, if any."""
    with suppress(FileNotFoundError):
        os.unlink(_path(repo, name))


def lost(repo: Repo, names: Iterable[str]) -> list[Lost]:
    """Return the versions that pushes to the remotes NAMES found nowhere and the local store lacks; each once."""
    found: dict[ObjectName, Lost] = {}
    for name in names:
        known = load(repo, name)
        for one in known.lost if known else ():
            if not repo.store.has_root(*one.name):
                found.setdefault(one.name, one)
    return list(found.values())


def folder(repo: Repo) -> str:
    """Return the folder of the proofs, one file for each remote."""
    return os.path.join(repo.layout.mvc_dir, "proofs")


def _path(repo: Repo, name: str) -> str:
    return os.path.join(folder(repo), name)


def config_hash(layout: Layout) -> str:
    """Return the hash of the repository's and the clone's configuration, as the pre-push shim computes it."""
    data = b""
    for path in (os.path.join(layout.worktree, CONFIG), os.path.join(layout.mvc_dir, "config.toml")):
        with suppress(OSError), open(path, "rb") as file:
            data += file.read()
    return git(layout, "hash-object", "--stdin", stdin=data).decode("ascii").strip()


def _save(repo: Repo, name: str, proof: Proof) -> None:
    path = _path(repo, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # the shim reads all that lies in proofs/
    write_atomically(path, proofformat.encode(proof), tmp=repo.layout.mvc_dir)

"""A cache of the objects that this clone has seen on its remotes: one text file for each remote.

The first line says where the remote was, each other line is an object:

at <URL>
<b or t> <oid> <size of the root> <pack id>:<size> ...

A remote that moved is another store, so the entries of its old place do not count. Files of earlier releases have no
first line; their entries count.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from modelvc.atomic import write_atomically
from modelvc.errors import NotFoundError
from modelvc.formats.binary.pack import PackRef
from modelvc.ids import ObjectName, Oid
from modelvc.models.remotes import configured
from modelvc.store.remote.seen_root import SeenRoot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.repo import Repo


_KIND = {"b": "file", "t": "tree"}
_LETTER = {"file": "b", "tree": "t"}
_AT = "at"


def _path(repo: Repo, remote: str) -> str:
    return os.path.join(repo.layout.mvc_dir, "remotes", remote)


def load(repo: Repo, remote: str) -> dict[ObjectName, SeenRoot]:
    """Return the objects seen on REMOTE, each with the sizes by which a push knows that it is complete."""
    found: dict[ObjectName, SeenRoot] = {}
    for line in _lines(repo, remote) or ():
        with suppress(ValueError, KeyError):
            letter, name, *packs = line.split()
            size = int(packs.pop(0)) if packs and ":" not in packs[0] else 0
            found[ObjectName(_KIND[letter], Oid(bytes.fromhex(name)))] = SeenRoot(size, tuple(map(_pack, packs)))
    return found


def is_used(repo: Repo, remote: str) -> bool:
    """Return True if this clone has pushed to REMOTE or fetched from it, where it is now."""
    return _lines(repo, remote) is not None


def _lines(repo: Repo, remote: str) -> list[str] | None:
    """Return the lines of the cache of REMOTE; None without a cache, or if the remote was elsewhere then."""
    try:
        with open(_path(repo, remote), encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    said, _, place = lines[0].partition(" ") if lines else ("", "", "")
    return None if said == _AT and place != _place(repo, remote) else lines


def _place(repo: Repo, remote: str) -> str:
    try:
        return configured.find(repo, remote).url
    except NotFoundError:  # no longer configured
        return ""


def _pack(text: str) -> PackRef:
    name, _, size = text.partition(":")
    return PackRef(bytes.fromhex(name), int(size))


def save(repo: Repo, remote: str, found: Mapping[ObjectName, SeenRoot]) -> None:
    """Replace the entries of REMOTE by FOUND."""
    path = _path(repo, remote)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lines = (
        " ".join((_LETTER[kind], oid.hex(), str(seen.root), *(f"{name.hex()}:{size}" for name, size in seen.packs)))
        for (kind, oid), seen in found.items()
    )
    text = "".join(f"{line}\n" for line in (f"{_AT} {_place(repo, remote)}", *lines))
    write_atomically(path, text.encode("utf-8", "surrogateescape"), tmp=repo.layout.mvc_dir)


def rename(repo: Repo, old: str, new: str) -> None:
    """Move the entries of the remote OLD to the name NEW."""
    with suppress(FileNotFoundError):
        os.replace(_path(repo, old), _path(repo, new))


def forget(repo: Repo, remote: str) -> None:
    """Delete the entries of REMOTE, if any."""
    with suppress(FileNotFoundError):
        os.unlink(_path(repo, remote))


def is_pushed(pushed: frozenset[bytes] | None, oid: Oid, *, stored: bool) -> bool | None:
    """Return whether OID is in PUSHED, the oids seen on the default remote; None if this clone cannot know.

    A fetch adds each version to the cache. If OID is neither seen nor STORED locally, this clone never asked for it.
    """
    if pushed is None:
        return None
    return True if bytes(oid) in pushed else (False if stored else None)


def pushed_oids(repo: Repo, remote: str = "") -> frozenset[bytes] | None:
    """Return the oids seen on REMOTE (default: the default remote); None without a remote."""
    name = remote or configured.default_name(repo)
    return None if name is None else frozenset(oid for _, oid in load(repo, name))

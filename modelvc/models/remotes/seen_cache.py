"""What this clone has seen on its remotes: a cache, one text file per remote, one line per object.

<b or t> <oid> <size of the root> <pack id>:<size> ...
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from modelvc.atomic import replace_file
from modelvc.ids import ObjectName, Oid
from modelvc.store.remote.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.repo import Repo


_KIND = {"b": "file", "t": "tree"}
_LETTER = {"file": "b", "tree": "t"}


def _path(repo: Repo, remote: str) -> str:
    return os.path.join(repo.layout.mvc_dir, "remotes", remote)


def load(repo: Repo, remote: str) -> dict[ObjectName, Seen]:
    """Objects seen on REMOTE, and what tells that they are complete."""
    found: dict[ObjectName, Seen] = {}
    with suppress(FileNotFoundError), open(_path(repo, remote), encoding="ascii", errors="replace") as file:
        for line in file:
            with suppress(ValueError, KeyError):
                letter, name, *packs = line.split()
                size = int(packs.pop(0)) if packs and ":" not in packs[0] else 0
                found[ObjectName(_KIND[letter], Oid(bytes.fromhex(name)))] = Seen(size, tuple(map(_pack, packs)))
    return found


def _pack(text: str) -> tuple[bytes, int]:
    name, _, size = text.partition(":")
    return bytes.fromhex(name), int(size)


def save(repo: Repo, remote: str, found: Mapping[ObjectName, Seen]) -> None:
    """Replace what is known of REMOTE."""
    path = _path(repo, remote)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lines = (
        " ".join((_LETTER[kind], oid.hex(), str(seen.root), *(f"{name.hex()}:{size}" for name, size in seen.packs)))
        for (kind, oid), seen in found.items()
    )
    replace_file(path, "".join(f"{line}\n" for line in lines).encode("ascii"))


def rename(repo: Repo, old: str, new: str) -> None:
    """Keep what is known of the remote OLD under the name NEW."""
    with suppress(FileNotFoundError):
        os.replace(_path(repo, old), _path(repo, new))


def forget(repo: Repo, remote: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_path(repo, remote))


def is_pushed(there: frozenset[bytes] | None, oid: Oid, *, stored: bool) -> bool | None:
    """Whether the default remote, with THERE seen on it, has OID; None where this clone cannot know.

    A version that came from the remote was noted as it came. One that is not STORED here and was never seen there is
    one that this clone never asked for.
    """
    if there is None:
        return None
    return True if bytes(oid) in there else (False if stored else None)


def pushed_oids(repo: Repo, remote: str = "") -> frozenset[bytes] | None:
    """Oids seen on REMOTE (default: the default remote); None without a remote."""
    from modelvc.models.remotes.configured import default_name

    name = remote or default_name(repo)
    return None if name is None else frozenset(oid for _, oid in load(repo, name))

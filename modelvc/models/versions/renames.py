"""Find the former name of a renamed model: its version, or that version's parent, had another name before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.formats.paths import pointer_of
from modelvc.models.versions.pointers import readable

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.ids import Oid
    from modelvc.repo import Repo


class FormerNames:
    """Names in BEFORE that are missing NOW, by version."""

    def __init__(self, before: Mapping[SafeRelPath, Pointer], now: Container[str]) -> None:
        self._gone: dict[Oid, SafeRelPath] = {}
        for path, old in before.items():
            if path not in now:
                self._gone.setdefault(old.oid, path)

    def name(self, pointer: Pointer) -> SafeRelPath | None:
        """Return the former name of POINTER's version, or else of its parent; None without one."""
        return self._gone.get(pointer.oid) or (self._gone.get(pointer.parent) if pointer.parent else None)


def name_in_commit(repo: Repo, path: SafeRelPath, pointer: Pointer, head: str = "HEAD") -> SafeRelPath:
    """Return the name of a model in the commit HEAD: PATH, unless it was renamed since. POINTER is its version now."""
    if head == "HEAD" and not repo.history.has_head():
        return path
    pointers = repo.history.at(head)
    if pointer_of(path) in pointers:
        return path
    # parse only pointers that hold one of the digests
    digests = [one.hex().encode() for one in (pointer.oid, pointer.parent) if one]
    like = {name: data for name, data in pointers.items() if any(one in data for one in digests)}
    now = set(repo.tracked()) if like else set()
    return FormerNames(readable(like), now).name(pointer) or path


def only_renamed(repo: Repo, path: SafeRelPath, pointer: Pointer) -> bool:
    """Return whether the last commit has the version of POINTER under a name that is gone."""
    name = name_in_commit(repo, path, pointer)
    if name == path:
        return False
    found = readable({pointer_of(name): repo.history.at("HEAD")[pointer_of(name)]})
    return name in found and found[name].oid == pointer.oid

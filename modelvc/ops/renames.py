"""Models under a new name: the version that is there was there before under another, or was made from one that was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath, model_of, pointer_of
from modelvc.formats.pointer import parse
from modelvc.git import history

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from modelvc.formats.pointer import Pointer
    from modelvc.repo import Repo


def former_name(pointer: Pointer, before: Mapping[SafeRelPath, Pointer], now: Container[str]) -> SafeRelPath | None:
    """The name under which BEFORE has the version of POINTER, or else its parent, if NOW has that name no longer."""
    gone = [(path, old) for path, old in before.items() if path not in now]
    for wanted in (pointer.oid, pointer.parent):
        for path, old in gone:
            if old.oid == wanted:
                return path
    return None


def known_name(repo: Repo, path: SafeRelPath, pointer: Pointer, head: str = "HEAD") -> SafeRelPath:
    """The name that a commit has for the model whose version is POINTER: PATH, unless it was renamed since."""
    if head == "HEAD" and not history.has_head(repo.layout):
        return path
    there = history.pointers_at(repo.layout, head)
    if pointer_of(path) in there:
        return path
    return former_name(pointer, readable(there), set(repo.tracked())) or path


def only_renamed(repo: Repo, path: SafeRelPath, pointer: Pointer) -> bool:
    """Whether POINTER at PATH is a version that the last commit has, under a name that is gone."""
    name = known_name(repo, path, pointer)
    if name == path:
        return False
    there = readable(history.pointers_at(repo.layout, "HEAD"))
    return name in there and there[name].oid == pointer.oid


def readable(pointers: Mapping[str, bytes]) -> dict[SafeRelPath, Pointer]:
    """Pointers by model, without those that can not be read."""
    found = {}
    for name, data in pointers.items():
        try:
            found[model_of(name)] = parse(data, name)
        except ModelvcError:
            continue
    return found

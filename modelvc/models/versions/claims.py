"""The size and the number of files that a pointer says, beside those of its object.

The oid alone decides which bytes a model has. Size and files are for people: a wrong one is reported, never obeyed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import IntegrityError, NotFoundError
from modelvc.formats.sizes import about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.store.local.store import LocalStore
    from modelvc.worktree.state import Known


class Extent(NamedTuple):
    """What is said of an object: its bytes, and for a tree its files."""

    size: int
    files: int | None = None

    def __str__(self) -> str:
        exact = f"{self.size:,} byte{'' if self.size == 1 else 's'}"
        files = f" in {self.files:,} file{'' if self.files == 1 else 's'}" if self.files is not None else ""
        return f"{about(self.size)} ({exact}{files})"


def claimed(pointer: Pointer) -> Extent:
    """What a pointer says."""
    return Extent(pointer.size, pointer.files)


def stored(store: LocalStore, pointer: Pointer) -> Extent | None:
    """What the root of its object says; None where the local store has none that can be read."""
    with suppress(IntegrityError, NotFoundError):
        root = store.read_root(pointer.kind, pointer.oid)
        return Extent(root.size, root.files if pointer.kind == "tree" else None)
    return None


def of_files(files: Mapping[str, Known]) -> Extent:
    """What can be said of a folder with FILES."""
    return Extent(sum(stat[1] for stat, _, _ in files.values()), len(files))


def difference(claim: Extent, actual: Extent | None) -> str:
    """Words for a CLAIM that is not true; "" for one that is, or that nobody can compare."""
    return "" if actual in {None, claim} else f"its pointer says {claim}, the model has {actual}"

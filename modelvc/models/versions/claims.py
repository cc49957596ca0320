"""Compare the size and number of files that a pointer claims with those of its object.

The oid alone decides which bytes a model has. The claims are for people: mvc reports a wrong one and never obeys it.
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
    """Size in bytes and, for a tree, number of files."""

    size: int
    files: int | None = None

    def __str__(self) -> str:
        exact = f"{self.size:,} byte{'' if self.size == 1 else 's'}"
        files = f" in {self.files:,} file{'' if self.files == 1 else 's'}" if self.files is not None else ""
        return f"{about(self.size)} ({exact}{files})"


def claimed(pointer: Pointer) -> Extent:
    """Return the extent that POINTER claims."""
    return Extent(pointer.size, pointer.files)


def stored(store: LocalStore, pointer: Pointer) -> Extent | None:
    """Return the extent in the root of POINTER's object; None if the local store has no readable root."""
    with suppress(IntegrityError, NotFoundError):
        root = store.read_root(pointer.kind, pointer.oid)
        return Extent(root.size, root.files if pointer.kind == "tree" else None)
    return None


def of_files(files: Mapping[str, Known]) -> Extent:
    """Return the extent of a folder that holds FILES."""
    return Extent(sum(known.stat.size for known in files.values()), len(files))


def difference(claim: Extent, actual: Extent | None) -> str:
    """Return words for a CLAIM that is wrong; "" if it is right or ACTUAL is unknown."""
    return "" if actual in {None, claim} else f"its pointer says {claim}, the model has {actual}"

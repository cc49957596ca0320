"""What a push is asked to bring to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.ids import Oid

    Named = tuple[str, Oid]  # kind, oid


class Wanted(NamedTuple):
    """An object to push, what to call it, and how to learn of objects that may share chunks with it."""

    kind: str
    oid: Oid
    path: str
    related: Callable[[], Sequence[Named]] = tuple
    here: bool = True  # without, the remote must have it already

    @property
    def name(self) -> Named:
        return self.kind, self.oid

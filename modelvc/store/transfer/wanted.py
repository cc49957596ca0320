"""What a push is asked to bring to a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.ids import ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.ids import Oid


class Wanted(NamedTuple):
    """An object to push, what to call it, and how to learn of objects that may share chunks with it."""

    kind: str
    oid: Oid
    path: str
    related: Callable[[], Sequence[ObjectName]] = tuple
    here: bool = True  # without, the remote must have it already

    @property
    def name(self) -> ObjectName:
        return ObjectName(self.kind, self.oid)

"""An object that a push is asked to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.ids import ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.ids import Oid


class ToPush(NamedTuple):
    """An object to push, its path for messages, and a function that finds objects which may share chunks with it."""

    kind: str
    oid: Oid
    path: str
    related: Callable[[], Sequence[ObjectName]] = tuple
    here: bool = True  # the local store has it; else the remote must

    @property
    def name(self) -> ObjectName:
        """The name of the object."""
        return ObjectName(self.kind, self.oid)

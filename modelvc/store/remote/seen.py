"""What tells from a listing alone that an object is complete on a remote. On the short path: it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelvc.formats.binary.pack import PackRef


class Seen(NamedTuple):
    """An object as it was seen on a remote: the size of its root, and the packs that it needs."""

    root: int  # bytes; 0 where that is not known
    packs: tuple[PackRef, ...]

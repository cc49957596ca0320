"""What tells from a listing alone that an object is complete on a remote. Short paths load this: keep imports few."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelvc.formats.binary.pack import PackRef


class Seen(NamedTuple):
    """What an object needed on a remote when this clone last looked: the size of its root, and its packs."""

    root: int  # bytes; 0 where that is not known
    packs: tuple[PackRef, ...]

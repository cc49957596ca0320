"""The size of a root and the packs that its object needs: with a listing, this tells whether the object is complete.

Short paths load this: keep imports few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from modelvc.formats.binary.pack import PackRef


class SeenRoot(NamedTuple):
    """What an object needed on a remote when this clone last looked: the size of its root, and its packs."""

    root: int  # bytes; 0 where that is not known
    packs: tuple[PackRef, ...]

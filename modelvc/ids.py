"""Names of objects: an oid is the BLAKE3 hash of content. No imports here: every short path loads this."""

from __future__ import annotations

PREFIX = "blake3:"
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_HEX = frozenset("0123456789abcdef")


class Oid(bytes):
    """32 bytes that name an object; `blake3:<hex>` wherever a person or a file sees it.

    A subclass of bytes, so that ten thousand of them in a set cost what bytes cost.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != 32:
            raise ValueError(f"an object id has 32 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Oid:
        """Read `blake3:<64 hex digits>`; ValueError for anything else."""
        digits = text.removeprefix(PREFIX)
        if len(text) != 71 or len(digits) != 64 or not _HEX.issuperset(digits):
            raise ValueError(f"not an object id: {text[:100]!r}")
        return cls(bytes.fromhex(digits))

    @property
    def short(self) -> str:
        """The first ten hex digits: what people compare."""
        return self.hex()[:10]

    def __str__(self) -> str:
        return PREFIX + self.hex()

    def __repr__(self) -> str:
        return f"Oid({self.short})"


class ObjectName(tuple[str, Oid]):
    """What an object is asked for by: its kind and its oid. A named tuple, written by hand to import nothing."""

    __slots__ = ()

    def __new__(cls, kind: str, oid: Oid) -> Self:
        return super().__new__(cls, (kind, oid))

    def __getnewargs__(self) -> tuple[str, Oid]:
        """Return what copy and pickle make the same name of."""
        return self.kind, self.oid

    @property
    def kind(self) -> str:
        """`file` (a blob) or `tree`."""
        return self[0]

    @property
    def oid(self) -> Oid:
        """The hash that names the object among all of its kind."""
        return self[1]

    def __repr__(self) -> str:
        return f"ObjectName({self.kind!r}, {self.oid!r})"

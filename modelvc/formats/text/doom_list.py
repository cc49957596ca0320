"""Doom lists: the packs of a remote that gc will delete. Spec: docs/format.md#doom-lists."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from modelvc.errors import FormatError
from modelvc.formats import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "gc/doomed/"
_HEAD = b"modelvc dooms 1\n"
_LINE = 65  # bytes: the 64 hex digits of a pack id and a line feed
_DIGITS = frozenset(b"0123456789abcdef")


def encode(packs: Iterable[bytes]) -> bytes:
    """The bytes of a doom list of PACKS, which are pack ids. Raises FormatError for a list above the limit."""
    data = _HEAD + b"".join(name.hex().encode() + b"\n" for name in sorted(set(packs)))
    if len(data) > limits.DOOM_LIST:
        raise FormatError(f"a doom list cannot be larger than {limits.DOOM_LIST:,} bytes")
    return data


def parse(data: bytes) -> tuple[bytes, ...]:
    """The pack ids in a doom list, sorted. Raises FormatError for a list that is cut off or of another version."""
    lines = data[len(_HEAD) :]
    if not data.startswith(_HEAD) or len(lines) % _LINE:
        raise FormatError("not a valid doom list")
    found = [lines[at : at + _LINE] for at in range(0, len(lines), _LINE)]
    if any(not _DIGITS.issuperset(line[:-1]) or line[-1:] != b"\n" for line in found):
        raise FormatError("not a valid doom list: a line is no id of a pack")
    if any(line >= after for line, after in pairwise(found)):
        raise FormatError("not a valid doom list: it is not sorted")
    return tuple(bytes.fromhex(line[:-1].decode()) for line in found)

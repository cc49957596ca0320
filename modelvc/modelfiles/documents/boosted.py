"""What the readers of boosted trees share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Field, clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelvc.modelfiles.facts import Pairs, Value

_MOST = 200  # hyper-parameters
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_FLOAT = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")


def number(text: str) -> Value:
    """Return the number that TEXT is, or TEXT itself, escaped and cut."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return clean(text)


def plain(value: object) -> Value | None:
    """Return VALUE if a line of text can hold it, else None."""
    if isinstance(value, str):
        return clean(value)
    return value if isinstance(value, bool | int | float) else None


def pairs(values: Mapping[str, object]) -> Pairs:
    """Return the VALUES that a line of text can hold, in their order."""
    found = ((clean(key), plain(value)) for key, value in values.items())
    return tuple((key, value) for key, value in found if value is not None)[:_MOST]


def named_inputs(names: Iterable[str], kinds: Mapping[str, str] | None = None) -> tuple[Field, ...]:
    """Return one input for each feature of NAMES. KINDS: their types, by name."""
    return tuple(Field(clean(name), clean((kinds or {}).get(name, ""))) for name in names)

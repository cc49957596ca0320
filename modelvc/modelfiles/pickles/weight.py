"""How much memory values take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles.values import Array, Dropped, Entries, Global, Items, Made, Persistent
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.modelfiles.pickles.values import Value

_TOO_LARGE = "it is too large to be read within the memory limit"
_SHARED = 8  # bytes of a reference
_SMALL = 40  # bytes of a number, a blob, a text without its letters
_OBJECT = 120  # bytes of an object or a container without its entries


def weigh(roots: list[list[Value] | dict[int, Value]], limit: int) -> int:
    """Return how many bytes all that ROOTS lead to takes; what is shared counts once. Raises Unreadable above LIMIT."""
    total = 0
    seen: set[int] = set()
    todo: list[Iterable[Value]] = []
    for root in roots:
        total += _OBJECT + _SHARED * len(root)
        todo.append(root.values() if isinstance(root, dict) else root)
        if total > limit:
            raise Unreadable(_TOO_LARGE)
    while todo:
        for value in todo.pop():
            kind = type(value)
            if kind is str:
                total += _SMALL + len(value)  # type: ignore[arg-type]
            elif kind in _DEEP:
                if id(value) in seen:
                    continue
                seen.add(id(value))
                inner = _inner(value)
                total += _OBJECT + _SHARED * len(inner)
                if inner:
                    todo.append(inner)
            elif kind not in _FREE:
                total += _SMALL
            if total > limit:
                raise Unreadable(_TOO_LARGE)
    return total


_FREE = frozenset({type(None), bool, Dropped, Global})  # one object for all
_DEEP = frozenset({tuple, Items, Entries, Made, Array, Persistent})


def _inner(value: Value) -> list[Value] | tuple[Value, ...]:
    match value:
        case Persistent(key):
            return [key]
        case tuple():
            return value
        case Items():
            return value.items
        case Entries():
            return value.pairs
        case Made():
            return [value.function, value.args, value.state, value.items, value.entries]
        case Array():
            return [value.values]
        case _:
            return []

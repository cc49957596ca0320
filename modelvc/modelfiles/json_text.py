"""Read small JSON documents that anybody may have written: strictly, and within a budget.

A key that an object has twice is unreadable: readers disagree on which value counts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NoReturn

from modelvc.modelfiles.source import Budget, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_COSTS = ((b"{", 240), (b"[", 80), (b",", 64), (b":", 64))  # bytes of memory: containers, values, keys


def read_json(data: bytes, budget: Budget, what: str, *, constants: bool = False) -> object:
    """Return the JSON value in DATA, which the messages call WHAT, such as "its header".

    CONSTANTS: accept NaN, Infinity and -Infinity, as Python writes them. Raises Unreadable if DATA is not UTF-8 and
    JSON, has a key twice, a lone surrogate, more depth than the budget, or takes more memory than the budget has.
    """
    budget.operate(len(data) >> 3)
    budget.keep(_memory(data))

    def constant(name: str) -> float:
        if not constants:
            raise Unreadable(f"{what} holds {name}, which is not JSON")
        return float(name)

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Unreadable(f"{what} has a key twice")
        return found

    try:
        value: object = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=constant)
    except UnicodeDecodeError:
        raise Unreadable(f"{what} is not valid UTF-8") from None
    except RecursionError:
        _too_deep(what)
    except ValueError:
        raise Unreadable(f"{what} is not valid JSON") from None
    _check_depth(value, budget.depth, what)
    if _SURROGATE.search(data) and not all(_encodes(text) for text in _texts(value)):
        raise Unreadable(f"{what} holds half a character")
    return value


def _memory(data: bytes) -> int:
    """Return an upper bound of the memory that parsing DATA takes, in bytes."""
    width = 2 if data.isascii() and b"\\u" not in data else 8  # bytes of a character in the text, and in its parts
    return width * len(data) + sum(cost * data.count(sign) for sign, cost in _COSTS)


def _too_deep(what: str) -> NoReturn:
    raise Unreadable(f"{what} is nested too deeply")


def _check_depth(value: object, depth: int, what: str) -> None:
    level = [value]
    while level := [one for parent in level for one in _parts(parent) if isinstance(one, dict | list)]:
        depth -= 1
        if depth <= 0:
            _too_deep(what)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _texts(value: object) -> Iterator[str]:
    """Yield all strings in VALUE, keys among them."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        else:
            left.extend(_parts(one))
            if isinstance(one, dict):
                yield from one


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

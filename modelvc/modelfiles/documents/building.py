"""Build the value of a large document, of whatever format, from its parts: bounded, with long lists as their length.

Every complete object goes through a function that may make it smaller, so that a model with thousands of trees needs
the memory of one tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.source import Budget

    # Takes the key below which an object stands, and the object when it is complete; returns what is kept of it. An
    # object in a list has the key of the list.
    Fold: TypeAlias = Callable[[str, dict[str, object]], object]

NUMBERS = 100  # of a list that are kept
ENTRIES = 10_000  # of a list or an object that are kept
TEXT = 16 << 20  # bytes of the longest string
_SCALAR, _OBJECT, _LIST, _KEY = 80, 300, 120, 150  # bytes of memory
_OFTEN = 1000  # values between two looks at the budget


class Many(NamedTuple):
    """A list or an object with more entries than are kept."""

    length: int


class _Open:
    """A list or an object that has not ended. `name`: the key below which it stands."""

    __slots__ = ("cost", "entries", "key", "keys", "name", "number")

    def __init__(self, name: str, *, is_object: bool) -> None:
        self.name = name
        self.entries: dict[str, object] | list[object] = {} if is_object else []
        self.keys: set[str] = set()  # of an object: all of them
        self.key = ""  # that was read last
        self.number = 0  # of entries so far
        self.cost = _OBJECT if is_object else _LIST  # bytes


class Builder:
    """The value of a document, while it is read. The budget pays for the most memory that is in use at one time."""

    def __init__(self, budget: Budget, what: str, fold: Fold | None) -> None:
        """Take a BUDGET, the name of the document in messages, and the function FOLD (see `Fold`)."""
        self._budget, self._what, self._fold = budget, what, fold
        self._open: list[_Open] = []
        self._used = self._most = self._values = 0
        self._root: object = None

    @property
    def depth(self) -> int:
        """The number of lists and objects that have not ended."""
        return len(self._open)

    @property
    def root(self) -> object:
        """The value of the document, once its depth is 0 again."""
        return self._root

    @property
    def in_object(self) -> bool:
        """Whether the innermost of them is an object."""
        return isinstance(self._open[-1].entries, dict)

    @property
    def entries(self) -> int:
        """How many entries the innermost of them has so far."""
        return self._open[-1].number

    def open(self, *, is_object: bool) -> None:
        """Begin a list or an object."""
        if len(self._open) >= self._budget.depth:
            raise Unreadable(f"{self._what} is nested too deeply")
        name = (self._open[-1].key or self._open[-1].name) if self._open else ""
        self._open.append(_Open(name, is_object=is_object))
        self._take(self._open[-1].cost)

    def key(self, key: str) -> None:
        """Take the key of the next value. Raises Unreadable if its object has it already."""
        one = self._open[-1]
        if key in one.keys:
            raise Unreadable(f"{self._what} has a key twice")
        one.keys.add(key)
        one.key = key
        cost = _KEY + 4 * len(key)
        one.cost += cost
        self._take(cost)

    def put(self, value: object) -> None:
        """Take a value that has no parts of its own, or a short list of such values."""
        self._put(value, _cost(value))

    def close(self) -> None:
        """End the innermost list or object."""
        one = self._open.pop()
        self._take(-one.cost)
        value: object = one.entries
        if one.number > ENTRIES:
            value = Many(one.number)
        elif self._fold and isinstance(one.entries, dict):
            value = self._fold(one.name, one.entries)
        self._put(value, one.cost if value is one.entries else _cost(value))

    def _put(self, value: object, cost: int) -> None:
        self._values += 1
        if not self._values % _OFTEN:
            self._budget.operate(_OFTEN)
        if not self._open:
            self._root = value
            return
        one = self._open[-1]
        one.number += 1
        if one.number > ENTRIES:
            return
        one.cost += cost
        self._take(cost)
        if isinstance(one.entries, dict):
            one.entries[one.key] = value
        else:
            one.entries.append(value)

    def _take(self, size: int) -> None:
        self._used += size
        if self._used > self._most:
            self._budget.keep(self._used - self._most)
            self._most = self._used


def _cost(value: object) -> int:
    """Return about how many bytes VALUE takes, without what its entries hold."""
    if isinstance(value, str):
        return _SCALAR + 4 * len(value)
    if isinstance(value, list | dict):
        return _LIST + _SCALAR * len(value)
    return _SCALAR


def listed(value: object) -> list[object]:
    """Return VALUE if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def entries(value: object) -> dict[str, object]:
    """Return VALUE if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return VALUE if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def length(value: object) -> int:
    """Return the number of entries of a list or an object, also where only that was kept; else 0."""
    return value.length if isinstance(value, Many) else len(value) if isinstance(value, list | dict) else 0

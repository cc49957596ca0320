"""Inert values: what a pickle builds, described. Nothing here can be called.

Short texts and numbers are Python's own, and a tuple of at most KEPT entries is a tuple. All else is of a class below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = 100  # entries of a container that are kept; of the others only those with an object, and the count
OBJECTS = 20_000  # entries with an object that a container keeps
LETTERS = 1000  # bytes of a text that is kept as text
BYTES = 64  # bytes of a blob that is kept as bytes

Value: TypeAlias = object


class Text(NamedTuple):
    """A text, or the digits of a number, too long to be kept. `start`, `end`: where its bytes lie in the stream."""

    start: int
    end: int


class Blob(NamedTuple):
    """Bytes. `start`, `end`: where they lie in the stream. `data`: the bytes, or None if there are more than BYTES."""

    start: int
    end: int
    data: bytes | None = None


class Dropped(NamedTuple):
    """Plain data that was once known and is not any more, to save memory."""


DROPPED = Dropped()


class Global:
    """A name that is imported. There is one object for each name of a reading."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Persistent(NamedTuple):
    """An object outside of the pickle, and the id by which the pickle names it."""

    key: Value


class Items:
    """A list, a set, or a tuple of more than KEPT entries. `rich`: whether it holds an object, however deep."""

    __slots__ = ("count", "items", "kind", "rich")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.items: list[Value] = []
        self.count = 0
        self.rich = False

    def extend(self, more: list[Value]) -> None:
        """Put MORE at the end, and take the list."""
        room = KEPT - self.count
        self.count += len(more)
        if not RICH.isdisjoint(map(type, more)):
            self.rich = True
            if room < len(more):
                objects = [one for one in more[max(room, 0) :] if is_rich(one)][: max(OBJECTS - len(self.items), 0)]
                more = more[: max(room, 0)] + objects
        elif room < len(more):
            if room <= 0:
                return
            more = more[:room]
        if self.items:
            self.items += more
        else:
            self.items = more

    @property
    def whole(self) -> bool:
        """Whether all its entries are known."""
        return self.count == len(self.items)


class Entries:
    """A dict. `pairs`: key, value, key, value, in the order in which they were set; a key that is set twice twice.

    `closed`: whether a dtype holds it as its fields, so that a new entry would change the dtype.
    """

    __slots__ = ("closed", "count", "pairs", "rich")

    def __init__(self) -> None:
        self.closed = False
        self.pairs: list[Value] = []
        self.count = 0
        self.rich = False

    def extend(self, pairs: list[Value]) -> None:
        """Set PAIRS, and take the list."""
        room = KEPT - self.count
        count = len(pairs) >> 1
        self.count += count
        if not RICH.isdisjoint(map(type, pairs)):
            self.rich = True
            if room < count:
                kept = pairs[: 2 * max(room, 0)]
                for at in range(len(kept), len(pairs), 2):
                    if is_rich(pairs[at + 1]) and len(self.pairs) + len(kept) < 2 * OBJECTS:
                        kept += pairs[at : at + 2]
                pairs = kept
        elif room < count:
            if room <= 0:
                return
            pairs = pairs[: 2 * room]
        if self.pairs:
            self.pairs += pairs
        else:
            self.pairs = pairs

    @property
    def whole(self) -> bool:
        """Whether all its entries are known."""
        return 2 * self.count == len(self.pairs)

    @property
    def keys(self) -> list[Value]:
        """The keys that are known."""
        return self.pairs[::2]

    @property
    def values(self) -> list[Value]:
        """The values of these keys."""
        return self.pairs[1::2]

    def get(self, name: str) -> Value:
        """Return the value of the text NAME, or None."""
        for at in range(len(self.pairs) - 2, -1, -2):
            if self.pairs[at] == name:
                return self.pairs[at + 1]
        return None

    def texts(self) -> Iterator[tuple[str, Value]]:
        """Yield the entries whose keys are short texts."""
        return ((key, value) for key, value in zip(self.keys, self.values, strict=True) if isinstance(key, str))


class Made:
    """What a call would return. `function`: what is called; `args`: with what; `how`: by which opcode.

    `state`: what BUILD gives it, `built`: how often. `items`, `entries`: what is appended to it and set in it.
    `dtype`: name, size, and whether it holds objects, if it is a dtype that was looked at.
    """

    __slots__ = ("args", "built", "dtype", "entries", "function", "how", "items", "state")

    def __init__(self, function: Value, args: Value, how: str) -> None:
        self.function = function
        self.args = args
        self.how = how
        self.state: Value = None
        self.built = 0
        self.dtype: tuple[str, int, bool] | None = None
        self.items: Items | None = None
        self.entries: Entries | None = None

    @property
    def name(self) -> str:
        """The class of the object, or the function that makes it, as `module.name`; "" if it is none."""
        function, args = self.function, self.args
        if isinstance(function, Global):
            if function.name in BY_ARGUMENT and isinstance(args, tuple) and args and isinstance(args[0], Global):
                return args[0].name
            return function.name
        return ""


class Array:
    """An array of numpy. `start`, `end`: where its bytes lie in the stream, or -1.

    `dtype`: its name as a tensor has it, `size`: of an element in bytes, `objects`: whether it holds objects.
    `values`: what it holds, if objects.
    """

    __slots__ = ("dtype", "end", "objects", "shape", "start", "values")

    def __init__(self, dtype: str, shape: tuple[int, ...], start: int, end: int) -> None:
        self.dtype = dtype
        self.shape = shape
        self.start = start
        self.end = end
        self.objects = False
        self.values: Value = None


# Functions that make an instance of their first argument.
BY_ARGUMENT = frozenset(
    {"copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__", "numpy.core.multiarray._reconstruct",
     "numpy._core.multiarray._reconstruct"}
)  # fmt: skip
_ALWAYS = (Made, Array, Global, Persistent)
RICH = frozenset({*_ALWAYS, Items, Entries})


def is_rich(value: Value) -> bool:
    """Return whether VALUE is an object, a name, or a container with one."""
    return isinstance(value, _ALWAYS) or (isinstance(value, (Items, Entries)) and value.rich)

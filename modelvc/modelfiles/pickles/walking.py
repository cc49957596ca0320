"""Walk through values, and describe them in few words. Shared structure is entered once, so that no file expands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import clean
from modelvc.modelfiles.pickles.arrays import array_of, scalar_of
from modelvc.modelfiles.pickles.values import Array, Blob, Entries, Global, Items, Made, Persistent, Text, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1_000_000  # values of one walk
DEEPEST = 60  # names in a path
WORDS = 80  # characters of a description


def attributes(value: Value) -> Iterator[tuple[str, Value]]:
    """Yield the attributes that the state of the object VALUE shows."""
    state = value.state if isinstance(value, Made) else None
    parts = state if isinstance(state, tuple) else (state,)
    for part in parts[:2]:
        if isinstance(part, Entries):
            yield from part.texts()


def attribute(value: Value, name: str) -> Value:
    """Return the attribute NAME of the object VALUE, or None."""
    found = None
    for key, one in attributes(value):
        if key == name:
            found = one
    return found


def walk(root: Value) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield every object, array and container below ROOT once, with its path, in the order of the file."""
    todo: list[tuple[tuple[str, ...], Value]] = [((), root)]
    seen: set[int] = set()
    count = 0
    while todo:
        path, value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        count += 1
        if count > MOST:
            return
        yield path, value
        if len(path) < DEEPEST:
            todo += reversed([(path + name, one) for name, one in _inner(value) if isinstance(one, _COMPOUND)])


_COMPOUND = (Made, Items, Entries, tuple, Array, Persistent)


def _inner(value: Value) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield what VALUE holds, with the rest of its path."""
    match value:
        case Made():
            if isinstance(value.args, tuple):
                yield from (((), one) for one in value.args)
            state = value.state if isinstance(value.state, (Entries, tuple)) else ()
            yield from (((), one) for one in (value.items, value.entries, state))
        case Persistent() | Blob() | Text():
            return
        case tuple():
            yield from (((str(at),), one) for at, one in enumerate(value))
        case Items():
            yield from (((str(at),), one) for at, one in enumerate(value.items))
        case Entries():
            pairs = zip(value.keys, value.values, strict=True)
            yield from (((clean(key) if isinstance(key, (str, int)) else "?",), one) for key, one in pairs)
        case Array():
            yield (), value.values
        case _:
            return


def described(value: Value) -> int | float | bool | str:
    """Return VALUE as a number, or in at most WORDS characters."""
    if isinstance(value, (int, float)) and abs(value) < 1 << 63:
        return value
    number = scalar_of(value)
    if number is not None:
        return number
    if isinstance(value, str):
        return clean(value)
    text = ""
    for piece in _pieces(value, 0):
        text += piece
        if len(text) > WORDS:
            return clean(text[: WORDS - 1] + "…")
    return clean(text)


def _pieces(value: Value, deep: int) -> Iterator[str]:
    array = array_of(value)
    if array is not None:
        yield f"array {array.dtype} ({', '.join(map(str, array.shape))})"
        return
    match value:
        case str():
            yield repr(value[:WORDS])
        case None | bool() | int() | float():
            yield str(value) if not isinstance(value, int) or abs(value) < 1 << 63 else "a large number"
        case Text() | Blob():
            yield f"{value.end - value.start} bytes"
        case Global(name=name):
            yield name
        case Made(name=name):
            number = scalar_of(value)
            yield str(number) if number is not None else f"{name.rpartition('.')[2]}(...)"
        case _ if deep > 3:
            yield "..."
        case tuple() | Items():
            start, end = ("(", ")") if isinstance(value, tuple) or value.kind == "tuple" else ("[", "]")
            yield start
            for at, one in enumerate(value if isinstance(value, tuple) else value.items):
                yield ", " if at else ""
                yield from _pieces(one, deep + 1)
            yield end
        case Entries():
            yield "{"
            for at, (key, one) in enumerate(zip(value.keys, value.values, strict=True)):
                yield ", " if at else ""
                yield from _pieces(key, deep + 1)
                yield ": "
                yield from _pieces(one, deep + 1)
            yield "}"
        case _:
            yield "..."

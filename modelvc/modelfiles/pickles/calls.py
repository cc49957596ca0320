"""What calls would return, as far as a reading needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles.values import (
    KEPT,
    Blob,
    Entries,
    Global,
    Items,
    Made,
    Persistent,
    Text,
    Value,
)
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.pickles.seen import Seen

_CALLS = frozenset({"REDUCE", "INST", "OBJ"})  # the others ask a class for a new object
_NOTHING = 1 << 20  # bytes that a pickle may make without holding them
MAKE_CODE = ("cloudpickle.", "dill._dill.", "joblib.externals.cloudpickle.")


def call(seen: Seen, function: Value, args: Value, how: str) -> Value:
    """Return what FUNCTION returns for ARGS, and record that it is called. HOW: the opcode.

    Raises Unreadable if FUNCTION cannot be called.
    """
    if isinstance(function, Global):
        seen.called(function.name)
        if function.name.startswith(MAKE_CODE):
            seen.code(f"makes code by {function.name}")
        special = _SPECIAL.get(function.name)
        found = special(seen, args) if special is not None and how in _CALLS else None
        return Made(function, args, how) if found is None else found
    if isinstance(function, Made):
        if function.name.startswith(MAKE_CODE):
            seen.code(f"calls what {function.name} makes")
        else:
            seen.known_bad(f"calls what {function.name or 'a call'} returns")
        return Made(function, args, how)
    if isinstance(function, Persistent):
        seen.known_bad("calls an object outside of the pickle")
        return Made(function, args, how)
    raise Unreadable("the pickle calls a value that cannot be called")


def _construct_first(seen: Seen, args: Value) -> Value | None:
    """A function that makes an instance of its first argument: that is called, too."""
    match args:
        case (Global() as function, *_):
            seen.called(function.name)
        case (Made() as function, *_):
            call(seen, function, (), "REDUCE")
        case _:
            seen.doubt("the pickle makes an object of a class that is not shown")
    return None


def _reconstructor(seen: Seen, args: Value) -> Value | None:
    """Make an instance of the first argument by `__new__` of the second, which is called too unless it is `object`."""
    match args:
        case (_, Global(name="builtins.object"), _):
            pass
        case (_, Global() as base, _):
            seen.called(base.name)
        case _:
            seen.doubt("the pickle makes an object of a class that is not shown")
    return _construct_first(seen, args)


def _array(seen: Seen, args: Value) -> Value | None:
    """Make an array without elements, as numpy pickles one."""
    match args:
        case (_, (0,), _):
            pass
        case _:
            seen.doubt("an array is not as numpy writes it")
    match args:
        case (Global(name=name), *_) if name.startswith("numpy."):
            return None  # the class of an array: nothing of it runs but numpy's own code
    return _construct_first(seen, args)


def _getattr(seen: Seen, args: Value) -> Value | None:
    match args:
        case (Global(name=owner), str() as name, *_) if owner and name.replace("_", "a").isidentifier():
            return seen.referred(f"{owner}.{name}")
        case (Made(name=owner), str() as name, *_) if owner and name.replace("_", "a").isidentifier():
            return seen.referred(f"{owner}.{name}")
        case _:
            seen.known_bad("calls builtins.getattr with names that are not shown")
            return None


def _type(seen: Seen, args: Value) -> Value | None:
    match args:
        case (None,) | (Global(name="builtins.Ellipsis" | "builtins.NotImplemented"),):
            return seen.referred("builtins.type")
        case (Global(name=name),):
            return seen.referred(f"{name}.__class__")
        case _:
            seen.known_bad("makes a class by builtins.type")
            return None


def _container(kind: str) -> Callable[[Seen, Value], Value | None]:
    def make(_seen: Seen, args: Value) -> Value | None:
        match args:
            case ():
                return Items(kind)
            case (Items() as items,):
                made = Items(kind)
                made.items, made.count, made.rich = [*items.items], items.count, items.rich
                return made
            case (tuple() as items,) if len(items) <= KEPT:
                made = Items(kind)
                made.extend([*items])
                return made
            case _:
                return None

    return make


def _bytes(seen: Seen, args: Value) -> Value | None:
    match args:
        case ():
            return Blob(0, 0, b"")
        case (Blob() as blob,):
            return blob
        case (int() as size,) if size > _NOTHING:
            seen.known_bad(f"makes {size:,} bytes of nothing")
        case (str() as text, "latin-1" | "latin1"):
            return Blob(0, 0, text.encode("latin-1"))
        case (Text(start, end), "latin-1" | "latin1"):
            return Blob(start, end)
        case (_, _, *_):
            seen.doubt("the pickle encodes a text as no pickler does")
        case _:
            pass
    return None


def _dict(_seen: Seen, args: Value) -> Value | None:
    return Entries() if args == () else None


_SPECIAL: dict[str, Callable[[Seen, Value], Value | None]] = {
    "copyreg._reconstructor": _reconstructor,
    "copyreg.__newobj__": _construct_first,
    "copyreg.__newobj_ex__": _construct_first,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
    "builtins.getattr": _getattr,
    "builtins.type": _type,
    "builtins.set": _container("set"),
    "builtins.frozenset": _container("frozenset"),
    "builtins.list": _container("list"),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.dict": _dict,
    "_codecs.encode": _bytes,
}

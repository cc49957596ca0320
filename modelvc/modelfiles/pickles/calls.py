"""What calls would return, as far as a reading needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.pickles.arrays import dtype_of
from modelvc.modelfiles.pickles.names import WRAPPERS
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
# Objects of these classes get a state that this machine reads, so it must see where each is made.
_READ = WRAPPERS | {"numpy.dtype"}
# The functions of copyreg that make them under the name of the class.
_MAKES_OBJECT = frozenset({"copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__"})
MAKE_CODE = ("cloudpickle.", "dill._dill.", "joblib.externals.cloudpickle.")


def call(seen: Seen, function: Value, args: Value, how: str) -> Value:
    """Return what FUNCTION returns for ARGS, and record that it is called. HOW: the opcode.

    Raises Unreadable if FUNCTION cannot be called.
    """
    if isinstance(function, Global):
        seen.called(function.name, Use.CONSTRUCTED if how in _CALLS else Use.CREATED)
        if function.name.startswith(MAKE_CODE):
            seen.code(f"makes code by {function.name}")
        if function.name not in _MAKES_OBJECT:
            _check_shown(seen, function.name, args)
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


def _check_shown(seen: Seen, function: str, args: Value) -> None:
    """Find a FUNCTION that may return an object of a class whose states this machine reads, under its own name.

    joblib goes on behind the bytes of an array wherever it finds a wrapper; the machine would execute these bytes.
    """
    for one in args if isinstance(args, tuple) else args.items if isinstance(args, Items) else ():
        if (isinstance(one, Global) and one.name in _READ) or (isinstance(one, Made) and one.name in WRAPPERS):
            seen.known_bad(f"hides {one.name} behind a call of {function}")


def _scalar(seen: Seen, args: Value) -> Value | None:
    """Make a number of bytes. With the dtype of objects, numpy before 2.3 returns the second argument itself."""
    match args:
        case (_,) | (_, Blob() | Text() | str()):
            pass
        case (dtype, _) if (found := dtype_of(dtype)) is not None and found.name != "object":
            pass
        case _:
            seen.known_bad("makes a scalar that is an object of the pickle")
    return None


def _parameter(seen: Seen, args: Value) -> Value | None:
    """Make a parameter of a tensor. torch calls `detach` of anything else, which a state may have brought."""
    match args:
        case (Made(name=name), *_) if name.startswith("torch."):
            pass
        case _:
            seen.doubt("a parameter of torch is not made of a tensor")
    return None


def _construct_first(seen: Seen, args: Value) -> Value | None:
    """A function that makes an object of its first argument by `__new__`: that is called, too."""
    match args:
        case (Global() as function, *_):
            seen.called(function.name, Use.CREATED)
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


def _uses_arguments(use: Use, instances: int = 0) -> Callable[[Seen, Value], Value | None]:
    """Return a function for one that calls its arguments: every name among them counts as USE.

    INSTANCES: how many arguments, from the first on, may be an instance, which is then not called.
    """

    def use_each(seen: Seen, args: Value) -> None:
        if not isinstance(args, tuple):
            seen.doubt("the pickle calls arguments that are not shown")
            return
        for position, one in enumerate(args):
            if isinstance(one, Global):
                seen.called(one.name, use)
            elif isinstance(one, Made) and position >= instances:
                call(seen, one, (), "REDUCE")

    return use_each


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
    "collections.defaultdict": _uses_arguments(Use.CONSTRUCTED),
    "numpy.ma.core._mareconstruct": _uses_arguments(Use.CREATED),
    "numpy.random._pickle.__bit_generator_ctor": _uses_arguments(Use.CONSTRUCTED, 1),
    "numpy.random._pickle.__generator_ctor": _uses_arguments(Use.CONSTRUCTED, 1),
    "numpy.random._pickle.__randomstate_ctor": _uses_arguments(Use.CONSTRUCTED, 1),
    "pandas.core.indexes.base._new_Index": _construct_first,
    "pandas.core.indexes.datetimes._new_DatetimeIndex": _construct_first,
    "pandas.core.indexes.interval._new_IntervalIndex": _construct_first,
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": _construct_first,
    "sklearn.metrics._dist_metrics.newObj": _construct_first,
    "sklearn.neighbors._ball_tree.newObj": _construct_first,
    "sklearn.neighbors._kd_tree.newObj": _construct_first,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "torch._utils._rebuild_parameter": _parameter,
    "builtins.type": _type,
    "builtins.set": _container("set"),
    "builtins.frozenset": _container("frozenset"),
    "builtins.list": _container("list"),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.dict": _dict,
    "_codecs.encode": _bytes,
}

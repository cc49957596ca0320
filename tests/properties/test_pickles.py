"""The inert machine agrees with Python's own on pickles of the data made here: structure, and imported names."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict, deque
from typing import Any, Self

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.seen import Seen
from modelvc.modelfiles.pickles.stream import FileStream
from modelvc.modelfiles.pickles.values import Blob, Entries, Global, Items, Made
from modelvc.modelfiles.source import Budget, of_bytes


class Plain:
    def __init__(self, *values: Any) -> None:
        self.first, self.rest = values[:1], list(values[1:])


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, *values: Any) -> None:
        self.a, self.b = len(values), values


class Listed(list):  # type: ignore[type-arg]
    pass


class Mapped(dict):  # type: ignore[type-arg]
    pass


class Reduced:
    def __init__(self, *values: Any) -> None:
        self.values = values

    def __reduce__(self) -> Any:
        return Reduced, self.values


class WithNew:
    def __new__(cls, *values: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __getnewargs_ex__(self) -> Any:
        return self.values, {}


CLASSES = (Plain, Slots, Reduced, WithNew)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-300, 70_000),
    st.floats(allow_nan=False),
    st.text(max_size=300),
    st.binary(max_size=300),
    st.sampled_from([len, int, Plain, Slots, OrderedDict]),
)
HASHABLE = st.one_of(st.integers(), st.text(max_size=20), st.binary(max_size=20), st.booleans())


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(HASHABLE, inner, max_size=5),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
        st.lists(inner, max_size=3).map(Listed),
        st.dictionaries(st.text(max_size=9), inner, max_size=3).map(Mapped),
        st.dictionaries(st.text(max_size=9), inner, max_size=3).map(OrderedDict),
        st.lists(inner, max_size=3).map(deque),
        st.binary(max_size=70).map(bytearray),
        st.tuples(st.sampled_from(CLASSES), st.lists(inner, max_size=3)).map(lambda pair: pair[0](*pair[1])),
        inner.map(lambda one: [one, one]),
    )


DATA = st.recursive(SCALARS, containers, max_leaves=30)


class Tracing(pickle._Unpickler):
    """Python's own machine, for data of this test alone."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.found: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        thing = super().find_class(module, name)
        self.found.add(f"{thing.__module__}.{thing.__qualname__}")
        return thing


def same(ours: Any, theirs: Any, deep: int = 0) -> bool:
    """Whether OURS describes THEIRS, as far as it is kept."""
    if deep > 40:
        return True
    if isinstance(ours, Global):
        return ours.name.rpartition(".")[2] == theirs.__name__
    if isinstance(ours, Blob):
        if ours.data is None or not ours.end:
            return isinstance(theirs, (bytes, bytearray))
        return isinstance(theirs, (bytes, bytearray)) and ours.data == bytes(theirs)
    if isinstance(ours, Items):
        if ours.count != len(theirs) or ours.kind not in {"list", "set", "frozenset", "tuple"}:
            return False
        return not isinstance(theirs, list) or all(
            same(one, other, deep + 1) for one, other in zip(ours.items, theirs, strict=True)
        )
    if isinstance(ours, Entries):
        return ours.count == len(theirs) and all(
            same(one, other, deep + 1) for one, other in zip(ours.values, theirs.values(), strict=True)
        )
    if isinstance(ours, Made):
        # A function may make an object of another class than it is.
        made = ours.name.rpartition(".")[2]
        if made in {"bytearray", "bytes", "encode"}:
            return isinstance(theirs, (bytes, bytearray))
        if made != type(theirs).__name__:
            return False
        filled = (ours.items, list(theirs) if isinstance(theirs, (list, deque)) else None)
        return filled[0] is None or filled[1] is None or same(filled[0], filled[1], deep + 1)
    if isinstance(ours, tuple) and type(ours) is tuple:
        return len(ours) == len(theirs) and all(
            same(one, other, deep + 1) for one, other in zip(ours, theirs, strict=True)
        )
    return type(ours) is type(theirs) and ours == theirs


@settings(max_examples=300, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(DATA, st.integers(0, 5), st.booleans())
def test_the_machine_agrees_with_python(thing: Any, protocol: int, in_c: bool) -> None:  # noqa: FBT001
    if protocol < 2:
        thing = without_slots(thing)
    if in_c:
        data = pickle.dumps(thing, protocol)
    else:
        sink = io.BytesIO()
        pickle._Pickler(sink, protocol).dump(thing)
        data = sink.getvalue()
    theirs = Tracing(data)
    value = theirs.load()
    seen = Seen(Budget())
    ours, end = Machine(FileStream(of_bytes(data)), seen).run(0)
    assert end == len(data)
    assert (seen.trouble, seen.findings) == ("", ())
    assert {one.name for one in seen.imports} == theirs.found
    assert same(ours, value), (ours, value)
    facts = inspect(of_bytes(data))
    assert facts.format == "pickle"
    assert facts.unreadable == ""
    assert all(one.use is Use.CONSTRUCTED for one in facts.imports if one.name.endswith(".Reduced"))


def without_slots(thing: Any, deep: int = 0) -> Any:
    """THING for protocols that cannot pickle objects with slots, or arguments of `__new__` by name."""
    if isinstance(thing, (Slots, WithNew)) or deep > 40:
        return None
    if type(thing) in {list, tuple, Listed, deque}:
        return type(thing)(without_slots(one, deep + 1) for one in thing)
    if isinstance(thing, dict):
        return type(thing)((key, without_slots(one, deep + 1)) for key, one in thing.items())
    if isinstance(thing, (Plain, Reduced)):
        return type(thing)(
            *(without_slots(one, deep + 1) for one in getattr(thing, "values", getattr(thing, "rest", ())))
        )
    return thing

"""The opcodes, on inert values: what a pickle imports and calls, whatever it tries."""

from __future__ import annotations

import io
import pickle
import random
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from modelvc.modelfiles.pickles import machine
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.seen import Seen
from modelvc.modelfiles.pickles.stream import FileStream
from modelvc.modelfiles.pickles.values import Entries, Items, Made
from modelvc.modelfiles.source import Budget, Unreadable, of_bytes
from tests.support.inert import facts, imports, known_bad

RUN = b"cos\nsystem\n(S'true'\ntR"  # never executed: calls os.system("true")


def text(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


def run(data: bytes) -> Any:
    return Machine(FileStream(of_bytes(data)), Seen(Budget())).run(0)[0]


class Colour(Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: float


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a, self.b = 1, [2]


class Bag(list):  # type: ignore[type-arg]
    pass


PLAIN = {
    "text": "käse",
    "long": "x" * 5000,
    "bytes": b"\0\xff" * 300,
    "numbers": [0, 1, -1, 255, 256, 65535, 65536, 1 << 31, -(1 << 40), 1 << 2000, 0.5, float("inf"), True, False, None],
    "nested": [[], (), {}, set(), frozenset({1}), ({"a": [1, (2, 3, 4, 5)]},)],
    "array": bytearray(b"abc"),
    "complex": 1 + 2j,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["c", "python"])
def test_what_python_pickles_is_read_to_its_end(protocol: int, kind: str) -> None:
    thing = [PLAIN, Point(1, 2.0), Slotted(), Bag([1, 2]), OrderedDict(a=1), defaultdict(list, {1: [2]}), deque([1]),
             Counter("aab"), range(3), slice(1), Colour.RED, len, int]  # fmt: skip
    if kind == "c":
        data = pickle.dumps(thing, protocol=protocol) if protocol > 1 else pickle.dumps(thing[:2], protocol=protocol)
    else:
        sink = io.BytesIO()
        pickle._Pickler(sink, protocol).dump(thing if protocol > 1 else thing[:2])
        data = sink.getvalue()
    seen = Seen(Budget())
    value, end = Machine(FileStream(of_bytes(data)), seen).run(0)
    assert end == len(data)
    assert seen.trouble == ""
    assert seen.findings == ()
    assert isinstance(value, Items)
    first = value.items[0]
    assert isinstance(first, Entries)
    assert first.get("text") == "käse"
    traced = Tracing(io.BytesIO(data))
    traced.load()
    assert {one.name for one in seen.imports} >= traced.names


class Tracing(pickle._Unpickler):
    """Python's own machine, for data of these tests alone."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}.{name}" if self.proto >= 3 else "")
        self.names.discard("")
        return super().find_class(module, name)


CALLS = {
    "GLOBAL REDUCE": RUN + b".",
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "NEWOBJ": b"\x80\x02cos\nsystem\nU\x04true\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04cos\nsystem\n" + text("true") + b"\x85}\x92.",
    "STACK_GLOBAL": b"\x80\x04" + text("os") + text("system") + b"\x93" + text("true") + b"\x85R.",
    "a name out of the memo": b"\x80\x04" + text("os") + b"\x940" + text("system") + b"\x94h\x00h\x01\x93)R.",
    "a name in escapes": b"\x80\x04S'\\x6f\\163'\nS'sys\\x74em'\n\x93)R.",
    "a name in unicode escapes": b"\x80\x04V\\u006f\\u0073\nVsystem\n\x93)R.",
    "the old name of a module": b"c__builtin__\neval\n(S'1'\ntR.",
    "the old name of a function": b"c__builtin__\nexecfile\n(S'1'\ntR.",
    "a module inside of a module": b"\x80\x04" + text("sklearn.utils") + text("os.system") + b"\x93)R.",
    "behind a first pickle": pickle.dumps([1]) + RUN + b".",
    "without a STOP": RUN,
    "before a broken opcode": RUN + b"\xff",
    "in a value that is dropped": RUN + b"0N.",
    "in a frame that lies": b"\x80\x04\x95\xff\xff\x00\x00\x00\x00\x00\x00" + RUN + b".",
    "under a mark that is popped": b"(" + RUN + b"1N.",
    "through copyreg": b"ccopyreg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
    "through an array's class": b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(K\x00tS'b'\ntR.",
    "through getattr": b"cbuiltins\ngetattr\n(cposixpath\nos\nS'system'\ntR(S'true'\ntR.",
    "through a memo that is overwritten": b"Nq\x000cos\nsystem\nq\x000h\x00)R.",
    "through a hole in the memo": b"cos\nsystem\nr\x00\x00\x00\x10" + b"0j\x00\x00\x00\x10)R.",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_seen(name: str) -> None:
    found = facts(CALLS[name])
    assert any("os.system" in one or "eval" in one or "exec" in one for one in known_bad(found)), found


def test_a_name_that_is_only_named_is_referred_to() -> None:
    found = facts(pickle.dumps({"f": len, "c": Point}))
    assert imports(found) == {"builtins.len": False, f"{__name__}.Point": False}


def test_a_made_object_is_called_by_its_class() -> None:
    assert imports(facts(pickle.dumps(Point(1, 2.0)))) == {f"{__name__}.Point": True}


NOT_MADE = {
    "BUILD on a class": b"\x80\x04" + text("a") + text("B") + b"\x93}" + text("fit") + b"K\x01sb.",
    "slots of a class": b"\x80\x04" + text("a") + text("B") + b"\x93N}" + text("fit") + b"K\x01s\x86b.",
    "SETITEM on a module's dict": b"\x80\x04" + text("sys") + text("modules") + b"\x93K\x01K\x02s.",
    "SETITEMS": b"\x80\x04" + text("sys") + text("modules") + b"\x93(K\x01K\x02u.",
    "APPEND": b"\x80\x04" + text("sys") + text("path") + b"\x93K\x01a.",
    "APPENDS": b"\x80\x04" + text("sys") + text("path") + b"\x93(K\x01e.",
    "ADDITEMS": b"\x80\x04" + text("a") + text("B") + b"\x93(K\x01\x90.",
}


@pytest.mark.parametrize("name", NOT_MADE)
def test_what_the_pickle_did_not_make_is_not_changed(name: str) -> None:
    assert known_bad(facts(NOT_MADE[name]))


def test_an_object_gets_one_state_and_nothing_behind_it() -> None:
    made = b"\x80\x04" + text("a") + text("B") + b"\x93)\x81}" + text("extend") + text("a") + text("f") + b"\x93sb"
    assert known_bad(facts(made + b".")) == []
    assert known_bad(facts(made + b"}b.")) == ["sets the state of an object of a.B twice"]
    assert known_bad(facts(made + b"K\x01a.")) == ["adds to an object of a.B behind its state"]
    both = b"\x80\x04" + text("a") + text("B") + b"\x93)\x81" + text("extend") + text("a") + text("f") + b"\x93sK\x01a."
    assert known_bad(facts(both)) == ["fills an object of a.B as a list and as a dict"]


def test_the_result_of_a_call_is_not_called() -> None:
    data = b"\x80\x04" + text("functools") + text("partial") + b"\x93" + text("a") + text("f") + b"\x93\x85R)R."
    assert known_bad(facts(data)) == ["calls what functools.partial returns"]


UNREADABLE = {
    "nothing but a protocol": b"\x80\x04",
    "an unknown protocol": b"\x80\x04\x80\x09N.",
    "a text beyond the end": b"\x80\x04X\xff\xff\xff\x7fa.",
    "a bytearray of a terabyte": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00N.",
    "a text of 2**63 bytes": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
    "a number of a negative length": b"\x80\x04\x8b\xff\xff\xff\xff.",
    "a string of a negative length": b"\x80\x02T\xff\xff\xff\xffa.",
    "a mark that is missing": b"\x80\x04Nt.",
    "a stack that ends at a mark": b"\x80\x04N(\x85.",
    "an empty memo": b"\x80\x04h\x00.",
    "a text without UTF-8": b"\x80\x04\x8c\x01\xff.",
    "a memo number below zero": b"\x80\x02Np-1\n.",
    "a memo number with a sign of its own": b"\x80\x02Np1_0\n.",
    "a number that is none": b"\x80\x02I1x\n.",
    "a float that is none": b"\x80\x02Fzz\n.",
    "a string without quotes": b"\x80\x02Sabc\n.",
    "a persistent id": b"\x80\x02Pabc\n.",
    "a binary persistent id": b"\x80\x04" + text("a") + b"Q.",
    "a buffer out of band": b"\x80\x05\x97.",
    "a key without a value": b"\x80\x04}(Nu.",
    "a state on a list": b"\x80\x04]}b.",
    "a name that is no text": b"\x80\x04K\x01K\x02\x93.",
    "a frame in a frame": b"\x80\x04\x95\x10" + bytes(7) + b"\x95\x01" + bytes(7) + b"N." + bytes(20),
    "bytes behind": b"\x80\x04N.\xff",
    "a call of a number": b"\x80\x04K\x01)R.",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_pickler_writes_is_unreadable(name: str) -> None:
    assert facts(UNREADABLE[name]).unreadable


def test_imports_before_the_failure_count() -> None:
    found = facts(b"\x80\x04" + text("a.b") + text("C") + b"\x93\xff")
    assert found.unreadable == "the pickle has an unknown opcode at byte 11"
    assert imports(found) == {"a.b.C": False}


def test_an_extension_code_is_a_name_of_its_own() -> None:
    assert imports(facts(b"\x80\x02\x82\x07)\x81.")) == {"extension 7 of copyreg": True}


def test_shared_structure_is_entered_once() -> None:
    """60 times DUP TUPLE2 is 2**60 elements when printed."""
    found = facts(b"\x80\x04" + text("a") + text("B") + b"\x93)\x81}" + text("deep") + b"N" + b"2\x86" * 60 + b"sb.")
    assert found.unreadable == ""
    ((name, value),) = found.hyper_parameters
    assert name == "deep"
    assert isinstance(value, str)
    assert len(value) <= 200


@pytest.mark.parametrize("deeper", [b"\x85", b"(", b"]2a", b"}2Ns"])
def test_depth_is_no_recursion(deeper: bytes) -> None:
    facts(b"\x80\x04N" + deeper * 200_000 + b".")


@pytest.mark.parametrize("opcode", [b"]", b"N", b"}", b"(", b"N\x94", b"K\x01\x94", b"]\x94", b")\x85", b"\x8c\x01a"])
def test_memory_is_bounded(opcode: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    monkeypatch.setattr(machine, "_LIVE", 4 << 20)
    count = (2 << 20) // len(opcode)
    data = b"\x80\x04" + opcode * count
    tracemalloc.start()
    try:
        found = facts(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.unreadable
    assert peak < 40 << 20, peak


def test_operations_are_bounded() -> None:
    assert facts(b"\x80\x04" + b"N0" * 100_000 + b"N.", operations=1000).unreadable


def test_any_number_of_pickles_is_bounded() -> None:
    assert facts(b"\x80\x04N." * 1000, members=100).unreadable


def test_windows_do_not_show() -> None:
    """Opcodes that lie across windows, and blobs that are larger than one."""
    numbers = random.Random(1)
    thing = [numbers.randbytes(numbers.choice([3, 70, 3000, 90_000, 2_000_000])) for _ in range(20)]
    thing += ["a" * numbers.choice([3, 250, 900, 3000]) for _ in range(9000)]
    for protocol in (2, 4, 5):
        data = pickle.dumps({"x": thing, "last": ("end", 7)}, protocol=protocol)
        value = run(data)
        assert isinstance(value, Entries)
        assert value.get("last") == ("end", 7)
        assert value.get("x").count == len(thing)  # type: ignore[attr-defined]


def test_a_memo_that_begins_at_one() -> None:
    """As the pickler of Python 2 writes it."""
    data = b"\x80\x02]q\x01(U\x01aq\x02h\x01h\x02e."
    value = run(data)
    assert isinstance(value, Items)
    assert value.items[0] == "a"
    assert value.items[1] is value


def test_the_memo_counts_what_it_holds() -> None:
    """MEMOIZE takes the number of entries, not the highest number and one."""
    value = run(b"\x80\x04K\x05q\x09\x94h\x01\x86.")
    assert value == (5, 5)
    with pytest.raises(Unreadable):
        run(b"\x80\x04K\x05q\x09\x94h\x02\x86.")


def test_values_are_what_python_makes() -> None:
    assert run(b"(I01\nI00\nI-7\nL12L\nF0.5\nM\x01\x02J\xff\xff\xff\xff\x8a\x02\x00\x01t.") == (
        True, False, -7, 12, 0.5, 513, -1, 256,
    )  # fmt: skip


def test_what_is_appended_to_an_object_is_its() -> None:
    value = run(pickle.dumps(Bag([1, 2])))
    assert isinstance(value, Made)
    assert value.items is not None
    assert value.items.items == [1, 2]

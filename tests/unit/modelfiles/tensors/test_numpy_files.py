from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, OutOfTime, Unreadable, of_bytes
from modelvc.modelfiles.tensors.literals import read_literal

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = os.path.join(os.path.dirname(__file__), "..", "..", "..", "fixtures", "models", "numpy")
PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"


def save(array: object, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), version)
    return out.getvalue()


def npy(header: str | bytes = PLAIN, size: int = 24, version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() if isinstance(header, str) else header
    return (
        b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text + bytes(size)
    )


def read(data: bytes) -> ModelFacts:
    facts = inspect(of_bytes(data))
    assert facts.unreadable == ""
    return facts


def why(data: bytes) -> str:
    facts = inspect(of_bytes(data))
    assert facts.format in {"npy", "npz", "zip"}
    assert facts.unreadable
    return facts.unreadable


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
     "complex64", "complex128", "longdouble"],
)  # fmt: skip
def test_what_numpy_writes(dtype: str, version: tuple[int, int]):
    array = np.ones((2, 3), dtype)
    data = save(array, version)
    facts = read(data)
    (one,) = facts.tensors
    assert (facts.format, facts.parameters, facts.notes) == ("npy", 6, ())
    assert (one.name, one.dtype, one.shape) == ("", array.dtype.name, (2, 3))
    assert data[one.start : one.end] == array.tobytes()


def test_big_endian_numbers_say_so():
    assert read(save(np.ones(3, ">f8"))).tensors[0].dtype == ">f8"


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array(["a", "bcd"]), "<U3"),
        (np.array([b"a", b"bcd"]), "|S3"),
        (np.array(["2026-01-01"], "M8[D]"), "<M8[D]"),
        (np.zeros(3, "V5"), "|V5"),
        (np.zeros(3, [("a", "<f4"), ("b", "<i8", (2, 3)), ("c", [("d", "|b1")])]), "void424"),
        (np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)), "void128"),
    ],
)
def test_what_are_no_numbers(array: np.ndarray, dtype: str):
    data = save(array)
    facts = read(data)
    (one,) = facts.tensors
    assert (one.dtype, one.shape, facts.parameters) == (dtype, array.shape, 0)
    assert data[one.start : one.end] == array.tobytes()


def test_shapes():
    assert read(save(np.float32(3))).tensors[0].shape == ()
    assert read(save(np.zeros((0, 3)))).parameters == 0
    assert read(save(np.zeros((3, 4), order="F"))).notes == ("1 in Fortran order",)


def test_several_arrays_in_one_file():
    facts = read(save(np.zeros(2)) + save(np.zeros(3)))
    assert [(one.name, one.shape) for one in facts.tensors] == [("0", (2,)), ("1", (3,))]
    assert facts.parameters == 5


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
def test_npz(save_as: Callable[..., None]):
    out = io.BytesIO()
    arrays = {"w": np.arange(6.0).reshape(2, 3), "sub/b": np.arange(4, dtype=np.int8)}
    save_as(out, **arrays)
    data = out.getvalue()
    facts = read(data)
    assert (facts.format, facts.parameters) == ("npz", 10)
    for one in facts.tensors:
        assert (one.dtype, one.shape) == (arrays[one.name].dtype.name, arrays[one.name].shape)
        if save_as is np.savez:
            assert data[one.start : one.end] == arrays[one.name].tobytes()
        else:
            assert (one.start, one.end) == (-1, -1)


@pytest.mark.parametrize("name", ["v1.npz", "v2.npz", "v3.npy"])
def test_fixtures(name: str):
    with open(os.path.join(MODELS, name), "rb") as file:
        facts = read(file.read())
    loaded = np.load(os.path.join(MODELS, name))
    arrays = loaded if name.endswith("npz") else {"": loaded}
    assert {one.name: (one.dtype, one.shape) for one in facts.tensors} == {
        key: (arrays[key].dtype.name, arrays[key].shape) for key in arrays
    }


@pytest.mark.parametrize(
    "header",
    [
        PLAIN.replace("<f4", "<f8"),
        PLAIN.replace("(2, 3)", "(2, 4)"),
        PLAIN.replace("(2, 3)", "(2, 2)"),  # bytes behind the array
        PLAIN.replace("(2, 3)", f"({10**18}, {10**18})"),
        PLAIN.replace("(2, 3)", "(-2, 3)"),
        PLAIN.replace("(2, 3)", "(2.0, 3)"),
        PLAIN.replace("(2, 3)", "[2, 3]"),
        PLAIN.replace("(2, 3)", "(True, 3)"),
        PLAIN.replace("(2, 3)", "(6)"),
        PLAIN.replace("(2, 3)", "(" + "1, " * 65 + "6)"),
        PLAIN.replace("False", "0"),
        PLAIN.replace("<f4", "f4"),
        PLAIN.replace("<f4", "<f5"),
        PLAIN.replace("<f4", "|f4"),
        PLAIN.replace("<f4", "=f4"),
        PLAIN.replace("<f4", "<M8"),
        PLAIN.replace("<f4", "<f4[ns]"),
        PLAIN.replace("'<f4'", "[]"),
        PLAIN.replace("'<f4'", "[('a',)]"),
        PLAIN.replace("'<f4'", "[('a', '<f4', 2)]"),
        PLAIN.replace("'<f4'", "[('a', '<f4', (-1,))]"),
        PLAIN.replace("'<f4'", "[('a', " * 15 + "'<f4'" + ")]" * 15),
        PLAIN.replace("'<f4'", "[" * 5000),
        PLAIN.replace("'<f4'", "()"),
        PLAIN.replace("'shape'", "'form'"),
        PLAIN.replace("'shape': (2, 3), ", ""),
        PLAIN.replace("}", "'shape': (2, 3)}"),
        PLAIN.replace("}", "'more': 1}"),
        PLAIN + "1",
        PLAIN[:-1],
        "[" + PLAIN + "]",
        "__import__('os').system('true')",
        "",
        b"\xff",
    ],
)
def test_lies(header: str | bytes):
    assert why(npy(header))


@pytest.mark.parametrize("version", [b"\x00\x00", b"\x01\x01", b"\x04\x00", b"\xff\xff"])
def test_unknown_versions(version: bytes):
    assert "begin" in why(npy(version=version))


def test_a_header_that_is_not_utf8():
    assert "UTF-8" in why(npy(PLAIN.encode() + b"\xff", version=b"\x03\x00"))


@pytest.mark.parametrize("length", [0, 5, 0xFFFF, 0xFFFFFFFF])
def test_a_lying_length_of_the_header(length: int):
    data = npy(version=b"\x02\x00")
    assert why(data[:8] + length.to_bytes(4, "little") + data[12:])


def test_every_truncation():
    data = save(np.zeros(3))
    assert all(why(data[:end]) for end in range(6, len(data)))


def pickled(*imports: str, end: bytes = b".") -> bytes:
    return b"(" + b"".join(f"c{one.replace(' ', chr(10))}\n".encode() for one in imports) + b"l" + end


OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"
RECORD = OBJECTS.replace("'|O'", "[('a', '<f4'), ('b', '|O')]")


@pytest.mark.parametrize("header", [OBJECTS, RECORD])
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_objects_are_pickles(header: str, *, packed: bool):
    data = npy(header, 0) + pickled("a b", "c d")
    if packed:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("x.npy", save(np.zeros(3)))
            file.writestr("y.npy", data)
            file.writestr("z.npy", npy(header, 0) + pickled("e f"))
        data = out.getvalue()
    facts = read(data)
    assert [one.name for one in facts.imports] == ["a.b", "c.d", *(["e.f"] if packed else [])]
    assert facts.notes == ("holds Python objects, as pickles",)
    assert facts.tensors[-1].start == -1
    assert facts.tensors[-1].dtype == "object"


def test_an_array_of_objects_that_numpy_writes():
    facts = read(save(np.array([{"a": 1}, None, "x"], dtype=object)))
    assert facts.parameters == 0
    assert any("_reconstruct" in one.name for one in facts.imports)


def test_what_was_imported_before_it_became_unreadable_counts():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.npy", b"no array")
        file.writestr("b.npy", npy(OBJECTS, 0) + pickled("os system", end=b"!"))
        file.writestr("c.npy", npy(OBJECTS, 0) + pickled("c d"))
    facts = inspect(of_bytes(out.getvalue()))
    assert facts.unreadable
    assert [one.name for one in facts.imports] == ["c.d", "os.system"]
    after = inspect(of_bytes(npy(OBJECTS, 0) + pickled("a b") + pickled("os system")))
    assert [one.name for one in after.imports] == ["a.b", "os.system"]


def test_the_clock_is_no_reason_of_the_file():
    with pytest.raises(OutOfTime):
        inspect(of_bytes(npy(OBJECTS, 0) + pickled("a b")), Budget(seconds=-1))


def test_a_member_that_is_no_array():
    for data in (b"", b"x" * 1000, save(np.zeros(3)) + b"x", save(np.zeros(3))[:-1]):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", method) as file:
                file.writestr("a.npy", data)
            assert why(out.getvalue())


def test_a_zip_with_other_members_is_no_npz():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.npy", save(np.zeros(3)))
        file.writestr("evil", b"")
    assert read(out.getvalue()).format == "unknown"


def test_many_arrays_within_the_budget():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(30):
            file.writestr(f"{number}.npy", save(np.zeros(1)))
    facts = inspect(of_bytes(out.getvalue()), Budget(memory=20_000))
    assert "memory" in facts.unreadable


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("12L", 12), ("True", True), ("None", None), ("'a\"'", 'a"'), ('"b\'"', "b'"), ("()", ()),
        ("(1,)", (1,)), ("(1)", 1), ("(1, 2)", (1, 2)), ("[1]", [1]), ("[]", []), ("{}", {}),
        ("{'a': [('b', '<f4')]}", {"a": [("b", "<f4")]}), (" { 'a' :1 , } \n", {"a": 1}),
    ],
)  # fmt: skip
def test_literals(text: str, value: object):
    assert read_literal(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "01", "1 2", "'a' 'b'", "'a\\n'", "(1 2)", "(,)", "[1,,2]", "(1]", "(1", "{1: 2}", "{'a'}", "{'a': 1 'b': 2}",
     "{'a': }", "{'a': 1, 'a': 1}", "{,}", "-1", "1.0", "1e5", "0x1", "Truer", "(" * 9999, "'", "b'a'", "a", "9" * 30],
)  # fmt: skip
def test_what_is_no_literal(text: str):
    with pytest.raises(Unreadable):
        read_literal(text)

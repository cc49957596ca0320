"""Pickles, plain, of joblib and compressed: what is read of them, and what a summary says."""

from __future__ import annotations

import bz2
import lzma
import pickle
import random
import struct
import sys
import time
import types
import zlib
from typing import Any

import numpy as np
import pytest

from modelvc.modelfiles.facts import Field
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Source, of_bytes
from tests.fixtures.attacks.building import (
    dtype,
    framed,
    gzip,
    integer,
    joblib,
    name,
    new,
    padding,
    pickled,
    u,
    wrapper,
)
from tests.support.inert import facts, imports, known_bad


def made(class_name: str, **state: Any) -> Any:
    """An object of a class that looks as if it were scikit-learn's."""
    module, _, last = class_name.rpartition(".")
    known = sys.modules.setdefault(module, types.ModuleType(module))
    if not hasattr(known, last):
        setattr(known, last, type(last, (), {"__module__": module}))
    thing = getattr(known, last)()
    thing.__dict__.update(state)
    return thing


TREE = "sklearn.fake_tree.Tree"
FOREST = "sklearn.fake_forest.Forest"
PIPELINE = "sklearn.fake_pipeline.Pipeline"


def forest() -> Any:
    trees = [
        made("sklearn.fake_tree.DecisionTree", tree_=made(TREE, node_count=7 + at, max_depth=3)) for at in range(3)
    ]
    return made(
        FOREST,
        n_estimators=3,
        max_depth=None,
        criterion="gini",
        random_state=np.int64(7),
        estimators_=trees,
        _private=1,
        coef_=np.arange(6.0).reshape(2, 3),
        n_features_in_=4,
        _sklearn_version="1.9.1",
        feature_names_in_=np.array(["a", "b", "c", "d"], dtype=object),
    )


@pytest.fixture(scope="module")
def model() -> Any:
    return made(
        PIPELINE, steps=[("scale", made("sklearn.fake_scale.Scaler", copy=True)), ("model", forest())], memory=None
    )


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_model_is(model: Any, protocol: int) -> None:
    data = pickle.dumps(model, protocol)
    found = facts(data)
    assert (found.format, found.framework, found.class_name, found.version) == (
        "pickle",
        "scikit-learn",
        "Pipeline",
        "1.9.1",
    )
    assert found.unreadable == ""
    parameters = dict(found.hyper_parameters)
    assert parameters["steps"] == "[('scale', Scaler(...)), ('model', Forest(...))]"
    assert parameters["scale__copy"] is True
    assert parameters["model__n_estimators"] == 3
    assert parameters["model__max_depth"] == "None"
    assert parameters["model__random_state"] == 7
    assert not any("private" in key or key.endswith("_") for key in parameters)
    assert dict(found.figures) == {"trees": 3, "nodes": 24, "depth": 3}
    assert found.inputs == tuple(Field(one) for one in "abcd")
    tensor = next(one for one in found.tensors if one.name.endswith("coef_"))
    assert (tensor.name, tensor.dtype, tensor.shape) == ("steps.1.1.coef_", "float64", (2, 3))
    if protocol >= 3:
        assert data[tensor.start : tensor.end] == np.arange(6.0).tobytes()
    assert found.parameters == 6
    assert imports(found)[FOREST] is True


def test_an_array_alone() -> None:
    found = facts(pickle.dumps(np.zeros((3, 4), np.float32), 5))
    assert [(one.dtype, one.shape) for one in found.tensors] == [("float32", (3, 4))]
    found = facts(pickle.dumps(np.zeros(3, [("a", "<f4"), ("b", "<i8", (2,))]), 4))
    assert [(one.dtype, one.shape) for one in found.tensors] == [("structured", (3,))]


def test_texts_are_cut_and_escaped() -> None:
    found = facts(pickle.dumps(made(FOREST, **{"a\x1b[2J": "\x1b]0;x\x07" * 100}), 4))
    ((key, value),) = found.hyper_parameters
    assert key == "a\\x1b[2J"
    assert str(value).isprintable()
    assert len(str(value)) <= 200


# -- joblib


def test_an_array_of_joblib_is_skipped() -> None:
    data = joblib(before=u("before"), array=np.arange(4.0).tobytes(), after=u("behind"))
    found = facts(data)
    assert (found.format, found.unreadable) == ("joblib", "")
    (tensor,) = found.tensors
    assert data[tensor.start : tensor.end] == np.arange(4.0).tobytes()
    assert imports(found) == {
        "joblib.numpy_pickle.NumpyArrayWrapper": True,
        "numpy.dtype": True,
        "numpy.ndarray": False,
    }


def test_an_old_array_of_joblib_has_no_padding() -> None:
    data = b"\x80\x04" + wrapper(numpy_array_alignment_bytes=b"") + bytes(32) + b"."
    assert facts(data).unreadable == ""
    data = b"\x80\x04" + wrapper(numpy_array_alignment_bytes=b"N") + bytes(32) + b"."
    assert facts(data).unreadable == ""


def test_an_array_of_objects_has_a_pickle_of_its_own() -> None:
    objects = dtype("O8", order="|", flags=63)
    inner = pickle.dumps(np.array(["a", None], dtype=object), 5)
    data = b"\x80\x04" + wrapper(dtype=objects, shape=b"K\x02\x85") + inner + b"."
    found = facts(data)
    assert found.unreadable == ""
    assert "numpy.dtype" in imports(found)


@pytest.mark.parametrize(
    ("code", "size", "order"),
    [("f4", -1, "<"), ("i8", -1, ">"), ("b1", -1, "|"), ("U3", 12, "<"), ("S5", 5, "|"), ("V16", 16, "|")],
)
def test_dtypes_of_joblib(code: str, size: int, order: str) -> None:
    length = {"f4": 4, "i8": 8, "b1": 1, "U3": 12, "S5": 5, "V16": 16}[code]
    data = joblib(array=bytes(4 * length), dtype=dtype(code, size=size, order=order))
    assert facts(data).unreadable == ""


def test_arrays_that_span_windows() -> None:
    head = b"\x80\x04" + wrapper(shape=integer(700_000) + b"\x85")
    data = head + padding(len(head)) + random.Random(1).randbytes(5_600_000) + b"."
    asked: list[int] = []

    def read_at(at: int, length: int) -> bytes:
        asked.append(length)
        return data[at : at + length]

    assert inspect(Source(len(data), read_at)).unreadable == ""
    assert sum(asked) < 4 << 20, "the bytes of the array are not read"
    assert facts(zlib.compress(data)).unreadable == ""


def test_an_array_inside_of_a_frame_is_unreadable() -> None:
    """joblib takes the array from behind the frame, and executes the rest of the frame."""
    data = b"\x80\x04" + framed(wrapper(numpy_array_alignment_bytes=b""), b"N0" * 16, b".") + b"N." * 16
    assert facts(data).unreadable == "an array of joblib is not as joblib writes it"


COMPRESSED = {
    "zlib": zlib.compress,
    "gzip": gzip,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed(model: Any, kind: str) -> None:
    plain = facts(pickle.dumps(model, 4))
    found = facts(COMPRESSED[kind](pickle.dumps(model, 4)))
    assert found.format == "joblib"
    assert found.notes == (f"compressed by {kind}",)
    assert (found.hyper_parameters, found.imports) == (plain.hyper_parameters, plain.imports)
    assert all(one.start == -1 for one in found.tensors)
    assert facts(COMPRESSED[kind](joblib())).unreadable == ""


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_text_is_no_model(kind: str) -> None:
    assert facts(COMPRESSED[kind](b"{'a': 1}\n" * 1000)).format == "unknown"


@pytest.mark.parametrize("kind", COMPRESSED)
def test_what_follows_a_compressed_stream(kind: str) -> None:
    data = COMPRESSED[kind](pickle.dumps([1], 4))
    assert facts(data + b"x").unreadable
    assert facts(data + data).unreadable
    if kind != "lzma":  # its end may be missing
        assert facts(data[:-3]).unreadable


def test_lz4_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    assert facts(b"\x04\x22\x4d\x18" + bytes(20)).unreadable == "reading it needs the library lz4"


def test_findings_count_beyond_the_budget() -> None:
    data = pickle.dumps([np.zeros(at) for at in range(50)], 4)
    run = b"cos\nsystem\n(S'true'\ntR."
    found = facts(data + run, members=20)
    assert found.unreadable == "it has more members than are read"
    assert known_bad(found) == ["calls os.system"]


def test_dtypes_in_each_other_do_not_expand() -> None:
    """Eight times a hundred fields of one dtype: 100**8 of them."""
    inner = dtype() + b"\x94"
    for at in range(8):
        got = b"j" + struct.pack("<I", at)
        names = b"(" + b"".join(u(f"f{one}") for one in range(100)) + b"t"
        fields = b"}(" + b"".join(u(f"f{one}") + got + b"K\x00\x86" for one in range(100)) + b"u"
        inner += b"0" + dtype("V8", order="|", size=8, fields=names + fields) + b"\x94"
    start = time.process_time()
    assert facts(pickled(inner)).unreadable == ""
    joblib_file = b"\x80\x04" + inner + b"0" + wrapper(dtype=b"j" + struct.pack("<I", 8))
    facts(joblib_file)
    assert time.process_time() - start < 5


def test_many_pickles_are_read_in_little() -> None:
    asked: list[int] = []
    data = b"\x80\x04N." * 2000 + bytes(3 << 20)

    def read_at(at: int, length: int) -> bytes:
        asked.append(length)
        return data[at : at + length]

    assert inspect(Source(len(data), read_at)).unreadable
    assert max(asked[:2000]) <= 1 << 16


# -- what is no pickle


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Name,Price\nA,1\n",
        b"Index\n1\n2\n",
        b"# Notes\n",
        b"id,label\n1,2\n",
        b"column\n1\n2\n",
        b"client_id,x\n1,2\n",
        b"1.0 2.0\n",
        b"x^2 + 1\n",
        b"Version 1\n",
        b"(base) $ ls\n",
        b"]\n",
        b"BZh",
        b"\x1f\x8b",
        b"Large text\n" * 1000,
        b"Ba large text\n" * 1000,
        b"Take it\n" * 1000,
        b"\0" * 100,
        b"Model card\n",
        b"Kind regards",
    ],
)
def test_texts_are_no_pickles(text: bytes) -> None:
    found = facts(text)
    assert found.format == "unknown" or found.unreadable == "the compressed data end too early"


def test_pickles_without_a_protocol() -> None:
    assert facts(pickle.dumps([1.5, "a", {"b": 2}], 0)).format == "pickle"
    assert facts(pickle.dumps(list(range(5000)), 0)).format == "pickle"
    assert facts(pickle.dumps([b"x" * 9000], 1)).format == "pickle"


def test_a_class_that_is_only_named_has_no_state() -> None:
    found = facts(pickled(new("a.B"), u("k"), name("c.D"), b"s"))
    assert found.class_name == "a.B"
    assert inspect(of_bytes(b"\x80\x04N.")).class_name == ""

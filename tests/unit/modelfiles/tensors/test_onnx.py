from __future__ import annotations

import os
import struct
import time

import pytest

from modelvc.modelfiles.facts import NAME, Field, Finding, ModelFacts, Severity
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.recognise import is_onnx
from modelvc.modelfiles.source import Budget, Source, of_bytes
from modelvc.modelfiles.tensors import onnx
from modelvc.modelfiles.tensors.onnx_tensors import DTYPES
from tests.support.onnx_bytes import (
    external,
    floats,
    graph,
    held,
    integer,
    model,
    node,
    packed,
    tensor,
    value,
)

FIXTURE = os.path.join(os.path.dirname(__file__), "..", "..", "..", "fixtures", "models", "onnx", "v1.onnx")
BAD, CODE = Severity.KNOWN_BAD, Severity.CODE


def read(data: bytes) -> ModelFacts:
    facts = inspect(of_bytes(data))
    assert (facts.format, facts.unreadable) == ("onnx", "")
    return facts


def why(data: bytes) -> str:
    facts = inspect(of_bytes(data))
    assert facts.format == "onnx"
    assert facts.unreadable
    return facts.unreadable


def initial(*bodies: bytes) -> bytes:
    return b"".join(held(5, body) for body in bodies)


def test_a_model():
    weights = tensor("w", (2, 3), 1, held(9, struct.pack("<6f", *range(6))))
    data = model(
        graph(
            node("Gemm"), node("Relu"), node("Gemm"), node("Scaler", domain="ai.onnx.ml"),
            initial(weights, tensor("i", (2,), 7, packed(7, 1, -1))),
            held(11, value("x", 1, "batch", 3, None)), held(12, value("y", 11)),
        ),
        held(14, held(1, "author") + held(2, "me")),
        opset={"": 20, "ai.onnx.ml": 3},
    )  # fmt: skip
    facts = read(data)
    assert (facts.framework, facts.version, facts.parameters) == ("by hand", "1.0", 6)
    assert facts.figures == (
        ("ir_version", 9), ("opset", 20), ("opset ai.onnx.ml", 3), ("operators", 4), ("Gemm", 2), ("Relu", 1),
        ("Scaler", 1), ("author", "me"),
    )  # fmt: skip
    assert facts.inputs == (Field("x", "float32", (-1, 3, -1)),)
    assert facts.outputs == (Field("y", "float64", ()),)
    assert [(one.name, one.dtype, one.shape) for one in facts.tensors] == [
        ("w", "float32", (2, 3)),
        ("i", "int64", (2,)),
    ]
    assert data[facts.tensors[0].start : facts.tensors[0].end] == struct.pack("<6f", *range(6))
    assert facts.tensors[1].start == -1
    assert facts.findings == ()


def test_fixture():
    with open(FIXTURE, "rb") as file:
        facts = read(file.read())
    assert facts.parameters
    assert all(one.start > 0 for one in facts.tensors)


def test_types_that_are_no_tensors():
    inner = held(1, integer(1, 1))
    kinds = {
        "sequence(map(int64, float32))": held(4, held(1, held(5, integer(1, 7) + held(2, inner)))),
        "optional(float32)": held(9, held(1, inner)),
        "opaque": held(7, b""),
        "int32": held(8, integer(1, 6)),
        "": b"",
    }
    outputs = b"".join(held(12, held(1, "y") + held(2, kind)) for kind in kinds.values())
    assert [one.dtype for one in read(model(graph(outputs))).outputs] == list(kinds)


@pytest.mark.parametrize("number", DTYPES)
def test_raw_data_of_every_type(number: int):
    widths = {"complex128": 16, "float64": 8, "int64": 8, "uint64": 8, "complex64": 8, "float32": 4, "int32": 4,
              "uint32": 4, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2}  # fmt: skip
    dtype = DTYPES[number]
    size = {"int4": 3, "uint4": 3, "float4_e2m1": 3, "int2": 2, "uint2": 2}.get(dtype, 5 * widths.get(dtype, 1))
    good = model(graph(initial(tensor("w", (5,), number, held(9, bytes(size))))))
    if dtype == "string":
        assert "two kinds" in why(good)
        good = model(graph(initial(tensor("w", (2,), number, held(6, "a"), held(6, "b")))))
        assert read(good).tensors[0].start == -1
        return
    facts = read(good)
    assert facts.tensors[0].end - facts.tensors[0].start == size
    for other in (0, size - 1, size + 1):
        assert "not as long" in why(model(graph(initial(tensor("w", (5,), number, held(9, bytes(other)))))))


@pytest.mark.parametrize(
    ("kind", "data", "placed"),
    [
        (1, floats(4, 1, 2, 3), True),
        (1, b"\x25abcd" * 3, False),
        (14, floats(4, *range(6)), True),
        (11, held(10, bytes(24)), True),
        (7, packed(7, 1, -1, 300), False),
        (7, integer(7, 1) * 3, False),
        (6, packed(5, 1, 2, 3), False),
        (9, packed(5, 1, 0, 1), False),
        (10, packed(5, 1, 2, 3), False),
        (12, packed(11, 1, 2, 3), False),
        (13, packed(11, 1, 2, 3), False),
        (22, packed(5, 1, 2), False),
        (22, packed(5, 1, 2, 3), False),
        (8, held(6, "a") * 3, False),
    ],
)
def test_typed_data(kind: int, data: bytes, *, placed: bool):
    found = read(model(graph(initial(tensor("w", (3,), kind, data))))).tensors[0]
    assert (found.start > 0) is placed
    assert "not as long" in why(model(graph(initial(tensor("w", (9,), kind, data)))))


def test_no_data_for_no_numbers():
    assert read(model(graph(initial(tensor("w", (0, 4), 1, b""), tensor("s", (), 1, floats(4, 1)))))).parameters == 1
    assert "not as long" in why(model(graph(initial(tensor("w", (3,), 1, b"")))))


def test_packed_dims():
    body = packed(1, 2, 3) + integer(2, 1) + held(8, "w") + held(9, bytes(24))
    assert read(model(graph(initial(body)))).tensors[0].shape == (2, 3)


@pytest.mark.parametrize(
    "body",
    [
        tensor("w", (1,), 0),
        tensor("w", (1,), 99),
        tensor("w", (-1,)[:0], 1, integer(1, -1), held(9, b"")),
        tensor("w", (1,) * 65, 1),
        integer(2, 1) + packed(1, *[1] * 2000),
        tensor("w", (1 << 62, 1 << 62), 1, held(9, bytes(4))),
        tensor("w", (1,), 1, held(9, bytes(4)), floats(4, 1)),
        tensor("w", (1,), 1, held(9, bytes(4)), held(9, bytes(4))),
        tensor("w", (1,), 1, floats(4, 1), held(10, bytes(8))),
        tensor("w", (1,), 1, held(10, bytes(8))),
        tensor("w", (1,), 7, packed(5, 1)),
        tensor("w", (1,), 1, held(4, bytes(5))),
        tensor("w", (1,), 7, held(7, b"\x80")),
        tensor("w", (1,), 1, held(3, b""), held(9, bytes(4))),
        tensor("w", (1,), 1, held(9, bytes(4)), integer(14, 2)),
        tensor("w", (1,), 1, held(9, bytes(4)), integer(14, 1)),
        tensor("w", (1,), 1, held(9, bytes(4)), held(13, held(1, "location") + held(2, "a"))),
        tensor("w", (1,), 1, held(13, held(1, "location") + held(2, "a"))),
        external("w", (1,), location="a", offset="-1"),
        external("w", (1,), location="a", offset="1e3"),
        external("w", (1,), location="a", length="5"),
        external("w", (1,), location="a") + held(13, held(1, "location") + held(2, "b")),
        held(8, b"\xff") + tensor("", (1,))[:-6],
        held(8, "x" * 70_000) + integer(2, 1),
        held(2, "x"),
    ],
)
def test_lying_tensors(body: bytes):
    assert why(model(graph(initial(body))))
    assert why(model(graph(node("Constant", held(1, "value") + held(5, body)))))


def test_two_tensors_of_one_name():
    assert "one name" in why(model(graph(initial(tensor("w", (1,)), tensor("w", (1,))))))
    long = "x" * 300
    assert len(read(model(graph(initial(tensor(long + "1", (1,)), tensor(long + "2", (1,)))))).tensors) == 2


def test_external_data():
    body = external("w", (2, 3), location="model.data", offset="64", length="24")
    facts = read(model(graph(initial(body, external("v", (2,), location="model.data")))))
    one, other = facts.tensors
    assert (one.member, one.start, one.end) == ("model.data", 64, 88)
    assert (other.member, other.start, other.end) == ("model.data", 0, 8)
    assert facts.notes == ("2 tensors in model.data",)
    assert facts.findings == ()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret", "a/../../secret", "a\\..\\..\\secret", "C:\\secret", "c:secret", "\\\\host\\share",
     "..", "*/_ORT_MEM_ADDR_/*", "x/" * 150 + "../" * 160 + "secret", "a\0b"],
)  # fmt: skip
def test_external_data_outside_of_the_folder(path: str):
    body = external("w", (1,), location=path)
    for data in (
        model(graph(initial(body))),
        model(graph(node("Constant", held(1, "value") + held(5, body)))),
        model(graph(node("If", held(1, "then_branch") + held(6, graph(initial(body)))))),
        model(
            graph(),
            held(
                25,
                held(1, "f") + held(10, "mine") + node("C", held(1, "v") + held(5, body)).replace(b"\x0a", b"\x3a", 1),
            ),
        ),
        model(graph(held(15, held(1, body) + held(2, tensor("i", (1,), 7, packed(7, 0)))))),
        model(graph(), held(20, held(1, graph(initial(body))))),
    ):
        facts = inspect(of_bytes(data))
        assert [one.severity for one in facts.findings] == [BAD], facts
        assert "outside of its folder" in facts.findings[0].what
        assert all(one.what.isprintable() for one in facts.findings)


def test_a_finding_outlives_what_is_unreadable():
    bad = external("w", (1,), location="/etc/passwd")
    facts = inspect(of_bytes(model(graph(initial(bad, tensor("v", (1,), 99))))))
    assert facts.unreadable
    assert [one.severity for one in facts.findings] == [BAD]


def test_operators_of_another_library():
    facts = read(
        model(graph(node("PyOp", domain="ai.onnx.contrib"), node("Gelu", domain="com.microsoft"), node("Add")))
    )
    assert facts.findings == (Finding(CODE, "needs operators of ai.onnx.contrib"),)
    assert dict(facts.figures)["com.microsoft.Gelu"] == 1


def test_operators_that_the_model_defines():
    inner = node("Add")[2:]
    function = held(25, held(1, "Twice") + held(7, inner) + held(10, "mine"))
    call = node("Twice", domain="mine")
    assert read(model(graph(call), function, opset={"": 20, "mine": 1})).findings == ()
    facts = read(model(graph(call, node("Thrice", domain="mine")), function))
    assert facts.findings == (Finding(CODE, "needs operators of mine"),)
    evil = held(25, held(1, "Twice") + held(7, node("Run", domain="evil")[2:]) + held(10, "mine"))
    assert read(model(graph(call), evil)).findings == (Finding(CODE, "needs operators of evil"),)


def test_graphs_inside_of_operators():
    branch = graph(node("Mul"), node("Run", domain="evil"), initial(tensor("w", (2,))), held(11, value("inner", 1)))
    facts = read(model(graph(node("If", held(1, "then_branch") + held(6, branch), name="if_0"))))
    assert dict(facts.figures)["operators"] == 3
    assert [one.name for one in facts.tensors] == ["if_0/then_branch/w"]
    assert facts.inputs == ()
    assert facts.findings == (Finding(CODE, "needs operators of evil"),)
    assert read(model(graph(node("Scan", held(1, "bodies") + held(11, branch) * 2)))).parameters == 4


def test_graphs_are_not_nested_without_end():
    inner = graph(node("Add"))
    for _ in range(200):
        inner = graph(node("If", held(6, inner)))
    assert "deep" in why(model(inner))
    kind = held(1, integer(1, 1))
    for _ in range(200):
        kind = held(4, held(1, kind))
    assert "deep" in why(model(graph(held(12, held(1, "y") + held(2, kind)))))


def test_initialisers_are_no_inputs():
    facts = read(model(graph(initial(tensor("w", (1,))), held(11, value("w", 1, 1)), held(11, value("x", 1, 1)))))
    assert [one.name for one in facts.inputs] == ["x"]


def test_the_nodes_of_a_forest_are_counted():
    for numbers in (integer(8, 5) * 70_000, packed(8, *range(70_000))):
        modes, values = held(1, "nodes_modes") + held(9, "LEAF") * 9, held(1, "nodes_values") + b"\x3dabcd" * 9
        tree = node("TreeEnsembleClassifier", held(1, "nodes_nodeids") + numbers, modes, values, domain="ai.onnx.ml")
        assert dict(read(model(graph(tree))).figures)["tree nodes"] == 70_000


def test_one_set_of_operators_twice():
    data = model(graph(), held(8, held(1, "") + integer(2, 18)))
    assert dict(read(data).figures)["opset"] == 20


@pytest.mark.parametrize(
    "more",
    [held(7, graph()), held(2, "again"), integer(5, 1) * 2, held(20, integer(1, 1)), held(25, held(7, b"\x08")),
     held(14, b"\x0a\xff"), b"\x0b", held(8, held(1, b"\xff"))],
)  # fmt: skip
def test_lying_models(more: bytes):
    assert why(model(graph(), more))


def test_a_model_without_a_graph():
    assert "no graph" in why(integer(1, 9) + held(2, "x") + held(8, b""))


def test_every_truncation():
    data = model(graph(node("Add", held(1, "a") + held(5, tensor("c", (1,)))), initial(tensor("w", (2,)))))
    for end in range(len(data)):
        facts = inspect(of_bytes(data[:end]))
        assert facts.unreadable or facts.format == "unknown" or data[end : end + 1] == b"\x42"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x08\x09",
        b"\x08\x00\x3a\x00",
        b"\x08\x41\x3a\x00",
        b"\x08\x01\x12\x05\x0a\x03abc",  # a SavedModel of TensorFlow
        b"\x08\x04\x12\x02\x0a\x00\x9a\x1f\x00",  # a model of Core ML
        b"\x08\x09\x1a\x01a\x12\x01b\x3a\x00",  # fields out of order
        b"\x08\x09\x12\x01a\x12\x01b\x3a\x00",
        b"\x08\x09\x10\x01\x3a\x00",
        b"\x08\x09\x12\x50" + b"a" * 9,
        b"\x08\x09\x28\x80\x80",
        b"\x08\x09\x4a\x00\x3a\x00",
        bytes(100),
        b"\x08" * 100,
    ],
)
def test_what_is_no_model(head: bytes):
    assert not is_onnx(head)


def test_what_is_a_model():
    assert is_onnx(model(graph()))
    assert is_onnx(b"\x08\x09\x3a\x00")
    assert is_onnx(integer(1, 9) + held(2, "pytorch") + integer(5, -1) + held(6, "notes\n" * 5000)[:4000])
    assert is_onnx(integer(1, 9) + held(8, b""))


# -- the content digest


def content(data: bytes) -> str:
    return read(data).content


def test_the_name_of_the_graph_is_no_content():
    parts = [node("Add"), initial(tensor("w", (2,)))]
    first = content(model(graph(*parts, name="a" * 32)))
    assert len(first) == 64
    assert content(model(graph(*parts, name="b" * 200))) == first
    assert content(model(b"".join(parts))) == first


def test_everything_else_is_content():
    base = model(graph(node("Add"), initial(tensor("w", (2,)))))
    first = content(base)
    assert content(model(graph(node("Sub"), initial(tensor("w", (2,)))))) != first
    assert content(model(graph(initial(tensor("w", (2,))), node("Add")))) != first
    assert content(model(graph(node("Add"), initial(tensor("w", (2,)))), producer="me")) != first
    assert content(base + held(6, "notes")) != first
    assert content(base + held(99, "unknown")) != first
    assert content(model(graph(node("Add"), initial(tensor("w", (2,)))) + held(99, "unknown"))) != first
    # a name inside of an operator stays
    assert content(model(graph(node("Add", name="n"), initial(tensor("w", (2,)))))) != first


def test_a_field_may_not_move_out_of_the_graph():
    inside = model(graph(node("Add")) + held(99, "x"))
    outside = integer(1, 9) + held(2, "by hand") + held(3, "1.0") + held(7, graph(node("Add"))) + held(99, "x")
    outside += held(8, held(1, "") + integer(2, 20))
    assert content(inside) != content(outside)


# -- budgets


def test_names_are_hostile():
    facts = read(
        model(graph(node("\x1b[2J" + "x" * 500, domain="\x1b" * 300), initial(tensor("\n" + "y" * 500, (1,)))))
    )
    texts = [name for name, _ in facts.figures] + [facts.tensors[0].name, facts.findings[0].what]
    assert all(text.isprintable() and len(text) <= NAME for text in texts)


def test_the_budget():
    many = model(graph(*(held(5, tensor(f"w{n}", (1,))) for n in range(60))))
    assert "members" in inspect(of_bytes(many), Budget(members=50)).unreadable
    assert "memory" in inspect(of_bytes(many), Budget(memory=9000)).unreadable
    kinds = model(graph(*(node(f"k{n}") for n in range(60))))
    assert "members" in inspect(of_bytes(kinds), Budget(members=50)).unreadable
    assert "operations" in inspect(of_bytes(many), Budget(operations=2000)).unreadable


def test_the_bytes_of_tensors_are_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx, "_HASHED", 0)
    data = model(graph(*(held(5, tensor(f"w{n}", (50_000,))) for n in range(40))))
    asked = [0]

    def read_at(offset: int, length: int) -> bytes:
        asked[0] += length
        return data[offset : offset + length]

    assert len(inspect(Source(len(data), read_at)).tensors) == 40
    assert asked[0] < len(data) / 20


def test_a_list_of_a_million_numbers_is_passed_fast():
    tree = node("TreeEnsembleClassifier", held(1, "nodes_values") + b"\x3dabcd" * 1_000_000)
    data = model(graph(tree))
    began = time.process_time()
    read(data)
    assert time.process_time() - began < 0.5

"""skops: names count as skops would use them, and what readers could see in two ways is unreadable."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import of_bytes


def plain(value: object, number: int | None = None) -> dict[str, Any]:
    node = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}
    return node if number is None else node | {"__id__": number}


def node(loader: str, name: str, number: int | None = None, **rest: Any) -> dict[str, Any]:
    module, _, kind = name.rpartition(".")
    made = {"__class__": kind, "__module__": module, "__loader__": loader, **rest}
    return made if number is None else made | {"__id__": number}


def listed(*items: dict[str, Any], number: int | None = None) -> dict[str, Any]:
    return node("ListNode", "builtins.list", number, content=list(items))


def dictionary(content: dict[str, Any], *types: dict[str, Any]) -> dict[str, Any]:
    return node("DictNode", "builtins.dict", content=content, key_types=listed(*types))


def model(**attributes: dict[str, Any]) -> dict[str, Any]:
    return node("ObjectNode", "sklearn.x.Model", 1, content=dictionary(attributes))


def packed(schema: object, members: dict[str, bytes] | None = None) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, data in (members or {}).items():
            file.writestr(name, data)
        file.writestr("schema.json", json.dumps(schema))
    return held.getvalue()


def facts(schema: object, members: dict[str, bytes] | None = None):
    return inspect(of_bytes(packed(schema, members)))


def array(value: object = (1.0, 2.0)) -> bytes:
    held = io.BytesIO()
    np.save(held, np.array(value), allow_pickle=True)
    return held.getvalue()


def uses(schema: object, members: dict[str, bytes] | None = None) -> dict[str, Use]:
    found = facts(schema, members)
    assert found.unreadable == ""
    return {one.name: one.use for one in found.imports}


REFERRED, CREATED, CONSTRUCTED = Use.REFERRED, Use.CREATED, Use.CONSTRUCTED


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (node("FunctionNode", "os.system"), {"os.system": REFERRED}),
        (node("TypeNode", "os.popen"), {"os.popen": REFERRED}),
        (node("FunctionNode", "x.f", content={"module_path": "os", "function": "system"}), {"os.system": REFERRED}),
        (node("ObjectNode", "subprocess.Popen"), {"subprocess.Popen": Use.CREATED}),
        (node("NdArrayNode", "numpy.ndarray", type="json", content=[], shape=listed()), {"numpy.ndarray": Use.CREATED}),
        (node("ConstructorFromReduceNode", "os.system", content=listed(plain("id"))), {"os.system": CONSTRUCTED}),
        (node("OperatorFuncNode", "operator.methodcaller", attrs=listed()), {"operator.methodcaller": CONSTRUCTED}),
        (
            node("MethodNode", "a.B", content={"func": "run", "obj": node("ObjectNode", "a.B")}),
            {"a.B": CONSTRUCTED, "a.B.run": REFERRED},
        ),
        (
            node("PartialNode", "functools.partial", content={"func": node("FunctionNode", "os.system")}),
            {"functools.partial": CONSTRUCTED, "os.system": REFERRED},
        ),
        (
            node(
                "RandomGeneratorNode",
                "numpy.random.Generator",
                content={"bit_generator": dictionary({"bit_generator": plain("seed")}), "seed_seq": dictionary({})},
            ),
            {"numpy.random.seed": CONSTRUCTED},
        ),
        (dictionary({"id": plain(1)}, node("FunctionNode", "os.system")), {"os.system": CONSTRUCTED}),
        (dictionary({"id": plain(1)}, node("TypeNode", "os.system")), {"os.system": CONSTRUCTED}),
        (node("DictNode", "evil.Dict", content={}, key_types=listed()), {"evil.Dict": CONSTRUCTED}),
        (node("NdArrayNode", "numpy.float64", type="json", content=[], shape=listed()), {"numpy.float64": REFERRED}),
        (node("NdArrayNode", "numpy.memmap", type="json", content=[], shape=listed()), {"numpy.memmap": CONSTRUCTED}),
        (node("NdArrayNode", "evil.Array", type="json", content=[], shape=listed()), {"evil.Array": CONSTRUCTED}),
        (node("LossNode", "evil.Loss", __reduce__={"args": listed()}, content=listed()), {"evil.Loss": CONSTRUCTED}),
    ],
)
def test_names_count_as_skops_uses_them(part: dict[str, Any], expected: dict[str, Use]) -> None:
    found = uses(model(a=part))
    assert {name: found.get(name) for name in expected} == expected


def test_a_list_that_a_cached_node_names_is_called_too() -> None:
    """The types of keys may be the list that stands elsewhere, as data."""
    elsewhere = listed(node("FunctionNode", "os.system", 7), number=8)
    cached = node("CachedNode", "builtins.list", 8)
    called = node("DictNode", "builtins.dict", content={"id": plain(1)}, key_types=cached)
    assert uses(model(a=elsewhere, b=called))["os.system"] is CONSTRUCTED
    inside = listed(node("CachedNode", "builtins.str", 7))
    called = node("DictNode", "builtins.dict", content={"id": plain(1)}, key_types=inside)
    assert uses(model(a=elsewhere, b=called))["os.system"] is CONSTRUCTED


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ([], "schema.json holds no object"),
        ({"a": 1}, "schema.json holds no object"),
        (node("EvilNode", "a.B"), "schema.json has a node of an unknown kind, EvilNode"),
        ({"__loader__": "ObjectNode", "__class__": 1, "__module__": "a"}, "schema.json has a node without a class"),
        (model(a=node("TypeNode", "a.B", 5), b=node("TypeNode", "a.C", 5)), "schema.json has two objects with one id"),
        (model(a=node("TypeNode", "a.B", 5), b=plain(1, 5)), "schema.json has two objects with one id"),
        (model(a=plain(1, 5), b=node("TypeNode", "a.B", 5)), "schema.json has two objects with one id"),
        (model(a=plain(1, 5), b=plain(2, 5)), "schema.json has two objects with one id"),
        (model(a=node("TypeNode", "a.B") | {"__id__": "5"}), "schema.json has an id that is no number"),
        (model(a=node("CachedNode", "a.B", 99)), "schema.json refers to an object that it does not hold"),
        (model(a=node("CachedNode", "a.B")), "schema.json refers to an object without an id"),
        (
            model(a=node("DictNode", "a.B", content={}, key_types=[])),
            "schema.json has a dictionary whose keys have no types",
        ),
        (
            model(a=node("DictNode", "a.B", content={}, key_types=node("TypeNode", "a.C"))),
            "schema.json has a dictionary whose keys have no types",
        ),
        (
            model(a=node("RandomGeneratorNode", "a.B", content={"bit_generator": dictionary({})})),
            "schema.json has a random generator without a name",
        ),
        (model(a=plain(1) | {"content": "{"}), "schema.json has plain data that is not JSON"),
        (model(a=node("NdArrayNode", "a.B", file="2.npy")), "schema.json names a member that is not there"),
        (node("ObjectNode", "a.B", __reduce__=node("TypeNode", "a.B")), "schema.json has a node where none belongs"),
    ],
)
def test_what_skops_does_not_write_is_unreadable(schema: object, why: str) -> None:
    assert facts(schema).unreadable == why


def test_members_that_skops_does_not_write_are_unreadable() -> None:
    assert facts(model(), {"../x.npy": b""}).unreadable == "it has a member that skops does not write"
    assert facts(model(), {"evil.pkl": b""}).unreadable == "it has a member that skops does not write"


def test_an_array_of_python_objects_is_named() -> None:
    found = facts(model(a=node("NdArrayNode", "numpy.ndarray", file="2.npy")), {"2.npy": array([{"a": 1}, None])})
    assert found.unreadable or found.findings


def test_arrays_have_their_places() -> None:
    data = packed(model(coef_=node("NdArrayNode", "numpy.ndarray", type="numpy", file="2.npy")), {"2.npy": array()})
    (tensor,) = inspect(of_bytes(data)).tensors
    assert (tensor.name, tensor.dtype, tensor.shape) == ("coef_", "float64", (2,))
    assert np.frombuffer(data[tensor.start : tensor.end]).tolist() == [1.0, 2.0]


def content(schema: object, members: dict[str, bytes]) -> str:
    found = facts(schema, members)
    assert found.unreadable == ""
    assert found.content
    return found.content


def test_the_content_is_independent_of_ids_and_names_of_members_alone() -> None:
    def made(number: int, **other: Any) -> dict[str, Any]:
        ndarray = node("NdArrayNode", "numpy.ndarray", number, type="numpy", file=f"{number}.npy")
        return model(coef_=ndarray, same=node("TypeNode", "a.B", number + 1), **other)

    first = content(made(20), {"20.npy": array()})
    assert content(made(30), {"30.npy": array()}) == first
    assert content(made(20), {"20.npy": array([1.0, 3.0])}) != first
    assert content(made(20, more=plain(1)), {"20.npy": array()}) != first
    assert content(made(20), {"20.npy": array(), "99.bin": b"x"}) != first
    shared = model(a=node("TypeNode", "a.B", 5), b=node("TypeNode", "a.B", 5))
    apart = model(a=node("TypeNode", "a.B", 5), b=node("TypeNode", "a.B", 6))
    assert content(shared, {}) != content(apart, {})


def test_a_list_that_is_too_long_to_be_kept_leaves_no_content() -> None:
    found = facts(model(words=listed(*[plain(n) for n in range(10_001)])))
    assert (found.unreadable, found.content) == ("", "")


def test_hostile_names_are_escaped() -> None:
    found = facts(model(**{"\x1b[2J": plain("\x1b]0;x")}))
    assert found.hyper_parameters == (("\\x1b[2J", "\\x1b]0;x"),)

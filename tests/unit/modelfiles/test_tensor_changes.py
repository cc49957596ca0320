from __future__ import annotations

import builtins
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelvc.errors import UsageError
from modelvc.modelfiles import tensor_changes as module
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, OutOfTime, Source, of_bytes
from modelvc.modelfiles.tensor_changes import COMPARED, Side, tensor_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.modelfiles.difference import TensorChanges

DICE = np.random.default_rng(7)


def saved(arrays: Mapping[str, Any], *, compressed: bool = False) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def side(data: bytes) -> Side:
    facts = inspect(of_bytes(data))
    assert not facts.unreadable
    return Side(facts.tensors, {"": of_bytes(data)}, facts.notes)


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, compressed: bool = False, deep: bool = False
) -> TensorChanges:
    sides = (side(saved(one, compressed=compressed)) for one in (old, new))
    return tensor_changes(*sides, Budget(), deep=deep)


def arrays() -> dict[str, Any]:
    return {name: DICE.standard_normal((30, 40)).astype("float32") for name in "abc"}


@pytest.mark.parametrize("compressed", [False, True])
def test_each_kind_of_change(compressed: bool):  # noqa: FBT001
    old = arrays() | {"old_name": np.arange(100.0), "gone": np.zeros(3), "shape": np.zeros(3), "type": np.zeros(3)}
    new = {**old, "new_name": old["old_name"], "come": np.ones(4), "shape": np.zeros(4), "type": np.zeros(3, "int8")}
    del new["old_name"], new["gone"]
    new["a"] = old["a"].copy()
    new["a"][0, :10] += 0.5
    new["b"] = old["b"] * np.float32(2)
    found = changes(old, new, compressed=compressed)
    assert (found.count, found.same, found.unread) == (7, 1, "")
    assert [(row.change, row.was, row.name) for row in found.rows] == [
        ("changed", None, "b"),  # the one that changed most comes first
        ("changed", None, "a"),
        ("reshaped", None, "shape"),
        ("reshaped", None, "type"),
        ("renamed", "old_name", "new_name"),
        ("added", None, "come"),
        ("removed", None, "gone"),
    ]
    twice, some = found.rows[0].numbers, found.rows[1].numbers
    assert twice
    assert some
    assert (twice.changed, twice.total, round(twice.relative_norm or 0, 6)) == (1_200, 1_200, 1.0)
    assert (some.changed, round(some.largest or 0, 6)) == (10, 0.5)
    assert (found.rows[3].old_dtype, found.rows[3].new_dtype, found.rows[2].new_shape) == ("float64", "int8", (4,))


def test_large_tensors_are_compared_by_ten_unless_it_is_deep(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_SMALL", 1_000)
    old = {f"t{at:02}": DICE.standard_normal(100 + at) for at in range(13)}
    new = {name: array * 1.5 for name, array in old.items()}
    found = changes(old, new)
    assert [row.numbers is None for row in found.rows] == [False] * COMPARED + [True] * 3
    assert {row.name for row in found.rows[COMPARED:]} == {"t00", "t01", "t02"}  # the smallest ones
    assert all(row.numbers for row in changes(old, new, deep=True).rows)


def test_numbers_that_no_comparison_can_be_made_of():
    zeros = changes({"a": np.zeros(3)}, {"a": np.ones(3)}).rows[0].numbers
    assert zeros
    assert (zeros.largest, zeros.relative_norm, zeros.cosine) == (1.0, None, 0.0)
    odd = changes({"a": np.ones(3)}, {"a": np.array([1.0, np.nan, 1.0])}).rows[0].numbers
    assert odd
    assert (odd.changed, odd.remarks) == (1, ("1 became NaN",))


def test_without_numpy_the_tensors_that_changed_are_named(monkeypatch: pytest.MonkeyPatch):
    sides = [side(saved({"a": np.zeros(3), "b": np.ones(2)})), side(saved({"a": np.ones(3), "b": np.ones(2)}))]
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "numpy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    found = tensor_changes(*sides, Budget())
    assert (found.same, [row.name for row in found.rows], found.rows[0].numbers) == (1, ["a"], None)
    assert found.unread == "comparing tensors needs numpy, which is not installed: run `pip install 'modelvc[arrays]'`"
    with pytest.raises(UsageError, match="needs numpy"):
        tensor_changes(*sides, Budget(), deep=True)


def test_equal_chunks_need_no_bytes():
    one = side(saved({"a": np.zeros(3), "b": np.ones(2)}))

    def unread(offset: int, length: int) -> bytes:
        raise AssertionError((offset, length))

    same = one._replace(files={"": Source(one.files[""].size, unread)}, content=lambda *part: part)
    found = tensor_changes(same, same, Budget())
    assert (found.same, found.rows) == (2, ())


def test_parts_of_a_file_that_cannot_be_read_are_said():
    one = side(saved({"a": np.zeros(3)}))
    lost = one._replace(tensors=[one.tensors[0]._replace(member="shard-2")])
    found = tensor_changes(lost, one, Budget())
    assert (found.same, found.rows, found.unread) == (0, (), "a file that holds tensors is missing")
    behind = one._replace(tensors=[one.tensors[0]._replace(end=10_000)])
    assert tensor_changes(behind, one, Budget()).unread == "a part leads behind the end of the file"


def test_the_clock_ends_it():
    one, other = side(saved({"a": np.zeros(3)})), side(saved({"a": np.ones(3)}))
    with pytest.raises(OutOfTime):
        tensor_changes(one, other, Budget(seconds=-1))


def test_fortran_order_is_not_compared_by_numbers():
    old, new = np.asfortranarray(np.zeros((3, 4))), np.ones((3, 4))
    found = changes({"a": old}, {"a": new})
    assert found.rows[0].numbers is None
    assert "Fortran" in found.unread


def test_shards_are_one_model():
    """A tensor that moved to another file of the folder is the same tensor."""
    data = [side(saved({name: np.arange(5.0)})) for name in "ab"]
    old = Side(
        [data[0].tensors[0]._replace(member="1", name="a"), data[1].tensors[0]._replace(member="2", name="b")],
        {"1": data[0].files[""], "2": data[1].files[""]},
    )
    new = Side(
        [one._replace(member={"1": "x", "2": "y"}[one.member]) for one in old.tensors],
        {"x": data[0].files[""], "y": data[1].files[""]},
    )
    found = tensor_changes(old, new, Budget())
    assert (found.same, found.rows) == (2, ())

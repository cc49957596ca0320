"""XGBoost, LightGBM and CatBoost: what breaks their form is unreadable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from modelvc.modelfiles.documents import xgboost
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, of_bytes
from tests.support.clone import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "tests/fixtures/models/inside"
TEXT = (FOLDER / "lightgbm/multiclass.txt").read_bytes()
JSON = json.loads((FOLDER / "xgboost/binary.json").read_bytes())


def facts(data: bytes):
    return inspect(of_bytes(data))


def xgboost_json(change: Callable[[Any], object]) -> bytes:
    document = json.loads(json.dumps(JSON))
    change(document)
    return json.dumps(document).encode()


def test_parameters_of_a_training_are_read_with_lightgbm() -> None:
    found = dict(facts(TEXT).hyper_parameters)
    assert (found["num_leaves"], found["learning_rate"], found["boosting"]) == (5, 0.1, "gbdt")
    assert "num_threads" not in found


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"Tree=1\n", b"Tree=2\n", "has trees out of order"),
        (b"end of trees", b"end of treez", "ends too early"),
        (b"Tree=1\nnum_leaves=", b"Tree=1\nleaves=", "has a tree without a number of leaves"),
        (b"Tree=1\nnum_leaves=", b"Tree=1\nnum_leaves=-", "has a tree without a number of leaves"),
        (b"num_class=3\n", b"num_class=3\nnum_class=3\n", "has a header that is malformed"),
        (b"num_tree_per_iteration=3\n", b"words\n", "has a header that is malformed"),
        (b"num_tree_per_iteration=3\n", b"num=\xff\n", "is not valid UTF-8"),
        (b"tree_sizes=", b"tree_sizes=1 ", "has not as many trees as it says"),
        (b"\nend of trees", b"\n\nTree=12\nnum_leaves=2\n\nend of trees", "has not as many trees as it says"),
    ],
)
def test_a_broken_lightgbm_model_is_unreadable(old: bytes, new: bytes, why: str) -> None:
    assert old in TEXT
    assert facts(TEXT.replace(old, new, 1)).unreadable == f"the LightGBM model {why}"


def test_a_cut_lightgbm_model_is_unreadable() -> None:
    for size in (30, 500, len(TEXT) // 3):
        assert facts(TEXT[:size]).unreadable


def test_lightgbm_in_windows_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for window in (1, 7, 64, 1000):
        monkeypatch.setattr("modelvc.modelfiles.documents.lightgbm._WINDOW", window)
        assert facts(TEXT) == facts(TEXT)
        assert dict(facts(TEXT).figures)["trees"] == 12


def test_a_line_without_end_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.modelfiles.documents.lightgbm._LONGEST", 1 << 21)
    assert "line that is too long" in facts(b"tree\nversion=v4\nnum_class=" + b"4" * (4 << 20)).unreadable


def test_an_xgboost_model_says_as_many_trees_as_it_has() -> None:
    def fewer(document: Any) -> None:
        document["learner"]["gradient_booster"]["model"]["trees"].pop()

    def unnamed(document: Any) -> None:
        document["learner"]["objective"] = {}

    assert facts(xgboost_json(fewer)).unreadable == "the XGBoost model has not as many trees as it says"
    assert facts(xgboost_json(unnamed)).unreadable == "the XGBoost model has no booster or no objective"


def test_hostile_names_of_features_are_escaped_and_cut() -> None:
    def rename(document: Any) -> None:
        document["learner"]["feature_names"][:2] = ["\x1b[2J", "a" * 1_000]

    first, second, *_ = facts(xgboost_json(rename)).inputs
    assert first.name == "\\x1b[2J"
    assert len(second.name) == 200


def test_attributes_are_notes() -> None:
    def attributes(document: Any) -> None:
        document["learner"]["attributes"] = {"best_iteration": "4"}

    assert facts(xgboost_json(attributes)).notes == ("best_iteration = 4",)


def test_numbers_that_are_none_are_read_as_texts() -> None:
    def odd(document: Any) -> None:
        document["learner"]["learner_model_param"]["num_feature"] = "9" * 400
        document["version"] = ["3", 2, 0]

    found = facts(xgboost_json(odd))
    assert dict(found.figures)["features"] == "9" * 199 + "…"
    assert found.version == ""


def test_the_buffer_of_a_pickled_booster_has_its_configuration() -> None:
    import pickletools

    data = (FOLDER / "xgboost/classifier.pkl").read_bytes()
    buffers = [arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, bytes | bytearray) and len(arg) > 1000]
    found = xgboost.read(of_bytes(bytes(buffers[0])), Budget())
    chosen = dict(found.hyper_parameters)
    assert dict(found.figures)["trees"] == 5
    assert (chosen["max_depth"], chosen["objective"]) == (3, "binary:logistic")


def test_a_catboost_model_without_information_is_unreadable() -> None:
    data = json.loads((FOLDER / "catboost/classifier.json").read_bytes())
    del data["model_info"]
    assert facts(json.dumps(data).encode()).unreadable == "the CatBoost model has no information on itself"


@pytest.mark.parametrize(
    ("head", "note"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
        (b"CBM1" + bytes(99), "a CatBoost binary"),
        (b"<?xml version='1.0'?>\n<PMML version='4.4'>", "a PMML document"),
        (b"\x1c\0\0\0TFL3" + bytes(99), "a TensorFlow Lite model"),
    ],
)
def test_formats_that_are_not_read_are_named(head: bytes, note: str) -> None:
    found = facts(head)
    assert (found.format, found.notes, found.unreadable) == ("unknown", (note,), "")


def test_any_other_json_is_no_model() -> None:
    for data in (b'{"learner": 1}', b'{"accuracy": 0.9}', b'{"features": []}', b"[]", b"tree\n"):
        assert facts(data).format == "unknown"

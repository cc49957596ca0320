"""Models that the real libraries wrote: the readers say of each what its library says (tests/fixtures/models)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelvc.modelfiles.documents.folders import inspect_folder
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, of_bytes
from tests.support.clone import ROOT
from tests.support.inside_parsers import check_facts
from tests.support.model_facts import differences

FOLDER = ROOT / "tests/fixtures/models/inside"
KNOWN: dict[str, Any] = json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))


def facts_of(path: Path):
    if path.is_file():
        data = path.read_bytes()
        return inspect(of_bytes(data)), len(data)
    files = {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}
    sources = {name: of_bytes(data) for name, data in files.items()}
    return inspect_folder(sources, Budget()), max(map(len, files.values()))


@pytest.mark.parametrize("name", KNOWN)
def test_facts_are_those_of_the_library(name: str) -> None:
    facts, size = facts_of(FOLDER / name)
    assert differences(KNOWN[name], facts) == []
    check_facts(facts, size)


@pytest.mark.parametrize(
    "name", ["skops/random-forest.skops", "keras/dense.keras", "onnx/logistic.onnx", "torch/state-dict.pt"]
)
def test_a_model_that_is_saved_twice_has_one_content(name: str) -> None:
    stem, dot, ending = name.rpartition(".")
    first, second = FOLDER / name, FOLDER / f"{stem}-again{dot}{ending}"
    assert first.read_bytes() != second.read_bytes()
    assert facts_of(first)[0].content
    assert facts_of(first)[0].content == facts_of(second)[0].content


def test_a_forest_has_no_count_of_parameters_and_none_of_its_own_bookkeeping() -> None:
    """Its inner trees hold their labels as floats, and the forest the names of the parameters that it hands down."""
    facts, _ = facts_of(FOLDER / "pairs/forest-old.pkl")
    assert facts.parameters is None
    assert "estimator_params" not in dict(facts.hyper_parameters)


def test_weights_of_a_module_are_no_hyper_parameters() -> None:
    facts, _ = facts_of(FOLDER / "torch/script.pt")
    assert facts.parameters
    assert not [value for _, value in facts.hyper_parameters if "_rebuild" in str(value)]

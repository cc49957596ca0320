"""Boosters in pickles: what the booster says of itself joins the facts of the pickle."""

from __future__ import annotations

import pickle
import sys
import types

import pytest

from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import of_bytes
from tests.support.clone import ROOT

FOLDER = ROOT / "tests/fixtures/models/inside"


def facts(data: bytes):
    return inspect(of_bytes(data))


def test_a_pickled_classifier_says_what_its_booster_is() -> None:
    found = facts((FOLDER / "xgboost/classifier.pkl").read_bytes())
    chosen, figures = dict(found.hyper_parameters), dict(found.figures)
    assert (found.class_name, found.version) == ("XGBClassifier", "3.2.0")
    assert (chosen["booster"], chosen["max_depth"], figures["trees"]) == ("gbtree", 3, 5)


def test_lightgbm_keeps_its_text() -> None:
    found = facts((FOLDER / "lightgbm/classifier.pkl").read_bytes())
    assert dict(found.figures)["trees"] == 4
    assert [one.name for one in found.inputs][:2] == ["Column_0", "Column_1"]


def test_a_broken_booster_makes_the_pickle_unreadable() -> None:
    data = (FOLDER / "xgboost/classifier.pkl").read_bytes()
    broken = data.replace(b"gradient_booster", b"gradient_boaster")
    assert facts(broken).unreadable == "its booster: the XGBoost model has no booster or no objective"
    assert facts(broken).imports == facts(data).imports


class Booster:
    """Pickled under the name of another."""

    def __init__(self, handle: object) -> None:
        self.handle = handle


@pytest.mark.parametrize("handle", [None, 3, b"", "", "tree", [b"{"], bytearray(), bytearray(b"x" * 99), "x" * 2_000])
def test_any_other_handle_says_nothing(handle: object) -> None:
    Booster.__module__ = "xgboost.core"
    with pytest.MonkeyPatch.context() as patch:
        module = types.ModuleType("xgboost.core")
        module.Booster = Booster  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "xgboost", types.ModuleType("xgboost"))
        patch.setitem(sys.modules, "xgboost.core", module)
        for protocol in range(6):
            found = facts(pickle.dumps(Booster(handle), protocol=protocol))
            assert (found.unreadable, found.class_name, found.figures) == ("", "Booster", ())

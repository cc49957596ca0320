"""The result of `mvc scan` as a person sees it in a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.cli.views import render, scan
from modelvc.ops.inspection.scan import Scanned, ScannedImport, ScannedModel

if TYPE_CHECKING:
    import pytest

NAMES = [
    "collections.OrderedDict", "numpy._core.multiarray._reconstruct", "numpy.dtype", "numpy.ndarray",
    "sklearn.ensemble._forest.RandomForestClassifier", "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._tree.Tree",
]  # fmt: skip
LONG = "a_project." + "a_long_module." * 8 + "Class"


def _scanned() -> Scanned:
    listed = tuple(ScannedImport(name, "created", listed=True) for name in NAMES)
    own = ScannedImport(LONG, "constructed", listed=False)
    forest = ScannedModel("models/forest.pkl", "", "listed", False, (), "pickle", NAMES[4], listed)
    mine = ScannedModel("models/mine.pkl", "", "unlisted", True, (LONG,), "pickle", "", (own, *listed))
    return Scanned((forest, mine), ("unlisted",), missing=("models/elsewhere.pkl",))


def test_lines_fit_unless_one_name_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "width", lambda: 80)
    assert (
        scan.text(_scanned())
        == f"""\
listed    models/forest.pkl  (RandomForestClassifier)
  listed:      collections.OrderedDict, numpy._core.multiarray._reconstruct,
               numpy.dtype, numpy.ndarray,
               sklearn.ensemble._forest.RandomForestClassifier,
               sklearn.tree._classes.DecisionTreeClassifier,
               sklearn.tree._tree.Tree
unlisted  models/mine.pkl  (pickle)
  not listed:  {LONG}
               (constructed)
  listed:      collections.OrderedDict, numpy._core.multiarray._reconstruct,
               numpy.dtype, numpy.ndarray,
               sklearn.ensemble._forest.RandomForestClassifier,
               sklearn.tree._classes.DecisionTreeClassifier,
               sklearn.tree._tree.Tree

3 models: 1 unlisted, 1 listed, 1 not in this clone; 1 refused
"""
    )


def test_names_of_files_and_classes_stay_text() -> None:
    evil = "a\x1b[31m\n::error::x"
    model = ScannedModel(
        evil, "", "unlisted", True, (evil,), evil, evil, (ScannedImport(evil, "created", listed=False),)
    )
    found = Scanned((model,), ("unlisted",))
    for form, report in scan.FORMATS.items():
        assert all(line.isprintable() for line in report(found).split("\n")), form
    assert [line for line in scan.github(found).splitlines() if "::error::x" in line.split("::", 2)[0]] == []

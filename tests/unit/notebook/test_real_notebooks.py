"""Notebooks that people and programs wrote go through the filter, the view and the merge."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from modelvc.errors import FormatError
from modelvc.formats.notebook_rules import NotebookRules
from modelvc.git import mergefile
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.merge import merge
from modelvc.notebook.strip import clean
from modelvc.notebook.view import text
from tests.fixtures.notebooks.make import large
from tests.support.notebooks import FIXTURES, fixtures, is_valid, outputs, packaged, validate

ALL = [*fixtures(), *packaged()]
RULES = NotebookRules()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_stripped_and_put_back(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    stripped, taken = clean(data, RULES, "n.ipynb")
    assert clean(stripped, RULES, "n.ipynb")[0] == stripped
    if is_valid(data):
        validate(stripped)
    kept = KeptOutputs(str(tmp_path / "outputs"), 1 << 30)
    kept.keep("n.ipynb", taken)
    back = kept.attach(stripped, RULES, "n.ipynb")
    assert clean(back, RULES, "n.ipynb")[0] == stripped
    assert json.loads(back) == json.loads(data)  # nothing of the run is lost
    assert KeptOutputs(str(tmp_path / "outputs"), 1 << 30).attach(stripped, RULES, "other.ipynb") == stripped


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_shown_without_json_and_base64(path: Path) -> None:
    shown = text(clean(path.read_bytes(), RULES, "n.ipynb")[0])
    assert '"cell_type"' not in shown
    assert "iVBORw0KGgo" not in shown
    assert all(len(line) <= 1_000 for line in shown.splitlines())


def test_what_the_fixtures_hold() -> None:
    """Each is there for something that must be in it."""
    found = {path.stem: path.read_text() for path in fixtures()}
    assert "image/png" in found["plots"]
    assert "image/svg+xml" in found["plots"]
    assert "application/vnd.jupyter.widget-state+json" in found["widgets"]
    assert "ZeroDivisionError" in found["streams"]
    assert '"stderr"' in found["streams"]
    assert "dataframe" in found["frames"]
    assert "attachments" in found["annotated"]
    assert "nbgrader" in found["annotated"]
    assert '"id"' not in found["without-ids"]
    assert json.loads(found["format3"])["nbformat"] == 3
    assert not found["vscode"].endswith("\n")
    assert all(outputs(path.read_bytes()) for path in fixtures() if path.stem != "format3")


def test_zeppelin_notes_keep_their_form() -> None:
    for path in (FIXTURES / "zeppelin.zpln", FIXTURES / "old-zeppelin/note.json"):
        data = path.read_bytes()
        stripped, _ = clean(data, RULES, path.name)
        before, after = json.loads(data), json.loads(stripped)
        assert after["paragraphs"][0].pop("results") == {}
        assert before["paragraphs"][0].pop("results")
        assert before == after
        cleared = json.loads(data)
        cleared["paragraphs"][0]["results"] = {}
        # what Zeppelin itself would write is what the filter wrote: no two forms of one note
        assert stripped.endswith(b"\n") == data.endswith(b"\n")
        assert (rb"\u003c" in stripped) == (rb"\u003c" in data)
        assert "%% [paragraph] paragraph_1583000000000_1 Load" in text(stripped)


def test_any_three_merge_into_a_notebook() -> None:
    """Unrelated notebooks as base, ours and theirs: nothing in common, so nothing but conflicts."""
    chooser = random.Random(1)
    valid = [path.read_bytes() for path in ALL if is_valid(path.read_bytes())]
    for _ in range(300):
        base, ours, theirs = chooser.sample(valid, 3)
        try:
            merged, conflicts = merge(base, ours, theirs, ("a", "b"), _lines)
        except FormatError:  # such as no worksheet at all: the driver merges the text
            continue
        validate(merged)
        assert conflicts or merged


def test_a_large_one(tmp_path: Path) -> None:
    large(tmp_path / "large.ipynb")
    data = (tmp_path / "large.ipynb").read_bytes()
    assert len(data) > 900_000
    stripped, _ = clean(data, RULES, "large.ipynb")
    assert len(stripped) < 30_000
    ours, theirs = data.replace(b"# step 3\\n", b"# mine 3\\n"), data.replace(b"# step 7\\n", b"# theirs 7\\n")
    merged, conflicts = merge(data, ours, theirs, ("a", "b"), _lines)
    assert conflicts == 0
    assert b"# mine 3" in merged
    assert b"# theirs 7" in merged


def _lines(*texts: str) -> tuple[str, bool]:
    return mergefile.lines(texts, ("a", "b"))


def test_what_gson_escapes_stays_escaped() -> None:
    """Zeppelin's next save must be what the filter wrote: else every note would change without a change."""
    from tests.fixtures.notebooks.make import _gson

    data = (FIXTURES / "results.zpln").read_bytes()
    cleared = json.loads(data)
    for paragraph in cleared["paragraphs"]:
        if paragraph.get("results"):
            paragraph["results"] = {}
    assert clean(data, RULES, "results.zpln")[0] == _gson(cleared)

"""Notebooks of each platform: a run is no change, two people's runs are no conflict, and nobody enters history."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from modelvc.formats.notebook_rules import NotebookRules
from modelvc.notebook.strip import clean
from tests.fixtures.notebooks.platforms import PLATFORMS, made
from tests.support.clone import Clone
from tests.support.notebook_clone import commit, copied, pristine, stored
from tests.support.notebooks import dump, sources, validate

NAME = "p.ipynb"
TEXTS = ("a = 1  # <é> & 'x'\nb = 2", "print(a)", "c = a + b\nprint(c)")
OURS = ("a = 10  # <é> & 'x'\nb = 2", *TEXTS[1:])
THEIRS = (*TEXTS[:2], "c = a + b\nprint(c, 'theirs')")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone.new(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def clone(first: Clone, tmp_path: Path) -> Clone:
    return copied(first, tmp_path / "project")


def said(clone: Clone) -> list[str]:
    return [
        "".join(one["outputs"][0]["text"]).strip() if one["outputs"] else ""
        for one in json.loads(clone.read(NAME))["cells"]
    ]


def everything(clone: Clone) -> bytes:
    words = ["git", "cat-file", "--batch", "--batch-all-objects"]
    return subprocess.run(words, cwd=clone.path, env=clone.environment(), capture_output=True, check=True).stdout


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_run_is_no_change_and_two_runs_are_no_conflict(clone: Clone, platform: str) -> None:
    validate(made(platform, TEXTS, 1, "ada"))
    plain = clean(made(platform, TEXTS), NotebookRules(), NAME)[0]
    commit(clone, made(platform, TEXTS, 1, "ada"), name=NAME)
    assert stored(clone, NAME) == plain
    clone.write(NAME, made(platform, TEXTS, 2, "ada"))
    clone.mvc("notebook", "refresh")
    assert clone.git("status", "--short") == ""
    clone.git("branch", "side")
    commit(clone, made(platform, OURS, 3, "ada"), name=NAME)
    clone.git("switch", "-q", "side")
    assert said(clone) == ["ada 2", "ada 3", "ada 3"]
    commit(clone, made(platform, THEIRS, 4, "bo"), name=NAME)
    clone.git("switch", "-q", "main")
    assert clone.git("status", "--short") == ""
    done = clone.run("git", "merge", "-q", "--no-edit", "side")
    assert done.err == ""
    assert sources(clone.read(NAME)) == [OURS[0], TEXTS[1], THEIRS[2]]
    assert stored(clone, NAME) == clean(made(platform, (OURS[0], TEXTS[1], THEIRS[2])), NotebookRules(), NAME)[0]
    assert said(clone) == ["ada 3", "bo 4", "bo 4"]
    assert clone.git("status", "--short") == ""
    validate(clone.read(NAME))
    validate(stored(clone, NAME))
    pristine(clone)
    assert b"ada 2" not in everything(clone)
    assert b"displayName" not in everything(clone)
    assert b"/home/ada" not in everything(clone)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_jupyter_saves_what_the_platform_wrote(clone: Clone, platform: str) -> None:
    """And the other way round: the form in Git stays, whoever saved last."""
    commit(clone, made(platform, TEXTS), name=NAME)
    clone.write(NAME, dump(json.loads(made(platform, TEXTS, 5, "ada"))))
    clone.git("add", NAME)
    assert clone.git("status", "--short") == ""
    commit(clone, dump(json.loads(made(platform, TEXTS, 5, "ada"))), name="j.ipynb")
    before = stored(clone, "j.ipynb")
    clone.write("j.ipynb", made(platform, TEXTS, 6, "bo"))
    clone.git("add", "j.ipynb")
    assert clone.git("status", "--short") == ""
    assert stored(clone, "j.ipynb", "") == before


@pytest.mark.parametrize("platform", PLATFORMS)
def test_runs_that_history_holds_from_before_do_not_conflict(first: Clone, platform: str) -> None:
    """Committed without a filter: the merge still asks for nothing that a platform wrote."""
    from modelvc.ops.notebooks.conflicts import merge_data

    base, ours, theirs = (
        made(platform, texts, run, who) for texts, run, who in ((TEXTS, 1, "x"), (OURS, 2, "ada"), (THEIRS, 3, "bo"))
    )
    for sides in ((ours, theirs), (theirs, ours)):
        data, conflicts = merge_data(base, *sides)
        assert conflicts == 0
        assert sources(data) == [OURS[0], TEXTS[1], THEIRS[2]]
        validate(data)
    assert first.path.exists()

"""Mistyped names: the hint has the nearest path, option, remote or revision. Wrong values are named as wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

MEANT = {
    ("add", "modle.bin"): "model.bin",
    ("add", "folde/deep.bin"): "folder/deep.bin",
    ("add", "--jsn", "model.bin"): "--json",
    ("--jsn", "status"): "--json",
    ("push", "--dryrun"): "--dry-run",
    ("push", "-r", "orign"): "origin",
    ("fetch", "-r", "orign"): "origin",
    ("remote", "set-url", "orign", "/nowhere"): "origin",
    ("remote", "default", "orign"): "origin",
    ("trust", "orign"): "origin",
    ("diff", "mian..HEAD"): "main..HEAD",
    ("diff", "HEAD..mian"): "HEAD..main",
    ("push", "mian..HEAD"): "main",
    ("show", "exp:model.bin"): "origin/exp",
    ("diff", "exp"): "origin/exp",
    ("get", ".", "modle.bin"): "model.bin",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    folder = tmp_path_factory.mktemp("meant")
    clone = Clone.new(folder / "clone")
    clone.mvc("remote", "add", "origin", str(folder / "far"))
    clone.commit_model(1)
    clone.write("folder/deep.bin", 2)
    clone.git("update-ref", "refs/remotes/origin/exp", "HEAD")
    return clone


def test_the_hint_names_what_is_meant(clone: Clone) -> None:
    for words, meant in MEANT.items():
        code = 2 if "--" in "".join(words) or words[:2] in {("push", "mian..HEAD"), ("show", "exp:model.bin")} else 10
        assert clone.mvc(*words, code=code).err.endswith(f"\nhint: did you mean {meant}?\n"), words


def test_a_path_is_named_from_where_the_user_stands(clone: Clone) -> None:
    said = clone.mvc("add", "deap.bin", code=10, cwd=clone.path / "folder").err
    assert said.endswith("hint: did you mean deep.bin?\n")
    assert "hint: check the name\n" in clone.mvc("add", "unlike", code=10).err


def test_values_that_cannot_be_used(clone: Clone) -> None:
    assert "'x' is not a whole number" in clone.mvc("log", "-n", "x", code=2).err
    assert "--since nonsense is not a date in the past" in clone.mvc("log", "--since", "nonsense", code=2).err
    for date in ("now", "yesterday", "2.weeks", "2020-01-31", "last monday"):
        clone.mvc("log", "--since", date)
    said = clone.mvc("push", "--all", "main", code=2).err
    assert said == "error: --all covers every revision, so main changes nothing\nhint: leave one of them out\n"
    assert "not a range: mvc log REV [PATH]" in clone.mvc("log", "mian..HEAD", code=10).err
    assert 'an example: "test.accuracy >= 0.9' in clone.mvc("log", "--where", "acc", code=2).err


def test_what_is_not_a_model_for_resolve(clone: Clone) -> None:
    assert clone.mvc("resolve", "a b.ipynb", "--ours", code=2).err == (
        "error: a b.ipynb is a notebook\nhint: mvc notebook resolve 'a b.ipynb' --ours (or --theirs)\n"
    )


def test_get_names_the_file_and_one_reason(clone: Clone, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere/out.bin"
    out.parent.mkdir()
    assert clone.mvc("get", ".", "model.bin", "-o", str(out)).out.startswith(f"{out}  ")
    said = clone.mvc("get", str(tmp_path / "nowhere"), "model.bin", "-o", "new.bin", code=14).err
    assert said.count(";") == 0
    assert "the repository cannot be read: '" in said
    assert "access rights" not in said


def test_install_and_doctor_say_what_is_refused(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("push")
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    done = second.mvc("install")
    assert "(not accepted: push is refused)" in done.out
    assert "next: mvc pull; before the first push: mvc trust NAME" in done.err
    assert "is not accepted by this clone: push is refused" in second.mvc("doctor", "--offline").out
    second.mvc("pull")
    assert second.agrees()
    second.mvc("remote", "add", "lab", "s3://models", "--endpoint-url", "http://lab.example:9000")
    second.git("commit", "-qm", "lab")
    second.git("clone", "-q", str(second.path), str(tmp_path / "third"))
    third = Clone(tmp_path / "third")
    done = third.mvc("install")
    assert "(not accepted: fetch and push are refused)" in done.out
    assert "next: mvc trust NAME for each remote that you trust, then mvc pull" in done.err
    assert third.json("install")["refused"] == {
        "lab": "fetch and push are refused",
        "origin": "push is refused",
    }

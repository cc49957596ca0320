"""Files that are models by their names: `mvc track`, `mvc add` without words, and what a commit says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


def test_add_without_words_takes_what_matches(clone: Clone) -> None:
    clone.write("a.pt", b"a")
    clone.write("below/deep/b.pt", b"b")
    clone.write("below/notes.txt", b"notes")
    done = clone.mvc("track", "*.pt")
    assert done.out == "*.pt\n"
    assert done.err == "next: mvc add, which takes a.pt, below/deep/b.pt\n"
    assert clone.git("status", "--short", "-uno") == "M  .mvc/config.toml\n"
    assert clone.json("track") == {
        "patterns": ["*.pt"],
        "waiting": ["a.pt", "below/deep/b.pt"],
        "folders": [],
    }
    assert [model["path"] for model in clone.json("add")["models"]] == ["a.pt", "below/deep/b.pt"]
    clone.git("commit", "-qm", "models")
    assert clone.mvc("add").out == "no new or modified file matches (see mvc track)\n"
    clone.write("a.pt", b"trained again")
    clone.write("c.pt", b"c")
    clone.write("other.bin", b"of no pattern")
    clone.mvc("add", "other.bin")
    clone.write("other.bin", b"modified, and of no pattern")
    models = clone.json("add")["models"]
    assert [(model["path"], model["change"]) for model in models] == [("c.pt", "new"), ("a.pt", "updated")]


def test_from_a_sub_folder_it_is_the_same(clone: Clone) -> None:
    clone.write("a.pt", b"a")
    clone.write("below/b.pt", b"b")
    clone.mvc("track", "*.pt", cwd=clone.path / "below")
    clone.mvc("add", cwd=clone.path / "below")
    assert [model["path"] for model in clone.json("ls")["models"]] == ["a.pt", "below/b.pt"]


def test_a_slash_binds_a_pattern_to_the_top(clone: Clone) -> None:
    for name in ("models/a.bin", "models/x/b.bin", "other/models/c.bin", "top.bin", "x/top.bin"):
        clone.write(name, name.encode())
    clone.mvc("track", "models/*", "/top.bin")
    assert clone.json("track")["waiting"] == ["models/a.bin", "top.bin"]
    clone.mvc("track", "models/**")
    assert clone.json("track")["waiting"] == ["models/a.bin", "models/x/b.bin", "top.bin"]


def test_what_git_tracks_or_ignores_and_what_git_reads_is_left_alone(clone: Clone) -> None:
    clone.write("of-git.pt", b"1")
    clone.git("add", "of-git.pt")
    clone.git("commit", "-qm", "Git's own")
    clone.write("ignored.pt", b"2")
    clone.write(".gitignore", b"ignored.pt\n")
    clone.write("x.mvc", b"no pointer of ours")
    Clone.new(clone.path / "nested", mvc=False)
    clone.mvc("track", "*", "*.pt")
    assert clone.json("track")["waiting"] == []


def test_patterns_are_listed_and_removed(clone: Clone) -> None:
    assert clone.mvc("track").out == "no patterns\n"
    clone.mvc("track", "*.pt", "*.onnx", "*.pt")
    assert clone.mvc("track").out == "*.pt\n*.onnx\n"
    assert b'[track]\npatterns = ["*.pt", "*.onnx"]\n' in clone.read(".mvc/config.toml")
    clone.mvc("track", "--remove", "*.pt")
    assert clone.mvc("track").out == "*.onnx\n"
    assert 'no pattern "*.pt"' in clone.mvc("track", "--remove", "*.pt", code=10).err
    clone.mvc("track", "--remove", code=2)
    clone.mvc("track", "--remove", "*.onnx")
    assert b"track" not in clone.read(".mvc/config.toml")
    for pattern in ("", "/", "folder/", "!*.pt", "../*.pt", "*.mvc", "a\nb"):
        clone.mvc("track", pattern, code=2)


def test_a_commit_warns_of_what_matches_and_is_no_model(clone: Clone) -> None:
    clone.mvc("track", "*.pt")
    clone.git("commit", "-qm", "patterns")
    clone.write("notes.txt", b"notes")
    clone.git("add", "notes.txt")
    clone.write("forgotten.pt", b"a")
    said = clone.run("git", "commit", "-qm", "notes").err
    assert "forgotten.pt matches a pattern of mvc track but is not a model yet\n" in said
    assert "to keep it as a model: mvc add\n" in said
    clone.write("more.txt", b"more")
    clone.git("add", "more.txt", "forgotten.pt")  # into Git itself
    assert "forgotten.pt matches" in clone.run("git", "commit", "-qm", "more").err
    clone.write("last.pt", b"b")
    clone.mvc("add")
    assert "matches" not in clone.run("git", "commit", "-qm", "a model").err
    assert clone.json("ls")["models"][0]["path"] == "last.pt"


@pytest.mark.parametrize(
    "patterns", ['"*.pt"', "[1]", '["../*"]', '["folder/"]', '[""]', "[" + '"*.pt",' * 1_001 + "]", '["a\\u0007"]']
)
def test_a_configuration_that_cannot_be_used_is_refused(clone: Clone, patterns: str) -> None:
    clone.write(".mvc/config.toml", f"format = 1\n[track]\npatterns = {patterns}\n".encode())
    assert ".mvc/config.toml" in clone.mvc("track", code=2).err


def test_a_pattern_is_no_option_and_no_pathspec_of_git(clone: Clone) -> None:
    clone.write("a.pt", b"a")
    for pattern in (":(exclude)b.pt", ":!b.pt", "--others"):
        clone.mvc("track", "--", pattern)
    assert clone.json("track")["waiting"] == []


def test_a_folder_stands_for_its_files(clone: Clone) -> None:
    clone.write("models/a.bin", b"a")
    clone.write("models/x/b.bin", b"b")
    done = clone.mvc("track", "models/")
    assert done.out == "models/**\n"
    assert done.err == (
        "each file in models is a model of its own; to make the folder one model: mvc add models\n"
        "next: mvc add, which takes models/a.bin, models/x/b.bin\n"
    )
    clone.mvc("track", "--remove", "models")
    assert clone.mvc("track", "x", cwd=clone.path / "models").out == "models/x/**\n"
    assert "is the whole worktree" in clone.mvc("track", ".", code=2).err
    assert clone.json("track", "no-folder")["folders"] == []

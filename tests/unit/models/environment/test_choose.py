from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import UsageError
from modelvc.models.environment.choose import Candidate, Wanted, brought, candidates
from modelvc.repo import open_repo
from tests.support.clone import Clone
from tests.support.environments import FakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "clone")


def found(clone: Clone, python: str = "", **env: str) -> list[tuple[str, str]]:
    """The candidates, but for mvc's own, as paths below the clone where they are."""
    repo = open_repo(str(clone.path), {})
    chosen = list(candidates(Wanted(python, str(clone.path), env), repo))
    assert python or [one for one in chosen if one.python == sys.executable]
    return [
        (os.path.relpath(one.python, clone.path) if one.python.startswith(str(clone.path)) else one.python, one.why)
        for one in chosen
        if one.python != sys.executable
    ]


def test_the_order(clone: Clone, tmp_path: Path) -> None:
    homes = {name: FakeEnvironment.new(tmp_path / name) for name in ("virtual", "conda", "path")}
    FakeEnvironment.new(clone.path / ".venv")
    (homes["path"].home / "bin/python3").symlink_to(homes["path"].python)
    env = {
        "VIRTUAL_ENV": str(homes["virtual"].home),
        "CONDA_PREFIX": str(homes["conda"].home),
        "PATH": f"/nowhere:{homes['path'].home}/bin:/bin",
    }
    assert found(clone, **env) == [
        (str(homes["virtual"].python), "VIRTUAL_ENV"),
        (str(homes["conda"].python), "CONDA_PREFIX"),
        (".venv/bin/python", ".venv"),
        (str(homes["path"].home / "bin/python3"), "PATH"),
    ]
    wanted = Wanted("", str(clone.path), env)
    repo = open_repo(str(clone.path), {})
    assert [one.why for one in candidates(wanted, repo)] == [
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        ".venv",
        "mvc's own",
        "PATH",
    ]
    assert [one.why for one in candidates(wanted, None)] == ["VIRTUAL_ENV", "CONDA_PREFIX", "mvc's own", "PATH"]


def test_each_is_named_once(clone: Clone) -> None:
    home = FakeEnvironment.new(clone.path / ".venv")
    env = {"VIRTUAL_ENV": str(home.home), "PATH": str(home.home / "bin")}
    assert found(clone, **env) == [(".venv/bin/python", "VIRTUAL_ENV")]


def test_relative_variables_and_entries_of_path_are_skipped(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeEnvironment.new(clone.path / "venv")
    monkeypatch.chdir(clone.path)
    assert found(clone, VIRTUAL_ENV="venv", CONDA_PREFIX="./venv", PATH="venv/bin:./venv/bin::.") == []


def test_what_is_not_there_is_skipped(clone: Clone, tmp_path: Path) -> None:
    (clone.path / ".venv/bin/python").mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").write_text("not executable")
    assert found(clone, VIRTUAL_ENV=str(tmp_path / "venv"), CONDA_PREFIX=str(tmp_path / "none"), PATH="") == []


# -- the user's own word


def test_the_user_names_one_alone(clone: Clone, tmp_path: Path) -> None:
    FakeEnvironment.new(clone.path / ".venv")
    home = FakeEnvironment.new(tmp_path / "mine")
    (clone.path / "sub").mkdir()
    repo = open_repo(str(clone.path), {})
    env = {"PATH": str(home.home / "bin"), "VIRTUAL_ENV": str(tmp_path)}

    def named(word: str, folder: Path = clone.path) -> list[Candidate]:
        return list(candidates(Wanted(word, str(folder), env), repo))

    inside = [Candidate(str(clone.path / ".venv/bin/python"), "--python", named=True)]
    outside = [Candidate(str(home.python), "--python", named=True)]
    assert named(".venv/bin/python") == named(".venv") == named("../.venv", clone.path / "sub") == inside
    assert named(str(home.python)) == named(str(home.home)) == named("python") == outside


def test_a_relative_name_is_the_users_own_word_even_if_git_tracks_it(clone: Clone) -> None:
    FakeEnvironment.new(clone.path / ".venv")
    clone.git("add", "-f", ".venv")
    assert found(clone, ".venv/bin/python") == [(".venv/bin/python", "--python")]


@pytest.mark.parametrize("word", ["nowhere", "./nowhere", "sub", "text", "-x", "a\x1bb"])
def test_a_wrong_name_is_refused(clone: Clone, word: str) -> None:
    clone.write("sub/file", b"")
    clone.write("text", b"no program")
    with pytest.raises(UsageError, match="is not a program") as caught:
        found(clone, word, PATH="")
    assert "\x1b" not in str(caught.value)


# -- what Git or mvc brought is never started


def attack(clone: Clone, *paths: str) -> None:
    """Commit PATHS, which exist."""
    clone.git("add", "-f", "--", *paths)
    clone.git("commit", "-qm", "an attack")


def test_an_environment_of_the_users_own_counts(clone: Clone) -> None:
    FakeEnvironment.new(clone.path / ".venv")
    clone.write(".venv2/bin/python", b"")
    attack(clone, ".venv2")
    assert found(clone, PATH="") == [(".venv/bin/python", ".venv")]


@pytest.mark.parametrize("tracked", ["bin/python", "pyvenv.cfg", "lib/python3/site-packages/a.pth", "x"])
def test_a_folder_in_which_git_tracks_anything_does_not(clone: Clone, tracked: str) -> None:
    home = FakeEnvironment.new(clone.path / ".venv")
    if not (home.home / tracked).exists():
        clone.write(f".venv/{tracked}", b"")
    clone.git("add", "-f", f".venv/{tracked}")  # staged is enough
    env = {"VIRTUAL_ENV": str(home.home), "CONDA_PREFIX": str(home.home), "PATH": str(home.home / "bin")}
    (home.home / "bin/python3").symlink_to("python")
    assert found(clone, **env) == []


def test_names_in_another_case_are_the_same(clone: Clone) -> None:
    """Some file systems take them for one."""
    FakeEnvironment.new(clone.path / ".venv")
    clone.write(".VENV/bin/python", b"")
    attack(clone, ".VENV")
    assert found(clone, PATH="") == []


def test_a_link_that_git_tracks_does_not_count(clone: Clone, tmp_path: Path) -> None:
    outside = FakeEnvironment.new(tmp_path / "outside")
    (clone.path / ".venv").symlink_to(outside.home)
    assert found(clone, PATH="") == [(".venv/bin/python", ".venv")]
    attack(clone, ".venv")
    assert found(clone, PATH="") == []


def test_a_link_above_that_git_tracks_does_not_count(clone: Clone, tmp_path: Path) -> None:
    FakeEnvironment.new(tmp_path / "outside/venv")
    (clone.path / "tools").symlink_to(tmp_path / "outside")
    env = {"VIRTUAL_ENV": str(clone.path / "tools/venv"), "PATH": ""}
    assert found(clone, **env) == [("tools/venv/bin/python", "VIRTUAL_ENV")]
    attack(clone, "tools")
    assert found(clone, **env) == []


@pytest.mark.parametrize("link", [".venv", ".venv/bin", ".venv/bin/python"])
def test_a_link_to_what_git_tracks_does_not_count(clone: Clone, link: str) -> None:
    FakeEnvironment.new(clone.path / "theirs")
    clone.write("theirs/note", b"")
    target = clone.path / "theirs" / link.removeprefix(".venv").lstrip("/")
    path = clone.path / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    assert found(clone, PATH="") == [(".venv/bin/python", ".venv")]
    attack(clone, "theirs")
    assert found(clone, PATH="") == []


def test_a_link_to_a_folder_in_which_git_tracks_anything_does_not_count(clone: Clone) -> None:
    FakeEnvironment.new(clone.path / "theirs")
    (clone.path / ".venv").symlink_to("theirs")
    clone.write("theirs/lib/note", b"")
    attack(clone, "theirs/lib/note")
    assert found(clone, PATH="") == []


def test_a_link_to_a_program_that_git_tracks_does_not_count(clone: Clone, tmp_path: Path) -> None:
    clone.write("program", b"#!/bin/sh\n")
    (clone.path / "program").chmod(0o755)
    attack(clone, "program")
    home = FakeEnvironment.new(tmp_path / "venv")
    home.python.unlink()
    home.python.symlink_to(clone.path / "program")
    assert found(clone, VIRTUAL_ENV=str(home.home), PATH="") == []


def test_a_submodule_does_not_count(clone: Clone, tmp_path: Path) -> None:
    other = Clone.new(tmp_path / "other", mvc=False)
    FakeEnvironment.new(other.path / "inner")
    other.git("add", "-f", ".")
    other.git("commit", "-qm", "one")
    clone.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.path), ".venv")
    env = {"VIRTUAL_ENV": str(clone.path / ".venv/inner"), "PATH": ""}
    assert found(clone, **env) == []


@pytest.mark.parametrize("model", [".venv", "tools", "tools/venv/bin"])
def test_a_model_of_mvc_does_not_count(clone: Clone, model: str) -> None:
    """Its content comes from a remote, and Git ignores it."""
    place = ".venv" if model == ".venv" else "tools/venv"
    home = FakeEnvironment.new(clone.path / place)
    home.python.unlink()
    home.python.write_bytes(b"#!/bin/sh\n")  # a model holds no links
    home.python.chmod(0o755)
    env = {"VIRTUAL_ENV": str(home.home), "PATH": ""}
    assert found(clone, **env)
    clone.mvc("add", "--no-env", model)
    clone.git("commit", "-qm", "a model")
    assert found(clone, **env) == []


def test_an_environment_at_the_top_counts_only_if_its_parts_are_not_tracked(clone: Clone) -> None:
    home = FakeEnvironment(clone.path)
    home.packages.mkdir(parents=True)
    (clone.path / "bin").mkdir()
    home.python.symlink_to(os.path.realpath(sys.executable))
    clone.write("code.py", b"")
    attack(clone, "code.py")
    env = {"VIRTUAL_ENV": str(clone.path), "PATH": ""}
    assert found(clone, **env) == [("bin/python", "VIRTUAL_ENV")]
    clone.write("lib/os.py", b"")
    attack(clone, "lib/os.py")
    assert found(clone, **env) == []


def test_the_folder_above_the_one_on_the_path_counts_too(clone: Clone) -> None:
    """`pyvenv.cfg` there says where the standard library is."""
    home = FakeEnvironment.new(clone.path / "tools")
    (home.home / "bin/python3").symlink_to("python")
    env = {"PATH": str(home.home / "bin")}
    assert found(clone, **env) == [("tools/bin/python3", "PATH")]
    attack(clone, "tools/pyvenv.cfg")
    assert found(clone, **env) == []


def test_if_git_cannot_say_it_nothing_is_started(clone: Clone) -> None:
    home = FakeEnvironment.new(clone.path / ".venv")
    repo = open_repo(str(clone.path), {})
    assert not brought(repo, str(home.home), str(home.python))
    (clone.path / ".git/index").write_bytes(b"broken")
    assert brought(open_repo(str(clone.path), {}), str(home.home), str(home.python))

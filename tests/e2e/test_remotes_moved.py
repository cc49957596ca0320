"""Remotes that get another place or name, and folders that are relative to each clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "home/project")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("commit", "-qm", "remote")
    clone.commit_model(1)
    return clone


def _cloned(clone: Clone, path: Path) -> Clone:
    clone.git("clone", "-q", str(clone.path), str(path))
    found = Clone(path)
    found.mvc("install")
    return found


def test_set_url_moves_the_remote_and_forgets_what_was_seen(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("push")
    assert clone.json("ls")["models"][0]["pushed"] is True
    found = clone.json("remote", "set-url", "origin", str(tmp_path / "other"))
    assert (found["url"], found["default"], found["trusted"]) == (str(tmp_path / "other"), True, True)
    assert clone.git("status", "--short") == "M  .mvc/config.toml\n"
    assert clone.json("ls")["models"][0]["pushed"] is False
    assert clone.json("push")["sent"] == ["model.bin"]
    clone.mvc("remote", "set-url", "origin", str(tmp_path / "other"))  # the same place: known as before
    assert clone.json("ls")["models"][0]["pushed"] is True
    assert "there is no remote" in clone.mvc("remote", "set-url", "nowhere", "/tmp", code=10).err


def test_another_clone_accepts_the_new_place_anew(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("push")
    second = _cloned(clone, tmp_path / "second")
    second.mvc("trust", "origin")
    clone.mvc("remote", "set-url", "origin", str(tmp_path / "other"))
    clone.git("commit", "-qm", "elsewhere")
    second.git("pull", "-q")
    assert "has changed" in second.mvc("push", code=2).err


def test_set_url_on_s3_keeps_the_endpoint_and_the_profile(clone: Clone) -> None:
    options = ["--endpoint-url", "https://s3.example", "--region", "here", "--profile", "work"]
    clone.mvc("remote", "add", "bucket", "s3://one/models", *options)
    found = clone.json("remote", "set-url", "bucket", "s3://two/models")
    assert (found["endpoint_url"], found["region"], found["profile"]) == ("https://s3.example", "here", "work")
    found = clone.json("remote", "set-url", "bucket", "s3://two/models", "--endpoint-url", "https://other.example")
    assert (found["endpoint_url"], found["trusted"]) == ("https://other.example", True)
    found = clone.json("remote", "set-url", "bucket", "/a/folder")
    assert (found["endpoint_url"], found["region"]) == ("", "")


def test_rename_takes_pin_default_profile_and_what_was_seen_along(clone: Clone) -> None:
    clone.mvc("push")
    assert clone.mvc("remote", "rename", "origin", "main-store").out == "origin -> main-store\n"
    [found] = clone.json("remote", "list")["remotes"]
    assert (found["name"], found["default"], found["trusted"]) == ("main-store", True, True)
    assert clone.json("ls")["models"][0]["pushed"] is True
    assert clone.json("push")["there"] == 1
    assert clone.git("status", "--short") == "M  .mvc/config.toml\n"
    clone.mvc("remote", "add", "bucket", "s3://one/models", "--profile", "work")
    assert clone.json("remote", "rename", "bucket", "second")["profile"] == "work"
    assert "already" in clone.mvc("remote", "rename", "second", "main-store", code=2).err
    assert "cannot name a remote" in clone.mvc("remote", "rename", "second", "x/y", code=2).err
    clone.mvc("remote", "rename", "second", "second")
    assert [one["name"] for one in clone.json("remote", "list")["remotes"]] == ["main-store", "second"]


def test_a_relative_folder_stays_relative_to_the_top(clone: Clone, tmp_path: Path) -> None:
    (clone.path / "below/deep").mkdir(parents=True)
    clone.mvc("remote", "remove", "origin")
    done = clone.mvc("remote", "add", "origin", "../../../models", cwd=clone.path / "below/deep")
    assert done.out == f"origin  {tmp_path}/home/models\n"
    assert b'url = "../models"\n' in clone.read(".mvc/config.toml")
    assert f'url = "{tmp_path}/home/models"' in (clone.path / ".git/mvc/config.toml").read_text()
    clone.git("commit", "-qm", "relative")
    assert clone.json("push")["sent"] == ["model.bin"]
    assert (tmp_path / "home/models/b").is_dir()
    # from a sub-folder and from a linked worktree it is the same place
    assert clone.mvc("push", cwd=clone.path / "below").out.startswith("nothing to send")
    clone.git("worktree", "add", "-q", str(tmp_path / "elsewhere/linked"))
    linked = Clone(tmp_path / "elsewhere/linked")
    assert linked.mvc("push").out.startswith("nothing to send")
    linked.mvc("remote", "add", "beside", "../other", cwd=linked.path)
    assert b'url = "../../elsewhere/other"\n' in linked.read(".mvc/config.toml")


def test_each_clone_finds_the_folder_beside_itself(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "set-url", "origin", "../models")
    clone.git("commit", "-qm", "relative")
    clone.mvc("push")
    beside, away = _cloned(clone, tmp_path / "home/second"), _cloned(clone, tmp_path / "away/third")
    assert beside.json("pull")["fetched"]["came"] == ["model.bin"]
    assert "missing" not in beside.mvc("status").out
    assert away.json("trust", "origin")["remotes"][0]["url"] == f"{tmp_path}/away/models"
    away.mvc("pull", code=10)
    # one that is given as absolute stays so
    clone.mvc("remote", "set-url", "origin", str(tmp_path / "home/models"))
    assert f'url = "{tmp_path}/home/models"'.encode() in clone.read(".mvc/config.toml")


def test_get_finds_a_relative_folder_beside_the_clone_it_reads(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "set-url", "origin", "../models")
    clone.git("commit", "-qm", "relative")
    clone.mvc("push")
    second = _cloned(clone, tmp_path / "home/second")
    outside = Clone(tmp_path)
    outside.mvc("get", str(second.path), "model.bin", "-o", "got.bin")
    assert outside.read("got.bin") == clone.read("model.bin")
    clone.git("clone", "-q", "--bare", str(clone.path), str(tmp_path / "hub"))
    assert "relative to each clone" in outside.mvc("get", str(tmp_path / "hub"), "model.bin", code=2).err


def _on_git_s_remote(clone: Clone, tmp_path: Path) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "hub"))
    clone.git("remote", "add", "origin", str(tmp_path / "hub"))
    clone.git("push", "-q", "origin", "main")
    clone.mvc("push")  # which proves the whole history


def test_a_new_place_has_no_proofs_of_the_one_before(clone: Clone, tmp_path: Path) -> None:
    """What is proven there says nothing of the new place: `git push` sends the versions of earlier commits too."""
    _on_git_s_remote(clone, tmp_path)
    assert (clone.path / ".git/mvc/proofs/origin").exists()
    clone.mvc("remote", "set-url", "origin", str(tmp_path / "other"))
    assert not (clone.path / ".git/mvc/proofs/origin").exists()
    clone.git("commit", "-qm", "elsewhere")
    clone.git("push", "-q", "origin", "main")
    assert clone.json("push")["there"] == 1


def test_a_rename_and_a_removal_forget_proofs(clone: Clone, tmp_path: Path) -> None:
    _on_git_s_remote(clone, tmp_path)
    clone.mvc("remote", "rename", "origin", "store")
    assert list((clone.path / ".git/mvc/proofs").iterdir()) == []
    clone.git("commit", "-qm", "renamed")
    clone.git("push", "-q", "origin", "main")
    clone.mvc("push")
    clone.mvc("remote", "remove", "store")
    assert list((clone.path / ".git/mvc/proofs").iterdir()) == []

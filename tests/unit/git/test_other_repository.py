"""Reading other repositories: what is not theirs to decide, and what is not whole."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import GitError
from modelvc.git.history import pointers_in
from modelvc.git.layout import Layout, discover
from modelvc.git.other_repository import snapshot, whole

if TYPE_CHECKING:
    from pathlib import Path


def _git(path: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=path, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other"
    path.mkdir()
    _git(path, "init", "-q", "-b", "main")
    for text in ("1", "12"):
        (path / "m.mvc").write_text(text)
        (path / "large.mvc").write_text("x" * 9)
        _git(path, "add", ".")
        _git(path, "commit", "-qm", text)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "work").mkdir()
    return str(tmp_path / "work")


def test_larger_files_are_left_out(other: Path, folder: str) -> None:
    seen = snapshot(str(other), "", ["m.mvc", "large.mvc"], folder, limit=2)
    assert seen.files == {"m.mvc": b"12"}
    assert seen.names == ("large.mvc", "m.mvc")


def test_no_program_is_started_for_a_protocol(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "bin/git-remote-odd"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    with pytest.raises(GitError, match="'odd' not allowed"):
        snapshot("odd://host/x", "", ["m.mvc"], folder, limit=9)
    assert not (tmp_path / "pwned").exists()


def test_a_shallow_one_is_not_taken_for_whole(other: Path, folder: str, tmp_path: Path) -> None:
    """Git leaves out the refs of one and reports success: what they reach would seem to be reached by none."""
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{other}", "shallow")
    _git(tmp_path, "init", "-q", "empty")
    with pytest.raises(GitError, match="is shallow: its history is not whole") as caught:
        whole(str(tmp_path / "shallow"), folder, Layout(*[str(tmp_path / "empty/.git")] * 3))
    assert "git fetch --unshallow" in caught.value.hint
    (tmp_path / "again").mkdir()
    whole(str(tmp_path / "shallow"), str(tmp_path / "again"), Layout(*[str(other / ".git")] * 3))  # the rest is here
    assert _git(tmp_path / "again", "rev-list", "--count", "refs/heads/main") == "2"


@pytest.mark.parametrize("key", ["promisor", "shallow"])
def test_a_clone_that_is_not_whole_lends_nothing(other: Path, folder: str, tmp_path: Path, key: str) -> None:
    how = "--depth=1" if key == "shallow" else "--filter=blob:none"
    _git(other, "config", "uploadpack.allowFilter", "true")
    _git(tmp_path, "clone", "-q", "--no-checkout", how, f"file://{other}", "lender")
    found = whole(str(other), folder, Layout(*[str(tmp_path / "lender/.git")] * 3))
    assert found.git_dir == folder
    assert not os.path.exists(os.path.join(folder, "objects/info/alternates"))
    assert _git(tmp_path / "work", "rev-list", "--count", "refs/heads/main") == "2"


@pytest.mark.parametrize("own", ["sha1", "sha256"])
@pytest.mark.parametrize("theirs", ["sha1", "sha256"])
def test_whatever_hash_both_sides_name_objects_by(folder: str, tmp_path: Path, own: str, theirs: str) -> None:
    for name, algorithm in (("own", own), ("theirs", theirs)):
        _git(tmp_path, "init", "-q", "-b", "main", f"--object-format={algorithm}", name)
    (tmp_path / "theirs/m.mvc").write_text("1")
    _git(tmp_path / "theirs", "add", ".")
    _git(tmp_path / "theirs", "commit", "-qm", "1")
    head = _git(tmp_path / "theirs", "rev-parse", "HEAD")
    for rev in ("", "main", head, "main~0"):
        (tmp_path / f"work/{rev[:6]}x").mkdir()
        seen = snapshot(str(tmp_path / "theirs"), rev, ["m.mvc"], f"{folder}/{rev[:6]}x", limit=9)
        assert (seen.commit, seen.files) == (head, {"m.mvc": b"1"})
    (tmp_path / "all").mkdir()
    found = whole(str(tmp_path / "theirs"), str(tmp_path / "all"), discover(str(tmp_path / "own"), {}))
    assert [one.data for one in pointers_in(found, all_refs=True)] == [b"1"]

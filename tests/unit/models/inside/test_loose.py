"""Files that no pointer names: what is not read makes them unreadable."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import FileChanged, FileError, UsageError
from modelvc.modelfiles.facts import ModelFacts
from modelvc.models.inside import loose

if TYPE_CHECKING:
    from pathlib import Path

    from modelvc.models.inside.source import Opened

PLAIN = pickle.dumps({"a": [1, 2.0]})


def test_files_links_to_files_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "f/deep").mkdir(parents=True)
    (tmp_path / "f/.git").mkdir()
    (tmp_path / "f/.git/x.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "f/deep/a.pkl").write_bytes(PLAIN)
    (tmp_path / "f/b.pkl").symlink_to("deep/a.pkl")
    assert loose.facts_at(str(tmp_path / "f/b.pkl"), seconds=9).format == "pickle"
    found = loose.facts_at(str(tmp_path / "f"), seconds=9)
    assert (found.format, found.findings, found.unreadable) == ("folder", (), "")


def test_whatever_is_not_read_makes_a_folder_unreadable(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f/a.pkl").write_bytes(PLAIN)
    (tmp_path / "f/up").symlink_to(tmp_path)
    assert (
        loose.facts_at(str(tmp_path / "f"), seconds=9).unreadable
        == "up is neither a file nor a folder, and is not read"
    )


def test_a_folder_of_too_many_files_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loose, "_MOST", 2)
    for name in "abc":
        (tmp_path / name).write_bytes(PLAIN)
    assert "more than 2 files" in loose.facts_at(str(tmp_path), seconds=9).unreadable


def test_a_pipe_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        loose.facts_at(str(tmp_path / "pipe"), seconds=9)
    with pytest.raises(FileError):
        loose.facts_at(str(tmp_path / "none"), seconds=9)


def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.pkl"
    file.write_bytes(PLAIN)

    def look(opened: Opened, *, seconds: float) -> ModelFacts:
        del seconds
        opened.files[""].read_at(0, 1)
        file.write_bytes(PLAIN + b"more")
        return ModelFacts("pickle")

    monkeypatch.setattr(loose, "look", look)
    with pytest.raises(FileChanged):
        loose.facts_at(str(file), seconds=9)

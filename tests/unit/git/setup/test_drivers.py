"""Copies of the drivers in a clone: what is of another release goes, what is a person's stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from modelvc.atomic import TEMPORARY
from modelvc.git.layout import Layout, discover
from modelvc.git.setup import drivers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    subprocess.run(["git", "init", "-q", str(tmp_path / "r")], check=True)
    return discover(str(tmp_path / "r"), {})


def test_old_copies_behind_a_link_stay(layout: Layout, tmp_path: Path) -> None:
    """A person who linked the folder elsewhere keeps what lies there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.txt").write_text("mine")
    drivers.install(layout, "both")
    lib = os.path.join(layout.mvc_dir, "lib")
    shutil.rmtree(lib)
    os.symlink(elsewhere, lib)
    drivers.install(layout, "both")
    assert (elsewhere / "notes.txt").read_text() == "mine"


def test_a_copy_that_vanishes_meanwhile_is_gone_too(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver at work replaces its compiled files; the temporary file of another install is its own."""
    drivers.install(layout, "both")
    folder = os.path.join(layout.mvc_dir, "lib/modelvc")
    for name in ("old.py", "other.cpython-311.pyc.123", f"{TEMPORARY}1-00"):
        with open(os.path.join(folder, name), "w", encoding="ascii"):
            pass
    unlink = os.unlink

    def twice(path: str) -> None:
        unlink(path)
        if path.startswith(folder):
            unlink(path)

    monkeypatch.setattr(os, "unlink", twice)
    drivers.install(layout, "both")
    left = {name for name in os.listdir(folder) if "old" in name or "other" in name or name.startswith(TEMPORARY)}
    assert left == {f"{TEMPORARY}1-00"}

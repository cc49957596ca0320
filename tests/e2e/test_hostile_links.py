"""Links that a repository can hold, where mvc reads and writes files of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from modelvc.cli.app import run
from tests.support.clone import Clone

WRITING = (
    *(["add", "-m", "n=2", "model.bin"], ["remote", "add", "x", "/srv/x"], ["init"], ["install"], ["trust"]),
    *(["mv", "model.bin", "other.bin"], ["mv", "other.bin", "model.bin"], ["checkout", "HEAD"]),
    *(["metrics", "set", "model.bin", "n=3"], ["notebook", "strip", "n.ipynb"], ["notebook", "refresh"]),
    *(["notebook", "resolve", "n.ipynb", "--ours"], ["rollback", "model.bin"], ["rm", "--keep", "model.bin"]),
)
NAMES = (".gitignore", ".gitattributes", ".mvc", ".mvc/config.toml", "model.bin.mvc", "n.ipynb")
NOTEBOOK = b'{"cells": [], "metadata": {"widgets": {"a": 1}}, "nbformat": 4, "nbformat_minor": 5}\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = Clone.new(tmp_path_factory.mktemp("links") / "clone")
    clone.write("n.ipynb", NOTEBOOK)
    clone.write("metrics.json", b'{"n": 1}')
    policy = b'[[model]]\nmetrics = "metrics.json"\npredictions = "p.csv"\n'
    clone.write(".mvc/policy.toml", policy + b'[[metric]]\nname = "n"\ndirection = "higher"\n')
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "x")
    return clone.path


def tree(top: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in [top, *top.rglob("*")] if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_through_a_link(
    made: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made, tmp_path / "clone", symlinks=True)
    clone = Clone(tmp_path / "clone")
    elsewhere = tmp_path / "elsewhere"
    place = clone.path / name
    if place.exists():
        place.rename(elsewhere)
    else:
        elsewhere.write_bytes(b"")
    before = tree(elsewhere)
    place.symlink_to(elsewhere)
    clone.write("model.bin", 2)
    monkeypatch.chdir(clone.path)
    for words in WRITING:
        assert run(list(words)) != 70, (words, capfd.readouterr())
        assert "Traceback" not in capfd.readouterr().err
    clone.run("sh", "-c", "git add -A; git commit -qm y; git checkout -q HEAD~1; git checkout -q -; true")
    assert tree(elsewhere) == before


@pytest.mark.parametrize("target", ["/dev/zero", "fifo"])
def test_nothing_is_read_through_a_link_for_long(made: Path, target: str, tmp_path: Path) -> None:
    """Devices and pipes neither fill memory nor wait for ever."""
    shutil.copytree(made, tmp_path / "clone", symlinks=True)
    clone = Clone(tmp_path / "clone")
    os.mkfifo(tmp_path / "fifo")
    command = {".mvc/config.toml": "status", "n.ipynb": "notebook check", ".mvc/policy.toml": "check"}
    for name in (".mvc/config.toml", ".mvc/policy.toml", "model.bin.mvc", "metrics.json", "p.csv", "n.ipynb"):
        (clone.path / name).unlink(missing_ok=True)
        (clone.path / name).symlink_to(tmp_path / "fifo" if target == "fifo" else target)
        words = ["mvc", *command.get(name, "add model.bin").split()]
        done = subprocess.run(
            words, cwd=clone.path, env=clone.environment(), capture_output=True, check=False, timeout=120
        )
        assert done.returncode != 70, (words, done.stderr)
        assert b"Traceback" not in done.stderr
        (clone.path / name).unlink()
        clone.run("sh", "-c", f"git checkout -q -- {name} || true")


def test_predictions_are_not_taken_through_a_link(made: Path, tmp_path: Path) -> None:
    """The policy is the repository's: it must not choose a file of somebody's to be stored, and then pushed."""
    shutil.copytree(made, tmp_path / "clone", symlinks=True)
    clone = Clone(tmp_path / "clone")
    (tmp_path / "private.csv").write_bytes(b"id,y_true,y_pred\n1,a,b\n")
    (clone.path / "p.csv").symlink_to(tmp_path / "private.csv")
    clone.write("model.bin", 2)
    said = clone.mvc("add", "model.bin", code=11).err
    assert "p.csv is a symbolic link" in said
    assert "predictions" not in (clone.path / "model.bin.mvc").read_text()

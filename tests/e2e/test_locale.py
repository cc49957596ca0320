"""Names on disk are bytes, and UTF-8 in every format, whatever the locale of a command says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.clone import Clone

NAMES = ("modèle.bin", "d/gewicht_ü.bin", "d/重み.bin")


def latin_1(folder: Path) -> dict[str, str]:
    """A locale made here: few systems have one that is not UTF-8."""
    folder.mkdir()
    made = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / "de_DE")]
    subprocess.run(made, check=False, capture_output=True)  # 1: warnings
    assert (folder / "de_DE/LC_CTYPE").exists()
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE"}


def said(clone: Clone, *words: str) -> bytes:
    """What a process of its own writes to its standard output, in whatever encoding."""
    done = subprocess.run(words, cwd=clone.path, env=clone.environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param("ascii"),
        pytest.param("latin-1", marks=pytest.mark.skipif(not shutil.which("localedef"), reason="no localedef")),
    ],
)
def test_what_a_locale_that_is_not_utf_8_adds_is_the_same_everywhere(tmp_path: Path, locale: str) -> None:
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    clone = Clone.new(tmp_path / "clone")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("init", "-q", "--bare", str(tmp_path / "hub.git"))
    for name in NAMES:
        clone.write(name, name.encode())
    notebook = clone.path / "übung.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n')
    clone.env = plain if locale == "ascii" else latin_1(tmp_path / "locales")
    said(clone, "mvc", "add", "d", "modèle.bin")
    said(clone, "git", "add", "-A")
    said(clone, "git", "commit", "-qm", "models")
    said(clone, "git", "push", "-q", str(tmp_path / "hub.git"), "main")
    assert said(clone, "mvc", "status").startswith(b"2 models, all clean")
    said(clone, "git", "checkout", "-q", "HEAD~1")
    said(clone, "git", "checkout", "-q", "main")
    clone.env = {}

    assert clone.git("status", "--short") == ""
    assert "/modèle.bin" in (clone.path / ".gitignore").read_text().splitlines()
    assert clone.mvc("status").out.startswith("2 models, all clean")
    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(tmp_path / "hub.git"), str(other.path))
    other.mvc("install", "--trust")
    other.mvc("pull")
    assert {name: other.read(name) for name in NAMES} == {name: name.encode() for name in NAMES}


def test_a_terminal_that_is_not_utf_8_is_written_to_in_its_own_encoding(tmp_path: Path) -> None:
    if not shutil.which("localedef"):
        pytest.skip("no localedef")
    clone = Clone.new(tmp_path / "clone")
    clone.write("modèle.bin", b"x")
    clone.env = latin_1(tmp_path / "locales")
    assert "modèle.bin".encode("latin-1") in said(clone, "mvc", "add", "modèle.bin")

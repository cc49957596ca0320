"""Notebooks above a limit, by accident or on purpose: they enter Git unchanged, and memory stays bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clone import Clone
from tests.support.notebook_clone import NAME, commit, configure, copied, ran, stored, with_notebook
from tests.support.notebooks import notebook, outputs, sources

MIB = 1 << 20
# What the drivers take besides: a Python.
MOST = 130 * MIB
MANY = b'{"cells": [' + b"{}," * (2 * MIB) + b'{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return with_notebook(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def clone(first: Clone, tmp_path: Path) -> Clone:
    return copied(first, tmp_path / "project")


def most_memory(clone: Clone, words: list[str], source: Path, sink: Path) -> tuple[int, str]:
    """Bytes of memory that a program and what it starts took at most, and its words."""
    program = (
        "import resource, subprocess, sys\n"
        "source, sink, *words = sys.argv[1:]\n"
        "with open(source, 'rb') as stdin, open(sink, 'wb') as stdout:\n"
        "    subprocess.run(words, stdin=stdin, stdout=stdout, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == 'darwin' else 1024))\n"
    )
    words = [sys.executable, "-c", program, str(source), str(sink), *words]
    done = subprocess.run(words, cwd=clone.path, env=clone.environment(), capture_output=True, text=True, check=True)
    return int(done.stdout), done.stderr


def packets(*parts: bytes | None) -> bytes:
    return b"".join(b"0000" if part is None else b"%04x" % (len(part) + 4) + part for part in parts)


HELLO = packets(b"git-filter-client\n", b"version=2\n", None, b"capability=clean\n", b"capability=smudge\n", None)


@pytest.mark.parametrize("way", ["filter", "clean", "smudge"])
def test_a_large_file_passes_in_little_memory(clone: Clone, tmp_path: Path, way: str) -> None:
    block = packets(b"x" * 65_516) if way == "filter" else b"x" * 65_516
    with (tmp_path / "in").open("wb") as file:
        if way == "filter":
            file.write(HELLO + packets(b"command=clean\n", b"pathname=big.ipynb\n", None))
        for _ in range(200 * MIB // 65_516):
            file.write(block)
        if way == "filter":
            file.write(packets(None))
    words = ["sh", ".git/mvc/driver.sh", way, *([] if way == "filter" else ["big.ipynb"])]
    memory, said = most_memory(clone, words, tmp_path / "in", tmp_path / "out")
    assert memory < MOST
    assert ("big.ipynb is left unchanged: it is larger than max_size, 32 MiB" in said) == (way != "smudge")
    size = (tmp_path / "in").stat().st_size
    if way == "filter":
        data = (tmp_path / "out").read_bytes()
        assert data.count(block) == 200 * MIB // 65_516
        assert data.endswith(packets(b"x" * 65_516, None, None))
    else:
        assert (tmp_path / "out").stat().st_size == size


def test_the_limit_is_configured(clone: Clone) -> None:
    data = ran(*("x" * 90 for _ in range(20)))
    commit(clone, data, name="small.ipynb")
    assert outputs(stored(clone, "small.ipynb")) == 0
    configure(clone, 'max_size = "1 KiB"')
    clone.write("large.ipynb", data)
    done = clone.run("git", "add", "large.ipynb")
    assert "large.ipynb is left unchanged: it is larger than max_size, 1 KiB" in done.err
    assert stored(clone, "large.ipynb", "") == data
    checked = clone.json("notebook", "check", "large.ipynb", code=1)
    assert checked["wrong"] == [["large.ipynb", "is larger than max_size, 1 KiB"]]
    assert clone.json("notebook", "strip", "large.ipynb", code=1)["skipped"] == checked["wrong"]
    clone.git("commit", "-qm", "as it is")
    shown = clone.git("show", "--format=")
    assert "+%notebook of" in shown
    clone.write("large.ipynb", data + b"\n")
    assert "-%notebook of" in clone.git("diff")


def test_a_large_one_is_merged_as_text(clone: Clone) -> None:
    texts = [f"line {n}" for n in range(60)]
    configure(clone, 'max_size = "1 KiB"')
    commit(clone, notebook(*texts), name="large.ipynb")
    clone.git("switch", "-qc", "side")
    commit(clone, notebook(*texts[:-1], "theirs"), name="large.ipynb")
    clone.git("switch", "-q", "main")
    commit(clone, notebook("ours", *texts[1:]), name="large.ipynb")
    done = clone.run("git", "merge", "--no-edit", "side")
    assert "large.ipynb is merged as text: a version of it is larger than max_size" in done.err
    assert sources(clone.read("large.ipynb")) == ["ours", *texts[1:-1], "theirs"]
    assert clone.json("fsck", "--markers", "HEAD")["paths"] == []


def test_a_broken_configuration_lets_no_large_file_in(clone: Clone) -> None:
    configure(clone, "max_size = 3")
    clone.write("large.ipynb", b"x" * (33 * MIB))
    assert "notebooks.max_size" in clone.run("git", "add", "large.ipynb", code=128).err


def test_values_without_end_are_not_parsed(clone: Clone, tmp_path: Path) -> None:
    clone.write("many.ipynb", MANY)
    (tmp_path / "in").write_bytes(MANY)
    memory, said = most_memory(
        clone, ["sh", ".git/mvc/driver.sh", "clean", "many.ipynb"], tmp_path / "in", tmp_path / "out"
    )
    assert memory < MOST
    assert "more than 1,000,000 values" in said
    assert (tmp_path / "out").read_bytes() == MANY
    (why,) = (
        why for path, why in clone.json("notebook", "check", "many.ipynb", code=1)["wrong"] if path == "many.ipynb"
    )
    assert "more than 1,000,000 values" in why
    clone.git("add", "many.ipynb")
    assert "many.ipynb is no longer a notebook" in clone.run("git", "commit", "-qm", "x", code=1).err


def test_outputs_that_nothing_can_strip_are_said(clone: Clone) -> None:
    clone.write("odd.ipynb", b'[{"outputs": ["secret"]}]\n')
    done = clone.run("git", "add", "odd.ipynb")
    assert "odd.ipynb is left unchanged, with outputs" in done.err
    assert "shaped like no notebook" in clone.mvc("notebook", "check", "odd.ipynb", code=1).out
    assert "shaped like no notebook" in clone.mvc("notebook", "strip", "odd.ipynb", code=1).out
    assert clone.mvc("notebook", "check", NAME).code == 0

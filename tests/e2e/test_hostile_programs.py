"""A repository runs nothing of its own: no module, no program, no shell text, whatever Git or a person starts in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelvc.errors import FormatError
from modelvc.formats.paths import SafeRelPath
from tests.support.clone import Clone

# Modules that the standard library, our dependencies and ourselves are known by.
MODULES = (
    *("json", "re", "struct", "zlib", "hashlib", "argparse", "typing", "dataclasses", "tempfile", "shutil", "time"),
    *("sitecustomize", "usercustomize", "site", "encodings/__init__", "readline", "tomllib", "subprocess", "threading"),
    *("blake3", "xxhash", "backports", "numpy/__init__", "pygit2", "fsspec/__init__", "typer", "rich/__init__", "yaml"),
    *("modelvc/__init__", "modelvc/__main__", "modelvc/drivers/__init__", "modelvc/errors", "nbdime/__init__"),
)
PROGRAMS = (
    *("mvc", "python", "python3", "python3.11", "git", "sh", "awk", "cat", "grep", "head", "find", "tr", "ssh", "less"),
)
SHELL = [
    *("$(touch owned)", "`touch owned`", "a;touch owned;", "a&touch owned&", "a|touch owned", "a\ntouch owned\n"),
    *("'; touch owned; '", '"; touch owned; "', "-x", "--help", "--exec=touch owned", "-c touch owned", "%(trailers)"),
    *("%s%n", "* ?", "~", "$HOME", "!touch owned", "#", "a\\", "\\n", "{a,b}", "a b", "\u00fc", "a\x1b[2Jb", "[a]"),
    *(":(top)x", ":!x", "@{-1}"),
]
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["1"], "id": "a",
             "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}]},
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    }
).encode()  # fmt: skip


def plant(clone: Clone, mark: Path) -> None:
    """Modules and programs of the repository's own, which say so when they run."""
    for name in MODULES:
        # by system calls: `encodings` is imported before there is an open()
        opened = f"posix.open({str(mark)!r}, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND)"
        clone.write(f"{name}.py", f"import posix\nposix.write({opened}, {name.encode()!r})\n".encode())
    for name in PROGRAMS:
        clone.write(name, f'#!/bin/sh\necho "{name}" >>{mark}\n'.encode())
        (clone.path / name).chmod(0o755)
    clone.write(".pth.pth", f"import os; open({str(mark)!r}, 'a')\n".encode())


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    found.fresh = True  # modules are looked for when they are not loaded yet
    found.mvc("remote", "add", "origin", str(tmp_path / "models"))
    found.git("commit", "-qam", "remote")
    found.git("init", "-q", "--bare", str(tmp_path / "far.git"))
    found.git("remote", "add", "far", str(tmp_path / "far.git"))
    return found


@pytest.mark.parametrize("pythonpath", [None, ".:sub::"])
def test_modules_and_programs_of_the_repository_are_never_run_by_git(
    clone: Clone, pythonpath: str | None, tmp_path: Path
) -> None:
    """With every relative entry that PYTHONPATH and PATH may have. Where modelvc is, the recorded Python knows."""
    mark = tmp_path / "mark"
    plant(clone, mark)
    clone.write("sub/json.py", f"open({str(mark)!r}, 'a')\n".encode())
    env = dict(clone.environment())
    env["PATH"] = f"{env['PATH']}::.:"
    env.pop("PYTHONPATH")
    if pythonpath is not None:
        env["PYTHONPATH"] = pythonpath

    def git(*words: str, check: bool = True) -> None:
        subprocess.run(["git", *words], cwd=clone.path, env=env, capture_output=True, check=check)

    clone.write("n.ipynb", NOTEBOOK)
    git("add", "n.ipynb")
    git("add", "-A")
    git("commit", "-qm", "all of it")
    git("checkout", "-q", "-b", "side")
    clone.write("n.ipynb", NOTEBOOK.replace(b'["1"]', b'["2"]'))
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "auc=0.5")
    git("commit", "-qam", "side")
    git("checkout", "-q", "main")
    clone.write("n.ipynb", NOTEBOOK.replace(b'["1"]', b'["3"]'))
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin", "-m", "auc=0.6")
    git("commit", "-qam", "main")
    git("log", "-p", "-n", "2")
    git("merge", "side", check=False)
    git("merge", "--abort", check=False)
    git("push", "-q", "far", "main")
    assert not mark.exists(), mark.read_text()


def test_nor_by_mvc_itself(clone: Clone, tmp_path: Path) -> None:
    """As it is installed: a program on the PATH. A relative entry of PYTHONPATH is its owner's word."""
    mark = tmp_path / "mark"
    plant(clone, mark)
    clone.write("model.bin", 1)
    program = Path(sys.executable).with_name("mvc")
    env = clone.environment()
    env.pop("PYTHONPATH")
    env["PATH"] = f"{env['PATH']}::.:"
    for words in (["add", "model.bin"], ["status"], ["log"], ["push"], ["doctor", "--offline"]):
        subprocess.run([str(program), *words], cwd=clone.path, env=env, capture_output=True, check=False)
    assert not mark.exists(), mark.read_text()


def mvc(clone: Clone, *words: str) -> bytes:
    """Whatever its status is, it is no bug of ours."""
    done = subprocess.run(["mvc", *words], cwd=clone.path, env=clone.environment(), capture_output=True, check=False)
    assert b"internal" not in done.stderr, (words, done.stderr)
    assert b"Traceback" not in done.stderr
    return done.stderr


def test_names_are_never_shell_text_or_options(clone: Clone) -> None:
    taken = []
    for number, name in enumerate(SHELL):
        clone.write(f"{name}.bin", b"%d" % number)
        clone.write(f"{name}.ipynb", NOTEBOOK)
        try:
            taken.append(str(SafeRelPath(f"{name}.bin")))
        except FormatError:
            assert not name.isprintable() or set(name) & set("\\:")
    mvc(clone, "add", "--", *(f"{name}.bin" for name in SHELL))  # all or nothing
    assert not list(clone.path.glob("*.bin.mvc"))
    clone.mvc("add", "--", *taken)
    clone.git("add", "-A", "--", ":(glob)*.ipynb")
    clone.git("commit", "-qm", "names")
    for path in clone.path.glob("*.bin"):
        path.unlink()
    clone.mvc("checkout")
    clone.git("checkout", "-q", "HEAD~1")
    clone.git("checkout", "-q", "main")
    assert {str(path.name) for path in clone.path.glob("*.bin")} >= set(taken)
    for path in clone.path.glob("*.ipynb"):
        path.write_bytes(NOTEBOOK.replace(b'["1"]', b'["2"]'))
    clone.git("diff")
    clone.git("commit", "-qam", "again")
    for name in ("-x.bin", "$(touch owned).bin", "--exec=touch owned.bin"):
        for words in (["show"], ["checkout", "--"], ["get", "."], ["rm", "--"]):
            mvc(clone, *words, name)
    clone.git("push", "-q", "far", "main")
    assert not list(clone.path.parent.rglob("owned"))


@pytest.mark.parametrize("name", ["$(touch owned)", "a;touch owned"])
def test_branches_and_remotes_are_never_shell_text(clone: Clone, name: str) -> None:
    """What Git takes as a name of a branch, in merges of notebooks and pointers, where drivers get it."""
    name = name.replace(" ", "${IFS}")
    clone.commit_model(1)
    clone.write("n.ipynb", NOTEBOOK)
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "n")
    clone.git("update-ref", f"refs/heads/{name}", "HEAD")
    for branch, seed in ((f"refs/heads/{name}", 2), ("main", 3)):
        clone.git("checkout", "-q", "--detach" if branch != "main" else "-q", branch)
        clone.write("n.ipynb", NOTEBOOK.replace(b'["1"]', b'["%d"]' % seed))
        clone.commit_model(seed)
        clone.git("commit", "-qam", "n")
        clone.git("update-ref", branch if branch != "main" else "refs/heads/main", "HEAD")
    clone.run("git", "merge", f"refs/heads/{name}", code=1)
    clone.mvc("status")
    clone.mvc("resolve", "model.bin", "--theirs")
    assert not list(clone.path.parent.rglob("owned*"))


def test_text_of_the_repository_in_hooks_configuration_and_attributes(clone: Clone, tmp_path: Path) -> None:
    """What is committed is not obeyed; settings in `.git` are the clone's owner's own."""
    clone.write(".gitattributes", b"* filter=evil diff=evil merge=evil\n*.mvc merge=evil\n")
    clone.write(".gitconfig", b"[core]\n\thooksPath = .\n[alias]\n\tstatus = !touch owned\n")
    clone.write(".lfsconfig", b"[lfs]\n\turl = ext::touch owned\n")
    clone.write(".gitmodules", b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch owned\n')
    clone.write("pre-commit", b"#!/bin/sh\ntouch owned\n")
    (clone.path / "pre-commit").chmod(0o755)
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin")
    clone.git("add", "-A")
    clone.git("commit", "-qm", "x")
    for words in (["status"], ["checkout"], ["install"]):
        clone.mvc(*words)
    assert not list(tmp_path.rglob("owned"))

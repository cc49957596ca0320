"""The quick answer of `mvc status` is given only while it is true."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from modelvc.cli import quick
from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def clone(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clone:
    if not (_made / "project").exists():
        made = Clone.new(_made / "project")
        made.write("a.bin", b"aaaa")
        made.write("folder/b", b"bbbb")
        made.write("folder/c/d", b"dddd")
        made.mvc("add", "a.bin", "folder")
        made.git("commit", "-qm", "models")
    clone = Clone(tmp_path / "project")
    shutil.copytree(_made / "project", clone.path, symlinks=True)
    time.sleep(0.03)  # let the clock tick, so that files and index are settled
    clone.mvc("status")
    monkeypatch.chdir(clone.path)
    assert quick.answer(["status"], {})
    assert capsys.readouterr().out == "2 models, all clean\n"
    return clone


def _rewrite(path: Path) -> None:
    """Other bytes with size and time as they were."""
    before = path.stat()
    path.write_bytes(b"X" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _stage_a_model(clone: Clone) -> None:
    clone.write("new.bin", b"new")
    clone.mvc("add", "new.bin")


CHANGES: dict[str, tuple[Callable[[Clone], object], str]] = {
    "a file": (lambda c: c.write("a.bin", b"aaaaa"), "modified:\n  a.bin\n1 of 2 models clean\n"),
    "a file behind its stat data": (lambda c: _rewrite(c.path / "a.bin"), "modified:\n  a.bin\n1 of 2 models clean\n"),
    "a file in a folder": (
        lambda c: _rewrite(c.path / "folder/c/d"),
        "modified:\n  folder  (1 changed)\n1 of 2 models clean\n",
    ),
    "a new file in a folder": (
        lambda c: c.write("folder/c/e", b"e"),
        "modified:\n  folder  (1 new)\n1 of 2 models clean\n",
    ),
    "a file gone from a folder": (
        lambda c: (c.path / "folder/b").unlink(),
        "modified:\n  folder  (1 gone)\n1 of 2 models clean\n",
    ),
    "a link in a folder": (
        lambda c: (c.path / "folder/link").symlink_to("b"),
        (
            "obstructed:\n  folder  (folder/link is a symbolic link; a tracked folder holds only files)\n"
            "1 of 2 models clean\n"
        ),
    ),
    "a model gone": (lambda c: (c.path / "a.bin").unlink(), "missing:\n  a.bin\n1 of 2 models clean\n"),
    "a pointer gone": (lambda c: (c.path / "a.bin.mvc").unlink(), "pointer gone:\n  a.bin\n1 of 2 models clean\n"),
    "the executable bit": (
        lambda c: (c.path / "a.bin").chmod(0o755),
        "modified:\n  a.bin  (is executable)\n1 of 2 models clean\n",
    ),
    "a new model": (_stage_a_model, "3 models, all clean\n"),
    "one model less": (lambda c: c.mvc("rm", "a.bin"), "1 model, all clean\n"),
    "the store": (
        lambda c: next((c.path / ".git/mvc/store/b").rglob("??*/*")).unlink(),
        "2 models, all clean\n1 not in the local store (mvc fetch)\n",
    ),
    "a remote": (
        lambda c: c.mvc("remote", "add", "origin", "../far"),
        "2 models, all clean\n2 not pushed (mvc push):\n  a.bin\n  folder\n",
    ),
    "the state file": (lambda c: (c.path / ".git/mvc/state").write_bytes(b"torn"), "2 models, all clean\n"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_is_seen(clone: Clone, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, says = CHANGES[what]
    change(clone)
    assert not quick.answer(["status"], {})
    assert capsys.readouterr().out == ""
    assert clone.mvc("status").out == says


def test_what_is_not_pushed_is_said_quickly_too(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.mvc("remote", "add", "origin", "../far")
    time.sleep(0.03)
    slow = clone.mvc("status").out
    assert quick.answer(["status"], {})
    assert capsys.readouterr().out == slow == "2 models, all clean\n2 not pushed (mvc push):\n  a.bin\n  folder\n"
    monkeypatch.chdir(clone.path / "folder")
    slow = clone.mvc("status", cwd=clone.path / "folder").out
    assert quick.answer(["status"], {})
    assert capsys.readouterr().out == slow == "2 models, all clean\n2 not pushed (mvc push):\n  ../a.bin\n  .\n"
    clone.mvc("push")
    assert not quick.answer(["status"], {})
    assert clone.mvc("status").out == "2 models, all clean\n"


@pytest.mark.parametrize(
    "words", [["status", "a.bin"], ["--json", "status"], ["status", "--json"], ["ls"], [], ["-q", "status"]]
)
def test_other_questions_take_the_long_path(clone: Clone, words: list[str]) -> None:
    assert not quick.answer(words, {})


def test_outside_of_a_repository_it_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not quick.answer(["status"], {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_an_index_of_this_very_moment_is_not_trusted(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one tick of the clock it could be written again and look the same."""
    from modelvc.ops.tracking import status
    from modelvc.repo import open_repo

    index = (clone.path / ".git/index").stat()
    monkeypatch.setattr(status, "now", lambda: index.st_ctime_ns + 1)
    (clone.path / ".git/mvc/state").unlink()
    assert status.status(open_repo(str(clone.path), {})).clean
    assert not quick.answer(["status"], {})

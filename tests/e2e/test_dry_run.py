"""`--dry-run` says what a command would do and changes nothing: not the worktree, not `.git`, not the remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_only_looks import digest
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A pushed version, one that is not, an unsaved folder, and a file that a pattern matches."""
    clone = Clone.new(tmp_path / "project")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("track", "*.pt")
    clone.git("commit", "-qm", "remote")
    clone.commit_model(1)
    clone.mvc("push")
    clone.commit_model(2)
    clone.write("folder/a", b"a")
    clone.write("folder/b", b"b")
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "folder")
    clone.write("new.pt", 3)
    return clone


def _twice(clone: Clone, top: Path, *words: str, code: int = 0) -> tuple[Any, str]:
    """The answers of a dry run, as JSON and as text, of which nothing may be seen afterwards."""
    before = digest(top)
    found = clone.json(words[0], "--dry-run", *words[1:]) if not code else None
    done = clone.mvc(words[0], "--dry-run", *words[1:], code=code)
    assert digest(top) == before, words
    return found, done.out + done.err


def test_add(clone: Clone, tmp_path: Path) -> None:
    clone.write("model.bin", 4)
    clone.write("folder/a", b"changed")
    found, said = _twice(clone, tmp_path, "add", "model.bin", "folder", "new.pt")
    assert said.startswith("would be updated  model.bin  ")
    assert "nothing was changed (--dry-run)" in said
    matching, _ = _twice(clone, tmp_path, "add")
    modified, _ = _twice(clone, tmp_path, "add", "-u")
    assert [(one["path"], one["change"]) for one in matching["models"]] == [("new.pt", "new")]
    assert [one["path"] for one in modified["models"]] == ["folder", "model.bin"]
    assert _twice(clone, tmp_path, "add", "nowhere", code=10)
    done = clone.json("add", "model.bin", "folder", "new.pt")  # and so it happens
    keys = ("path", "kind", "oid", "size", "change", "was")
    assert [[one[key] for key in keys] for one in found["models"]] == [
        [one[key] for key in keys] for one in done["models"]
    ]


def test_rm(clone: Clone, tmp_path: Path) -> None:
    found, said = _twice(clone, tmp_path, "rm", "model.bin", "folder")
    assert (found["paths"], found["dry_run"]) == (["model.bin", "folder"], True)
    assert said.startswith("would be removed  model.bin\nwould be removed  folder\n")
    assert _twice(clone, tmp_path, "rm", "--keep", "folder")[1].startswith("would be no longer tracked  folder\n")
    clone.write("model.bin", b"unsaved")
    _twice(clone, tmp_path, "rm", "model.bin", code=11)
    _twice(clone, tmp_path, "rm", "--force", "model.bin")


def test_checkout(clone: Clone, tmp_path: Path) -> None:
    found, said = _twice(clone, tmp_path, "checkout", "HEAD~2", "model.bin")
    assert [(one["path"], one["change"]) for one in found["models"]] == [("model.bin", "written")]
    assert found["commit"] == clone.git("rev-parse", "HEAD~2").strip()
    assert said.startswith("would be written  model.bin  f5daa9e687  200 kB\n")
    assert _twice(clone, tmp_path, "checkout")[1].startswith("2 models unchanged\n")
    clone.write("model.bin", b"unsaved")
    _twice(clone, tmp_path, "checkout", "HEAD~2", "model.bin", code=11)
    _twice(clone, tmp_path, "checkout", "--force", "HEAD~2", "model.bin")
    (clone.path / "folder/a").unlink()
    assert _twice(clone, tmp_path, "checkout", "folder")[0]["models"][0]["change"] == "written"


def test_push(clone: Clone, tmp_path: Path) -> None:
    found, said = _twice(clone, tmp_path, "push")
    assert (sorted(found["sent"]), found["there"], found["dry_run"]) == (["folder", "model.bin"], 1, True)
    assert said.startswith("2 versions would be sent to origin (at most 200 kB), 1 there already\n")
    done = clone.json("push")
    assert (sorted(done["sent"]), done["there"]) == (sorted(found["sent"]), found["there"])
    assert _twice(clone, tmp_path, "push")[1] == "nothing to send: 3 versions on origin, complete\n"
    clone.mvc("remote", "add", "nothing-yet", str(tmp_path / "nothing-yet"))
    assert len(_twice(clone, tmp_path, "push", "-r", "nothing-yet")[0]["sent"]) == 3
    assert not (tmp_path / "nothing-yet").exists()


def test_fetch_and_pull(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("push", "HEAD~1")
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.mvc("install", "--trust")
    fetched, said = _twice(second, tmp_path, "fetch", "HEAD~1")
    assert (fetched["came"], fetched["missing"], fetched["dry_run"]) == (["model.bin"], [], True)
    assert said == "1 version would be fetched from origin (at most 200 kB)\n"
    _twice(second, tmp_path, "fetch", code=10)  # the folder was not pushed
    _twice(second, tmp_path, "checkout", code=10)
    pulled, said = _twice(second, tmp_path, "pull", "--", "model.bin")
    assert pulled["fetched"]["came"] == ["model.bin"]
    assert pulled["checked_out"]["models"][0]["change"] == "written"
    assert "would be written  model.bin" in said
    second.write("model.bin", b"of mine, and in no store")
    _twice(second, tmp_path, "pull", "--", "model.bin", code=11)
    (second.path / "model.bin").unlink()
    done = second.json("pull", "--", "model.bin")
    assert done["fetched"]["came"] == pulled["fetched"]["came"]

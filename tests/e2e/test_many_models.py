"""A command asks Git as often for many models as for a few."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import GitError
from modelvc.models.files.follow import follow
from modelvc.ops.history.log import log
from modelvc.ops.metrics.check import check
from modelvc.ops.sharing.push import push
from modelvc.repo import open_repo
from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

POLICY = '[[metric]]\nname = "acc"\ndirection = "higher"\nmin = 0.1\nmax_drop = { abs = 0.5 }\n'
COMMANDS = (
    "mvc log",
    "mvc log --all",
    "mvc check",
    "mvc check --against HEAD~1",
    "mvc check --against best",
    "mvc diff HEAD~2 HEAD",
    "mvc status",
    "mvc ls",
    "git push -q origin main",
    "git checkout -q start",
    "git checkout -q main",
    "git mv folder other",
    "mvc log",
    "git commit -qm moved",
    "mvc log",
    "mvc check",
    "mvc check --against HEAD~1",
    "mvc add -u",
)


def grown(path: Path, models: int) -> Clone:
    """Each model in two versions; the metrics are measured."""
    clone = Clone.new(path)
    clone.mvc("remote", "add", "origin", str(path.parent / f"far{models}"))
    clone.git("init", "-q", "--bare", str(path.parent / f"hub{models}.git"))
    clone.git("remote", "add", "origin", str(path.parent / f"hub{models}.git"))
    (path / ".mvc/policy.toml").write_text(POLICY)
    clone.git("add", "-A")
    clone.git("commit", "-qm", "policy")
    clone.git("branch", "start")
    names = [f"folder/m{number}.bin" for number in range(models)]
    for version in (1, 2):
        for number, name in enumerate(names):
            clone.write(name, f"{number} {version}".encode())
        clone.mvc("add", *names)
        for name in names:
            pointer = path / f"{name}.mvc"
            oid = pointer.read_text().partition('oid = "')[2].partition('"')[0]
            pointer.write_text(f'{pointer.read_text()}\n[metrics]\nof = "{oid}"\nacc = 0.{version}\n')
        clone.git("add", "-A")
        clone.git("commit", "-qm", f"version {version}")
    return clone


def asked(clone: Clone, line: str) -> int:
    """How many processes of Git a command starts."""
    folder = clone.path.parent / "trace"
    folder.mkdir(exist_ok=True)
    before = len(os.listdir(folder))
    clone.env = {"GIT_TRACE2_EVENT": str(folder)}
    clone.run(*line.split()) if line.startswith("git") else clone.mvc(*line.split()[1:])
    clone.env = {}
    return len(os.listdir(folder)) - before


def test_git_is_asked_as_often_for_many_models_as_for_a_few(tmp_path: Path) -> None:
    few, many = grown(tmp_path / "few", 4), grown(tmp_path / "many", 24)
    assert asked(few, "mvc log") > 1, "the trace is written"
    for line in COMMANDS:
        if line == "mvc add -u":
            for clone, models in ((few, 4), (many, 24)):
                for number in range(models):
                    clone.write(f"other/m{number}.bin", f"{number} three".encode())
        counts = asked(few, line), asked(many, line)
        assert counts[0] == counts[1], f"{line}: {counts}"


def test_what_is_replaced_is_noted_with_one_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = grown(tmp_path / "many", 12)
    clone.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "start")
    synced: list[str] = []
    sync = os.fsync

    def counted(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        sync(fd)

    monkeypatch.setattr(os, "fsync", counted)
    repo = open_repo(str(clone.path), {})
    assert len(follow(repo).removed) == 12
    assert [path for path in synced if path.endswith("/reflog")] == [repo.reflog_path]
    assert len({path for _, path, _, _ in repo.replaced()}) == 12
    assert list((clone.path / "folder").iterdir()) == []


def called(action: Callable[[], object]) -> Counter[str]:
    """How often each function of the project is called meanwhile."""
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            found[frame.f_code.co_qualname] += 1

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found


def test_work_that_is_done_once_for_all_models(tmp_path: Path) -> None:
    clone = grown(tmp_path / "many", 24)
    clone.mvc("push")
    looked = called(lambda: log(open_repo(str(clone.path), {})))
    assert looked["Objects._ask"] < 24, "questions to git cat-file: not one for each model"
    assert looked["Pointer.encode"] == 0, "a pointer of the usual form is not written again to see whether it could be"
    judged = called(lambda: check(open_repo(str(clone.path), {})))
    assert judged["Objects._ask"] < 24
    pushed = called(lambda: push(open_repo(str(clone.path), {})))
    assert pushed["versions_in"] == 1, "not once for each version"
    assert pushed["Objects._ask"] < 24


def test_versions_of_a_model_beside_one_that_cannot_be_read(tmp_path: Path) -> None:
    """What is read ahead for other models is no reason to fail."""
    clone = grown(tmp_path / "many", 6)
    lost = clone.git("rev-parse", "HEAD~1:folder/m4.bin.mvc").strip()
    (clone.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    history = open_repo(str(clone.path), {}).history
    names = [f"folder/m{number}.bin.mvc" for number in range(6)]
    assert [len(list(history.of(name))) for name in names[:4]] == [2] * 4
    with pytest.raises(GitError, match="is missing"):
        list(history.of(names[4]))
    assert len(list(history.of(names[5]))) == 2

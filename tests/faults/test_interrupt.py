"""Ctrl-C: whatever a command waits for, it ends at once, says so, leaves nothing behind, and the next run goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone
from tests.support.scripted import SILENCE, Scripted, error

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 << 20
PATIENCE = 20  # seconds, for a machine that does other things: alone it is a third of one
S3 = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A model in the worktree that nobody added yet."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    found.git("commit", "-qm", "remote")
    (found.path / "model.bin").write_bytes(random.Random(1).randbytes(SIZE))
    return found


def interrupted(clone: Clone, seconds: float, *words: str) -> tuple[int, str]:
    """Run mvc and press Ctrl-C after SECONDS: its exit code (0: it was done by then) and what it said."""
    process = clone.start(*words)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that the command started
    said, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    return process.returncode, said


def nothing_left(clone: Clone) -> None:
    for folder in (".git/mvc/tmp", ".git/mvc/store/tmp"):
        assert not (clone.path / folder).is_dir() or os.listdir(clone.path / folder) == []
    assert not [name for name in os.listdir(clone.path / ".git") if "lock" in name]


@pytest.mark.parametrize("words", [("add", "model.bin"), ("push",), ("checkout",)], ids=lambda words: words[0])
def test_at_work(clone: Clone, words: tuple[str, ...]) -> None:
    if words[0] != "add":
        clone.mvc("add", "model.bin")
        clone.git("commit", "-qm", "model")
    if words[0] == "checkout":
        (clone.path / "model.bin").unlink()
    for moment in (0.15, 0.25, 0.4):
        code, said = interrupted(clone, moment, *words)
        # before Python takes the signal, or after mvc gave it back, the process dies of it: to a shell that is 130 too
        assert code in {0, 130, -signal.SIGINT}, said
        nothing_left(clone)
    clone.mvc(*words)
    clone.mvc("add", "model.bin")
    clone.mvc("fsck")
    assert clone.agrees()


@pytest.mark.parametrize("answer", [SILENCE, error(503, "SlowDown")], ids=["never answers", "asks to wait"])
@pytest.mark.parametrize("words", [("push", "-r", "s3"), ("fsck", "--remote", "-r", "s3"), ("pull", "-r", "s3")])
def test_while_a_remote_makes_it_wait(clone: Clone, words: tuple[str, ...], answer: bytes) -> None:
    clone.env.update(S3)
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "model")
    if words[0] == "pull":
        clone.mvc("push")
        (clone.path / "model.bin").unlink()
        (clone.path / ".git/mvc/store").rename(clone.path.parent / "away")
    with Scripted([answer]) as server:
        clone.mvc("remote", "add", "s3", "s3://bucket/models", "--endpoint-url", server.url)
        process = clone.start(*words)
        deadline = time.monotonic() + 60
        while not server.heads and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        assert process.poll() is None, process.communicate()[0]
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    nothing_left(clone)
    if words[0] == "pull":
        clone.mvc("pull")
        assert clone.agrees()
    else:
        clone.mvc("push")
        clone.mvc("fsck", "--remote")

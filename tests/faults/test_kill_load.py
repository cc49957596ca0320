"""kill -9 of everything at once: commands that work side by side in one clone die together, again and again.

A few rounds in every run; MVC_KILLS=300 for as many as one likes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("MVC_KILLS", "4"))
SIZE = 3 << 20
JOBS = (
    ("add", "new.bin"),
    ("push", "--all"),
    ("checkout", "old", "back.bin"),
    ("gc", "--apply", "--evict", "--grace", "0"),
    ("fetch", "--all"),
)


def content(seed: int) -> bytes:
    return random.Random(seed).randbytes(SIZE)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two versions of two models, of which the remote has the first, and changes in one of them."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    found.git("commit", "-qm", "remote")
    for seed in (1, 2):
        found.write("new.bin", content(seed))
        found.write("back.bin", content(-seed))
        found.mvc("add", "new.bin", "back.bin")
        found.git("commit", "-qm", f"new {seed}")
        if seed == 1:
            found.git("tag", "old")
            found.mvc("push")
    return found


def at_once(clone: Clone, seconds: float) -> bool:
    """Run all jobs side by side and kill them after SECONDS; whether any was still at work."""
    words = [sys.executable, "-P", "-m", "modelvc"]
    jobs = [
        subprocess.Popen(
            [*words, *job],
            cwd=clone.path,
            env=clone.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for job in JOBS
    ]
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(job.poll() is None for job in jobs):
        time.sleep(0.002)
    busy = any(job.poll() is None for job in jobs)
    for job in jobs:  # with the Git processes that they started
        try:
            os.killpg(job.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for job in jobs:
        job.wait()
    return busy


def test_the_next_run_simply_works(clone: Clone, tmp_path: Path) -> None:
    chance = random.Random(20)
    start = time.monotonic()
    at_once(clone, 60)
    whole = time.monotonic() - start
    clone.mvc("checkout", "HEAD", "back.bin")
    clone.git("commit", "-qm", "nothing new", "--allow-empty")
    kills = 0
    backs = {content(-1), content(-2)}
    first = Clone(clone.path).git("rev-list", "--count", "HEAD")
    for seed in range(10, 10 + ROUNDS):
        clone.write("new.bin", content(seed))
        kills += at_once(clone, chance.uniform(0.05, whole))
        assert clone.read("new.bin") == content(seed), "what nobody saved is still there"
        assert clone.read("back.bin") in backs, "old or new, never between"
        clone.mvc("fsck")
        for job in JOBS:
            clone.mvc(*job)
        clone.mvc("checkout", "HEAD", "back.bin")
        assert clone.read("back.bin") == content(-2)
        clone.git("commit", "-qm", f"new {seed}")
        left = [name for name in os.listdir(clone.path / ".git") if "lock" in name or name.startswith("mvc-index")]
        assert left == []
        assert os.listdir(clone.path / ".git/mvc/tmp") == []
    assert kills >= ROUNDS / 3, "most of them hit; how many depends on what else the machine does"
    assert int(clone.git("rev-list", "--count", "HEAD")) == int(first) + ROUNDS
    clone.mvc("push", "--all")
    clone.mvc("fsck", "--remote")
    reader = Clone(tmp_path / "reader")
    reader.path.mkdir()
    reader.git("clone", "-q", str(clone.path), ".")
    reader.mvc("install", "--trust")
    for back, seed in enumerate(reversed(range(10, 10 + ROUNDS))):
        reader.mvc("checkout", f"HEAD~{back}", "new.bin")
        assert reader.read("new.bin") == content(seed), "every version that was committed is at the remote"

"""mvc, a real S3 server, and between them a proxy that does what networks and servers do on their bad days."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from modelvc.cli.app import run
from modelvc.store.backends import retry
from modelvc.store.backends import s3 as s3_module
from tests.support.behind_proxy import clone_behind, prepare, running_proxy
from tests.support.clone import Clone
from tests.support.proxy import Proxy, Rule
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20  # seconds, for a machine that does other things


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    yield from running_proxy()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return prepare(tmp_path_factory.mktemp("proxy") / "clone")


@pytest.fixture
def clone(prepared: Clone, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clone:
    return clone_behind(proxy, prepared, tmp_path / "clone", monkeypatch)


def forget(clone: Clone) -> None:
    shutil.rmtree(clone.path / ".git/mvc/store")
    (clone.path / "model.bin").unlink()


def call(clone: Clone, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """One command in this process; its exit code and what it said on stderr."""
    capsys.readouterr()
    code = run(["--repo", str(clone.path), *words])
    return code, capsys.readouterr().err


# What is done to which requests of which command: its exit code, and the words that a person reads.
TROUBLE = {
    "busy": (
        "push",
        Rule("status", "PUT"),
        13,
        ("the server is busy (SlowDown it is)", "what was transferred is kept"),
    ),
    "403": ("push", Rule("status", "PUT", status=403, code="AccessDenied"), 13, ("not allowed", "s3:PutObject")),
    "409": (
        "push",
        Rule("status", "PUT.*/b/", status=409, code="ConditionalRequestConflict"),
        13,
        ("others change", "run `mvc push` again"),
    ),
    "skewed": (
        "push",
        Rule("status", "PUT", status=403, code="RequestTimeTooSkewed"),
        13,
        ("this computer's clock is wrong", "set this computer's clock"),
    ),
    "reset": (
        "push",
        Rule("reset"),
        13,
        ("cannot reach|the connection broke", "what was transferred is kept|check the"),
    ),
    "silent": ("push", Rule("silent", "PUT"), 13, ("no answer in time", "run the command again")),
    "dropped": ("push", Rule("drop", "PUT.*/packs/"), 13, ("which does not show it", "ask who runs the server")),
    "dropped once": ("push", Rule("drop", "PUT", last=2), 0, ()),
    "lost answers": ("push", Rule("lost", "PUT", share=0.7, last=4), 0, ()),
    "no token": ("push", Rule("no token", "list-type"), 13, ("truncates its listing", "mvc doctor")),
    "old lists": ("push", Rule("old", "list-type", first=2), 13, ("which does not show it",)),
    "404": ("pull", Rule("status", "GET.*/b/", status=404, code="NoSuchKey"), 10, ("is not in the local",)),
    "404 pack": ("pull", Rule("status", "GET.*/packs/", status=404, code="NoSuchKey"), 13, ("hint: ",)),
    "cut": ("pull", Rule("cut", "GET.*/packs/"), 13, ("the connection broke", "what was transferred is kept")),
    "short": ("pull", Rule("short", "GET.*/packs/"), 13, ("shorter than expected", "mvc fsck --remote")),
    "flipped": ("pull", Rule("flip", "GET.*/packs/"), 12, ("is damaged", "mvc fsck --remote --repair")),
    "flipped once": ("pull", Rule("flip", "GET.*/packs/", last=1), 0, ()),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_what_a_person_reads_and_that_it_works_later(
    clone: Clone, proxy: Proxy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    words, rule, wanted, said = TROUBLE[name]
    monkeypatch.setattr(retry, "DELAYS", (0.01,) * 4)
    if rule.does == "silent":
        monkeypatch.setitem(s3_module._CONFIG, "read_timeout", 0.5)
    if words == "pull":
        assert call(clone, capsys, "push")[0] == 0
        forget(clone)
    proxy.use(rule)
    code, error = call(clone, capsys, words)
    assert code == wanted, error
    for one in said:
        assert any(each in error for each in one.split("|")), error
    assert "trying again" not in error  # in a pipe only the end is said
    assert proxy.done(rule.does) > 0
    assert len(proxy.log) < 60, "retries are bounded"
    if words == "pull" and code:
        assert not (clone.path / "model.bin").exists()
    proxy.use()
    if code:
        assert call(clone, capsys, words)[0] == 0
    assert clone.agrees()
    if words == "push":
        assert call(clone, capsys, "fsck", "--remote") == (0, "")


def test_a_rain_of_faults(clone: Clone, proxy: Proxy) -> None:
    """Real processes; each comes to an end, and what it called done is there."""
    seed = int(os.environ.get("MVC_SEED", "1"))
    rain = (
        Rule("reset", share=0.04),
        Rule("status", share=0.05),
        Rule("lost", "PUT", share=0.1),
        Rule("drop", "PUT", share=0.1),
        Rule("cut", "GET", share=0.1),
        Rule("flip", "GET.*/packs/", share=0.1),
        Rule("short", "GET", share=0.05),
        Rule("old", "list-type", share=0.1),
        Rule("few", "list-type", share=0.1),
        Rule("delay", share=0.1),
    )
    proxy._random.seed(seed)
    for number in range(int(os.environ.get("MVC_ROUNDS", "1"))):
        data = random.Random(f"{seed} {number}").randbytes(400_000)
        clone.write("model.bin", data)
        clone.mvc("add", "model.bin")
        clone.git("commit", "-qm", f"version {number}")
        proxy.use(*rain)
        until_done(clone, "push", "--all")
        proxy.use()
        clone.mvc("fsck", "--remote")
        forget(clone)
        proxy.use(*rain)
        until_done(clone, "pull")
        assert clone.read("model.bin") == data
        proxy.use()


def until_done(clone: Clone, *words: str) -> None:
    for _ in range(8):
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "modelvc", *words],
            cwd=clone.path,
            env=clone.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in {0, 10, 12, 13}, done.stderr
        assert time.monotonic() - start < 100
        if not done.returncode:
            return
        assert "error: " in done.stderr
        assert "hint: " in done.stderr
    raise AssertionError(f"{words} did not come through: {done.stderr}")


@pytest.mark.parametrize("words", ["push", "pull"])
def test_ctrl_c_in_the_middle_of_a_slow_transfer(clone: Clone, proxy: Proxy, words: str) -> None:
    (clone.path / "model.bin").write_bytes(random.Random(3).randbytes(24 << 20))
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "large")
    if words == "pull":
        clone.mvc("push")
        forget(clone)
        proxy.use(Rule("slow", "GET.*/packs/", rate=500_000))
    else:
        proxy.upload_rate = 500_000
        proxy.use()
    process = clone.start(words)
    deadline = time.monotonic() + 60
    begun = "GET" if words == "pull" else "list-type"
    while time.monotonic() < deadline and not any(begun in what for what, _ in proxy.log[2:]):
        time.sleep(0.02)
    time.sleep(1)
    assert process.poll() is None, process.communicate()[0]
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    took = time.monotonic() - start
    assert process.returncode == 130, said
    assert "interrupted; the next run continues from what was stored" in said
    assert "Traceback" not in said
    print(f"{words} ended {took:.2f} s after Ctrl-C")
    assert took < float(os.environ.get("MVC_PATIENCE", "4"))  # one second, on a machine that does nothing else
    for folder in (".git/mvc/tmp", ".git/mvc/store/tmp"):
        assert not (clone.path / folder).is_dir() or os.listdir(clone.path / folder) == []
    assert not [name for name in os.listdir(clone.path / ".git") if "lock" in name]
    proxy.upload_rate = 0
    proxy.use()
    clone.mvc(words)
    assert clone.agrees()
    if words == "push":
        clone.mvc("fsck", "--remote", "--quick", "HEAD")


def test_a_terminal_shows_what_is_waited_for(clone: Clone, proxy: Proxy) -> None:
    proxy.use(Rule("status", "PUT.*/packs/", last=2))
    code, said = on_terminal(clone, "push")
    assert code == 0, said
    assert "the server is busy (SlowDown it is); trying again in 0." in said
    clone.git("remote", "add", "origin", str(clone.path.parent / "bare"))
    clone.git("init", "-q", "--bare", str(clone.path.parent / "bare"))
    clone.git("commit", "-qm", "remote")
    proxy.use(Rule("status", "GET.*config", last=1))
    code, said = on_terminal(clone, "push", "origin", "main", program=("git",))
    assert code == 0, said
    assert said.count("mvc: ") == 1, said  # all already exists: nothing else to say
    assert "the server is busy (SlowDown it is); trying again in 0." in said

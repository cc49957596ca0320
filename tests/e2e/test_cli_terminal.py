"""What happens only on a terminal: the one question, bars and colour."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


def _on_terminal(clone: Clone, *words: str, answer: str = "") -> tuple[int, str]:
    """Run mvc on a terminal of its own and type ANSWER when it asks."""
    pid, fd = pty.fork()
    if not pid:
        os.chdir(clone.path)
        env = {**clone.environment(), "TERM": "xterm"}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "modelvc", *words], env)
    said = ""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([fd], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(fd, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        said += data.decode()
        if answer and "[y/N]" in said:
            os.write(fd, answer.encode())
            answer = ""
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), said.replace("\r\n", "\n")


@pytest.fixture
def cloned(tmp_path: Path) -> Clone:
    project = Clone.new(tmp_path / "project")
    project.mvc("remote", "add", "origin", str(tmp_path / "far"))
    project.commit_model(1)
    project.mvc("push")
    project.git("clone", "-q", str(project.path), str(tmp_path / "clone"))
    return Clone(tmp_path / "clone")


def test_install_asks_once_whether_to_use_the_remotes(cloned: Clone) -> None:
    code, said = _on_terminal(cloned, "install", answer="y\n")
    assert code == 0
    assert said.count("[y/N]") == 1
    assert "(not accepted yet)" in said
    assert said.rstrip().endswith("next: mvc pull")
    assert cloned.json("trust")["remotes"][0]["trusted"] is True
    code, said = _on_terminal(cloned, "install")
    assert "[y/N]" not in said
    cloned.mvc("pull")
    assert cloned.agrees()


def test_no_is_no_and_no_terminal_is_no(cloned: Clone) -> None:
    code, said = _on_terminal(cloned, "install", answer="n\n")
    assert code == 0
    assert "next: accept what you trust with mvc trust NAME, then mvc pull" in said
    done = cloned.mvc("install")
    assert "(not accepted yet)" in done.out
    assert "[y/N]" not in done.err
    assert cloned.json("trust")["remotes"][0]["trusted"] is False


def test_colour_on_a_terminal_unless_no_color(cloned: Clone) -> None:
    (cloned.path / ".git/mvc").mkdir(exist_ok=True)
    cloned.env["NO_COLOR"] = ""
    assert "\x1b[31mmissing:\x1b[0m" in _on_terminal(cloned, "status")[1]
    cloned.env["NO_COLOR"] = "1"
    assert "\x1b" not in _on_terminal(cloned, "status")[1]


def test_an_interrupt_at_the_question_ends_with_130(cloned: Clone) -> None:
    code, said = _on_terminal(cloned, "install", answer="\x03")
    assert code == 130
    assert "Traceback" not in said

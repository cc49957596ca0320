"""Run mvc on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.clone import Clone


MVC = (sys.executable, "-P", "-m", "modelvc")


def on_terminal(
    clone: Clone, *words: str, answer: str = "", program: tuple[str, ...] = MVC, columns: int = 80
) -> tuple[int, str]:
    """Run mvc on a new terminal of COLUMNS characters, and type ANSWER when it asks."""
    pid, fd = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.chdir(clone.path)
        # a test runner may say in COLUMNS how wide its own terminal is
        env = {name: value for name, value in clone.environment().items() if name not in {"COLUMNS", "LINES"}}
        env["TERM"] = "xterm"
        os.execvpe(program[0], [*program, *words], env)
    said = ""
    ready = select.poll()  # select.select takes no descriptor above 1,023
    ready.register(fd)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not ready.poll(500):
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

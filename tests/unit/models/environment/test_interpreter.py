from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from modelvc.models.environment import interpreter
from modelvc.models.environment.interpreter import NotPython, Running, installed, parse
from tests.support.environments import VERSION, FakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "probe": 1,
    "python": "3.11.7",
    "implementation": "CPython",
    "platform": "linux",
    "machine": "x86_64",
    "libc": "",
    "executable": "/usr/bin/python3",
    "system": ["Linux", "6.1", "#1", "posix"],
    "distributions": [["numpy", "2.4.6", ["numpy"], [], False]],
}


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_it_says_what_is_installed(tmp_path: Path) -> None:
    home = FakeEnvironment.new(tmp_path / "venv").scientific()
    found = installed(str(home.python), {})
    assert (found.python, found.executable) == (VERSION, str(home.python))
    assert found.distributions["scikit-learn"].version == "1.9.1"
    assert found.distributions["scikit-learn"].modules == ("sklearn",)


def test_it_stands_at_the_root_with_nothing_to_read(tmp_path: Path) -> None:
    answer = json.dumps(GOOD)
    here = str(tmp_path)
    lines = ["pwd >HERE/pwd", "cat >HERE/stdin", 'echo "$@" >HERE/words', "env >HERE/env", f"cat <<'E'\n{answer}\nE"]
    python = program(tmp_path / "python", "\n".join(lines).replace("HERE", here))
    assert installed(python, {"PYTHONHOME": "x", "PYTHONINSPECT": "1", "KEPT": "1"}).python == "3.11.7"
    assert (tmp_path / "pwd").read_text() == "/\n"
    assert (tmp_path / "stdin").read_text() == ""
    assert (tmp_path / "words").read_text() == f"-I -S {interpreter.PROBE}\n"
    assert os.path.isabs(interpreter.PROBE)
    env = (tmp_path / "env").read_text()
    assert "KEPT=1" in env
    assert "PYTHON" not in env


@pytest.mark.parametrize("text", ["exit 3", "true", "echo hello", "echo '{}'", "echo '[1'", "kill -9 $$"])
def test_another_program_is_no_python(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotPython, match="is no Python"):
        installed(program(tmp_path / "python", text), {})


def test_what_cannot_be_started_is_no_python(tmp_path: Path) -> None:
    for name in ("missing", "folder", "text"):
        path = tmp_path / name
        if name == "folder":
            path.mkdir()
        elif name == "text":
            path.write_bytes(b"\x7fELF")
            path.chmod(0o755)
        with pytest.raises(NotPython, match="cannot be started"):
            installed(str(path), {})


def test_its_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "PATIENCE", 0.3)
    for text in ("sleep 60", "exec >&-; sleep 60", "sleep 60 & wait"):
        start = time.monotonic()
        with pytest.raises(NotPython, match=r"did not answer within 0\.3 s"):
            installed(program(tmp_path / "python", text), {})
        assert time.monotonic() - start < 5


def test_its_output_is_limited(tmp_path: Path) -> None:
    with pytest.raises(NotPython, match="ended with -9"):
        installed(program(tmp_path / "python", "while :; do echo " + "x" * 10_000 + "; done"), {})


def test_a_probe_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    running = Running(program(tmp_path / "python", f"sleep 60 & echo $! > {tmp_path}/pid; wait"), {})
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    running.stop()
    child = int((tmp_path / "pid").read_text())
    for _ in range(500):
        try:
            state = (tmp_path.__class__(f"/proc/{child}/stat")).read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            break
        if state == "Z":
            break
        time.sleep(0.01)
    else:
        pytest.fail("it is still there")


def test_a_good_answer_is_read() -> None:
    assert parse(json.dumps(GOOD).encode()).distributions["numpy"].modules == ("numpy",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("probe", 2),
        ("python", ""),
        ("python", 3.11),
        ("python", "3" * 1001),
        ("machine", None),
        ("system", ["Linux"]),
        ("system", "Linux"),
        ("distributions", {}),
        ("distributions", [["numpy", "1", [], []]]),
        ("distributions", [["Num/py", "1", [], [], False]]),
        ("distributions", [["numpy", "1", "numpy", [], False]]),
        ("distributions", [["numpy", "1", [1], [], False]]),
        ("distributions", [["numpy", "1", [], [], 1]]),
        ("distributions", [["numpy", "1", [], ["x"] * 5_001, False]]),
        ("distributions", [["numpy", "1", [], [], False]] * 5_001),
    ],
)
def test_a_wrong_answer_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"not|too|empty"):
        parse(json.dumps({**GOOD, key: value}).encode())


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotPython):
        installed(program(tmp_path / "python", f"{sys.executable} -c 'print(\"[\" * 200_000)'"), {})

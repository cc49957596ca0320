"""What a Python has installed: start the probe in it, and read what it prints.

The probe's output is hostile until it is parsed: the interpreter may be any program. Its size and time are limited.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, NamedTuple

from modelvc.errors import ModelvcError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
PATIENCE = 10.0  # seconds; the usual is 0.03
MOST_BYTES = 4 << 20  # of the output; 100 packages take 45 kB
_MOST_PACKAGES = 5_000
_MOST_LISTED = 5_000  # modules or requirements of one package
_TEXTS = ("python", "implementation", "platform", "machine", "libc", "executable")
_LONGEST = 1_000  # characters of one text
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Variables that change how Python starts. The probe needs no other home than its own, and asks nothing.
_DROPPED = frozenset({"PYTHONHOME", "PYTHONINSPECT", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__", "PWD", "OLDPWD"})


class Distribution(NamedTuple):
    """An installed package. `name` is normalised. `direct`: True if it came from a folder or an address, no index."""

    name: str
    version: str
    modules: tuple[str, ...]  # top modules that it brings
    requires: tuple[str, ...]  # values of Requires-Dist
    direct: bool


class System(NamedTuple):
    """Values of environment markers: platform_system, platform_release, platform_version and os_name."""

    name: str
    release: str
    version: str
    os_name: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A Python, and the packages that it has by name. `executable`: its own path as it says it."""

    python: str
    implementation: str
    platform: str
    machine: str
    libc: str
    executable: str
    system: System
    distributions: Mapping[str, Distribution]


class NotPython(ModelvcError):
    """A program did not answer as a Python does."""


class Running:
    """A probe at work. `result` waits for it; `stop` ends it. Every one that was started must see one of the two."""

    def __init__(self, python: str, env: Mapping[str, str]) -> None:
        """Start the probe in PYTHON, an absolute path. ENV: the user's environment. Raises NotPython."""
        self.python = python
        self._end = time.monotonic() + PATIENCE
        try:
            self._process = subprocess.Popen(  # noqa: TID251, S603 - the one program beside Git: docs/parity.md says which
                [python, "-I", "-S", PROBE],
                cwd="/",
                env={key: value for key, value in env.items() if key not in _DROPPED},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise NotPython(f"{shown(python)} cannot be started: {shown(why)}") from None

    def result(self) -> Installed:
        """Return what the Python has installed. Raises NotPython if its answer is no such thing, too large or late."""
        try:
            data = self._output()
            status = self._process.wait(max(0.0, self._end - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise NotPython(f"{shown(self.python)} did not answer within {PATIENCE:g} s") from None
        finally:
            self.stop()
        if status:
            raise NotPython(f"{shown(self.python)} is no Python 3.8 or later: it ended with {status}")
        try:
            return parse(data)
        except (ValueError, RecursionError):
            raise NotPython(f"{shown(self.python)} is no Python 3.8 or later: it printed something else") from None

    def stop(self) -> None:
        """End the probe and what it started."""
        if self._process.poll() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _output(self) -> bytes:
        """Read at most MOST_BYTES and one more. Raises TimeoutError."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        fd = self._process.stdout.fileno()
        parts: list[bytes] = []
        left = MOST_BYTES + 1
        with DefaultSelector() as selector:
            selector.register(fd, EVENT_READ)
            while left:
                if not selector.select(max(0.0, self._end - time.monotonic())):
                    raise TimeoutError
                data = os.read(fd, min(left, 1 << 20))
                if not data:
                    break
                parts.append(data)
                left -= len(data)
        if not left:
            self.stop()  # it may wait for a reader
        return b"".join(parts)


def installed(python: str, env: Mapping[str, str]) -> Installed:
    """Return what PYTHON, an absolute path, has installed. ENV: the user's environment. Raises NotPython."""
    return Running(python, env).result()


# -- the output


def parse(data: bytes) -> Installed:
    """Return what the output DATA of the probe says. Raises ValueError if it breaks a rule."""
    if len(data) > MOST_BYTES:
        raise ValueError("too large")
    found = json.loads(data)
    if type(found) is not dict or found.get("probe") != 1:
        raise ValueError("not of a probe")
    distributions = [_distribution(one) for one in _list(found.get("distributions"), _MOST_PACKAGES)]
    system = _list(found.get("system"), 4)
    if len(system) != 4:
        raise ValueError("not a system")
    texts = {key: _text(found.get(key)) for key in _TEXTS}
    if not all(texts[key] for key in _TEXTS[:4]):
        raise ValueError("an empty text")
    known = {one.name: one for one in reversed(distributions)}
    return Installed(**texts, system=System(*map(_text, system)), distributions=known)


def _distribution(value: object) -> Distribution:
    name, version, modules, requires, direct = _list(value, 5)
    if not _NAME.fullmatch(_text(name)):
        raise ValueError("not the name of a package")
    if type(direct) is not bool:
        raise ValueError("not a boolean")
    return Distribution(
        name,
        _text(version),
        tuple(map(_text, _list(modules, _MOST_LISTED))),
        tuple(map(_text, _list(requires, _MOST_LISTED))),
        direct,
    )


def _list(value: object, most: int) -> list[Any]:
    if type(value) is not list or len(value) > most:
        raise ValueError("not a list, or too long")
    return value


def _text(value: object) -> str:
    if type(value) is not str or len(value) > _LONGEST:
        raise ValueError("not a text, or too long")
    return value

"""Hermetic by default: no test sees your home, your Git configuration or your credentials."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The real one, before anything stands in for it; xdist's workers start with a stand-in already.
_HOME = os.environ.setdefault("PYTEST_REAL_HOME", os.path.realpath(os.path.expanduser("~")))
_SECRET = ("gitconfig", "git-credentials", "config/git", "config/mvc", "aws", "ssh", "netrc", "cache/modelvc")

# A shell that starts the tests in the background has Ctrl-C ignored, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "default")

_GIT_CONFIG = """\
[user]
name = Ada
email = ada@example.org
[init]
defaultBranch = main
[advice]
detachedHead = false
[core]
pager = cat
[gc]
auto = 0
"""


class _TouchedHome(BaseException):
    """Nobody's `except Exception` may hide it."""


def _watch(event: str, args: tuple[object, ...]) -> None:
    """Reading your configuration and credentials, or writing anywhere in your home, is an error."""
    if event != "open" or not isinstance(args[0], str | bytes):
        return
    path = os.path.abspath(os.fsdecode(args[0]))
    if not path.startswith(_HOME + "/"):
        return
    inside = path[len(_HOME) + 1 :]
    if inside.startswith("."):
        for secret in _SECRET:
            if inside == f".{secret}" or inside.startswith(f".{secret}/"):
                raise _TouchedHome(path)
    flags = args[2] if isinstance(args[2], int) else 0
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not path.startswith(_ALLOWED):
        raise _TouchedHome(path)


# The project, what holds the interpreter, and temporary folders may lie in a home.
_ALLOWED = tuple(
    os.path.join(os.path.realpath(folder), "")
    for folder in (Path(__file__).parents[1], sys.prefix, tempfile.gettempdir(), "/dev")
)


def pytest_configure() -> None:
    """libgit2 and others look for a home once, when they are loaded: give them none of yours."""
    home = tempfile.mkdtemp(prefix="mvc-home-")
    Path(home, ".gitconfig").write_text(_GIT_CONFIG)
    os.environ["HOME"] = home
    os.environ["XDG_CONFIG_HOME"] = os.path.join(home, ".config")
    pytest_configure.home = home  # type: ignore[attr-defined]
    # Hundreds of tests start Python: what the first one compiled is there for all, and none of it in the project.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", os.path.join(home, "pycache"))
    if _HOME not in {"/", ""}:
        sys.addaudithook(_watch)


@pytest.fixture
def in_no_time() -> Iterator[None]:
    """For tests with pipes: to wait for one is to fail."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.setitimer(signal.ITIMER_REAL, 15)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def pytest_unconfigure() -> None:
    shutil.rmtree(getattr(pytest_configure, "home", ""), ignore_errors=True)


@pytest.fixture
def real_home() -> str:
    """For the test of these fixtures alone."""
    return _HOME


@pytest.fixture(autouse=True)
def _hermetic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home: Path = tmp_path_factory.mktemp("home")
    for name in [n for n in os.environ if n.startswith(("GIT_", "MVC_", "AWS_"))]:
        monkeypatch.delenv(name)
    (home / ".gitconfig").write_text(_GIT_CONFIG)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_COLOR", "1")

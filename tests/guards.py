"""Break each guard once and see its tests go red: `python -m tests.guards [-v] [WORD ...]`, by hand, in a clean clone.

A guard is a check that keeps data safe. tests/guarded/*.toml list guards, what breaks each, and the tests that must
fail then. With WORDs, only guards whose table, file or description holds one of them are broken.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis  # noqa: F401 - loaded once for all tests
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HERE = Path(__file__).resolve().parents[1]
_MOST = 300.0  # seconds for the tests of one guard; without the guard they may wait for ever
_GREEN, _RED = 0, 1  # exit codes of pytest: all passed, some failed; any other code proves nothing


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard.

    `what`: what it protects. `old`: its text, once in `file`. `new`: the text that breaks it. `tests`: those that must
    fail then. `table`: the name of its table.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    table: str


def guards(root: Path = _HERE) -> list[Guard]:
    """The guards of all tables, in order."""
    found = []
    for table in sorted((root / "tests" / "guarded").glob("*.toml")):
        for one in tomllib.loads(table.read_text())["guard"]:
            old, new = one["old"], one.get("new", "")
            found.append(Guard(one["what"], one["file"], old, new, tuple(one["tests"]), table.stem))
    return found


def chosen(found: Sequence[Guard], words: Sequence[str]) -> list[Guard]:
    return [one for one in found if not words or any(w in f"{one.table} {one.file} {one.what}" for w in words)]


@contextmanager
def broken(root: Path, guard: Guard) -> Iterator[None]:
    """Break GUARD while the block runs."""
    path = root / guard.file
    whole, before = path.read_bytes(), path.stat()
    text = whole.decode()
    if text.count(guard.old) != 1:
        raise SystemExit(f"{guard.file} has the guard {text.count(guard.old)} times: {guard.what}")
    try:
        path.write_bytes(text.replace(guard.old, guard.new).encode())
        stamp = random.randrange(1 << 30)  # Python recognises compiled code by size and whole seconds
        os.utime(path, (stamp, stamp))
        yield
    finally:
        path.write_bytes(whole)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def run(root: Path, tests: Sequence[str], cache: str) -> tuple[int | None, str]:
    """Run TESTS. Return the exit code of pytest (None if it had to be stopped), and its output.

    They run in a fork, because loading pytest and hypothesis again would double the time of a short test.
    """
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if not pid:
            _child(root, tests, cache, said.fileno())
        end = time.monotonic() + _MOST
        status: int | None = None
        try:
            while not (done := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < end:
                time.sleep(0.02)
            status = os.waitstatus_to_exitcode(done[1]) if done[0] else None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # with what the tests started
            if status is None:
                os.waitpid(pid, 0)
        said.seek(0)
        return status, said.read().decode(errors="replace")


def _child(root: Path, tests: Sequence[str], cache: str, out: int) -> NoReturn:
    """Run TESTS as `pytest -x -q -n0` does, without plugins that they do not need. This process ends with it."""
    code = 70
    try:
        os.setsid()
        for sink in (1, 2):
            os.dup2(out, sink)
        os.chdir(root)
        sys.path.insert(0, str(root))
        sys.pycache_prefix = cache
        path = (os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath))
        os.environ |= {"PATH": os.pathsep.join(path), "PYTHONPYCACHEPREFIX": cache}
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        plugins = ("-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")
        code = int(pytest.main(["-x", "-q", *plugins, "--tb=line", "--hypothesis-seed=0", *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def main(argv: Sequence[str], root: Path = _HERE) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="also how the tests failed")
    parser.add_argument("words", nargs="*", metavar="WORD")
    args = parser.parse_args(argv)
    found = chosen(guards(root), args.words)
    if not found:
        raise SystemExit("no guard is called so")
    if subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, check=True).stdout:
        raise SystemExit("files are changed here: commit or stash them first, since guards are broken in place")
    for number in (signal.SIGINT, signal.SIGTERM):  # which a shell may have let be ignored: files are put back
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mvc-guards-") as cache:
        tests = list(dict.fromkeys(test for one in found for test in one.tests))
        code, out = run(root, tests, cache)
        if code != _GREEN:
            print(out)
            raise SystemExit("red before anything was broken")
        print(f"green  {time.monotonic() - begun:5.1f} s  {len(tests)} tests, nothing broken", flush=True)
        survived = 0
        for guard in found:
            start = time.monotonic()
            with broken(root, guard):
                code, out = run(root, guard.tests, cache)
            red = code in {_RED, None}
            survived += not red
            word = "hangs" if code is None else "red" if red else "GREEN" if code == _GREEN else f"pytest {code}"
            print(f"{word:5}  {time.monotonic() - start:5.1f} s  {guard.table}: {guard.what}", flush=True)
            if args.verbose or not red:
                print("".join(f"       {line}\n" for line in _told(out)), end="", flush=True)
    print(f"{len(found)} guards, {survived} survived, {time.monotonic() - begun:.0f} s")
    return 1 if survived else 0


def _told(out: str) -> list[str]:
    return [line[:200] for line in out.splitlines() if line.startswith(("E ", "/", "FAILED", "ERROR")) or ": " in line][
        -3:
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

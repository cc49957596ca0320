"""tests/guards.py breaks each guard by hand; here only that its tables are true, and that it does what it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.guards import Guard, guards

ROOT = Path(__file__).parents[1]
GUARDS = guards()


@cache
def names(file: str) -> set[str]:
    """The tests in a file."""
    return {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("table", sorted({guard.table for guard in GUARDS}))
def test_the_tables_are_true(table: str) -> None:
    found = [guard for guard in GUARDS if guard.table == table]
    assert len({guard.what for guard in found}) == len(found)
    for guard in found:
        text = (ROOT / guard.file).read_text()
        assert text.count(guard.old) == 1, f"{guard.file} has changed: {guard.what}"
        assert guard.new != guard.old, guard.what
        if guard.file.endswith(".py"):
            compile(text.replace(guard.old, guard.new), guard.file, "exec")
        assert guard.tests, guard.what
        for test in guard.tests:
            file, _, name = test.partition("::")
            assert (ROOT / file).is_file(), test
            assert not name or name.partition("[")[0] in names(file), test


TABLE = """
[[guard]]
what = "seen"
file = "m.py"
old = "return 1"
new = "return 2"
tests = ["test_m.py::test_one"]

[[guard]]
what = "survives"
file = "m.py"
old = "x = 1"
new = "x = 2"
tests = ["test_m.py::test_one"]
"""

INTERRUPTS = """
import os, signal, time

def test_one():
    if "x = 2" in open("m.py").read():
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)
"""


def program(root: Path, *words: str) -> tuple[int, str]:
    code = f"import sys, pathlib, tests.guards as g; sys.exit(g.main(sys.argv[1:], pathlib.Path({str(root)!r})))"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_program(tmp_path: Path) -> None:
    (tmp_path / "tests/guarded").mkdir(parents=True)
    (tmp_path / "tests/guarded/some.toml").write_text(TABLE)
    (tmp_path / "m.py").write_text("x = 1\n\n\ndef one():\n    return 1\n")
    (tmp_path / "test_m.py").write_text("import m\n\n\ndef test_one():\n    assert m.one() == 1\n")
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    assert [guard.what for guard in guards(tmp_path)] == ["seen", "survives"]
    whole = (tmp_path / "m.py").read_bytes()
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    code, said = program(tmp_path, "seen")
    assert code == 0, said
    assert "1 guards, 0 survived" in said
    assert (tmp_path / "m.py").read_bytes() == whole

    (tmp_path / "m.py").write_bytes(whole + b"# mine\n")
    code, said = program(tmp_path)
    assert (code, (tmp_path / "m.py").read_bytes()) == (1, whole + b"# mine\n")
    assert "commit or stash them first" in said

    (tmp_path / "m.py").write_bytes(whole)
    (tmp_path / "test_m.py").write_text(INTERRUPTS)
    subprocess.run(["git", "commit", "-qam", "interrupt"], cwd=tmp_path, check=True)
    code, said = program(tmp_path)
    assert code == 130, said  # Ctrl-C while the second is broken; the first survived
    assert "GREEN" in said
    assert (tmp_path / "m.py").read_bytes() == whole


def test_a_guard_that_is_not_there_once_is_refused() -> None:
    from tests.guards import broken

    guard = Guard("nothing", "tests/guards.py", "no such text", "", (), "")
    with pytest.raises(SystemExit, match="0 times"), broken(ROOT, guard):
        pass

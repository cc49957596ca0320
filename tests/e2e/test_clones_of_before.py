"""A clone that an earlier release set up keeps working with this one, and `mvc install` makes it new."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest

from modelvc.formats.pointer.pointer import parse
from modelvc.git.setup import drivers
from tests.fixtures.clones.make import notebook
from tests.support.clone import ROOT, Clone
from tests.support.notebook_clone import commit, settled
from tests.support.notebooks import sources

if TYPE_CHECKING:
    from pathlib import Path

CLONES = sorted((ROOT / "tests/fixtures/clones").glob("*.tar.gz"))
OLD = ["one", "two", "three"]


@pytest.fixture(params=CLONES, ids=lambda path: path.name.partition(".")[0])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Clone:
    """A clone as that release left it. Its Python and its package are nowhere."""
    with tarfile.open(request.param) as tar:
        tar.extractall(tmp_path / "clone", filter="data")
    return Clone(tmp_path / "clone")


def updated(clone: Clone) -> Clone:
    """The clone after its environment got this release in the place of that one."""
    (clone.path / ".git/mvc/python").write_text(f"{sys.executable}\n")
    (clone.path / ".git/mvc/package").write_text(f"{ROOT}\n")
    shutil.rmtree(clone.path / ".git/mvc/lib")  # nothing but the package can serve
    return clone


def bare(clone: Clone, folder: Path) -> Clone:
    """The clone on a machine that has Git and a Python, and no modelvc."""
    folder.mkdir()
    for name in ("git", "sh", "cat", "awk", "find", "head", "tr", "sed", "rm", "uname", "basename"):
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    clone.env = {"PATH": str(folder), "PYTHONPATH": ""}
    return clone


def set_up(clone: Clone) -> dict[str, bytes]:
    """What Git runs in this clone."""
    git = clone.path / ".git"
    files = [*(git / "hooks").iterdir(), git / "mvc/driver.sh", git / "mvc/hook.sh", git / "config"]
    return {str(path.relative_to(git)): path.read_bytes() for path in files}


def complaints(clone: Clone) -> set[str]:
    """Which checks of `mvc doctor` are not content."""
    return {one["check"] for one in clone.json("doctor")["findings"] if one["state"] != "ok"}


def drivers_work(clone: Clone) -> None:
    """Filter, clean, smudge, merge and textconv of notebooks, and the text of pointers."""
    clone.git("branch", "side")
    commit(clone, notebook("ONE", *OLD[1:]))
    settled(clone)
    clone.git("switch", "-q", "side")
    commit(clone, notebook(*OLD[:2], "THREE"))
    assert "-three\n+THREE\n" in clone.git("show")
    done = clone.run("git", "merge", "--no-edit", "main")
    assert "merged as text" not in done.err
    assert sources(clone.read("n.ipynb")) == ["ONE", "two", "THREE"]
    assert clone.read("n.ipynb").count(b'"stdout"') == 3, "smudge brought the outputs back"
    clone.git("switch", "-q", "main")
    assert "blob" not in clone.git("log", "-p", "--", "model.bin.mvc")
    assert "1024" in clone.git("log", "-p", "--", "model.bin.mvc").replace(",", "")
    plain = clone.run("sh", ".git/mvc/driver.sh", "clean", "n.ipynb", stdin=notebook("x").decode()).out
    assert sources(plain.encode()) == ["x"]
    assert '"stdout"' not in plain
    assert clone.run("sh", ".git/mvc/driver.sh", "smudge", "other.ipynb", stdin=plain).out == plain
    settled(clone)


def hooks_work(clone: Clone, remote: Path) -> None:
    """Models follow, commits and pushes are checked, and pointers merge."""
    clone.commit_model(1)
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.read("model.bin") == bytes(range(256)) * 4
    clone.git("checkout", "-q", "main")
    assert clone.agrees()
    clone.git("switch", "-q", "-c", "other", "HEAD~1")
    clone.commit_model(2)
    assert "model.bin" in clone.run("git", "merge", "--no-edit", "main", code=1).out
    assert b"[conflict]" in clone.read("model.bin.mvc")
    assert "conflict" in clone.run("git", "commit", "-qam", "as it is", code=1).err
    clone.mvc("resolve", "model.bin", "--ours")
    clone.git("commit", "-qm", "merged")
    clone.write("model.bin", 3)
    clone.write("code.py", b"1")
    clone.git("add", "code.py")
    assert "model.bin" in clone.run("git", "commit", "-qm", "code").err, "newer than its pointer"
    clone.mvc("remote", "add", "origin", str(remote / "models"))
    clone.git("init", "-q", "--bare", str(remote / "git"))
    clone.git("push", "-q", str(remote / "git"), "other")
    assert len(list((remote / "models/b").glob("*/*"))) == 3


INSIDE = """
[model]
of = "{oid}"
format = "safetensors"
framework = "torch"
tensors = 2
imports = ["a.B", "c.D"]
"""
KEPT = """
import sys
try:
    from modelvc.formats.pointer import pointer
except ImportError:
    from modelvc.formats import pointer
sys.stdout.buffer.write(pointer.parse(sys.stdin.buffer.read()).encode())
"""


def test_that_release_reads_and_keeps_what_a_version_is(clone: Clone, tmp_path: Path) -> None:
    path = clone.path / "model.bin.mvc"
    before = path.read_text()
    said = tomllib.loads(before)
    path.write_text(before + INSIDE.format(oid=said["oid"]))
    clone.git("commit", "-q", "--no-verify", "-am", "as this release writes it")
    without = bare(Clone(clone.path), tmp_path / "bin")
    shown = without.git("log", "-p", "-1", "--", "model.bin.mvc")
    assert "blob" not in shown
    without.env |= {"PYTHONPATH": str(clone.path / ".git/mvc/lib")}
    kept = without.run("python3", "-S", "-c", KEPT, stdin=path.read_text()).out
    assert "tensors = 2" in kept
    found = parse(kept.encode())
    assert found == parse(path.read_bytes())
    assert found.model is not None
    assert found.model.imports == ("a.B", "c.D")


def test_old_drivers_run_this_release(clone: Clone) -> None:
    before = set_up(updated(clone))
    drivers_work(clone)
    assert set_up(clone) == before


def test_old_hooks_run_this_release(clone: Clone, tmp_path: Path) -> None:
    before = set_up(updated(clone))
    hooks_work(clone, tmp_path / "remote")
    assert set_up(clone) == before


def test_old_copies_strip_where_no_modelvc_is(clone: Clone, tmp_path: Path) -> None:
    drivers_work(bare(clone, tmp_path / "bin"))
    assert (clone.path / ".git/mvc/package").read_text() == "/nowhere\n"


def test_install_makes_it_new_and_uninstall_removes_all(clone: Clone, tmp_path: Path) -> None:
    lib = clone.path / ".git/mvc/lib/modelvc"
    old = {str(path.relative_to(lib)) for path in lib.rglob("*.py")}
    new = set(drivers.copied(str(ROOT / "modelvc")))
    assert old - new, "nothing to remove"
    assert {"interpreter", "hooks", "drivers"} <= complaints(clone)
    without = bare(Clone(clone.path), tmp_path / "bin")
    commit(without, notebook("zero"), name="m.ipynb")  # by the old copies, which Python compiles meanwhile
    clone.mvc("install")
    assert {str(path.relative_to(lib)) for path in lib.rglob("*") if path.is_file()} == new
    assert all(any(folder.iterdir()) for folder in lib.rglob("*") if folder.is_dir()), "an empty folder is left"
    assert complaints(clone) == {"remotes"}, "there is none yet"
    drivers_work(clone)
    hooks_work(clone, tmp_path / "remote")
    (clone.path / ".git/mvc/package").write_text("/nowhere\n")
    commit(without, notebook("four"))  # by the new copies
    settled(clone)
    clone.mvc("uninstall")
    left = {path.name for path in (clone.path / ".git/mvc").iterdir()} & {
        "driver.sh",
        "hook.sh",
        "lib",
        "package",
        "python",
    }
    assert left == set()
    assert list((clone.path / ".git/hooks").iterdir()) == []
    assert "mvc" not in clone.git("config", "--local", "--list")

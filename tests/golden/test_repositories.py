"""Repositories that earlier versions wrote, opened, verified, checked out and carried on by this one.

`python -m tests.golden.write NAME` adds one, when something is stored in a new way; those that are there never change.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.golden.write import CONFLICT, METRICS, NOTEBOOK, noise, ran
from tests.support.clone import Clone
from tests.support.notebooks import outputs

HERE = Path(__file__).parent
NAMES = sorted(path.name.removesuffix(".tar.gz") for path in HERE.glob("*.tar.gz"))


def manifest(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text())


def unpacked(name: str, tmp_path: Path) -> Path:
    with tarfile.open(HERE / f"{name}.tar.gz") as tar:
        tar.extractall(tmp_path / "golden", filter="data")
    return tmp_path / "golden"


@pytest.fixture(params=NAMES)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    """The folder of a golden repository, unpacked, and what it should hold."""
    return unpacked(request.param, tmp_path), manifest(request.param)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The folder of the oldest."""
    return unpacked("v1", tmp_path)


def cloned(folder: Path, *, store: bool) -> Clone:
    """A clone of its history; with its own local store, or with none and its remote."""
    found = Clone(folder.parent / "clone")
    found.path.mkdir()
    found.git("clone", "-q", str(folder / "history.bundle"), ".")
    for branch in ("side", CONFLICT):
        found.git("branch", "-q", branch, f"origin/{branch}")
    if store:
        shutil.copytree(folder / "mvc", found.path / ".git/mvc")
    found.mvc("install")
    if not store:
        found.mvc("remote", "add", "golden", str(folder / "remote"))
        found.git("commit", "-qam", "where the models lie")
    return found


def same(clone: Clone, files: dict[str, str]) -> None:
    for name, digest in files.items():
        assert blake3(clone.read(name)).hexdigest() == digest, name
    assert os.access(clone.path / "records/run", os.X_OK)


def test_there_is_one() -> None:
    assert "v1" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_golden_never_changes(name: str) -> None:
    assert blake3((HERE / f"{name}.tar.gz").read_bytes()).hexdigest() == manifest(name)["blake3"]


def test_its_local_store_is_read(golden: tuple[Path, Any]) -> None:
    folder, expected = golden
    clone = cloned(folder, store=True)
    assert clone.json("fsck", "--json")["problems"] == []
    for rev, files in expected["files"].items():
        clone.git("checkout", "-q", rev)
        clone.mvc("checkout", "--offline")
        same(clone, files)
    assert clone.json("status")["models"]
    assert clone.mvc("status", "--exit-code").code == 0


def test_its_remote_is_read_and_carried_on(golden: tuple[Path, Any]) -> None:
    folder, expected = golden
    clone = cloned(folder, store=False)
    clone.mvc("fetch", "--all", "-r", "golden")
    assert clone.json("fsck", "--remote", "-r", "golden")["problems"] == []
    for rev, files in expected["files"].items():
        clone.git("checkout", "-q", rev)
        clone.mvc("checkout", "--offline")
        same(clone, files)
    clone.git("checkout", "-q", "main")
    before = {path: path.read_bytes() for path in (folder / "remote").rglob("*") if path.is_file()}
    clone.write("model.bin", 7)
    clone.mvc("add", "model.bin", "-m", "test.acc=0.9")
    clone.git("commit", "-qm", "one more")
    clone.mvc("push", "--all", "-r", "golden")
    assert clone.json("fsck", "--remote", "-r", "golden")["problems"] == []
    changed = [path for path, data in before.items() if not path.is_file() or path.read_bytes() != data]
    assert changed == [], "what an older version may still read stays as it is"


def test_its_pointers_say_what_was_measured(golden: tuple[Path, Any]) -> None:
    clone = cloned(golden[0], store=True)
    for rev, metrics in METRICS.items():
        models = {model["path"]: model for model in clone.json("metrics", "show", rev)["models"]}
        found = models["model.bin"]["metrics"]
        assert list(found) == list(metrics)
        assert [v if not isinstance(v, float) or math.isfinite(v) else str(v) for v in metrics.values()] == list(
            found.values()
        )
        assert models["model.bin"]["params"]["rate"] == 1e-3
    (model,) = clone.json("diff", "first", "second", "model.bin")["models"]
    assert [moved["name"] for moved in model["metrics"] if moved["better"]] == ["test.acc"]
    found = clone.json("check", "model.bin", "--rev", "side", "--against", "second", code=1)
    assert found["verdicts"][0]["outcome"] == "fail"
    assert len(clone.json("log", "model.bin", "--all")["versions"]) >= 4


def test_its_conflict_is_known_and_settled(golden: tuple[Path, Any]) -> None:
    folder, expected = golden
    clone = cloned(folder, store=True)
    clone.git("checkout", "-q", CONFLICT)
    states = {model["path"]: model["state"] for model in clone.json("status")["models"]}
    assert states["model.bin"] == "conflict"
    clone.mvc("resolve", "model.bin", "--theirs")
    assert blake3(clone.read("model.bin")).hexdigest() == expected["files"]["side"]["model.bin"]


def test_its_notebook_gets_its_outputs_back(golden: tuple[Path, Any]) -> None:
    clone = cloned(golden[0], store=True)
    clone.git("checkout", "-q", "main")
    assert outputs(clone.git("show", f"HEAD:{NOTEBOOK}").encode()) == 0
    (clone.path / NOTEBOOK).unlink()
    clone.git("checkout", "-q", "--", NOTEBOOK)
    assert clone.read(NOTEBOOK) == ran("a = 1")


def test_a_remote_that_was_cleaned_up(tmp_path: Path) -> None:
    """Dooms, a pack that was written anew, one with a salt, and another repository that uses the remote."""
    remote = unpacked("v1-collected", tmp_path) / "remote"
    clone = cloned(remote.parent, store=False)
    clone.mvc("fetch", "--all", "-r", "golden")
    clone.git("checkout", "-q", "origin/again")
    for name in ("stays", "shares", "alone"):
        assert clone.read(f"{name}.bin") == noise(name, 20_000)
    clone.git("checkout", "-q", "main")
    clone.mvc("push", "-r", "golden")  # now this repository uses it as well
    done = clone.mvc("gc", "--remote", "-r", "golden", code=11)
    assert "another repository uses the remote golden: git.example.org/team/models" in done.err
    (dooms,) = (remote / "gc/doomed").iterdir()
    doomed = dooms.read_text().splitlines()[1:]
    assert len(doomed) == 2
    (root,) = (remote / "b/4a").iterdir()
    assert not any(bytes.fromhex(name) in root.read_bytes() for name in doomed)
    root.unlink()  # pushed again, it names a pack that is not doomed
    clone.mvc("push", "--all", "-r", "golden")
    assert not any(bytes.fromhex(name) in root.read_bytes() for name in doomed)
    assert clone.json("fsck", "--remote", "-r", "golden")["problems"] == []


# -- and what a later version may write is refused, with words


@pytest.mark.parametrize(
    ("line", "later", "push", "fetch"),
    [
        ("format = 1", "format = 2", "cannot read", "cannot read"),
        ("read_features = []", 'read_features = ["x"]', "cannot read", "cannot read"),
        ("write_features = []", 'write_features = ["x"]', "cannot write", ""),
        ('names = "plain"', 'names = "keyed"', "cannot read", "cannot read"),
    ],
)
def test_a_store_of_a_later_version(first: Path, line: str, later: str, push: str, fetch: str) -> None:
    clone = cloned(first, store=False)
    config = first / "remote/config"
    config.write_text(config.read_text().replace(line, later))
    done = clone.mvc("fetch", "-r", "golden", code=2 if fetch else 0)
    assert fetch in done.err
    assert "upgrade mvc" in done.err or not fetch
    if not fetch:
        clone.mvc("checkout")
        clone.write("model.bin", 7)
        clone.mvc("add", "model.bin")
        clone.git("commit", "-qm", "one more")
        done = clone.mvc("push", "-r", "golden", code=2)
        assert push in done.err
        assert "upgrade mvc" in done.err


def test_a_pointer_of_a_later_version(first: Path) -> None:
    clone = cloned(first, store=True)
    clone.git("checkout", "-q", "main")
    pointer = clone.path / "model.bin.mvc"
    pointer.write_text(pointer.read_text().replace("format = 1", "format = 2"))
    done = clone.mvc("checkout", "model.bin", code=12)
    assert "model.bin.mvc was written by a newer mvc: its format is 2, this one reads 1" in done.err
    assert "upgrade mvc" in done.err


@pytest.mark.parametrize("command", [("checkout",), ("fsck",), ("add", "new.bin"), ("gc", "--apply")])
def test_a_local_store_of_a_later_version(first: Path, command: tuple[str, ...]) -> None:
    clone = cloned(first, store=True)
    config = clone.path / ".git/mvc/store/config"
    config.chmod(0o644)
    config.write_text(config.read_text().replace("format = 1", "format = 2"))
    clone.write("new.bin", 1)
    for name in ("model.bin", "weights.safetensors"):
        (clone.path / name).unlink(missing_ok=True)
    done = clone.mvc(*command, code=2)
    assert "its format is 2, which it does not know" in done.err
    assert "upgrade mvc" in done.err

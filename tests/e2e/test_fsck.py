"""Damage is found, named, never handed out, never pushed, and repaired from a good copy."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two pushed versions of a model and one folder."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    for i in range(50):
        found.write(f"folder/{i}.bin", random.Random(i).randbytes(2000))
    found.mvc("add", "folder")
    found.git("commit", "-qm", "folder")
    found.commit_model(1)
    found.commit_model(2)
    found.mvc("push", "--all")
    return found


def damage(folder: Path, pattern: str, *, at: float = 0.5) -> Path:
    """Flip a bit in the largest file that PATTERN finds."""
    path = max(folder.glob(pattern), key=lambda p: p.stat().st_size)
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    return path


def test_a_healthy_clone(clone: Clone) -> None:
    assert "all good" in clone.mvc("fsck").out
    assert "all good" in clone.mvc("fsck", "--quick").out
    assert "all good" in clone.mvc("fsck", "--remote").out
    assert clone.json("fsck")["problems"] == []


@pytest.mark.parametrize("what", ["packs/*/*", "b/*/*", "t/*/*"])
def test_damage_is_named_and_repaired_from_the_remote(clone: Clone, what: str) -> None:
    for name in ("model.bin", "folder"):
        clone.run("rm", "-rf", name)
    damage(clone.path / ".git/mvc/store", what)
    done = clone.mvc("fsck", code=12)
    assert "damaged" in done.out
    assert "needed by" in done.out
    found = clone.mvc("fsck", "--repair")
    assert "repaired" in found.out
    assert "all good" in clone.mvc("fsck").out
    clone.mvc("checkout")
    assert clone.agrees()
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.agrees()
    assert list((clone.path / ".git/mvc/damaged").iterdir())  # nothing was destroyed


def test_damage_is_repaired_from_the_worktree(clone: Clone) -> None:
    clone.mvc("remote", "remove", "origin")
    store = clone.path / ".git/mvc/store"
    for pack in store.glob("packs/*/*"):
        data = bytearray(pack.read_bytes())
        data[5000] ^= 1
        pack.write_bytes(data)
    clone.mvc("fsck", code=12)
    clone.mvc("fsck", "--repair", code=10)  # the first version is nowhere else
    clone.run("rm", "model.bin")
    clone.mvc("checkout", "model.bin", "folder")
    assert clone.agrees()


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_damage_is_not_handed_out_and_not_pushed(clone: Clone, tmp_path: Path, at: float) -> None:
    content = clone.write("model.bin", random.Random(5).randbytes(2_000_000))
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "three")
    clone.run("rm", "model.bin")
    pack = damage(clone.path / ".git/mvc/store", "packs/*/*", at=at)
    done = clone.mvc("checkout", code=12)
    assert "damaged" in done.err
    assert "fsck --repair" in done.err
    assert not (clone.path / "model.bin").exists()
    clone.mvc("push", code=12)
    far = {p.name for p in (tmp_path / "far").rglob("*") if p.is_file()}
    assert blake3(content).hexdigest() not in far
    assert pack.exists()
    clone.write("model.bin", content)
    clone.mvc("fsck", "--repair")
    clone.mvc("push")


def test_what_a_remote_lost_is_noticed_and_sent_again(clone: Clone, tmp_path: Path) -> None:
    far = tmp_path / "far"
    pack = max(far.glob("packs/*/*"), key=lambda p: p.stat().st_size)
    pack.unlink()
    done = clone.mvc("fsck", "--remote", code=10)
    assert "missing" in done.out
    clone.mvc("fsck", "--remote", "--repair")
    assert pack.exists()
    pack.unlink()
    clone.mvc("push", "--all")  # push alone notices as well
    assert pack.exists()
    damage(far, "packs/*/*")
    clone.mvc("fsck", "--remote", code=12)


def test_a_broken_pointer_in_history_is_named(clone: Clone) -> None:
    clone.write("bad.bin.mvc", b"format = 1\nkind = ")
    clone.git("add", "-f", "bad.bin.mvc")
    clone.git("commit", "-qm", "bad", "--no-verify")
    clone.git("rm", "-q", "bad.bin.mvc")
    clone.git("commit", "-qm", "gone")
    done = clone.mvc("fsck", code=12)
    assert "bad.bin.mvc" in done.out
    assert clone.mvc("gc", code=12).err.count("pointer") >= 1


def test_missing_objects_are_not_damage(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install", "--trust")
    assert "not in this clone" in other.mvc("fsck").out
    other.mvc("pull")
    assert "all good" in other.mvc("fsck").out


def test_conflict_markers(clone: Clone) -> None:
    pointer = (clone.path / "model.bin.mvc").read_text()
    clone.write("model.bin.mvc", f"<<<<<<< HEAD\n{pointer}=======\n{pointer}>>>>>>> side\n".encode())
    assert clone.mvc("fsck", "--markers", code=1).out == "model.bin\n"
    assert clone.mvc("fsck", "--markers", "HEAD").out == ""
    clone.git("add", "model.bin.mvc")
    done = clone.run("git", "commit", "-qm", "markers", code=1)
    assert "conflict" in done.err

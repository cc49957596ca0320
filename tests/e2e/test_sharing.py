"""Several clones with one local store: what any of them reaches stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.clone import Clone


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Clone, Clone]:
    """Two clones of different projects with a store in a folder of its own."""
    found = []
    for name in ("ada", "ben"):
        clone = Clone.new(tmp_path / name)
        share(clone, tmp_path / "store")
        found.append(clone)
    return found[0], found[1]


def share(clone: Clone, store: Path) -> None:
    with (clone.path / ".git/mvc/config.toml").open("a") as file:
        file.write(f'[store]\npath = "{store}"\n')


def test_one_content_is_there_once(clones: tuple[Clone, Clone]) -> None:
    ada, ben = clones
    ada.commit_model(1)
    ben.write("same.bin", 1)
    assert "0 B stored" in ben.mvc("add", "same.bin").out
    assert not (ben.path / ".git/mvc/store").exists()
    (ada.path / "model.bin").unlink()
    ada.mvc("checkout")
    assert ada.agrees()


def test_gc_keeps_what_the_other_reaches(clones: tuple[Clone, Clone], tmp_path: Path) -> None:
    ada, ben = clones
    ada.commit_model(1)
    ben.commit_model(2)
    ben.write("staged.bin", 3)
    ben.mvc("add", "staged.bin")
    ben.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = Clone(tmp_path / "linked")
    linked.write("linked.bin", 4)
    linked.mvc("add", "linked.bin")
    assert not ada.let_go()["items"]
    ada.mvc("gc", "--apply", "--grace", "0")
    for clone, name in ((ben, "model.bin"), (ben, "staged.bin"), (linked, "linked.bin"), (ada, "model.bin")):
        (clone.path / name).unlink()
        clone.mvc("checkout", "--offline")
        assert clone.agrees(name)


def test_a_clone_that_only_reads_counts(clones: tuple[Clone, Clone], tmp_path: Path) -> None:
    """All that it needs was there already, so it never wrote."""
    ada, _ = clones
    ada.commit_model(1)
    eve = Clone(tmp_path / "eve")
    ada.git("clone", "-q", str(ada.path), str(eve.path))
    (eve.path / ".git/mvc").mkdir()
    share(eve, tmp_path / "store")
    eve.mvc("checkout")
    ada.git("checkout", "-q", "--orphan", "again")
    ada.mvc("rm", "model.bin")
    ada.git("commit", "-qm", "again")
    ada.git("branch", "-qD", "main")
    ada.git("reflog", "expire", "--expire=now", "--all")
    (ada.path / ".git/mvc/reflog").unlink(missing_ok=True)
    assert not ada.let_go()["items"]
    (eve.path / "model.bin").unlink()
    eve.mvc("checkout", "--offline")
    assert eve.agrees()


def test_a_clone_that_can_not_be_read_stops_gc(clones: tuple[Clone, Clone], tmp_path: Path) -> None:
    ada, ben = clones
    ada.commit_model(1)
    ben.commit_model(2)
    ben.path.rename(tmp_path / "unplugged")
    place = str(ben.path / ".git")
    refused = ada.mvc("gc", "--apply", code=11)
    assert f"the clone {place} keeps its models in this store too, and cannot be read" in refused.err
    assert "mvc gc --forget" in refused.err
    ada.mvc("gc", "--forget", "elsewhere", code=10)
    assert len(ada.json("gc", "--grace", "0", "--forget", place)["only_here"]) == 1
    assert ada.let_go()["items"]
    (tmp_path / "unplugged").rename(ben.path)
    ben.commit_model(3)  # it says again that it uses the store
    (ada.path / ".git").rename(tmp_path / "away")
    assert "cannot be read" in ben.mvc("gc", code=11).err


def test_a_store_that_lies_in_another_clone(tmp_path: Path) -> None:
    """Whose it is nobody had to say."""
    ada = Clone.new(tmp_path / "ada")
    ada.commit_model(1)
    ben = Clone.new(tmp_path / "ben")
    share(ben, ada.path / ".git/mvc/store")
    ben.commit_model(2)
    assert not ben.let_go()["items"]
    assert not ada.let_go()["items"]
    for clone in (ada, ben):
        (clone.path / "model.bin").unlink()
        clone.mvc("checkout", "--offline")
        assert clone.agrees()
    shutil.rmtree(ben.path)
    assert str(ben.path) in ada.mvc("gc", code=11).err


def test_a_store_on_a_drive_that_is_not_mounted(clones: tuple[Clone, Clone], tmp_path: Path) -> None:
    ada, ben = clones
    ada.commit_model(1)
    (tmp_path / "store").rename(tmp_path / "drive")
    what = f"there is no folder {tmp_path}/store, and this clone has used the store there"
    ada.write("model.bin", 2)
    for words in (("add", "model.bin"), ("fsck",), ("gc",), ("gc", "--apply")):
        said = ada.mvc(*words, code=13).err
        assert said.startswith(f"error: {what}\nhint: is its drive mounted?"), words
    assert what in ada.mvc("doctor", "--offline", code=1).out
    assert not (tmp_path / "store").exists()
    share_elsewhere = (ben.path / ".git/mvc/config.toml").read_text().replace("/store", "/other")
    (ben.path / ".git/mvc/config.toml").write_text(share_elsewhere)
    ben.commit_model(3)  # a store that was never used is made
    (tmp_path / "drive").rename(tmp_path / "store")
    ada.mvc("add", "model.bin")
    assert "all good" in ada.mvc("fsck").out

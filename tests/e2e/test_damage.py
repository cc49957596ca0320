"""Damage that hides: in manifests, in the pack index, behind other damage, on both sides at once."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from modelvc.formats.binary.segment import Recipe
from modelvc.ops.tracking.add import add
from modelvc.ops.upkeep.fsck import Depth, Fsck, fsck
from modelvc.repo import Repo, open_repo
from modelvc.store.local.hash_whole import read_content
from modelvc.store.local.writer import StoreWriter
from tests.support.clone import Clone

_made: list[Path] = []


@pytest.fixture
def clone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two versions of a model and a folder of four files. Made once; each test has a copy of its own."""
    if not _made:
        found = Clone.new(tmp_path_factory.mktemp("damage") / "clone")
        for i in range(4):
            found.write(f"folder/{i}.bin", random.Random(i).randbytes(300_000))
        found.mvc("add", "folder")
        found.commit_model(1)
        found.commit_model(2)
        _made.append(found.path)
    shutil.copytree(_made[0], tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone")


@pytest.fixture
def far(clone: Clone, tmp_path: Path) -> Path:
    """The clone has a remote, which has everything."""
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    return tmp_path / "far"


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def look(clone: Clone, **depth: object) -> Fsck:
    return fsck(opened(clone), (), Depth(**depth))  # type: ignore[arg-type]


def largest(folder: Path) -> Path:
    return max(folder.glob("packs/*/*"), key=lambda path: path.stat().st_size)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_tree_whose_files_are_made_of_the_wrong_chunks(clone: Clone) -> None:
    """Every chunk and every manifest is what its name says, and the files are not."""
    store = opened(clone).store
    name = next(one for one in store.roots() if one[0] == "tree")
    content = read_content(store, *name, "folder")
    cids, lengths = content.recipe.cids, content.recipe.lengths
    same = next((i, j) for i in range(len(lengths)) for j in range(i) if lengths[i] == lengths[j] and i != j)
    swapped = [cids[at : at + 32] for at in range(0, len(cids), 32)]
    swapped[same[0]], swapped[same[1]] = swapped[same[1]], swapped[same[0]]
    with StoreWriter(store) as writer:
        writer.add(content._replace(recipe=Recipe(b"".join(swapped), lengths, content.recipe.spans)))
        writer.commit()
    assert look(clone, quick=True).open == ()
    assert [problem.kind for problem in look(clone).open] == ["damaged"]
    assert look(clone, repair=True).open == ()  # the folder is still in the worktree
    assert look(clone).problems == ()


def test_one_damage_does_not_hide_another(clone: Clone) -> None:
    store = clone.path / ".git/mvc/store"
    flip(largest(store), 100_000)  # in the folder
    min((store / "b").glob("*/*")).write_bytes(b"x")
    found = look(clone)
    needed = {user.split()[0] for problem in found.open for user in problem.needed_by}
    assert needed == {"folder", "model.bin"}


def test_a_repair_that_fails_leaves_what_was_there(clone: Clone, far: Path) -> None:
    shutil.rmtree(clone.path / "folder")
    shutil.rmtree(far)
    name = next(one for one in opened(clone).store.roots() if one[0] == "tree")
    flip(largest(clone.path / ".git/mvc/store"), 600_000)
    assert look(clone, repair=True).open
    assert opened(clone).store.has_root(*name)
    assert look(clone).open  # and it is still said
    assert list((clone.path / ".git/mvc/damaged").iterdir())


@pytest.mark.parametrize("at", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_a_damaged_index_is_a_cache(clone: Clone, at: float) -> None:
    for i in range(20):
        clone.write("small.bin", random.Random(i).randbytes(1000))
        add(opened(clone), ["small.bin"])
    (index,) = (clone.path / ".git/mvc/store/index").iterdir()
    flip(index, int(index.stat().st_size * at))
    found = look(clone)
    assert found.open == ()
    assert [problem.what for problem in found.problems] in ([], ["the pack index, a cache that was dropped"])
    assert look(clone).problems == ()
    shutil.rmtree(clone.path / "folder")
    clone.mvc("checkout")


def test_the_same_content_at_another_path_mends(clone: Clone) -> None:
    content = clone.read("model.bin")
    clone.write("copy.bin", content)
    clone.mvc("add", "copy.bin")
    clone.git("commit", "-qm", "copy")
    clone.write("model.bin", b"something else")
    for path in (clone.path / ".git/mvc/store").glob("packs/*/*"):
        flip(path, 5000)
    look(clone, repair=True)
    (clone.path / "copy.bin").unlink()
    clone.mvc("checkout", "--offline", "copy.bin")
    assert clone.read("copy.bin") == content


def test_a_damaged_pack_of_a_remote_is_made_again(clone: Clone, far: Path) -> None:
    pack = largest(far)
    whole = pack.read_bytes()
    for at in (100, len(whole) // 2):
        flip(pack, at)
        assert {problem.kind for problem in look(clone, remote="").open} == {"damaged"}
        found = look(clone, remote="", repair=True)
        assert found.problems
        assert found.open == ()
        assert pack.read_bytes() == whole
    assert look(clone, remote="").problems == ()


def test_damage_on_both_sides_is_said_and_nothing_is_overwritten(clone: Clone, far: Path) -> None:
    pack = largest(far)
    flip(pack, 100_000)
    damaged = pack.read_bytes()
    for path in (clone.path / ".git/mvc/store").glob("packs/*/*"):
        flip(path, 100_000)
    for name in ("folder", "model.bin"):
        clone.run("rm", "-rf", name)
    found = look(clone, remote="", repair=True)
    assert found.open
    assert pack.read_bytes() == damaged


def test_the_config_of_the_store(clone: Clone) -> None:
    """What is left of our own is written anew; another is not touched, and nothing else either."""
    config = clone.path / ".git/mvc/store/config"
    whole = config.read_bytes()
    for torn in (b"", whole[:20], whole[:-3]):
        config.write_bytes(torn)
        (problem,) = look(clone).open
        assert (problem.kind, "the config of the store" in problem.what) == ("damaged", True)
        assert look(clone, repair=True).open == ()
        assert look(clone).problems == ()
    config.write_bytes(whole.replace(b"seed", b"sead"))
    assert look(clone, repair=True).open
    assert b"sead" in config.read_bytes()

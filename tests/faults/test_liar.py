"""Commands towards a remote that lies at request n, or from then on: nothing wrong is handed out, kept, or called done.

Every run takes some of the requests; MVC_EVERY_REQUEST=1 takes all of them, with every lie.
"""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.liar import KINDS, lied_to
from tests.support.world import FOLDER, World, complete, mvc, new, old, one_of, tidy, two_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.disk import Died

EVERY = bool(os.environ.get("MVC_EVERY_REQUEST"))
CODES = {0, 2, 10, 12, 13}  # 2: a config with a flipped bit may be one of a later version
READING = ("busy", "denied", "missing", "flipped", "short", "other", "few", "none")


def some(kinds: tuple[str, ...], *usual: str) -> tuple[str, ...]:
    return kinds if EVERY else usual


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return two_versions(tmp_path_factory.getbasetemp() / "two-versions")


def moments(
    world: World, *words: str, kinds: tuple[str, ...] = KINDS, codes: set[int] = CODES
) -> Iterator[tuple[str, Died]]:
    """Run WORDS under each lie at each request, or at some of them; what was done, and the world as it is then."""
    world.keep()
    command = mvc("--repo", str(world.clone.path), *words)
    calls = lied_to(command, "", 0).calls
    assert calls >= 3
    for kind in kinds:
        chance = random.Random(f"{words} {kind}")
        points = range(1, calls + 1) if EVERY else sorted(chance.sample(range(1, calls + 1), 1))
        for at in points:
            for stays in (False, True) if EVERY else (chance.random() < 0.5,):
                world.reset()
                died = lied_to(command, kind, at, stays=stays)
                where = f"{' '.join(words)}: {kind} at request {at}{' and on' * stays}: {died}"
                assert died.code in codes, where
                assert not died.code or ("hint: " in died.said and "error: " in died.said) or words[0] == "fsck", where
                try:
                    complete_here(world)
                    yield where, died
                    tidy(world)
                except AssertionError as error:
                    raise AssertionError(f"{where}\n{error}") from None
    world.reset()


def complete_here(world: World) -> None:
    """What is in the local store is whole, and what is in the worktree is a version."""
    from modelvc.repo import open_repo
    from modelvc.store.check.local_store import check_object

    repo = open_repo(str(world.clone.path), os.environ)
    for kind, oid in repo.store.roots():
        assert check_object(repo.store, (kind, oid), every_byte=True) is None
    repo.store.close()
    for name in ("model.bin", *FOLDER):
        one_of(world, name, None, old(name), new(name))


def forget(world: World) -> None:
    """The clone of somebody who has nothing yet."""
    world.works("push", "--all")
    shutil.rmtree(world.clone.path / ".git/mvc/store")
    (world.clone.path / "model.bin").unlink()
    shutil.rmtree(world.clone.path / "folder")


def test_push(world: World) -> None:
    for _, died in moments(world, "push", "--all"):
        if died.code or EVERY:  # else it said that all is there
            world.works("push", "--all")
        world.works("fsck", "--remote")


def test_fsck(world: World) -> None:
    world.works("push", "--all")
    for where, died in moments(world, "fsck", "--remote", kinds=some(READING, "missing", "flipped", "few")):
        # what is said to be missing once is asked for again, and is there
        assert died.code or not (" missing at" in where and " and on" in where), where
        world.works("fsck", "--remote")


def test_repair(world: World) -> None:
    """A remote that lost what it was thought to have, and goes on lying while it is mended."""
    world.works("push", "--all")
    for path in (world.top / "work/far/packs").rglob("*/*"):
        path.unlink()
    for _, died in moments(world, "fsck", "--remote", "--repair", kinds=some(KINDS, "dropped", "torn", "lost", "late")):
        if died.code or EVERY:
            world.works("fsck", "--remote", "--repair")
        world.works("fsck", "--remote")


def test_fetch(world: World) -> None:
    forget(world)
    for _, _died in moments(world, "fetch", "--all", kinds=some(READING, "busy", "missing", "flipped", "other")):
        world.works("fetch", "--all")
        complete(world)


def test_pull(world: World) -> None:
    forget(world)
    for _, died in moments(world, "pull", kinds=some(READING, "denied", "missing", "flipped", "short")):
        if not died.code:
            assert world.read("model.bin") == new("model.bin")
        world.works("pull")
        for name in ("model.bin", *FOLDER):
            assert world.read(name) == new(name)


GET = {"model.bin": ("busy", "flipped", "other"), "folder": ("missing", "short", "other")}


def test_get(world: World) -> None:
    forget(world)
    bare, out = world.top / "work/bare", world.clone.path / "got"
    world.clone.git("clone", "-q", "--bare", ".", str(bare))
    for name in ("model.bin", "folder"):
        for _, died in moments(world, "get", str(bare), name, "-o", str(out), kinds=some(READING, *GET[name])):
            assert out.exists() == (not died.code)
            assert not [one for one in os.listdir(out.parent) if one.startswith(".mvc-get-")]
            if died.code:
                world.works("get", str(bare), name, "-o", str(out))
            if name == "model.bin":
                assert out.read_bytes() == new(name)
            else:
                assert [(out / f"{n}.bin").read_bytes() for n in range(3)] == [new(name) for name in FOLDER]


GC = ("gc", "--remote", "--apply", "--exclusive", "--grace", "0")


def with_a_branch_that_is_gone(world: World) -> None:
    """The remote has a version that nothing reaches any more."""
    clone = world.clone
    clone.git("switch", "-qc", "side")
    clone.write("model.bin", b"side" * 9_000)
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "side")
    bare = str(world.top / "git")  # stays in one place: a repository is known by its inode
    shutil.rmtree(bare, ignore_errors=True)
    shutil.rmtree(world.top / "work/far/gc")  # where the clone is registered without a Git remote
    clone.git("init", "-q", "--bare", bare)
    clone.git("remote", "add", "origin", bare)
    clone.git("push", "-q", "origin", "main", "side")
    clone.git("switch", "-q", "main")
    clone.git("branch", "-qD", "side")
    clone.git("push", "-q", "origin", ":side")
    shutil.rmtree(clone.path / ".git/logs")
    (clone.path / ".git/mvc/reflog").unlink()


def test_gc_of_the_remote(world: World) -> None:
    """Whatever it is told, what Git's refs reach stays whole. With all lies: tests/properties/test_collect.py."""
    with_a_branch_that_is_gone(world)
    for _, _died in moments(world, *GC, kinds=some(KINDS, "dropped", "missing", "few", "none"), codes={*CODES, 11}):
        world.works("fsck", "--remote")
        world.works(*GC)
        world.works("fsck", "--remote")
        assert len(list((world.top / "work/far/b").rglob("*/*"))) == 2


@pytest.mark.parametrize("kind", ["ahead", "behind"])
def test_gc_and_a_remote_whose_clocks_disagree(world: World, kind: str) -> None:
    with_a_branch_that_is_gone(world)
    command = mvc("--repo", str(world.clone.path), "gc", "--remote", "--apply")
    died = lied_to(command, kind, 1, stays=True)
    assert died.code == 11, died
    assert f"tells a time 8,760 hours {'after' if kind == 'ahead' else 'before'} the one it gives" in died.said
    assert "check the clocks of the server" in died.said
    assert len(list((world.top / "work/far/b").rglob("*/*"))) == 3

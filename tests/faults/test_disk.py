"""Commands on a disk that fails at call n, or is switched off before it: what was complete stays complete.

Every run takes a part of the calls; MVC_EVERY_CALL=1 takes all of them, with every way to fail.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator

import pytest
from blake3 import blake3

from modelvc.formats.pointer.pointer import parse
from tests.support.disk import CUT_EXIT, CUTS, KINDS, Died
from tests.support.world import FOLDER, World, complete, new, old, one_of, tidy, two_versions

EVERY = bool(os.environ.get("MVC_EVERY_CALL"))
POINTS = 2  # of each kind, in every run


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return two_versions(tmp_path_factory.getbasetemp() / "two-versions")


def moments(world: World, *words: str) -> Iterator[tuple[str, int, Died]]:
    """Run WORDS with each kind of fault at each call, or some of them; the world as it is left, each time."""
    world.keep()
    calls = world.run(*words).calls
    assert calls > 5
    for kind in KINDS:
        chance = random.Random(f"{words} {kind}")
        some = range(1, calls + 1) if EVERY else sorted(chance.sample(range(1, calls + 1), min(POINTS, calls)))
        for fatal in some:
            world.reset()
            died = world.run(*words, kind=kind, fatal=fatal)
            if kind in CUTS:
                assert died.code == CUT_EXIT or died.calls < fatal, died
            yield kind, fatal, died


Check = Callable[[World], None]


def hold(world: World, words: tuple[str, ...], after: Check, final: Check, *, again: tuple[str, ...] = ()) -> None:
    """After any fault AFTER holds and both versions are complete; WORDS, or AGAIN, then work and FINAL holds."""
    for kind, fatal, died in moments(world, *words):
        where = f"{' '.join(words)}, {kind} at call {fatal}: {died}"
        try:
            after(world)
            complete(world)
            world.works(*(again or words))
            final(world)
            complete(world)
            tidy(world)
        except AssertionError as error:
            raise AssertionError(f"{where}\n{error}") from None


# -- the commands


def test_add(world: World) -> None:
    newest = b"newest" * 4_000
    world.clone.write("model.bin", newest)
    world.clone.write("other.bin", newest + b"!")
    world.clone.write("folder/3.bin", newest)
    pointer = world.read("model.bin.mvc")

    def after(world: World) -> None:
        one_of(world, "model.bin", newest)
        one_of(world, "other.bin", newest + b"!")
        assert pointer is not None
        digest = f'oid = "blake3:{blake3(newest).hexdigest()}"'.encode()
        found = world.read("model.bin.mvc")
        assert found == pointer or digest in (found or b""), found

    def final(world: World) -> None:
        status = world.works("status", "--exit-code")
        assert "clean" in status.said, status
        world.clone.git("diff", "--quiet", "--", "*.mvc", ".gitignore")

    hold(world, ("add", "model.bin", "other.bin", "folder"), after, final)


def test_checkout(world: World) -> None:
    def after(world: World) -> None:
        one_of(world, "model.bin", old("model.bin"), new("model.bin"))
        for name in FOLDER:
            one_of(world, name, old(name), new(name))

    def final(world: World) -> None:
        assert world.read("model.bin") == old("model.bin")
        assert [world.read(name) for name in FOLDER] == [old(name) for name in FOLDER]

    hold(world, ("checkout", "old"), after, final)


def test_checkout_of_what_is_missing(world: World) -> None:
    (world.clone.path / "model.bin").unlink()
    shutil.rmtree(world.clone.path / "folder")

    def after(world: World) -> None:
        one_of(world, "model.bin", None, new("model.bin"))
        for name in FOLDER:
            one_of(world, name, None, new(name), old(name))

    def final(world: World) -> None:
        assert world.read("model.bin") == new("model.bin")
        assert world.works("status", "--exit-code")

    hold(world, ("checkout",), after, final)


def test_push(world: World) -> None:
    def after(world: World) -> None:
        world.works("fsck", "--remote", "old")

    def final(world: World) -> None:
        world.works("fsck", "--remote")

    hold(world, ("push", "--all"), after, final)


def test_fetch(world: World) -> None:
    world.works("push", "--all")
    shutil.rmtree(world.clone.path / ".git/mvc/store")
    for kind, fatal, died in moments(world, "fetch", "--all"):
        where = f"fetch, {kind} at call {fatal}: {died}"
        assert world.read("model.bin") == new("model.bin"), where
        world.works("fetch", "--all")
        complete(world, remote=True)
        tidy(world)


def test_gc(world: World) -> None:
    for seed in range(3):
        world.clone.write("model.bin", bytes([seed]) * 50_000)
        world.clone.mvc("add", "model.bin")
    world.works("checkout", "new")
    (world.clone.path / ".git/mvc/reflog").unlink()
    names = [item["oid"] for item in world.clone.json("gc", "--grace", "0")["only_here"]]
    assert len(names) == 3
    words = ("gc", "--apply", "--grace", "0")
    hold(world, (*words, *names), lambda _: None, lambda _: None, again=words)


def test_rm(world: World) -> None:
    def after(world: World) -> None:
        one_of(world, "model.bin", new("model.bin"), None)

    def final(world: World) -> None:
        assert world.read("model.bin") is None
        assert world.read("model.bin.mvc") is None

    for kind, fatal, died in moments(world, "rm", "model.bin"):
        after(world)
        complete(world)
        again = world.run("rm", "model.bin")
        where = f"rm, {kind} at call {fatal}: {died}\nthen: {again}"
        assert again.code in {0, 10}, where  # 10: it was done, and is tracked no longer
        final(world)
        tidy(world)


def test_mv(world: World) -> None:
    for kind, fatal, died in moments(world, "mv", "model.bin", "moved.bin"):
        where = f"mv, {kind} at call {fatal}: {died}"
        found = [world.read("model.bin"), world.read("moved.bin")]
        assert new("model.bin") in found, where
        complete(world)
        again = world.run("mv", "model.bin", "moved.bin")
        where += f"\nthen: {again}"
        assert again.code in {0, 10}, where
        assert world.read("moved.bin") == new("model.bin"), where
        assert world.read("moved.bin.mvc"), where
        assert world.works("status", "--exit-code"), where
        tidy(world)


def test_metrics_set(world: World) -> None:
    before = world.read("model.bin.mvc")

    def after(world: World) -> None:
        found = world.read("model.bin.mvc") or b""
        assert found == before or b"0.5" in found, found

    def final(world: World) -> None:
        assert b"acc = 0.5" in (world.read("model.bin.mvc") or b"")

    hold(world, ("metrics", "set", "model.bin", "acc=0.5"), after, final)


def test_rollback(world: World) -> None:
    def after(world: World) -> None:
        one_of(world, "model.bin", new("model.bin"), old("model.bin"))

    def final(world: World) -> None:
        assert world.read("model.bin") == old("model.bin")

    hold(world, ("rollback", "model.bin", "--to", "old"), after, final)


def test_resolve(world: World) -> None:
    clone = world.clone
    clone.git("switch", "-qc", "side", "old")
    clone.write("model.bin", b"side" * 5_000)
    clone.mvc("add", "model.bin")
    clone.git("commit", "-qm", "side")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "side", code=1)

    def after(world: World) -> None:
        one_of(world, "model.bin", new("model.bin"), b"side" * 5_000)

    def final(world: World) -> None:
        assert world.read("model.bin") == b"side" * 5_000
        assert "conflict" not in (world.read("model.bin.mvc") or b"conflict").decode()

    for kind, fatal, died in moments(world, "resolve", "model.bin", "--theirs"):
        after(world)
        complete(world)
        again = world.run("resolve", "model.bin", "--theirs")
        where = f"resolve, {kind} at call {fatal}: {died}\nthen: {again}"
        if again.code:  # settled, and the model did not come any more
            assert "no conflict" in again.said or "not in conflict" in again.said, where
            world.works("checkout", "model.bin")
        final(world)
        tidy(world)


THREE = (".base", ".ours", ".theirs")  # as Git calls its merge driver, with files at the top of the worktree


def test_merge_of_a_folder(world: World) -> None:
    """The driver answers whole or not at all; what its answer names is in the store before it is said."""
    clone = world.clone
    clone.git("branch", "side")
    for branch, name in (("side", "folder/theirs.bin"), ("main", "folder/ours.bin")):
        clone.git("switch", "-q", branch)
        clone.write(name, new(name))
        clone.mvc("add", "folder")
        clone.git("commit", "-qm", branch)
    pointers = [clone.git("show", f"{rev}:folder.mvc").encode() for rev in ("new", "main", "side")]
    for name, data in zip(THREE, pointers, strict=True):
        clone.write(name, data)
    words = ("hook", "merge-pointer", *THREE, "7", "folder.mvc")

    for kind, fatal, died in moments(world, *words):
        where = f"{kind} at call {fatal}: {died}"
        answer = world.read(".ours") or b""
        if kind in CUTS:  # Git died with it, and its files are nobody's
            clone.write(".ours", pointers[1])
        elif answer == pointers[1]:
            assert died.code, where
        else:
            assert parse(answer).files == 5, where
            clone.write("folder.mvc", answer)
            assert world.works("checkout", "--offline", "folder"), where
            assert {name: world.read(f"folder/{name}.bin") for name in ("ours", "theirs")} == {
                name: new(f"folder/{name}.bin") for name in ("ours", "theirs")
            }, where
            clone.write(".ours", pointers[1])
        complete(world)
        world.works(*words)
        assert parse(world.read(".ours") or b"").files == 5, where


def test_models_follow(world: World) -> None:
    """What a merge, a pull or a checkout by Git ends with."""
    for name in ("model.bin", *FOLDER):
        assert world.read(name) == new(name)
    world.clone.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "old")

    def after(world: World) -> None:
        one_of(world, "model.bin", old("model.bin"), new("model.bin"))
        for name in FOLDER:
            one_of(world, name, old(name), new(name))

    for kind, fatal, died in moments(world, "hook", "post-index-change", "1", "0"):
        where = f"{kind} at call {fatal}: {died}"
        after(world)
        complete(world)
        world.works("hook", "post-index-change", "1", "0")
        for name in ("model.bin", *FOLDER):
            assert world.read(name) == old(name), where
        tidy(world)

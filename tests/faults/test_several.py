"""Many mvc processes at once: in one clone, in its linked worktrees, and towards one remote.

MVC_ROUNDS=30 goes round as often as one likes; every run goes round once.
"""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import s3
from tests.support.clone import Clone

ROUNDS = int(os.environ.get("MVC_ROUNDS", "1"))
SIZE = 600_000
SHARED = random.Random("shared").randbytes(SIZE)  # in every model, so that they share chunks


def content(name: str, seed: int) -> bytes:
    return SHARED + random.Random(f"{name} {seed}").randbytes(SIZE // 2)


@dataclass(slots=True)
class Running:
    clone: Clone
    words: tuple[str, ...]
    process: subprocess.Popen[str]


def start(clone: Clone, *words: str) -> Running:
    process = clone.start(*words)
    return Running(clone, words, process)


def finished(jobs: list[Running], *, codes: tuple[int, ...] = (0,)) -> None:
    for job in jobs:
        said, _ = job.process.communicate(timeout=300)
        assert job.process.returncode in codes, f"{job.words} -> {job.process.returncode}\n{said}"


def tidy(clone: Clone) -> None:
    git = Path(clone.git("rev-parse", "--path-format=absolute", "--git-dir").strip())
    assert not [name for name in os.listdir(git) if "lock" in name or name.startswith("mvc-index")]
    clone.mvc("fsck")


def models(count: int) -> list[str]:
    return [f"{'abc'[at % 3]}/model{at}.bin" for at in range(count)]


def test_in_one_clone(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    names = models(5)
    for seed in (1, 2):
        for name in ("old.bin", *names[:2]):
            clone.write(name, content(name, seed))
            clone.mvc("add", name)
        clone.git("commit", "-qam", f"version {seed}", "--allow-empty")
    for seed in range(3, 3 + ROUNDS):
        for name in names:
            clone.write(name, content(name, seed))
        finished(
            [
                *(start(clone, "add", name) for name in names),
                start(clone, "push", "--all"),
                start(clone, "fetch", "--all"),
                start(clone, "checkout", "HEAD", "old.bin"),
                start(clone, "gc", "--apply", "--evict", "--grace", "0"),
                start(clone, "status"),
            ]
        )
        for name in names:
            assert clone.read(name) == content(name, seed)
            assert clone.agrees(name)
            assert clone.run("git", "check-ignore", "-q", name).code == 0
        listed = clone.git("ls-files", "*.mvc").split()
        assert set(listed) == {f"{name}.mvc" for name in ("old.bin", *names)}
        clone.git("diff", "--quiet")
        clone.git("commit", "-qm", f"version {seed}")
        tidy(clone)
    assert "clean" in clone.mvc("status").out
    clone.mvc("push", "--all")
    clone.mvc("fsck", "--remote")


def test_in_linked_worktrees(tmp_path: Path) -> None:
    main = Clone.new(tmp_path / "main")
    for seed in (1, 2):
        main.write("model.bin", content("model.bin", seed))
        main.mvc("add", "model.bin")
        main.git("commit", "-qm", f"version {seed}")
    trees = [main]
    for at in range(3):
        main.git("worktree", "add", "-q", "-b", f"branch{at}", str(tmp_path / f"tree{at}"))
        trees.append(Clone(tmp_path / f"tree{at}"))
    for seed in range(3, 3 + ROUNDS):
        for at, tree in enumerate(trees):
            tree.write(f"own{at}.bin", content(f"own{at}", seed))
        finished(
            [
                *(start(tree, "add", f"own{at}.bin") for at, tree in enumerate(trees)),
                *(start(tree, "checkout", "HEAD", "model.bin") for tree in trees),
                start(main, "gc", "--apply", "--grace", "0"),
                start(trees[1], "gc", "--apply", "--grace", "0"),
            ]
        )
        for at, tree in enumerate(trees):
            assert tree.read(f"own{at}.bin") == content(f"own{at}", seed)
            assert tree.agrees(f"own{at}.bin")
            assert tree.read("model.bin") == content("model.bin", 2)
            tree.git("commit", "-qm", f"own {seed}")
            tidy(tree)


def test_in_clones_that_share_a_store(tmp_path: Path) -> None:
    clones = [Clone.new(tmp_path / f"clone{at}") for at in range(3)]
    for clone in clones:
        with (clone.path / ".git/mvc/config.toml").open("a") as file:
            file.write(f'[store]\npath = "{tmp_path / "store"}"\n')
        for seed in (1, 2):
            clone.write("model.bin", content(clone.path.name, seed))
            clone.mvc("add", "model.bin")
            clone.git("commit", "-qm", f"version {seed}")
    for seed in range(3, 3 + ROUNDS):
        for clone in clones:
            clone.write("same.bin", content("same", seed))
        finished(
            [
                *(start(clone, "add", "same.bin") for clone in clones),
                *(start(clone, "checkout", "HEAD", "model.bin") for clone in clones),
                *(start(clone, "gc", "--apply", "--grace", "0") for clone in clones[:2]),
            ]
        )
        for clone in clones:
            assert clone.agrees("same.bin")
            (clone.path / "same.bin").unlink()
            clone.mvc("checkout", "--offline")
            assert clone.read("same.bin") == content("same", seed)
            assert clone.read("model.bin") == content(clone.path.name, 2)
            clone.git("commit", "-qm", f"same {seed}")
            tidy(clone)


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_towards_one_remote(tmp_path: Path, place: str) -> None:
    """Five clones push versions that share most of their chunks, one of them the same; a sixth has them all."""
    env: dict[str, str] = {}
    words = [str(tmp_path / "far")]
    if place == "s3":
        server = s3.shared()
        s3.make_bucket(server, "several")
        env = server.environment
        words = ["s3://several/models", "--endpoint-url", server.endpoint_url]
    first = Clone.new(tmp_path / "first")
    first.env.update(env)
    first.mvc("remote", "add", "origin", *words)
    first.write("model.bin", content("model.bin", 0))
    first.mvc("add", "model.bin")
    first.git("commit", "-qm", "first")
    first.git("init", "-q", "--bare", str(tmp_path / "server.git"))
    first.git("remote", "add", "origin", str(tmp_path / "server.git"))
    first.git("push", "-q", "origin", "main")
    clones = []
    for at in range(5):
        first.git("clone", "-q", str(tmp_path / "server.git"), str(tmp_path / f"clone{at}"))
        clones.append(Clone(tmp_path / f"clone{at}", env))
        clones[at].mvc("install", "--trust")
        clones[at].git("switch", "-qc", f"branch{at}")
    for seed in range(1, 1 + ROUNDS):
        for at, clone in enumerate(clones):
            clone.write("model.bin", content("model.bin", seed * 10 + at))
            clone.write("same.bin", content("same.bin", seed))
            clone.mvc("add", "model.bin", "same.bin")
            clone.git("commit", "-qm", f"version {seed}")
        finished([start(clone, "push") for clone in clones])
        for at, clone in enumerate(clones):
            clone.git("push", "-q", "origin", f"branch{at}")
    reader = Clone(tmp_path / "reader", env)
    first.git("clone", "-q", str(tmp_path / "server.git"), str(reader.path))
    reader.mvc("install", "--trust")
    reader.mvc("fetch", "--all")
    reader.mvc("fsck", "--remote")
    for at in range(5):
        for back, seed in enumerate(reversed(range(1, 1 + ROUNDS))):
            reader.mvc("checkout", f"origin/branch{at}~{back}", "model.bin", "--offline")
            assert reader.read("model.bin") == content("model.bin", seed * 10 + at)

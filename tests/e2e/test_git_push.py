"""`git push`: what is published has its models, whatever Git's caches, filters and merges say."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from modelvc.formats import proof as proofformat
from modelvc.formats.proof import Proof
from tests.support.clone import Clone


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub, a folder of models, and a clone `ada` that pushed one version to both."""
    top = tmp_path_factory.mktemp("pushed")
    ada = Clone.new(top / "ada")
    ada.git("init", "-q", "--bare", "../hub.git")
    ada.git("remote", "add", "origin", "../hub.git")
    ada.mvc("remote", "add", "origin", str(top / "models"))
    ada.commit_model(1)
    ada.git("push", "-q", "-u", "origin", "main")
    return top


@pytest.fixture
def ada(made: Path, tmp_path: Path) -> Clone:
    """A copy of it at places of its own."""
    shutil.copytree(made, tmp_path / "w", symlinks=True)
    found = Clone(tmp_path / "w/ada")
    for name in (".mvc/config.toml", ".git/mvc/config.toml"):
        text = (found.path / name).read_text().replace(str(made), str(tmp_path / "w"))
        (found.path / name).write_text(text)
    found.git("commit", "-qam", "models moved")
    found.git("push", "-q", "origin", "main")
    return found


def models(ada: Clone) -> Path:
    return ada.path.parent / "models"


def another(ada: Clone, name: str = "ben", *words: str) -> Clone:
    ada.git("clone", "-q", *words, str(ada.path.parent / "hub.git"), f"../{name}")
    found = Clone(ada.path.parent / name)
    found.mvc("install", "--trust")
    return found


def push(clone: Clone, *words: str, code: int = 0) -> str:
    return clone.run("git", *(words or ("push", "-q", "origin", "main")), code=code).err


def assert_all_there(ada: Clone) -> None:
    """Somebody who has nothing gets every version of published history."""
    found = another(ada, "fresh")
    found.mvc("fetch", "--all")
    assert not found.json("fsck", "--quick")["problems"]
    shutil.rmtree(found.path)


def proof(clone: Clone, name: str = "origin") -> Proof | None:
    path = clone.path / f".git/mvc/proofs/{name}"
    return proofformat.parse(path.read_bytes()) if path.exists() else None


# -- the walk


@pytest.mark.parametrize("how", ["resolved", "strategy", "by hand", "came and went"])
def test_the_side_of_a_merge_that_did_not_win_is_sent(ada: Clone, how: str) -> None:
    ada.git("checkout", "-q", "-b", "try")
    ada.commit_model(2)
    if how == "came and went":
        ada.mvc("rm", "model.bin")
        ada.git("commit", "-qm", "gone")
    ada.git("checkout", "-q", "main")
    if how != "came and went":
        ada.commit_model(3)
        push(ada)
    if how == "resolved":
        ada.git("merge", "-q", "try", code=1)
        ada.mvc("resolve", "model.bin", "--ours")
        ada.git("commit", "-qm", "ours")
    elif how == "strategy":
        ada.git("merge", "-q", "-s", "ours", "try")
    else:
        ada.git("merge", "-q", "--no-ff", "--no-commit", "try", code=1 if how == "by hand" else 0)
        ada.git("checkout", "-q", "HEAD", "--", "model.bin.mvc", ".gitignore")
        ada.git("commit", "-qm", "as it was")
    assert "1 version sent to origin" in push(ada)
    assert_all_there(ada)


def test_variables_of_a_caller_do_not_hide_pointers(ada: Clone) -> None:
    """`git --literal-pathspecs push` is how Magit calls Git."""
    (ada.path / "sub").mkdir()
    for number, how in enumerate(("literal", "noglob", "glob", "icase")):
        ada.commit_model(10 + number, "sub/n.bin")
        assert "1 version sent to origin" in push(ada, f"--{how}-pathspecs", "push", "-q", "origin", "main"), how
    ada.env["GIT_EXTERNAL_DIFF"] = "false"
    ada.commit_model(20)
    assert "1 version sent" in push(ada)


def test_replace_refs_do_not_hide_pointers(ada: Clone) -> None:
    """Git sends the commits that are replaced."""
    ada.commit_model(2)
    ada.commit_model(3)
    ada.git("replace", "--graft", "HEAD", "HEAD~2")
    assert "2 versions sent" in push(ada)
    assert_all_there(ada)


def test_two_hundred_merges(ada: Clone) -> None:
    """Random ones, with sides that lose, models that go and come back: every version can be checked out elsewhere."""
    rng = random.Random(11)
    branches = ["main"]
    hooks = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/dev/null"}
    quiet = Clone(ada.path, hooks)  # models need not follow every checkout
    for turn in range(200):
        quiet.git("checkout", "-q", "-f", rng.choice(branches))
        if len(branches) < 4:
            branches.append(f"b{turn}")
            quiet.git("checkout", "-q", "-b", branches[-1])
        name = rng.choice(["m.bin", "n.bin"])
        if turn % 8 == 0:
            _pointer(ada, name, turn)
        elif turn % 8 == 4 and (ada.path / f"{name}.mvc").exists():
            quiet.git("rm", "-q", f"{name}.mvc")
        else:
            (ada.path / f"code{turn}").write_text("x")
            quiet.git("add", f"code{turn}")
        quiet.git("commit", "-qm", f"turn {turn}")
        other = rng.choice(branches)
        strategy = rng.choice([["-s", "ours"], ["-X", "ours"], ["-X", "theirs"]])
        settle = "{ git checkout -q --ours -- . 2>/dev/null; git add -A; git commit -qm settled; }"
        quiet.run("sh", "-c", f"git merge -q --no-ff -m merge {' '.join(strategy)} {other} || {settle}")
        if rng.random() < 0.05:
            push(ada, "push", "-q", "origin", *branches)
    quiet.git("checkout", "-q", "-f", "main")
    push(ada, "push", "-q", "origin", "--all")
    assert int(ada.git("rev-list", "--all", "--merges", "--count")) > 100
    assert_all_there(ada)


def _pointer(clone: Clone, name: str, seed: int) -> None:
    clone.write(name, random.Random(seed).randbytes(2_000))
    clone.mvc("add", name)

"""`git push`: what is published has its models, whatever Git's caches, filters and merges say."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.formats.text import proofs as proofformat
from modelvc.formats.text.proofs import Proof
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
    shutil.rmtree(tmp_path / "w/models/gc")  # the first hub is registered there
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
    for turn in range(1_000):
        if int(ada.git("rev-list", "--all", "--merges", "--count")) >= 200:
            break
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
    assert int(ada.git("rev-list", "--all", "--merges", "--count")) >= 200
    assert_all_there(ada)
    reader = another(ada, "reader")
    versions: dict[str, tuple[str, str]] = {}
    for commit in ada.git("rev-list", "--all").split():
        for line in ada.git("ls-tree", "-r", commit).splitlines():
            blob, path = line.split()[2:]
            if path in {"m.bin.mvc", "n.bin.mvc"}:
                versions.setdefault(blob, (commit, path.removesuffix(".mvc")))
    assert len(versions) > 20
    for blob, (commit, path) in versions.items():
        reader.mvc("checkout", "--force", commit, "--", path)
        assert f'oid = "blake3:{blake3(reader.read(path)).hexdigest()}"' in ada.git("cat-file", "blob", blob)


def _pointer(clone: Clone, name: str, seed: int) -> None:
    clone.write(name, random.Random(seed).randbytes(2_000))
    clone.mvc("add", name)


def test_a_repository_with_sha256(tmp_path: Path) -> None:
    ada = Clone(tmp_path / "ada")
    ada.path.mkdir()
    ada.git("init", "-q", "-b", "main", "--object-format=sha256")
    ada.git("init", "-q", "--bare", "--object-format=sha256", "../hub.git")
    ada.git("remote", "add", "origin", "../hub.git")
    ada.mvc("init", str(tmp_path / "models"))
    ada.commit_model(1)
    assert "1 version sent to origin" in push(ada)
    assert len(proof(ada).tips[0]) == 64  # type: ignore[union-attr]
    ada.git("commit", "-q", "--allow-empty", "-m", "code")
    assert push(ada) == ""
    ada.commit_model(2)
    assert "1 version sent to origin" in push(ada)
    assert_all_there(ada)
    done = ada.mvc("rollback", "model.bin", "--commit")
    assert f"committed {ada.git('rev-parse', 'HEAD')[:10]}\n" in done.out


# -- what is there


def test_models_from_before_there_was_a_remote_are_sent(tmp_path: Path) -> None:
    """As `mvc remote add` says: commit, then `mvc push` or `git push`."""
    ada = Clone.new(tmp_path / "ada")
    ada.git("init", "-q", "--bare", "../hub.git")
    ada.git("remote", "add", "origin", "../hub.git")
    for seed in range(3):
        ada.commit_model(seed)
    push(ada)
    ada.mvc("remote", "add", "origin", str(tmp_path / "models"))
    ada.git("commit", "-qm", "where models lie")
    assert "3 versions sent to origin" in ada.mvc("push").out
    push(ada)
    ada.commit_model(4)
    assert "1 version sent to origin" in push(ada)
    assert_all_there(ada)


def test_a_branch_that_was_deleted_and_cleaned_up_is_sent_again(ada: Clone) -> None:
    """Remote-tracking refs of a clone that never pruned still have it; so has its proof."""
    ada.git("checkout", "-q", "-b", "exp")
    ada.commit_model(2)
    push(ada, "push", "-q", "origin", "exp")
    before = proof(ada)
    assert before
    assert before.tips == (ada.git("rev-parse", "exp").strip(),)
    other = another(ada)
    other.git("push", "-q", "origin", "--delete", "exp")
    other.mvc("gc", "--remote", "--apply", "--grace", "0", "--exclusive")
    assert "1 version sent to origin" in push(ada, "push", "-q", "origin", "exp")
    after = proof(ada)
    assert after
    assert after.generation > before.generation
    assert_all_there(ada)


def test_a_clean_up_ends_a_proof(ada: Clone) -> None:
    """Somebody revived the branch without its models, so Git has what was proven, and the remote has not."""
    ada.git("checkout", "-q", "-b", "exp")
    ada.commit_model(2)
    push(ada, "push", "-q", "origin", "exp")
    other = another(ada)
    other.git("push", "-q", "origin", "--delete", "exp")
    other.mvc("gc", "--remote", "--apply", "--grace", "0", "--exclusive")
    ada.git("push", "-q", "--no-verify", "origin", "exp")
    ada.commit_model(3)
    assert "2 versions sent to origin" in push(ada, "push", "-q", "origin", "exp")
    assert_all_there(ada)


def test_evict_asks_git_itself(ada: Clone) -> None:
    """The last copy of a version that a clean-up of the remote will not keep stays."""
    other = another(ada)
    other.git("checkout", "-q", "-b", "exp")
    other.commit_model(2)
    push(other, "push", "-q", "origin", "exp")
    other.git("checkout", "-q", "main")
    ada.git("push", "-q", "origin", "--delete", "exp")
    assert other.json("gc", "--evict", "--apply", "--grace", "0")["unpushed"] == 1
    other.git("checkout", "-q", "exp")
    other.mvc("checkout", "--offline")
    assert other.agrees()
    (ada.path.parent / "hub.git").rename(ada.path.parent / "away.git")
    other.git("checkout", "-q", "main")
    assert other.json("gc", "--evict", "--apply", "--grace", "0")["unpushed"] == 1


def lose(clone: Clone) -> None:
    """The version that HEAD names was never stored anywhere else, and goes."""
    shutil.rmtree(clone.path / ".git/mvc/store")


def test_a_version_that_nobody_has_stops_git_push(ada: Clone) -> None:
    ada.commit_model(2)
    lose(ada)
    ada.commit_model(3)
    said = push(ada, code=1)
    assert "is not in the local store, nor on" in said
    assert "the push was stopped" in said
    assert proof(ada).tips == (ada.git("rev-parse", "origin/main").strip(),)  # type: ignore[union-attr]
    unsent = ada.json("push", code=10)
    assert (unsent["sent"], [one["path"] for one in unsent["unsent"]]) == ([], ["model.bin"])  # the rest went before
    assert unsent["there"] == 2
    push(ada, "push", "-q", "--no-verify", "origin", "main")
    ada.commit_model(4)
    said = push(ada)
    assert "1 version sent to origin" in said
    assert "missing from every store that was checked: model.bin" in said
    ada.commit_model(5)
    assert "no store" not in push(ada)  # named once
    assert "1 version of published history" in ada.mvc("status").out
    assert [one["path"] for one in ada.json("status")["lost"]] == ["model.bin"]
    assert [one["kind"] for one in ada.json("fsck", "--quick", code=10)["problems"]] == ["missing"]
    ada.write("model.bin", 2)
    ada.mvc("add", "model.bin")
    ada.git("checkout", "-q", "-f", "main")
    assert not ada.json("status")["lost"]
    assert "1 version sent" in ada.mvc("push").out
    assert_all_there(ada)


def test_one_lost_version_stops_no_other(ada: Clone) -> None:
    ada.commit_model(2)
    lose(ada)
    ada.commit_model(3)
    push(ada, "push", "-q", "--no-verify", "origin", "main")
    assert len(ada.json("push", "--all", code=10)["sent"]) == 1
    other = another(ada)
    said = other.mvc("fetch", "--all", code=10)
    assert "2 versions fetched" in said.out
    assert "mvc push --all" in said.err


def test_damage_on_a_remote_stops_no_other_version(ada: Clone) -> None:
    (first,) = (models(ada) / "packs").glob("*/*")
    ada.commit_model(2)
    push(ada)
    first.unlink()
    other = another(ada)
    assert "fsck --remote" in other.mvc("fetch", "--all", code=13).err
    other.mvc("checkout", "--offline")
    assert other.agrees()


def test_another_remote_is_asked_before_a_command_gives_up(ada: Clone, tmp_path: Path) -> None:
    """`git push hub` uses the mvc remote `hub`; a clone of origin finds what lies there."""
    ada.git("init", "-q", "--bare", str(tmp_path / "other.git"))
    ada.git("remote", "add", "hub", str(tmp_path / "other.git"))
    ada.mvc("remote", "add", "hub", str(tmp_path / "more"))
    ada.git("commit", "-qm", "another place")
    ada.commit_model(2)
    assert "2 versions sent to hub" in push(ada, "push", "-q", "hub", "main")
    push(ada, "push", "-q", "--no-verify", "origin", "main")
    other = another(ada)
    done = other.json("pull")
    assert (done["fetched"]["remote"], done["fetched"]["came_from"]) == ("origin", ["hub"])
    assert other.agrees()
    other.git("remote", "add", "hub", str(tmp_path / "other.git"))
    other.git("fetch", "-q", "hub")
    other.git("branch", "-q", "-u", "hub/main")
    assert other.json("fetch", "--all")["remote"] == "hub"
    (tmp_path / "more").rename(tmp_path / "unplugged")
    shutil.rmtree(other.path / ".git/mvc/store")
    (other.path / "model.bin").unlink()
    said = other.mvc("fetch", "--all", code=13)  # origin was asked all the same, and had one of the two
    assert "is its drive mounted?" in said.err
    assert other.json("fetch", "-r", "origin", "--all", code=10)["here"] == 1


def test_a_shallow_clone_proves_nothing(ada: Clone) -> None:
    ada.commit_model(2)
    push(ada)
    url = f"file://{ada.path.parent}/hub.git"
    ada.git("clone", "-q", "--depth=1", url, "../thin")
    thin = Clone(ada.path.parent / "thin")
    thin.mvc("install", "--trust")
    thin.mvc("pull")
    thin.commit_model(3)
    assert "shallow" in push(thin)
    assert proof(thin) is None


def test_fsck_says_what_is_nowhere(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "r")
    clone.commit_model(1)
    clone.commit_model(2)
    lose(clone)
    clone.mvc("fsck", "--repair", code=10)  # the present version comes from the worktree
    found = clone.json("fsck", code=10)
    assert [(one["kind"], one["where"]) for one in found["problems"]] == [("missing", "the local store")]
    assert found["not_here"] == 0


def test_fsck_asks_remotes_for_what_is_not_here(ada: Clone) -> None:
    ada.commit_model(2)
    push(ada)
    lose(ada)
    assert not ada.json("fsck", "--quick")["problems"]
    config = ada.path / ".mvc/config.toml"
    config.write_text(config.read_text().replace(str(models(ada)), "/elsewhere"))  # it moved away from its pin
    found = ada.json("fsck", "--quick", code=10)
    assert len(found["problems"]) == 2
    assert "origin" in found["not_asked"][0]

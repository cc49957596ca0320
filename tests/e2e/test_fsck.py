"""Damage is found, named, never handed out, never pushed, and repaired from a good copy."""

from __future__ import annotations

import random
import re
import shutil
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
    first = clone.git("rev-parse", "HEAD")[:10]
    clone.git("commit", "-qm", "later", "--allow-empty", "--no-verify")
    clone.git("rm", "-q", "bad.bin.mvc")
    clone.git("commit", "-qm", "gone")
    done = clone.mvc("fsck", "--quick", code=12)
    assert f"broken pointer: bad.bin.mvc ({first}) is not a valid pointer: " in done.out
    assert f"first in bad.bin.mvc ({first})" in done.out
    assert "needed by" not in done.out
    assert done.err == "history keeps its broken pointers: mvc fsck HEAD looks at what is current\n"
    assert clone.mvc("fsck", "--repair", code=12).err == done.err
    clone.mvc("fsck", "HEAD")
    assert clone.mvc("gc", code=12).err.count("pointer") >= 1


def test_each_problem_names_pointers_and_commits(clone: Clone) -> None:
    """The version of HEAD~1 is also at another path, on another branch; the one of HEAD is in the worktree too."""
    store = clone.path / ".git/mvc/store"
    old = {"model.bin": clone.git("rev-parse", "HEAD~1")[:10]}
    clone.git("checkout", "-q", "-b", "side", "HEAD~1")
    clone.write("copy.bin", clone.read("model.bin"))
    clone.mvc("add", "copy.bin")
    clone.git("commit", "-qm", "copy")
    old["copy.bin"] = clone.git("rev-parse", "HEAD")[:10]
    clone.git("commit", "-qm", "nothing", "--allow-empty")
    oid = clone.json("show", "copy.bin")["oid"].removeprefix("blake3:")
    clone.git("checkout", "-q", "main")
    head = clone.git("rev-parse", "HEAD")[:10]
    shutil.rmtree(store / "packs")  # all is missing
    (store / "b" / oid[:2] / oid).write_bytes(b"x")  # and one is damaged: that is worse
    found = clone.json("fsck", code=12)
    (damaged,) = [problem for problem in found["problems"] if problem["kind"] == "damaged"]
    assert oid[:10] in damaged["what"]
    assert {user.split(" ")[0] for user in damaged["needed_by"]} == {"model.bin", "copy.bin"}
    assert set(damaged["introduced_by"]) == {f"{path} ({commit})" for path, commit in old.items()}
    missing = [problem for problem in found["problems"] if problem["kind"] == "missing"]
    assert {"model.bin (worktree)", f"model.bin ({head})"} in [set(problem["needed_by"]) for problem in missing]
    assert [f"model.bin ({head})"] in [problem["introduced_by"] for problem in missing]
    said = clone.mvc("fsck", code=12).out
    for path, commit in old.items():
        assert f"  first in {path} ({commit})" in said
    clone.mvc("fsck", "--repair")
    clone.mvc("fsck", "HEAD")


def _damage_the_newest(clone: Clone) -> Path:
    """Damage the version of a commit that no ref reaches any more. Return its pack."""
    clone.git("reset", "-q", "--hard", "HEAD~1")
    newest = max((clone.path / ".git/mvc/store").glob("packs/*/*"), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    data[5000] ^= 1
    newest.chmod(0o644)
    newest.write_bytes(data)
    return newest


def test_what_nobody_needs_is_set_aside(clone: Clone) -> None:
    newest = _damage_the_newest(clone)
    done = clone.mvc("fsck", code=12)
    assert done.out.count("no branch, tag or stash needs it") == 1  # the version says it, for its pack too
    assert "needed by" not in done.out
    assert done.err == "next: mvc fsck --repair\n"
    clone.mvc("fsck", "--quick")  # which reads no chunks
    clone.mvc("remote", "remove", "origin")
    done = clone.mvc("fsck", "--repair")  # no store has that version
    assert re.search(r"^set aside: \w{10}: chunks are missing in the local store$", done.out, re.MULTILINE)
    assert "all good" in clone.mvc("fsck").out
    aside = {path.name for path in (clone.path / ".git/mvc/damaged").iterdir()}
    assert newest.name in aside
    assert [name for name in aside if name.startswith("root-")]


def test_nothing_is_set_aside_while_a_remote_may_have_a_copy(clone: Clone, tmp_path: Path) -> None:
    _damage_the_newest(clone)
    (tmp_path / "far").rename(tmp_path / "unmounted")
    done = clone.mvc("fsck", "--repair", code=10)
    assert "this clone has used the store there" in done.out
    assert done.err == "next: mvc fsck --repair, once every remote can be checked\n"
    (tmp_path / "unmounted").rename(tmp_path / "far")
    clone.mvc("fsck", "--repair")
    assert not [path for path in (clone.path / ".git/mvc/damaged").iterdir() if path.name.startswith("root-")]
    assert "all good" in clone.mvc("fsck").out


def test_what_a_pointer_needs_is_never_set_aside(clone: Clone) -> None:
    clone.git("branch", "side")
    _damage_the_newest(clone)
    clone.mvc("remote", "remove", "origin")
    done = clone.mvc("fsck", "--repair", code=10)
    assert "set aside: pack " in done.out
    assert done.out.count("set aside") == 1, "the version's root stays"
    assert "repaired" not in done.out
    assert "next: mvc push --all in a clone that has it" in done.err
    again = "if that finds no good copy: mvc push --all in a clone that has it, then here mvc fsck --repair\n"
    assert again in clone.mvc("fsck", code=10).err
    (clone.path / "model.bin").unlink()
    said = clone.mvc("checkout", "side", "model.bin", code=10).err
    oid = clone.git("show", "side:model.bin.mvc").partition('"blake3:')[2][:10]
    assert f"model.bin ({oid}) is not in the local store as a whole" in said
    assert "hint: run `mvc fsck --repair`; if no remote has it, first `mvc push --all` in a clone that has it" in said


def test_what_was_not_pushed_is_not_missing(clone: Clone, tmp_path: Path) -> None:
    clone.commit_model(3)
    done = clone.mvc("fsck", "-r", "origin", code=10)
    oid = clone.json("show", "model.bin")["oid"].removeprefix("blake3:")
    assert f"not pushed: {oid[:10]} to {tmp_path}/far\n" in done.out
    assert "missing" not in done.out
    assert done.err == "next: mvc push --all -r origin\n"
    assert [one["kind"] for one in clone.json("fsck", "-r", "origin", code=10)["problems"]] == ["not-pushed"]
    clone.mvc("push", "--all", "-r", "origin")
    clone.mvc("fsck", "-r", "origin")
    (tmp_path / "far/b" / oid[:2] / oid).unlink()  # pushed, and lost since
    assert f"missing: {oid[:10]} in {tmp_path}/far\n" in clone.mvc("fsck", "-r", "origin", code=10).out


def test_a_sample_of_a_remote(clone: Clone) -> None:
    said = clone.mvc("fsck", "--sample", "5%").out
    assert "origin: 3 versions, " in said
    assert " read, 3 proven whole, " in said
    far = clone.json("fsck", "--remote", "--sample", "40")["remote"]
    assert 0 < far["checked_bytes"] < far["needed_bytes"]
    assert far["requests"] < 20
    whole = clone.json("fsck", "--remote")["remote"]
    assert whole["checked_bytes"] == whole["needed_bytes"]
    for nonsense in ("0%", "200%", "-5%", "nan", "inf", "some", "%", ""):
        done = clone.mvc("fsck", f"--sample={nonsense}", code=2 if nonsense else 0)
        assert not nonsense or "mvc fsck --sample 5%" in done.err
    assert "leave one of them out" in clone.mvc("fsck", "--quick", "--sample", "5%", code=2).err


def test_a_whole_that_only_a_look_at_one_commit_proves(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install", "--trust")
    found = other.json("fsck", "--remote")
    assert (found["remote"]["proven"], found["not_here"]) == (3, 3)
    assert not (other.path / ".git/mvc/store/packs").exists()


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
    done = clone.mvc("fsck", "--markers", code=1)
    assert (done.out, done.err) == (
        "model.bin\n",
        "next: mvc resolve MODEL, or mvc notebook resolve NOTEBOOK, with --ours or --theirs\n",
    )
    assert clone.mvc("fsck", "--markers", "HEAD").out == ""
    clone.git("add", "model.bin.mvc")
    done = clone.run("git", "commit", "-qm", "markers", code=1)
    assert "conflict" in done.err

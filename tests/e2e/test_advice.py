"""What is said at night: advice that works as it stands, looking around on a full disk, and Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Two versions, of which the remote has the second."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    found.commit_model(1)
    found.commit_model(2)
    found.mvc("push", "HEAD~1..HEAD")
    return found


def test_the_next_command_is_the_one_that_was_shown(clone: Clone) -> None:
    clone.mvc("push", "--all")
    done = clone.mvc("gc", "--evict", "--grace", "0")
    assert "1 version can be removed" in done.out
    assert done.err == "next: mvc gc --evict --grace 0 --apply\n"
    assert "1 version removed" in clone.mvc(*done.err.split()[2:]).out
    clone.write("model.bin", 3)
    clone.mvc("add", "model.bin")
    clone.git("reset", "-q", "--hard")
    said = clone.mvc("gc", "--grace", "0").err
    assert said.startswith("no remote has 1 version; to delete anyway: mvc gc --grace 0 ")
    assert "1 version removed" in clone.mvc(*said.partition(": mvc ")[2].split()).out


def test_damage_is_said_once_and_who_can_mend_it(clone: Clone) -> None:
    clone.write("model.bin", 3)
    clone.mvc("add", "model.bin")
    clone.git("reset", "-q", "--hard")
    for pack in (clone.path / ".git/mvc/store/packs").glob("*/*"):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[5000] ^= 1
        pack.write_bytes(data)
    said = clone.mvc("fsck", code=12)
    assert said.out.count(": damaged chunks in the local store\n") == 3
    assert said.out.count(" in the local store\n  no branch, tag or stash needs it\n") == 1
    done = clone.mvc("fsck", "--repair", code=10)  # the first is nowhere else; the third, of nobody, is set aside
    assert done.out.endswith(": 1 problem left\n")
    assert done.err == "next: mvc push --all in a clone that has it, then here mvc fsck --repair\n"
    assert "\nset aside: pack " in f"\n{done.out}"
    assert done.out.count("repaired: pack ") == 1, "that of the second version, which the remote has"


def test_damage_on_a_remote_names_who_can_mend_it(clone: Clone, tmp_path: Path) -> None:
    """`mvc push` alone sends nothing in place of bytes of the right length."""
    clone.mvc("gc", "--evict", "--grace", "0", "--apply")
    clone.mvc("push")
    for pack in (tmp_path / "far/packs").glob("*/*"):
        pack.unlink()
    for path in (clone.path / ".git/mvc/store/packs").glob("*/*"):
        path.unlink()
    (clone.path / "model.bin").unlink()
    done = clone.mvc("fsck", "--remote", "--repair", code=10)
    hint, second = done.err.splitlines()
    assert hint == "next: mvc fsck --remote --repair in a clone that has it"
    assert second.startswith("if no clone has it")
    other = Clone(tmp_path / "other")
    clone.git("clone", "-q", str(clone.path), str(other.path))
    lost = other.mvc("fetch", code=13).err
    assert lost.endswith("\nhint: run `mvc fsck --remote` to list what else is missing\n")


def test_a_pull_that_would_overwrite_names_a_command_that_works(clone: Clone) -> None:
    (clone.path / "model.bin").write_bytes(b"trained anew")
    said = clone.mvc("pull", code=11).err
    assert "store and replace them with `mvc checkout --force model.bin`" in said
    clone.mvc("checkout", "--force", "model.bin")
    assert clone.agrees()
    assert clone.mvc("pull").code == 0


def test_a_pointer_has_one_name_on_both_sides_of_a_diff(clone: Clone) -> None:
    clone.write("models/a.bin", 1)
    clone.mvc("add", "models/a.bin")
    clone.git("commit", "-qm", "in a folder")
    clone.write("models/a.bin", 2)
    clone.mvc("add", "models/a.bin")
    assert (
        "hint: name the files and folders that are models (`mvc add -u`: all that" in clone.mvc("add", ".", code=2).err
    )
    assert " model a.bin\n-version " in clone.git("diff", "--cached")


def test_a_version_that_is_nowhere_is_named_in_plain_words(clone: Clone, tmp_path: Path) -> None:
    clone.commit_model(4)
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other")
    other.mvc("install", "--trust")
    said = other.mvc("push", "--all", code=10).err
    assert (
        f") is not in the local store, nor on {tmp_path / 'far'}\nhint: run `mvc push --all` in a clone that has it"
        in said
    )


def test_looking_needs_no_space(clone: Clone) -> None:
    """No file may grow: what can be looked at on a full disk, and in a clone where one may not write."""
    cell = '{"cell_type": "code", "id": "a", "execution_count": null, "metadata": {}, "outputs": [%s], "source": []}'
    page = '{"cells": [' + cell + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    clone.write("note.ipynb", (page % "").encode())
    clone.git("add", "note.ipynb")
    clone.git("commit", "-qm", "a notebook")
    clone.write("note.ipynb", (page % '{"output_type": "stream", "name": "stdout", "text": []}').encode())
    clone.write("model.bin", 3)

    def full(*words: str) -> subprocess.CompletedProcess[str]:
        script = f'ulimit -f 0; exec "{sys.executable}" -m modelvc "$@"'
        words = ("sh", "-c", script, "sh", *words)
        return subprocess.run(words, check=False, cwd=clone.path, capture_output=True, text=True)

    found = full("status")
    assert (found.returncode, found.stdout.splitlines()[:2]) == (0, ["modified:", "  model.bin"]), found.stderr
    found = full("doctor", "--offline")
    assert found.returncode == 1, found.stderr
    assert "nothing can be written to " in found.stdout
    assert "fix: mvc gc --apply, or mvc gc --evict --apply" in found.stderr
    for words in (["log"], ["ls"], ["gc"], ["fsck"], ["show", "model.bin"], ["gc", "--apply", "--grace", "0"]):
        done = full(*words)
        assert done.returncode == 0, (words, done.stderr)
    assert list((clone.path / ".git/mvc").glob("state.*")) == [], "what could not be written is not left behind"


def test_ctrl_c_says_that_nothing_is_lost(clone: Clone) -> None:
    """Whatever typer makes of an interrupt. The command waits for a lock that this test holds."""
    import fcntl

    with (clone.path / ".git/mvc/lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = [sys.executable, "-X", "importtime", "-m", "modelvc", "add", "model.bin"]
        with subprocess.Popen(words, cwd=clone.path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as work:
            assert work.stderr is not None
            for line in work.stderr:
                if line.endswith(" modelvc.ops.tracking.add\n"):  # the last that is imported before it starts
                    break
            work.send_signal(signal.SIGINT)
            _, said = work.communicate(timeout=60)
    assert work.returncode == 130
    assert said.endswith("interrupted; the next run continues from what was stored\n")


def test_a_remote_where_a_revision_is_meant(clone: Clone) -> None:
    """As in `git push origin`: Git's branch of that name would mean what was pushed already."""
    clone.git("update-ref", "refs/remotes/origin/HEAD", "HEAD~1")
    for command in ("push", "fetch", "pull"):
        said = clone.mvc(command, "origin", code=2).err
        assert said.startswith(
            "error: origin is a remote, and a revision is meant here\nhint: name a remote with -r origin"
        )
    assert "-r origin" in clone.mvc("fsck", "--remote", "origin", code=2).err
    clone.git("branch", "origin")
    assert "nothing to fetch: 1 version here" in clone.mvc("fetch", "heads/origin").out


def test_a_model_that_was_never_committed_can_be_brought_back(clone: Clone) -> None:
    clone.write("new.bin", 7)
    clone.mvc("add", "new.bin")
    done = clone.mvc("rm", "new.bin", "model.bin")
    first, last = done.err.splitlines()
    assert first.startswith("the old content is stored: mvc checkout blake3:")
    assert first.endswith(" new.bin restores it")
    assert last == "next: git commit · earlier versions stay in history and in the store"
    assert clone.mvc(*first.partition(": mvc ")[2].split()[:3]).err == "next: git commit\n"
    done = clone.mvc("rm", "new.bin")
    assert done.err == f"{first}\n"


def test_a_revision_before_a_path_of_another_repository(clone: Clone) -> None:
    said = clone.mvc("get", ".", "HEAD~1:model.bin", "-o", "old.bin", code=2).err
    assert said.endswith("hint: mvc get . model.bin --rev HEAD~1\n")
    clone.mvc(*said.partition(": mvc ")[2].split(), "-o", "old.bin")


def test_numbers_in_passing_have_six_digits(clone: Clone) -> None:
    clone.write("model.bin", 3)
    clone.mvc("add", "model.bin", "-m", "loss=0.3333333333333333", "-m", "near=0.50000001")
    assert "mvc: model.bin: loss 0.333333 (new)\n" in clone.run("git", "commit", "-qm", "3").err
    clone.write("model.bin", 4)
    clone.mvc("add", "model.bin", "-m", "loss=0.6666666666666666", "-m", "near=0.50000002")
    said = clone.run("git", "commit", "-qm", "4").err
    assert "mvc: model.bin: loss 0.333333 -> 0.666667\n" in said
    assert "mvc: model.bin: near 0.50000001 -> 0.50000002\n" in said

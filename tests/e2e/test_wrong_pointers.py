"""Pointers whose size or files are not those of their object: found by every command, mended by `mvc add`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelvc.formats.pointer.pointer import parse
from tests.support.clone import Clone

FILE = "its pointer says 1.0 TB (999,999,999,999 bytes), the model has 6 B (6 bytes)"
TREE = "its pointer says 1 B (1 byte in 77 files), the model has 4 B (4 bytes in 2 files)"


def lie(clone: Clone) -> None:
    for name, key, value in (("m.bin", "size", 999_999_999_999), ("d", "size", 1), ("d", "files", 77)):
        path = clone.path / f"{name}.mvc"
        path.write_text(re.sub(rf"(?m)^{key} = .*", f"{key} = {value}", path.read_text()))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A file and a folder whose committed pointers lie about size and files."""
    found = Clone.new(tmp_path / "clone")
    found.mvc("remote", "add", "origin", str(tmp_path / "far"))
    found.write("m.bin", b"hello\n")
    found.write("d/a", b"1\n")
    found.write("d/b", b"2\n")
    found.mvc("add", "m.bin", "d")
    found.git("commit", "-qam", "models")
    lie(found)
    found.git("commit", "-qam", "lies")
    return found


def states(clone: Clone) -> dict[str, tuple[str, str]]:
    return {row["path"]: (row["state"], row["detail"]) for row in clone.json("status")["models"]}


def remove(clone: Clone) -> None:
    for name in ("m.bin", "d/a", "d/b"):
        (clone.path / name).unlink()
    (clone.path / "d").rmdir()


def test_status_says_so_and_its_hint_works(clone: Clone) -> None:
    assert states(clone) == {"m.bin": ("broken", FILE), "d": ("broken", TREE)}
    done = clone.mvc("status", "--exit-code", code=1)
    assert "wrong pointer:" in done.out
    assert f"m.bin  ({FILE})" in done.out
    assert "rewrite its pointer: mvc add -u" in done.err
    assert "git checkout" not in done.err
    assert states(clone) == {"m.bin": ("broken", FILE), "d": ("broken", TREE)}  # also when it looked before
    clone.mvc("add", "m.bin")
    assert "rewrite its pointer: mvc add d" in clone.mvc("status").err
    clone.mvc("add", "d")
    assert clone.mvc("status", "--exit-code").code == 0


def test_add_writes_the_pointer_anew(clone: Clone) -> None:
    before = {name: parse(clone.git("show", f"HEAD~1:{name}.mvc").encode()) for name in ("m.bin", "d")}
    done = clone.json("add", "-u")
    assert [(model["path"], model["change"], model["stored"]) for model in done["models"]] == [
        ("d", "updated", 0),
        ("m.bin", "updated", 0),
    ]
    assert "its pointer was rewritten: its pointer said 1 B" in done["models"][0]["note"]
    assert {name: parse(clone.read(f"{name}.mvc")) for name in before} == before
    assert clone.git("diff", "--cached", "--name-only").split() == ["d.mvc", "m.bin.mvc"]
    assert [model["change"] for model in clone.json("add", "m.bin", "d")["models"]] == ["unchanged"] * 2


def test_checkout_hands_out_what_the_oid_names_and_says_so(clone: Clone) -> None:
    remove(clone)
    assert states(clone) == {"m.bin": ("missing", FILE), "d": ("missing", TREE)}
    done = clone.mvc("checkout")
    assert re.search(r"m\.bin +\w{10} +6 B", done.out)
    assert "TB" not in done.out
    assert f"m.bin: {FILE}" in done.err
    assert "rewrite its pointer: mvc add m.bin" in done.err
    assert clone.read("m.bin") == b"hello\n"
    found = {model["path"]: model for model in clone.json("checkout")["models"]}
    assert (found["m.bin"]["size"], found["m.bin"]["wrong"], found["m.bin"]["change"]) == (6, FILE, "unchanged")
    assert (found["d"]["size"], found["d"]["wrong"]) == (4, TREE)
    clone.mvc("add", "-u")
    assert [model["wrong"] for model in clone.json("checkout")["models"]] == ["", ""]


def test_a_model_that_follows_git_says_so(clone: Clone) -> None:
    clone.git("checkout", "-q", "HEAD~2")
    assert not (clone.path / "m.bin").exists()
    done = clone.run("git", "checkout", "main")
    assert f"m.bin: {FILE}" in done.err
    assert "mvc add m.bin" in done.err


def test_fsck_names_the_pointers_of_the_worktree_and_of_history(clone: Clone) -> None:
    done = clone.json("fsck", code=12)
    wrong = {problem["what"] for problem in done["problems"] if problem["kind"] == "wrong-pointer"}
    assert wrong == {f"m.bin (worktree): {FILE}", f"d (worktree): {TREE}"}
    told = clone.mvc("fsck", code=12)
    assert "next: mvc add" in told.err
    assert "--repair" not in told.err
    clone.mvc("add", "-u")
    clone.git("commit", "-qam", "mended")
    assert clone.json("fsck", "HEAD")["problems"] == []
    left = clone.json("fsck", code=12)["problems"]
    lied = clone.git("rev-parse", "HEAD~1").strip()[:10]
    assert {problem["what"] for problem in left} == {f"m.bin ({lied}): {FILE}", f"d ({lied}): {TREE}"}
    assert "mvc fsck HEAD looks at what is current" in clone.mvc("fsck", code=12).err


def test_a_clone_that_pulls_gets_the_bytes_and_the_words(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("push")
    other = Clone(tmp_path / "other")
    other.path.mkdir()
    other.git("clone", "-q", str(clone.path), ".")
    other.mvc("install")
    other.mvc("remote", "add", "there", str(tmp_path / "far"))
    told = other.json("fsck", "--remote", "-r", "there", code=12)["problems"]
    assert {problem["what"] for problem in told} == {f"m.bin (worktree): {FILE}", f"d (worktree): {TREE}"}
    done = other.mvc("pull", "-r", "there")
    assert f"m.bin: {FILE}" in done.err
    assert other.read("d/b") == b"2\n"


def test_the_size_of_predictions_is_compared_too(clone: Clone) -> None:
    clone.mvc("add", "-u")
    clone.write("p.csv", b"id,y_true,y_pred\n1,0,1\n2,1,1\n")
    clone.mvc("add", "m.bin", "--predictions", "p.csv")
    path = clone.path / "m.bin.mvc"
    head, table, rest = path.read_text().partition("[predictions]")
    path.write_text(head + table + re.sub(r"(?m)^size = .*", "size = 7", rest))
    found = [one["what"] for one in clone.json("fsck", code=12)["problems"] if "says 7 B" in one["what"]]
    assert found == ["m.bin (worktree): its pointer says 7 B (7 bytes), the model has 29 B (29 bytes)"]


def test_get_hands_out_what_the_oid_names_and_says_so(clone: Clone, tmp_path: Path) -> None:
    done = clone.mvc("get", ".", "m.bin", "-o", str(tmp_path / "got.bin"))
    assert f"{FILE}; its bytes are correct" in done.err
    assert (tmp_path / "got.bin").read_bytes() == b"hello\n"
    found = clone.json("get", ".", "d", "-o", str(tmp_path / "got"))
    assert (found["size"], found["wrong"]) == (4, TREE)


def test_status_tells_new_files_of_a_folder_beside_a_wrong_size(clone: Clone) -> None:
    clone.write("d/mine", b"mine")
    assert states(clone)["d"] == ("modified", f"{TREE}; 1 new")
    said = clone.mvc("status", "d").err
    assert "or move the new files out of it" in said
    assert "mvc checkout --force" not in said

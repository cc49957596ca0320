"""What lies in the way, what comes between check and use, and names that Git has and no worktree needs to have."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from modelvc.atomic import write_all
from modelvc.errors import ConflictError, FormatError, ModelvcError, ObjectCorrupt, UsageError
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import Pointer
from modelvc.ids import Oid
from modelvc.ops.tracking.add import add
from modelvc.ops.tracking.checkout import checkout
from modelvc.ops.upkeep.fsck import Depth, fsck
from modelvc.repo import open_repo
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import tree_content
from modelvc.worktree.files import Worktree
from tests.support.clone import Clone
from tests.support.strangers import everything, write_tree

IN_GIT = [
    *(
        b"..\\evil.mvc",
        b"con.mvc",
        b"C:x.mvc",
        b"a\nb.mvc",
        b"a\x1b[2Jb.mvc",
        b"GIT~1/x.mvc",
        b"a./b.mvc",
        b"\xff\xfe.mvc",
    ),
    *(
        b"-x.mvc",
        b"--help.mvc",
        b"$(touch owned).mvc",
        b"`touch owned`.mvc",
        b"a;touch owned;.mvc",
        b"a'b\"c.mvc",
        b"* ?.mvc",
    ),
    *(
        b"--upload-pack=touch owned.mvc",
        b"|touch owned.mvc",
        b"%s%n.mvc",
        b".g\xe2\x80\x8cit/x.mvc",
        b" .mvc",
        b".mvc/x.mvc",
    ),
]


def test_pointers_of_any_name_in_a_commit(tmp_path: Path) -> None:
    """Every command, and Git with our hooks, where history holds such pointers."""
    clone = Clone.new(tmp_path / "clone")
    clone.commit_model(1)
    blob = clone.git("hash-object", "-w", "model.bin.mvc").strip().encode()
    lines = b"".join(b"100644 %s\t%s\0" % (blob, name) for name in IN_GIT)
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=clone.path, input=lines, check=True)
    clone.git("commit", "-q", "--no-verify", "-m", "evil")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    before = everything(tmp_path)
    for words in (
        ["status"], ["ls"], ["log", "--all"], ["diff", "HEAD~1", "HEAD"], ["push", "--all"], ["fetch", "--all"],
        ["checkout"], ["fsck"], ["gc", "--grace", "0"], ["store", "stats"], ["metrics", "show"], ["doctor"],
        ["fsck", "--markers", "HEAD"],
    ):  # fmt: skip
        done = subprocess.run(
            ["mvc", *words], cwd=clone.path, env=clone.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode in {0, 1, 10, 11, 12}, (words, done.stderr)
        assert "internal" not in done.stderr
        assert "Traceback" not in done.stderr
    for words in (
        ["checkout", "-q", "-f", "HEAD~1"],
        ["checkout", "-q", "-f", "main"],
        ["stash", "list"],
        ["status", "-s"],
    ):
        clone.git(*words)
    clone.git("commit", "-q", "--allow-empty", "-m", "hooks")
    assert not [path for path in tmp_path.rglob("*owned*") if not path.name.endswith(".mvc") and path.name == "owned"]
    inside = f"{clone.path}/"
    new = set(everything(tmp_path)) - set(before)
    assert all(path.startswith(inside) for path in new), new
    assert not [path for path in new if "/.git/hooks" in path]


# -- between check and use


class _Swapper(threading.Thread):
    """Swaps the folder at PATH for a link to ELSEWHERE and back, as fast as it can."""

    def __init__(self, path: Path, elsewhere: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.aside, self.link = path, path.with_name(path.name + ".aside"), path.with_name("link")
        self.link.symlink_to(elsewhere)
        self.done = threading.Event()
        self.swaps = 0

    def run(self) -> None:
        while not self.done.is_set():
            with contextlib.suppress(OSError):
                os.rename(self.path, self.aside)
                os.rename(self.link, self.path)
            with contextlib.suppress(OSError):
                os.rename(self.path, self.link)
                os.rename(self.aside, self.path)
            self.swaps += 1

    def stop(self) -> None:
        self.done.set()
        self.join()
        if self.path.is_symlink():
            os.rename(self.path, self.link)
        if self.aside.exists():
            shutil.rmtree(self.path, ignore_errors=True)  # made anew between two swaps
            os.rename(self.aside, self.path)


def test_a_folder_that_becomes_a_link_while_we_write(tmp_path: Path) -> None:
    top, elsewhere = tmp_path / "top", tmp_path / "elsewhere"
    (top / "a/b").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "b").mkdir()
    (elsewhere / "b/keep").write_bytes(b"theirs")
    found = Worktree(str(top), str(top / ".git/tmp"))
    swapper = _Swapper(top / "a", elsewhere)
    swapper.start()
    outcomes = {"written": 0, "refused": 0}
    random_ = random.Random(1)
    deadline = 4_000
    while deadline and (min(outcomes.values()) < 20 or deadline > 2_500):
        deadline -= 1
        try:
            kind = random_.randrange(4)
            if kind == 0:
                found.write(SafeRelPath("a/b/f"), lambda fd: write_all(fd, b"ours"))
            elif kind == 1:
                found.remove(SafeRelPath("a/b/keep"))
                found.remove_empty("a/b/none")
            elif kind == 2:
                with found.new_folder(SafeRelPath(f"a/b/n{deadline}")) as folder:
                    folder.write("x/y", b"ours", executable=False)
            else:
                found.rename(SafeRelPath("a/b/f"), SafeRelPath("a/b/g"))
            outcomes["written"] += 1
        except (ConflictError, FileNotFoundError, OSError):
            outcomes["refused"] += 1
    swapper.stop()
    assert swapper.swaps
    assert sorted(str(path.relative_to(elsewhere)) for path in elsewhere.rglob("*")) == ["b", "b/keep"]
    assert (elsewhere / "b/keep").read_bytes() == b"theirs"
    assert outcomes["written"]


def test_a_folder_that_becomes_a_link_while_models_are_checked_out(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    for version in (1, 2):
        for name in ("sub/model.bin", "sub/folder/x.bin"):
            clone.write(name, version)
        clone.mvc("add", "sub/model.bin", "sub/folder")
        clone.git("commit", "-qm", f"{version}")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(clone.path / "sub", elsewhere)
    (elsewhere / "model.bin").unlink()
    before = everything(elsewhere)
    swapper = _Swapper(clone.path / "sub", elsewhere)
    swapper.start()
    for number in range(60):
        with contextlib.suppress(ModelvcError, OSError):
            checkout(open_repo(str(clone.path), {}), ("HEAD", "HEAD~1")[number % 2], [])
    swapper.stop()
    assert everything(elsewhere) == before
    clone.mvc("checkout", "--force", "HEAD")
    assert clone.agrees("sub/model.bin")


def test_hard_links_and_links_keep_their_bytes(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    first = clone.commit_model(1)
    second = clone.commit_model(2)
    outside = tmp_path / "outside"
    os.link(clone.path / "model.bin", outside)
    clone.mvc("checkout", "HEAD~1")
    assert outside.read_bytes() == second
    assert clone.read("model.bin") == first
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (clone.path / "model.bin").unlink()
    (clone.path / "model.bin").symlink_to(target)
    clone.run("mvc", "checkout", "--force", "HEAD", code=11)
    assert target.read_bytes() == b"theirs"
    assert (clone.path / "model.bin").is_symlink()


def test_folders_where_files_belong_and_the_other_way_round(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    clone.write("folder/a", b"a")
    clone.mvc("add", "folder")
    clone.commit_model(1)
    clone.run("rm", "-rf", "folder", "model.bin")
    clone.write("folder", b"a file of mine")
    clone.write("model.bin/inside", b"mine")
    for words in (["checkout"], ["checkout", "model.bin"]):
        done = clone.run("mvc", *words, code=11)
        assert "Traceback" not in done.err
    assert clone.read("folder") == b"a file of mine"
    assert clone.read("model.bin/inside") == b"mine"
    (forced,) = clone.json("checkout", "--force", "model.bin")["models"]  # it is stored first
    clone.mvc("checkout", forced["was"], "model.bin")
    assert clone.read("model.bin/inside") == b"mine"
    for name in ("model.bin.mvc", ".mvc/config.toml", ".mvc/policy.toml"):
        shutil.rmtree(clone.path / name, ignore_errors=True)
        (clone.path / name).unlink(missing_ok=True)
        (clone.path / name).mkdir(parents=True)
        done = clone.run("sh", "-c", "mvc status; mvc check; mvc ls; mvc log; mvc fsck; mvc add folder; true")
        assert "internal" not in done.err, (name, done.err)
        (clone.path / name).rmdir()
        clone.git("checkout", "-q", "--", ".")


def test_names_that_differ_only_in_case_are_two_files_or_an_error(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    write_tree(
        clone, "both", [("Name", b"one"), ("name", b"two"), ("\u00e9", b"three"), ("e\u0301", b"four")], tmp_path
    )
    try:
        checkout(open_repo(str(clone.path), {}), "", ["both"])
    except ModelvcError:
        return  # a file system that takes both for one: nothing was handed out
    names = {path.name: path.read_bytes() for path in (clone.path / "both").iterdir()}
    assert names == {"Name": b"one", "name": b"two", "\u00e9": b"three", "e\u0301": b"four"}
    assert fsck(open_repo(str(clone.path), {}), (), Depth()).open == ()


def test_an_empty_file_has_the_name_of_nothing(tmp_path: Path) -> None:
    """A tree may say of an empty file that it is any object: there are no bytes to compare with that name."""
    clone = Clone.new(tmp_path / "clone")
    write_tree(clone, "said", [("empty", b""), ("x", b"y")], tmp_path)
    clone.git("add", "said.mvc")
    repo = open_repo(str(clone.path), {})
    checkout(repo, "", ["said"])
    other = [TreeEntry(SafeRelPath("empty"), executable=False, size=0, oid=Oid(bytes(32)))]
    content = tree_content(other, {})
    with StoreWriter(repo.store) as writer:
        writer.add(content)
        writer.commit()
    clone.write("lie.mvc", Pointer("tree", content.oid, 0, files=1).encode())
    clone.git("add", "lie.mvc")
    with pytest.raises(ObjectCorrupt, match="lie/empty"):
        checkout(open_repo(str(clone.path), {}), "", ["lie"])
    assert not (clone.path / "lie").exists()


def test_what_a_person_adds_stays_inside(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    (tmp_path / "outside").write_bytes(b"x")
    (clone.path / "link").symlink_to(tmp_path)
    for path in ("../outside", str(tmp_path / "outside"), "link/outside", "link", ".git/config", ".git", "."):
        with pytest.raises((UsageError, ConflictError, FormatError)):
            add(open_repo(str(clone.path), {}), [path])

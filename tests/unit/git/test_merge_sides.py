"""What the sides of a merge are called, with real Git in the middle of its work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modelvc.git import merge_sides
from modelvc.git.layout import Layout, discover
from tests.support.clone import ROOT, Clone

if TYPE_CHECKING:
    from pathlib import Path

# A driver that notes what it would call the sides, and gives up.
_ASK = """\
import os, sys
from modelvc.git.layout import discover
from modelvc.git.merge_sides import names
with open(sys.argv[1], "w") as file:
    print(*names(discover(os.getcwd(), os.environ), os.environ, tuple(sys.argv[2:4])), sep="|", file=file)
sys.exit(1)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Main and topic changed one file; main is checked out."""
    found = Clone.new(tmp_path / "clone", mvc=False)
    (tmp_path / "ask.py").write_text(_ASK)
    found.git("config", "merge.ask.driver", f"{sys.executable} {tmp_path}/ask.py {tmp_path}/said %X %Y")
    (found.path / ".git/info/attributes").write_text("file merge=ask\n")
    _change(found, "base")
    found.git("checkout", "-q", "-b", "topic")
    _change(found, "topic")
    found.git("checkout", "-q", "main")
    _change(found, "main")
    return found


def _change(clone: Clone, text: str) -> None:
    clone.write("file", f"{text}\n".encode())
    clone.git("add", "file")
    clone.git("commit", "-qm", text)


def said(clone: Clone) -> str:
    return (clone.path.parent / "said").read_text().strip()


def short(clone: Clone, rev: str) -> str:
    return clone.git("rev-parse", rev).strip()[:10]


def test_merge(clone: Clone) -> None:
    clone.run("git", "merge", "topic", code=1)
    assert said(clone) == "main|topic"
    layout = discover(str(clone.path), {})
    assert merge_sides.names(layout, {}) == ("main", "topic")  # and when a person settles it
    clone.git("merge", "--abort")
    clone.git("checkout", "-q", "--detach")
    clone.run("git", "merge", "topic", code=1)
    assert said(clone) == f"{short(clone, 'HEAD')}|topic"


def test_where_refs_are_no_files_sides_have_no_names(tmp_path: Path) -> None:
    """Reftable leaves such a HEAD."""
    found = Clone.new(tmp_path / "clone", mvc=False)
    (found.path / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    assert merge_sides.names(discover(str(found.path), {}), {}) == ("ours", "theirs")


def test_merge_of_a_commit_without_a_branch(clone: Clone) -> None:
    topic = clone.git("rev-parse", "topic").strip()
    clone.run("git", "merge", topic, code=1)
    assert said(clone) == "main|topic"
    clone.git("merge", "--abort")
    clone.git("branch", "-qD", "topic")
    clone.run("git", "merge", topic, code=1)
    assert said(clone) == f"main|{topic[:10]}"


def test_rebase(clone: Clone) -> None:
    clone.git("checkout", "-q", "topic")
    clone.run("git", "rebase", "main", code=1)
    assert said(clone) == "main|topic"
    assert merge_sides.names(discover(str(clone.path), {}), {}) == ("main", "topic")
    clone.git("rebase", "--abort")
    clone.git("pack-refs", "--all")
    clone.git("checkout", "-q", "main")
    clone.run("git", "rebase", "topic", code=1)
    assert said(clone) == "topic|main"


def test_a_packed_ref_that_moved_on_names_nothing(clone: Clone) -> None:
    onto = clone.git("rev-parse", "topic").strip()
    clone.git("pack-refs", "--all")
    clone.git("update-ref", "refs/heads/topic", "main~1")
    clone.run("git", "rebase", onto, code=1)
    assert said(clone) == f"{onto[:10]}|main"


def test_rebase_with_patches(clone: Clone) -> None:
    clone.git("checkout", "-q", "topic")
    clone.run("git", "rebase", "--apply", "main", code=1)
    assert said(clone).startswith((f"{short(clone, 'main')}|theirs", "HEAD|"))  # Git says what it does only afterwards
    assert merge_sides.names(discover(str(clone.path), {}), {}) == ("main", "topic")


def test_rebase_of_and_onto_what_has_no_name(clone: Clone) -> None:
    topic = clone.git("rev-parse", "topic").strip()
    clone.git("branch", "-qD", "topic")
    clone.git("checkout", "-q", "--detach")
    clone.run("git", "rebase", topic, code=1)
    assert said(clone) == f"{topic[:10]}|theirs"


def test_rebase_onto_what_only_a_remote_has(clone: Clone) -> None:
    clone.git("update-ref", "refs/remotes/origin/next", "topic")
    clone.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/next")
    clone.git("branch", "-qD", "topic")
    clone.run("git", "rebase", "origin/next", code=1)
    assert said(clone) == "origin/next|main"


def test_cherry_pick_and_stash(clone: Clone) -> None:
    clone.run("git", "cherry-pick", "topic", code=1)
    assert said(clone).startswith(("main|theirs", "HEAD|"))  # Git passes labels on from 2.44
    clone.git("cherry-pick", "--abort")
    clone.write("file", b"stashed\n")
    clone.git("stash", "-q")
    clone.write("file", b"went on\n")
    clone.git("commit", "-qam", "went on")
    clone.run("git", "stash", "pop", code=1)
    assert said(clone).startswith(("main|theirs", "Updated upstream|Stashed"))


def test_a_linked_worktree(clone: Clone) -> None:
    clone.git("worktree", "add", "-q", "../linked", "topic")
    linked = Clone(clone.path.parent / "linked")
    linked.run("git", "rebase", "main", code=1)
    assert said(clone) == "main|topic"


def layout(tmp_path: Path, **files: str) -> Layout:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Layout(str(tmp_path), str(tmp_path), str(tmp_path))


def test_labels_that_git_passes(tmp_path: Path) -> None:
    plain = layout(tmp_path)
    assert merge_sides.names(plain, {}) == ("ours", "theirs")
    assert merge_sides.names(plain, {}, ("%X", "%Y")) == ("ours", "theirs")
    assert merge_sides.names(plain, {}, ("HEAD", "abc (why)")) == ("HEAD", "abc (why)")


def test_names_are_made_safe(tmp_path: Path) -> None:
    commit = "a" * 40
    evil = layout(tmp_path, HEAD="ref: refs/heads/" + "x" * 300)
    ours, theirs = merge_sides.names(evil, {f"GITHEAD_{commit}": "a\x1b[31m\nb\u202e"})
    assert theirs == "a?[31m?b?"
    assert len(ours) == 100
    assert merge_sides.names(evil, {"GITHEAD_zz": "no id", "GITHEAD_": ""})[1] == "theirs"
    assert merge_sides.names(layout(tmp_path, **{"rebase-merge__onto": "../../etc\n"}), {})[1] == "theirs"


def test_two_heads_are_an_octopus() -> None:
    assert merge_sides.merged_commit({f"GITHEAD_{'a' * 40}": "x"}) == "a" * 40
    assert merge_sides.merged_commit({f"GITHEAD_{'a' * 40}": "x", f"GITHEAD_{'b' * 40}": "y"}) == ""


def test_nothing_heavy_is_imported() -> None:
    heavy = {"re", "dataclasses", "subprocess", "typing", "pygit2"}
    code = f"import modelvc.git.merge_sides; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""

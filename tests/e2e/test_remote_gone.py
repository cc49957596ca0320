"""A remote that this clone has used and that is gone: its drive is not mounted, its folder or bucket was emptied."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest

from tests.support import s3
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

Gone: TypeAlias = Literal["missing", "empty"]
REACHING = (
    ("push",),
    ("push", "--all", "--dry-run"),
    ("fsck", "-r", "origin"),
    ("fsck", "-r", "origin", "--repair"),
    ("gc", "--remote"),
    ("gc", "--remote", "--apply", "--exclusive"),
    ("gc", "--evict", "--apply"),
    ("store", "stats", "--remote"),
)
FETCHING = (("fetch",), ("fetch", "--all", "-r", "origin"), ("pull",), ("checkout",))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mnt").mkdir()
    return tmp_path / "mnt/models"


@pytest.fixture
def clone(tmp_path: Path, place: Path) -> Clone:
    """A clone that has pushed a version and has a newer one; one old version is on the remote alone."""
    clone = Clone.new(tmp_path / "clone")
    clone.mvc("remote", "add", "origin", str(place))
    clone.git("commit", "-qm", "remote")
    clone.commit_model(1)
    clone.commit_model(2, "other.bin")
    clone.mvc("push")
    clone.write("other.bin", 3)
    return clone


def _lose(place: Path, how: Gone) -> Path:
    """Unmount the drive at PLACE. Return where its files are now."""
    drive = place.parent.parent / "drive"
    place.rename(drive)
    if how == "empty":
        place.mkdir()
        (place / "lost+found").mkdir()  # an empty file system
    return drive


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_no_command_takes_it_for_a_new_one(clone: Clone, place: Path, how: Gone) -> None:
    drive = _lose(place, how)
    what = f"there is no folder {place}" if how == "missing" else f"there is no store at {place}"
    hint = (
        "is its drive mounted? if the store is lost for good, make a new one with `mvc push --all --create -r origin`"
    )
    for words in REACHING:
        said = clone.mvc(*words, code=13).err
        assert said == f"error: {what}, and this clone has used the store there\nhint: {hint}\n", words
    shutil.rmtree(clone.path / ".git/mvc/store")
    (clone.path / "other.bin").unlink()
    for words in FETCHING:
        assert "this clone has used the store there" in clone.mvc(*words, code=13).err, words
    done = clone.mvc("doctor", "--write", code=1)
    assert "this clone has used the store there" in done.out
    assert "is its drive mounted?" in done.err
    assert place.exists() == (how == "empty")
    assert not [one for one in place.rglob("*") if one.is_file()]
    if how == "empty":
        shutil.rmtree(place)
    drive.rename(place)  # mounted again
    assert "reachable" in clone.mvc("doctor").out
    clone.mvc("pull")
    clone.mvc("fsck", "-r", "origin")


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_git_push_stops(clone: Clone, place: Path, tmp_path: Path, how: Gone) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "bare"))
    clone.git("remote", "add", "origin", str(tmp_path / "bare"))
    clone.git("push", "-q", "origin", "main")
    clone.mvc("add", "other.bin")
    clone.git("commit", "-qm", "third")
    drive = _lose(place, how)
    said = clone.run("git", "push", "-q", "origin", "main", code=1).err
    assert "this clone has used the store there" in said
    assert not [one for one in place.rglob("*") if one.is_file()]
    if how == "empty":
        shutil.rmtree(place)
    drive.rename(place)
    clone.git("push", "-q", "origin", "main")


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_store_that_is_lost_for_good_is_made_anew(clone: Clone, place: Path, how: Gone) -> None:
    _lose(place, how)
    assert clone.mvc("push", "--all", "--create", "-r", "origin").out.startswith("2 versions sent to origin")
    assert "all good" in clone.mvc("fsck", "-r", "origin").out
    assert clone.mvc("push").out.startswith("nothing to send")


def test_a_remote_that_was_never_used_is_created(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "second", str(tmp_path / "mnt/second"))
    found = clone.mvc("doctor")
    assert "this folder does not exist; the first push creates it" in found.out
    clone.mvc("push", "--all", "-r", "second")
    assert (tmp_path / "mnt/second/config").is_file()


@pytest.mark.parametrize("how", ["trust", "set-url"])
def test_a_remote_that_moved_is_another_store(clone: Clone, tmp_path: Path, how: str) -> None:
    new = tmp_path / "mnt/new"
    if how == "set-url":
        clone.mvc("remote", "set-url", "origin", str(new))
    else:
        config = clone.path / ".mvc/config.toml"
        config.write_text(config.read_text().replace("mnt/models", "mnt/new"))
        clone.mvc("trust", "origin")
    clone.mvc("push", "--all")
    assert (new / "config").is_file()


def test_a_place_that_changes_without_trust_is_another_store(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.mvc("install")  # reading a folder needs no trust
    second.mvc("pull")
    clone.mvc("remote", "set-url", "origin", str(tmp_path / "mnt/new"))
    clone.git("commit", "-qm", "new place")
    clone.commit_model(7)
    second.git("pull", "-q")
    assert second.json("ls")["models"][0]["pushed"] is None
    said = second.mvc("fetch", code=10).err
    assert f"nothing was pushed to {tmp_path}/mnt/new yet" in said


def test_a_clone_that_only_fetched_knows_the_store(clone: Clone, place: Path, tmp_path: Path) -> None:
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.mvc("install", "--trust")
    second.mvc("pull")
    _lose(place, "missing")
    second.commit_model(5)
    assert "this clone has used the store there" in second.mvc("push", code=13).err


def test_the_notes_of_earlier_releases_count(clone: Clone, place: Path) -> None:
    seen = clone.path / ".git/mvc/remotes/origin"
    lines = seen.read_text().splitlines(keepends=True)
    assert lines[0] == f"at {place}\n"
    seen.write_text("".join(lines[1:]))
    assert clone.json("ls")["models"][0]["pushed"] is True
    _lose(place, "missing")
    clone.mvc("push", code=13)
    seen.unlink()  # a cache: the proof of the last push says the same
    clone.mvc("push", code=13)


@pytest.mark.parametrize("verb", ["fetch", "pull"])
def test_a_new_clone_learns_that_nothing_was_pushed_there(clone: Clone, place: Path, tmp_path: Path, verb: str) -> None:
    _lose(place, "missing")
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "second"))
    second = Clone(tmp_path / "second")
    second.mvc("install")
    said = second.mvc(verb, code=10).err
    assert f"nothing was pushed to {place} yet, or its drive is not mounted" in said


@pytest.mark.parametrize("deleted", [False, True], ids=["emptied", "deleted"])
def test_a_bucket_that_is_gone(tmp_path: Path, *, deleted: bool) -> None:
    server, bucket = s3.shared(), f"gone-{deleted:d}"
    s3.make_bucket(server, bucket)
    clone = Clone.new(tmp_path / "clone")
    clone.env = dict(server.environment)
    clone.mvc("remote", "add", "origin", f"s3://{bucket}/models")
    clone.commit_model(1)
    clone.mvc("push")
    if deleted:
        s3.delete_bucket(server, bucket)
        for words in (("push",), ("fetch", "-r", "origin", "HEAD"), ("fsck", "--remote"), ("doctor",)):
            done = clone.mvc(*words, code=1 if words == ("doctor",) else 0 if words[0] == "fetch" else 13)
            assert words[0] == "fetch" or "bucket" in done.out + done.err
        s3.make_bucket(server, bucket)
    else:
        s3.empty_bucket(server, bucket)
    clone.commit_model(2)
    said = clone.mvc("push", code=13).err
    assert f"there is no store at s3://{bucket}/models, and this clone has used the store there" in said
    assert "see `mvc remote list` for its address; if the store is lost for good" in said
    assert clone.mvc("push", "--all", "--create", "-r", "origin").out.startswith("2 versions sent")

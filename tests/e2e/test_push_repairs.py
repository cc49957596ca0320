"""A plain push repairs what a remote lost; `mvc fsck` alone finds damage that shows only in the bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelvc.errors import StoreGone
from modelvc.models.remotes import opening
from modelvc.ops.sharing.push import push
from modelvc.ops.sharing.transfer_options import TransferOptions
from modelvc.ops.upkeep.fsck import Depth, fsck
from modelvc.repo import Repo, open_repo
from modelvc.store.backends.api import Backend
from tests.support.clone import Clone
from tests.support.s3 import make_bucket, s3_environment, s3_server  # noqa: F401

_made: dict[str, Path] = {}


@pytest.fixture(params=["folder", "s3"])
def clone(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two versions of a model, pushed."""
    words = [str(tmp_path / "far")]
    env = {}
    if request.param == "s3":
        server = request.getfixturevalue("s3_environment")
        bucket = f"repairs-{abs(hash(tmp_path)):x}"
        make_bucket(server, bucket)
        words = [f"s3://{bucket}/models", "--endpoint-url", server.endpoint_url]
        env = {name: value for name, value in server.environment.items() if name != "AWS_ENDPOINT_URL"}
    if not _made:
        made = Clone.new(tmp_path_factory.mktemp("repairs") / "clone")
        made.commit_model(1)
        made.commit_model(2)
        _made["clone"] = made.path
    shutil.copytree(_made["clone"], tmp_path / "clone", symlinks=True)
    found = Clone(tmp_path / "clone", env)
    found.mvc("remote", "add", "origin", *words)
    found.git("commit", "-qm", "where models lie")
    assert len(push_all(found).sent) == 2
    return found


in_a_folder = pytest.mark.parametrize("clone", ["folder"], indirect=True)  # what decides knows no backend


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def push_all(clone: Clone, *, create: bool = False):
    return push(opened(clone), options=TransferOptions(everything=True, create=create))


def problems(clone: Clone, *, repair: bool = False) -> list[str]:
    return [one.kind for one in fsck(opened(clone), (), Depth(remote="", repair=repair)).open]


def backend(clone: Clone) -> Backend:
    return opening.open_remote(opened(clone), "", writing=True).backend


def keys(far: Backend, *starts: str) -> list[str]:
    return sorted(entry.key for entry in far.list("") if entry.key.startswith(starts))


def cut(far: Backend, key: str, left: int) -> None:
    data, _ = far.read(key, limit=1 << 20)
    far.put(key, data[:left])


GONE = (["packs/", "b/", "config", "gc/"], ["packs/"], ["b/"], ["packs/", "b/"], ["config"])
CUT = (("packs/", 1000), ("b/", 100), ("config", 10), ("packs/", 0), ("b/", 0), ("config", 0))


def test_a_push_brings_back_what_is_gone_or_cut_short(clone: Clone) -> None:
    far = backend(clone)
    few = bool(clone.env)  # opening a bucket takes half a second
    for gone in GONE[:2] if few else GONE:
        for key in keys(far, *gone):
            far.delete(key, None)
        if gone == GONE[0]:  # of everything: the drive may only be absent
            with pytest.raises(StoreGone):
                push_all(clone)
        else:
            assert few or "missing" in problems(clone)
        done = push_all(clone, create=gone == GONE[0])
        assert (len(done.sent), done.there) == ((0, 2) if gone == ["config"] else (2, 0))
        assert few or problems(clone) == []
    for start, left in CUT[:3] if few else CUT:
        for key in keys(far, start):
            cut(far, key, left)
        assert few or "damaged" in problems(clone)
        push_all(clone)
        assert problems(clone) == []
    assert push_all(clone).sent == ()


def test_what_only_bytes_tell_is_found_and_mended_by_fsck(clone: Clone) -> None:
    far = backend(clone)
    for start in ("packs/", "b/"):
        before = {key: far.read(key, limit=1 << 20)[0] for key in keys(far, start)}
        for key, data in before.items():
            far.put(key, data[:150] + bytes([data[150] ^ 1]) + data[151:])
        assert push_all(clone).sent == ()
        assert set(problems(clone)) == {"damaged"}
        assert problems(clone, repair=True) == []
        assert problems(clone) == []
        if start == "packs/":
            assert {key: far.read(key, limit=1 << 20)[0] for key in keys(far, start)} == before


def test_git_push_mends_what_its_commits_need(clone: Clone, tmp_path: Path) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "hub"))
    clone.git("remote", "add", "origin", str(tmp_path / "hub"))
    clone.git("push", "-q", "origin", "main")
    far = backend(clone)
    for key in keys(far, "packs/", "config"):
        far.delete(key, None)
    clone.commit_model(3)
    clone.commit_model(2)  # back to a version that was sent before
    said = clone.run("git", "push", "origin", "main").err
    assert "3 versions sent to origin" in said  # a store with another id: nothing is proven there
    assert problems(clone) == []


@in_a_folder
def test_who_fetched_a_version_mends_it_too(clone: Clone, tmp_path: Path) -> None:
    """A fetch says nothing of whether the remote is complete by now."""
    clone.git("clone", "-q", str(clone.path), str(tmp_path / "other"))
    other = Clone(tmp_path / "other", clone.env)
    other.mvc("install", "--trust")
    other.mvc("pull")
    far = backend(clone)
    for key in keys(far, "packs/"):
        far.delete(key, None)
    other.mvc("push", code=10)  # the version before was never here
    other.run("rm", "-rf", ".git/mvc/store", "model.bin")
    other.mvc("pull")
    assert other.agrees()


@in_a_folder
def test_a_config_that_somebody_else_wrote_is_not_replaced(clone: Clone) -> None:
    far = backend(clone)
    data, _ = far.read("config", limit=1 << 16)
    for odd in (data.replace(b"seed", b"sead"), b"hello\n", data[:10] + b"\xff"):
        far.put("config", odd)
        assert "the config of" in clone.mvc("push", code=12).err
        assert problems(clone, repair=True) == ["damaged"]
        assert far.read("config", limit=1 << 16)[0] == odd
    far.put("config", data.replace(b"format = 1", b"format = 2"))
    assert "upgrade mvc" in clone.mvc("push", code=2).err

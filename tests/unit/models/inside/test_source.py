"""The bytes of a version at random: the same from the worktree and from the store, and never others."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import FileChanged, ObjectCorrupt
from modelvc.ids import ObjectName
from modelvc.modelfiles.source import OutOfTime
from modelvc.models.inside import source
from modelvc.models.inside.source import open_version, stored_sources
from modelvc.ops.tracking.add import add
from modelvc.repo import Repo, open_repo
from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelvc.formats.binary.root import Root

NOISE = random.Random(1).randbytes(3_000_000)
TEXT = b"".join(b"%d,%d\n" % (i, i * i) for i in range(100_000))
FILES = {"model.bin": NOISE + TEXT, "f/a": TEXT, "f/b/c": NOISE, "f/empty": b""}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A file and a folder, which lie there long enough that their stat data proves what they are."""
    found = Clone.new(tmp_path / "clone", mvc=False)
    (found.path / ".git/mvc").mkdir()
    for name, data in FILES.items():
        found.write(name, data)
    time.sleep(0.05)
    repo = opened(found)
    add(repo, ["model.bin", "f"])
    repo.state.save()
    return found


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def name_of(repo: Repo, path: str) -> ObjectName:
    pointer = repo.pointer(repo.path(path))
    return ObjectName(pointer.kind, pointer.oid)


def edit_keeping_times(path: Path, data: bytes) -> None:
    """Change a file so that its size and mtime do not show it; its ctime does."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("where", ["worktree", "store"])
@pytest.mark.parametrize("model", ["model.bin", "f"])
def test_any_range(clone: Clone, model: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_OPEN", 1)
    repo = opened(clone)
    chance = random.Random(2)
    with open_version(repo, name_of(repo, model), model if where == "worktree" else "") as found:
        assert found is not None
        assert found.kind == ("tree" if model == "f" else "file")
        expected = {name.removeprefix(model).lstrip("/"): data for name, data in FILES.items() if name[0] == model[0]}
        assert found.files.keys() == expected.keys()
        for _ in range(50):
            for inside, one in found.files.items():
                data = expected[inside]
                assert one.size == len(data)
                at, length = chance.randrange(len(data) + 9), chance.choice([0, 1, 70, 4096, 200_000, 9_000_000])
                assert one.read_at(at, length) == data[at : at + length]


def test_a_settled_file_of_the_worktree_needs_no_store(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = opened(clone)
    monkeypatch.setattr(type(repo.store), "read_chunk", None)
    with open_version(repo, name_of(repo, "model.bin"), "model.bin") as found:
        assert found is not None
        assert found.files[""].read_at(5, 10) == NOISE[5:15]


def test_a_file_that_was_edited_is_not_the_version(clone: Clone) -> None:
    edit_keeping_times(clone.path / "model.bin", bytes(len(NOISE + TEXT)))
    repo = opened(clone)
    with open_version(repo, name_of(repo, "model.bin"), "model.bin") as found:
        assert found is not None
        assert found.files[""].read_at(0, 10) == NOISE[:10], "from the store"


@pytest.mark.parametrize(("model", "file"), [("model.bin", ""), ("f", "a")])
def test_a_file_that_changes_meanwhile(clone: Clone, model: str, file: str) -> None:
    repo = opened(clone)
    path = clone.path / model / file
    with pytest.raises(FileChanged), open_version(repo, name_of(repo, model), model) as found:
        assert found is not None
        found.files[file].read_at(0, 10)
        edit_keeping_times(path, bytes(path.stat().st_size))


def test_a_file_of_a_folder_that_was_edited_before_it_is_opened(clone: Clone) -> None:
    repo = opened(clone)
    with pytest.raises(FileChanged), open_version(repo, name_of(repo, "f"), "f") as found:
        assert found is not None
        edit_keeping_times(clone.path / "f/a", bytes(len(TEXT)))
        with pytest.raises(FileChanged):
            found.files["a"].read_at(0, 10)


def test_an_unsettled_file_is_read_from_the_store(clone: Clone) -> None:
    repo = opened(clone)
    known = repo.state.file("model.bin")
    assert known is not None
    repo.state.remember_file("model.bin", known.stat, known.oid, settled=False)
    (clone.path / "model.bin").rename(clone.path / "elsewhere")
    (clone.path / "elsewhere").rename(clone.path / "model.bin")
    with open_version(repo, name_of(repo, "model.bin"), "model.bin") as found:
        assert found is not None
        assert found.files[""].read_at(0, 10) == NOISE[:10]


def test_an_unsettled_file_that_no_store_has_is_hashed(clone: Clone) -> None:
    repo = opened(clone)
    name = name_of(repo, "model.bin")
    known = repo.state.file("model.bin")
    assert known is not None
    os.unlink(repo.store.root_path("file", name.oid))
    repo.state.remember_file("model.bin", known.stat, known.oid, settled=False)
    with open_version(repo, name, "model.bin") as found:
        assert found is not None
        assert found.files[""].read_at(0, 10) == NOISE[:10]
    edit_keeping_times(clone.path / "model.bin", bytes(len(NOISE + TEXT)))
    now = repo.worktree.stat("model.bin")
    assert now is not None
    repo.state.remember_file("model.bin", now, known.oid, settled=False)
    with pytest.raises(FileChanged), open_version(repo, name, "model.bin") as found:
        assert found is not None
        found.files[""].read_at(0, 10)


def test_a_version_that_is_not_here(clone: Clone) -> None:
    repo = opened(clone)
    name = name_of(repo, "model.bin")
    os.unlink(repo.store.root_path("file", name.oid))
    with open_version(repo, name) as found:
        assert found is None


# -- an object that came from a remote, and was never hashed as a whole


def unproven(repo: Repo, model: str) -> Root:
    """The root of a model as a fetch leaves it."""
    name = name_of(repo, model)
    root = replace(repo.store.read_root(name.kind, name.oid), unproven=True)
    with open(repo.store.root_path(name.kind, name.oid), "wb") as file:
        file.write(root.encode())
    return root


@pytest.mark.parametrize("model", ["model.bin", "f"])
def test_it_is_hashed_once(clone: Clone, model: str) -> None:
    repo = opened(clone)
    root = unproven(repo, model)
    stored_sources(repo.store, root)
    assert not repo.store.read_root(root.kind, root.oid).unproven


def test_chunks_of_another_version_are_refused(clone: Clone) -> None:
    """Each chunk is what its cid says, and the whole is not what the oid says."""
    repo = opened(clone)
    root = unproven(repo, "model.bin")
    clone.write("other.bin", (NOISE + TEXT)[::-1])
    add(repo, ["other.bin"])
    other = repo.store.read_root("file", name_of(repo, "other.bin").oid)
    with pytest.raises(ObjectCorrupt):
        stored_sources(repo.store, replace(root, segments=other.segments))


def test_hashing_has_an_end(clone: Clone) -> None:
    repo = opened(clone)
    root = unproven(repo, "model.bin")
    with pytest.raises(OutOfTime):
        stored_sources(repo.store, root, seconds=0)
    assert repo.store.read_root(root.kind, root.oid).unproven


def test_few_chunks_are_kept(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = opened(clone)
    name = name_of(repo, "model.bin")
    read: list[bytes] = []
    store_read = repo.store.read_chunk
    monkeypatch.setattr(repo.store, "read_chunk", lambda cid: read.append(cid) or store_read(cid))
    chunks = source._Chunks(repo.store)
    recipe = source.manifest.read(repo.store, repo.store.read_root("file", name.oid)).recipe
    monkeypatch.setattr(source, "_KEPT", 2 * max(recipe.lengths))
    cids: Mapping[bytes, int] = dict(recipe)
    for cid in [*cids, *cids]:
        chunks.read(cid)
        assert sum(map(len, chunks._kept.values())) == chunks._size <= source._KEPT
    assert len(read) == 2 * len(cids)
    chunks.read(read[-1])
    assert len(read) == 2 * len(cids), "the last one is kept"

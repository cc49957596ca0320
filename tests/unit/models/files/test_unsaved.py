"""What add takes, and what a checkout may replace: nothing that is in no store."""

from __future__ import annotations

import os
from array import array
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.errors import ObjectCorrupt, UsageError
from modelvc.formats.binary.segment import Recipe
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid
from modelvc.models.files import materialise
from modelvc.models.files.trees import stored_files
from modelvc.ops.tracking.add import add
from modelvc.repo import Repo, open_repo
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from tests.support.clone import Clone

FOLDER = SafeRelPath("f")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone", mvc=False)
    (found.path / ".git/mvc").mkdir()
    return found


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def test_a_folder_s_unsaved_files_stay(clone: Clone) -> None:
    clone.write("f/a", b"old")
    clone.write("f/b", b"b")
    add(opened(clone), ["f"])
    old = opened(clone).pointer(FOLDER)
    clone.write("f/a", b"new")
    add(opened(clone), ["f"])
    clone.write("f/extra", b"mine")
    plan = materialise.plan(opened(clone), FOLDER, old)
    assert (plan.action, plan.write, plan.remove, plan.extra) == ("write", frozenset({"a"}), (), ("extra",))
    clone.write("f/a", b"unsaved")
    plan = materialise.plan(opened(clone), FOLDER, old)
    assert (plan.action, plan.why) == ("dirty", "has unsaved changes: a")


def test_what_is_no_model(clone: Clone) -> None:
    clone.write(".mvc/x", b"x")
    clone.write("model.bin", b"x")
    (clone.path / "link").symlink_to("model.bin")
    for name, words in ((".mvc/x", "belongs to mvc itself"), ("link", "is a symbolic link")):
        with pytest.raises(UsageError, match=words):
            add(opened(clone), [name])


def test_a_stored_tree_with_a_file_that_is_a_folder(clone: Clone) -> None:
    oid = Oid(blake3(b"x").digest())
    entries = [TreeEntry(SafeRelPath(path), False, 1, oid) for path in ("a", "a/b")]
    content = manifest.tree_content(entries, {oid: Recipe(bytes(oid), array("I", [1]), ((1, 0),))})
    store = opened(clone).store
    with StoreWriter(store) as writer:
        writer.add(content)
        writer.commit()
    assert os.path.exists(store.root_path("tree", content.oid))
    with pytest.raises(ObjectCorrupt, match="the tree"):
        stored_files(store, content.oid)

"""Auxiliary records of a segment are needs of an object and never its content: every reader, one by one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary import segment
from modelvc.ids import ObjectName
from modelvc.models.files.trees import stored_recipes
from modelvc.store.check import local_store
from modelvc.store.check.remote_store import CheckDepth, RemoteChecker
from modelvc.store.local.hash_whole import read_content
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content
from modelvc.store.remote.store import RemoteStore, root_key
from modelvc.store.remote_gc.gc import Gc
from modelvc.store.remote_gc.survey import GcRules
from modelvc.store.repair import recover
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.golden.write import aided, with_bases
from tests.support.stores import DictBackend, add_bytes, folders, read_bytes

Made = tuple[LocalStore, DictBackend, tuple[Content, Content]]
DATA = random.Random(3).randbytes(900_000)


def added(store: LocalStore, tmp: Path) -> tuple[Content, Content]:
    """A blob of several chunks and a tree of three files, one of them of several chunks."""
    blob = add_bytes(store, tmp, DATA)
    (tmp / "f").mkdir()
    for name, data in (("a", b"one"), ("b", DATA[:600_000]), ("c", b"two")):
        (tmp / "f" / name).write_bytes(data)
    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        done = ingest.many(["a", "b", "c"], folders(tmp / "f"), "f")
        entries = [
            manifest.tree.TreeEntry(name, False, one.stat.size, one.oid)  # type: ignore[arg-type]
            for name, one in zip("abc", done, strict=True)
        ]
        tree = manifest.tree_content(entries, {one.oid: one.recipe for one in done})
        writer.add(tree)
        writer.commit()
    return blob, tree


@pytest.fixture
def made(tmp_path: Path) -> tuple[LocalStore, DictBackend, tuple[Content, Content]]:
    """A local store and a remote whose segments all have auxiliary records."""
    store, far = LocalStore(str(tmp_path / "store")), DictBackend()
    contents = added(store, tmp_path)
    spare = add_bytes(store, tmp_path, random.Random(4).randbytes(2_000_000))  # for a clean-up to drop
    push(store, far, (*contents, spare))
    remote = RemoteStore(far)
    for one in contents:
        path = Path(store.root_path(one.kind, one.oid))
        path.write_bytes(aided(store.read_root(one.kind, one.oid), store).encode())
        key = root_key(one.kind, one.oid)
        found = remote.read_root(one.kind, one.oid)
        assert found is not None
        far.replace(key, aided(found[0], remote).encode(), found[1].etag)
    return store, far, contents


def push(store: LocalStore, far: DictBackend, contents: tuple[Content, ...], *, anew: bool = False) -> None:
    wanted = [ToPush(one.kind, one.oid, "m", lambda: [ObjectName(c.kind, c.oid) for c in contents]) for one in contents]
    terms = UploadOptions(jobs=1, resend=frozenset(one.name for one in wanted) if anew else frozenset())
    Uploader(store, RemoteStore(far), {}, terms).run(wanted)


def is_right(store: LocalStore, content: Content) -> None:
    name = content.kind, content.oid
    assert local_store.check_object(store, name, every_byte=True) is None
    assert read_content(store, *name, "m") == content
    found = recover.content_in_store(store, name)
    assert found is not None
    assert found.recipe == content.recipe
    if content.kind == "tree":
        files = list(stored_recipes(store, content.oid))
        assert [(entry.path, recipe.size) for entry, recipe in files] == [("a", 3), ("b", 600_000), ("c", 3)]
    else:
        assert read_bytes(store, content.oid) == DATA


def test_the_local_store(made: Made) -> None:
    store, _, contents = made
    for one in contents:
        parts = list(store.read_root(one.kind, one.oid).records())
        assert all(segment.parse(store.read_part(store.read_root(one.kind, one.oid), part)).auxiliary for part in parts)
        is_right(store, one)


def test_a_fetch(made: Made, tmp_path: Path) -> None:
    _, far, contents = made
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 2).run([ObjectName(one.kind, one.oid) for one in contents])
    for one in contents:
        is_right(other, one)


def test_a_push_and_what_it_reuses(made: Made, tmp_path: Path) -> None:
    store, far, contents = made
    push(store, far, contents, anew=True)
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 2).run([ObjectName(one.kind, one.oid) for one in contents])
    for one in contents:
        is_right(other, one)
    empty = DictBackend()
    push(store, empty, contents)
    again = LocalStore(str(tmp_path / "again"))
    Downloader(again, RemoteStore(empty), 2).run([ObjectName(one.kind, one.oid) for one in contents])
    for one in contents:
        is_right(again, one)


@pytest.mark.parametrize("where", ["store", "empty"])
def test_a_look_at_a_remote(made: Made, tmp_path: Path, where: str) -> None:
    """With the local store, and with none."""
    _, far, contents = made
    local = LocalStore(str(tmp_path / where))
    remote = RemoteStore(far)
    names = [ObjectName(one.kind, one.oid) for one in contents]
    health = RemoteChecker(remote, remote.listing(), local, CheckDepth(whole=True)).run(names)
    assert health.faults == {}
    assert health.proven == set(names)
    for one in contents:
        found = recover.content_on_remote(remote, ObjectName(one.kind, one.oid))
        assert found is not None
        assert found.recipe == one.recipe


def test_a_clean_up_that_copies(made: Made, tmp_path: Path) -> None:
    _, far, contents = made
    far.clock = lambda: 2e9
    before = {key for key in far.objects if key.startswith("packs/")}
    names = {ObjectName(one.kind, one.oid) for one in contents}
    Gc(RemoteStore(far), GcRules(lambda: names, 0.0, jobs=1)).run()
    assert not before & far.objects.keys()
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 2).run(sorted(names))
    for one in contents:
        is_right(other, one)


def test_a_segment_at_the_limit_and_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = add_bytes(LocalStore(str(tmp_path / "store")), tmp_path, DATA)
    count = len(content.recipe)
    whole = segment.Segment(content.recipe, None)
    monkeypatch.setattr(limits, "SEGMENT_RECORDS", count)
    data = whole.encode()
    assert segment.parse(data) == whole
    monkeypatch.setattr(limits, "SEGMENT", len(data))
    assert segment.parse(whole.encode()) == whole
    with pytest.raises(FormatError, match="bytes is too large"):
        segment.parse(with_bases(data))
    monkeypatch.setattr(limits, "SEGMENT", len(data) - 1)
    with pytest.raises(FormatError, match="bytes is too large"):
        whole.encode()
    monkeypatch.setattr(limits, "SEGMENT_RECORDS", count - 1)
    with pytest.raises(FormatError, match=f"a segment of {count} and 0 records is too large"):
        whole.encode()
    assert segment.borders(content.recipe.cids)[0] <= count - 1


def test_too_many_auxiliary_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = add_bytes(LocalStore(str(tmp_path / "store")), tmp_path, b"x" * 100)
    assert segment.Segment(content.recipe, None, 1).count == 0
    monkeypatch.setattr(limits, "SEGMENT_RECORDS", 1)
    two = segment.Recipe(content.recipe.cids * 3, content.recipe.lengths * 3, ((1, 0),))
    with pytest.raises(FormatError, match="a segment of 1 and 2 records"):
        segment.Segment(two, None, 2).encode()

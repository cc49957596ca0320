"""A root whose segments hold more or fewer bytes than it says is refused by every reader of objects, one by one."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from modelvc.errors import IntegrityError, ObjectCorrupt
from modelvc.formats.binary import segment
from modelvc.formats.binary.root import Root, inline
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import ObjectName
from modelvc.models.files import trees
from modelvc.store.check import local_store
from modelvc.store.check.remote_store import CheckDepth, RemoteChecker
from modelvc.store.local.content import ContentReader
from modelvc.store.local.hash_whole import hash_whole, read_content
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content, PartSource
from modelvc.store.remote.store import RemoteStore, root_key
from modelvc.store.remote_gc.gc import Gc
from modelvc.store.remote_gc.survey import GcRules
from modelvc.store.repair import recover
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions, needed_packs
from tests.support.stores import DictBackend, folders

FILES = {"a": random.Random(1).randbytes(700_000), "b": b"two"}


class Made(NamedTuple):
    """A local store and a remote that hold the same object, with a wrong root each."""

    local: LocalStore
    backend: DictBackend
    content: Content
    empty: LocalStore

    @property
    def remote(self) -> RemoteStore:
        return RemoteStore(self.backend)

    def root(self, source: LocalStore | RemoteStore) -> Root:
        found = source.read_root(self.content.kind, self.content.oid)
        assert found is not None
        return found if isinstance(found, Root) else found[0]


def shorter(found: Segment) -> Segment:
    """Without its first record."""
    n = found.count
    placement = found.placement
    if placement is not None:
        placement = Placement(placement.packs, placement.pack[1:], placement.stored[1:])
    return Segment(found.recipe.cut(1, n), placement)


def longer(found: Segment) -> Segment:
    """With its first record at the end again."""
    recipe, placement = found.recipe, found.placement
    more = Recipe(recipe.cids + recipe.cids[:32], recipe.lengths + recipe.lengths[:1], (*recipe.spans, (1, 1)))
    if placement is not None:
        placement = Placement(
            placement.packs, placement.pack + placement.pack[:1], (*placement.stored, placement.stored[0])
        )
    return Segment(more, placement)


def wrong(root: Root, source: PartSource, change: Callable[[Segment], Segment]) -> bytes:
    """ROOT with another first segment."""
    first, *others = root.records()
    part = inline(change(segment.parse(source.read_part(root, first))).encode(), 0)
    if root.kind == "file":
        return replace(root, segments=(part, *others)).encode()
    (ref,) = root.leaves
    return replace(root, leaves=(replace(ref, segments=(part, *others)),)).encode()


@pytest.fixture(params=["blob-shorter", "blob-longer", "tree-shorter", "tree-longer"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    what, _, how = request.param.partition("-")
    local, backend = LocalStore(str(tmp_path / "local")), DictBackend()
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    with StoreWriter(local) as writer, Ingest(writer) as ingest:
        done = ingest.many(list(FILES), folders(tmp_path), "f")
        if what == "blob":
            content = Content(done[0].oid, done[0].stat.size, done[0].recipe)
        else:
            entries = [
                TreeEntry(SafeRelPath(name), False, one.stat.size, one.oid)
                for name, one in zip(FILES, done, strict=True)
            ]
            content = manifest.tree_content(entries, {one.oid: one.recipe for one in done})
        writer.add(content)
        writer.commit()
    Uploader(local, RemoteStore(backend), {}, UploadOptions(jobs=1)).run([ToPush(content.kind, content.oid, "m")])
    found = Made(local, backend, content, LocalStore(str(tmp_path / "empty")))
    change = {"shorter": shorter, "longer": longer}[how]
    Path(local.root_path(content.kind, content.oid)).write_bytes(wrong(found.root(local), local, change))
    key = root_key(content.kind, content.oid)
    data = wrong(found.root(found.remote), found.remote, change)
    backend.replace(key, data, backend.objects[key][1])
    backend.clock = lambda: 2e9
    return found


def write_all_of(made: Made) -> None:
    kind, oid = made.content.kind, made.content.oid
    with ContentReader(made.local) as reader:
        if kind == "file":
            reader.write_blob(made.root(made.local), lambda _: None, "m")
            return
        for _, fill in trees.contents(made.local, reader, oid, "m"):
            fill(os.open(os.devnull, os.O_WRONLY))


def stored_files(made: Made) -> None:
    if made.content.kind == "file":
        raise ObjectCorrupt("not asked for blobs", "here")
    trees.stored_files(made.local, made.content.oid)


RAISING: dict[str, Callable[[Made], object]] = {
    "read": lambda made: manifest.read(made.local, made.root(made.local)),
    "read, on a remote": lambda made: manifest.read(made.remote, made.root(made.remote)),
    "sections": lambda made: list(manifest.sections(made.local, made.root(made.local))),
    "segments": lambda made: list(manifest.read_segments(made.remote, made.root(made.remote))),
    "the content for a push": lambda made: read_content(made.local, made.content.kind, made.content.oid, "m"),
    "the proof of the whole": lambda made: hash_whole(made.local, made.root(made.local), "m"),
    "files of the worktree": write_all_of,
    "entries": stored_files,
    "a fetch": lambda made: Downloader(made.empty, made.remote, 1).run(
        [ObjectName(made.content.kind, made.content.oid)]
    ),
    "packs that a remote needs": lambda made: needed_packs(made.remote, made.content.kind, made.content.oid),
    "a clean-up": lambda made: Gc(
        made.remote, GcRules(lambda: {ObjectName(made.content.kind, made.content.oid)}, 0.0, jobs=1)
    ).run(),
}


@pytest.mark.parametrize("reader", RAISING)
def test_refused(made: Made, reader: str) -> None:
    before = dict(made.backend.objects)
    with pytest.raises(IntegrityError):
        RAISING[reader](made)
    assert made.backend.objects == before
    assert not made.empty.has_root(made.content.kind, made.content.oid)


@pytest.mark.parametrize("every_byte", [False, True])
def test_fsck_names_it(made: Made, *, every_byte: bool) -> None:
    name = made.content.kind, made.content.oid
    assert local_store.check_object(made.local, name, every_byte=every_byte) is not None


@pytest.mark.parametrize("depth", [CheckDepth(share=0.0), CheckDepth(), CheckDepth(whole=True)])
@pytest.mark.parametrize("where", ["local", "empty"])
def test_fsck_of_a_remote_names_it(made: Made, depth: CheckDepth, where: str) -> None:
    name = made.content.kind, made.content.oid
    health = RemoteChecker(made.remote, made.remote.listing(), getattr(made, where), depth).run([name])
    assert list(health.faults) == [name]
    assert not health.proven


def test_repair_does_not_take_it_for_a_description(made: Made) -> None:
    name = made.content.kind, made.content.oid
    assert recover.content_in_store(made.local, name) is None
    assert recover.content_on_remote(made.remote, name) is None


def test_a_push_sends_it_again(made: Made, tmp_path: Path) -> None:
    """From a clone that has it whole."""
    other = LocalStore(str(tmp_path / "other"))
    with StoreWriter(other) as writer, Ingest(writer) as ingest:
        ingest.many(list(FILES), folders(tmp_path), "f")
        writer.add(made.content)
        writer.commit()
    wanted = ToPush(made.content.kind, made.content.oid, "m")
    done = Uploader(other, made.remote, {}, UploadOptions(jobs=1)).run([wanted])
    assert done.sent == (wanted.name,)
    Downloader(made.empty, made.remote, 1).run([wanted.name])
    assert read_content(made.empty, *wanted.name, "m") == made.content

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.errors import FileChanged, ObjectCorrupt, ObjectMissing
from modelvc.formats.pack import RAW, ZSTD
from modelvc.oid import Oid
from modelvc.store.index import LOOSE
from modelvc.store.ingest import Ingest
from modelvc.store.local import LocalStore
from modelvc.store.manifest import Content
from modelvc.store.writer import StoreWriter
from tests.support.stores import add_bytes, add_file, folders, read_bytes

MIB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 63, 64 << 10, (64 << 10) + 1, MIB, 9 * MIB + 3])
def test_what_was_added_is_read_back(store: LocalStore, tmp_path: Path, size: int) -> None:
    data = noise(size)
    content = add_bytes(store, tmp_path, data)
    assert content.oid == blake3(data).digest()
    assert read_bytes(LocalStore(store.root), content.oid) == data


def test_text_is_compressed_and_noise_is_not(store: LocalStore, tmp_path: Path) -> None:
    text = b"".join(b"%d,%d\n" % (i, i * i) for i in range(200_000))
    written = add_bytes(store, tmp_path, text)
    assert {store.locate(cid)[1].encoding for cid, _ in written.recipe} == {ZSTD}
    assert sum(size for _, size in store.packs()) < len(text) / 2
    assert read_bytes(store, written.oid) == text
    written = add_bytes(store, tmp_path, noise(MIB))
    assert {store.locate(cid)[1].encoding for cid, _ in written.recipe} == {RAW}


def test_adding_again_stores_nothing_new(store: LocalStore, tmp_path: Path) -> None:
    data = noise(5 * MIB)
    add_bytes(store, tmp_path, data)
    before = store.packs()
    add_bytes(store, tmp_path, data)
    assert store.packs() == before
    add_bytes(store, tmp_path, data[:MIB] + b"inserted" + data[MIB:])
    assert sum(size for _, size in store.packs()) - sum(size for _, size in before) < 2 * MIB


def test_a_raw_blob_lies_in_one_run_on_a_block_border(store: LocalStore, tmp_path: Path) -> None:
    from modelvc.store.content import ContentReader

    add_bytes(store, tmp_path, noise(100_001, seed=1))
    content = add_bytes(store, tmp_path, noise(3 * MIB + 5, seed=2))
    with ContentReader(store) as reader:
        found = reader.clone_range(store.read_root("file", content.oid))
    assert found is not None
    fd, offset = found
    assert offset % 4096 == 0
    assert os.pread(fd, content.size, offset) == noise(3 * MIB + 5, seed=2)
    os.close(fd)


def test_a_file_that_grows_while_it_is_read_is_not_stored(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(noise(20 * MIB))

    def grow(_: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with StoreWriter(store) as writer, Ingest(writer, grow) as ingest:
        fd = os.open(path, os.O_RDONLY)
        with pytest.raises(FileChanged, match="changed while it was being read"):
            ingest.file(fd, "growing")
        os.close(fd)
    assert list(store.roots()) == []


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_flipped_bit_is_never_handed_out(store: LocalStore, tmp_path: Path, where: str) -> None:
    content = add_bytes(store, tmp_path, noise(3 * MIB))
    (pack,) = (Path(store.root) / "packs").glob("*/*")
    damaged = bytearray(pack.read_bytes())
    damaged[{"first": 4096, "middle": MIB, "last": 4096 + 3 * MIB - 1}[where]] ^= 1
    pack.write_bytes(damaged)
    with pytest.raises(ObjectCorrupt, match="damaged; it was not handed out"):
        read_bytes(LocalStore(store.root), content.oid)


def test_a_damaged_root_is_named(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, b"x")
    path = Path(store.root_path("file", content.oid))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ObjectCorrupt, match=content.oid.short):
        store.read_root("file", content.oid)
    with pytest.raises(ObjectMissing):
        store.read_root("file", Oid(bytes(32)))


def test_a_missing_pack_is_missing_and_not_damaged(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    for pack in (Path(store.root) / "packs").glob("*/*"):
        pack.unlink()
    with pytest.raises(ObjectMissing):
        read_bytes(LocalStore(store.root), content.oid)


def test_many_adds_are_merged_into_one_generation(store: LocalStore, tmp_path: Path) -> None:
    contents = [add_bytes(store, tmp_path, noise(1000, seed=i)) for i in range(3 * LOOSE)]
    assert len(os.listdir(Path(store.root) / "index")) == 1
    again = LocalStore(store.root)
    assert again.index.loose <= LOOSE
    for seed, content in enumerate(contents):
        assert read_bytes(again, content.oid) == noise(1000, seed=seed)


def test_a_torn_generation_is_passed_over(store: LocalStore, tmp_path: Path) -> None:
    contents = [add_bytes(store, tmp_path, noise(1000, seed=i)) for i in range(LOOSE + 2)]
    (generation,) = (Path(store.root) / "index").iterdir()
    generation.write_bytes(generation.read_bytes()[:-7])
    assert read_bytes(LocalStore(store.root), contents[0].oid) == noise(1000, seed=0)


def test_an_abandoned_session_leaves_nothing(store: LocalStore, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(noise(2 * MIB))
    with pytest.raises(RuntimeError), StoreWriter(store) as writer, Ingest(writer) as ingest:
        fd = os.open(path, os.O_RDONLY)
        ingest.file(fd, "in")
        os.close(fd)
        raise RuntimeError
    assert store.packs() == []
    assert os.listdir(Path(store.root) / "tmp") == []


def test_writers_share_and_gc_waits(store: LocalStore, tmp_path: Path) -> None:
    store.prepare()
    order: list[str] = []

    def collect() -> None:
        with LocalStore(store.root).exclusive():
            order.append("gc")

    with StoreWriter(store):
        add_bytes(LocalStore(store.root), tmp_path, b"a second writer is not kept waiting")
        thread = threading.Thread(target=collect)
        thread.start()
        thread.join(0.2)
        order.append("writer done")
    thread.join()
    assert order == ["writer done", "gc"]


def test_a_large_blob_has_its_records_in_segments(store: LocalStore, tmp_path: Path) -> None:
    from array import array

    from modelvc.formats.segment import Recipe
    from modelvc.store import manifest

    cids = b"".join(blake3(i.to_bytes(4, "little")).digest() for i in range(40_000))
    recipe = Recipe(cids, array("I", [7] * 40_000), ((40_000, 1),))
    content = Content(Oid(blake3(b"large").digest()), 280_000, recipe)
    with StoreWriter(store) as writer:
        writer.add(content)
        writer.commit()
    root = LocalStore(store.root).read_root("file", content.oid)
    assert len(root.segments) > 5
    assert len(root.encode()) < 4096
    found = [segment.recipe for segment in manifest.read_segments(store, root)]
    assert manifest.join(found) == recipe


def test_ten_thousand_small_files_are_one_pack(store: LocalStore, tmp_path: Path) -> None:
    for i in range(2_000):
        path = tmp_path / "many" / str(i % 7) / f"{i}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(500, seed=i))
    names = [f"{i % 7}/{i}.bin" for i in range(2_000)]
    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        done = ingest.many(names, folders(tmp_path / "many"), "many")
        writer.commit()
    assert [found.oid for found in done] == [blake3(noise(500, seed=i)).digest() for i in range(2_000)]
    assert len(store.packs()) == 1


def test_a_file_of_every_kind_is_read_back(store: LocalStore) -> None:
    models = Path(__file__).parents[2] / "fixtures" / "models"
    found = [path for path in sorted(models.rglob("*")) if path.is_file()]
    assert found
    for path in found:
        assert read_bytes(store, add_file(store, path).oid) == path.read_bytes()

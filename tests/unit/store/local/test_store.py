from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.errors import ConfigError, FileChanged, FormatError, ObjectCorrupt, ObjectMissing
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW, ZSTD
from modelvc.ids import Oid
from modelvc.store.local import compact, packfile
from modelvc.store.local.index import LOOSE
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import Content
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
    assert {store.locate(cid).chunk.encoding for cid, _ in written.recipe} == {ZSTD}
    assert sum(size for _, size in store.packs()) < len(text) / 2
    assert read_bytes(store, written.oid) == text
    written = add_bytes(store, tmp_path, noise(MIB))
    assert {store.locate(cid).chunk.encoding for cid, _ in written.recipe} == {RAW}


def test_adding_again_stores_nothing_new(store: LocalStore, tmp_path: Path) -> None:
    data = noise(5 * MIB)
    add_bytes(store, tmp_path, data)
    before = store.packs()
    add_bytes(store, tmp_path, data)
    assert store.packs() == before
    add_bytes(store, tmp_path, data[:MIB] + b"inserted" + data[MIB:])
    assert sum(size for _, size in store.packs()) - sum(size for _, size in before) < 2 * MIB


def test_a_raw_blob_lies_in_one_run_on_a_block_border(store: LocalStore, tmp_path: Path) -> None:
    from modelvc.store.local.content import ContentReader

    add_bytes(store, tmp_path, noise(100_001, seed=1))
    content = add_bytes(store, tmp_path, noise(3 * MIB + 5, seed=2))
    with ContentReader(store) as reader:
        found = reader.clone_range(store.read_root("file", content.oid))
    assert found is not None
    fd, offset = found
    assert offset % 4096 == 0
    assert os.pread(fd, content.size, offset) == noise(3 * MIB + 5, seed=2)
    os.close(fd)
    mixed = add_bytes(store, tmp_path, noise(2 * MIB, seed=3) + noise(3 * MIB + 5, seed=2))  # from two packs
    with ContentReader(store) as reader:
        assert reader.clone_range(store.read_root("file", mixed.oid)) is None


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
    with pytest.raises(ObjectCorrupt, match="damaged and was not used"):
        read_bytes(LocalStore(store.root), content.oid)
    with pytest.raises(ObjectCorrupt, match="chunk"):
        [LocalStore(store.root).read_chunk(cid) for cid, _ in content.recipe]


def test_a_damaged_root_is_named(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, b"x")
    path = Path(store.root_path("file", content.oid))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ObjectCorrupt, match=content.oid.short):
        store.read_root("file", content.oid)
    with pytest.raises(ObjectMissing):
        store.read_root("file", Oid(bytes(32)))
    other = add_bytes(store, tmp_path, b"another")
    path.write_bytes(Path(store.root_path("file", other.oid)).read_bytes())
    with pytest.raises(ObjectCorrupt, match=content.oid.short):
        store.read_root("file", content.oid)


def test_a_missing_pack_is_missing_and_not_damaged(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    for path in (Path(store.root) / "packs").glob("*/*"):
        path.unlink()
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


def test_writers_share_and_gc_waits(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.store.local.store._LOCK_WAIT", 10)
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

    from modelvc.formats.binary.segment import Recipe
    from modelvc.store.objects import manifest

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
    models = Path(__file__).parents[3] / "fixtures" / "models"
    found = [path for path in sorted(models.rglob("*")) if path.is_file()]
    assert found
    for path in found:
        assert read_bytes(store, add_file(store, path).oid) == path.read_bytes()


def test_packs_that_come_and_go_behind_a_reader(store: LocalStore, tmp_path: Path) -> None:
    """Another process adds, and merges packs: whoever has looked at the index before finds everything."""
    first = add_bytes(store, tmp_path, noise(2 * MIB, seed=1))
    readers = [LocalStore(store.root) for _ in range(2)]
    for reader in readers:
        reader.locate(first.recipe.cids[:32])
    second = add_bytes(LocalStore(store.root), tmp_path, noise(2 * MIB, seed=2))
    assert readers[0].locate(second.recipe.cids[:32])
    old = [name for name, _ in store.packs()]
    other = LocalStore(store.root)
    with StoreWriter(other) as writer:
        assert len(compact.copy_chunks(other, old, None, writer)) == 2
        writer.commit()
    compact.remove_packs(other, old)
    assert blake3(readers[0].read_chunk(first.recipe.cids[:32])).digest() == first.recipe.cids[:32]
    assert read_bytes(readers[1], first.oid) == noise(2 * MIB, seed=1)


def test_a_pack_with_a_damaged_chunk_is_not_taken_for_copied(store: LocalStore, tmp_path: Path) -> None:
    add_bytes(store, tmp_path, noise(2 * MIB))
    (name, _), path = store.packs()[0], Path(packfile.path_of(store.root, store.packs()[0][0]))
    data = bytearray(path.read_bytes())
    data[next(store.index.chunks_of(name)).offset + 5] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with StoreWriter(store) as writer:
        assert compact.copy_chunks(store, [name], None, writer) == []


def test_a_chunk_of_a_pack_that_is_gone_is_not_had(store: LocalStore, tmp_path: Path) -> None:
    """Else an add would name bytes that are nowhere."""
    content = add_bytes(store, tmp_path, noise(1000))
    add_bytes(store, tmp_path, noise(1000, seed=2))
    LocalStore(store.root).index.merge()
    Path(packfile.path_of(store.root, store.locate(content.oid).pack)).unlink()
    assert LocalStore(store.root).find(content.oid) is None


def test_a_pack_under_another_name_is_none(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(1000))
    path = Path(packfile.path_of(store.root, store.locate(content.oid).pack))
    path.rename(path.with_name(path.name[:2] + "0" * 62))
    assert LocalStore(store.root).find(content.oid) is None


def test_a_trailer_longer_than_its_pack(tmp_path: Path) -> None:
    path = tmp_path / "pack"
    path.write_bytes(pack.MAGIC + pack.FOOTER.pack(1000, 1, bytes(32), pack.END))
    with path.open("rb") as file, pytest.raises(FormatError, match="longer than the pack"):
        packfile.read_trailer(file.fileno(), bytes(32))


def test_a_proven_root_stays_proven(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(1000))
    with StoreWriter(store) as writer:
        writer.add(content, unproven=True)  # as a fetch does
        writer.commit()
    assert not store.read_root("file", content.oid).unproven


def test_temporary_files_of_the_dead_go_and_no_others(store: LocalStore) -> None:
    store.prepare()
    tmp = Path(store.root) / "tmp"
    with StoreWriter(store) as writer:
        writer.begin_blob()
        (living,) = tmp.iterdir()
        dead, fresh = tmp / "dead", tmp / "fresh"
        for path in (dead, fresh):
            path.write_bytes(b"")
        for path in (living, dead):
            os.utime(path, (0, 0))
        LocalStore(store.root).clean_tmp()
        assert set(tmp.iterdir()) == {living, fresh}


def test_files_that_are_none_or_change_while_they_are_read(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe")
    (folder / "small").write_bytes(b"small")
    real = os.pread

    def pread(fd: int, length: int, offset: int) -> bytes:
        found = real(fd, length, offset)
        os.utime(fd, (0, 0))  # an edit of the same size
        return found

    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        for name in ("link", "pipe"):
            with pytest.raises(FileChanged):
                ingest.many([name], folders(folder), "f")
        monkeypatch.setattr(os, "pread", pread)
        with pytest.raises(FileChanged):
            ingest.many(["small"], folders(folder), "f")


@pytest.mark.usefixtures("in_no_time")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(1000))
    (Path(store.root) / "index").mkdir()
    os.mkfifo(Path(store.root) / "index/00000001")
    assert LocalStore(store.root).find(content.oid)
    config = Path(store.root) / "config"
    config.unlink()
    os.mkfifo(config)
    with pytest.raises(FormatError, match="format is missing"):
        LocalStore(store.root).check()


def test_a_store_of_a_later_version_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, b"x")
    config = Path(store.root) / "config"
    whole = config.read_text()
    config.write_text(whole.replace("write_features = []", 'write_features = ["dense"]'))
    assert LocalStore(store.root).read_root("file", content.oid)
    with pytest.raises(ConfigError, match="cannot write"):
        add_bytes(LocalStore(store.root), tmp_path, b"y")
    config.write_text(whole.replace("read_features = []", 'read_features = ["dense"]'))
    with pytest.raises(ConfigError, match="cannot read"):
        LocalStore(store.root).read_root("file", content.oid)


@pytest.mark.parametrize(
    ("at", "value"), [(0, b"\xff" * 4), (12, b"\xff" * 4), (16, b"\xff" * 4)], ids=["pack", "stored", "raw"]
)
def test_an_index_that_leads_elsewhere_is_a_cache(store: LocalStore, tmp_path: Path, at: int, value: bytes) -> None:
    """Trailers know better: a pack that there is none of, and a chunk of gigabytes."""
    content = add_bytes(store, tmp_path, b"x")
    LocalStore(store.root).index.merge()
    (path,) = (Path(store.root) / "index").iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) - 30 + at : len(data) - 26 + at] = value  # the only record
    path.write_bytes(data)
    found = LocalStore(store.root).find(content.oid)
    assert found == store.find(content.oid)
    assert found[1].stored < 100

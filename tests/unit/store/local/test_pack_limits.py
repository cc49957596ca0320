"""No writer makes a pack that a reader refuses, and none deletes a pack before its replacement was read."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import xxhash
from blake3 import blake3

from modelvc.atomic import RealDisk
from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW, Encoding, NewChunk, Stored, Trailer
from modelvc.ids import ObjectName
from modelvc.store.check import local_store
from modelvc.store.local import compact, packfile
from modelvc.store.local.index import LOOSE
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content
from modelvc.store.remote.store import RemoteStore
from modelvc.store.repair.local_store import repair_local_pack
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support.stores import DictBackend, add_bytes, folders, read_bytes

FULL = bool(os.environ.get("MVC_FULL"))  # sizes as they are: by hand
MOST = (limits.TRAILER - 26 - 3) // pack.RECORD.size  # chunks of one encoding
FEW = 20


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """A pack holds FEW chunks of one encoding."""
    monkeypatch.setattr(limits, "TRAILER", 26 + 3 + FEW * pack.RECORD.size)
    return FEW


def chunk(number: int) -> tuple[NewChunk, bytes]:
    data = number.to_bytes(4, "little")
    return NewChunk(blake3(data).digest(), 4, 4, xxhash.xxh3_64_intdigest(data), RAW), data


def counts(store: LocalStore) -> list[int]:
    """Chunks of every pack, each read as every reader does."""
    return sorted(packfile.open_trailer(store.root, name).count for name, _ in store.packs())


def append(store: LocalStore, numbers: range, *, at_once: int = 1) -> None:
    with StoreWriter(store) as writer:
        for start in range(numbers.start, numbers.stop, at_once):
            some = [chunk(number) for number in range(start, min(start + at_once, numbers.stop))]
            writer.append(b"".join(data for _, data in some), [one for one, _ in some])
        writer.commit()
        compact.tidy(store, writer)


def add_folder(store: LocalStore, top: Path, count: int, seed: int = 0) -> Content:
    """Store a folder of COUNT small files."""
    top.mkdir(parents=True)
    for number in range(count):
        (top / f"{number}.bin").write_bytes(b"%d-%d" % (seed, number))
    names = sorted(path.name for path in top.iterdir())
    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        done = ingest.many(names, folders(top), "f")
        entries = [(name, one) for name, one in zip(names, done, strict=True)]
        content = manifest.tree_content(
            [manifest.tree.TreeEntry(name, False, one.stat.size, one.oid) for name, one in entries],  # type: ignore[arg-type]
            {one.oid: one.recipe for one in done},
        )
        writer.add(content)
        writer.commit()
        compact.tidy(store, writer)
    return content


def whole(store: LocalStore, content: Content) -> bool:
    return local_store.check_object(store, ObjectName(content.kind, content.oid), every_byte=True) is None


@pytest.mark.parametrize("at_once", [1, 7, FEW, 3 * FEW])
def test_a_pack_at_the_limit_is_one_and_one_more_chunk_begins_another(
    store: LocalStore, tmp_path: Path, few: int, at_once: int
) -> None:
    append(store, range(few), at_once=at_once)
    assert counts(store) == [few]
    other = LocalStore(str(tmp_path / "other"))
    append(other, range(few + 1), at_once=at_once)
    assert counts(other) == [1, few]
    for number in range(few + 1):
        assert other.read_chunk(chunk(number)[0].cid) == chunk(number)[1]


def test_a_table_of_encodings_at_the_limit_is_one_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more begins another, so its number never overflows."""
    monkeypatch.setattr(limits, "ENCODINGS", 5)
    records = pack.Building()
    for number in range(5):
        assert records.fits([Encoding(number, b"x")])
        records.add(Stored(bytes([number]) * 32, 8, 1, 1, 0, Encoding(number, b"x")))
    assert records.fits([Encoding(4, b"x")])
    assert not records.fits([Encoding(5, b"x")])
    assert Trailer(pack.encode_trailer(records.chunks.values()), 9).count == 5
    more = [*records.chunks.values(), Stored(b"y" * 32, 8, 1, 1, 0, Encoding(5, b"x"))]
    with pytest.raises(FormatError, match="6 encodings are too many"):
        Trailer(pack.encode_trailer(more), 9)


def test_the_table_of_encodings_counts_as_bytes(few: int) -> None:
    records = pack.Building()
    for number in range(few):
        records.add(Stored(bytes([number]) * 32, 8, 1, 1, 0, RAW))
    records.chunks.popitem()
    assert records.fits([RAW])
    assert not records.fits([Encoding(1, b"long")])


def test_a_chunk_at_the_limit_is_kept_and_a_larger_one_refused(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHUNK", 4)
    append(store, range(1))
    data = b"12345"
    large = NewChunk(blake3(data).digest(), 5, 5, xxhash.xxh3_64_intdigest(data), RAW)
    with StoreWriter(store) as writer, pytest.raises(FormatError, match="a chunk of 5 bytes is too large"):
        writer.append(data, [large])
    assert counts(store) == [1]


def test_a_folder_of_many_small_files(store: LocalStore, tmp_path: Path, few: int) -> None:
    content = add_folder(store, tmp_path / "f", 3 * few)
    assert max(counts(store)) == few
    assert whole(store, content)


def test_a_file_of_many_chunks(store: LocalStore, tmp_path: Path, few: int) -> None:
    data = random.Random(1).randbytes(8 << 20)
    content = add_bytes(store, tmp_path, data)
    assert len(content.recipe) > few
    assert max(counts(store)) == few
    assert read_bytes(LocalStore(store.root), content.oid) == data


def test_small_packs_that_are_merged(
    store: LocalStore, tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "MANY", LOOSE)
    contents = [add_folder(store, tmp_path / str(seed), 5, seed) for seed in range(LOOSE + 3)]
    assert len(store.packs()) < LOOSE
    assert max(counts(store)) == few
    assert all(whole(store, content) for content in contents)


def test_a_pack_of_before_that_is_over_the_limit_is_brought_back(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = add_folder(store, tmp_path / "f", 3 * FEW)
    ((name, _),) = store.packs()
    monkeypatch.setattr(limits, "TRAILER", 26 + 3 + FEW * pack.RECORD.size)
    health = local_store.check_pack(store, name, every_byte=False)
    assert "is too large" in health.unreadable
    store.forget_packs()
    assert not whole(store, content)
    repair_local_pack(store, name, str(tmp_path / "damaged"))
    assert max(counts(store)) == FEW
    assert whole(store, content)


def test_a_damaged_pack_that_is_set_aside(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(store, range(2 * FEW))
    ((name, _),) = store.packs()
    path = Path(packfile.path_of(store.root, name))
    data = bytearray(path.read_bytes())
    data[8] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr("modelvc.store.local.writer.PACK", 3 * 4)  # its chunks go to packs of this size
    assert repair_local_pack(store, name, str(tmp_path / "damaged")) == 1
    assert len(store.packs()) > 1
    assert sum(counts(store)) == 2 * FEW - 1


def test_what_is_sent(store: LocalStore, tmp_path: Path, few: int) -> None:
    far = DictBackend()
    content = add_folder(store, tmp_path / "f", 3 * few)
    Uploader(store, RemoteStore(far), {}, UploadOptions(jobs=2)).run([ToPush("tree", content.oid, "f")])
    found = []
    for key, (data, _) in far.objects.items():
        if key.startswith("packs/"):
            name = bytes.fromhex(key.rpartition("/")[2])
            found.append(pack.read_trailer(len(data), lambda at, size, d=data: d[at : at + size], name).count)  # type: ignore[misc]
    assert max(found) == few
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 2).run([("tree", content.oid)])
    assert max(counts(other)) == few
    assert whole(other, content)


def test_a_pack_rolls_at_its_size_too(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no blob begins: in a folder of small files, and in the copies of a clean-up."""
    monkeypatch.setattr("modelvc.store.local.writer.PACK", 500)
    content = add_folder(store, tmp_path / "f", 500)
    assert len(store.packs()) > 2
    assert whole(store, content)
    names = [name for name, _ in store.packs()]
    with StoreWriter(store) as writer:
        copied = compact.copy_chunks(store, names, None, writer)
        writer.commit()
        assert len(writer.packs) > 2
        compact.remove_copied(store, copied, writer.packs)
    assert whole(LocalStore(store.root), content)


def test_a_raw_blob_stays_in_one_pack_whatever_its_size(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelvc.store.local.writer.PACK", 100_000)
    raw = add_bytes(store, tmp_path, random.Random(1).randbytes(3 << 20))
    assert len(store.packs()) == 1
    assert len(raw.recipe) > 5
    add_bytes(store, tmp_path, b"".join(b"%d," % n for n in range(900_000)))  # compressed, so it cannot be cloned
    assert len(store.packs()) > 2


class Forgetful(RealDisk):
    """A disk that keeps another byte than it was given, at the end of what it is given."""

    bad = False

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        changed = bytearray(data)
        if self.bad:
            changed[-60] ^= 1  # in the last record
        super().write(fd, changed)


def test_a_pack_that_can_not_be_read_back_gets_no_name(tmp_path: Path) -> None:
    disk = Forgetful()
    store = LocalStore(str(tmp_path / "store"), disk)
    store.prepare()
    disk.bad = True
    with pytest.raises(FormatError, match="does not match its name"):
        append(store, range(3))
    assert store.packs() == []
    assert list((tmp_path / "store/tmp").iterdir()) == []


def test_nothing_is_sent_that_can_not_be_read_back(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = add_bytes(store, tmp_path, b"x" * 1_000)
    far = DictBackend()

    def torn(trailer: bytes) -> bytes:
        return pack.FOOTER.pack(len(trailer), 7, blake3(trailer).digest(), pack.END)

    monkeypatch.setattr("modelvc.store.transfer.pack_sender.pack.footer", torn)
    with pytest.raises(FormatError, match="its footer is damaged"):
        Uploader(store, RemoteStore(far), {}, UploadOptions(jobs=1)).run([ToPush("file", content.oid, "m")])
    assert not [key for key in far.objects if key.startswith(("packs/", "b/"))]


def test_nothing_is_deleted_whose_copies_can_not_be_read(store: LocalStore, tmp_path: Path) -> None:
    append(store, range(3))
    append(store, range(10, 13))
    names = [name for name, _ in store.packs()]
    with StoreWriter(store) as writer:
        copied = compact.copy_chunks(store, names, None, writer)
        writer.seal()
        (fresh,) = writer.packs
    path = Path(packfile.path_of(store.root, fresh))
    good = path.read_bytes()
    path.write_bytes(good[:-60] + bytes([good[-60] ^ 1]) + good[-59:])
    with pytest.raises(FormatError):
        compact.remove_copied(store, copied, {fresh})
    path.unlink()
    assert compact.remove_copied(store, copied, {fresh}) == set()
    assert {name for name, _ in store.packs()} == set(names)
    path.write_bytes(good)
    lost = compact.Copied(names[0], (*copied[0].cids, bytes(32)))
    assert compact.remove_copied(store, [lost, copied[1]], {fresh}) == {copied[1].pack}
    assert compact.remove_copied(store, [compact.Copied(fresh, ())], {fresh}) == set()
    assert len(store.packs()) == 2


def test_a_merge_that_writes_less_deletes_nothing(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a writer leaves out, the packs that it was to replace stay."""
    monkeypatch.setattr(compact, "MANY", LOOSE)
    contents = [add_folder(store, tmp_path / str(seed), 5, seed) for seed in range(LOOSE)]
    before = {name for name, _ in store.packs()}
    append_all = StoreWriter.append

    def forget(self: StoreWriter, data: bytes, chunks: list[NewChunk]) -> None:
        if len(chunks) > 1 or data != b"3-3":  # no copy of this one
            append_all(self, data, chunks)

    monkeypatch.setattr(StoreWriter, "append", forget)
    append(store, range(2), at_once=2)
    left = before & {name for name, _ in store.packs()}
    assert len(left) == 1
    monkeypatch.undo()
    assert all(whole(LocalStore(store.root), content) for content in contents)


def test_records_of_a_pack_are_rescued_in_parts(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store, range(10))
    ((name, _),) = store.packs()
    path = Path(packfile.path_of(store.root, name))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1  # in the hash of the trailer
    data[8 + 40 + 3] ^= 1  # in its head
    path.write_bytes(data)
    monkeypatch.setattr("modelvc.store.repair.damaged_local_pack._TOGETHER", 3 * pack.RECORD.size)
    repair_local_pack(store, name, str(tmp_path / "damaged"))
    assert sum(counts(store)) == 10


@pytest.mark.skipif(not FULL, reason="sizes as they are take minutes: MVC_FULL=1")
def test_more_chunks_than_a_trailer_holds(store: LocalStore) -> None:
    """The real limit: 1,157,048 chunks in one pack, one more in the next."""
    append(store, range(MOST + 1), at_once=100_000)
    assert counts(store) == [1, MOST]
    with StoreWriter(store) as writer:
        copied = compact.copy_chunks(store, [name for name, _ in store.packs()], None, writer)
        writer.commit()
        compact.remove_copied(store, copied, writer.packs)
    assert counts(LocalStore(store.root)) == [1, MOST]


def test_the_limit_is_what_it_was() -> None:
    assert MOST == 1_157_048

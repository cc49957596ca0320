from __future__ import annotations

import random
from pathlib import Path

import pytest

from modelvc.errors import ObjectCorrupt, ObjectMissing, RemoteError
from modelvc.ids import ObjectName, Oid
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.remote.seen_root import SeenRoot
from modelvc.store.remote.store import RemoteStore, root_key
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support.stores import DictBackend, add_bytes, folders, read_bytes

MIB = 1 << 20


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"))


@pytest.fixture
def far() -> DictBackend:
    return DictBackend()


def upload(store: LocalStore, far: DictBackend, *wanted: ToPush, known: dict | None = None):  # type: ignore[type-arg]
    return Uploader(store, RemoteStore(far), known or {}, UploadOptions(jobs=4)).run(wanted)


def want(oid: Oid, *related: Oid, kind: str = "file") -> ToPush:
    return ToPush(kind, oid, "model.bin", lambda: [(kind, one) for one in related])


def test_what_was_pushed_can_be_fetched_elsewhere(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    data = noise(40 * MIB)
    content = add_bytes(store, tmp_path, data)
    done = upload(store, far, want(content.oid))
    assert done.sent == (("file", content.oid),)
    assert done.sent_bytes < len(data) * 1.001
    other = LocalStore(str(tmp_path / "other"))
    got = Downloader(other, RemoteStore(far), jobs=4).run([("file", content.oid)])
    assert got.came == (("file", content.oid),)
    assert other.read_root("file", content.oid).unproven
    assert read_bytes(other, content.oid) == data


def test_requests_grow_with_bytes(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(40 * MIB))
    upload(store, far, want(content.oid))
    verbs = [verb for verb, key in far.log if not key.startswith("gc/")]
    assert verbs.count("put") == 3
    assert len(verbs) <= 8, far.log  # read and create config, list, three packs, the root, list again


def test_a_second_push_is_one_listing(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    first = upload(store, far, want(content.oid))
    far.log.clear()
    again = upload(store, far, want(content.oid), known=dict(first.seen))
    assert again.sent == ()
    assert [verb for verb, _ in far.log] == ["read", "list"]


def test_a_new_version_sends_what_is_new(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    old = noise(40 * MIB)
    first = add_bytes(store, tmp_path, old)
    upload(store, far, want(first.oid))
    second = add_bytes(store, tmp_path, old[: 20 * MIB] + noise(2 * MIB, seed=9) + old[22 * MIB :])
    done = upload(store, far, want(second.oid, first.oid))
    assert 2 * MIB <= done.sent_bytes < 5 * MIB
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), jobs=4).run([("file", second.oid)])
    assert read_bytes(other, second.oid)[20 * MIB : 22 * MIB] == noise(2 * MIB, seed=9)


def test_a_pack_that_the_remote_lost_is_sent_again(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(20 * MIB))
    first = upload(store, far, want(content.oid))
    lost = next(key for key in far.objects if key.startswith("packs/"))
    del far.objects[lost]
    again = upload(store, far, want(content.oid), known=dict(first.seen))
    assert again.sent == (("file", content.oid),)
    assert lost in far.objects
    assert [key for verb, key in far.log if verb == "put"].count(lost) == 2


def test_a_pack_of_another_size_counts_as_lost(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    upload(store, far, want(content.oid))
    key = next(key for key in far.objects if key.startswith("packs/"))
    far.objects[key] = (b"short", "e")
    assert upload(store, far, want(content.oid)).sent
    assert len(far.objects[key][0]) > MIB


def test_a_push_that_broke_off_goes_on_where_it_was(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(100 * MIB))
    puts = 0
    put = far.put

    def dying(key: str, data: bytes) -> object:
        nonlocal puts
        puts += 1
        if puts > 4:
            raise RemoteError("the network is gone")
        return put(key, data)

    far.put = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(RemoteError):
        upload(store, far, want(content.oid))
    assert not any(key.startswith("b/") for key in far.objects)
    there = {key for key in far.objects if key.startswith("packs/")}
    assert len(there) == 4
    far.put = put  # type: ignore[method-assign]
    far.log.clear()
    upload(store, far, want(content.oid))
    sent = [key for verb, key in far.log if verb == "put"]
    assert len(sent) == 3
    assert not there & set(sent)


def test_a_damaged_object_is_never_pushed(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(3 * MIB))
    (pack,) = (Path(store.root) / "packs").glob("*/*")
    damaged = bytearray(pack.read_bytes())
    damaged[MIB] ^= 1
    pack.write_bytes(damaged)
    done = upload(LocalStore(store.root), far, want(content.oid))
    assert isinstance(done.absent["file", content.oid], ObjectCorrupt)
    assert not any(key.startswith("b/") for key in far.objects)


@pytest.mark.parametrize("prefix", ["packs/", "b/"])
def test_damage_on_the_remote_is_named_and_not_taken(
    store: LocalStore, far: DictBackend, tmp_path: Path, prefix: str
) -> None:
    content = add_bytes(store, tmp_path, noise(3 * MIB))
    upload(store, far, want(content.oid))
    key = next(key for key in far.objects if key.startswith(prefix))
    data = bytearray(far.objects[key][0])
    data[len(data) // 2] ^= 1
    far.objects[key] = (bytes(data), "e")
    other = LocalStore(str(tmp_path / "other"))
    with pytest.raises(ObjectCorrupt, match="dict://"):
        Downloader(other, RemoteStore(far), jobs=4).run([("file", content.oid)])
    assert not other.has_root("file", content.oid)


def test_damage_on_the_way_is_asked_for_once_more(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    upload(store, far, want(content.oid))
    ranges, asked = far.read_ranges, []

    def damaging(key: str, wanted: list[tuple[int, int]]) -> list[bytes]:
        found = [bytes(one) for one in ranges(key, wanted)]
        if sum(length for _, length in wanted) > 1000:
            asked.append(key)
            found = [one[:500] + b"damage" + one[506:] for one in found] if len(asked) == 1 else found
        return found

    far.read_ranges = damaging  # type: ignore[method-assign, assignment]
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 1).run([("file", content.oid)])
    assert read_bytes(other, content.oid) == noise(MIB)
    assert len(asked) > 1


def test_what_is_not_there_is_reported(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, b"here")
    upload(store, far, want(content.oid))
    absent = ("file", Oid(bytes(32)))
    got = Downloader(LocalStore(str(tmp_path / "other")), RemoteStore(far), 4).run([("file", content.oid), absent])
    assert got.missing == (absent,)
    done = upload(store, far, want(Oid(bytes(32))), want(content.oid))
    assert (done.complete, list(done.absent)) == ((("file", content.oid),), [absent])
    assert isinstance(done.absent[absent], ObjectMissing)


def test_a_root_whose_pack_is_gone_says_so(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    upload(store, far, want(content.oid))
    for key in [key for key in far.objects if key.startswith("packs/")]:
        del far.objects[key]
    with pytest.raises(RemoteError):
        Downloader(LocalStore(str(tmp_path / "other")), RemoteStore(far), 4).run([("file", content.oid)])


def test_a_doomed_pack_is_never_referenced_anew(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    upload(store, far, want(content.oid))
    doomed = next(key for key in far.objects if key.startswith("packs/"))
    far._set("gc/doomed/00000001", b"modelvc dooms 1\n" + doomed.rpartition("/")[2].encode() + b"\n")
    assert upload(store, far, want(content.oid)).complete  # what it needs of that pack is gc's to save
    del far.objects[root_key("file", content.oid)]
    done = upload(store, far, want(content.oid))
    packs = {name.hex() for name, _ in done.seen["file", content.oid].packs}
    assert doomed.rpartition("/")[2] not in packs
    del far.objects[doomed]
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 4).run([("file", content.oid)])
    assert read_bytes(other, content.oid) == noise(MIB)


def test_chunks_of_a_doomed_pack_are_sent_anew(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    """Another version's root says where they lie."""
    first = add_bytes(store, tmp_path, noise(MIB))
    second = add_bytes(store, tmp_path, noise(MIB) + noise(1000, seed=9))
    upload(store, far, want(first.oid))
    doomed = next(key for key in far.objects if key.startswith("packs/")).rpartition("/")[2]
    far._set("gc/doomed/00000001", b"modelvc dooms 1\n" + doomed.encode() + b"\n")
    done = upload(store, far, want(second.oid, first.oid))
    assert doomed not in {name.hex() for name, _ in done.seen["file", second.oid].packs}
    assert done.sent_bytes > MIB


def test_a_doom_that_comes_while_pushing_is_seen(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    content = add_bytes(store, tmp_path, noise(MIB))
    create = far.create

    def dooming(key: str, data: bytes) -> object:
        entry = create(key, data)
        if key.startswith("b/") and "gc/doomed/00000001" not in far.objects:
            pack = next(key for key in far.objects if key.startswith("packs/")).rpartition("/")[2]
            far._set("gc/doomed/00000001", b"modelvc dooms 1\n" + pack.encode() + b"\n")
        return entry

    far.create = dooming  # type: ignore[method-assign, assignment]
    done = upload(store, far, want(content.oid))
    doomed = far.objects["gc/doomed/00000001"][0].split()[-1].decode()
    assert doomed not in {name.hex() for name, _ in done.seen["file", content.oid].packs}


def test_a_lost_answer_is_recognised_by_the_write_id(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    from modelvc.errors import RemoteChanged

    content = add_bytes(store, tmp_path, noise(1000))
    create = far.create

    def losing(key: str, data: bytes) -> object:
        create(key, data)
        if key.startswith("b/"):
            raise RemoteChanged("the answer was lost, the retry finds it there")
        return far._entry(key)

    far.create = losing  # type: ignore[method-assign, assignment]
    upload(store, far, want(content.oid))
    assert [verb for verb, key in far.log if key == root_key("file", content.oid)].count("replace") == 0


def tree(store: LocalStore, tmp_path: Path, files: dict[str, bytes]) -> manifest.Content:
    import os

    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.formats.paths import SafeRelPath

    folder = tmp_path / f"tree-{os.urandom(4).hex()}"
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        done = ingest.many(list(files), folders(folder), "tree")
        entries = [
            TreeEntry(SafeRelPath(name), False, one.stat.size, one.oid) for name, one in zip(files, done, strict=True)
        ]
        content = manifest.tree_content(entries, {one.oid: one.recipe for one in done})
        writer.add(content)
        writer.commit()
    return content


def test_ten_thousand_small_files_take_few_requests(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    files = {f"{i % 100:02d}/{i}.bin": noise(4096, seed=i) for i in range(10_000)}
    content = tree(store, tmp_path, files)
    upload(store, far, want(content.oid, kind="tree"))
    assert len(far.log) < 10, far.log
    far.log.clear()
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(far), 4).run([("tree", content.oid)])
    assert len(far.log) < 20, far.log
    from modelvc.models.files.trees import stored_files

    assert {str(path) for path in stored_files(other, content.oid)} == set(files)


def test_one_changed_file_in_a_folder_sends_little(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    files = {f"{i}.bin": noise(4096, seed=i) for i in range(3_000)}
    first = tree(store, tmp_path, files)
    upload(store, far, want(first.oid, kind="tree"))
    files["7.bin"] = b"changed"
    second = tree(store, tmp_path, files)
    done = upload(store, far, want(second.oid, first.oid, kind="tree"))
    assert done.sent_bytes < 700_000, done.sent_bytes


# -- what a clean-up of the remote must be able to see


DAY = 86_400.0


def test_a_root_older_than_half_the_grace_is_made_young_again(store: LocalStore, far: DictBackend, tmp_path: Path):
    now = [1e9]
    far.clock = lambda: now[0]
    content = add_bytes(store, tmp_path, noise(1000))
    upload(store, far, want(content.oid))
    key = root_key("file", content.oid)
    etag = far.objects[key][1]
    now[0] += 7 * DAY
    upload(store, far, want(content.oid))
    assert far.objects[key][1] == etag
    now[0] += 1
    far.log.clear()
    done = upload(store, far, want(content.oid))
    assert done.complete
    assert far.objects[key][1] != etag
    assert far.times[key] == now[0]
    assert far.log[-1] == ("list", "")
    got = Downloader(LocalStore(str(tmp_path / "other")), RemoteStore(far), jobs=1).run([("file", content.oid)])
    assert got.came


def test_a_push_that_took_too_long_looks_again(store: LocalStore, far: DictBackend, tmp_path: Path):
    now = [1e9]
    far.clock = lambda: now[0]
    first, second = (add_bytes(store, tmp_path, noise(1000, seed)) for seed in range(2))
    upload(store, far, want(first.oid))
    now[0] += 6 * DAY  # young still when the push begins, old when it ends

    delays = [4 * DAY]

    def slow() -> list[ObjectName]:
        now[0] += delays.pop() if delays else 0
        return []

    upload(store, far, want(first.oid), want(second.oid)._replace(related=slow))
    assert far.times[root_key("file", first.oid)] == now[0]


def test_what_is_not_here_must_be_there(store: LocalStore, far: DictBackend, tmp_path: Path):
    content, other = (add_bytes(store, tmp_path, noise(1000, seed)) for seed in range(2))
    upload(store, far, want(content.oid))
    elsewhere = LocalStore(str(tmp_path / "elsewhere"))
    there = upload(elsewhere, far, want(content.oid)._replace(here=False))
    assert there.complete == (("file", content.oid),)
    done = upload(elsewhere, far, want(other.oid)._replace(here=False), want(content.oid)._replace(here=False))
    assert (done.complete, list(done.absent)) == ((("file", content.oid),), [("file", other.oid)])
    assert "nor on dict://" in str(done.absent["file", other.oid])


def test_what_can_not_be_read_here_stops_no_other(store: LocalStore, far: DictBackend, tmp_path: Path) -> None:
    bad, good = (add_bytes(store, tmp_path, noise(1000, seed)) for seed in range(2))
    path = Path(store.root_path("file", bad.oid))
    path.write_bytes(path.read_bytes()[:-1])
    done = upload(store, far, want(bad.oid), want(good.oid))
    assert done.sent == (("file", good.oid),)
    assert isinstance(done.absent["file", bad.oid], ObjectCorrupt)


def test_a_push_says_for_which_repository_it_is_once(store: LocalStore, far: DictBackend, tmp_path: Path):
    content = add_bytes(store, tmp_path, noise(1000))
    remote = RemoteStore(far)
    terms = UploadOptions(jobs=1, repositories=("host/team/models", "/srv/git/models#7"))
    for _ in range(2):
        Uploader(store, remote, {}, terms).run([want(content.oid)])
    assert set(remote.repositories()) == set(terms.repositories)
    assert sum(verb == "put" and key.startswith("gc/") for verb, key in far.log) == 2


def test_known_packs_that_were_replaced_are_no_reason_to_send_again(
    store: LocalStore, far: DictBackend, tmp_path: Path
):
    content = add_bytes(store, tmp_path, noise(1000))
    upload(store, far, want(content.oid))
    done = upload(store, far, want(content.oid), known={("file", content.oid): SeenRoot(1, ((bytes(32), 7),))})
    assert done.complete
    assert done.seen["file", content.oid].packs != ((bytes(32), 7),)


def test_a_root_that_is_whole_is_not_replaced_by_one_whose_packs_did_not_arrive(
    store: LocalStore, far: DictBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from modelvc.errors import RemoteBusy
    from modelvc.store.backends import retry

    monkeypatch.setattr(retry, "DELAYS", (0.0,))
    content = add_bytes(store, tmp_path, noise(1000))
    upload(store, far, want(content.oid))
    key = root_key("file", content.oid)
    before = far.objects[key]
    (pack,) = (key.rpartition("/")[2] for key in far.objects if key.startswith("packs/"))
    far.put("gc/doomed/00000001", f"modelvc dooms 1\n{pack}\n".encode())
    far._set(key, before[0])  # as written by a push that did not look back: it is sent anew
    before = far.objects[key]
    far.put = lambda key, data: far._entry(next(iter(far.objects)))  # type: ignore[method-assign]
    with pytest.raises(RemoteBusy, match="does not show it"):
        upload(store, far, want(content.oid))
    assert far.objects[key] == before

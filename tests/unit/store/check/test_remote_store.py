"""A remote is checked by pack: each needed byte once, whatever lies there, and nothing that is wrong gets past."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from modelvc.formats.binary import pack
from modelvc.formats.binary import root as rootformat
from modelvc.formats.binary.segment import Recipe
from modelvc.ids import ObjectName, Oid
from modelvc.store.check.remote_store import CheckDepth, RemoteChecker, RemoteHealth
from modelvc.store.local.hash_whole import read_content
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import Content
from modelvc.store.remote import packs
from modelvc.store.remote.store import RemoteStore, pack_key, root_key
from modelvc.store.repair.remote_pack import repair_remote_pack
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support.stores import DictBackend, add_bytes

MIB = 1 << 20
_ALL = CheckDepth()


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


class Remote:
    """Versions of one model on a remote, each with another half MiB."""

    def __init__(self, tmp: Path, versions: int, size: int = 6 * MIB) -> None:
        self.tmp = tmp
        self.local = LocalStore(str(tmp / "local"))
        self.backend = DictBackend()
        self.contents: list[Content] = []
        data = noise(size)
        for i in range(versions):
            at = i * MIB % size
            data = data[:at] + noise(MIB // 2, seed=i + 1) + data[at + MIB // 2 :]
            self.contents.append(add_bytes(self.local, tmp, data))
            self.push(self.contents[-1], *self.contents[:-1])

    @property
    def names(self) -> list[ObjectName]:
        return [("file", content.oid) for content in self.contents]

    def push(self, content: Content, *related: Content) -> None:
        names = [("file", one.oid) for one in related]
        Uploader(self.local, RemoteStore(self.backend), {}, UploadOptions(jobs=2)).run(
            [ToPush("file", content.oid, "m", lambda: names)]
        )

    def look(
        self, depth: CheckDepth = _ALL, *, local: LocalStore | None = None, only: slice = slice(None)
    ) -> RemoteHealth:
        self.backend.log.clear()
        remote = RemoteStore(self.backend)
        return RemoteChecker(remote, remote.listing(), local or self.local, depth).run(self.names[only])

    def empty(self) -> LocalStore:
        return LocalStore(str(self.tmp / "empty"))

    @property
    def packs(self) -> list[str]:
        return sorted((key for key in self.backend.objects if key.startswith("packs/")), key=self.size, reverse=True)

    def size(self, key: str) -> int:
        return len(self.backend.objects[key][0])

    def flip(self, key: str, at: int) -> None:
        data = bytearray(self.backend.objects[key][0])
        data[at] ^= 1
        self.backend._set(key, data)


def test_each_byte_is_read_once_however_many_versions_share_it(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=6)
    total = sum(map(remote.size, remote.packs))
    health = remote.look()
    assert (health.faults, health.packs, health.proven) == ({}, {}, set(remote.names))
    assert health.checked_bytes == health.needed_bytes
    assert health.needed_bytes < health.read_bytes < total + len(remote.packs) * packs._TAIL
    reads = [key for verb, key in remote.backend.log if verb == "read_ranges"]
    assert len(reads) <= 2 * len(remote.packs)
    assert len(remote.backend.log) == len(reads) + 1 + 6  # a listing, and a root for each version


def test_a_clone_that_has_nothing_proves_what_it_can_read_once(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=4)
    health = remote.look(local=remote.empty())
    assert health.faults == {}
    assert len(health.proven) == 1  # the others share most with it
    assert health.checked_bytes == health.needed_bytes
    assert health.read_bytes < 1.6 * sum(map(remote.size, remote.packs))
    assert remote.look(local=remote.empty(), only=slice(2, 3)).proven == {remote.names[2]}  # asked for alone
    (tmp_path / "other").mkdir()
    other = Remote(tmp_path / "other", versions=2, size=MIB * 3 // 4)  # two thirds are new
    health = other.look(local=other.empty())
    assert len(health.proven) == 2
    assert health.checked_bytes == health.needed_bytes < health.read_bytes


def test_what_this_clone_has_need_not_be_read_again_to_prove_a_whole(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=3)
    some = LocalStore(str(tmp_path / "some"))
    Downloader(some, RemoteStore(remote.backend), jobs=2).run(remote.names[:1])
    health = remote.look(local=some)
    assert len(health.proven) == 3
    assert health.read_bytes < 1.2 * sum(map(remote.size, remote.packs))


@pytest.mark.parametrize("mine", [True, False])
def test_a_damaged_chunk_is_found_and_those_who_need_it(tmp_path: Path, *, mine: bool) -> None:
    remote = Remote(tmp_path, versions=3)
    remote.flip(remote.packs[-1], 1000)  # what only the last versions have
    health = remote.look(local=remote.local if mine else remote.empty())
    assert 0 < len(health.faults) < 3
    assert {fault.gone for fault in health.faults.values()} == {False}
    (bad,) = health.packs.values()
    assert pack_key(bad.name) == remote.packs[-1]
    assert health.users[bad.name] == set(health.faults)
    assert not remote.look(CheckDepth(share=0)).faults  # structure alone does not see it


def test_a_chunk_whose_checksum_is_right_and_content_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(tmp_path, versions=1)
    remote.flip(remote.packs[0], 1000)
    monkeypatch.setattr("modelvc.store.objects.codec.xxhash.xxh3_64_intdigest", lambda _: _Same())
    assert remote.look().faults


class _Same:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_a_damaged_trailer_hurts_no_reader_and_is_made_again(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=2)
    key = remote.packs[0]
    whole = remote.backend.objects[key][0]
    length, _, _ = pack.parse_footer(whole[-pack.FOOTER.size :])
    start = len(whole) - pack.FOOTER.size - length
    salted = pack.encode_trailer(pack.Trailer(whole[start : start + length], start), b"s" * 16)  # another pack's
    for bad in (
        whole[:-1] + b"x",
        whole[:-44] + b"xxxx" + whole[-40:],
        whole[:-60] + b"x" + whole[-59:],
        whole[:start] + salted + pack.footer(salted),
    ):
        remote.backend._set(key, bad)
        health = remote.look()
        assert health.faults == {}
        (one,) = health.packs.values()
        assert "trailer" in one.why
        assert health.users[one.name] == set(remote.names)
        assert repair_remote_pack(remote.local, RemoteStore(remote.backend), one)
        assert remote.backend.objects[key][0] == whole
    assert not remote.look().packs


def test_a_pack_that_is_gone_cut_short_or_too_long(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=2)
    key = remote.packs[0]
    whole = remote.backend.objects[key][0]
    for left in (None, whole[:-1], b"", whole + b"more"):
        if left is None:
            del remote.backend.objects[key]
        else:
            remote.backend._set(key, left)
        for how in (CheckDepth(), CheckDepth(share=0)):
            health = remote.look(how)
            assert set(health.faults) == set(remote.names)
            assert {fault.gone for fault in health.faults.values()} == {left is None}
        assert repair_remote_pack(remote.local, RemoteStore(remote.backend), next(iter(health.packs.values())))
        assert remote.backend.objects[key][0] == whole


def test_good_chunks_in_the_wrong_order_are_another_content(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=1)
    content = read_content(remote.local, *remote.names[0], "m")
    cids, lengths = content.recipe.cids, content.recipe.lengths
    cids = cids[32:64] + cids[:32] + cids[64:]
    lengths[0], lengths[1] = lengths[1], lengths[0]
    other = LocalStore(str(tmp_path / "other"))
    Downloader(other, RemoteStore(remote.backend), jobs=2).run(remote.names)
    with StoreWriter(other) as writer:  # a writer that is wrong, or hostile
        writer.add(content._replace(recipe=Recipe(cids, lengths, content.recipe.spans)))
        writer.commit()
    root = other.read_root(*remote.names[0])
    assert not root.unproven
    del remote.backend.objects[root_key(*remote.names[0])]
    Uploader(other, RemoteStore(remote.backend), {}, UploadOptions(jobs=2)).run([ToPush(*remote.names[0], "m")])
    for local in (remote.local, remote.empty()):
        (fault,) = remote.look(local=local).faults.values()
        assert "not what it is made of" in fault.why
        assert not fault.gone


def test_good_chunks_of_something_else_are_no_proof(tmp_path: Path) -> None:
    """Under two names, so that for the second all of it was read before."""
    remote = Remote(tmp_path, versions=1)
    root = rootformat.parse(remote.backend.objects[root_key(*remote.names[0])][0])
    names = [("file", Oid(bytes([number]) * 32)) for number in (1, 2)]
    for name in names:
        remote.backend._set(root_key(*name), replace(root, oid=name[1]).encode())
    store = RemoteStore(remote.backend)

    def look(depth: CheckDepth) -> RemoteHealth:
        return RemoteChecker(store, store.listing(), remote.empty(), depth).run(names)

    usual = look(CheckDepth())
    assert (len(usual.faults), usual.proven) == (1, set())
    whole = look(CheckDepth(whole=True))
    assert (set(whole.faults), whole.proven) == (set(names), set())
    fetched = LocalStore(str(tmp_path / "fetched"))  # nobody hashed the whole yet
    Downloader(fetched, store, jobs=2).run(names)
    assert RemoteChecker(store, store.listing(), fetched, CheckDepth(share=0.0)).run(names).proven == set()


def test_a_sample_is_a_random_share_of_the_bytes(tmp_path: Path) -> None:
    remote = Remote(tmp_path, versions=2, size=24 * MIB)
    seen = set()
    for _ in range(8):
        health = remote.look(CheckDepth(share=0.1))
        assert 0.04 <= health.checked_bytes / health.needed_bytes < 0.16
        assert health.read_bytes < 0.4 * health.needed_bytes
        seen.add(health.checked_bytes)
    assert len(seen) > 1
    assert remote.look(CheckDepth(share=1e-9)).checked_bytes > 0  # one chunk at the least


def test_how_often_a_sample_finds_damage(tmp_path: Path) -> None:
    """As docs/cli.md says: 1 - (1 - share) ** damaged."""
    rng = random.Random(7)
    chunks, damaged, share = 400, 10, 0.05
    found = 0
    for _ in range(2_000):
        choose = packs.share_of(chunks * 1000, share, rng)
        found += any([choose(1000) for _ in range(chunks)][:damaged])
    assert 0.35 < found / 2_000 < 0.46  # 0.40


def test_a_clean_up_at_the_same_time_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pack goes, and the root names another, after the first root was read."""
    remote = Remote(tmp_path, versions=1)
    old = remote.backend.objects[remote.packs[0]][0]
    key = root_key(*remote.names[0])
    before = remote.backend.objects[key]
    gone = remote.packs[0]
    monkeypatch.setattr("modelvc.store.transfer.pack_sender.PACK", 3 * MIB)
    del remote.backend.objects[gone]
    remote.push(remote.contents[0])
    after = remote.backend.objects[key]
    remote.backend.objects[key] = before
    remote.backend.objects[gone] = (old, "e0")
    remote.backend.times[gone] = 1.0

    def read(name: str, *, limit: int):
        found = DictBackend.read(remote.backend, name, limit=limit)
        if name == key and gone in remote.backend.objects:
            del remote.backend.objects[gone]
            remote.backend.objects[key] = after
        return found

    monkeypatch.setattr(remote.backend, "read", read)
    health = remote.look()
    assert gone not in remote.backend.objects
    assert health.faults == {}

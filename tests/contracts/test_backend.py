"""The one suite for every backend. A new one adds a maker to MAKERS."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from modelvc.errors import KeyMissing, RemoteBusy, RemoteChanged, RemoteDenied, RemoteError
from modelvc.store.backends import RemoteOptions, open_backend
from modelvc.store.backends.generic import GenericBackend
from modelvc.store.backends.probe import Probe, probe
from modelvc.store.backends.s3body import PiecewiseBody, request_body
from tests.support import azurite, s3, sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from modelvc.store.backends.api import Backend, Data
    from modelvc.store.backends.s3 import S3Backend

MIB = 1 << 20
PACK = "packs/ab/" + "ab" * 32
ROOT = "b/cd/" + "cd" * 32
THREADS = 16
TURNS = 3  # few: SeaweedFS makes writers of one key wait whole seconds for each other
_A = TypeVar("_A")
_B = TypeVar("_B")


@dataclass
class Store:
    """An empty store; `open` gives one more backend on it, as another process would have."""

    kind: str
    make: Callable[[], Backend]
    opened: list[Backend]
    backend: Backend

    def open(self) -> Backend:
        self.opened.append(self.make())
        return self.opened[-1]


def _memory(_tmp_path: Path, _monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    name = uuid.uuid4().hex
    return lambda: open_backend(f"memory://{name}", RemoteOptions())


def _folder(tmp_path: Path, _monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    return lambda: open_backend(str(tmp_path / "store"), RemoteOptions())


_buckets: list[str] = []


def _s3(_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    server = s3.shared()
    s3.clean_environment(server, monkeypatch)
    if not _buckets:
        s3.make_bucket(server, "mvc-contract")
        _buckets.append("mvc-contract")
    prefix = f"team/{uuid.uuid4().hex}"
    return lambda: open_backend(f"s3://mvc-contract/{prefix}", RemoteOptions(endpoint_url=server.endpoint_url))


def _sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    monkeypatch.setenv("HOME", sshd.shared().home)
    return lambda: open_backend(f"sftp://mvc-test{tmp_path}/store", RemoteOptions())


def _generic(tmp_path: Path, _monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    from fsspec.implementations.local import LocalFileSystem

    root = str(tmp_path / "store")
    return lambda: GenericBackend("test://store", root, lambda: LocalFileSystem(skip_instance_cache=True), atomic=False)


def _plain_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    """A server that honours neither conditions nor checksums, as far as the backend is told."""
    make = _s3(tmp_path, monkeypatch)

    def plain() -> Backend:
        backend = make()
        backend.rely_on(replace(backend.capabilities, conditional=False, checksums=False))  # type: ignore[attr-defined]
        return backend

    return plain


def _azure(_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Backend]:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.shared().connection)
    url = f"az://models/{uuid.uuid4().hex}"
    return lambda: open_backend(url, RemoteOptions())


MAKERS = {
    "memory": _memory,
    "folder": _folder,
    "s3": _s3,
    "plain s3": _plain_s3,
    "sftp": _sftp,
    "generic": _generic,
}


if azurite.found():  # by hand: it is a package of npm
    MAKERS["azure"] = _azure


@pytest.fixture(params=MAKERS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    make = MAKERS[request.param](tmp_path, monkeypatch)
    first = make()
    found = Store(request.param, make, [first], first)
    yield found
    for backend in found.opened:
        backend.close()


@pytest.fixture
def backend(store: Store) -> Backend:
    return store.backend


@pytest.fixture
def conditional(store: Store) -> Store:
    if not store.backend.capabilities.conditional:
        pytest.skip(f"{store.kind} promises no conditions")
    return store


# -- one key


def test_what_was_created_is_read(backend: Backend):
    made = backend.create(ROOT, b"hello")
    data, entry = backend.read(ROOT, limit=100)
    assert data == b"hello"
    assert (entry.key, entry.size, entry.etag) == (ROOT, 5, made.etag)
    assert (made.key, made.size) == (ROOT, 5)
    assert abs(entry.mtime - time.time()) < 60
    assert abs(made.mtime - entry.mtime) < 2


def test_create_refuses_a_key_that_is_there(backend: Backend):
    backend.create("config", b"first")
    with pytest.raises(RemoteChanged):
        backend.create("config", b"second")
    assert backend.read("config", limit=100)[0] == b"first"


def test_put_overwrites(backend: Backend):
    first = backend.put(PACK, b"first")
    second = backend.put(PACK, b"second")
    assert backend.read(PACK, limit=100)[0] == b"second"
    assert first.etag != second.etag


def test_replace_needs_the_etag_it_was_given(backend: Backend):
    first = backend.create(ROOT, b"one")
    second = backend.replace(ROOT, b"three", first.etag)
    with pytest.raises(RemoteChanged):
        backend.replace(ROOT, b"lost", first.etag)
    assert backend.read(ROOT, limit=100) == (b"three", backend.stat([ROOT])[ROOT])
    backend.replace(ROOT, b"fourth", second.etag)
    assert backend.read(ROOT, limit=100)[0] == b"fourth"


def test_replace_refuses_a_key_that_is_gone(backend: Backend):
    made = backend.create(ROOT, b"one")
    backend.delete(ROOT, None)
    with pytest.raises(RemoteChanged):
        backend.replace(ROOT, b"two", made.etag)
    assert backend.stat([ROOT]) == {}


def test_delete_needs_the_etag_if_one_is_given(backend: Backend):
    first = backend.create(ROOT, b"one")
    second = backend.replace(ROOT, b"three", first.etag)
    with pytest.raises(RemoteChanged):
        backend.delete(ROOT, first.etag)
    assert ROOT in backend.stat([ROOT])
    backend.delete(ROOT, second.etag)
    assert backend.stat([ROOT]) == {}


def test_deleting_what_is_gone_is_done(backend: Backend):
    backend.delete(ROOT, None)
    made = backend.create(ROOT, b"one")
    backend.delete(ROOT, None)
    backend.delete(ROOT, made.etag)
    backend.delete(ROOT, None)


def test_one_etag_everywhere(backend: Backend):
    made = backend.create(ROOT, b"hello")
    assert backend.stat([ROOT])[ROOT].etag == made.etag
    assert backend.read(ROOT, limit=9)[1].etag == made.etag
    assert [entry.etag for entry in backend.list("b/")] == [made.etag]
    backend.replace(ROOT, b"again", next(backend.list("b/")).etag)


def test_other_bytes_have_another_etag(backend: Backend):
    """Equal bytes may have equal etags: S3's are hashes."""
    etags = {backend.put(PACK, bytes([i])).etag for i in range(20)}
    assert len(etags) == 20 or not backend.capabilities.conditional


@pytest.mark.parametrize(
    "data", [b"", bytearray(b"abc"), memoryview(b"xabcx")[1:4]], ids=["empty", "bytearray", "view"]
)
def test_every_kind_of_bytes(backend: Backend, data: Data):
    backend.create(ROOT, data)
    assert backend.read(ROOT, limit=10)[0] == bytes(data)
    backend.put(ROOT, data)
    assert backend.stat([ROOT])[ROOT].size == len(data)


def test_missing_keys(backend: Backend):
    with pytest.raises(KeyMissing):
        backend.read("config", limit=10)
    with pytest.raises(KeyMissing):
        backend.read_ranges(PACK, [(0, 10)])
    assert backend.stat(["config", PACK]) == {}


def test_stat_gives_those_that_are_there(backend: Backend):
    backend.create("config", b"1")
    backend.create(ROOT, b"22")
    found = backend.stat(["config", ROOT, PACK])
    assert {key: entry.size for key, entry in found.items()} == {"config": 1, ROOT: 2}
    assert backend.stat([]) == {}


def test_read_refuses_what_is_larger_than_its_limit(backend: Backend):
    backend.create(ROOT, b"x" * 100)
    assert backend.read(ROOT, limit=100)[1].size == 100
    with pytest.raises(RemoteError, match="more than 99 bytes"):
        backend.read(ROOT, limit=99)


BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    "A",
    "a.b",
    ".lock",
    "a\0b",
    "a\n",
    "ü",
    "a b",
    "a\\b",
    "x" * 2000,
]


def test_bad_keys_reach_no_server(backend: Backend):
    before = backend.requests
    for key in BAD_KEYS:
        attempts = (
            lambda key=key: backend.create(key, b""),
            lambda key=key: backend.put(key, b""),
            lambda key=key: backend.replace(key, b"", "e"),
            lambda key=key: backend.delete(key, None),
            lambda key=key: backend.read(key, limit=1),
            lambda key=key: backend.read_ranges(key, [(0, 1)]),
            lambda key=key: backend.stat([key]),
        )
        for attempt in attempts:
            with pytest.raises(RemoteError, match="cannot be a key"):
                attempt()
    for prefix in ("a", "/", "../", "a//", "A/", "a/../"):
        with pytest.raises(RemoteError, match="cannot be a prefix"):
            list(backend.list(prefix))
    assert backend.requests == before


# -- ranges


def test_ranges_in_any_order_with_overlaps_and_gaps(backend: Backend):
    data = random.Random(1).randbytes(3 * MIB)
    backend.put(PACK, data)
    ranges = [(2 * MIB, 100), (0, 1), (5, 0), (10, 1000), (500, 1000), (3 * MIB - 7, 7), (0, len(data))]
    assert [bytes(part) for part in backend.read_ranges(PACK, ranges)] == [data[a : a + n] for a, n in ranges]
    assert list(backend.read_ranges(PACK, [])) == []


def test_many_ranges(backend: Backend):
    data = random.Random(2).randbytes(2 * MIB)
    backend.put(PACK, data)
    rng = random.Random(3)
    ranges = [(rng.randrange(len(data) - 64), rng.randrange(64)) for _ in range(1000)]
    assert [bytes(part) for part in backend.read_ranges(PACK, ranges)] == [data[a : a + n] for a, n in ranges]


def test_a_range_past_the_end_is_an_error(backend: Backend):
    backend.put(PACK, b"0123456789")
    for wrong in ((0, 11), (10, 1), (5, 6), (1000, 1), (1 << 40, 1)):
        with pytest.raises(RemoteError, match="shorter than expected") as caught:
            backend.read_ranges(PACK, [(0, 1), wrong])
        assert not isinstance(caught.value, KeyMissing)


def test_a_big_object(backend: Backend):
    data = random.Random(4).randbytes(MIB) * 40
    assert backend.put(PACK, bytearray(data)).size == 40 * MIB
    (found,) = backend.read_ranges(PACK, [(0, 40 * MIB)])
    assert found == data
    assert backend.read_ranges(PACK, [(39 * MIB - 3, 10)]) == [data[39 * MIB - 3 :][:10]]


# -- listings


def test_an_empty_store(backend: Backend):
    assert list(backend.list("")) == []
    assert list(backend.list("packs/")) == []
    assert list(backend.list("gc/doomed/")) == []


def test_a_listing_has_the_keys_below_its_prefix_only(backend: Backend):
    keys = {"config", ROOT, PACK, "b/ce/" + "ce" * 32, "gc/doomed/00000001"}
    for key in keys:
        backend.create(key, key.encode())
    listed = {entry.key: entry for entry in backend.list("")}
    assert listed.keys() == keys
    assert all(entry.size == len(key) and abs(entry.mtime - time.time()) < 60 for key, entry in listed.items())
    assert {entry.key for entry in backend.list("b/")} == {key for key in keys if key.startswith("b/")}
    assert {entry.key for entry in backend.list("b/cd/")} == {ROOT}
    assert {entry.key for entry in backend.list("gc/doomed/")} == {"gc/doomed/00000001"}


def test_a_long_listing(store: Store):
    if store.kind == "sftp":
        pytest.skip("the walk is tested above; 2,500 files over SFTP take too long")
    backend, keys = store.backend, {f"b/{i % 256:02x}/{i:064x}" for i in range(2500)}
    _in_threads(lambda key: backend.put(key, b"x"), sorted(keys))
    before = backend.requests
    assert {entry.key for entry in backend.list("b/")} == keys
    if store.kind == "s3":
        assert backend.requests - before == 3


# -- many at once


def test_one_of_many_creates_wins(conditional: Store):
    backends = [conditional.open() for _ in range(4)]
    for turn in range(TURNS):
        key = f"b/{turn:02x}/{turn:064x}"
        wins = _in_threads(lambda i, key=key: _won(lambda: backends[i % 4].create(key, b"%d" % i)), range(THREADS))
        winners = [i for i, won in enumerate(wins) if won]
        assert len(winners) == 1
        assert backends[0].read(key, limit=9)[0] == b"%d" % winners[0]


def test_one_of_many_replaces_wins(conditional: Store):
    backends = [conditional.open() for _ in range(4)]
    entry = backends[0].create(ROOT, b"start")
    for _ in range(TURNS):
        wins = _in_threads(
            lambda i, etag=entry.etag: _won(lambda: backends[i % 4].replace(ROOT, os.urandom(16), etag)), range(THREADS)
        )
        assert wins.count(True) == 1
        entry = backends[0].stat([ROOT])[ROOT]


def test_a_delete_never_takes_what_was_replaced(conditional: Store):
    backends = [conditional.open() for _ in range(2)]
    for turn in range(20):
        key = f"b/{turn:02x}/{turn:064x}"
        entry = backends[0].create(key, b"old")
        attempts = [lambda k=key, e=entry: backends[0].replace(k, b"newer", e.etag)]
        attempts.append(lambda k=key, e=entry: backends[1].delete(k, e.etag))
        replaced, deleted = _in_threads(lambda i, tries=attempts: _won(tries[i]), range(2))
        assert replaced != deleted
        assert (key in backends[0].stat([key])) == replaced


def test_readers_see_old_or_new_and_never_between(store: Store):
    reader, sizes = store.open(), (1000, 300_000)
    versions = [bytes([65 + i]) * sizes[i % 2] for i in range(8)]
    store.backend.put(ROOT, versions[0])
    done = threading.Event()

    def read() -> int:
        count = 0
        while not done.is_set() or not count:
            data, entry = reader.read(ROOT, limit=MIB)
            assert data in versions
            assert entry.size == len(data)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for version in versions * 3:
            store.backend.put(ROOT, version)
        done.set()
        assert all(one.result() for one in readers)


def test_many_threads_share_a_backend(backend: Backend):
    keys = [f"packs/{i:02x}/{i:064x}" for i in range(64)]
    _in_threads(lambda key: backend.put(key, key.encode() * 1000), keys)
    found = _in_threads(lambda key: bytes(backend.read_ranges(key, [(0, 73)])[0]), keys)
    assert found == [(key.encode() * 2)[:73] for key in keys]


# -- the rest


def test_the_clock(backend: Backend):
    assert abs(backend.now() - time.time()) < 3
    made = backend.create("config", b"")
    assert abs(backend.now() - made.mtime) < 3
    assert abs(backend.now(write=False) - time.time()) < 3


def test_the_probe(store: Store):
    holds = store.backend.capabilities.conditional
    assert probe(store.backend) == Probe(holds, holds, holds)
    assert list(store.backend.list("")) == []


def test_names_and_closing(store: Store):
    assert store.backend.name
    store.backend.create("config", b"1")
    store.backend.close()
    store.backend.close()
    assert store.open().read("config", limit=1)[0] == b"1"


# -- only S3


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Backend]:
    backend = _s3(tmp_path, monkeypatch)()
    backend.stat(["config"])  # connected
    yield backend
    backend.close()


def test_s3_one_call_is_one_request(bucket: S3Backend):
    data = b"x" * (3 * MIB)

    def cost(call: Callable[[], object]) -> int:
        before = bucket.requests
        call()
        return bucket.requests - before

    assert cost(lambda: bucket.create(PACK, data)) == 1
    assert cost(lambda: bucket.put(PACK, data)) == 1
    assert cost(lambda: bucket.read(PACK, limit=4 * MIB)) == 1
    assert cost(lambda: bucket.read_ranges(PACK, [(0, 10), (400_000, 10), (3 * MIB - 1, 1)])) == 2
    assert cost(lambda: list(bucket.list(""))) == 1
    assert cost(lambda: bucket.stat([PACK, ROOT])) == 2
    assert cost(bucket.now) == 0
    etag = bucket.stat([PACK])[PACK].etag
    assert cost(lambda: bucket.replace(PACK, b"y", etag)) == 1
    assert cost(lambda: bucket.delete(PACK, None)) == 1


def test_s3_foreign_keys_are_not_listed(bucket: S3Backend):
    bucket.create("config", b"1")
    bucket._wait(lambda: bucket._call("put_object", "packs/", Body=b""))
    bucket._wait(lambda: bucket._call("put_object", "README.md", Body=b""))
    assert [entry.key for entry in bucket.list("")] == ["config"]


@pytest.mark.parametrize("checksums", [True, False], ids=["checksum", "MD5"])
def test_s3_a_damaged_upload_is_refused_by_the_server(
    bucket: S3Backend,
    monkeypatch: pytest.MonkeyPatch,
    checksums: bool,  # noqa: FBT001
):
    from modelvc.store.backends import retry
    from modelvc.store.backends import s3 as module

    def other(data: Data, *, checksums: bool) -> dict[str, object]:
        return {**request_body(b"other", checksums=checksums), "Body": PiecewiseBody(data)}

    monkeypatch.setattr(retry, "DELAYS", ())
    monkeypatch.setattr(module, "request_body", other)
    bucket.rely_on(replace(bucket.capabilities, checksums=checksums))
    with pytest.raises(RemoteError):
        bucket.put(PACK, b"something")
    assert bucket.stat([PACK]) == {}


def test_s3_no_bucket(bucket: S3Backend):
    other = open_backend("s3://mvc-nowhere/x", bucket._options)
    with pytest.raises(RemoteError, match="there is no bucket mvc-nowhere") as caught:
        other.read("config", limit=10)
    other.close()
    assert not isinstance(caught.value, KeyMissing)
    assert "aws s3 mb s3://mvc-nowhere" in caught.value.hint


def test_s3_a_reader_may_not_write(bucket: S3Backend, monkeypatch: pytest.MonkeyPatch):
    bucket.create("config", b"1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.READER)
    reader = open_backend(bucket.name, bucket._options)
    assert reader.read("config", limit=1)[0] == b"1"
    for data in (b"small", b"x" * (8 * MIB)):
        with pytest.raises(RemoteDenied) as caught:
            reader.put(PACK, data)
        assert "s3:PutObject" in caught.value.hint
    reader.close()


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")])
def test_s3_wrong_credentials(bucket: S3Backend, monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    other = open_backend(bucket.name, bucket._options)
    with pytest.raises(RemoteDenied, match="does not accept these credentials") as caught:
        other.read("config", limit=1)
    other.close()
    assert "AWS_PROFILE" in caught.value.hint
    assert s3.SECRET not in str(caught.value)


def test_s3_no_credentials(bucket: S3Backend, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    other = open_backend(bucket.name, bucket._options)
    with pytest.raises(RemoteDenied, match="no credentials") as caught:
        other.read("config", limit=1)
    other.close()
    assert "aws configure" in caught.value.hint


def test_s3_unknown_profile(bucket: S3Backend):
    options = RemoteOptions(endpoint_url=bucket._options.endpoint_url, profile="nobody")
    with pytest.raises(RemoteDenied, match="nobody"):
        open_backend(bucket.name, options).read("config", limit=1)


@pytest.mark.usefixtures("bucket")
def test_s3_nobody_listens():
    other = open_backend("s3://b/x", RemoteOptions(endpoint_url="http://127.0.0.1:9"))
    start = time.monotonic()
    with pytest.raises(RemoteError, match=r"cannot reach http://127.0.0.1:9"):
        other.read("config", limit=1)
    other.close()
    assert time.monotonic() - start < 5


# -- only folders


def test_a_folder_holds_nothing_but_keys(tmp_path: Path):
    backend = open_backend(str(tmp_path / "store"), RemoteOptions())
    backend.create("config", b"1")
    with pytest.raises(RemoteChanged):
        backend.create("config", b"2")
    with pytest.raises(RemoteChanged):
        backend.replace("config", b"2", "wrong")
    backend.now()
    backend.close()
    assert sorted(os.listdir(tmp_path / "store")) == [".lock", "config"]


def test_a_folder_takes_no_memory_for_what_is_not_there(tmp_path: Path):
    folder = open_backend(str(tmp_path / "store"), RemoteOptions())
    folder.put("config", b"short")
    with pytest.raises(RemoteError, match="shorter than expected"):
        folder.read_ranges("config", [(0, 1 << 60)])
    folder.close()


@pytest.mark.parametrize("planted", ["packs", "packs/ab", PACK])
def test_a_folder_follows_no_link(tmp_path: Path, planted: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    link = tmp_path / "store" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "secret" if planted == PACK else outside)
    backend = open_backend(str(tmp_path / "store"), RemoteOptions())
    with pytest.raises(RemoteError):
        backend.read(PACK, limit=100)
    with pytest.raises(RemoteError):
        backend.create(PACK, b"new")
    assert list(backend.list("")) == []
    backend.close()
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_folder_is_not_made_where_a_drive_is_missing(tmp_path: Path):
    backend = open_backend(str(tmp_path / "mnt" / "store"), RemoteOptions())
    for attempt in (lambda: list(backend.list("")), lambda: backend.put("config", b""), backend.now):
        with pytest.raises(RemoteError, match="there is no folder") as caught:
            attempt()
        assert "mounted" in caught.value.hint
    assert not (tmp_path / "mnt").exists()


def test_a_folder_sweeps_what_dead_writers_left(tmp_path: Path):
    for name, age in ((".new-1-dead", 90_000), (".new-2-live", 60)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    backend = open_backend(str(tmp_path), RemoteOptions())
    backend.create("config", b"1")
    assert [entry.key for entry in backend.list("")] == ["config"]
    backend.close()
    assert sorted(os.listdir(tmp_path)) == [".lock", ".new-2-live", "config"]


@pytest.mark.parametrize("verb", ["create", "put", "replace", "delete"])
def test_a_folder_decides_under_its_lock(tmp_path: Path, verb: str):
    import fcntl

    backend = open_backend(str(tmp_path), RemoteOptions())
    etag = backend.create(ROOT, b"old").etag
    work = {
        "create": lambda: backend.create(PACK, b"new"),
        "put": lambda: backend.put(ROOT, b"new"),
        "replace": lambda: backend.replace(ROOT, b"new", etag),
        "delete": lambda: backend.delete(ROOT, etag),
    }[verb]
    before = {entry.key: entry for entry in backend.list("")}
    with open(tmp_path / ".lock", "rb") as other, ThreadPoolExecutor(1) as pool:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = pool.submit(work)
        time.sleep(0.1)
        assert {entry.key: entry for entry in backend.list("")} == before
        fcntl.flock(other, fcntl.LOCK_UN)
        waiting.result()
    assert {entry.key: entry for entry in backend.list("")} != before
    backend.close()


def test_sftp_refuses_a_host_it_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server = sshd.shared()
    monkeypatch.setenv("HOME", str(tmp_path))
    backend = open_backend(f"sftp://127.0.0.1:{server.port}{tmp_path}/store", RemoteOptions())
    with pytest.raises(RemoteDenied, match="host key"):
        backend.read("config", limit=1)


def _won(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except RemoteChanged:
        return False
    return True


def _in_threads(work: Callable[[_A], _B], items: Iterable[_A]) -> list[_B]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def test_a_file_that_changes_while_it_is_read_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from fsspec.implementations.local import LocalFileSystem

    class Restless(LocalFileSystem):
        """Each look at a file but the last few finds it rewritten."""

        left = 15

        def info(self, path: str, **kwargs: object) -> dict[str, object]:
            found = dict(super().info(path, **kwargs))
            Restless.left -= 1
            return found if self.left < 0 else {**found, "mtime": float(self.left)}

    monkeypatch.setattr("modelvc.store.backends.retry.DELAYS", (0.01,) * 4)
    root = str(tmp_path / "store")
    backend = GenericBackend("test://store", root, lambda: Restless(skip_instance_cache=True), atomic=False)
    backend.put(ROOT, b"whole")
    assert backend.read(ROOT, limit=MIB)[0] == b"whole"
    Restless.left = 10_000
    with pytest.raises(RemoteBusy, match="keeps changing"):
        backend.read(ROOT, limit=MIB)

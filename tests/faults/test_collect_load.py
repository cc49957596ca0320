"""Pushes, fetches and clean-ups at once, for a while, on a real S3 server and in a folder, with a grace of seconds.

What tests/properties/test_collect.py tries in every order, with real clocks, etags and threads. MVC_SECONDS=600 for as
long as one likes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import RemoteBusy
from modelvc.ids import ObjectName
from modelvc.store.backends import RemoteOptions, open_backend
from modelvc.store.local.store import LocalStore
from modelvc.store.remote.store import RemoteStore
from modelvc.store.remote_gc.gc import Gc
from modelvc.store.remote_gc.survey import GcRules
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support import s3
from tests.support.stores import add_bytes, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from modelvc.ids import Oid

SECONDS = float(os.environ.get("MVC_SECONDS", "14"))
GRACE = 3.0  # seconds; a push that takes more than a quarter of it looks again
KIB = 1 << 10


class Load:
    """Versions that share chunks; a few are named by a ref at each moment, and every one of those must be whole."""

    def __init__(self, folder: Path, url: str, options: RemoteOptions) -> None:
        self.folder, self.url, self.options = folder, url, options
        self.local = LocalStore(str(folder / "local"))
        chance = random.Random(5)
        parts = [chance.randbytes(200 * KIB) for _ in range(8)]
        self.versions = [
            add_bytes(self.local, folder, b"".join(chance.sample(parts, 3)) + chance.randbytes(60 * KIB)).oid
            for _ in range(30)
        ]
        self.refs: dict[Oid, int] = {}  # each with how often it was named
        self.named: Counter[Oid] = Counter()
        self.lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.end = time.monotonic() + SECONDS

    def run(self) -> None:
        work = (self.push, self.push, self.collect, self.collect, self.fetch)
        with ThreadPoolExecutor(len(work)) as pool:
            for future in [pool.submit(one, random.Random(seed)) for seed, one in enumerate(work)]:
                future.result()

    def open(self) -> RemoteStore:
        return RemoteStore(open_backend(self.url, self.options))

    def count(self, what: str, more: int = 1) -> None:
        with self.lock:
            self.done[what] += more

    def push(self, chance: random.Random) -> None:
        """Push two versions, which share a pack, and name one of them by a ref at once; or drop a ref."""
        remote = self.open()
        related = [("file", oid) for oid in self.versions]
        while time.monotonic() < self.end:
            with self.lock:
                named = list(self.refs)
                if len(named) > 3:
                    del self.refs[chance.choice(named)]
                    continue
            oid, other = chance.sample(self.versions, 2)
            here = oid not in named or chance.random() < 0.7
            wanted = [ToPush("file", one, "model", lambda: chance.sample(related, 16)) for one in (oid, other)]
            if not here:  # a clone that has not got it relies on what is there
                wanted = [wanted[0]._replace(here=False)]
            try:
                done = Uploader(self.local, remote, {}, UploadOptions(2, GRACE)).run(wanted)
            except RemoteBusy:
                self.count("push again")
                continue
            if done.absent:
                assert not here
                continue
            with self.lock:
                self.named[oid] += 1
                self.refs[oid] = self.named[oid]
            self.count("pushed")
            time.sleep(chance.random())
        remote.close()

    def collect(self, chance: random.Random) -> None:
        remote = self.open()
        while time.monotonic() < self.end:
            try:
                done = Gc(remote, GcRules(self.reached, GRACE, jobs=2)).run()
            except RemoteBusy:
                self.count("collect again")
            else:
                self.count("deleted", done.deleted)
                self.count("moved", bool(done.copied_bytes))
            time.sleep(chance.random())
        remote.close()

    def reached(self) -> set[ObjectName]:
        with self.lock:
            return {("file", oid) for oid in self.refs}

    def fetch(self, chance: random.Random) -> None:
        """Whatever was named by a ref all the time comes, and is what its name says."""
        remote = self.open()
        while time.monotonic() < self.end:
            self.fetch_one(chance, remote)
        for oid in list(self.refs):
            assert self.came(oid, remote), f"{oid.short} is named and not there"
        remote.close()

    def fetch_one(self, chance: random.Random, remote: RemoteStore) -> None:
        with self.lock:
            named = dict(self.refs)
        if not named:
            time.sleep(0.1)
            return
        oid = chance.choice(list(named))
        came = self.came(oid, remote)
        with self.lock:
            still = self.refs.get(oid) == named[oid]
        assert came or not still, f"{oid.short} is named and did not come"
        self.count("fetched", came)

    def came(self, oid: Oid, remote: RemoteStore) -> bool:
        place = self.folder / f"reader-{os.urandom(4).hex()}"
        reader = LocalStore(str(place))
        try:
            if ("file", oid) not in Downloader(reader, remote, jobs=2).run([("file", oid)]).came:
                return False
            read_bytes(reader, oid)
        finally:
            reader.close()
        return True


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_what_refs_name_is_always_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    url, options = str(tmp_path / "far"), RemoteOptions()
    if place == "s3":
        server = s3.shared()
        s3.clean_environment(server, monkeypatch)
        s3.make_bucket(server, "load")
        url, options = f"s3://load/{os.urandom(4).hex()}", RemoteOptions(endpoint_url=server.endpoint_url)
    load = Load(tmp_path, url, options)
    load.run()
    print(place, dict(load.done))
    assert load.done["pushed"] >= 3
    assert load.done["fetched"] >= 3
    assert load.done["deleted"] >= 1

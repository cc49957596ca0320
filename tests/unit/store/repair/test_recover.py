"""Single chunks are taken from a remote for as long as it answers, and what came is kept."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelvc.errors import RemoteBusy
from modelvc.ids import ObjectName
from modelvc.store.local.store import LocalStore
from modelvc.store.remote.store import RemoteStore
from modelvc.store.repair.recover import recover_chunks
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support.stores import DictBackend, add_bytes


class Dying(DictBackend):
    """Gives the bytes of so many packs; then it is busy for good."""

    gives = 1

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        found = super().read_ranges(key, ranges)
        self.gives -= 1
        if self.gives < 0:
            raise RemoteBusy("no answer in time", hint="run the command again")
        return found


def test_a_remote_that_breaks_off_is_not_asked_again_and_what_came_stays(tmp_path: Path) -> None:
    local, empty = LocalStore(str(tmp_path / "local")), LocalStore(str(tmp_path / "empty"))
    backend = Dying()
    names: list[ObjectName] = []
    wanted: set[bytes] = set()
    for seed in range(5):
        content = add_bytes(local, tmp_path, random.Random(seed).randbytes(100_000))
        names.append(("file", content.oid))
        wanted |= {cid for cid, _ in content.recipe}
        Uploader(local, RemoteStore(backend), {}, UploadOptions(jobs=1)).run([ToPush("file", content.oid, "m")])
    backend.log.clear()
    left = set(wanted)
    with pytest.raises(RemoteBusy):
        recover_chunks(empty, RemoteStore(backend), left, names)
    assert len(backend.log) == 4  # two roots, each with a pack
    assert len(left) == len(wanted) - 1
    for cid in wanted - left:
        assert empty.read_chunk(cid)

"""Commands near the limits of docs/format.md: nothing is written that no reader accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelvc.formats import limits, pack
from modelvc.ops.add import add
from modelvc.ops.fsck import Depth, fsck
from modelvc.ops.gc import Rules, apply_gc
from modelvc.repo import Repo, open_repo
from modelvc.store import packfile
from tests.support.clone import Clone

FEW = 20


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def few_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a pack holds FEW chunks of one encoding."""
    monkeypatch.setattr(limits, "TRAILER", 26 + 3 + FEW * pack.RECORD.size)


def counts(clone: Clone) -> list[int]:
    store = opened(clone).store
    return [packfile.open_trailer(store.root, name).count for name, _ in store.packs()]


@pytest.fixture
def folder(tmp_path: Path) -> Clone:
    """A folder of 3 x FEW files in one pack."""
    clone = Clone.new(tmp_path / "clone")
    for number in range(3 * FEW):
        clone.write(f"data/{number}.bin", b"%d" % number)
    add(opened(clone), ["data"])
    clone.git("commit", "-qm", "all")
    return clone


def test_gc_merges_small_packs_as_several(folder: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        folder.write("data/more.bin", b"more %d" % number)
        add(opened(folder), ["data"])
        folder.git("commit", "-qam", "more")
    assert sorted(counts(folder)) == [1, 1, 3 * FEW]
    most = 3 * FEW + 1
    monkeypatch.setattr(limits, "TRAILER", 26 + 3 + most * pack.RECORD.size)
    monkeypatch.setattr("modelvc.store.compact.MANY", 2)
    apply_gc(opened(folder), Rules(0))
    assert sorted(counts(folder)) == [1, most]
    assert not fsck(opened(folder)).problems


def test_fsck_names_a_pack_over_the_limit_and_brings_its_chunks_back(
    folder: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_chunks(monkeypatch)
    found = fsck(opened(folder), (), Depth(quick=True))
    (packed,) = [problem for problem in found.problems if "pack " in problem.what]
    assert "is too large" in packed.what
    done = fsck(opened(folder), (), Depth(repair=True))
    assert done.open == ()
    assert max(counts(folder)) == FEW
    assert not fsck(opened(folder)).problems

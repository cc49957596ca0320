from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from modelvc.ops.tracking.add import add
from modelvc.ops.upkeep.stats import ModelStats, StoreStats, stats
from modelvc.repo import open_repo
from modelvc.store.objects import codec
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone", mvc=False)
    (found.path / ".git/mvc").mkdir()
    return found


def keep(clone: Clone, name: str, data: bytes) -> None:
    clone.write(name, data)
    add(open_repo(str(clone.path), {}), [name])
    clone.git("add", "-A")
    clone.git("commit", "-qm", name)


def look(clone: Clone) -> StoreStats:
    return stats(open_repo(str(clone.path), {}))


def row(found: StoreStats, path: str) -> ModelStats:
    return next(model for model in found.models if model.path == path)


def adds_up(model: ModelStats) -> bool:
    return model.logical == model.kept + model.saved_by_dedup + model.saved_by_compression


def test_an_empty_store(clone: Clone) -> None:
    found = look(clone)
    assert found.models == ()
    assert (found.size, found.packs, found.total.versions) == (0, 0, 0)


def test_versions_share_what_did_not_change(clone: Clone) -> None:
    old = noise(8 * MIB)
    keep(clone, "a.bin", old)
    keep(clone, "a.bin", old + noise(MIB, 1))
    found = row(look(clone), "a.bin")
    assert (found.versions, found.here, found.logical) == (2, 2, 17 * MIB)
    assert found.saved_by_dedup > 6 * MIB
    assert found.saved_by_compression == 0
    assert found.shared == 0
    assert adds_up(found)


def test_models_that_share_are_counted_once_in_the_total(clone: Clone) -> None:
    keep(clone, "a.bin", noise(4 * MIB))
    keep(clone, "b.bin", noise(4 * MIB))
    keep(clone, "c.txt", b"".join(b"%d\n" % i for i in range(300_000)))
    found = look(clone)
    for name in ("a.bin", "b.bin"):
        assert (row(found, name).kept, row(found, name).shared) == (4 * MIB, 4 * MIB)
    assert row(found, "c.txt").shared == 0
    assert row(found, "c.txt").saved_by_compression > MIB // 2
    assert found.total.versions == 2  # the content of a and b is one
    assert found.total.kept == 4 * MIB + row(found, "c.txt").kept
    assert found.total.shared == 4 * MIB
    assert all(adds_up(model) for model in (*found.models, found.total))
    assert found.total.kept < found.size < found.total.kept + MIB // 10


def test_what_no_pointer_names_and_what_is_not_here(clone: Clone) -> None:
    keep(clone, "a.bin", noise(MIB))
    clone.write("a.bin", noise(MIB, 1))
    add(open_repo(str(clone.path), {}), ["a.bin"])
    clone.git("reset", "-q", "--hard")  # without hooks: the pointer goes back
    assert row(look(clone), "").here == 1
    clone.run("rm", "-rf", ".git/mvc/store")
    found = look(clone)
    assert [(model.path, model.versions, model.here, model.kept) for model in found.models] == [("a.bin", 1, 0, 0)]


def test_damage_is_counted_and_stops_nothing(clone: Clone) -> None:
    keep(clone, "a.bin", noise(MIB))
    keep(clone, "b.bin", noise(MIB, 1))
    next((clone.path / ".git/mvc/store/b").glob("*/*")).write_bytes(b"damaged")
    found = look(clone)
    assert found.unreadable == 1
    assert found.total.here == 1


def test_a_remote(clone: Clone, tmp_path: Path) -> None:
    keep(clone, "a.bin", noise(MIB))
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push")
    keep(clone, "a.bin", noise(MIB, 1))
    found = stats(open_repo(str(clone.path), {}), "")
    assert found.remote is not None
    assert (found.remote.name, found.remote.versions, found.remote.packs) == ("origin", 1, 1)
    assert MIB < found.remote.size < 1.1 * MIB
    assert row(found, "a.bin").pushed == 1
    assert look(clone).models[0].pushed is None


def test_numbers_computed_by_hand(clone: Clone) -> None:
    """Files below 64 KiB are one chunk each, so every number is known: A 1,000, B 2,000, C 1,500 bytes, and text Z."""
    a, b, c = noise(1000, 1), noise(2000, 2), noise(1500, 3)
    text = b"0123456789" * 5_000
    packed = len(codec.encode(text, compress=True)[1])
    assert packed < 1000
    clone.write("f/y", b)
    for x in (a, c):
        clone.write("f/x", x)
        add(open_repo(str(clone.path), {}), ["f"])
        clone.git("add", "-A")
        clone.git("commit", "-qm", "f")
    keep(clone, "b.bin", a)
    keep(clone, "y.bin", b)
    keep(clone, "z.txt", text)
    found = look(clone)
    want = {  # versions, here, logical, kept, shared, saved by deduplication, saved by compression
        "f": (2, 2, (1000 + 2000) + (1500 + 2000), 4500, 1000 + 2000, 2000, 0),
        "y.bin": (1, 1, 2000, 2000, 2000, 0, 0),
        "b.bin": (1, 1, 1000, 1000, 1000, 0, 0),
        "z.txt": (1, 1, 50_000, packed, 0, 0, 50_000 - packed),
    }
    assert {model.path: numbers(model) for model in found.models} == want
    logical = sum(model[2] for model in want.values())
    kept = 4500 + packed
    assert numbers(found.total) == (5, 5, logical, kept, 3000, logical - 4500 - 50_000, 50_000 - packed)
    files = [path for top in ("packs", "b", "t") for path in (clone.path / ".git/mvc/store" / top).glob("*/*")]
    assert found.size == sum(path.stat().st_size for path in files)
    said = clone.mvc("store", "stats").out
    assert said.splitlines()[0].split() == [
        "model",
        "versions",
        "here",
        "logical",
        "kept",
        "shared",
        "dedup",
        "saves",
        "compression",
        "saves",
    ]
    assert ["f", "2", "2", "6.5", "kB", "4.5", "kB", "3.0", "kB", "2.0", "kB", "0", "B"] in [
        line.split() for line in said.splitlines()
    ], said


def numbers(model: ModelStats) -> tuple[int, ...]:
    return (
        model.versions,
        model.here,
        model.logical,
        model.kept,
        model.shared,
        model.saved_by_dedup,
        model.saved_by_compression,
    )

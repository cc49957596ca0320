from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from modelvc.models.inside.shared_chunks import content_of
from modelvc.repo import open_repo
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

    from modelvc.repo import Repo

SIZE = 3_000_000


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    clone = Clone.new(tmp_path / "project")
    data = random.Random(1).randbytes(SIZE)
    for name, content in {
        "a.bin": data,
        "b.bin": data[: SIZE // 2] + bytes(9) + data[SIZE // 2 + 9 :],
        "c.bin": b"x" + data,
        "f/x": data,
    }.items():
        clone.write(name, content)
    clone.mvc("add", "a.bin", "b.bin", "c.bin", "f")
    return open_repo(str(clone.path), {})


def test_parts_of_equal_chunks_are_equal(repo: Repo):
    a, b, c, f = (content_of(repo, repo.pointer(repo.path(str(repo.layout.worktree + "/" + name)))) for name in (
        "a.bin", "b.bin", "c.bin", "f",
    ))  # fmt: skip
    start = a("", 0, 100)
    assert start is not None
    assert start == b("", 0, 100) == f("x", 0, 100)
    assert a("", SIZE - 100, SIZE) == b("", SIZE - 100, SIZE)
    assert a("", 0, SIZE) != b("", 0, SIZE)
    middle = (SIZE // 2 - 5, SIZE // 2 + 20)
    assert a("", *middle) != b("", *middle)
    assert a("", 0, 100) != a("", 1, 101)  # of one chunk, at another place in it
    assert a("", 0, 100) != a("", 0, 101)
    assert a("", 0, 100) != c("", 0, 100)
    assert a("", SIZE - 100, SIZE) == c("", SIZE - 99, SIZE + 1)  # cut at the same places again


def test_parts_that_no_manifest_tells_of(repo: Repo):
    pointer = repo.pointer(repo.path(repo.layout.worktree + "/a.bin"))
    a = content_of(repo, pointer)
    for part in (("", 5, 5), ("", -1, 5), ("", 0, SIZE + 1), ("other", 0, 5)):
        assert a(*part) is None
    lost = type(pointer)("file", type(pointer.oid)(bytes(32)), 5)
    assert content_of(repo, lost)("", 0, 5) is None

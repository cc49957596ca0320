"""Git's version of a file: from the index, else our side of a conflict, else the last commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelvc.git.index_blobs import IndexBlobs
from tests.support.clone import Clone


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    found = Clone.new(tmp_path / "project", mvc=False)
    monkeypatch.chdir(found.path)
    return found


def commit(clone: Clone, data: bytes, name: str = "a") -> None:
    clone.write(name, data)
    clone.git("add", "-A")
    clone.git("commit", "-qm", "x")


def test_index_then_our_side_then_head(clone: Clone) -> None:
    versions = IndexBlobs(".git/index", 1_000)
    assert versions.of("a") == b""
    commit(clone, b"one")
    clone.git("switch", "-qc", "side")
    commit(clone, b"theirs")
    clone.git("switch", "-q", "main")
    commit(clone, b"ours")
    clone.write("a", b"staged")
    clone.git("add", "a")
    assert versions.of("a") == b"staged"
    clone.git("rm", "-q", "--cached", "a")
    assert versions.of("a") == b"ours"
    clone.git("reset", "-q", "--hard")
    clone.git("merge", "-q", "side", code=1)
    assert versions.of("a") == b"ours"
    versions.close()
    assert versions.of("a") == b"ours"
    versions.close()


def test_another_index_is_read_anew(clone: Clone) -> None:
    versions = IndexBlobs(".git/index", 1_000)
    for text in (b"one", b"two", b"three"):
        clone.write("a", text)
        clone.git("add", "a")
        assert versions.of("a") == text
    versions.close()


def test_names_sizes_and_what_is_no_file(clone: Clone) -> None:
    names = ["2:a", "HEAD:a", " a", "ü", "a missing", "-a", "x y/z"]
    for name in names:
        commit(clone, name.encode(), name)
    commit(clone, b"x" * 1_001, "large")
    commit(clone, b"", "empty")
    versions = IndexBlobs(".git/index", 1_000)
    assert [versions.of(name) for name in names] == [name.encode() for name in names]
    assert [versions.of(name) for name in ("large", "empty", "x y", "a\nb", "a")] == [b""] * 5
    assert versions.of("ü") == "ü".encode()
    versions.close()


def test_without_git_nothing_is_known(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(clone, b"one")
    monkeypatch.setenv("PATH", "/nowhere")
    assert IndexBlobs(".git/index", 1_000).of("a") == b""

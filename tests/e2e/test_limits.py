"""Commands near the limits of docs/format.md: nothing is written that no reader accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelvc.errors import ModelvcError, UsageError
from modelvc.formats import limits
from modelvc.formats.binary import pack
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import parse
from modelvc.models.files.prepare import CheckoutOptions
from modelvc.models.files.trees import stored_files
from modelvc.ops.merging.merge_pointers import Sides, merge_pointers
from modelvc.ops.sharing.push import push
from modelvc.ops.tracking.add import add
from modelvc.ops.tracking.checkout import checkout
from modelvc.ops.upkeep.fsck import Depth, fsck
from modelvc.ops.upkeep.gc import GcOptions, apply_gc
from modelvc.repo import Repo, open_repo
from modelvc.store.local import packfile
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
    monkeypatch.setattr("modelvc.store.local.compact.MANY", 2)
    apply_gc(opened(folder), GcOptions(0))
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


def names(clone: Clone) -> list[str]:
    """What lies in the store and beside the models."""
    found = [path for top in ("packs", "b", "t", "tmp") for path in (clone.path / ".git/mvc/store" / top).rglob("*")]
    return sorted(str(path) for path in (*found, *clone.path.glob("*.mvc")) if path.is_file())


def test_a_folder_whose_paths_do_not_fit_is_refused_before_anything_is_written(
    folder: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, index = names(folder), folder.git("ls-files", "-s")
    folder.write("a.bin", b"in the same command")
    for number in range(5):
        folder.write(f"long/{number}{'x' * 200}", b"%d" % number)
    monkeypatch.setattr(limits, "LEAF", 1_000)
    with pytest.raises(
        UsageError, match=r"^long cannot be stored: the paths of 5 files, from 0xxx.*in a list"
    ) as error:
        add(opened(folder), ["a.bin", "long"])
    assert error.value.hint == "shorten its paths, or track the folders in it one by one"
    assert (names(folder), folder.git("ls-files", "-s")) == (before, index)
    monkeypatch.setattr(limits, "LEAF", 5 * (3 + 40 + 201))
    add(opened(folder), ["a.bin", "long"])
    assert len(stored_files(opened(folder).store, parse(folder.read("long.mvc")).oid)) == 5


def test_a_root_that_does_not_fit_is_refused(folder: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(folder)
    folder.write("a.bin", b"in the same command")
    for number in range(5):
        folder.write(f"more/{number}", b"%d" % number)
    monkeypatch.setattr("modelvc.store.objects.manifest.INLINE", 0)  # the parts lie apart
    for most, where in ((250, "is larger"), (300, "would be larger")):  # here, and on a remote
        monkeypatch.setattr(limits, "ROOT", most)
        with pytest.raises(UsageError, match=rf"^more cannot be stored: the root of .* {where} than {most} bytes"):
            add(opened(folder), ["a.bin", "more"])
        assert names(folder) == before
    monkeypatch.setattr(limits, "ROOT", 400)
    add(opened(folder), ["a.bin", "more"])
    folder.mvc("remote", "add", "origin", str(folder.path.parent / "far"))
    most = limits.ROOT
    monkeypatch.setattr(limits, "ROOT", 1 << 20)  # the other folder needs it
    assert push(opened(folder)).sent
    name = parse(folder.read("more.mvc")).oid.hex()
    assert (folder.path.parent / "far/t" / name[:2] / name).stat().st_size <= most
    assert not fsck(opened(folder)).problems


def test_a_folder_that_can_not_be_stored_stays_when_a_checkout_is_forced(
    folder: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = sum(3 + len(path.name) + 40 for path in (folder.path / "data").iterdir())  # the leaf that is stored fits
    folder.write(f"data/{'x' * 200}", b"new")
    here = sorted(path.name for path in (folder.path / "data").iterdir())
    folder.git("rm", "-q", "--cached", "data.mvc")
    folder.git("commit", "-qm", "gone")
    monkeypatch.setattr(limits, "LEAF", stored)
    with pytest.raises(ModelvcError, match="in a list"):
        checkout(opened(folder), "", ["data"], CheckoutOptions(force=True))
    assert sorted(path.name for path in (folder.path / "data").iterdir()) == here


def test_a_merge_of_folders_that_can_not_be_stored_is_a_conflict(
    folder: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for branch in ("side", "main"):
        folder.git("switch", "-q", *(["-c", "side"] if branch == "side" else ["main"]))
        folder.mvc("checkout")
        folder.write(f"data/{branch}{'x' * 100}", branch.encode())
        add(opened(folder), ["data"])
        folder.git("commit", "-qm", branch)
    versions = [folder.git("show", f"{rev}:data.mvc").encode() for rev in ("main~1", "main", "side")]
    monkeypatch.setattr(limits, "LEAF", 3 * FEW * (3 + 40 + 6) + 150)
    done = merge_pointers(opened(folder), SafeRelPath("data"), Sides(*versions))
    assert done.conflict
    assert any("the merged folder cannot be stored" in word for word in done.words)
    assert any("in a list" in word for word in done.words)


def test_a_text_that_is_too_long_for_the_configuration(folder: Clone) -> None:
    before = folder.read(".mvc/config.toml")
    done = folder.mvc("remote", "add", "origin", "/" + "p" * 5_000, code=2)
    assert "is longer than 4,096 characters" in done.err
    assert folder.read(".mvc/config.toml") == before
    assert folder.mvc("status").code == 0


def test_a_clone_whose_path_is_no_line_is_registered_all_the_same(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "a\nb")
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.commit_model(1)
    clone.mvc("push")
    done = clone.mvc("gc", "--remote", "-r", "origin")
    assert done.code == 0, done.err

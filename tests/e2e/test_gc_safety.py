"""gc where it could go wrong: damaged packs, copies of one chunk, commits that only a linked worktree knows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.errors import LockHeld, ModelvcError
from modelvc.formats.pointer.pointer import parse
from modelvc.ids import Oid
from modelvc.ops.tracking.add import add
from modelvc.ops.upkeep.fsck import Depth, fsck
from modelvc.ops.upkeep.gc import GcDone, GcOptions, apply_gc, plan_gc
from modelvc.repo import Repo, open_repo
from modelvc.store.local import compact, packfile
from modelvc.store.local.writer import StoreWriter
from modelvc.worktree.files import Worktree
from tests.support.clone import Clone

_made: list[Path] = []


@pytest.fixture
def clone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two versions of a model. Made once; each test has a copy of its own."""
    if not _made:
        found = Clone.new(tmp_path_factory.mktemp("gc") / "clone")
        found.commit_model(1)
        found.commit_model(2)
        _made.append(found.path)
    shutil.copytree(_made[0], tmp_path / "clone", symlinks=True)
    return Clone(tmp_path / "clone")


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def gc(clone: Clone, *, evict: bool = False, grace: float = 0) -> GcDone:
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)  # what was replaced is not what keeps anything here
    return let_go(opened(clone), grace=grace, evict=evict)


def let_go(repo: Repo, *, grace: float = 0, evict: bool = False) -> GcDone:
    """Remove all unreachable versions, by name where no remote has them."""
    names = [item.oid for item in plan_gc(repo, GcOptions(grace)).only_here]
    return apply_gc(repo, GcOptions(grace, evict=evict, names=names))


def packs(clone: Clone) -> list[Path]:
    return sorted((clone.path / ".git/mvc/store/packs").glob("*/*"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def good_copies(clone: Clone, cid: bytes) -> int:
    found = 0
    for path in packs(clone):
        fd = os.open(path, os.O_RDONLY)
        chunks = list(packfile.read_trailer(fd, bytes.fromhex(path.name)))
        found += sum(chunk.cid == cid and packfile.verified_bytes(fd, chunk) is not None for chunk in chunks)
        os.close(fd)
    return found


def copied(clone: Clone) -> Repo:
    """Every chunk lies in two packs."""
    store = opened(clone).store
    with StoreWriter(store) as writer:
        compact.copy_chunks(store, [name for name, _ in store.packs()], None, writer)
        writer.commit()
    store.index.merge()  # from now on every reader takes the same copy
    return opened(clone)


def test_a_pack_that_can_not_be_read_is_left_alone(clone: Clone) -> None:
    for path in packs(clone):
        flip(path, -60)  # in its trailer
    before = packs(clone)
    gc(clone)
    assert packs(clone) == before


def test_copies_go_and_the_chunks_stay(clone: Clone) -> None:
    store = copied(clone).store
    cids = {chunk.cid for name, _ in store.packs() for chunk in store.index.chunks_of(name)}
    gc(clone)
    assert {good_copies(clone, cid) for cid in cids} == {1}
    assert not fsck(opened(clone)).problems


@pytest.mark.parametrize("which", [0, 1])
def test_the_good_one_of_two_copies_stays(clone: Clone, which: int) -> None:
    store = copied(clone).store
    cid = next(store.index.chunks_of(store.packs()[0][0])).cid
    owner, _ = store.locate(cid)
    holders = [n for n, _ in store.packs() if any(c.cid == cid for c in store.index.chunks_of(n))]
    name = owner if which == 0 else next(n for n in holders if n != owner)
    chunk = next(c for c in store.index.chunks_of(name) if c.cid == cid)
    flip(Path(packfile.path_of(store.root, name)), chunk.offset + 5)
    gc(clone)
    assert good_copies(clone, cid) == 1
    fsck(opened(clone), (), Depth(repair=True))
    assert not fsck(opened(clone)).problems


def test_a_rewritten_pack_may_be_called_like_one_that_goes(clone: Clone) -> None:
    """A pack is named by what it holds: {x} rewritten from {x, dead} is the very pack {x} that was to go as a copy."""
    repo = opened(clone)
    store = repo.store
    live = sorted(name for name, _ in store.packs())
    clone.write("dead.bin", 3)
    add(repo, ["dead.bin"])
    clone.git("rm", "-q", "--cached", "dead.bin.mvc")
    clone.git("reset", "-q", "--hard")
    for name in ("dead.bin", "dead.bin.mvc"):
        (clone.path / name).unlink(missing_ok=True)
    every = [*live, *(name for name, _ in store.packs() if name not in live)]
    made = []
    for some in (every, live):
        with StoreWriter(store) as writer:
            compact.copy_chunks(store, some, None, writer)
            writer.commit()
            made += writer.packs
    compact.remove_packs(store, every)
    copy = Path(packfile.path_of(store.root, made[1]))
    copy.rename(clone.path / "aside")
    opened(clone).store.index.merge()  # from now on readers take the chunks of the larger pack
    (clone.path / "aside").rename(copy)
    for _ in range(3):
        gc(clone)
        assert not fsck(opened(clone)).problems
        assert packs(clone) == [copy]
    assert len(list(opened(clone).store.roots())) == 2


def test_it_waits_for_writers(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.store.local.store._LOCK_WAIT", 0.1)
    with opened(clone).store.shared(), pytest.raises(LockHeld):
        gc(clone)


def test_evict_frees_at_once(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    now = parse((clone.path / "model.bin.mvc").read_bytes()).oid
    assert gc(clone, evict=True, grace=14 * 86_400).freed > 150_000
    assert list(opened(clone).store.roots()) == [("file", now)]  # what the worktree shows stays


def test_what_is_young_stays(clone: Clone) -> None:
    clone.write("model.bin", 31)
    clone.mvc("add", "model.bin")
    clone.git("reset", "-q", "--hard")
    assert gc(clone, grace=3600).items == ()
    assert len(gc(clone).items) == 1


def test_what_was_replaced_lately_stays_however_old_it_is(clone: Clone) -> None:
    oid = Oid(blake3(clone.write("model.bin", 30)).digest())
    clone.mvc("checkout", "--force", "HEAD")
    os.utime(clone.path / ".git/mvc/store/b" / oid.hex()[:2] / oid.hex(), (0, 0))
    let_go(opened(clone), grace=3600)
    assert opened(clone).store.has_root("file", oid)
    let_go(opened(clone))
    assert not opened(clone).store.has_root("file", oid)


def test_the_beginning_of_a_fetch_stays_for_its_grace(clone: Clone) -> None:
    for path in (clone.path / ".git/mvc/store/b").glob("*/*"):
        path.unlink()  # chunks came, roots not yet
    before = packs(clone)
    gc(clone, grace=3600)
    assert packs(clone) == before
    gc(clone)
    assert packs(clone) == []


@pytest.fixture
def linked(clone: Clone, tmp_path: Path) -> Clone:
    clone.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "HEAD")
    return Clone(tmp_path / "linked")


def test_the_reflog_of_a_linked_worktree(clone: Clone, linked: Clone) -> None:
    linked.commit_model(5)
    linked.git("checkout", "-q", "--detach", "main")
    gc(clone)
    linked.git("checkout", "-q", "--detach", "HEAD@{1}")
    assert linked.agrees()


def test_a_ref_of_a_linked_worktree(clone: Clone, linked: Clone) -> None:
    linked.commit_model(5)
    linked.git("update-ref", "refs/worktree/kept", "HEAD")
    linked.git("checkout", "-q", "--detach", "main")
    shutil.rmtree(clone.path / ".git/worktrees/linked/logs")
    gc(clone)
    linked.git("checkout", "-q", "--detach", "refs/worktree/kept")
    assert linked.agrees()


def test_what_is_staged_where_the_disk_is_not_mounted(clone: Clone, linked: Clone, tmp_path: Path) -> None:
    content = linked.write("model.bin", 6)
    linked.mvc("add", "model.bin")
    linked.path.rename(tmp_path / "unplugged")
    gc(clone)
    (tmp_path / "unplugged").rename(linked.path)
    (linked.path / "model.bin").unlink()
    linked.mvc("checkout")
    assert linked.read("model.bin") == content


def test_pointers_that_nobody_staged(clone: Clone, linked: Clone) -> None:
    """In this worktree and in another: models that are new, and new versions."""
    kept = []
    for seed, (place, name) in enumerate(
        (place, name) for place in (clone, linked) for name in ("model.bin", "new.bin")
    ):
        kept.append((place, name, place.write(name, 20 + seed)))
        place.mvc("add", name)
        place.git("reset", "-q")
    gc(clone)
    for place, name, content in kept:
        (place.path / name).unlink()
        place.mvc("checkout", name)
        assert place.read(name) == content


def test_an_autostash_in_the_middle_of_a_rebase(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~1")
    clone.commit_model(7)
    clone.git("checkout", "-q", "main")
    content = clone.write("model.bin", 8)
    clone.mvc("add", "model.bin")
    clone.git("rebase", "-q", "--autostash", "side", code=1)
    assert (clone.path / ".git/rebase-merge/autostash").exists()
    clone.git("checkout", "-q", "--ours", "--", "model.bin.mvc")
    clone.git("add", "model.bin.mvc")
    gc(clone)
    clone.git("rebase", "--abort")
    assert clone.read("model.bin") == content


def test_a_store_of_a_later_release_is_not_cleaned(clone: Clone) -> None:
    config = clone.path / ".git/mvc/store/config"
    config.write_text(config.read_text().replace("gc_features = []", 'gc_features = ["bases"]'))
    for gc_of in (plan_gc, apply_gc):
        with pytest.raises(ModelvcError, match="clean up"):
            gc_of(opened(clone))
    assert clone.mvc("status").code == 0


def test_a_damaged_root_that_nothing_reaches_goes(clone: Clone) -> None:
    clone.write("model.bin", 9)
    clone.mvc("add", "model.bin")
    clone.git("reset", "-q", "--hard")
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)  # of what was replaced: it still has it
    (gone,) = plan_gc(opened(clone), GcOptions(grace=0)).only_here
    path = next((clone.path / ".git/mvc/store/b").glob(f"*/{gone.oid.removeprefix('blake3:')}"))
    path.write_bytes(b"damaged")
    assert len(apply_gc(opened(clone), GcOptions(grace=0)).items) == 1  # nobody can have it back any more
    assert not path.exists()
    assert not fsck(opened(clone)).problems


@pytest.mark.parametrize("content", ["", "1" * 40 + "\n", "garbage\n"])
def test_a_ref_that_can_not_be_read_stops_gc(clone: Clone, content: str) -> None:
    """A crash can leave one empty; whatever it named would seem to be of nobody."""
    clone.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone")  # which is no damage
    clone.git("update-ref", "refs/tags/text", clone.git("hash-object", "-w", "model.bin.mvc").strip())
    assert plan_gc(opened(clone)).kept == 2
    (clone.path / ".git/refs/heads/side").write_text(content)
    with pytest.raises(ModelvcError, match="while the ref refs/heads/side cannot be read") as caught:
        plan_gc(opened(clone))
    assert "git update-ref -d" in caught.value.hint


def test_a_pointer_that_can_not_be_read_stops_gc(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Worktree, path: str, limit: int) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    repo = opened(clone)
    assert plan_gc(repo).kept == 2
    monkeypatch.setattr(Worktree, "read", denied)
    with pytest.raises(ModelvcError, match=r"while model\.bin\.mvc cannot be read: Permission denied"):
        plan_gc(repo)

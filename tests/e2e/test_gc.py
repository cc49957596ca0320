"""gc removes unreachable versions, and never the only copy of a reachable one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.atomic import RealDisk
from modelvc.errors import ModelvcError
from modelvc.formats.binary import root as rootformat
from modelvc.ids import Oid
from modelvc.models.remotes.opening import open_remote
from modelvc.ops.upkeep.gc import GcOptions, apply_gc, plan_gc
from modelvc.repo import open_repo
from tests.support.clone import Clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    found = Clone.new(tmp_path / "clone")
    for seed in (1, 2):
        found.commit_model(seed)
    return found


def stored(clone: Clone) -> int:
    return sum(p.stat().st_size for p in (clone.path / ".git/mvc/store/packs").rglob("*") if p.is_file())


def test_everything_that_git_reaches_stays(clone: Clone, tmp_path: Path) -> None:
    clone.git("checkout", "-q", "-b", "side", "HEAD~1")
    clone.commit_model(3)
    clone.git("tag", "kept")
    clone.git("checkout", "-q", "main")
    clone.git("branch", "-q", "-D", "side")
    clone.write("model.bin", 4)
    clone.mvc("add", "model.bin")
    clone.git("stash", "-q")
    clone.write("model.bin", 5)
    clone.mvc("add", "model.bin")
    clone.git("stash", "-q")  # the stash before is in the reflog of refs/stash only
    clone.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "HEAD")
    linked = Clone(tmp_path / "linked")
    linked.write("model.bin", 6)
    linked.mvc("add", "model.bin")
    clone.git("reset", "-q", "--hard", "HEAD~1")  # version 2 is in the reflog of HEAD
    clone.let_go()
    clone.mvc("fsck")
    for rev in ("kept", "main", "main@{1}", "stash@{0}", "stash@{1}"):
        clone.git("checkout", "-q", "-f", "--detach", rev)
        assert clone.agrees(), rev
    assert linked.agrees()
    linked.run("rm", "model.bin")
    linked.mvc("checkout")


def spare(clone: Clone, seed: int, name: str = "model.bin") -> str:
    """Store an unreachable version. Return its digest."""
    data = clone.write(name, seed)
    clone.mvc("add", name)
    clone.mvc("checkout", "HEAD", "model.bin")
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)
    return blake3(data).hexdigest()


def test_what_nothing_reaches_goes_after_its_grace(clone: Clone, tmp_path: Path) -> None:
    oid = spare(clone, 7)
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    assert clone.json("gc")["items"] == []  # younger than two weeks
    clone.mvc("checkout", f"blake3:{oid}", "model.bin")
    clone.git("stash", "-q")  # a remote has it as soon as something that is pushed names it
    clone.mvc("push", "--all")
    clone.git("stash", "drop", "-q")
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)
    before = stored(clone)
    shown = clone.json("gc", "--grace", "0")
    assert [item["why"] for item in shown["items"]] == ["unreachable"]
    assert stored(clone) == before  # only shown
    clone.mvc("gc", "--apply", "--grace", "0")
    assert stored(clone) < before - 150_000
    assert clone.mvc("fsck").code == 0
    clone.git("checkout", "-q", "HEAD~1")
    assert clone.agrees()


def test_what_nobody_else_has_goes_by_name_only(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    oids = [spare(clone, seed) for seed in (7, 8)]
    before = stored(clone)
    done = clone.mvc("gc", "--apply", "--grace", "0")
    assert stored(clone) == before
    assert done.out.count("only here") == 2
    assert "0 versions removed" in done.out
    shorts = [oid[:10] for oid in sorted(oids)]
    assert done.err == (f"no remote has 2 objects; to delete anyway: mvc gc --grace 0 {' '.join(shorts)} --apply\n")
    refused = clone.mvc("gc", "--apply", "--grace", "0", "0" * 10, code=10)
    assert "no unused version is called 0000000000" in refused.err
    reached = clone.read("model.bin.mvc").decode().partition('oid = "')[2].partition('"')[0]
    clone.mvc("gc", "--apply", "--grace", "0", reached, code=10)  # a name is no way around what reaches it
    clone.mvc("gc", "--apply", oids[0][:10], code=10)  # nor around the grace
    clone.mvc("gc", "--apply", "--grace", "0", oids[0][:10])
    assert before - 250_000 < stored(clone) < before - 150_000
    clone.mvc("checkout", f"blake3:{oids[1]}", "model.bin")
    clone.mvc("checkout", "HEAD", "model.bin")
    (clone.path / ".git/mvc/reflog").unlink()
    shutil.rmtree(tmp_path / "far")
    (tmp_path / "far").write_bytes(b"")
    done = clone.mvc("gc", "--apply", "--grace", "0")
    assert "origin could not be checked: " in done.err
    assert clone.let_go()["items"]


def test_a_path_names_its_versions(clone: Clone) -> None:
    clone.git("checkout", "-q", "-b", "side")
    clone.write("folder/other.bin", 9)
    clone.mvc("add", "folder/other.bin")
    clone.mvc("checkout", "--force", "HEAD")
    clone.write("folder/other.bin", 10)
    clone.mvc("add", "folder/other.bin")
    clone.git("reset", "-q", "--hard")  # the reflog of what was replaced knows where one of them was
    done = clone.json("gc", "--apply", "--grace", "0", "folder/other.bin")
    assert [item["path"] for item in done["items"]] == ["folder/other.bin"]
    assert [item["path"] for item in done["only_here"]] == [""]


def test_what_was_replaced_can_be_brought_back_within_the_grace(clone: Clone) -> None:
    unsaved = clone.write("model.bin", 8)
    done = clone.mvc("checkout", "--force", "HEAD")
    assert clone.agrees()
    clone.mvc("gc", "--apply", "--grace", "1")
    oid = f"blake3:{blake3(unsaved).hexdigest()}"
    assert oid in (clone.path / ".git/mvc/reflog").read_text().splitlines()[-1]
    command = f"mvc checkout {oid[:17]} model.bin"
    assert command in done.err
    clone.mvc(*command.split()[1:])
    assert clone.read("model.bin") == unsaved
    assert "clean" in clone.mvc("status").out
    clone.mvc("checkout", "HEAD", "model.bin")
    assert clone.git("status", "--short") == ""
    clone.mvc("checkout", "blake3:00000000", "model.bin", code=10)


def test_evict_drops_only_what_the_remote_has(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("commit", "-qm", "remote")
    clone.mvc("push", "--all")
    clone.commit_model(9)  # not pushed
    done = clone.json("gc", "--evict", "--apply", "--grace", "0")
    assert {item["why"] for item in done["items"]} == {"on origin"}
    assert len(done["items"]) == 2
    assert clone.mvc("fsck").code == 0
    assert clone.json("ls")["models"][0]["store"] is True
    clone.mvc("checkout", "HEAD~1", "model.bin")  # fetches it again
    assert clone.agrees()
    (tmp_path / "far").rename(tmp_path / "gone")
    clone.mvc("checkout", "HEAD", "model.bin")  # what was not pushed is still here
    assert clone.agrees()


def test_what_only_this_clone_reaches_is_not_evicted(clone: Clone, tmp_path: Path) -> None:
    """The remote has it, and cleans it up for all others: no branch of theirs reaches it."""
    bare = tmp_path / "git"
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.git("init", "-q", "--bare", str(bare))
    clone.git("remote", "add", "origin", str(bare))
    clone.git("commit", "-qm", "remote")
    clone.git("push", "-q", "origin", "main")
    for seed in (3, 4):
        clone.commit_model(seed)
    clone.mvc("push", "--all")
    done = clone.mvc("gc", "--evict", "--apply")
    assert "2 versions removed" in done.out
    assert done.err == "not evicted: 1 version of commits that no Git remote has; next: git push\n"
    other = tmp_path / "other"
    clone.git("clone", "-q", "--no-local", str(bare), str(other))
    Clone(other).mvc("trust", "origin")
    Clone(other).mvc("gc", "--remote", "--apply", "--exclusive", "--grace", "0")
    clone.mvc("checkout", "HEAD~1", "model.bin")
    assert clone.agrees()
    clone.git("push", "-q", "origin", "main")
    assert clone.json("gc", "--evict")["unpushed"] == 0


def test_a_remote_that_lost_a_pack_evicts_nothing(clone: Clone, tmp_path: Path) -> None:
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    for pack in (tmp_path / "far/packs").rglob("*"):
        if pack.is_file():
            pack.unlink()
    assert clone.json("gc", "--evict", "--apply", "--grace", "0")["items"] == []


def test_a_remote_that_will_delete_a_pack_evicts_nothing(clone: Clone, tmp_path: Path) -> None:
    """All of it is still there, every byte, until the grace period ends."""
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    repo = open_repo(str(clone.path), {})
    store = open_remote(repo, writing=True)
    try:
        store.doom([bytes.fromhex(path.name) for path in (tmp_path / "far/packs").rglob("*") if path.is_file()], ())
    finally:
        store.close()
    assert clone.json("gc", "--evict", "--apply", "--grace", "0")["items"] == []


def test_damage_on_the_remote_evicts_nothing(clone: Clone, tmp_path: Path) -> None:
    """Of the same size, so that no listing tells: the copy here is the only good one."""
    clone.mvc("remote", "add", "origin", str(tmp_path / "far"))
    clone.mvc("push", "--all")
    oid = spare(clone, 7)
    clone.mvc("checkout", f"blake3:{oid}", "model.bin")
    clone.git("stash", "-q")
    clone.mvc("push", "--all")
    clone.git("stash", "drop", "-q")
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)
    for pack in (tmp_path / "far/packs").glob("*/*"):
        data = bytearray(pack.read_bytes())
        for at in range(5_000, len(data) - 5_000, 50_000):
            data[at] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
    assert len(clone.json("gc", "--evict", "--grace", "0")["items"]) == 2
    done = clone.json("gc", "--evict", "--apply", "--grace", "0")
    assert (done["items"], len(done["only_here"])) == ([], 1)


def test_another_content_under_a_version_s_name_evicts_nothing(clone: Clone, tmp_path: Path) -> None:
    """Every chunk on the remote is good, and two roots say that they are made of them: another writer can do that."""
    far = tmp_path / "far"
    clone.mvc("remote", "add", "origin", str(far))
    other = Clone.new(tmp_path / "other")
    other.mvc("remote", "add", "origin", str(far))
    planted = blake3(other.commit_model(50)).hexdigest()
    other.mvc("push")
    clone.commit_model(3)
    clone.mvc("push", "--all")
    root = rootformat.parse((far / "b" / planted[:2] / planted).read_bytes())
    olds = {version["oid"].partition(":")[2] for version in clone.json("log", "model.bin")["versions"][1:]}
    for oid in olds:
        (far / "b" / oid[:2] / oid).write_bytes(replace(root, oid=Oid(bytes.fromhex(oid))).encode())
    assert clone.json("gc", "--evict", "--apply")["items"] == []
    assert len(olds) == 2
    clone.mvc("fsck")


def test_many_small_packs_become_few(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "clone")
    from modelvc.ops.tracking.add import add

    contents = {}
    for i in range(60):
        contents[i] = clone.write(f"m{i}.bin", i.to_bytes(2, "big") * 5000)
        add(open_repo(str(clone.path), {}), [f"m{i}.bin"])
    packs = [p for p in (clone.path / ".git/mvc/store/packs").rglob("*") if p.is_file()]
    assert len(packs) <= 40
    clone.mvc("fsck")
    for i in range(60):
        (clone.path / f"m{i}.bin").unlink()
    clone.mvc("checkout")
    assert {i: clone.read(f"m{i}.bin") for i in range(60)} == contents


class Dying(RealDisk):
    """Dies at call number `fatal`."""

    def __init__(self, fatal: int) -> None:
        self.calls, self.fatal = 0, fatal

    def _tick(self) -> None:
        self.calls += 1
        if self.calls == self.fatal:
            raise KeyboardInterrupt

    def write(self, fd: int, data: object) -> None:
        self._tick()
        super().write(fd, data)  # type: ignore[arg-type]

    def fsync(self, fd: int) -> None:
        self._tick()

    def rename(self, old: str, new: str) -> None:
        self._tick()
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self._tick()
        super().unlink(path)

    def fsync_dir(self, path: str) -> None:
        self._tick()


def test_killed_at_every_step_every_version_is_still_there(clone: Clone, tmp_path: Path) -> None:
    """One pack holds a version that stays and one that goes, so it is rewritten."""
    clone.write("a.bin", 20)
    clone.write("b.bin", 21)
    clone.write("c.bin", 22)
    clone.mvc("add", "a.bin", "b.bin", "c.bin")
    clone.git("commit", "-qm", "abc")
    clone.mvc("rm", "b.bin", "c.bin")
    clone.git("reset", "-q")
    clone.git("checkout", "-q", "--", ".")
    clone.git("rm", "-q", "--cached", "b.bin.mvc", "c.bin.mvc")
    clone.git("commit", "-q", "--amend", "-m", "a", "--no-verify")
    for name in ("b.bin", "b.bin.mvc", "c.bin", "c.bin.mvc"):
        (clone.path / name).unlink(missing_ok=True)
    (clone.path / ".git/mvc/reflog").unlink(missing_ok=True)
    clone.git("reflog", "expire", "--expire=now", "--all")
    spare = tmp_path / "spare"
    shutil.copytree(clone.path, spare, symlinks=True)
    rules = GcOptions(grace=0, names=[item["oid"] for item in clone.json("gc", "--grace", "0")["only_here"]])
    assert rules.names

    def run(fatal: int) -> int:
        shutil.rmtree(clone.path)
        shutil.copytree(spare, clone.path, symlinks=True)
        repo = open_repo(str(clone.path), {})
        disk = Dying(fatal)
        repo.store.disk = disk
        try:
            apply_gc(repo, rules)
        except KeyboardInterrupt:
            pass
        finally:
            repo.store.close()
        return disk.calls

    total = run(0)
    assert total >= 8
    assert clone.json("gc", "--grace", "0")["frees"] == 0
    for step in range(1, total + 1):
        run(step)
        repo = open_repo(str(clone.path), {})
        from modelvc.store.check import local_store

        for name in repo.store.roots():
            assert local_store.check_object(repo.store, name, every_byte=True) is None, (step, name)
        apply_gc(repo, GcOptions(grace=0, names=[item.oid for item in plan_gc(repo, GcOptions(grace=0)).only_here]))
        assert plan_gc(open_repo(str(clone.path), {}), GcOptions(grace=0)).frees == 0
    for name in ("a.bin", "model.bin"):
        (clone.path / name).unlink()
    clone.mvc("checkout")
    clone.mvc("fsck")


def test_what_another_process_takes_away_meanwhile_is_passed_over(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelvc.ops.upkeep.fsck import fsck
    from modelvc.store.check import local_store
    from modelvc.store.local import store

    roots, packs = store.LocalStore.roots, store.list_packs
    gone = Oid(bytes(32))
    monkeypatch.setattr(store.LocalStore, "roots", lambda self: iter([("file", gone), *roots(self)]))
    for module in (store, local_store):
        monkeypatch.setattr(module, "list_packs", lambda root: [bytes(32), *packs(root)])
    repo = open_repo(str(clone.path), {})
    plan = plan_gc(repo, GcOptions(grace=0))
    assert (plan.items, plan.only_here, plan.kept) == ((), (), 2)
    found = fsck(repo)
    assert (found.problems, found.packs) == ((), len(list(packs(repo.store.root))))


def test_gc_refuses_while_a_pointer_can_not_be_read(clone: Clone) -> None:
    clone.write("bad.mvc", b"\xff")
    clone.git("add", "-f", "bad.mvc")
    clone.git("commit", "-qm", "bad", "--no-verify")
    with pytest.raises(ModelvcError, match="cannot be read"):
        plan_gc(open_repo(str(clone.path), {}))


def test_versions_that_are_only_kept_do_not_pile_up_packs(clone: Clone) -> None:
    """Each forced checkout stores what it replaces: many small packs become one, as they do after `mvc add`."""
    for number in range(40):
        (clone.path / "model.bin").write_bytes(f"edit {number}".encode())
        clone.mvc("checkout", "--force", "model.bin")
    packs = [path for path in (clone.path / ".git/mvc/store/packs").glob("*/*") if path.is_file()]
    assert len(packs) < 36

"""Replacing and removing files that somebody may be editing: each edit stays, at every level, killed at any step."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.atomic import write_all
from modelvc.errors import FileChanged, FileInUse
from modelvc.formats.paths import SafeRelPath
from modelvc.worktree import file_oids, lease, replacing, swap
from modelvc.worktree.files import ANY, Worktree
from modelvc.worktree.reading import Reading
from modelvc.worktree.state import GRAIN, Known, Stat
from modelvc.worktree.swap import Means
from tests.support import editing
from tests.support.disk import forked

PATH = SafeRelPath("m.bin")
LEVELS = {
    "lease": Means(),
    "exchange": Means(lease=False),
    "link": Means(lease=False, exchange=False),
    "rename": Means(lease=False, exchange=False, link=False),
}


@pytest.fixture(params=list(LEVELS))
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Worktree:
    return made(tmp_path, LEVELS[request.param])


@pytest.fixture
def leased(tmp_path: Path) -> Worktree:
    return made(tmp_path, Means())


def made(folder: Path, means: Means) -> Worktree:
    (folder / "tree/.git/tmp").mkdir(parents=True)
    tree = Worktree(str(folder / "tree"), str(folder / "tree/.git/tmp"), means)
    here(tree).write_bytes(b"old")
    return tree


def here(tree: Worktree, name: str = "m.bin") -> Path:
    return Path(tree.root) / name


def seen(tree: Worktree, name: str = "m.bin") -> Known:
    return file_oids.hash_file(tree, name, Reading(means=tree.means))


def put(tree: Worktree, data: bytes, at: Known | None) -> None:
    tree.write(PATH, lambda fd: write_all(fd, data), seen=at)


def tidy(tree: Worktree, *names: str) -> None:
    assert os.listdir(tree.tmp) == []
    assert sorted(os.listdir(tree.root)) == sorted([".git", *(names or ("m.bin",))])


def test_a_file_as_it_was_seen_is_replaced_and_removed(tree: Worktree) -> None:
    put(tree, b"new", seen(tree))
    assert here(tree).read_bytes() == b"new"
    tidy(tree)
    assert tree.take_away({"m.bin": seen(tree), "gone": seen(tree), "none/gone": seen(tree)}) == {}
    assert not here(tree).exists()
    put(tree, b"first", None)
    assert here(tree).read_bytes() == b"first"
    tidy(tree)


def edit(path: Path) -> None:
    path.write_bytes(b"edited")


def edit_keeping_size_and_time(path: Path) -> None:
    """What an edit in the same tick of the clock leaves."""
    before = path.stat()
    path.write_bytes(b"Old")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def save_anew(path: Path) -> None:
    editing.renaming(path, b"edited")


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("change", [edit, edit_keeping_size_and_time, save_anew, link, lambda p: p.chmod(0o755)])
def test_a_file_that_differs_stays(
    tree: Worktree, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even moved, which a program that watches the folder would see."""
    moves: list[swap.Swap] = []
    real = swap._displace

    def displace(work: swap.Swap, means: Means) -> tuple[swap.Place, bool]:
        moves.append(work)
        return real(work, means)

    monkeypatch.setattr(swap, "_displace", displace)
    plan = seen(tree)
    assert not plan.settled
    change(here(tree))
    before = os.lstat(here(tree)), os.path.islink(here(tree)) or here(tree).read_bytes()
    with pytest.raises(FileInUse, match=r"m\.bin was changed while"):
        put(tree, b"new", plan)
    assert tree.take_away({"m.bin": plan}) == {"m.bin": swap.CHANGED}
    after = os.lstat(here(tree)), os.path.islink(here(tree)) or here(tree).read_bytes()
    assert (after[0].st_ino, after[1]) == (before[0].st_ino, before[1])
    assert moves == []
    tidy(tree)


def test_a_file_that_came_meanwhile_stays(tree: Worktree) -> None:
    with pytest.raises(FileInUse, match=r"m\.bin was made by another program"):
        put(tree, b"new", None)
    assert here(tree).read_bytes() == b"old"
    with pytest.raises(FileInUse), tree.new_folder(PATH) as folder:
        folder.write("a", b"new", executable=False)
    with pytest.raises(FileInUse):
        here(tree, "other").write_bytes(b"x")
        tree.rename(PATH, SafeRelPath("other"))
    assert here(tree).read_bytes() == b"old"
    tidy(tree, "m.bin", "other")


def test_a_file_that_is_gone_comes_anew(tree: Worktree) -> None:
    plan = seen(tree)
    here(tree).unlink()
    put(tree, b"new", plan)
    assert here(tree).read_bytes() == b"new"


def test_of_a_folder_the_files_that_differ_stay(tree: Worktree) -> None:
    for name in ("a", "b/c", "b/d"):
        here(tree, f"f/{name}").parent.mkdir(parents=True, exist_ok=True)
        here(tree, f"f/{name}").write_bytes(b"old")
    plans: dict[str, Known | None] = {name: seen(tree, f"f/{name}") for name in ("a", "b/c", "b/d")}
    here(tree, "f/b/c").write_bytes(b"edited")
    here(tree, "f/b/e").write_bytes(b"mine")
    with tree.staged(SafeRelPath("f")) as folder:
        for name in ("a", "b/c", "b/d", "b/e", "g/h"):
            folder.write(name, b"new!", executable=False)
        done = tree.place(folder, SafeRelPath("f"), {**plans, "b/e": None, "g/h": None})
    assert {name: one.why for name, one in done.items() if one.stat is None} == {"b/c": swap.CHANGED, "b/e": swap.CAME}
    found = {name: here(tree, f"f/{name}").read_bytes() for name in ("a", "b/c", "b/d", "b/e", "g/h")}
    assert found == {"a": b"new!", "b/c": b"edited", "b/d": b"new!", "b/e": b"mine", "g/h": b"new!"}
    assert os.listdir(tree.tmp) == []


# -- leases


Hold = Callable[[Path], Callable[[], object]]


def mapped(path: Path) -> Callable[[], object]:
    file = path.open("r+b")
    view = mmap.mmap(file.fileno(), 3)
    file.close()
    return view.close


def opened(path: Path) -> Callable[[], object]:
    return path.open("r+b").close


@pytest.mark.parametrize("hold", [opened, mapped])
def test_a_file_that_a_program_can_write_to_stays(leased: Worktree, hold: Hold) -> None:
    plan = seen(leased)
    let_go = hold(here(leased))
    with pytest.raises(FileInUse, match="is open in a program"):
        put(leased, b"new", plan)
    with pytest.raises(FileInUse, match="is open in a program"):
        leased.set_executable(PATH, plan, executable=True)
    assert leased.take_away({"m.bin": plan}) == {"m.bin": swap.BUSY}
    assert here(leased).read_bytes() == b"old"
    let_go()
    put(leased, b"new", plan)
    tidy(leased)


WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.write(fd, b"edited by a process that opened it meanwhile")
"""


def test_a_program_that_opens_the_file_meanwhile_finds_it_again(
    leased: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the lease, while no signal reaches this process's handlers."""
    real = swap._displace
    writers: list[subprocess.Popen[bytes]] = []
    signals: list[int] = []

    def displace(work: swap.Swap, means: Means) -> tuple[swap.Place, bool]:
        writers.append(subprocess.Popen([sys.executable, "-S", "-c", WRITER, str(here(leased))]))
        fds = [int(fd) for fd in os.listdir("/proc/self/fd")]
        mine = [fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}") and _is(fd, here(leased))]
        while all(lease.held(fd) for fd in mine):
            pass
        return real(work, means)

    monkeypatch.setattr(swap, "_displace", displace)
    plan = seen(leased)
    handler = signal.signal(signal.SIGIO, lambda number, _: signals.append(number))
    try:
        with pytest.raises(FileInUse):
            put(leased, b"new", plan)
    finally:
        signal.signal(signal.SIGIO, handler)
        codes = [writer.wait() for writer in writers]
    assert codes == [0]
    assert here(leased).read_bytes().startswith(b"edited by")
    assert signals == []
    tidy(leased)


def _is(fd: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(fd), path.stat())


# -- an edit between the look and the exchange, and a kill at any step


def steps(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Kill this process in place of its step number AT, of those that change folders."""
    count = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in ("rename", "unlink", "link", "pwrite"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(swap, "_rename2", counted(swap._rename2))


def nothing(_: Path) -> None:
    pass


EDITS: dict[str, Callable[[Path], None]] = {
    "no edit": nothing,
    "edit": edit,
    "saved anew": save_anew,
    "removed": Path.unlink,
}


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize("remove", [False, True], ids=["replace", "remove"])
def test_killed_at_any_step_the_next_command_mends(
    tmp_path: Path, tree: Worktree, change: str, *, remove: bool
) -> None:
    if tree.means.lease and change == "edit":
        pytest.skip("an editor waits for the lease")
    for at in range(1, 30):
        here(tree).write_bytes(b"old")
        plan = seen(tree)

        def command(at: int = at, plan: Known = plan) -> int:
            monkeypatch = pytest.MonkeyPatch()
            real = swap._displace

            def displace(work: swap.Swap, means: Means) -> tuple[swap.Place, bool]:
                EDITS[change](here(tree))
                steps(monkeypatch, at)
                return real(work, means)

            monkeypatch.setattr(swap, "_displace", displace)
            try:
                if remove:
                    return len(tree.take_away({"m.bin": plan}))
                put(tree, b"new", plan)
            except FileInUse:
                return 11
            return 0

        died = forked(command)
        assert died.code in {0, 1, 11, -9}, died
        tree.clean_tmp()
        kept = [here(tree, name).read_bytes() for name in os.listdir(tree.root) if name != ".git"]
        where = f"killed at step {at}: {died}"
        if change in {"edit", "saved anew"}:
            assert b"edited" in kept, where
        elif change == "no edit":
            assert kept in ([b"old"], [b"new"], []), where
        assert os.listdir(tree.tmp) == [], where
        for name in os.listdir(tree.root):
            if name != ".git":
                here(tree, name).unlink()
        if died.code != -9:
            return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("change", ["no edit", "saved anew"])
def test_an_interrupt_is_mended_at_once(tree: Worktree, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = swap._displace

    def displace(work: swap.Swap, means: Means) -> tuple[swap.Place, bool]:
        EDITS[change](here(tree))
        real(work, means)
        raise KeyboardInterrupt

    monkeypatch.setattr(swap, "_displace", displace)
    for keep in (False, True):
        here(tree).write_bytes(b"old")
        with pytest.raises(KeyboardInterrupt), tree.journalled() if keep else nullcontext():
            put(tree, b"new", seen(tree))
        assert here(tree).read_bytes() == (b"edited" if change == "saved anew" else b"new")
        tidy(tree)


# -- what is remembered


def test_an_edit_right_after_is_not_taken_for_what_was_written(tree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    real = replacing.stat_after_rename

    def edited(there: swap.Place, mine: Stat) -> Stat:
        here(tree).write_bytes(b"edited")
        return real(there, mine)

    monkeypatch.setattr(replacing, "stat_after_rename", edited)
    for at in (seen(tree), ANY):
        found = tree.write(PATH, lambda fd: write_all(fd, b"new"), seen=at)
        assert found != tree.stat(PATH)
        assert found.size == 3


def aged(tree: Worktree) -> Path:
    """A file whose times are clearly in the past."""
    path = here(tree)
    while time.time_ns() < path.stat().st_ctime_ns + 2 * GRAIN:
        time.sleep(0.01)
    return path


@pytest.mark.parametrize("hold", [opened, mapped])
@pytest.mark.parametrize("many", [False, True])
def test_what_a_program_can_write_to_is_never_settled(leased: Worktree, hold: Hold, *, many: bool) -> None:
    path = aged(leased)
    let_go = hold(path)
    assert not file_oids.hash_file(leased, "m.bin", Reading(many=many))[2]
    let_go()
    assert file_oids.hash_file(leased, "m.bin", Reading(many=many))[2]


def _times_mappings(path: Path) -> bool:
    path.write_bytes(b"probe")
    os.utime(path, (0, 0))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[:] = b"edit!"
        return path.stat().st_mtime > 0


@pytest.mark.parametrize("many", [False, True])
def test_without_leases_an_edit_through_a_mapping_shows(leased: Worktree, *, many: bool) -> None:
    path = here(leased)
    if not _times_mappings(path.with_name("probe")):
        pytest.skip("this file system never sets a file's time for a mapping")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[:] = b"one"
        aged(leased)
        found = file_oids.hash_file(leased, "m.bin", Reading(many=many, means=LEVELS["link"]))
        assert found[2]
        view[:] = b"two"
        assert leased.stat("m.bin") != found[0]


# -- a worktree on another file system than its `.git`


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Worktree]:
    try:
        folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    except OSError:
        pytest.skip("there is no /dev/shm")
    with folder as root:
        if os.stat(root).st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is on the same file system")
        (Path(root) / "m.bin").write_bytes(b"old")
        (Path(root) / ".git").mkdir()
        yield Worktree(root, str(tmp_path / "tmp"))


def test_new_and_displaced_files_lie_beside_those_of_another_file_system(far: Worktree) -> None:
    put(far, b"new", seen(far))
    plan = seen(far)
    editing.renaming(here(far), b"edited")
    with pytest.raises(FileInUse):
        put(far, b"newer", plan)
    with far.staged(SafeRelPath("f")) as folder:
        folder.write("a/b", b"x", executable=False)
        assert not far.place(folder, SafeRelPath("f"), {"a/b": None})["a/b"].why
    assert far.take_away({"m.bin": plan, "f/a/b": seen(far, "f/a/b")}) == {"m.bin": swap.CHANGED}
    assert here(far).read_bytes() == b"edited"
    tidy(far, "m.bin", "f")


def test_a_kill_is_mended_there_as_well(far: Worktree) -> None:
    plan = seen(far)

    def command() -> int:
        monkeypatch = pytest.MonkeyPatch()
        real = swap._displace

        def displace(work: swap.Swap, means: Means) -> tuple[swap.Place, bool]:
            save_anew(here(far))
            real(work, means)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

        monkeypatch.setattr(swap, "_displace", displace)
        put(far, b"new", plan)
        return 0

    assert forked(command).code == -9
    assert here(far).read_bytes() == b"new"
    far.clean_tmp()
    assert here(far).read_bytes() == b"edited"
    tidy(far)


# -- a stress test


@pytest.mark.parametrize("level", ["lease", "exchange", "link"])
def test_no_edit_is_lost(tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program edits while file after file is replaced. Without leases only one that saves anew is always safe."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # so that most of the time goes by between the looks
    tree = made(tmp_path, LEVELS[level])
    ways = editing.ALL if level == "lease" else (editing.renaming,)
    assert stress(tree, ways, 300) == 0


def stress(tree: Worktree, ways: tuple[Callable[[Path, bytes], None], ...], edits: int) -> int:
    """The number of edits, of so many, whose bytes were neither stored nor in the worktree when they were done."""
    stored: set[bytes] = set()
    lost = rounds = done = 0

    def is_lost(data: bytes) -> bool:
        names = [name for name in os.listdir(tree.root) if name.startswith("m.bin")]
        now = {here(tree, name).read_bytes() for name in names}
        return data not in now and blake3(data).digest() not in stored

    with editing.editing(here(tree), ways) as editor:
        while editor.number < edits:
            lost += bool(editor.judge(is_lost))
            try:
                plan = seen(tree)
            except (FileChanged, FileNotFoundError):
                continue
            stored.add(plan.oid)  # as `mvc add` would
            rounds += 1
            with suppress(FileInUse):
                put(tree, b"version %d " % rounds * 300, plan)
                done += 1
    assert done, rounds
    return lost

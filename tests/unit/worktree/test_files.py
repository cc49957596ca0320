from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from modelvc.atomic import write_all
from modelvc.errors import ConflictError, FileChanged, UsageError
from modelvc.formats.paths import SafeRelPath
from modelvc.worktree import file_oids
from modelvc.worktree.descriptors import clone_range
from modelvc.worktree.files import Worktree
from modelvc.worktree.reading import Reading
from modelvc.worktree.scan import scan
from modelvc.worktree.state import GRAIN, Known, State, is_settled, now, stat_of


@pytest.fixture
def tree(tmp_path: Path) -> Worktree:
    (tmp_path / "tree").mkdir()
    return Worktree(str(tmp_path / "tree"), str(tmp_path / "tree" / ".git" / "tmp"))


def put(tree: Worktree, path: str, data: bytes, *, executable: bool = False) -> None:
    tree.write(SafeRelPath(path), lambda fd: write_all(fd, data), executable=executable)


def seen(tree: Worktree, path: str) -> Known:
    return file_oids.hash_file(tree, path, Reading())


def test_a_file_is_written_with_its_folders_and_mode(tree: Worktree) -> None:
    put(tree, "a/b/c.bin", b"abc", executable=True)
    path = Path(tree.root) / "a/b/c.bin"
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode & 0o100
    found = tree.write(SafeRelPath("old.bin"), lambda _: None, before=10**18)
    assert found[2] == 10**18 - 1  # just before, and finer than any kernel's clock
    assert os.listdir(Path(tree.root) / ".git/tmp") == []


@pytest.mark.parametrize("target", ["outside", "inside", "dangling"])
def test_a_link_in_the_way_is_never_followed(tree: Worktree, tmp_path: Path, target: str) -> None:
    places = {"outside": tmp_path / "elsewhere", "inside": Path(tree.root) / "other", "dangling": tmp_path / "none"}
    if target != "dangling":
        places[target].mkdir()
    (Path(tree.root) / "models").symlink_to(places[target])
    with pytest.raises(ConflictError, match="not a folder"):
        put(tree, "models/m.bin", b"x")
    assert not (places[target] / "m.bin").exists()


def test_a_link_with_the_files_name_is_replaced_and_its_target_kept(tree: Worktree, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"keep me")
    (Path(tree.root) / "m.bin").symlink_to(secret)
    put(tree, "m.bin", b"new")
    assert secret.read_bytes() == b"keep me"
    assert not (Path(tree.root) / "m.bin").is_symlink()


def test_a_hard_link_keeps_the_old_bytes(tree: Worktree, tmp_path: Path) -> None:
    put(tree, "m.bin", b"old")
    os.link(Path(tree.root) / "m.bin", tmp_path / "linked")
    put(tree, "m.bin", b"new")
    assert (tmp_path / "linked").read_bytes() == b"old"


def test_a_fill_that_fails_leaves_the_old_file(tree: Worktree) -> None:
    put(tree, "m.bin", b"old")

    def fill(fd: int) -> None:
        os.write(fd, b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tree.write(SafeRelPath("m.bin"), fill)
    assert (Path(tree.root) / "m.bin").read_bytes() == b"old"
    assert os.listdir(Path(tree.root) / ".git/tmp") == []


def test_a_folder_where_a_file_belongs_is_kept(tree: Worktree) -> None:
    put(tree, "m.bin/inside", b"x")
    with pytest.raises(ConflictError, match="is a folder"):
        put(tree, "m.bin", b"y")
    with tree.staged(SafeRelPath("m.bin")) as folder:
        folder.write("inside", b"y", executable=False)
        assert "another program" in tree.place(folder, SafeRelPath("m.bin"), {"inside": None})["inside"].why
    assert (Path(tree.root) / "m.bin/inside").read_bytes() == b"x"


def test_a_new_folder_appears_whole_or_not_at_all(tree: Worktree) -> None:
    with tree.new_folder(SafeRelPath("models/big")) as folder:
        folder.write("a/b.bin", b"1", executable=False)
        folder.write("c.bin", b"2", executable=True)
        assert not (Path(tree.root) / "models/big").exists()
    assert (Path(tree.root) / "models/big/a/b.bin").read_bytes() == b"1"
    with pytest.raises(RuntimeError), tree.new_folder(SafeRelPath("models/half")) as folder:
        folder.write("a", b"1", executable=False)
        raise RuntimeError
    assert not (Path(tree.root) / "models/half").exists()
    with (
        pytest.raises(ConflictError, match="one of them has that name"),
        tree.new_folder(SafeRelPath("half")) as folder,
    ):
        for data in (b"1", b"2"):  # as two names are one on some file systems
            folder.write("a", data, executable=False)
    assert os.listdir(Path(tree.root) / ".git/tmp") == []


def test_a_new_folder_may_have_more_folders_than_descriptors(tree: Worktree) -> None:
    with tree.new_folder(SafeRelPath("wide")) as folder:
        for i in range(400):
            folder.write(f"{i}/{i % 3}/f", b"x", executable=False)
    assert len(scan(tree.root, "wide")) == 400


def test_what_a_dead_process_left_is_removed(tree: Worktree, tmp_path: Path) -> None:
    tmp = Path(tree.root) / ".git/tmp"
    tmp.mkdir(parents=True)
    (tmp / "mvc-4194305-abc").write_bytes(b"left")
    (tmp / "mvc-4194305-folder/deep").mkdir(parents=True)
    for name in ("link", "deep/link"):
        (tmp / "mvc-4194305-folder" / name).symlink_to(tmp_path)
    (tmp / f"mvc-{os.getpid()}-abc").write_bytes(b"mine")
    tree.clean_tmp()
    assert os.listdir(tmp) == [f"mvc-{os.getpid()}-abc"]
    assert Path(tree.root).is_dir()


def test_a_folder_that_is_missing_leaves_no_descriptor_open(tree: Worktree) -> None:
    put(tree, "file", b"")
    lowest = os.dup(0)
    os.close(lowest)
    assert [tree.stat(path) for path in ("none/x", "file/x")] == [None, None]
    free = os.dup(0)
    os.close(free)
    assert free == lowest


@pytest.mark.usefixtures("in_no_time")
def test_reading_refuses_what_is_no_regular_file(tree: Worktree) -> None:
    os.mkfifo(Path(tree.root) / "pipe")
    (Path(tree.root) / "link").symlink_to("pipe")
    for name, words in (("pipe", "not a regular file"), ("link", "symbolic link")):
        with pytest.raises(ConflictError, match=words):
            tree.open(name)


@pytest.mark.parametrize("make", [lambda p: p.symlink_to("x"), os.mkfifo])
def test_a_folder_with_something_else_than_files_is_refused_by_name(tree: Worktree, make: object) -> None:
    put(tree, "m/sub/a", b"x")
    make(Path(tree.root) / "m/sub/odd")  # type: ignore[operator]
    with pytest.raises(UsageError, match="m/sub/odd"):
        scan(tree.root, "m")


def test_an_edit_that_keeps_size_and_times_is_seen(tree: Worktree, tmp_path: Path) -> None:
    put(tree, "m.bin", b"old!")
    path = Path(tree.root) / "m.bin"
    os.utime(path, ns=(10**18, 10**18))
    state = State(str(tmp_path / "state"))
    before = file_oids.file_oid(tree, state, "m.bin")
    state.files["m.bin"] = (*state.files["m.bin"][:2], True)
    path.write_bytes(b"new!")
    os.utime(path, ns=(10**18, 10**18))
    assert file_oids.file_oid(tree, state, "m.bin") != before


def test_an_edit_within_the_clocks_grain_is_seen(tree: Worktree, tmp_path: Path) -> None:
    """A file that was written just now is not trusted: its stat data may belong to two contents."""
    path = Path(tree.root) / "m.bin"
    state = State(str(tmp_path / "state"))
    path.write_bytes(b"old!")
    file_oids.file_oid(tree, state, "m.bin")
    known = state.file("m.bin")
    assert known
    assert not known.settled
    newest = max(known.stat.mtime, known.stat.ctime)
    assert not is_settled(known.stat, newest + GRAIN)
    assert is_settled(known.stat, newest + GRAIN + 1) or known.stat.ctime % 10**9 == 0


def test_a_file_that_was_checked_out_is_known_at_once(tree: Worktree) -> None:
    """A write within the same tick of the clock shows, because the time that was set has finer digits."""
    found = tree.write(SafeRelPath("m.bin"), lambda fd: write_all(fd, b"old!"))
    (Path(tree.root) / "m.bin").write_bytes(b"new!")
    assert stat_of(os.stat(Path(tree.root) / "m.bin"))[:4] != found[:4]


def test_the_state_survives_and_a_torn_one_is_forgotten(tmp_path: Path) -> None:
    state = State(str(tmp_path))
    state.remember_file("ü", (1, 2, 3, 4, 5), b"o" * 32, settled=True)
    state.save()
    assert State(str(tmp_path)).files == {"ü": ((1, 2, 3, 4, 5), b"o" * 32, True)}
    path = tmp_path / "state"
    whole = path.read_bytes()
    for torn in (whole[:-1], whole.replace(b"o" * 32, b"o" * 31 + b"p")):
        path.write_bytes(torn)
        assert State(str(tmp_path)).files == {}


def test_a_known_folder_reads_nothing(tree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tree, "m/a", b"1")
    put(tree, "m/b/c", b"2")
    state = State(str(tmp_path / "state"))
    files = file_oids.tree_files(tree, state, "m")
    assert files is not None
    state.remember_tree("m", b"x" * 32, {name: (*known[:2], True) for name, known in files.items()})
    monkeypatch.setattr(file_oids, "hash_file", lambda *_: pytest.fail("it was read"))
    assert file_oids.unchanged_tree(tree, state, "m")
    assert file_oids.tree_files(tree, state, "m") is not None
    (Path(tree.root) / "m/extra").write_bytes(b"")
    assert not file_oids.unchanged_tree(tree, state, "m")


def test_cloning_copies_every_byte_or_says_no(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(4096) + os.urandom(10_000))
    with source.open("rb") as a, (tmp_path / "target").open("w+b") as b:
        if clone_range(a.fileno(), 4096, 10_000, b.fileno()):
            assert (tmp_path / "target").read_bytes() == source.read_bytes()[4096:]
        else:
            assert (tmp_path / "target").read_bytes() == b""


def test_modes_change_without_a_new_file(tree: Worktree) -> None:
    put(tree, "m.sh", b"x")
    before = os.stat(Path(tree.root) / "m.sh").st_ino
    found = tree.set_executable(SafeRelPath("m.sh"), seen(tree, "m.sh"), executable=True)
    assert stat.S_IMODE(found[4]) & 0o100
    assert found[0] == before
    assert now() > 0


def test_what_is_not_settled_is_read_again(tree: Worktree, tmp_path: Path) -> None:
    """Stat data that agree prove nothing about a file that was read in the tick in which it was written."""
    put(tree, "m.bin", b"new")
    put(tree, "f/m.bin", b"new")
    oid = file_oids.file_oid(tree, State(str(tmp_path / "none")), "m.bin")
    state = State(str(tmp_path / "state"))
    for settled in (False, True):
        for path in ("m.bin", "f/m.bin"):
            found = tree.stat(path)
            assert found is not None
            state.remember_file(path, found, bytes(32), settled=settled)
        known = state.file("f/m.bin")
        assert known
        state.remember_tree("f", bytes(32), {"m.bin": known})
        assert file_oids.unchanged_tree(tree, state, "f") is settled
        files = file_oids.tree_files(tree, state, "f") or {}
        assert files["m.bin"][1] == (bytes(32) if settled else oid)
        assert file_oids.file_oid(tree, state, "m.bin") == (bytes(32) if settled else oid)


def test_a_file_that_changes_while_it_is_hashed(tree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tree, "m.bin", b"new")
    monkeypatch.setattr(file_oids, "digest_of", lambda fd: os.utime(fd, (0, 0)))
    with pytest.raises(FileChanged):
        file_oids.hash_file(tree, "m.bin", Reading())


def test_the_state_file_holds_plain_rows_and_gives_them_by_name(tree: Worktree, tmp_path: Path) -> None:
    """marshal refuses a named tuple; what is saved is what any release of this format reads."""
    import marshal

    put(tree, "m.bin", b"some")
    found = tree.stat("m.bin")
    assert found is not None
    assert (found.size, found.executable, found.mode & 0o600) == (4, False, 0o600)
    state = State(str(tmp_path / "state"))
    state.remember_file("m.bin", found, bytes(32), settled=True)
    state.remember_pointer("m.bin", found, "file", bytes(32), 4)
    state.remember_tree("f", bytes([1]) * 32, {"m.bin": Known((found, bytes(32), True))})
    state.save()
    pointers, files, trees, unused, answer = marshal.loads((tmp_path / "state/state").read_bytes()[14:])
    row = (found.inode, found.size, found.mtime, found.ctime, found.mode)
    assert files == {"m.bin": (row, bytes(32), True)}
    assert pointers["m.bin"][:4] == (row, "file", bytes(32), 4)
    assert trees == {"f": (bytes([1]) * 32, {"m.bin": (row, bytes(32), True)})}
    assert (unused, answer) == ((), ())
    again = State(str(tmp_path / "state"))
    assert again.file("m.bin") == Known((found, bytes(32), True))
    known = again.pointer("m.bin")
    assert known
    assert (known.stat, known.kind, known.oid) == (found, "file", bytes(32))
    assert again.tree("f").files["m.bin"].stat.inode == found.inode
    assert (again.file("other"), again.pointer("other"), again.tree("other").oid) == (None, None, b"")

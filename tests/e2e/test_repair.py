"""Repair takes good copies from wherever there are any: chunk by chunk, from remotes, other versions, the worktree."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from modelvc.formats.binary import pack
from modelvc.ops.upkeep.fsck import Depth, Fsck, fsck
from modelvc.repo import Repo, open_repo
from modelvc.store.repair.recover import content_in_store
from tests.support.clone import Clone

_made: list[Path] = []
OLD = random.Random(1).randbytes(2 << 20)
NEW = OLD[: 1 << 20] + random.Random(2).randbytes(1 << 20)  # shares its first half with OLD


@pytest.fixture
def clone(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two versions of a model that share chunks, pushed to two remotes, and no file in the worktree."""
    if not _made:
        top = tmp_path_factory.mktemp("repair")
        found = Clone.new(top / "clone")
        for content in (OLD, NEW):
            found.write("model.bin", content)
            found.mvc("add", "model.bin")
            found.git("commit", "-qm", f"version {len(content)}")
        found.mvc("remote", "add", "origin", str(top / "one"))
        found.mvc("remote", "add", "spare", str(top / "two"))
        found.mvc("push", "--all")
        found.mvc("push", "--all", "-r", "spare")
        found.run("rm", "model.bin")
        _made.append(top)
    shutil.copytree(_made[0], tmp_path, symlinks=True, dirs_exist_ok=True)
    found = Clone(tmp_path / "clone")
    for name in (".mvc/config.toml", ".git/mvc/config.toml"):
        text = (found.path / name).read_text()
        (found.path / name).write_text(text.replace(str(_made[0]), str(tmp_path)))
    return found


def opened(clone: Clone) -> Repo:
    return open_repo(str(clone.path), {})


def look(clone: Clone, *revs: str, **depth: object) -> Fsck:
    return fsck(opened(clone), revs, Depth(**depth))  # type: ignore[arg-type]


def chunks(clone: Clone) -> list[bytes]:
    """The chunks of the newer version, in order."""
    store = opened(clone).store
    (name,) = (one for one in store.roots() if one[1] == next(iter(opened(clone).worktree_pointers()[0].values())).oid)
    content = content_in_store(store, name)
    assert content is not None
    found = [cid for cid, _ in content.recipe]
    assert len(found) >= 4
    return found


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def spoil(folder: Path, *cids: bytes) -> None:
    """Damage each of these chunks wherever it lies in the packs below FOLDER."""
    count = 0
    for path in folder.glob("packs/*/*"):
        data = bytearray(path.read_bytes())
        length, _, _ = pack.parse_footer(data[-pack.FOOTER.size :])
        start = len(data) - pack.FOOTER.size - length
        for chunk in pack.Trailer(bytes(data[start : start + length]), start):
            if chunk.cid in cids:
                data[chunk.offset + chunk.stored // 2] ^= 1
                count += 1
        path.chmod(0o644)
        path.write_bytes(data)
    assert count >= len(cids)


def store_of(clone: Clone) -> Path:
    return clone.path / ".git/mvc/store"


def comes_back(clone: Clone) -> None:
    """Everything is whole, and both versions can be had without a remote."""
    assert look(clone).open == ()
    for rev, content in (("HEAD~1", OLD), ("HEAD", NEW)):
        clone.mvc("checkout", "--force", rev, "model.bin")
        assert clone.read("model.bin") == content


def test_half_is_good_here_and_half_there(clone: Clone, tmp_path: Path) -> None:
    first, *_, last = chunks(clone)
    spoil(store_of(clone), first)
    spoil(tmp_path / "one", last)
    shutil.rmtree(tmp_path / "two")
    found = look(clone, repair=True, remote="")
    assert found.problems
    assert found.open == ()
    assert look(clone, remote="").problems == ()
    comes_back(clone)


def test_each_remote_has_what_the_others_have_not(clone: Clone, tmp_path: Path) -> None:
    first, second, *_, last = chunks(clone)
    spoil(store_of(clone), first, second, last)
    spoil(tmp_path / "one", first, second)
    spoil(tmp_path / "two", last)
    found = look(clone, repair=True)
    assert found.problems
    assert (found.open, found.not_asked) == ((), ())
    assert look(clone, remote="").open  # only the local store was to be mended
    assert look(clone, repair=True, remote="").open == ()
    assert look(clone, repair=True, remote="spare").open == ()
    assert look(clone, remote="").problems + look(clone, remote="spare").problems == ()
    comes_back(clone)


def test_another_version_on_a_remote_has_the_chunk(clone: Clone, tmp_path: Path) -> None:
    first, *_ = chunks(clone)
    spoil(store_of(clone), first)
    shutil.rmtree(tmp_path / "two")
    new = next(iter(opened(clone).worktree_pointers()[0].values())).oid
    (tmp_path / "one/b" / new.hex()[:2] / new.hex()).unlink()
    assert {user.split()[0] for problem in look(clone).open for user in problem.needed_by} == {"model.bin"}
    assert look(clone, repair=True).open == ()
    comes_back(clone)


def test_a_changed_file_in_the_worktree_has_the_chunk(clone: Clone, tmp_path: Path) -> None:
    """Neither version, but it shares a chunk; nothing else of it is kept."""
    first, *_ = chunks(clone)
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    clone.write("model.bin", OLD[: 1 << 20] + random.Random(3).randbytes(1 << 20))
    spoil(store_of(clone), first)
    before = {path.name for path in store_of(clone).glob("b/*/*")}
    found = look(clone, repair=True)
    assert found.problems
    assert found.open == ()
    assert {path.name for path in store_of(clone).glob("b/*/*")} == before
    assert sum(path.stat().st_size for path in store_of(clone).glob("packs/*/*")) < 3.2 * (1 << 20)
    comes_back(clone)


def test_a_pack_whose_trailer_is_damaged_is_not_lost(clone: Clone, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "one")
    shutil.rmtree(tmp_path / "two")
    for at in (0, -44):  # read by nobody, but damage it is
        for path in store_of(clone).glob("packs/*/*"):
            flip(path, at)
        assert {(problem.kind, problem.needed_by) for problem in look(clone).open} == {("damaged", ())}
        assert look(clone, repair=True).open == ()
    for at in (-1, -47, -49, -55, -60):  # the footer: magic, length; a record: encoding, xxh3, length
        for path in store_of(clone).glob("packs/*/*"):
            flip(path, at)
        assert {problem.kind for problem in look(clone).open} == {"damaged", "missing"}
        assert clone.mvc("fsck", "--quick", code=12).out.count("needed by model.bin")
        assert look(clone, repair=True).open == ()
    comes_back(clone)


def test_a_root_comes_from_the_remote_that_has_it(clone: Clone, tmp_path: Path) -> None:
    for path in store_of(clone).glob("b/*/*"):
        path.write_bytes(path.read_bytes()[:-1])
    for path in (tmp_path / "one").glob("b/*/*"):
        path.unlink()
    assert look(clone, repair=True).open == ()
    comes_back(clone)


def test_a_remote_that_can_not_be_asked_is_named(clone: Clone, tmp_path: Path) -> None:
    first, *_ = chunks(clone)
    spoil(store_of(clone), first)
    config = clone.path / ".git/mvc/config.toml"
    config.write_text(config.read_text().replace(str(tmp_path / "one"), "/elsewhere"))  # it moved away from its pin
    found = look(clone, repair=True)
    assert found.open == ()  # from the other one
    assert len(found.not_asked) == 1
    assert "origin" in found.not_asked[0]
    spoil(store_of(clone), first)
    shutil.rmtree(tmp_path / "two")
    done = clone.mvc("fsck", "--repair", code=10)
    assert "not checked: origin:" in done.out


def test_a_remote_is_mended_from_another_one(clone: Clone, tmp_path: Path) -> None:
    """By somebody who has nothing: single chunks come from the other remote, and what is lost is fetched from it."""
    first, *_, last = chunks(clone)
    spoil(tmp_path / "one", first, last)
    shutil.rmtree(store_of(clone))
    before = {path: path.stat().st_size for path in (tmp_path / "one").glob("packs/*/*")}
    found = look(clone, repair=True, remote="origin")
    assert found.problems
    assert found.open == ()
    assert {path: path.stat().st_size for path in (tmp_path / "one").glob("packs/*/*")} == before
    assert not list(store_of(clone).glob("b/*/*"))  # nothing was fetched but the two
    shutil.rmtree(tmp_path / "one/packs")
    shutil.rmtree(tmp_path / "one/b")
    assert {problem.kind for problem in look(clone, remote="").open} == {"missing"}
    assert look(clone, repair=True, remote="").open == ()
    assert look(clone, remote="").problems == ()


def test_a_pack_that_nobody_knows_whole_is_left_and_what_suffers_is_sent_anew(clone: Clone, tmp_path: Path) -> None:
    """Its trailer is damaged, and it holds what only other commits name."""
    packs = list((tmp_path / "one").glob("packs/*/*"))
    for path in packs:
        flip(path, -1)
    (problem,) = look(clone, "HEAD", remote="").open
    assert "trailer" in problem.what
    assert "model.bin" in problem.needed_by[0]
    assert look(clone, "HEAD", remote="", repair=True).open == ()
    assert look(clone, "HEAD", remote="").problems == ()
    assert {problem.kind for problem in look(clone, remote="").open} == {"damaged"}  # the version before needs it still
    assert look(clone, remote="", repair=True).open == ()
    assert look(clone, remote="").problems == ()


def test_nothing_is_written_twice_where_packs_can_be_made_again(clone: Clone, tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in (tmp_path / "one").glob("*/*/*")}
    biggest = max(files, key=lambda path: len(files[path]))
    for left in (b"", files[biggest][:1000]):
        biggest.write_bytes(left)
        assert look(clone, remote="", repair=True).open == ()
        assert {path: path.read_bytes() for path in (tmp_path / "one").glob("*/*/*")} == files

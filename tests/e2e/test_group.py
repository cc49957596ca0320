"""Several accounts, one folder: a group works in it where the folder is setgid, whatever the umask."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import spawn
from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other accounts")
ADA, BOB, TEAM, STRANGER = 12_001, 12_002, 12_345, 12_003


@pytest.fixture
def top() -> Iterator[Path]:
    """A folder that every account may enter, with the team's setgid folder in it."""
    found = Path(tempfile.mkdtemp(prefix="mvc-group-"))
    found.chmod(0o755)
    (found / "team").mkdir()
    os.chown(found / "team", 0, TEAM)
    (found / "team").chmod(0o2775)
    yield found
    shutil.rmtree(found)


def member(top: Path, user: int, *, group: int = TEAM) -> Clone:
    """A clone of its own for an account; the first one makes the repository."""
    home = top / f"home{user}"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = N\nemail = n@example.org\n[init]\ndefaultBranch = main\n")
    git = {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "XDG_CONFIG_HOME": str(home / ".config")}
    clone = Clone(home / "clone", env=git)
    Clone.new(clone.path)
    for folder, folders, files in os.walk(home):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(folder, name), user, user)
    clone.env[spawn.ACCOUNT] = f"{user}:{group}"
    return clone


def modes(folder: Path) -> dict[str, int]:
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): path.stat().st_mode for path in paths}


def check_shared(folder: Path) -> None:
    for name, mode in modes(folder).items():
        wanted = 0o2070 if stat.S_ISDIR(mode) else 0o060
        assert mode & wanted == wanted, f"{name} {mode:o}"
        assert not mode & 0o002, f"{name} {mode:o} is writable for others"


def put(clone: Clone, name: str, seed: int, user: int) -> bytes:
    content = clone.write(name, seed)
    os.chown(clone.path / name, user, user)
    return content


def test_a_folder_remote_of_a_group(top: Path):
    ada, bob = member(top, ADA), member(top, BOB)
    far = top / "team/models"
    for clone, user, seed in ((ada, ADA, 1), (bob, BOB, 2), (ada, ADA, 3)):
        if seed < 3:
            clone.mvc("remote", "add", "origin", str(far))
        put(clone, "model.bin", seed, user)
        clone.mvc("add", "model.bin")
        clone.mvc("push")
        check_shared(far)
    bob.mvc("gc", "--remote", "--apply", "--exclusive", "--grace", "0", code=11)  # Ada's repository is not named
    bob.mvc("fsck", "--remote")
    assert len(list(far.glob("packs/*/*"))) == 3


def test_a_shared_store_path_of_a_group(top: Path):
    ada, bob = member(top, ADA), member(top, BOB)
    store = top / "team/store"
    for clone, user in ((ada, ADA), (bob, BOB)):
        path = clone.path / ".git/mvc/config.toml"
        path.write_text(f'[store]\npath = "{store}"\n')
        os.chown(path, user, user)
    for turn, (clone, user) in enumerate(((ada, ADA), (bob, BOB), (ada, ADA), (bob, BOB))):
        put(clone, "model.bin", turn, user)
        clone.mvc("add", "model.bin")
        check_shared(store)
    assert len(list((store / "clones").iterdir())) == 2
    for clone in (ada, bob):
        clone.mvc("fsck")


def test_a_folder_that_is_not_setgid_keeps_its_umask(top: Path):
    far = top / "own"
    far.mkdir()
    os.chown(far, ADA, ADA)
    ada = member(top, ADA)
    ada.mvc("remote", "add", "origin", str(far / "models"))
    put(ada, "model.bin", 1, ADA)
    ada.mvc("add", "model.bin")
    ada.mvc("push")
    assert all(not mode & 0o2020 for mode in modes(far / "models").values())


@pytest.mark.parametrize("kind", ["b", "packs"])
@pytest.mark.parametrize("cure", ["push", "repair"])
def test_one_key_that_cannot_be_read_stops_nothing_else(top: Path, kind: str, cure: str):
    ada, bob = member(top, ADA), member(top, BOB)
    far = top / "team/models"
    for clone in (ada, bob):
        clone.mvc("remote", "add", "origin", str(far))
    for clone, user in ((ada, ADA), (bob, BOB)):
        for name, seed in (("one.bin", 1), ("two.bin", 2)):
            put(clone, name, seed, user)
            clone.mvc("add", name)
            if clone is ada:
                clone.mvc("push")
    first = min(far.glob(f"{kind}/*/*"), key=lambda path: path.stat().st_mtime)
    first.chmod(0o600)
    found = bob.json("fsck", "--remote", code=12)
    assert {problem["kind"] for problem in found["problems"]} == {"unreadable"}
    assert "cannot be read by this account" in found["problems"][0]["what"]
    assert found["remote"]["proven"] == 1
    put(bob, "three.bin", 3, BOB)
    bob.mvc("add", "three.bin")
    bob.mvc("push")  # sends anew what it cannot look at
    assert len(list(far.glob("b/*/*"))) == 3
    if cure == "repair" or kind == "packs":
        bob.mvc("fsck", "--remote", "--repair")
    assert bob.json("fsck", "--remote")["problems"] == []
    check_shared(far)


def test_a_fetch_brings_all_but_the_key_that_cannot_be_read(top: Path):
    ada, bob = member(top, ADA), member(top, BOB)
    far = top / "team/models"
    ada.mvc("remote", "add", "origin", str(far))
    bob.mvc("remote", "add", "origin", str(far))
    for name, seed in (("one.bin", 1), ("two.bin", 2), ("three.bin", 3)):
        for clone, user in ((ada, ADA), (bob, BOB)):
            put(clone, name, seed, user)
            clone.mvc("add", name)
        ada.mvc("push")
    roots = sorted(far.glob("b/*/*"), key=lambda path: path.stat().st_mtime)
    roots[1].chmod(0o600)
    shutil.rmtree(bob.path / ".git/mvc/store")
    assert str(roots[1]) in bob.mvc("fetch", code=13).err
    assert {path.name for path in (bob.path / ".git/mvc/store").glob("b/*/*")} == {roots[0].name, roots[2].name}


def test_looking_at_a_remote_that_one_may_only_read(top: Path):
    ada = member(top, ADA)
    far = top / "team/models"
    ada.mvc("remote", "add", "origin", str(far))
    put(ada, "model.bin", 1, ADA)
    ada.mvc("add", "model.bin")
    ada.mvc("push")
    for path in (far, *far.rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "every object is needed" in ada.mvc("gc", "--remote").out
    assert "may read and write that folder" in ada.mvc("gc", "--remote", "--apply", code=13).err
    rows = {(one["check"], one["state"]) for one in ada.json("doctor")["findings"]}
    assert ("remote origin", "ok") in rows
    assert not [state for check, state in rows if check == "remote origin" and state != "ok"]
    assert "push would be refused" in ada.mvc("doctor", "--write").out

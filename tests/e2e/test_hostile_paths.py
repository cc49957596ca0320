"""Paths that lead elsewhere, in everything that a stranger can write: trees, pointers, other repositories' answers.

The stranger's mvc has no checks: what `formats.paths` refuses is switched off while their repository is made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import ConfigError, FormatError, IntegrityError, ModelvcError
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer import pointer
from modelvc.formats.text import policy
from modelvc.ops.sharing.get import GetOptions, get
from modelvc.ops.tracking.checkout import checkout
from modelvc.repo import open_repo
from modelvc.worktree.files import Worktree
from tests.support.clone import Clone
from tests.support.strangers import EVIL, LONG, everything, no_checks, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_made: list[Path] = []


@pytest.fixture(autouse=True)
def _shallow(tmp_path: Path) -> Iterator[None]:
    """What is deeper than Python recurses, pytest could not remove."""
    yield
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


@pytest.fixture
def victim(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone of a stranger's repository: one folder for each evil path, `shape` and `deep`. Made once."""
    if not _made:
        top = tmp_path_factory.mktemp("evil")
        evil = Clone.new(top / "evil")
        evil.mvc("remote", "add", "origin", str(top / "far"))
        with no_checks():
            for number, path in enumerate(EVIL.values()):
                write_tree(evil, f"m{number}", [(path, b"owned"), ("zz", b"fine")], top)
            write_tree(evil, "shape", [("a", b"owned"), ("a/b", b"owned")], top)
            write_tree(evil, "deep", [(LONG, b"deep"), ("e/" + LONG, b"deep")], top)
            evil.git("add", ".")
            evil.git("commit", "-q", "--no-verify", "-m", "evil")
            from modelvc.ops.sharing.push import push

            push(open_repo(str(evil.path), {}))
        _made.append(top)
    shutil.copytree(_made[0] / "far", tmp_path / "far")
    clone = Clone(tmp_path / "victim")
    clone.path.mkdir()
    clone.git("clone", "-q", str(_made[0] / "evil"), ".")
    config = clone.path / ".mvc/config.toml"
    config.write_text(config.read_text().replace(str(_made[0] / "far"), str(tmp_path / "far")))
    clone.mvc("install")
    return clone


def test_trees_from_a_remote(victim: Clone, tmp_path: Path) -> None:
    before = everything(tmp_path)
    repo = open_repo(str(victim.path), {})
    for number, what in enumerate(EVIL):
        with pytest.raises(IntegrityError) as caught:
            checkout(repo, "", [f"m{number}"])
        assert str(caught.value).isprintable(), what
    with pytest.raises(ModelvcError, match=r"cannot lie beside|damaged"):
        checkout(repo, "", ["shape"])
    assert everything(tmp_path) == before
    assert not Path("/tmp/mvc-evil").exists()
    said = victim.mvc("checkout", "m0", code=12)
    assert "internal" not in said.err
    assert "Traceback" not in said.err


def test_a_tree_deeper_than_python_recurses(victim: Clone) -> None:
    """2,040 folders: within what a path may be, and beyond what can be had open or called at once."""
    checkout(open_repo(str(victim.path), {}), "", ["deep"])
    fd = os.open(victim.path / "deep", os.O_RDONLY)
    for _ in range(2_039):
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    inside = os.open("d", os.O_RDONLY, dir_fd=fd)
    assert os.read(inside, 10) == b"deep"
    os.close(inside)
    os.close(fd)
    done = victim.run("sh", "-c", "mvc status; rm -rf deep; mvc checkout deep; rm -rf deep; mvc status")
    assert "internal" not in done.err  # beyond the longest path that a file system takes it is an error in words
    tmp = victim.path / ".git/mvc/tmp"
    assert not tmp.exists() or not os.listdir(tmp)


def test_what_is_left_of_a_deep_folder_is_removed(tmp_path: Path) -> None:
    found = Worktree(str(tmp_path), str(tmp_path / "tmp"))
    with pytest.raises(ZeroDivisionError), found.new_folder(SafeRelPath("m")) as folder:
        folder.write(LONG, b"x", executable=False)
        raise ZeroDivisionError
    assert os.listdir(tmp_path / "tmp") == []
    with found.new_folder(SafeRelPath("m")) as folder:
        folder.write(LONG, b"x", executable=False)
    os.rename(tmp_path / "m", tmp_path / "tmp/mvc-4194305-dead")
    found.clean_tmp()
    assert os.listdir(tmp_path / "tmp") == []


def test_get_from_a_stranger(victim: Clone, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    before = everything(tmp_path)
    for number in range(len(EVIL)):
        with pytest.raises(IntegrityError):
            get(str(_made[0] / "evil"), f"m{number}", str(here), GetOptions(out=f"out{number}"))
    assert everything(tmp_path) == before
    assert os.listdir(here) == []


def test_names_that_a_person_or_a_stranger_types(victim: Clone, tmp_path: Path) -> None:
    said = b'format = 1\nkind = "file"\noid = "blake3:%s"\nsize = 1\n\n' % (b"0" * 64)
    for path in EVIL.values():
        with pytest.raises(FormatError):
            SafeRelPath(path)
        with pytest.raises(FormatError):
            pointer.parse(said + b'[metrics_file]\npath = %s\ndigest = "blake3:%s"\n' % (_quoted(path), b"0" * 64))
        for key in ("metrics", "params", "predictions"):
            if path:
                with pytest.raises(ConfigError):
                    policy.parse(b"[[model]]\n%s = %s\n" % (key.encode(), _quoted(path)))
    for path in ("../evil", "/tmp/mvc-evil", ".git/config", "a\nb", "C:evil", ""):
        with pytest.raises(ModelvcError) as caught:
            get(str(_made[0] / "evil"), path, str(tmp_path))
        assert caught.value.exit_code in {2, 10, 12}


def _quoted(path: str) -> bytes:
    from modelvc.formats import toml

    return toml._string(path).encode()

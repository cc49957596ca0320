"""Where a clone keeps what: `git rev-parse` is the oracle."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from modelvc.errors import NoRepository
from modelvc.git.layout import Layout, discover


def git(cwd: Path, *words: str, env: dict[str, str] | None = None) -> str:
    allowed = ("-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *allowed, *words],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def agrees(start: Path, env: dict[str, str] | None = None) -> Layout:
    """The layout, after it was compared with what Git says."""
    found = discover(str(start), env or {})
    asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    top, git_dir, common = git(start, "rev-parse", *asked, env=env).splitlines()
    real = os.path.realpath
    assert (found.worktree, found.git_dir, found.common_dir) == (real(top), real(git_dir), real(start / common))
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "re po"
    path.mkdir()
    git(path, "init", "-q")
    git(path, "commit", "-q", "--allow-empty", "-m", "x")
    (path / "a/b").mkdir(parents=True)
    return path


def test_from_the_top_and_below(repo: Path) -> None:
    found = agrees(repo)
    assert found.mvc_dir == found.state_dir == str(repo / ".git/mvc")
    agrees(repo / "a/b")


def test_through_a_link(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo / "a")
    agrees(tmp_path / "link")


def test_a_git_dir_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    git(tmp_path, "init", "-q", "--separate-git-dir", "g", "w")
    agrees(tmp_path / "w")


def test_a_linked_worktree(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked/sub").mkdir()
    found = agrees(tmp_path / "linked/sub")
    assert found.mvc_dir == str(repo / ".git/mvc")
    assert found.state_dir == str(repo / ".git/worktrees/linked/mvc")


def test_a_submodule_also_when_its_configuration_moved(repo: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repo), "in ner")
    (outer / "in ner/sub").mkdir()
    agrees(outer / "in ner/sub")
    git(outer / "in ner", "sparse-checkout", "set", "sub")  # core.worktree now stands in config.worktree
    assert "core.worktree" not in git(
        outer / "in ner", "config", "--file", str(outer / ".git/modules/in ner/config"), "-l"
    )
    (outer / "in ner/sub").mkdir(exist_ok=True)
    agrees(outer / "in ner/sub")
    git_dir = outer / ".git/modules/in ner"
    found = discover(str(outer / "in ner"), {"GIT_DIR": str(git_dir)})
    assert found.worktree == str(outer / "in ner")


def test_linked_worktrees_of_a_bare_repository(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "all/.git")
    git(tmp_path / "all", "worktree", "add", "-q", "one")
    agrees(tmp_path / "all/one")
    with pytest.raises(NoRepository, match="bare"):
        discover(str(tmp_path / "all"), {})


@pytest.mark.parametrize("value", ["../../elsewhere", "../../else where", '../../else # "x"'])
def test_core_worktree(repo: Path, tmp_path: Path, value: str) -> None:
    (repo / ".git" / value).mkdir(parents=True)
    git(repo, "config", "core.worktree", value)
    found = discover(str(repo), {})
    assert found.worktree == os.path.realpath(repo / ".git" / value)
    assert git(tmp_path, "--git-dir", str(repo / ".git"), "rev-parse", "--show-toplevel").rstrip("\n") == found.worktree


def test_the_environment(repo: Path, tmp_path: Path) -> None:
    agrees(repo / "a", {"GIT_DIR": "../.git"})  # the worktree is where one stands, as for Git
    agrees(tmp_path, {"GIT_DIR": str(repo / ".git"), "GIT_WORK_TREE": str(repo)})
    agrees(repo, {"GIT_WORK_TREE": str(repo / "a")})
    agrees(repo, {"GIT_DIR": ".git", "GIT_WORK_TREE": "."})
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repo), str(other))
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))
    agrees(tmp_path / "linked", {"GIT_DIR": str(repo / ".git/worktrees/linked"), "GIT_COMMON_DIR": str(repo / ".git")})
    with pytest.raises(NoRepository, match="GIT_DIR"):
        discover(str(repo), {"GIT_DIR": str(repo / "nothing")})


def test_ceilings(repo: Path) -> None:
    ceiling = {"GIT_CEILING_DIRECTORIES": f":{repo}"}
    agrees(repo, ceiling)  # the folder one stands in is always looked at
    with pytest.raises(NoRepository):
        discover(str(repo / "a/b"), ceiling)
    with pytest.raises(subprocess.CalledProcessError):
        git(repo / "a/b", "rev-parse", "--show-toplevel", env=ceiling)


def test_no_repository_names_the_next_commands(tmp_path: Path) -> None:
    with pytest.raises(NoRepository) as caught:
        discover(str(tmp_path), {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert caught.value.hint == "change to your project's folder; in a new one run `git init`, then `mvc init`"


def test_bare_and_inside_of_dot_git(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare")
    for inside in (tmp_path / "bare", tmp_path / "bare/objects", repo / ".git", repo / ".git/objects"):
        with pytest.raises(NoRepository, match="not in its worktree"):
            discover(str(inside), {})
    with pytest.raises(NoRepository, match="bare"):
        discover(str(tmp_path), {"GIT_DIR": str(tmp_path / "bare")})


@pytest.mark.parametrize("content", [b"", b"gitdir: /nowhere\n", b"gitdir: \n", b"\xff\xfe", b"gitdir: " + b"x" * 9000])
def test_a_dot_git_that_leads_nowhere(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    with pytest.raises(NoRepository):
        discover(str(tmp_path), {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_it_loads_nothing_heavy() -> None:
    script = "import sys; before = set(sys.modules); import modelvc.git.layout; print(*set(sys.modules) - before)"
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        ["python", "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == {"modelvc", "modelvc.git", "modelvc.errors", "modelvc.git.layout"}

"""Commits by who reaches whom: what a proof keeps, and what Git's remote has now."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelvc.errors import GitError
from modelvc.git import reachability
from tests.unit.git.test_history import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """a - b - c on main, and d on side from a."""
    found = Repo(tmp_path / "r")
    for name in "abc":
        found.commit(name)
        found.git("tag", name)
    found.git("checkout", "-q", "-b", "side", "a")
    found.commit("d")
    found.git("tag", "-am", "x", "d")
    return found


def test_which_are_reached(repo: Repo) -> None:
    a, b, c, d = reachability.local_commits(repo.layout, ["a", "b", "c", "d"])
    assert d == repo.git("rev-parse", "side")
    assert reachability.local_commits(repo.layout, ["a", "f" * 40, "a", "a:"]) == [a]
    assert reachability.reached_by(repo.layout, [a, b, c, d], [b]) == [a, b]
    assert reachability.reached_by(repo.layout, [a, d], []) == []
    repo.git("replace", "--graft", "c")
    assert reachability.reached_by(repo.layout, [a], [c]) == [a]


def test_which_no_other_reaches(repo: Repo) -> None:
    a, b, c, d = reachability.local_commits(repo.layout, ["a", "b", "c", "d"])
    assert reachability.maximal(repo.layout, [a, b, c, d, a], []) == [c, d]
    assert reachability.maximal(repo.layout, [c], [b, d]) == [c, d]
    assert reachability.maximal(repo.layout, [a, d], [c]) == [d, c]
    assert reachability.maximal(repo.layout, [b], [c]) == [c]


def test_what_a_repository_has_now(repo: Repo, tmp_path: Path) -> None:
    """Whatever remote-tracking refs say."""
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "hub"))
    hub = Repo(tmp_path / "hub")
    repo.git("remote", "add", "origin", str(hub.path))
    repo.git("fetch", "-q", "origin")
    hub.git("update-ref", "-d", "refs/heads/side")
    hub.git("update-ref", "-d", "refs/tags/d")
    a, b, c = reachability.local_commits(repo.layout, ["a", "b", "c"])
    assert set(reachability.remote_commits(repo.layout, str(hub.path))) == {a, b, c}
    with pytest.raises(GitError):
        reachability.remote_commits(repo.layout, str(tmp_path / "nowhere"))

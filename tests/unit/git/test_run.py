"""The one place where a process is started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from modelvc.errors import GitError
from modelvc.git.git_remotes import absolute_url
from modelvc.git.layout import discover
from modelvc.git.run import environment, git, run, said


def test_nothing_of_a_commit_in_progress_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    leaks = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
    leaks += ("GIT_CONFIG", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
    never = tuple(f"GIT_{how}_PATHSPECS" for how in ("LITERAL", "GLOB", "NOGLOB", "ICASE"))
    never += ("GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS")
    kept = ("GIT_SSH_COMMAND", "GIT_TRACE2", "GIT_CONFIG_COUNT", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS", "PATH")
    for name in (*leaks, *never, *kept):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    found = environment()
    assert [name for name in (*leaks, *never) if name in found] == []
    assert [name for name in kept if name not in found] == []
    assert (found["LC_ALL"], found["GIT_OPTIONAL_LOCKS"]) == ("C", "0")
    about = environment(commit_env=True)
    assert [name for name in leaks if name not in about] == []
    assert [name for name in never if name in about] == []


def test_an_error_has_the_command_and_gits_words_but_nothing_for_the_terminal(tmp_path: Path) -> None:
    git(str(tmp_path), "init", "-q")
    with pytest.raises(GitError, match=r"git cat-file failed: .*Not a valid object name") as caught:
        git(str(tmp_path), "cat-file", "-t", "\033[2Jx")
    assert "\033" not in str(caught.value)
    assert caught.value.hint


def test_what_git_said_is_one_line_without_gaps() -> None:
    assert said(b"fatal: no such place\n\nPlease look,\n  and try again.\n") == (
        "fatal: no such place; Please look,; and try again."
    )


def test_a_url_is_a_path_where_it_is_one_to_git(tmp_path: Path) -> None:
    (tmp_path / "https:/host").mkdir(parents=True)  # what a repository brings stands for no server
    (tmp_path / "host:path").mkdir()
    for url in ("https://host", "host:path", "ada@host:path", str(tmp_path)):
        assert absolute_url(url, str(tmp_path)) == url
    for url in ("../origin.git", "./host:path", "origin.git"):
        assert absolute_url(url, str(tmp_path)) == f"{tmp_path}/{url}"


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="not installed") as caught:
        git(str(tmp_path), "status")
    assert "2.34" in caught.value.hint


def test_input_and_status(tmp_path: Path) -> None:
    assert git(str(tmp_path), "hash-object", "--stdin", stdin=b"x" * 100_000).strip().isalnum()
    assert run(str(tmp_path), "rev-parse", "--verify", "-q", "nothing")[0] != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_somebody_else_is_refused_as_git_refuses_it(tmp_path: Path) -> None:
    """Its configuration could name programs: safe.directory is Git's answer, and mvc does not get around it."""
    path = tmp_path / "r"
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    for top, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.chown(os.path.join(top, name), 4321, 4321)
    with pytest.raises(GitError, match="dubious ownership"):
        git(discover(str(path), {}), "ls-files")


def test_a_git_dir_that_git_would_not_find(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "dots")], check=True)
    subprocess.run(["git", "-C", str(tmp_path / "dots"), "config", "core.bare", "false"], check=True)
    (tmp_path / "home").mkdir()
    env = {"GIT_DIR": str(tmp_path / "dots"), "GIT_WORK_TREE": str(tmp_path / "home")}
    layout = discover(str(tmp_path), env)
    assert git(layout, "rev-parse", "--show-toplevel").decode().strip() == str(tmp_path / "home")


def test_no_password_of_a_url_is_repeated() -> None:
    words = said(b"fatal: unable to access 'https://me:s3cr/et@host/x'")
    assert "s3cr" not in words
    assert "host/x" in words
    assert said(b"fatal: 'https://t0ken@host/x' and 'ssh://git@host/x'") == (
        "fatal: 'https://...@host/x' and 'ssh://git@host/x'"
    )

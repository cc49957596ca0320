"""Git's index: reading pointers out of it, and staging that survives whatever else happens."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from modelvc.errors import GitError
from modelvc.git import index, run
from modelvc.git.layout import Layout, discover


class Repo:
    def __init__(self, path: Path, *init: str) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", *init)

    def git(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(["git", *words], cwd=self.path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def write(self, name: str, text: str = "x") -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    @property
    def layout(self) -> Layout:
        return discover(str(self.path), {})


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = Repo(tmp_path / "r")
    found.write("code", "1")
    found.git("add", ".")
    found.git("commit", "-qm", "x")
    return found


ODD = [
    "a b.mvc",
    "ü.mvc",
    "it's.mvc",
    'a"b.mvc',
    "-rf.mvc",
    "$(x).mvc",
    "new\nline.mvc",
    "tab\t.mvc",
    "sub/*.mvc",
    ":(top).mvc",
]


def test_pointers_of_any_name(repo: Repo) -> None:
    for name in ODD:
        repo.write(name)
    index.stage(repo.layout, add=ODD)
    assert sorted(entry.path for entry in index.pointers(repo.layout)) == sorted(ODD)
    assert index.tracked_under(repo.layout, "sub/*.mvc") == []
    index.stage(repo.layout, add=(), remove=ODD[:4])
    assert sorted(entry.path for entry in index.pointers(repo.layout)) == sorted(ODD[4:])
    assert repo.git("diff", "--cached", "--name-only", "--diff-filter=D") == ""


def test_what_is_no_pointer(repo: Repo) -> None:
    for name in (".mvc/x.mvc", ".mvc/config.toml", "x.mvcs", "sub/.mvc"):
        repo.write(name)
    (repo.path / "link.mvc").symlink_to("code")
    repo.write("run.mvc")
    (repo.path / "run.mvc").chmod(0o755)
    repo.git("add", "-A")
    assert [(entry.path, entry.mode) for entry in index.pointers(repo.layout)] == [("run.mvc", "100755")]


def test_stages_of_a_conflict(repo: Repo) -> None:
    for branch, text in (("a", "a\n"), ("b", "b\n")):
        repo.git("checkout", "-q", "-b", branch, "main")
        repo.write("m.mvc", text)
        repo.git("add", ".")
        repo.git("commit", "-qm", branch)
    repo.git("merge", "a", code=1)
    found = index.pointers(repo.layout)
    assert [entry.stage for entry in found] == [2, 3]
    blobs = index.read_blobs(repo.layout, [entry.blob for entry in found])
    assert [blobs[entry.blob] for entry in found] == [b"b\n", b"a\n"]


def test_sparse_pointers_are_marked(repo: Repo) -> None:
    for name in ("in/a.mvc", "out/b.mvc", "out/deep/c.mvc"):
        repo.write(name)
    repo.git("add", ".")
    repo.git("commit", "-qm", "x")
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "in")
    found = {entry.path: entry.sparse for entry in index.pointers(repo.layout)}
    assert found == {"in/a.mvc": False, "out/b.mvc": True, "out/deep/c.mvc": True}


def test_blobs_are_capped_and_others_left_out(repo: Repo) -> None:
    small = repo.git("hash-object", "-w", "code").strip()
    repo.write("big", "x" * 65537)
    big = repo.git("hash-object", "-w", "big").strip()
    tree = repo.git("rev-parse", "HEAD^{tree}").strip()
    assert index.read_blobs(repo.layout, [big, small, "0" * 40, tree, small]) == {small: b"1"}
    assert index.read_blobs(repo.layout, []) == {}


def test_the_index_of_the_commit_in_progress(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("m.mvc", "staged")
    subprocess.run(
        ["git", "add", "m.mvc"], cwd=repo.path, env={**os.environ, "GIT_INDEX_FILE": ".git/next"}, check=True
    )
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next")  # relative, as in a plain commit
    assert [entry.path for entry in index.pointers(repo.layout, commit_env=True)] == ["m.mvc"]
    assert index.pointers(repo.layout) == []
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_WORK_TREE", "/nonexistent")
    assert index.pointers(repo.layout) == []


def test_tracked_under(repo: Repo) -> None:
    for name in ("models/a", "models/deep/b", "models/c.mvc", "models2/d"):
        repo.write(name)
    repo.git("add", ".")
    assert index.tracked_under(repo.layout, "models") == ["models/a", "models/deep/b"]
    assert index.tracked_under(repo.layout, "models/a") == ["models/a"]
    assert index.tracked_under(repo.layout, "model") == []
    for name in ("*", ":(top)models", ":!models2", "models/[a]"):  # names, whatever pathspecs make of them
        assert index.tracked_under(repo.layout, name) == []
    repo.write("[a]*/x")
    repo.git("add", ".")
    assert index.tracked_under(repo.layout, "[a]*") == ["[a]*/x"]


def test_a_line_break_in_a_name_asks_for_no_second_object(repo: Repo) -> None:
    repo.write("other", "2")
    repo.git("add", ".")
    repo.git("commit", "-qm", "x")
    assert index.head_blobs(repo.layout, ["none\nHEAD:code", "other"]) == {"other": b"2"}


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("models/\n", "models/x.mvc", (".gitignore", 1, "models/")),
        ("# c\n\n*.mvc\n", "x.mvc", (".gitignore", 3, "*.mvc")),
        ("*\n!*.mvc\n", "x.mvc", None),
        ("models/*\n!models/*.mvc\n", "models/x.mvc", None),
        ("other\n", "x.mvc", None),
    ],
)
def test_the_rule_that_would_ignore(repo: Repo, rules: str, path: str, expected: tuple[str, int, str] | None) -> None:
    repo.write(".gitignore", rules)
    assert index.ignore_rule(repo.layout, path) == expected
    repo.write(path)
    repo.git("add", "-f", path)
    assert index.ignore_rule(repo.layout, path) == expected  # --no-index


def test_a_rule_of_the_clone_or_of_a_folder(repo: Repo) -> None:
    repo.write("sub/.gitignore", "x.mvc\n")
    assert index.ignore_rule(repo.layout, "sub/x.mvc") == ("sub/.gitignore", 1, "x.mvc")
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/exclude").write_text("/y.mvc\n")
    assert index.ignore_rule(repo.layout, "y.mvc") == (".git/info/exclude", 1, "/y.mvc")


# -- staging


def test_what_is_staged_and_only_that(repo: Repo) -> None:
    repo.write("code", "not staged")
    repo.write("staged", "1")
    repo.git("add", "staged")
    repo.write("m.mvc")
    repo.write("gone.mvc")
    index.stage(repo.layout, add=["m.mvc", "gone.mvc"])
    (repo.path / "gone.mvc").unlink()
    index.stage(repo.layout, add=["gone.mvc"], remove=["code"])
    assert repo.git("status", "--short", "--no-renames") == "D  code\nA  m.mvc\nA  staged\n?? code\n"
    assert (repo.path / "code").read_text() == "not staged"
    assert not list((repo.path / ".git").glob("*lock*"))
    assert not list((repo.path / ".git").glob("mvc-index*"))
    assert not (repo.path / ".git/mvc/journal").exists()


def test_the_first_file_of_a_repository(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "r")
    repo.write("m.mvc")
    index.stage(repo.layout, add=["m.mvc"])
    assert repo.git("status", "--short") == "A  m.mvc\n"


def test_all_or_nothing(repo: Repo) -> None:
    repo.write("m.mvc")
    before = (repo.path / ".git/index").read_bytes()
    with pytest.raises(GitError, match="update-index"):
        index.stage(repo.layout, add=["m.mvc", "../outside"], remove=["code"])
    assert (repo.path / ".git/index").read_bytes() == before
    assert repo.git("status", "--short") == "?? m.mvc\n"


def test_no_hook_of_the_user_runs(repo: Repo) -> None:
    hook = repo.path / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    repo.git("config", "core.fsmonitor", "touch fsmonitor-ran; false")
    repo.write("m.mvc")
    index.stage(repo.layout, add=["m.mvc"])
    assert sorted(path.name for path in repo.path.iterdir()) == [".git", "code", "m.mvc"]


def test_a_file_that_was_edited_as_the_index_was_written_stays_modified(repo: Repo) -> None:
    """Git takes such a file for clean by its stat data, and knows from the index's own time not to."""
    repo.git("config", "core.trustctime", "false")
    moment = (1_700_000_000, 1_700_000_000)
    code = repo.path / "code"
    os.utime(code, moment)
    repo.git("update-index", "--refresh")
    code.write_text("2")
    os.utime(code, moment)
    os.utime(repo.path / ".git/index", moment)
    repo.write("m.mvc")
    index.stage(repo.layout, add=["m.mvc"])
    assert " M code\n" in repo.git("status", "--short")


def test_in_a_linked_worktree(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked/m.mvc").write_text("x")
    layout = discover(str(tmp_path / "linked"), {})
    index.stage(layout, add=["m.mvc"])
    assert [entry.path for entry in index.pointers(layout)] == ["m.mvc"]
    assert index.pointers(repo.layout) == []


def test_a_split_index(repo: Repo) -> None:
    repo.git("update-index", "--split-index")
    repo.write("m.mvc")
    index.stage(repo.layout, add=["m.mvc"])
    repo.git("fsck")
    assert repo.git("status", "--short") == "A  m.mvc\n"


# -- locks


def test_a_lock_of_somebody_else_is_waited_for(repo: Repo) -> None:
    lock = repo.path / ".git/index.lock"
    lock.write_bytes(b"")
    threading.Timer(0.4, lock.unlink).start()
    started = time.monotonic()
    index.stage(repo.layout, add=[repo.write("m.mvc")])
    assert time.monotonic() - started >= 0.3
    assert repo.git("status", "--short") == "A  m.mvc\n"


def test_and_never_removed(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_PATIENCE", 0.2)
    lock = repo.path / ".git/index.lock"
    lock.write_bytes(b"somebody's")
    with pytest.raises(GitError, match=r"index\.lock") as caught:
        index.stage(repo.layout, add=[repo.write("m.mvc")])
    assert caught.value.exit_code == 14
    assert lock.read_bytes() == b"somebody's"
    assert not (repo.path / ".git/index.lock.mvc").exists()
    with pytest.raises(GitError, match=r"index\.lock"):  # nor is it by then taken for our own
        index.stage(repo.layout, add=["m.mvc"])
    assert lock.read_bytes() == b"somebody's"


def _die_at(path: str, step: int) -> None:
    """Stage, and die before the STEPth call that changes something."""
    calls = 0

    def dying(real: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls == step:
                os._exit(9)
            return real(*args, **kwargs)  # type: ignore[operator]

        return call

    os.link, os.replace, os.unlink = dying(os.link), dying(os.replace), dying(os.unlink)  # type: ignore[assignment]
    run.run = dying(run.run)  # type: ignore[assignment]
    index.git.__globals__["run"] = run.run
    index.stage(discover(path, {}), add=["m.mvc"])
    os._exit(0)


@pytest.mark.parametrize("step", range(1, 14))
def test_killed_at_any_step_the_next_run_works(repo: Repo, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_PATIENCE", 0.5)
    repo.write("m.mvc")
    child = multiprocessing.get_context("fork").Process(target=_die_at, args=(str(repo.path), step))
    child.start()
    child.join(20)
    assert child.exitcode in {0, 9}
    index.stage(repo.layout, add=[repo.write("n.mvc"), "m.mvc"])
    assert repo.git("status", "--short") == "A  m.mvc\nA  n.mvc\n"
    left = [path.name for path in (repo.path / ".git").iterdir() if "lock" in path.name or "mvc-" in path.name]
    assert left == []


def test_where_there_are_no_hard_links(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    index.stage(repo.layout, add=[repo.write("m.mvc")])
    monkeypatch.setattr(index, "_PATIENCE", 0.1)
    (repo.path / ".git/index.lock").touch()
    with pytest.raises(GitError):
        index.stage(repo.layout, add=["m.mvc"])


# -- what the shims compare


def _note_of_the_shim(repo: Repo) -> bytes:
    """What the functions in hooks/follow compute."""
    text = (Path(__file__).parents[3] / "hooks/follow").read_text()
    functions = text[text.index("index_now()") : text.index("unset GIT_INDEX_FILE")]
    script = f"{functions}\nindex_now; edits_now; sparse_now"
    return subprocess.run(["sh", "-c", script], cwd=repo.path, capture_output=True, check=True).stdout


def test_seen_is_what_the_shim_computes(repo: Repo) -> None:
    seen = repo.path / ".git/mvc/seen"
    for name in ODD:
        repo.write(name)
    index.stage(repo.layout, add=ODD)
    index.write_seen(repo.layout)
    assert seen.read_bytes() == _note_of_the_shim(repo)
    assert seen.read_bytes().endswith(b"\n-\n-\n")
    repo.git("config", "core.quotePath", "false")
    index.write_seen(repo.layout)
    assert seen.read_bytes() == _note_of_the_shim(repo)


def test_seen_is_what_the_shim_computes_in_a_sha256_repository(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "r", "--object-format=sha256")
    for name in (None, *ODD):  # first without any pointer
        if name:
            index.stage(repo.layout, add=[repo.write(name)])
        index.write_seen(repo.layout)
        assert (repo.path / ".git/mvc/seen").read_bytes() == _note_of_the_shim(repo)


def test_seen_knows_edits_of_the_worktree_and_what_is_sparse(repo: Repo) -> None:
    for name in ("in/a.mvc", "out/b.mvc"):
        repo.write(name)
    index.stage(repo.layout, add=["in/a.mvc", "out/b.mvc"])
    repo.git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x")
    index.write_seen(repo.layout)
    before = _note_of_the_shim(repo)
    os.utime(repo.path / "in/a.mvc", (1, 1))  # the same bytes at another time are no edit
    assert _note_of_the_shim(repo) == before
    repo.write("in/a.mvc", "a\r\n\0b\xff\n* c")
    index.write_seen(repo.layout)
    assert (repo.path / ".git/mvc/seen").read_bytes() == _note_of_the_shim(repo) != before
    repo.git("checkout", "-q", "in/a.mvc")
    repo.git("sparse-checkout", "set", "in")
    index.write_seen(repo.layout)
    assert (repo.path / ".git/mvc/seen").read_bytes() == _note_of_the_shim(repo)
    assert not (repo.path / ".git/mvc/seen").read_bytes().endswith(b"-\n")


def test_the_note_is_taken_before_a_change(repo: Repo) -> None:
    seen = repo.path / ".git/mvc/seen"
    assert index.take_seen(repo.layout)  # no pointers, nothing to agree with
    index.stage(repo.layout, add=[repo.write("m.mvc")])
    assert not index.take_seen(repo.layout)
    index.write_seen(repo.layout)
    assert index.take_seen(repo.layout)
    assert not seen.exists()
    index.write_seen(repo.layout)
    repo.write("m.mvc", "y")
    assert not index.take_seen(repo.layout)


def test_kept(repo: Repo) -> None:
    index.write_seen(repo.layout)
    kept = repo.path / ".git/mvc/kept"
    for value in (True, True, False, False):
        index.write_kept(repo.layout, kept=value)
        assert kept.exists() == value

"""History: which pointers which commits hold."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from modelvc.errors import GitError, UsageError
from modelvc.git import history
from modelvc.git.layout import Layout, discover


class Repo:
    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.mkdir(parents=True)
            self.git("init", "-q", "-b", "main")
        self.clock = 1_700_000_000

    def git(self, *words: str, stdin: bytes = b"") -> str:
        env = {**os.environ, "GIT_ALLOW_PROTOCOL": "file"}
        done = subprocess.run(["git", *words], cwd=self.path, env=env, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode().strip()

    def commit(self, subject: str, **files: str | None) -> str:
        self.clock += 60
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "-A")
        dates = f"{self.clock} +0000"
        os.environ["GIT_COMMITTER_DATE"] = os.environ["GIT_AUTHOR_DATE"] = dates
        try:
            self.git("commit", "-q", "--allow-empty", "-m", subject)
        finally:
            del os.environ["GIT_COMMITTER_DATE"], os.environ["GIT_AUTHOR_DATE"]
        return self.git("rev-parse", "HEAD")

    @property
    def layout(self) -> Layout:
        return discover(str(self.path), {})

    def seen(self, *include: str, **options: object) -> set[tuple[str, bytes]]:
        found = list(history.pointers_in(self.layout, include=include, **options))  # type: ignore[arg-type]
        pairs = [(seen.path, seen.data) for seen in found]
        assert len(set(pairs)) == len(pairs), "each once"
        return set(pairs)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """m.mvc 1, 2, 3 on main; sub/n.mvc from the second commit on."""
    found = Repo(tmp_path / "r")
    found.commit("one", m_mvc="1", code="a")
    found.commit("two", m_mvc="2", sub__n_mvc="n")
    found.commit("code only", code="b")
    found.commit("three", m_mvc="3")
    return found


def test_resolve(repo: Repo) -> None:
    head = repo.git("rev-parse", "HEAD")
    repo.git("tag", "-a", "-m", "x", "v1")
    for name in ("HEAD", "main", "v1", "@", "HEAD~0", head, head[:8], "v1^{commit}", ":/three"):
        assert history.resolve(repo.layout, name) == head


@pytest.mark.parametrize(
    "name",
    ["", "nothing", "--all", "-", "a..b", "a\0b", "\udcff", "HEAD:code", "HEAD^{tree}", "\033[2J", "0" * 40, "@{9}"],
)
def test_what_names_no_commit_is_named_in_the_error(repo: Repo, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        history.resolve(repo.layout, name)
    assert "\033" not in str(caught.value)
    assert caught.value.hint
    if name.isalpha():
        assert name in str(caught.value)


@pytest.mark.parametrize("rest", ["", "~0", "^{commit}", "^0"])
def test_a_name_with_a_remote_is_its_branch_alone(repo: Repo, tmp_path: Path, rest: str) -> None:
    """Tags arrive with a clone, and Git would take them first."""
    there = repo.git("rev-parse", "HEAD")
    repo.git("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    other = clone.commit("theirs")
    for kind in ("tag", "branch"):
        clone.git(kind, "origin/main", other)
        assert history.resolve(clone.layout, f"origin/main{rest}") == there
    clone.git("tag", "origin/gone", other)
    with pytest.raises(UsageError, match="is not a commit, branch or tag here"):
        history.resolve(clone.layout, f"origin/gone{rest}")
    assert history.resolve(clone.layout, "refs/tags/origin/gone") == other
    clone.git("remote", "rename", "origin", "team/hub")
    clone.git("tag", "team/hub/main", other)
    assert history.resolve(clone.layout, f"team/hub/main{rest}") == there


def test_a_name_of_a_branch_and_a_tag_is_refused(repo: Repo) -> None:
    repo.git("tag", "main", "HEAD~1")
    with pytest.raises(UsageError, match="main is the name of two refs"):
        history.resolve(repo.layout, "main")
    assert history.resolve(repo.layout, "refs/heads/main") == repo.git("rev-parse", "HEAD")


def test_resolve_where_nothing_is_committed(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "r")
    assert not history.has_head(repo.layout)
    with pytest.raises(UsageError):
        history.resolve(repo.layout, "HEAD")
    assert repo.seen(all_refs=True, reflog=True) == set()


def test_pointers_at(repo: Repo) -> None:
    assert history.pointers_at(repo.layout, "HEAD") == {"m.mvc": b"3", "sub/n.mvc": b"n"}
    assert history.pointers_at(repo.layout, "HEAD~3") == {"m.mvc": b"1"}


def test_what_is_no_pointer(repo: Repo) -> None:
    (repo.path / "link.mvc").symlink_to("/etc/passwd")
    (repo.path / "big.mvc").write_text("x" * 65537)
    (repo.path / "fits.mvc").write_text("x" * 65536)
    repo.commit("odd", _mvc__x_mvc="config", sub___mvc="a folder's name", sub2___mvc__y_mvc="in a folder below")
    found = history.pointers_at(repo.layout, "HEAD")
    assert set(found) == {"m.mvc", "sub/n.mvc", "fits.mvc", "sub2/.mvc/y.mvc"}
    assert {path for path, _ in repo.seen("HEAD")} == set(found)
    assert list(history.versions(repo.layout, "link.mvc")) == []
    assert list(history.versions(repo.layout, "big.mvc")) == []


def test_names_that_are_not_utf_8(repo: Repo) -> None:
    name = os.fsdecode(b"sub/\xe9.mvc")
    (repo.path / name).write_text("latin")
    repo.commit("latin")
    assert history.pointers_at(repo.layout, "HEAD")[name] == b"latin"
    assert [version.data for version in history.versions(repo.layout, "m.mvc")] == [b"3", b"2", b"1"]
    assert [version.data for version in history.versions(repo.layout, name)] == [b"latin"]


def test_a_range(repo: Repo) -> None:
    everything = {("m.mvc", b"1"), ("m.mvc", b"2"), ("m.mvc", b"3"), ("sub/n.mvc", b"n")}
    assert repo.seen("HEAD") == everything
    assert repo.seen("HEAD", exclude=["HEAD~1"]) == {("m.mvc", b"3"), ("sub/n.mvc", b"n")}
    assert repo.seen("HEAD~1", exclude=["HEAD"]) == set()
    assert repo.seen() == set()


def test_the_same_folder_in_two_places(repo: Repo) -> None:
    """Git keeps such trees once."""
    for top in ("a", "b/deep"):
        (repo.path / top / "x").mkdir(parents=True)
        (repo.path / top / "x/p.mvc").write_text("same")
    repo.commit("twice")
    both = {"a/x/p.mvc", "b/deep/x/p.mvc"}
    assert {path for path, data in repo.seen("HEAD") if data == b"same"} == both
    assert {path for path, data in history.pointers_at(repo.layout, "HEAD").items() if data == b"same"} == both


def test_every_place_that_git_keeps_commits_in(repo: Repo, tmp_path: Path) -> None:
    def on(name: str, *start: str) -> None:
        repo.git(*start)
        repo.commit(name, m_mvc=name)

    on("branch", "checkout", "-q", "-b", "branch")
    on("tag", "checkout", "-q", "--detach", "main")
    repo.git("tag", "tagged")
    on("annotated", "checkout", "-q", "--detach", "main")
    repo.git("tag", "-a", "-m", "x", "annotated")
    on("tracking", "checkout", "-q", "--detach", "main")
    repo.git("update-ref", "refs/remotes/origin/x", "HEAD")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    linked = Repo(tmp_path / "linked")
    linked.commit("linked", m_mvc="linked")
    repo.git("checkout", "-q", "main")
    for name in ("stash 1", "stash 2"):
        (repo.path / "m.mvc").write_text(name)
        repo.git("stash", "-q")
    repo.git("tag", "tree", "HEAD^{tree}")
    repo.git("tag", "blob", "HEAD:code")
    repo.git("update-ref", "refs/remotes/origin/HEAD", "main")
    repo.git("pack-refs", "--all")
    names = {data.decode() for path, data in repo.seen(all_refs=True) if path == "m.mvc"}
    assert names >= {"branch", "tag", "annotated", "tracking", "linked", "stash 1", "stash 2", "1", "2", "3"}
    assert {data.decode() for path, data in linked.seen(all_refs=True) if path == "m.mvc"} == names


def test_reflogs_name_what_no_ref_does(repo: Repo, tmp_path: Path) -> None:
    repo.commit("lost", m_mvc="lost")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    linked = Repo(tmp_path / "linked")
    linked.commit("lost there", m_mvc="lost there")
    linked.git("checkout", "-q", "--detach", "main")
    there = repo.seen(all_refs=True)
    assert {("m.mvc", b"lost"), ("m.mvc", b"lost there")}.isdisjoint(there)
    assert repo.seen(all_refs=True, reflog=True) >= {("m.mvc", b"lost"), ("m.mvc", b"lost there")}


def loose(repo: Repo, text: str) -> str:
    """A commit that nothing names, with a pointer that says TEXT."""
    blob = repo.git("hash-object", "-w", "--stdin", stdin=text.encode())
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tm.mvc\n".encode())
    return repo.git("commit-tree", "-m", text, tree)


def test_the_reflog_of_a_branch_that_was_moved(repo: Repo) -> None:
    """Its first line tells of the commit before it only as what was replaced."""
    repo.git("-c", "core.logAllRefUpdates=false", "branch", "side", loose(repo, "replaced"))
    for commit in (loose(repo, "there for a while"), "main"):
        repo.git("branch", "-f", "side", commit)
    lost = {("m.mvc", b"replaced"), ("m.mvc", b"there for a while")}
    assert lost.isdisjoint(repo.seen(all_refs=True))
    assert lost <= repo.seen(all_refs=True, reflog=True)


def test_what_is_in_progress_names_commits(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    lost = set()
    for folder in (repo.path / ".git", repo.path / ".git/worktrees/linked"):
        steps = [f"rebase-{how}/{name}" for how in ("merge", "apply") for name in ("orig-head", "autostash")]
        for name in ("MERGE_HEAD", "MERGE_AUTOSTASH", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", *steps):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(loose(repo, f"{folder} {name}") + "\n")
            lost.add(("m.mvc", f"{folder} {name}".encode()))
    assert lost <= repo.seen(all_refs=True, reflog=True)


def test_versions(repo: Repo) -> None:
    found = list(history.versions(repo.layout, "m.mvc"))
    assert [(version.subject, version.data, version.author) for version in found] == [
        ("three", b"3", "Ada"),
        ("two", b"2", "Ada"),
        ("one", b"1", "Ada"),
    ]
    assert [version.time for version in found] == sorted((version.time for version in found), reverse=True)
    assert [version.subject for version in history.versions(repo.layout, "m.mvc", start="HEAD~1")] == ["two", "one"]
    assert list(history.versions(repo.layout, "nothing.mvc")) == []


def test_versions_of_all_branches_and_merges(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "side", "HEAD~2")
    repo.commit("side", m_mvc="side")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "-s", "ours", "--no-edit", "side")
    assert [version.subject for version in history.versions(repo.layout, "m.mvc")] == ["side", "three", "two", "one"]
    repo.git("checkout", "-q", "-b", "more", "HEAD~1")
    repo.commit("elsewhere", m_mvc="elsewhere")
    repo.git("checkout", "-q", "main")
    found = [version.subject for version in history.versions(repo.layout, "m.mvc", all_refs=True)]
    assert sorted(found) == ["elsewhere", "one", "side", "three", "two"]


def test_branches_and_tags(repo: Repo) -> None:
    repo.git("tag", "-a", "-m", "x", "annotated")
    repo.git("tag", "light", "HEAD~1")
    repo.git("branch", "feature/x", "HEAD~1")
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    found = {commit: sorted(names) for commit, names in history.branches_and_tags(repo.layout).items()}
    head, before = repo.git("rev-parse", "HEAD", "HEAD~1").split()
    assert found == {head: ["annotated", "main", "origin/main"], before: ["feature/x", "light"]}


# -- clones that have less


def test_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--depth=2", repo.path.as_uri(), str(tmp_path / "c"))
    clone = Repo(tmp_path / "c")
    assert clone.seen(all_refs=True) == {("m.mvc", b"2"), ("m.mvc", b"3"), ("sub/n.mvc", b"n")}
    assert [version.subject for version in history.versions(clone.layout, "m.mvc")] == ["three", "code only"]


def test_a_clone_without_blobs_fetches_those_that_are_asked_for(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--filter=blob:none", "--no-checkout", repo.path.as_uri(), str(tmp_path / "c"))
    clone = Repo(tmp_path / "c")
    assert history.pointers_at(clone.layout, "HEAD") == {"m.mvc": b"3", "sub/n.mvc": b"n"}
    assert len(clone.seen("HEAD")) == 4
    assert [version.data for version in history.versions(clone.layout, "m.mvc")] == [b"3", b"2", b"1"]


def test_a_clone_without_trees_says_what_to_do(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "-q", "--filter=tree:0", repo.path.as_uri(), str(tmp_path / "c"))
    clone = Repo(tmp_path / "c")
    assert history.pointers_at(clone.layout, "HEAD") == {"m.mvc": b"3", "sub/n.mvc": b"n"}
    for ask in (lambda: clone.seen("HEAD"), lambda: list(history.versions(clone.layout, "m.mvc"))):
        with pytest.raises(GitError) as caught:
            ask()
        assert "git fetch --refetch" in caught.value.hint
    clone.git("fetch", "-q", "--refetch", "--no-filter")
    assert len(clone.seen("HEAD")) == 4


def test_a_repository_that_libgit2_can_not_read(tmp_path: Path) -> None:
    """Git's coming default."""
    (tmp_path / "r").mkdir()
    repo = Repo(tmp_path / "r")
    repo.git("init", "-q", "-b", "main", "--object-format=sha256")
    assert not history.has_head(repo.layout)
    first, second = repo.commit("one", m_mvc="1"), repo.commit("two", m_mvc="2")
    assert len(first) == 64
    assert history.resolve(repo.layout, "HEAD~1") == first
    assert history.present(repo.layout, [first, "0" * 64, "0" * 40]) == {first}
    assert history.pointers_at(repo.layout, "HEAD") == {"m.mvc": b"2"}
    assert repo.seen(all_refs=True, reflog=True) == {("m.mvc", b"1"), ("m.mvc", b"2")}
    assert [version.commit for version in history.versions(repo.layout, "m.mvc")] == [second, first]


def test_replace_refs(repo: Repo) -> None:
    """What is shown follows them; what must be kept or sent is the original, as for `git push`."""
    other = loose(repo, "replaced")
    repo.git("replace", repo.git("rev-parse", "HEAD"), other)
    assert history.pointers_at(repo.layout, "HEAD") == {"m.mvc": b"replaced"}
    assert [version.data for version in history.versions(repo.layout, "m.mvc")] == [b"replaced"]
    assert {data for path, data in repo.seen("HEAD") if path == "m.mvc"} == {b"1", b"2", b"3"}
    assert repo.seen("HEAD", exclude=["HEAD~1"]) == {("m.mvc", b"3"), ("sub/n.mvc", b"n")}
    assert {one.data for one in history.introductions(repo.layout)} == {b"1", b"2", b"3", b"n", b"replaced"}


def test_objects_that_another_process_adds_are_seen(repo: Repo) -> None:
    assert len(repo.seen("HEAD")) == 4
    repo.commit("four", m_mvc="4")
    repo.git("repack", "-qad")
    repo.git("pack-refs", "--all")
    assert ("m.mvc", b"4") in repo.seen("main")


# -- size


def test_deep_and_wide_trees(repo: Repo) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"deep")
    tree = repo.git("mktree", stdin=f"100644 blob {blob}\tp.mvc\n".encode())
    empty = repo.git("mktree", stdin=f"100644 blob {blob}\tp\n".encode())
    for _ in range(1500):
        tree = repo.git("mktree", stdin=f"040000 tree {tree}\ta\n".encode()) if _ % 150 == 0 else tree
    for _ in range(12):  # ten to the twelfth files, none of them a pointer
        empty = repo.git("mktree", stdin="".join(f"040000 tree {empty}\t{n}\n" for n in range(10)).encode())
    top = repo.git("mktree", stdin=f"040000 tree {tree}\ta\n040000 tree {empty}\tbomb\n".encode())
    commit = repo.git("commit-tree", "-m", "x", top)
    assert list(history.pointers_at(repo.layout, commit)) == ["a/" * 11 + "p.mvc"]


def test_ten_thousand_commits(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "r")
    lines = []
    for number in range(10_000):
        lines.append(f"commit refs/heads/main\ncommitter A <a@b> {1_700_000_000 + number} +0000\ndata 1\nx\n")
        if number == 0:
            lines += [f"M 100644 inline models/{n % 10}/{n}.mvc\ndata 1\nx\n" for n in range(500)]
        name = f"models/{number % 10}/{number % 500}.mvc" if number % 20 == 0 else "src/code.py"
        lines.append(f"M 100644 inline {name}\ndata {len(str(number))}\n{number}\n")
    repo.git("fast-import", "--quiet", stdin="".join(lines).encode())
    assert len(repo.seen("main")) == 999
    assert len(list(history.versions(repo.layout, "models/0/0.mvc"))) == 20

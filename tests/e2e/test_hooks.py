"""The shims under real Git: when Python starts, and when it must not. docs/decisions/0004-hooks.md has the table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelvc.errors import ConflictError
from modelvc.formats.text import proofs as proofformat
from modelvc.formats.text.proofs import Proof
from modelvc.git.setup import hooks
from modelvc.models.remotes.proofs import config_hash
from tests.support.shims import Shimmed


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base - m1 - m2 - m3 on main, code and pointer in turns; from m1 side (code), other (m.mvc), two (n.mvc)."""
    top = tmp_path_factory.mktemp("history")
    shimmed = Shimmed.new(top, install=False)
    shimmed.env = {
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    shimmed.commit(code="0")
    shimmed.git("tag", "base")
    for version in "123":
        shimmed.commit(m_mvc=version)
        shimmed.commit(code=version)
        shimmed.git("tag", f"m{version}")
    shimmed.git("checkout", "-q", "-b", "side", "m1")
    for name in ("a", "b", "c"):
        shimmed.commit(**{name: name})
    shimmed.git("checkout", "-q", "-b", "other", "m1")
    shimmed.commit(m_mvc="other")
    shimmed.git("checkout", "-q", "-b", "two", "m1")
    shimmed.commit(n_mvc="1")
    shimmed.commit(n_mvc="2")
    shimmed.git("checkout", "-q", "main")
    return top


@pytest.fixture
def repo(history: Path, tmp_path: Path) -> Shimmed:
    """A copy of it, with shims, all followed."""
    shutil.copytree(history / "r", tmp_path / "r", symlinks=True)
    found = Shimmed(tmp_path / "r", tmp_path / "log")
    text = (history / "stand-in").read_text().replace(str(history / "log"), str(tmp_path / "log"))
    found.python.write_text(text)
    found.python.chmod(0o755)
    found.install()
    found.git("reset", "-q", "--hard")  # notes what is here
    found.calls()
    assert found.in_step()
    return found


FOLLOWED = {
    "checkout": "git checkout -q m1",
    "switch": "git switch -q side",
    "switch --orphan": "git switch -q --orphan new",
    "checkout REV -- PATH": "git checkout -q m1 -- m.mvc",
    "restore --staged --worktree": "git restore -q --source=m1 --staged --worktree m.mvc",
    "reset --hard": "git reset -q --hard m1",
    "reset --keep": "git reset -q --keep m1",
    "reset --merge": "git reset -q --merge m1",
    "read-tree -u": "git read-tree -u -m HEAD m1",
    "stash": "echo 9 >m.mvc; git add m.mvc; git stash -q",
    "stash pop": "echo 9 >m.mvc; git stash -q; git stash pop -q --index",
    "stash -u": "echo 9 >m.mvc; git add m.mvc; echo u >u; git stash -q -u; git stash pop -q --index",
    "stash, pop, stash": "echo 9 >m.mvc; git add m.mvc; git stash -q; git stash pop -q; git stash -q",
    "stash an edit, twice": "echo 9 >m.mvc; git stash -q; git stash pop -q; git stash -q; git stash pop -q",
    "an edit, then reset --hard": "git restore -q --source=m1 m.mvc; git reset -q --hard",
    "an edit, then checkout -f": "git restore -q --source=m1 m.mvc; git checkout -q -f",
    "stash branch": "echo 9 >m.mvc; git stash -q; git checkout -q m1; git stash branch -q new",
    "cherry-pick": "git checkout -q m1; git cherry-pick m2~1",
    "cherry-pick A..B": "git checkout -q m1; git cherry-pick m1..m3",
    "cherry-pick --abort": "git checkout -q other; git cherry-pick m2~1; git cherry-pick --abort",
    "cherry-pick --skip": "git checkout -q other; git cherry-pick m2~1; git cherry-pick --skip",
    "revert": "git revert --no-edit m3~1",
    "merge, forward": "git checkout -q m1; git merge -q main",
    "merge, true": "git checkout -q side; git merge -q --no-edit main",
    "merge --squash": "git checkout -q m1; git merge -q --squash main",
    "merge --no-commit": "git checkout -q side; git merge -q --no-commit main",
    "merge, conflict": "git checkout -q other; ! git merge main",
    "merge --abort": "git checkout -q other; ! git merge main; git merge --abort",
    "pull": "git checkout -q m1 -B new; git pull -q . main",
    "pull --rebase": "git checkout -q side; git pull -q --rebase . main",
    "rebase": "git checkout -q side; git rebase -q main",
    "rebase, own pointers": "git checkout -q two; git rebase -q main",
    "rebase, only forward": "git checkout -q -b new m1; git rebase -q main",
    "rebase, all is there": "git checkout -q -b new m1; git cherry-pick m2~1; git commit -q --amend -m x; "
    "git rebase -q main",
    "rebase, becomes empty": "git checkout -q -b new m1; echo 3 >m.mvc; git commit -qam x; ! git rebase main; "
    "git checkout --ours m.mvc; git add m.mvc; git rebase --continue",
    "rebase --abort": "git checkout -q other; ! git rebase main; git rebase --abort",
    "rebase --skip": "git checkout -q other; ! git rebase main; git rebase --skip",
    "rebase --continue": "git checkout -q other; ! git rebase main; echo r >m.mvc; git add .; git rebase --continue",
    "rebase --apply": "git checkout -q two; git rebase -q --apply main",
    "rebase --apply --abort": "git checkout -q other; ! git rebase --apply main; git rebase --abort",
    "rebase --apply --skip": "git checkout -q other; ! git rebase --apply main; git rebase --skip",
    "rebase -i, drop last": "git checkout -q main; GIT_SEQUENCE_EDITOR='sed -i 3,4d' git rebase -q -i m1",
    "rebase -i, drop first": "git checkout -q two; GIT_SEQUENCE_EDITOR='sed -i s/^pick/drop/' git rebase -q -i m1",
    "rebase -i, reorder": "git checkout -q main; GIT_SEQUENCE_EDITOR='sed -i \"1h;1d;2G\"' git rebase -q -i m2~2",
    "rebase -i, edit": "git checkout -q main; GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' git rebase -q -i m2; "
    "git rebase --continue",
    "rebase -i, squash": "git checkout -q two; GIT_SEQUENCE_EDITOR='sed -i 2s/pick/squash/' git rebase -q -i m1",
    "rebase --exec": "git checkout -q two; git rebase -q -x true main",
    "rebase --autostash": "git checkout -q two; echo 9 >code; git rebase -q --autostash main; git checkout -q code",
    "rebase --onto": "git checkout -q main; git rebase -q --onto m1 m2 main || git rebase --abort",
    "am": "git format-patch -q --stdout m1..m2 >../p; git checkout -q m1; git am -q ../p",
    "am --abort": "git format-patch -q --stdout m1..m2 >../p; git format-patch -q --stdout base..m1 >>../p; "
    "git checkout -q m1; ! git am -q ../p; git am --abort",
    "am --skip": "git format-patch -q --stdout m1..m2 >../p; git format-patch -q --stdout base..m1 >>../p; "
    "git checkout -q m1; ! git am -q ../p; git am --skip; git am --skip; true",
    "bisect": "git bisect start main m1; git bisect good",
    "bisect reset": "git bisect start main m1; git bisect reset",
    "bisect run": "git bisect start main m1; git bisect run true",
    "from a sub-folder": "mkdir sub; cd sub; git checkout -q m1",
    "GIT_DIR": "top=$PWD; cd ..; GIT_DIR=$top/.git GIT_WORK_TREE=$top git checkout -q m1",
    "GIT_DIR, relative": "cd ..; GIT_DIR=r/.git GIT_WORK_TREE=r git checkout -q m1",
    "quotePath off": "git -c core.quotePath=true checkout -q m1",
}


@pytest.mark.parametrize("operation", FOLLOWED)
def test_models_follow(repo: Shimmed, operation: str) -> None:
    repo.sh(FOLLOWED[operation], code=None)
    assert repo.in_step(), repo.git("status")


@pytest.mark.parametrize(
    ("operation", "calls"),
    [
        ("rebase", 1),
        ("rebase, only forward", 1),
        ("rebase, all is there", 1),
        ("rebase, own pointers", 1),
        ("rebase --exec", 1),
        ("rebase -i, edit", 0),
    ],
)
def test_a_rebase_is_followed_once(repo: Shimmed, operation: str, calls: int) -> None:
    before, _, rebase = FOLLOWED[operation].rpartition("; ") if "edit" not in operation else ("", "", "")
    if not rebase:
        before, rebase = FOLLOWED[operation].split("; ", 1)
    repo.sh(before, code=None)
    repo.calls()
    repo.sh(rebase, code=None)
    assert len(repo.calls()) == calls
    assert repo.in_step()


@pytest.mark.parametrize(
    "operation",
    [
        "git status",
        "touch code m.mvc; git status",
        "echo 9 >code; git add code; git commit -qm x",
        "echo 9 >code; git commit -qam x",
        "echo 9 >code; git commit -qm x code",
        "echo 9 >code; git commit -qm x; git commit -q --amend -m y",
        "git checkout -q m3~0; git checkout -q main",
        "git checkout -q -b new; git branch -q -d main",
        "git checkout -q m2 -- code",
        "git restore --source=m2 code",
        "echo 9 >code; git stash -q; git stash pop -q",
        "echo 9 >code; echo u >u; git stash -q -u; git stash pop -q --index",
        "git reset -q --hard",
        "git reset -q --soft HEAD~1; git reset -q HEAD",
        "git checkout -q -b s m3; echo 1 >s; git add s; git commit -qm s; git rebase -q m3~1",
        "git checkout -q -b s m3; echo 1 >s; git add s; git commit -qm s; git merge -q --no-edit main",
        "git worktree list; git log -1; git diff; git fetch -q . ; git gc -q",
        "git tag t; git clean -qfd",
        "git init -q --bare ../far; git push -q ../far base",
    ],
)
def test_no_python_where_no_pointer_and_no_model_changed(repo: Shimmed, operation: str) -> None:
    model = repo.write("m", "model")
    os.utime(model, (1, 1))
    repo.write(".git/info/exclude", "/m\n")
    repo.sh(operation)
    assert repo.calls() == []
    assert repo.in_step()


def test_a_pointer_that_changed_in_the_worktree_alone(repo: Shimmed) -> None:
    repo.git("restore", "--source=m1", "m.mvc")
    assert repo.calls() == ["post-checkout " + f"{repo.git('rev-parse', 'HEAD').strip()} " * 2 + "0"]


def test_while_a_model_is_out_of_step_git_add_is_looked_at(repo: Shimmed) -> None:
    repo.sh("git checkout -q other; ! git merge main")
    repo.sh("git checkout --theirs m.mvc")
    repo.calls()
    (repo.path / ".git/mvc/kept").touch()
    repo.git("add", "m.mvc")
    assert len(repo.calls()) == 1
    assert repo.in_step()
    (repo.path / ".git/mvc/kept").unlink()


def test_linked_worktrees_and_their_own_notes(repo: Shimmed, tmp_path: Path) -> None:
    linked = tmp_path / "linked $(x) 'q'"
    repo.git("worktree", "add", "-q", str(linked), "m1")
    assert repo.in_step(cwd=linked)
    repo.calls()
    repo.git("checkout", "-q", "m2", cwd=linked)
    assert len(repo.calls()) == 1
    assert repo.in_step(cwd=linked)
    assert repo.in_step()


def test_submodules(repo: Shimmed, tmp_path: Path) -> None:
    outer = Shimmed.new(tmp_path / "outer", install=False)
    outer.sh(f"git -c protocol.file.allow=always submodule --quiet add '{repo.path}' inner")
    inner = Shimmed(outer.path / "inner", repo.log)
    inner.install()
    hooks.install(inner.layout, str(repo.python))
    inner.git("checkout", "-q", "m1")
    assert len(repo.calls()) == 1
    assert inner.in_step()


# -- pre-commit


def test_large_files_are_refused_with_the_command_that_keeps_them(repo: Shimmed) -> None:
    repo.git("config", "mvc.largeFile", "1000")
    repo.write("sub/big.bin", b"x" * 1001)
    repo.write("small.bin", b"x" * 1000)
    repo.git("add", ".")
    said = repo.git("commit", "-m", "x", code=1)
    assert "sub/big.bin has 1001 bytes" in said
    assert "mvc add sub/big.bin" in said
    assert "small" not in said
    assert repo.calls() == []
    assert "big.bin" in repo.git("commit", "--no-verify", "-m", "x")
    repo.write("code", "n")
    repo.git("commit", "-qam", "it is in history already, and none of this commit's business")


def test_ten_mebibytes_where_nothing_is_set_and_in_the_first_commit(tmp_path: Path) -> None:
    repo = Shimmed.new(tmp_path)
    with repo.write("big.bin").open("r+b") as file:
        file.truncate((10 << 20) + 1)
    repo.git("add", ".")
    assert "mvc add big.bin" in repo.git("commit", "-m", "x", code=1)
    with (repo.path / "big.bin").open("r+b") as file:
        file.truncate(10 << 20)
    repo.git("add", ".")
    repo.git("commit", "-qm", "x")


@pytest.mark.parametrize("how", ["commit -qam x", "commit -qm x big.bin", "-C sub commit -qam x"])
def test_every_kind_of_commit_is_looked_at(repo: Shimmed, how: str) -> None:
    (repo.path / "sub").mkdir()
    repo.commit(**{"big.bin": "small"})
    repo.git("config", "mvc.largeFile", "1000")
    repo.write("big.bin", b"x" * 1001)
    assert "mvc add big.bin" in repo.git(*how.split(), code=1)


@pytest.mark.parametrize(
    "name", ["a b", "ü", "it's", '"q"', "$(touch pwned)", "-rf", "a\nb", "a\tb", "\033[2Jx", "a;b", "\x9b2J\u202ex"]
)
def test_names_of_large_files_are_harmless(repo: Shimmed, name: str) -> None:
    repo.git("config", "mvc.largeFile", "10")
    repo.write(name, b"x" * 11)
    repo.git("add", "-A")
    said = repo.git("commit", "-m", "x", code=1)
    assert "has 11 bytes" in said
    assert "mvc add PATH" in said  # a command that could be pasted has only names that mean themselves
    assert said.isascii()
    assert "\033" not in said
    assert not (repo.path / "pwned").exists()


def test_what_a_merge_brings_is_in_history_already(repo: Shimmed) -> None:
    repo.git("checkout", "-q", "side")
    repo.write("big.bin", b"x" * 2000)
    repo.write("code", "side")
    repo.git("add", ".")
    repo.git("commit", "-qm", "before there was a limit")
    repo.git("config", "mvc.largeFile", "1000")
    repo.git("checkout", "-q", "other")
    repo.write("code", "other")
    repo.git("commit", "-qam", "x")
    repo.git("merge", "side", code=1)
    repo.write("code", "both")
    repo.git("add", ".")
    repo.git("commit", "-qm", "merged")
    repo.git("checkout", "-q", "-b", "picked", "other~1")
    repo.write("mine.bin", b"y" * 2000)
    repo.git("cherry-pick", "side", code=1)
    repo.git("add", ".")
    said = repo.git("commit", "-m", "x", code=1)
    assert "mine.bin" in said
    assert "big.bin" not in said


def test_a_staged_pointer_is_looked_at_and_what_python_says_holds(repo: Shimmed) -> None:
    repo.write("m.mvc", "9")
    repo.git("add", "m.mvc")
    repo.env["SAYS"] = "1"
    repo.git("commit", "-m", "x", code=1)
    assert repo.calls() == ["pre-commit"]
    _hide_python(repo, recorded=repo.python)
    repo.env["SAYS"] = "127"  # there is no modelvc after all
    repo.git("commit", "-qm", "x")
    repo.git("rm", "-q", "m.mvc")
    repo.calls()
    repo.git("commit", "-qm", "gone")
    assert repo.calls() == ["pre-commit"]  # it says what becomes of the model


@pytest.mark.parametrize("name", ["m", "sub/with space", "it's", 'a"b', "-rf", "ü", "$(touch pwned)", "back\\slash"])
def test_a_model_that_is_newer_than_its_pointer(repo: Shimmed, name: str) -> None:
    repo.write(".git/info/exclude", "*\n!*.mvc\n!code\n!*/\n")
    pointer = repo.write(f"{name}.mvc", "1")
    model = repo.write(name, "model")
    repo.git("add", "-f", "--", f"./{name}.mvc")
    repo.git("commit", "-qm", "x")
    os.utime(pointer, (1000, 1000))
    os.utime(model, (1000, 1000))
    repo.calls()
    repo.write("code", "9")
    repo.git("commit", "-qam", "as old as its pointer: nothing to see")
    assert repo.calls() == []
    os.utime(model, (1001, 1001))
    repo.write("code", "10")
    repo.git("commit", "-qam", "newer")
    assert repo.calls() == ["pre-commit"]
    assert not (repo.path / "pwned").exists()


def test_a_folder_with_a_file_that_is_newer(repo: Shimmed) -> None:
    repo.write(".git/info/exclude", "/m/\n")
    old, new = repo.write("m/sub/old"), repo.write("m/sub/new")
    for path in (old, new):
        os.utime(path, (1000, 1000))
    repo.write("code", "8")
    repo.git("commit", "-qam", "x")
    assert repo.calls() == []
    os.utime(new)
    os.utime(repo.path / "m.mvc", (2000, 2000))
    repo.write("code", "9")
    repo.git("commit", "-qam", "x")
    assert repo.calls() == ["pre-commit"]


def test_models_stand_still_in_a_rebase(repo: Shimmed) -> None:
    repo.write(".git/info/exclude", "/m\n")
    os.utime(repo.write("m"), (1 << 33, 1 << 33))
    repo.env["GIT_SEQUENCE_EDITOR"] = "sed -i 1s/pick/edit/"
    repo.git("rebase", "-q", "-i", "HEAD~1")
    repo.calls()
    repo.write("code", "8")
    repo.git("commit", "-qa", "--amend", "-m", "x")
    assert repo.calls() == []
    repo.git("rebase", "--continue")
    repo.calls()
    repo.write("code", "9")
    repo.git("commit", "-qam", "x")
    assert repo.calls() == ["pre-commit"]


def test_a_thousand_pointers_cost_a_commit_little(repo: Shimmed) -> None:
    repo.write(".git/info/exclude", "/many/*\n!*.mvc\n")
    for number in range(1000):
        repo.write(f"many/{number}.mvc", "1")
        os.utime(repo.write(f"many/{number}"), (1, 1))
    repo.sh("git add -A; git commit -qm many")
    repo.calls()
    times = []
    for turn in range(3):
        repo.write("code", f"t{turn}")
        started = os.times().elapsed
        repo.sh(f"git add code; {repo.path}/.git/hooks/pre-commit")
        times.append(os.times().elapsed - started)
    assert repo.calls() == []
    assert min(times) < 0.5


# -- pre-push


@pytest.fixture
def far(repo: Shimmed, tmp_path: Path) -> Shimmed:
    repo.git("init", "-q", "--bare", str(tmp_path / "far.git"))
    repo.git("remote", "add", "far", str(tmp_path / "far.git"))
    return repo


def test_pointers_that_the_far_side_has_not(far: Shimmed, tmp_path: Path) -> None:
    far.git("push", "-q", "far", "base:refs/heads/base")
    assert far.calls() == []
    far.git("push", "-q", "far", "main")
    assert far.calls() == [f"pre-push far {tmp_path}/far.git"]
    tip = far.git("rev-parse", "main").strip()
    assert far.stdin() == f"refs/heads/main {tip} refs/heads/main {'0' * 40}\n"
    far.git("push", "-q", "far", ":base")
    far.git("push", "-q", "far", "main")
    assert far.calls() == []
    far.git("push", "-q", "far", "m1")  # a new ref: that others reach its pointers may be long ago
    assert len(far.calls()) == 1


def prove(far: Shimmed, *revs: str, serves: str = "far") -> None:
    """Note that the history of REVS is complete where models go."""
    tips = [far.git("rev-parse", rev).strip() for rev in revs]
    config = config_hash(far.layout)
    path = far.path / ".git/mvc/proofs/origin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(proofformat.encode(Proof("0" * 32, 0, config, ("other", serves), tuple(tips))))


def pushes(far: Shimmed, script: str) -> bool:
    """Whether Python is started for a commit on main after SCRIPT."""
    far.sh(f"git checkout -q main; {script}; echo $$ >code; git commit -qam x; git push -q far main")
    return any(call.startswith("pre-push") for call in far.calls())


def test_what_git_has_is_left_out_where_it_was_proven(far: Shimmed) -> None:
    far.git("push", "-q", "--no-verify", "far", "main")
    assert pushes(far, ":")  # Git has the pointers, and nobody knows of the models
    prove(far, "m1", "other")
    assert pushes(far, ":")
    prove(far, "other", "main")
    assert not pushes(far, ":")
    assert pushes(far, "echo 9 >m.mvc")
    prove(far, "two", "main")
    assert not pushes(far, ":")
    assert pushes(far, "mkdir -p .mvc; echo >.mvc/config.toml; git add .mvc")


def test_a_proof_holds_for_one_configuration_and_its_git_remotes(far: Shimmed) -> None:
    far.git("push", "-q", "--no-verify", "far", "main")
    prove(far, "main", serves="fa")
    assert pushes(far, ":")
    prove(far, "main", serves="far")
    (far.path / ".git/mvc/config.toml").write_text("# another place\n")
    assert pushes(far, ":")
    prove(far, "main")
    assert not pushes(far, ":")


def test_a_proof_that_is_cut_short_or_names_what_is_gone(far: Shimmed) -> None:
    far.git("push", "-q", "--no-verify", "far", "main")
    path = far.path / ".git/mvc/proofs/origin"
    prove(far, "main")
    path.write_bytes(path.read_bytes()[:-30])
    assert pushes(far, ":")
    prove(far, "main")
    path.write_bytes(path.read_bytes() + b"tip " + b"1" * 40 + b"\n")
    assert not pushes(far, ":")


def test_the_side_of_a_merge_that_did_not_win(far: Shimmed) -> None:
    far.git("push", "-q", "--no-verify", "far", "main")
    prove(far, "main")
    assert pushes(far, "git merge -q -s ours -m merge other")
    prove(far, "main")
    assert not pushes(far, "git merge -q -m merge side")


@pytest.mark.parametrize("how", ["literal", "noglob", "glob", "icase"])
def test_variables_for_patterns_of_the_caller(far: Shimmed, how: str) -> None:
    far.git(f"--{how}-pathspecs", "push", "-q", "far", "main")
    assert len(far.calls()) == 1
    far.sh(f"git --{how}-pathspecs checkout -q m1")
    assert far.in_step()


def test_a_graft_hides_nothing(far: Shimmed) -> None:
    far.git("push", "-q", "--no-verify", "far", "base:refs/heads/main")
    prove(far, "base")
    far.sh("git replace --graft side base; git push -q far side:main")
    assert len(far.calls()) == 1


def test_a_push_to_a_bare_url_asks_what_its_ref_has(far: Shimmed, tmp_path: Path) -> None:
    url = str(tmp_path / "far.git")
    far.git("push", "-q", url, "m3:refs/heads/main")
    assert len(far.calls()) == 1
    prove(far, "m3", serves=url)
    far.sh("git checkout -q main; echo 9 >code; git commit -qam x")
    far.git("push", "-q", url, "main")
    assert far.calls() == []


def test_tags_of_other_things(far: Shimmed) -> None:
    far.sh("git tag blob HEAD:code; git tag -a -m x annotated base; git push -q far blob annotated")
    assert far.calls() == []
    far.sh("git tag -a -m x pointer m1; git push -q far pointer")
    assert len(far.calls()) == 1


def test_an_upload_that_fails_stops_the_push(far: Shimmed) -> None:
    far.env["SAYS"] = "1"
    far.git("push", "-q", "far", "main", code=1)
    far.git("push", "-q", "--no-verify", "far", "main")


def test_commits_that_are_not_here_are_no_reason_to_skip(far: Shimmed, tmp_path: Path) -> None:
    """Somebody else pushed meanwhile; Git refuses later, and for its own reasons."""
    shutil.copytree(far.path, tmp_path / "else")
    other = Shimmed(tmp_path / "else", tmp_path / "log-else")
    other.sh("git checkout -q side; echo 1 >z; git add z; git commit -qm z; git push -q far side --no-verify")
    far.sh("git checkout -q side; echo 2 >m.mvc; git commit -qam m; git push -q far side", code=1)
    assert [call.split()[0] for call in far.calls()][-1] == "pre-push"


def test_what_can_not_be_looked_through_is_no_reason_to_skip(far: Shimmed) -> None:
    """A commit is missing here; whether a model came after it is not known."""
    far.sh("git checkout -q -b broken; for i in 1 2; do echo $i >code; git commit -qam $i; done")
    gone = far.git("rev-parse", "HEAD~1").strip()
    (far.path / ".git/objects" / gone[:2] / gone[2:]).unlink()
    far.sh("git push -q far broken", code=1)
    assert [call.split()[0] for call in far.calls()][-1:] == ["pre-push"]


def test_without_mvc_one_line_says_so(far: Shimmed) -> None:
    _hide_python(far)
    assert far.git("push", "-q", "far", "base:refs/heads/base") == ""
    said = far.git("push", "-q", "far", "main")
    assert said.count("\n") == 1
    assert "mvc push" in said


# -- which interpreter


def _hide_python(repo: Shimmed, *programs: Path, recorded: Path = Path("/nonexistent/python")) -> None:
    """A PATH with what Git and its hooks need, PROGRAMS, and no Python; a recorded interpreter that may be gone."""
    tools = repo.log.parent / "bin"
    tools.mkdir()
    for tool in ("git", "sh", "awk", "cat", "find", "head", "tr", "sed", "grep", "cmp", "mkdir"):
        found = shutil.which(tool)
        assert found, tool
        (tools / tool).symlink_to(found)
    for program in programs:
        (tools / program.name).symlink_to(program)
    (repo.path / ".git/mvc/python").write_text(f"{recorded}\n")
    repo.env["PATH"] = str(tools)


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_git_goes_on_without_any_mvc(repo: Shimmed) -> None:
    _hide_python(repo)
    repo.git("checkout", "-q", "m1")
    repo.write("m.mvc", "7")
    said = repo.sh("git add .; git commit -qm x; git stash list; git rebase -q m2 || git rebase --abort")
    assert "mvc" not in said.replace("m.mvc", "")


def test_an_mvc_on_the_path(repo: Shimmed, tmp_path: Path) -> None:
    script = f'[ "$1" = --version ] && echo "mvc 9.9" && exit\nprintf "%s\\n" "-P -m modelvc $*" >>{repo.log}'
    _hide_python(repo, _program(tmp_path / "mvc", script))
    repo.git("checkout", "-q", "m1")
    assert [call.split()[0] for call in repo.calls()] == ["post-index-change", "post-checkout"]


def test_another_program_of_that_name_is_not_ours(repo: Shimmed, tmp_path: Path) -> None:
    script = f'[ "$1" = --version ] && echo "Model View Controller 3" && exit\n: >{tmp_path}/pwned'
    _hide_python(repo, _program(tmp_path / "mvc", script))
    repo.git("checkout", "-q", "m1")
    assert not (tmp_path / "pwned").exists()


def test_a_python3_that_has_modelvc(repo: Shimmed, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(repo.python)
    _hide_python(repo, tmp_path / "python3")
    repo.git("checkout", "-q", "m1")
    assert len(repo.calls()) == 1
    assert repo.in_step()


def test_a_recorded_python_that_lost_modelvc_or_part_of_it(repo: Shimmed, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(repo.python)
    lost = tmp_path / "lost"
    _hide_python(repo, tmp_path / "python3", recorded=lost)
    for text in ("exit 1", '[ "$2" = -c ] && exit 0; exit 127'):
        _program(lost, text)
        repo.git("checkout", "-q", "m1")
        assert len(repo.calls()) == 1
        repo.git("checkout", "-q", "main")
        repo.calls()


def test_a_repository_can_not_bring_the_interpreter(repo: Shimmed) -> None:
    for name in ("mvc", "python3", "python"):
        _program(repo.path / name, ': >pwned; echo "mvc 1"')
    _hide_python(repo)
    repo.env["PATH"] = f".:{repo.env['PATH']}::"
    repo.git("checkout", "-q", "m1")
    (repo.path / ".git/mvc/python").write_text("python3\n")
    repo.git("checkout", "-q", "main")
    assert not (repo.path / "pwned").exists()


# -- hooks that were there before


def _snapshot(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_install_chains_and_uninstall_leaves_no_trace(tmp_path: Path) -> None:
    repo = Shimmed.new(tmp_path, install=False)
    repo.commit(code="1")
    folder = repo.path / ".git/hooks"
    _program(folder / "pre-commit", "echo first >>order; exit 0")
    (folder / "pre-push").write_bytes(b"#!/bin/sh\nexit 7\n")  # not executable: Git passes it over
    _program(tmp_path / "elsewhere", "exit 0")
    (folder / "post-checkout").symlink_to(tmp_path / "elsewhere")
    (repo.path / ".git/mvc").mkdir()
    before = _snapshot(repo.path / ".git")
    assert set(repo.install().chained) == {"pre-commit", "pre-push", "post-checkout"}
    first = _snapshot(repo.path / ".git")
    repo.install()
    assert _snapshot(repo.path / ".git") == first
    hooks.uninstall(repo.layout)
    assert _snapshot(repo.path / ".git") == before
    assert hooks.uninstall(repo.layout) == ()


def test_a_hook_that_was_there_runs_first_and_may_refuse(repo: Shimmed) -> None:
    hooks.uninstall(repo.layout)
    folder = repo.path / ".git/hooks"
    _program(folder / "pre-commit", f"echo theirs >>{repo.log.parent}/order; exit $(cat {repo.log.parent}/code)")
    _program(folder / "post-checkout", "exit 5")
    _program(folder / "post-index-change", f"echo $1 $2 >>{repo.log.parent}/args")
    repo.install()
    (repo.log.parent / "code").write_text("3")
    repo.write("m.mvc", "9")
    repo.git("add", ".")
    repo.git("commit", "-m", "x", code=1)
    assert repo.calls() == []
    (repo.log.parent / "code").write_text("0")
    repo.git("commit", "-qm", "x")
    assert repo.calls() == ["pre-commit"]
    assert (repo.log.parent / "order").read_text() == "theirs\n" * 2
    repo.git("checkout", "-q", "m1", code=1)
    assert repo.in_step()
    assert "0 0" in (repo.log.parent / "args").read_text()


@pytest.mark.parametrize("body", ["cat >{out}", "head -n 1 >{out}", ":"])
def test_both_push_hooks_read_what_git_says(far: Shimmed, tmp_path: Path, body: str) -> None:
    hooks.uninstall(far.layout)
    out = tmp_path / "theirs"
    _program(far.path / ".git/hooks/pre-push", body.format(out=out))
    far.install()
    far.git("push", "-q", "far", "main", "two")
    assert far.stdin().count("\n") == 2
    if body.startswith("cat"):
        assert out.read_text() == far.stdin()
    _program(far.path / ".git/hooks/pre-push.before-mvc", "exit 1")
    far.calls()
    far.git("push", "-q", "far", "m1:refs/heads/x", code=1)
    assert far.calls() == []


def test_nothing_for_the_chained_hook_to_read(far: Shimmed, tmp_path: Path) -> None:
    hooks.uninstall(far.layout)
    _program(far.path / ".git/hooks/pre-push", f"wc -c >{tmp_path}/bytes")
    far.install()
    far.sh(".git/hooks/pre-push far url </dev/null")
    assert (tmp_path / "bytes").read_text().strip() == "0"


def test_a_hooks_path_of_somebody_is_theirs(repo: Shimmed, tmp_path: Path) -> None:
    hooks.uninstall(repo.layout)
    (repo.path / ".husky").mkdir()
    _program(repo.path / ".husky/pre-commit", "exit 0")
    repo.git("config", "core.hooksPath", ".husky")
    before = _snapshot(repo.path / ".husky"), _snapshot(repo.path / ".git/hooks")
    done = repo.install()
    assert (_snapshot(repo.path / ".husky"), _snapshot(repo.path / ".git/hooks")) == before
    assert done.hooks_path == str(repo.path / ".husky")
    assert hooks.inspect(repo.layout).missing == tuple(hooks.SHIMS)
    for hook, line in done.by_hand:
        _program(repo.path / ".husky" / hook, f"set -e\n{line}\ntouch {tmp_path}/after-{hook}")
    assert hooks.inspect(repo.layout).missing == ()
    repo.git("checkout", "-q", "m1")
    assert repo.in_step()
    assert (tmp_path / "after-post-checkout").exists()
    repo.write("m.mvc", "9")
    repo.env["SAYS"] = "1"
    repo.git("commit", "-qam", "x", code=1)
    hooks.uninstall(repo.layout)  # like the clone of a colleague who has no mvc
    repo.git("commit", "-qam", "x")


@pytest.mark.parametrize("scope", ["--global", "--worktree"])
def test_a_hooks_path_from_anywhere(repo: Shimmed, scope: str) -> None:
    hooks.uninstall(repo.layout)
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", scope, "core.hooksPath", "/dev/null")
    assert repo.install().by_hand
    repo.git("config", scope, "core.hooksPath", str(repo.path / ".git/hooks"))
    assert not repo.install().by_hand  # the usual folder, by its name


def test_a_framework_that_moves_hooks_aside_and_runs_them(repo: Shimmed) -> None:
    """What `pre-commit install` does to a hook that it finds."""
    hooks.uninstall(repo.layout)
    folder = repo.path / ".git/hooks"
    _program(folder / "pre-commit", f"echo oldest >>{repo.log}.order")
    repo.install()
    for hook in ("pre-commit", "post-checkout"):
        (folder / hook).rename(folder / f"{hook}.legacy")
        _program(folder / hook, f'echo framework >>{repo.log}.order; "$0.legacy" "$@" || exit')
    after = _snapshot(folder)
    assert hooks.inspect(repo.layout).missing == ()
    repo.install()
    assert _snapshot(folder) == after
    repo.write("m.mvc", "9")
    repo.git("commit", "-qam", "x")
    assert repo.calls() == ["pre-commit"]
    assert Path(f"{repo.log}.order").read_text() == "framework\noldest\n"
    repo.git("checkout", "-q", "m1", "--", "m.mvc")
    assert repo.in_step()
    hooks.uninstall(repo.layout)
    repo.write("code", "z")
    repo.git("commit", "-qam", "x")
    assert Path(f"{repo.log}.order").read_text() == "framework\noldest\nframework\nframework\noldest\n"


def test_a_hook_is_never_lost(repo: Shimmed) -> None:
    hooks.uninstall(repo.layout)
    folder = repo.path / ".git/hooks"
    _program(folder / "pre-push", "echo lfs")
    repo.install()
    _program(folder / "pre-push", "echo lfs")  # `git lfs install --force` wrote its own again
    repo.install()
    assert (folder / "pre-push.before-mvc").read_text().endswith("echo lfs\n")
    _program(folder / "pre-push", "echo something new")
    before = _snapshot(folder)
    with pytest.raises(ConflictError, match=r"pre-push\.before-mvc"):
        repo.install()
    assert _snapshot(folder) == before


def test_inspect_tells_what_is_amiss(repo: Shimmed) -> None:
    assert hooks.inspect(repo.layout) == hooks.HookState((), (), "", str(repo.python))
    (repo.path / ".git/hooks/pre-push").unlink()
    with (repo.path / ".git/hooks/pre-commit").open("a") as file:
        file.write("# of an older version\n")
    found = hooks.inspect(repo.layout)
    assert found.missing == ("pre-push",)
    assert found.outdated == ("pre-commit",)
    repo.install()
    assert hooks.inspect(repo.layout).missing == hooks.inspect(repo.layout).outdated == ()

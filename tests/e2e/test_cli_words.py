"""What a data scientist reads, from the first command to the rollback. Real processes, real Git."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clone import Done


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone.new(tmp_path / "project")


def _all(done: Done) -> str:
    """Both streams, data first, with commits and dates blanked out."""
    text = done.out + "".join(f"> {line}\n" for line in done.err.splitlines())
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "YYYY-MM-DD", text)
    return re.sub(r"(?<=^...)[0-9a-f]{8}(?=  )|(?<=models of )[0-9a-f]{10}", "COMMIT", text, flags=re.MULTILINE)


def test_init_says_what_it_did_and_what_comes_next(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    (clone.path / ".gitattributes").write_bytes(b"*.png binary")
    assert _all(clone.mvc("init")) == (
        "wrote and staged .mvc/config.toml and .gitattributes\n"
        "hooks are in place: models follow Git, commits and pushes are checked\n"
        "outputs of notebooks stay in the worktree and out of Git; commits are checked\n"
        '> next: git commit -m "use mvc", then mvc add PATH for each model\n'
    )
    wrote = clone.read(".gitattributes"), clone.read(".mvc/config.toml")
    assert wrote[0] == (
        b"*.png binary\n*.mvc text eol=lf merge=mvc-pointer diff=mvc-pointer\n.gitignore merge=union\n"
        b"*.ipynb filter=mvc-notebook diff=mvc-notebook merge=mvc-notebook\n"
        b"*.zpln filter=mvc-notebook diff=mvc-notebook\nnote.json filter=mvc-notebook diff=mvc-notebook\n"
    )
    assert clone.git("status", "--short") == "A  .gitattributes\nA  .mvc/config.toml\n"
    done = clone.mvc("init")
    assert done.out.startswith(f"{clone.path} uses mvc already\n")
    assert (clone.read(".gitattributes"), clone.read(".mvc/config.toml")) == wrote
    assert "rev-list" not in clone.git("status")  # and it committed nothing
    clone.git("rev-parse", "-q", "--verify", "HEAD", code=1)


def test_init_with_a_remote_twice(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    assert f"remote origin: {tmp_path}/far\n" in clone.mvc("init", "../far").out
    clone.mvc("init", "../far")
    done = clone.mvc("init", "../other", code=2)
    assert done.err == (
        f"error: the remote origin is {tmp_path}/far already\n"
        "hint: change it with `mvc remote set-url origin ../other`\n"
    )


def test_add_says_one_line_for_each_model(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.write("folder/a", b"a" * 1000)
    clone.write("folder/b/c", b"b" * 1000)
    assert _all(clone.mvc("add", "model.bin", "folder")) == (
        "added  model.bin  f5daa9e687  200 kB  200 kB stored\n"
        "added  folder     745d023bfa  2.0 kB  38 B stored\n"
        "> next: git commit\n"
    )
    assert _all(clone.mvc("add", "model.bin")) == "unchanged  model.bin  f5daa9e687  200 kB\n"
    assert _all(clone.mvc("add", "model.bin", "-m", "accuracy=0.91")) == (
        "metrics recorded  model.bin  f5daa9e687  200 kB\n> next: git commit\n"
    )
    assert _all(clone.mvc("add", "-u")) == "no model is modified\n"
    clone.write("folder/b/c", b"c" * 1000)
    assert _all(clone.mvc("add", "-u")) == ("updated  folder  9406683178  2.0 kB  19 B stored\n> next: git commit\n")


def test_status_names_the_fix_of_each_group(clone: Clone) -> None:
    assert _all(clone.mvc("status")) == "no models are tracked\n> next: mvc add PATH\n"
    for name in ("a.bin", "b.bin", "c.bin", "d.bin", "e.bin", "f.bin"):
        clone.write(name, name.encode())
    clone.mvc("add", *(f"{name}.bin" for name in "abcdef"))
    assert _all(clone.mvc("status")) == "6 models, all clean\n"
    clone.git("commit", "-qm", "models")
    clone.write("a.bin", b"changed")
    (clone.path / "b.bin").unlink()
    (clone.path / "c.bin.mvc").write_bytes(b"")
    (clone.path / "d.bin.mvc").unlink()
    clone.git("rm", "-q", "--cached", "e.bin.mvc")
    assert _all(clone.mvc("status", "--exit-code", code=1)) == (
        "broken:\n"
        "  c.bin  (c.bin.mvc is not a valid pointer: it is empty)\n"
        "pointer gone:\n"
        "  d.bin\n"
        "missing:\n"
        "  b.bin\n"
        "modified:\n"
        "  a.bin\n"
        "new:\n"
        "  e.bin  (its pointer is not staged)\n"
        "1 of 6 models clean\n"
        ">   repair its pointer: git restore c.bin.mvc\n"
        ">   restore its pointer: git restore d.bin.mvc · or stop tracking it: mvc rm d.bin\n"
        ">   restore it: mvc checkout b.bin · or stop tracking it: mvc rm b.bin\n"
        ">   store the new content: mvc add a.bin · or discard it: mvc checkout --force a.bin\n"
        ">   stage its pointer: git add e.bin.mvc\n"
    )
    # and the fixes are true
    clone.git("restore", "c.bin.mvc")
    clone.git("restore", "d.bin.mvc")
    clone.mvc("checkout", "b.bin")
    clone.git("add", "e.bin.mvc")
    clone.mvc("add", "a.bin")
    assert _all(clone.mvc("status")) == "6 models, all clean\n"


def test_from_a_sub_folder_paths_are_as_one_would_write_them_there(clone: Clone) -> None:
    clone.write("models/a.bin", b"a")
    clone.write("b.bin", b"b")
    inside = clone.path / "models"
    assert clone.mvc("add", "a.bin", "../b.bin", cwd=inside).out.split()[1::8] == ["a.bin", "../b.bin"]
    clone.write("models/a.bin", b"aa")
    done = clone.mvc("status", cwd=inside)
    assert done.out == "modified:\n  a.bin\n1 of 2 models clean\n"
    assert "mvc add a.bin · or discard it: mvc checkout --force a.bin" in done.err
    assert clone.mvc("status").out == "modified:\n  models/a.bin\n1 of 2 models clean\n"
    assert clone.mvc("-q", "--repo", "models", "status").out == done.out


def test_history_and_rollback(clone: Clone) -> None:
    for seed, accuracy in ((1, "0.91"), (2, "0.87")):
        clone.write("model.bin", seed)
        clone.mvc("add", "model.bin", "-m", f"accuracy={accuracy}")
        clone.git("commit", "-qm", f"version {seed}")
    assert _all(clone.mvc("log", "model.bin")) == (
        "   commit    date        author  version       size  accuracy  subject\n"
        "*  COMMIT  YYYY-MM-DD  Ada     7d713ff8b5  200 kB      0.87  version 2 (main)\n"
        "   COMMIT  YYYY-MM-DD  Ada     f5daa9e687  200 kB      0.91  version 1\n"
        "> * the worktree has this version · back to one of them: mvc checkout COMMIT PATH\n"
    )
    assert _all(clone.mvc("checkout", "HEAD~1", "model.bin")) == (
        "model.bin  f5daa9e687  200 kB\n"
        "> these are the models of COMMIT; the code is unchanged\n"
        "> next: git commit · or back again: mvc checkout HEAD model.bin\n"
    )
    assert _all(clone.mvc("diff", "--exit-code", code=1)) == (
        "model      change   version                   size              content\n"
        "model.bin  changed  7d713ff8b5 -> f5daa9e687  200 kB -> 200 kB  200 kB new\n"
        "\n"
        "model      metric     old   new  change\n"
        "model.bin  accuracy  0.87  0.91   +0.04\n"
    )
    assert clone.mvc("diff", "HEAD~1..HEAD").out == clone.mvc("diff", "HEAD~1", "HEAD", "model.bin.mvc").out
    assert _all(clone.mvc("checkout", "HEAD")) == "model.bin  7d713ff8b5  200 kB\n"
    assert _all(clone.mvc("checkout")) == "1 model unchanged\n"
    assert _all(clone.mvc("diff", "--exit-code")) == "no model differs\n"
    assert _all(clone.mvc("show", "HEAD:model.bin")).splitlines()[1:] == [
        "kind     file",
        "size     200,000 bytes",
        "digest   blake3:7d713ff8b5" + clone.json("show", "model.bin")["oid"][17:],
        "kept in  local store",
        "before   f5daa9e687",
        "metrics  accuracy = 0.87",
        "inside   no format that mvc reads",
    ]
    assert _all(clone.mvc("ls")) == (
        "model      version       size  here  stored  pushed\nmodel.bin  7d713ff8b5  200 kB  yes   yes          -\n"
    )


def test_unsaved_work_is_refused_and_by_force_kept(clone: Clone) -> None:
    clone.commit_model(1)
    clone.commit_model(2)
    precious = clone.write("model.bin", b"precious")
    done = clone.mvc("checkout", "HEAD~1", "model.bin", code=11)
    assert done.err == (
        "error: model.bin has unsaved changes\n"
        "hint: keep them with `mvc add model.bin`, or repeat with --force (which stores them first)\n"
    )
    assert clone.read("model.bin") == precious
    done = clone.mvc("checkout", "--force", "HEAD~1", "model.bin")
    found = re.search(r"the old content is stored: mvc (checkout blake3:[0-9a-f]+ model\.bin) restores it", done.err)
    assert found
    clone.mvc(*found[1].split())
    assert clone.read("model.bin") == precious


def test_a_folder_s_files_in_a_diff(clone: Clone) -> None:
    for name in "abc":
        clone.write(f"folder/{name}", name.encode())
    clone.mvc("add", "folder")
    clone.git("commit", "-qm", "one")
    clone.write("folder/a", b"aaa")
    (clone.path / "folder/b").unlink()
    clone.write("folder/d", b"d")
    done = clone.mvc("status")
    assert "  folder  (1 new, 1 changed, 1 gone)\n" in done.out
    clone.mvc("add", "folder")
    assert clone.mvc("diff", "--md").out.partition("\n\n")[2] == (
        "| file | change | old | new |\n"
        "|---|---|---|---|\n"
        "| folder/a | changed | 1 B | 3 B |\n"
        "| folder/b | removed | 1 B |  |\n"
        "| folder/d | added |  | 1 B |\n"
    )


def test_quiet_says_results_only(clone: Clone) -> None:
    clone.write("model.bin", 1)
    for words in (
        ["init"],
        ["add", "model.bin"],
        ["status"],
        ["log"],
        ["remote", "list"],
        ["trust"],
        ["rm", "model.bin"],
    ):
        assert clone.mvc("-q", *words).err == ""
    for command in ("init", "install", "uninstall"):
        assert clone.mvc("-q", command).out == ""


def test_nothing_but_words_reaches_a_pipe(clone: Clone) -> None:
    clone.write("model.bin", 1)
    clone.env["NO_COLOR"] = ""
    for words in (["add", "model.bin"], ["status"], ["ls"], ["doctor", "--offline"]):
        done = clone.mvc(*words)
        assert "\x1b" not in done.out + done.err

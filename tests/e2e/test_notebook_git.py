"""Notebooks through every operation of Git: outputs stay on the screen, history stays clean, nothing is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelvc.notebook import conflict
from modelvc.notebook.document import parse
from tests.support.clone import Clone
from tests.support.notebooks import SAID, cell, dump, notebook, outputs, sources, validate

NAME = "n.ipynb"
TEXTS = ["one\nmore", "two", "three", "four"]


def said(text: str) -> Any:
    return {**SAID, "text": [f"{text}\n"]}


def ran(*texts: str, who: str = "run") -> bytes:
    """A notebook that somebody ran: each cell says who did."""
    return notebook(*(cell(text, f"c{place}-4f7a9e", outputs=[said(who)]) for place, text in enumerate(texts)))


def heard(data: bytes) -> list[str]:
    """What each cell's output says, "" where it has none."""
    return ["".join(one["outputs"][0]["text"]).strip() if one["outputs"] else "" for one in json.loads(data)["cells"]]


def no_output_in_history(clone: Clone) -> None:
    out = clone.git("rev-list", "--objects", "--all", "--reflog")
    for line in out.splitlines():
        name, _, path = line.partition(" ")
        if path.endswith(".ipynb"):
            blob = clone.git("cat-file", "blob", name)
            assert '"output_type"' not in blob, path
    clone.git("fsck", "--strict")


def clean(clone: Clone) -> None:
    assert clone.git("status", "--short") == ""
    no_output_in_history(clone)
    validate(clone.read(NAME))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.write(NAME, ran(*TEXTS))
    clone.git("add", NAME)
    clone.git("commit", "-qm", "notebook")
    return clone


def commit(clone: Clone, data: bytes, message: str = "change") -> None:
    clone.write(NAME, data)
    clone.git("commit", "-qam", message)


# -- the filter


def test_git_sees_the_notebook_without_outputs(clone: Clone) -> None:
    assert outputs(clone.read(NAME)) == 4
    assert outputs(clone.git("show", f"HEAD:{NAME}").encode()) == 0
    clean(clone)


def _switch(clone: Clone) -> None:
    clone.git("switch", "-qc", "other")
    commit(clone, ran("ONE", *TEXTS[1:], who="other"))
    clone.git("switch", "-q", "main")


def _stash(clone: Clone) -> None:
    clone.write(NAME, ran("ONE", *TEXTS[1:]))
    clone.git("stash")
    assert heard(clone.read(NAME)) == ["run"] * 4
    clone.git("stash", "pop")
    assert (sources(clone.read(NAME))[0], heard(clone.read(NAME))) == ("ONE", ["run"] * 4)
    clone.git("checkout", "-q", NAME)


def _reset(clone: Clone) -> None:
    commit(clone, ran("ONE", *TEXTS[1:]))
    clone.git("reset", "-q", "--hard", "HEAD~1")


def _revert(clone: Clone) -> None:
    commit(clone, ran("ONE", *TEXTS[1:]))
    clone.git("revert", "--no-edit", "HEAD")


def _remove(clone: Clone) -> None:
    (clone.path / NAME).unlink()
    clone.git("checkout", "-q", NAME)


def _rebase(clone: Clone) -> None:
    clone.git("switch", "-qc", "side", "HEAD")
    commit(clone, ran(*TEXTS[:3], "FOUR"))
    clone.git("switch", "-q", "main")
    commit(clone, ran("ONE", *TEXTS[1:]))
    clone.git("rebase", "-q", "main", "side")
    assert sources(clone.read(NAME)) == ["ONE", *TEXTS[1:3], "FOUR"]
    assert heard(clone.read(NAME)) == ["run"] * 4
    clone.git("switch", "-q", "--detach", "main~1")


def _bisect(clone: Clone) -> None:
    for number in range(3):
        commit(clone, ran(f"v{number}", *TEXTS[1:]))
    clone.git("bisect", "start", "HEAD", "HEAD~3")
    clone.git("bisect", "reset")
    clone.git("checkout", "-q", "HEAD~3")


@pytest.mark.parametrize("operation", [_switch, _stash, _reset, _revert, _remove, _rebase, _bisect])
def test_outputs_come_back_where_the_source_does(clone: Clone, operation: Callable[[Clone], None]) -> None:
    operation(clone)
    assert sources(clone.read(NAME)) == TEXTS
    assert heard(clone.read(NAME))[1:] == ["run" if operation is not _switch else "other"] * 3  # the last run counts
    assert heard(clone.read(NAME))[0] == "run"
    clean(clone)


def test_a_linked_worktree_has_them_too(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Clone(tmp_path / "linked")
    assert heard(linked.read(NAME)) == ["run"] * 4
    clean(linked)


def test_a_notebook_that_was_run_again_is_not_in_the_way_of_a_pull(clone: Clone, tmp_path: Path) -> None:
    clone.git("clone", "-q", "--bare", ".", str(tmp_path / "server"))
    clone.git("remote", "add", "origin", str(tmp_path / "server"))
    other = Clone(tmp_path / "other")
    other.path.mkdir()
    other.git("clone", "-q", str(tmp_path / "server"), ".")
    other.mvc("install")
    assert outputs(other.read(NAME)) == 0
    commit(other, ran("ONE", *TEXTS[1:], who="other"))
    other.git("push", "-q")
    clone.git("branch", "-q", "--set-upstream-to", "origin/main", code=128)  # nothing fetched yet
    clone.git("fetch", "-q")
    clone.git("branch", "-q", "--set-upstream-to", "origin/main")
    clone.write(NAME, ran(*TEXTS, who="again, with a longer word"))
    assert clone.git("status", "--short") == f" M {NAME}\n"
    assert clone.git("diff") == ""
    clone.git("pull", "-q", code=1)
    clone.mvc("status")
    assert clone.git("status", "--short") == ""
    clone.git("pull", "-q")
    assert sources(clone.read(NAME))[0] == "ONE"
    assert heard(clone.read(NAME)) == ["", *["again, with a longer word"] * 3]
    clean(clone)


def test_the_quick_status_notices_a_run(clone: Clone) -> None:
    clone.commit_model(1)
    clone.mvc("status")
    clone.mvc("status")
    clone.write(NAME, ran(*TEXTS, who="again and again"))
    assert clone.git("status", "--short") == f" M {NAME}\n"
    clone.mvc("status")
    assert clone.git("status", "--short") == ""


def test_keeping_can_be_turned_off(clone: Clone) -> None:
    with (clone.path / ".mvc/config.toml").open("a") as file:
        file.write('\n[notebooks]\nkeep_local = "0 B"\n')
    clone.write(NAME, ran("ONE", *TEXTS[1:], who="unkept"))
    clone.git("add", "-A")
    clone.git("commit", "-qm", "off")
    clone.git("checkout", "-q", "HEAD~1")
    clone.git("checkout", "-q", "main")
    assert outputs(clone.read(NAME)) == 0


@pytest.mark.parametrize(
    "name", ["a b.ipynb", "it's.ipynb", '"$(touch owned)".ipynb', "-x.ipynb", "new\nline.ipynb", "ü/ö.ipynb"]
)
def test_strange_names(clone: Clone, name: str) -> None:
    data = notebook(cell("a", "one-abcdef", outputs=[SAID]))
    clone.write(name, data)
    clone.git("add", "--", name)
    clone.git("commit", "-qm", "strange")
    (clone.path / name).unlink()
    clone.git("checkout", "-q", "--", name)
    assert clone.read(name) == data
    clone.write(name, data.replace(b'"a"', b'"b"'))
    assert "+b" in clone.git("diff", "--", name)
    assert not (clone.path / "owned").exists()
    no_output_in_history(clone)


def test_what_is_no_notebook_passes_with_a_word(clone: Clone) -> None:
    clone.write("broken.ipynb", b"<<<<<<< {")
    clone.write("empty.ipynb", b"")
    clone.write("note.json", b"not a note")
    done = clone.run("git", "add", ".")
    assert [line for line in done.err.splitlines() if line.startswith("mvc:")] == [
        "mvc: broken.ipynb is left unchanged: not JSON: Expecting value: line 1 column 1 (char 0)"
    ]
    assert clone.git("show", ":broken.ipynb") == "<<<<<<< {"
    assert clone.git("show", ":empty.ipynb") == ""


def test_without_its_environment_the_filter_still_works(clone: Clone, tmp_path: Path) -> None:
    """The virtual environment is gone, and with it the package: the copy and another Python do."""
    mvc = clone.path / ".git/mvc"
    (mvc / "python").write_text("/nowhere/bin/python\n")
    (mvc / "package").write_text("/nowhere/lib\n")
    commit(clone, ran("ONE", *TEXTS[1:]))
    clone.git("stash", code=0)
    clone.git("checkout", "-q", "HEAD~1")
    assert heard(clone.read(NAME)) == ["run"] * 4
    clone.git("checkout", "-qb", "side")
    commit(clone, ran(*TEXTS[:3], "FOUR"))
    clone.git("merge", "-q", "--no-edit", "main")
    assert sources(clone.read(NAME)) == ["ONE", *TEXTS[1:3], "FOUR"]
    assert "%% [code]" in clone.git("show", "HEAD~1")
    clean(clone)
    (mvc / "lib").rename(tmp_path / "lib")  # and now nothing is left
    clone.write(NAME, ran("X", *TEXTS[1:]))
    done = clone.run("git", "add", NAME, code=128)
    assert "mvc" in done.err
    assert clone.git("diff", "--cached") == ""


# -- diffs


def test_diffs_are_text(clone: Clone) -> None:
    commit(clone, ran("one\nMORE", *TEXTS[1:]))
    for words in (["show"], ["log", "-p", "-1"], ["diff", "HEAD~1"]):
        out = clone.git(*words)
        assert "-more\n+MORE\n" in out
        assert "output" not in out
        assert '"source"' not in out
    assert "[-more-]{+MORE+}" in clone.git("diff", "--word-diff", "HEAD~1")
    assert "MORE" in clone.git("blame", NAME)
    assert "@@ %% [code] c1-4f7a9e" in _far_down(clone)


def _far_down(clone: Clone) -> str:
    texts = [TEXTS[0], "\n".join(f"line {n}" for n in range(20))]
    commit(clone, ran(*texts))
    commit(clone, ran(texts[0], texts[1] + "\nlast"))
    return clone.git("show")


# -- merges


@pytest.fixture
def parted(clone: Clone) -> Callable[[bytes, bytes], Clone]:
    """Two branches: `main`, which is checked out, and `side`."""

    def part(ours: bytes, theirs: bytes) -> Clone:
        clone.git("branch", "side")
        commit(clone, ours, "ours")
        clone.git("switch", "-q", "side")
        clone.write(NAME, theirs)
        clone.git("commit", "-qam", "theirs", "--no-verify")
        clone.git("switch", "-q", "main")
        return clone

    return part


Parted = Callable[[bytes, bytes], Clone]
OURS = ran("one\nmore", "TWO", "three", "four", who="ours")
THEIRS = ran("one\nmore", "two", "three", "FOUR", who="theirs")
BOTH = ["one\nmore", "TWO", "three", "FOUR"]


def test_both_ran_everything_and_changed_different_cells(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == BOTH
    clean(clone)


def test_rebase_names_the_branches(parted: Parted) -> None:
    clone = parted(ran("ours", *TEXTS[1:]), ran("theirs", *TEXTS[1:]))
    clone.git("switch", "-q", "side")
    clone.git("rebase", "main", code=1)
    text = sources(clone.read(NAME))[0]
    assert text == "<<<<<<< main\nours\n=======\ntheirs\n>>>>>>> side"  # ours is what is rebased onto
    validate(clone.read(NAME))
    clone.mvc("notebook", "resolve", NAME, "--theirs")
    clone.run("git", "-c", "core.editor=true", "rebase", "--continue")
    assert sources(clone.read(NAME))[0] == "theirs"
    clean(clone)


@pytest.mark.parametrize("operation", ["cherry-pick", "stash", "revert"])
def test_other_merges(parted: Parted, operation: str) -> None:
    clone = parted(OURS, THEIRS)
    if operation == "cherry-pick":
        clone.git("cherry-pick", "side")
        assert sources(clone.read(NAME)) == BOTH
    elif operation == "revert":
        commit(clone, ran("ONE", "TWO", "three", "four"))
        clone.git("revert", "--no-edit", "HEAD~1")
        assert sources(clone.read(NAME)) == ["ONE", *TEXTS[1:]]
    else:
        clone.write(NAME, ran("one\nmore", "TWO", "three", "STASHED"))
        clone.git("stash")
        commit(clone, ran("ONE\nmore", "TWO", "three", "four"))
        clone.git("stash", "pop")
        assert sources(clone.read(NAME)) == ["ONE\nmore", "TWO", "three", "STASHED"]
        clone.git("commit", "-qam", "popped")
    clean(clone)


def test_a_criss_cross_merge(parted: Parted) -> None:
    """Two merges with two bases: Git merges the bases first, and their conflict must not end up in a notebook."""
    clone = parted(ran("ours", *TEXTS[1:]), ran("theirs", *TEXTS[1:]))
    first, second = clone.git("rev-parse", "main", "side").split()
    for branch, other, text in (("main", second, "settled by main"), ("side", first, "settled by side")):
        clone.git("switch", "-q", branch)
        clone.git("merge", "--no-edit", other, code=1)
        clone.write(NAME, ran(text, *TEXTS[1:]))
        clone.git("commit", "-qam", "merged")
    clone.git("switch", "-q", "main")
    clone.git("merge", "--no-edit", "side", code=1)
    text = sources(clone.read(NAME))[0]
    assert text == "<<<<<<< main\nsettled by main\n=======\nsettled by side\n>>>>>>> side"
    validate(clone.read(NAME))


def test_an_octopus_uses_no_driver_and_is_guarded(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    clone.git("branch", "third", "HEAD~1")
    clone.git("switch", "-q", "third")
    commit(clone, ran("one\nmore", "two", "THREE", "four"))
    clone.git("switch", "-q", "main")
    done = clone.run("git", "merge", "--no-edit", "side", "third", code=clone.run("true").code)
    assert done.code == 0  # far enough apart for a merge of text
    validate(clone.read(NAME))
    assert sources(clone.read(NAME)) == ["one\nmore", "TWO", "THREE", "FOUR"]


def test_added_on_both_sides(clone: Clone) -> None:
    clone.git("branch", "side")
    for branch, last in (("main", "ours"), ("side", "theirs")):
        clone.git("switch", "-q", branch)
        clone.write("new.ipynb", ran("same", last))
        clone.git("add", "new.ipynb")
        clone.git("commit", "-qm", branch)
    clone.git("switch", "-q", "main")
    clone.git("merge", "--no-edit", "side", code=1)
    data = clone.read("new.ipynb")
    validate(data)
    assert "same" in sources(data)
    assert any("ours" in text for text in sources(data))
    assert any("theirs" in text for text in sources(data))


def test_a_mode_that_changed_stays(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    os.chmod(clone.path / NAME, 0o755)
    clone.git("commit", "-qam", "runs")
    clone.git("merge", "-q", "--no-edit", "side")
    assert os.stat(clone.path / NAME).st_mode & 0o100
    assert sources(clone.read(NAME)) == BOTH


def test_a_side_that_is_no_notebook_is_merged_as_text(parted: Parted) -> None:
    broken = clone_text = b"{\n" + b"\n".join(b"line %d" % n for n in range(9)) + b"\n"
    clone = parted(OURS, broken)
    done = clone.run("git", "merge", "--no-edit", "side", code=1)
    assert "is merged as text" in done.err
    data = clone.read(NAME)
    assert b"<<<<<<< main" in data
    assert b"line 3" in data
    assert b"TWO" in data
    assert clone_text in clone.git("show", f"side:{NAME}").encode()
    assert "has conflict markers" in clone.run("git", "commit", "-qam", "merged", code=1).err
    assert clone.mvc("fsck", "--markers", code=1).out == f"{NAME}\n"


def test_a_driver_that_fails_leaves_the_merge_to_git(parted: Parted) -> None:
    clone = parted(OURS, THEIRS)
    for name in ("package", "python"):
        (clone.path / ".git/mvc" / name).write_text("/nowhere\n")
    (clone.path / ".git/mvc/lib/modelvc/notebook/merge.py").write_text("raise SystemExit(1)\n")
    clone.run("git", "merge", "--no-edit", "side")
    assert sources(clone.read(NAME)) == BOTH  # far enough apart for a merge of text


# -- the guard


def slip(clone: Clone, data: bytes) -> None:
    """Stage a notebook past the filter, as a client does that knows none."""
    clone.write("slipped", data)
    name = clone.git("hash-object", "-w", "--no-filters", "slipped").strip()
    (clone.path / "slipped").unlink()
    clone.git("update-index", "--add", "--cacheinfo", f"100644,{name},{NAME}")


def test_outputs_that_slipped_through_are_stripped_at_a_commit(clone: Clone) -> None:
    slip(clone, ran("SLIPPED", *TEXTS[1:]))
    done = clone.run("git", "commit", "-qm", "slipped")
    assert f"outputs left out of this commit: {NAME}" in done.err
    committed = clone.git("show", f"HEAD:{NAME}").encode()
    assert (sources(committed)[0], outputs(committed)) == ("SLIPPED", 0)
    assert clone.git("diff", "--cached") == ""


def test_or_refused(clone: Clone) -> None:
    with (clone.path / ".mvc/config.toml").open("a") as file:
        file.write('\n[notebooks]\non_commit = "refuse"\n')
    slip(clone, ran("SLIPPED", *TEXTS[1:]))
    done = clone.run("git", "commit", "-qm", "slipped", code=1)
    assert "outputs would enter history: n.ipynb" in done.err
    assert "mvc notebook strip" in done.err
    clone.git("commit", "-qm", "anyway", "--no-verify")


def test_hook_alone_filter_alone_and_off(clone: Clone) -> None:
    clone.mvc("install", "--notebooks", "hook")
    assert "filter.mvc-notebook" not in clone.git("config", "--local", "--list")
    clone.write(NAME, ran("HOOK", *TEXTS[1:]))
    clone.git("commit", "-qam", "hook")
    assert outputs(clone.git("show", f"HEAD:{NAME}").encode()) == 0
    assert outputs(clone.read(NAME)) == 4
    clone.mvc("install", "--notebooks", "filter")
    assert "filter.mvc-notebook.required=true" in clone.git("config", "--local", "--list")
    slip(clone, ran("FILTER", *TEXTS[1:]))
    clone.git("commit", "-qm", "filter")
    assert outputs(clone.git("show", f"HEAD:{NAME}").encode()) == 4  # what slips through is nobody's business
    clone.mvc("install", "--notebooks", "off")
    config = clone.git("config", "--local", "--list")
    assert "filter.mvc" not in config
    assert "diff.mvc-notebook" not in config
    assert "merge.mvc-pointer.driver" in config
    clone.mvc("install", "--notebooks", "sometimes", code=2)


def test_uninstall_leaves_the_configuration_as_it_was(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    clone.git("config", "merge.mine.driver", "true")
    before = clone.git("config", "--local", "--list")
    clone.mvc("init")
    assert "mvc-notebook" in clone.git("config", "--local", "--list")
    clone.mvc("uninstall")
    assert clone.git("config", "--local", "--list") == before
    assert not (clone.path / ".git/mvc/lib").exists()


def test_no_broken_notebook_and_no_conflict_is_committed(clone: Clone) -> None:
    clone.write("broken.ipynb", b'{"cells": [')
    clone.git("add", "broken.ipynb")
    assert "broken.ipynb is no longer a notebook" in clone.run("git", "commit", "-qm", "x", code=1).err
    clone.git("rm", "-qf", "broken.ipynb")
    one = cell("<<<<<<< a\nx\n=======\ny\n>>>>>>> b", "one-abcdef")
    conflict.mark(one, conflict.SOURCE, 1)
    clone.write(NAME, notebook(one))
    assert "still holds a conflict" in clone.run("git", "commit", "-qam", "x", code=1).err
    assert clone.mvc("fsck", "--markers", code=1).out == f"{NAME}\n"
    one["source"] = ["x, by hand"]
    clone.write(NAME, notebook(one))
    clone.git("commit", "-qam", "settled")
    assert '"conflict"' not in clone.git("show", f"HEAD:{NAME}")
    assert conflict.count(parse(clone.read(NAME)).notebook) == 0
    assert clone.mvc("fsck", "--markers", "HEAD").out == ""


def test_what_another_branch_holds_already_is_not_our_business(clone: Clone) -> None:
    clone.git("switch", "-qc", "elsewhere")
    clone.write("theirs.ipynb", b'{"cells": [')
    clone.git("add", "theirs.ipynb")
    clone.git("commit", "-qm", "broken", "--no-verify")
    clone.git("switch", "-q", "main")
    commit(clone, ran("ours", *TEXTS[1:]))
    clone.git("merge", "-q", "--no-edit", "--no-ff", "elsewhere")
    assert clone.read("theirs.ipynb") == b'{"cells": ['


def test_init_counts_what_history_holds(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    clone.write(NAME, ran(*TEXTS))
    clone.git("add", NAME)
    clone.git("commit", "-qm", "with outputs")
    done = clone.mvc("init")
    assert "1 notebook in Git still holds outputs" in done.err
    assert "git add --renormalize -- '*.ipynb'" in done.err
    clone.git("add", "--renormalize", "--", "*.ipynb")
    clone.git("commit", "-qm", "without")
    assert outputs(clone.git("show", f"HEAD:{NAME}").encode()) == 0
    assert outputs(clone.read(NAME)) == 4


def test_a_clone_without_mvc_is_not_blocked(clone: Clone, tmp_path: Path) -> None:
    plain = Clone(tmp_path / "plain")
    plain.path.mkdir()
    plain.git("clone", "-q", str(clone.path), ".")
    commit(plain, dump(json.loads(plain.read(NAME))), "as it is") if plain.git("status", "--short") else None
    plain.write(NAME, ran("PLAIN", *TEXTS[1:]))
    plain.git("commit", "-qam", "with outputs")
    plain.git("checkout", "-q", "HEAD~1")


def test_what_an_upgrade_strips_is_said_once(clone: Clone) -> None:
    """Committed by a release that left the keys of platforms in; a new clone has nothing to be told."""
    slip(clone, notebook(cell("a", "c0-4f7a9e", executionInfo={"user": {"displayName": "A. User"}})))
    clone.git("commit", "-qm", "as it was", "--no-verify")
    clone.git("reset", "-q", "--hard")
    marker = clone.path / ".git/mvc/notebook-keys"
    assert clone.mvc("status").err.count("in Git still") == 0, "set up by this release"
    for earlier in ("1\n", None):
        marker.write_text(earlier) if earlier else marker.unlink()
        clone.write("other.ipynb", notebook("x"))
        said = clone.mvc("status").err
        assert "1 notebook in Git still holds outputs or traces of a run" in said
        assert "git add --renormalize -- '*.ipynb'" in said
        clone.write("other.ipynb", notebook("y"))
        assert "in Git still" not in clone.mvc("status").err
    clone.git("add", "--renormalize", "--", "*.ipynb")
    assert "A. User" not in clone.git("cat-file", "blob", f":{NAME}")

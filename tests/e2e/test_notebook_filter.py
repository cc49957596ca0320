"""The filter under real Git: what Git holds, what the worktree holds, and that neither is in the other's way."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clone import Clone
from tests.support.notebook_clone import (
    NAME,
    TEXTS,
    commit,
    configure,
    copied,
    heard,
    pristine,
    ran,
    settled,
    stored,
    with_notebook,
)
from tests.support.notebooks import SAID, cell, dump, notebook, outputs, sources, validate

EDITED = ("ONE", *TEXTS[1:])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return with_notebook(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def clone(first: Clone, tmp_path: Path) -> Clone:
    return copied(first, tmp_path / "project")


# -- outputs come back


def test_git_holds_what_nobody_ran(clone: Clone) -> None:
    assert stored(clone) == notebook(*(cell(text, f"c{n}-4f7a9e") for n, text in enumerate(TEXTS)))
    assert clone.read(NAME) == ran(*TEXTS)
    settled(clone)


def _cherry_pick(clone: Clone) -> None:
    clone.git("branch", "side")
    commit(clone, ran(*EDITED))
    clone.git("switch", "-q", "side")
    clone.git("cherry-pick", "main")


def _cherry_pick_into_another_edit(clone: Clone) -> None:
    clone.git("branch", "side")
    commit(clone, ran(*EDITED))
    clone.git("switch", "-q", "side")
    commit(clone, ran(*TEXTS[:3], "FOUR"))
    clone.git("cherry-pick", "main")
    assert sources(clone.read(NAME))[3] == "FOUR"
    clone.git("revert", "--no-edit", "HEAD~1")


def _checkout_of_a_path(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    clone.git("checkout", "-q", "HEAD~1", "--", NAME)
    clone.git("commit", "-qm", "back")
    clone.git("checkout", "-q", "HEAD~1", "--", NAME)
    clone.git("commit", "-qm", "and forth")


def _restore(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    clone.git("restore", NAME)
    assert sources(clone.read(NAME)) == list(TEXTS)
    commit(clone, ran(*EDITED))


def _reset_keep(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    clone.git("reset", "-q", "--keep", "HEAD~1")
    clone.git("reset", "-q", "--hard", "HEAD@{1}")


def _stash_all(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    clone.write("new.ipynb", ran("new"))
    clone.git("stash", "-u", "-q")
    assert not (clone.path / "new.ipynb").exists()
    assert (sources(clone.read(NAME)), heard(clone.read(NAME))) == (list(TEXTS), ["run"] * 4)
    clone.git("stash", "pop", "-q")
    assert heard(clone.read("new.ipynb")) == ["run"]
    clone.git("add", ".")
    clone.git("commit", "-qm", "popped")


def _stash_index(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    clone.git("add", NAME)
    clone.git("stash", "-q")
    clone.git("stash", "apply", "-q", "--index")
    assert clone.git("diff", "--name-only") == ""
    clone.git("stash", "drop", "-q")
    clone.git("commit", "-qm", "applied")


def _stash_branch(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    clone.git("stash", "-q")
    clone.git("stash", "branch", "other")
    clone.git("commit", "-qam", "popped")


def _rebase_autostash(clone: Clone) -> None:
    clone.git("branch", "side")
    clone.write("other", b"x")
    clone.git("add", "other")
    clone.git("commit", "-qm", "other")
    clone.git("switch", "-q", "side")
    clone.write(NAME, ran(*EDITED))
    clone.git("rebase", "-q", "--autostash", "main")
    clone.git("commit", "-qam", "edited")


def _rebase_apply(clone: Clone) -> None:
    clone.git("branch", "side")
    commit(clone, b"x\n", "other", "other")
    clone.git("switch", "-q", "side")
    commit(clone, ran(*EDITED))
    clone.git("rebase", "-q", "--apply", "main")


def _rebase_edit(clone: Clone) -> None:
    commit(clone, ran(*TEXTS, "five"))
    commit(clone, ran(*EDITED, "five"))
    clone.run("git", "-c", "sequence.editor=sed -i 1d", "rebase", "-q", "-i", "HEAD~2", code=0)


def _am(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    patch = clone.git("format-patch", "--stdout", "-1")
    assert "output_type" not in patch
    assert '"source"' in patch, "patches are of the file, not of its text view"
    clone.git("reset", "-q", "--hard", "HEAD~1")
    clone.run("git", "am", "-q", stdin=patch)


def _apply(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    patch = clone.git("diff", "--no-textconv", "HEAD~1", "HEAD")
    clone.git("reset", "-q", "--hard", "HEAD~1")
    clone.run("git", "apply", "--index", stdin=patch)
    clone.git("commit", "-qm", "applied")


def _gone_for_a_while(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    clone.git("rm", "-q", NAME)
    clone.git("commit", "-qm", "gone")
    clone.git("revert", "--no-edit", "HEAD")


def _forced(clone: Clone) -> None:
    commit(clone, ran(*EDITED))
    clone.write(NAME, ran(*EDITED, "five"))
    clone.git("add", NAME)
    clone.git("checkout", "-q", "-f")


def _amend(clone: Clone) -> None:
    commit(clone, ran("half", *TEXTS[1:]))
    clone.write(NAME, ran(*EDITED))
    clone.git("commit", "-qa", "--amend", "--no-edit")
    clone.git("checkout", "-q", "HEAD~1")
    clone.git("checkout", "-q", "main")


OPERATIONS: list[Callable[[Clone], None]] = [
    _cherry_pick,
    _cherry_pick_into_another_edit,
    _checkout_of_a_path,
    _restore,
    _reset_keep,
    _stash_all,
    _stash_index,
    _stash_branch,
    _rebase_autostash,
    _rebase_apply,
    _rebase_edit,
    _am,
    _apply,
    _gone_for_a_while,
    _forced,
    _amend,
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_outputs_come_back_and_git_is_content(clone: Clone, operation: Callable[[Clone], None]) -> None:
    operation(clone)
    found = dict(zip(sources(clone.read(NAME)), heard(clone.read(NAME)), strict=True))
    assert {text: who for text, who in found.items() if text != "FOUR"} == dict.fromkeys(
        [text for text in found if text != "FOUR"], "run"
    )
    assert len(found) == 4
    if operation is not _cherry_pick_into_another_edit:
        assert list(found) == list(EDITED)
    settled(clone)
    clone.git("switch", "-q", "--detach", "main")
    settled(clone)


def test_the_last_run_of_a_source_is_what_comes_back(clone: Clone) -> None:
    commit(clone, ran(*EDITED, who="later"))
    clone.git("checkout", "-q", "HEAD~1")
    assert heard(clone.read(NAME)) == ["run", "later", "later", "later"]
    clone.git("checkout", "-q", "main")
    assert heard(clone.read(NAME)) == ["later"] * 4
    settled(clone)


def test_a_notebook_that_moved(clone: Clone) -> None:
    clone.git("mv", NAME, "moved.ipynb")
    clone.git("commit", "-qm", "moved")
    assert heard(clone.read("moved.ipynb")) == ["run"] * 4
    clone.git("checkout", "-q", "HEAD~1")
    assert heard(clone.read(NAME)) == ["run"] * 4
    clone.git("checkout", "-q", "main")
    assert sources(clone.read("moved.ipynb")) == list(TEXTS)
    settled(clone, "moved.ipynb")


def test_a_linked_worktree_shares_what_is_kept(clone: Clone, tmp_path: Path) -> None:
    clone.git("branch", "side")
    commit(clone, ran(*EDITED))
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"), "side")
    linked = Clone(tmp_path / "linked")
    assert linked.read(NAME) == ran(*TEXTS)
    commit(linked, ran(*TEXTS[:3], "FOUR", who="linked"))
    settled(linked)
    clone.git("merge", "-q", "--no-edit", "side")
    found = heard(clone.read(NAME))
    assert (found[0], found[3]) == ("run", "linked")
    assert set(found) == {"run", "linked"}, "of cells that ran in both worktrees, the run that Git saw last"
    settled(clone)


def test_a_submodule_has_a_filter_of_its_own(first: Clone, tmp_path: Path) -> None:
    outer = Clone.new(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(first.path), "sub")
    inner = Clone(outer.path / "sub")
    assert outputs(inner.read(NAME)) == 0
    inner.mvc("install")
    commit(inner, ran(*EDITED))
    inner.git("checkout", "-q", "HEAD~1")
    inner.git("checkout", "-q", "main")
    assert inner.read(NAME) == ran(*EDITED)
    settled(inner)
    outer.git("commit", "-qam", "sub")
    assert outer.git("status", "--short") == ""
    assert not (outer.path / ".git/mvc/outputs").exists()


def test_from_a_folder_below_and_with_git_dir(clone: Clone, tmp_path: Path) -> None:
    commit(clone, ran("a", "b"), "below", "deep/er/m.ipynb")
    clone.git("rm", "-q", "--cached", "m.ipynb", cwd=clone.path / "deep/er")
    clone.git("add", "m.ipynb", cwd=clone.path / "deep/er")
    (clone.path / "deep/er/m.ipynb").unlink()
    clone.git("checkout", "-q", "m.ipynb", cwd=clone.path / "deep/er")
    assert clone.read("deep/er/m.ipynb") == ran("a", "b")
    (clone.path / "deep/er/m.ipynb").unlink()
    there = (f"--git-dir={clone.path}/.git", f"--work-tree={clone.path}")
    clone.git(*there, "checkout", "-q", "HEAD", "--", "deep", cwd=tmp_path)
    assert clone.read("deep/er/m.ipynb") == ran("a", "b")
    settled(clone, "deep/er/m.ipynb")


def test_a_clone_that_moved_still_strips(clone: Clone, tmp_path: Path) -> None:
    clone.path.rename(tmp_path / "elsewhere $(x) 'y'")
    moved = Clone(tmp_path / "elsewhere $(x) 'y'")
    commit(moved, ran(*EDITED))
    moved.git("checkout", "-q", "HEAD~1")
    assert heard(moved.read(NAME)) == ["run"] * 4
    settled(moved)


# -- only run again


@pytest.fixture
def pulling(clone: Clone, tmp_path: Path) -> Clone:
    """Somebody changed the first cell, and pushed that."""
    clone.git("clone", "-q", "--bare", ".", str(tmp_path / "server"))
    clone.git("remote", "add", "origin", str(tmp_path / "server"))
    clone.git("fetch", "-q")
    clone.git("branch", "-q", "--set-upstream-to", "origin/main")
    commit(clone, ran(*EDITED, who="theirs"))
    clone.git("push", "-q")
    clone.git("reset", "-q", "--hard", "HEAD~1")
    return clone


AGAIN = ran(*TEXTS, who="again, and at length")


def test_a_run_is_no_change(clone: Clone) -> None:
    clone.write(NAME, AGAIN)
    assert clone.git("status", "--short") == f" M {NAME}\n"
    assert clone.git("diff") == ""
    clone.mvc("status")
    assert clone.git("status", "--short") == ""
    clone.write(NAME, AGAIN.replace(b"again", b"later"))
    clone.mvc("notebook", "refresh")
    assert clone.git("status", "--short") == ""
    clone.write(NAME, AGAIN.replace(b"three", b"trois!"))
    clone.mvc("status")
    assert clone.git("status", "--short") == f" M {NAME}\n", "a source that changed is a change"
    assert clone.git("diff", "--cached") == "", "and nobody staged it"
    clone.git("checkout", "-q", "--", NAME)
    settled(clone)


def test_a_run_of_a_notebook_that_is_staged_differently_is_left_alone(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    clone.git("add", NAME)
    clone.write(NAME, AGAIN)
    clone.mvc("status")
    assert clone.git("status", "--short") == f"MM {NAME}\n"
    clone.write(NAME, ran(*EDITED, who="again, and at length"))
    clone.mvc("status")
    assert clone.git("status", "--short") == f"M  {NAME}\n"
    assert sources(stored(clone, at=""))[0] == "ONE"


@pytest.mark.parametrize("words", [("git", "pull", "-q"), ("git", "pull", "-q", "--rebase"), ("git", "merge", "-q")])
def test_after_a_run_git_goes_on(pulling: Clone, words: tuple[str, ...]) -> None:
    clone = pulling
    clone.write(NAME, AGAIN)
    assert clone.git("status", "--short") == f" M {NAME}\n"
    clone.mvc("status")
    clone.run(*words)
    assert sources(clone.read(NAME)) == list(EDITED)
    assert heard(clone.read(NAME)) == ["theirs", *["again, and at length"] * 3]
    settled(clone)


@pytest.mark.parametrize("command", ["status", "checkout", "pull"])
def test_these_tell_git_of_a_run(clone: Clone, tmp_path: Path, command: str) -> None:
    (tmp_path / "store").mkdir()
    clone.mvc("remote", "add", "origin", str(tmp_path / "store"))
    clone.write(NAME, AGAIN)
    assert clone.git("status", "--short", "--", NAME) == f" M {NAME}\n"
    clone.mvc(command)
    assert clone.git("status", "--short", "--", NAME) == ""
    assert clone.read(NAME) == AGAIN


# -- the configuration, end to end


def test_nothing_is_kept_where_that_is_off(clone: Clone) -> None:
    shutil.rmtree(clone.path / ".git/mvc/outputs")
    configure(clone, 'keep_local = "0 B"')
    clone.git("commit", "-qam", "keep nothing")
    commit(clone, ran(*EDITED))
    clone.git("checkout", "-q", "HEAD~1")
    clone.git("checkout", "-q", "main")
    assert outputs(clone.read(NAME)) == 0
    assert not (clone.path / ".git/mvc/outputs").exists()
    settled(clone)


def test_the_oldest_goes_when_there_is_too_much(clone: Clone) -> None:
    configure(clone, 'keep_local = "4 KiB"')
    kept = clone.path / ".git/mvc/outputs"
    for n in range(4):
        noise = os.urandom(1200).hex()
        commit(clone, ran("a", who=noise), name=f"{n}.ipynb")
        (clone.path / f"{n}.ipynb").unlink()  # Git may look at a file again, and keep what it says again
        for at, name in enumerate(sorted(kept.iterdir(), key=lambda one: one.stat().st_mtime_ns)):
            os.utime(name, ns=(at, at))
    assert sum(one.stat().st_size for one in kept.iterdir()) <= 4096
    clone.git("checkout", "-q", "--", "*.ipynb")
    assert outputs(clone.read("0.ipynb")) == 0
    assert outputs(clone.read("3.ipynb")) == 1


IMAGE = {"data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<Figure>"]}, "metadata": {}}
ERROR = {"output_type": "error", "ename": "E", "evalue": "bad", "traceback": []}
RICH = {
    "cells": [
        cell("said", "one-4f7a9e", outputs=[SAID], mood="gloomy", keep=1),
        cell("drew", "two-4f7a9e", outputs=[{"output_type": "display_data", **IMAGE}]),
        cell("broke", "three-4f7a", outputs=[ERROR]),
        cell("scratch", "four-4f7a9", outputs=[SAID], tags=["scratch"]),
        cell("kept", "five-4f7a9", outputs=[{**SAID, "text": ["x" * 500]}], tags=["keep_output"]),
    ],
    "metadata": {
        "kernelspec": {"display_name": "Ada's Python 3.11", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.2"},
        "mine": {"a": 1, "b": 2},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


def _kinds(data: bytes) -> dict[str, list[str]]:
    """Source: the types of its outputs and what they hold."""
    return {
        "".join(one["source"]): [part for out in one["outputs"] for part in (out["output_type"], *out.get("data", ()))]
        for one in json.loads(data)["cells"]
    }


NOTHING: dict[str, list[str]] = {"said": [], "drew": [], "broke": [], "scratch": [], "kept": ["stream"]}
RULES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "none": ("", NOTHING),
    "keep_outputs": ('keep_outputs = ["rich.*"]', _kinds(dump(RICH))),
    "keep_outputs, path": ('keep_outputs = ["sub/*.ipynb"]', _kinds(dump(RICH))),
    "keep_outputs, other": ('keep_outputs = ["rich/*", "Rich.ipynb"]', NOTHING),
    "keep_types": ('keep_types = ["error"]', {**NOTHING, "broke": ["error"]}),
    "keep_types, MIME": ('keep_types = ["text/plain"]', {**NOTHING, "drew": ["display_data", "text/plain"]}),
    "max_output": ('max_output = "100 B"', {**_kinds(dump(RICH)), "drew": []}),
    "drop_tags": ('drop_tags = ["scratch"]', {k: v for k, v in NOTHING.items() if k != "scratch"}),
    "skip": ('skip = ["sub/*"]', _kinds(dump(RICH))),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules(clone: Clone, rule: str) -> None:
    line, expected = RULES[rule]
    configure(clone, line)
    name = "sub/rich.ipynb"
    commit(clone, dump(RICH), name=name)
    committed = stored(clone, name)
    assert _kinds(committed) == expected
    validate(committed)
    counts = [one["execution_count"] for one in json.loads(committed)["cells"]]
    assert counts == ([1] * 5 if rule == "skip" else [None] * len(counts))
    (clone.path / name).unlink()
    clone.git("checkout", "-q", "--", name)
    assert json.loads(clone.read(name)) == RICH, "whatever was stripped comes back"
    assert clone.git("status", "--short", "--", name) == ""
    assert clone.git("diff", "HEAD", "--", name) == ""
    clone.git("fsck", "--strict")


def test_rules_about_metadata(clone: Clone) -> None:
    configure(
        clone, 'extra_keys = ["cell.metadata.mood", "metadata.mine.a"]', "strip_kernel = true", "keep_counts = true"
    )
    commit(clone, dump(RICH), name="rich.ipynb")
    committed = json.loads(stored(clone, "rich.ipynb"))
    assert committed["cells"][0]["metadata"] == {"keep": 1}
    assert [one["execution_count"] for one in committed["cells"]] == [1] * 5
    assert committed["metadata"] == {
        "kernelspec": {"display_name": "python3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "mine": {"b": 2},
    }
    (clone.path / "rich.ipynb").unlink()
    clone.git("checkout", "-q", "--", "rich.ipynb")
    assert json.loads(clone.read("rich.ipynb")) == RICH


def test_dropped_cells_survive_a_pull_that_adds_one_beside_them(clone: Clone) -> None:
    configure(clone, 'drop_tags = ["scratch"]')
    clone.git("commit", "-qam", "no scratch")
    commit(clone, dump(RICH), name="rich.ipynb")
    clone.git("switch", "-qc", "side")
    more = json.loads(json.dumps(RICH))
    more["cells"].insert(4, cell("new", "six-4f7a9e"))
    commit(clone, dump(more), name="rich.ipynb")
    clone.git("switch", "-q", "main")
    assert list(_kinds(clone.read("rich.ipynb"))) == ["said", "drew", "broke", "scratch", "kept"]
    clone.git("merge", "-q", "side")
    assert list(_kinds(clone.read("rich.ipynb"))) == ["said", "drew", "broke", "scratch", "new", "kept"]
    assert "scratch" not in _kinds(stored(clone, "rich.ipynb"))
    assert clone.git("status", "--short") == ""


def test_what_a_newer_rule_took_is_not_put_where_that_rule_is_not(clone: Clone) -> None:
    """Another branch, another configuration: what came back would be a change there."""
    commit(clone, notebook(cell("a", "one-4f7a9e", outputs=[SAID], mood="fine")))
    configure(clone, 'extra_keys = ["cell.metadata.mood"]')
    clone.git("add", ".mvc")
    commit(clone, notebook(cell("a", "one-4f7a9e", outputs=[SAID], mood="gloomy")))
    clone.git("checkout", "-q", "HEAD~1")
    assert json.loads(clone.read(NAME))["cells"][0]["metadata"] == {"mood": "fine"}
    settled(clone)
    clone.git("checkout", "-q", "main")
    assert json.loads(clone.read(NAME))["cells"][0]["metadata"] == {"mood": "gloomy"}
    assert outputs(clone.read(NAME)) == 1
    settled(clone)


def test_a_configuration_that_is_wrong_lets_nothing_in_and_everything_out(clone: Clone) -> None:
    configure(clone, 'max_output = "much"')
    clone.write(NAME, ran(*EDITED))
    done = clone.run("git", "add", NAME, code=128)
    assert "max_output" in done.err
    assert "edit .mvc/config.toml" in done.err
    clone.git("checkout", "-q", "-f", "HEAD", "--", NAME)
    assert sources(clone.read(NAME)) == list(TEXTS)
    pristine(clone)


# -- names, and what is not a notebook


NAMES = [
    "a b.ipynb",
    'it\'s "so".ipynb',
    "$(touch owned).ipynb",
    "`touch owned`;touch owned.ipynb",
    "-x.ipynb",
    "--filter=.ipynb",
    "new\nline.ipynb",
    "back\\slash%f.ipynb",
    "ü/ö/日本.ipynb",
    "not-utf8-\udcff.ipynb",
    "*.ipynb",
    ".ipynb",
]


@pytest.mark.parametrize("one_by_one", [False, True], ids=["process", "clean and smudge"])
def test_names(clone: Clone, one_by_one: bool) -> None:  # noqa: FBT001
    names = NAMES[4:10] if one_by_one else NAMES
    if one_by_one:
        clone.git("config", "--unset", "filter.mvc-notebook.process")
    for at, name in enumerate(names):
        clone.write(name, ran(f"text {at}", who=f"run {at}"))
    clone.git("add", ".")
    clone.git("commit", "-qm", "names")
    for name in names:
        (clone.path / name).unlink()
    clone.git("checkout", "-q", "--", ".")
    for at, name in enumerate(names):
        assert clone.read(name) == ran(f"text {at}", who=f"run {at}"), name
        clone.write(name, ran(f"other {at}", who="again, at length"))
    out = clone.git("diff")
    for at in range(len(names)):
        assert f"-text {at}\n+other {at}\n" in out
    clone.git("checkout", "-q", "--", ".")
    for at, name in enumerate(names):
        clone.write(name, ran(f"text {at}", who="again, at length"))
    clone.mvc("status")
    left = clone.git("status", "--short", "-z").split("\0")
    assert [one for one in left if one] == [" M new\nline.ipynb"], "git hash-object cannot be told of this one"
    assert not list(clone.path.rglob("owned"))
    pristine(clone)


def test_what_is_no_notebook_passes_and_says_so_once(clone: Clone) -> None:
    files = {
        "broken.ipynb": b'{"cells": [',
        "latin.ipynb": b'{"a": "\xff"}',
        "list.ipynb": b"[1, 2]\n",
        "null.ipynb": b"null",
        "deep.ipynb": b"[" * 100_000,
        "empty.ipynb": b"",
        "blank.ipynb": b"\n",
        "huge.ipynb": b'{"nbformat": 4, "cells": [], "x": 1e999}',
        "strange.ipynb": b'{"nbformat": 4, "cells": [{"cell_type": []}]}',
        "pointer.ipynb": b"version https://git-lfs.github.com/spec/v1\n",
        "sub/note.json": b'{"not": "a note"}',
        "other/note.json": b"not even JSON",
        "broken.zpln": b"{",
    }
    for name, data in files.items():
        clone.write(name, data)
    done = clone.run("git", "add", ".")
    said_of = sorted(line.split()[1] for line in done.err.splitlines() if line.startswith("mvc:"))
    assert said_of == ["broken.ipynb", "broken.zpln", "deep.ipynb", "huge.ipynb", "latin.ipynb", "pointer.ipynb"]
    assert len(done.err.splitlines()) == len(said_of), done.err
    for name, data in files.items():
        assert stored(clone, name, "") == data, name
    clone.git("commit", "-qm", "all sorts", "--no-verify")
    clone.git("rm", "-q", "-r", "*.ipynb", "*.zpln", "*note.json")
    done = clone.run("git", "reset", "-q", "--hard")
    assert done.err == "", "what goes out is nobody's business"
    assert {name: clone.read(name) for name in files} == files
    assert clone.git("status", "--short") == ""


def _written(value: Any, form: str) -> bytes:
    """A notebook in one of the forms that programs write."""
    indent = {"one line": None, "indent 2": 2, "indent 4": 4}.get(form, 1)
    text = json.dumps(value, ensure_ascii=form == "ASCII", indent=indent).encode() + b"\n"
    if form == "BOM":
        return b"\xef\xbb\xbf" + text
    if form == "CRLF":
        return text.replace(b"\n", b"\r\n")
    return text.rstrip() if form in {"no newline", "indent 2"} else text


FORMS = ["BOM", "CRLF", "no newline", "one line", "indent 2", "indent 4", "ASCII"]


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_git_s_version_stays(clone: Clone, form: str) -> None:
    """Jupyter saves what another program wrote: Git's version keeps its bytes, and outputs come back in its form."""
    name = "form.ipynb"
    plain = json.loads(notebook(cell("é = 1\n", "c0-4f7a9e"), cell("two", "c1-4f7a9e")))
    commit(clone, _written(json.loads(ran("é = 1\n", "two", who="first")), form), name=name)
    assert stored(clone, name) == _written(plain, form)
    clone.write(name, ran("é = 1\n", "two"))  # run again, and saved by Jupyter
    clone.mvc("notebook", "refresh")
    assert clone.git("status", "--short") == ""
    (clone.path / name).unlink()
    clone.git("checkout", "-q", "--", name)
    assert clone.read(name) == _written(json.loads(ran("é = 1\n", "two")), form)
    clone.write(name, dump(plain))  # cleared, in Jupyter's form
    clone.git("add", name)
    assert clone.git("status", "--short") == ""
    commit(clone, ran("é = 2\n", "two"), name=name)
    plain["cells"][0]["source"] = ["é = 2\n"]
    assert stored(clone, name) == _written(plain, form)
    pristine(clone)


def test_the_order_of_keys_is_a_part_of_the_form(clone: Clone) -> None:
    """Colab puts the format first and the source before the metadata; Jupyter sorts."""
    cells = [
        {"cell_type": "code", "source": ["a"], "metadata": {"id": "x"}, "execution_count": None, "outputs": []},
        {"cell_type": "markdown", "source": "one string", "metadata": {"id": "y", "cellView": "form"}},
    ]
    colab = {"nbformat": 4, "nbformat_minor": 0, "metadata": {"kernelspec": {"name": "k", "a": 1}}, "cells": cells}
    data = json.dumps(colab, indent=2).encode()
    commit(clone, data, name="c.ipynb")
    assert stored(clone, "c.ipynb") == data
    saved = json.loads(data)
    saved["cells"][0] |= {"outputs": [SAID], "execution_count": 4}
    saved["cells"][1]["source"] = ["one string"]
    clone.write("c.ipynb", dump(saved))
    clone.git("add", "c.ipynb")
    assert clone.git("status", "--short") == ""
    saved["cells"].insert(1, cell("new"))
    clone.write("c.ipynb", dump(saved))
    clone.git("add", "c.ipynb")
    assert clone.git("diff", "--cached", "--no-textconv", "--numstat").split()[:2] == ["9", "0"]


def test_the_form_changes_only_where_that_is_configured(clone: Clone) -> None:
    value = json.loads(notebook(cell("a", "c0-4f7a9e")))
    commit(clone, _written(value, "indent 4"), name="form.ipynb")
    configure(clone, 'form = "jupyter"')
    clone.git("add", "--renormalize", "form.ipynb")
    assert stored(clone, "form.ipynb", "") == dump(value)
    clone.git("commit", "-qm", "as Jupyter writes")
    (clone.path / "form.ipynb").unlink()
    clone.git("checkout", "-q", "--", "form.ipynb")
    assert clone.read("form.ipynb") == dump(value)


def test_a_conflict_and_a_merge_keep_our_form(clone: Clone) -> None:
    value = json.loads(notebook(*(cell(text, f"c{place}-4f7a9e") for place, text in enumerate(TEXTS))))

    def written(*texts: str, form: str) -> bytes:
        for one, text in zip(value["cells"], texts, strict=True):
            one["source"] = text.splitlines(keepends=True)
        return _written(value, form)

    four = "indent 4"
    commit(clone, written(*TEXTS, form=four), name="f.ipynb")
    clone.git("switch", "-qc", "side")
    commit(clone, written(*TEXTS[:3], "FOUR", form=four), name="f.ipynb")
    clone.git("switch", "-q", "main")
    commit(clone, written(*EDITED, form=four), name="f.ipynb")
    clone.git("merge", "-q", "--no-edit", "side")
    assert stored(clone, "f.ipynb") == written(*EDITED[:3], "FOUR", form=four)
    clone.git("switch", "-q", "side")
    commit(clone, written("eins", *TEXTS[1:3], "FOUR", form=four), name="f.ipynb")
    clone.git("switch", "-q", "main")
    clone.git("merge", "-q", "side", code=1)
    assert clone.read("f.ipynb").startswith(b'{\n    "cells": [')
    clone.write("f.ipynb", ran("both", *EDITED[1:3], "FOUR"))  # settled in Jupyter
    clone.git("add", "f.ipynb")
    assert stored(clone, "f.ipynb", "") == written("both", *EDITED[1:3], "FOUR", form=four)


def test_autocrlf_does_not_fight_the_filter(clone: Clone) -> None:
    clone.git("config", "core.autocrlf", "true")
    commit(clone, ran(*EDITED))
    assert b"\r" not in stored(clone)
    clone.git("checkout", "-q", "HEAD~1")
    clone.git("checkout", "-q", "main")
    assert sources(clone.read(NAME)) == list(EDITED)
    assert clone.git("status", "--short") == ""
    pristine(clone)


# -- an installation that is gone


def _base_python(folder: Path) -> Clone:
    """Something that stands in for a machine's own Python: no package is in reach of it."""
    folder.mkdir()
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return Clone(folder)


def _without_installation(clone: Clone, path: str) -> None:
    mvc = clone.path / ".git/mvc"
    (mvc / "python").write_text("/nowhere/bin/python\n")
    (mvc / "package").unlink()
    clone.env = {"PATH": path, "PYTHONPATH": ""}


def _system_path(*first: Path) -> str:
    """Git and a shell's programs, without any Python, behind the folders FIRST."""
    return os.pathsep.join(map(str, first))


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with what Git and the hooks need, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("git", "sh", "cat", "awk", "find", "head", "tr", "sed", "rm", "uname", "basename"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def test_the_copy_serves_every_driver(clone: Clone, tools: Path, tmp_path: Path) -> None:
    python = _base_python(tmp_path / "python").path
    _without_installation(clone, _system_path(tools, python))
    clone.git("branch", "side")
    commit(clone, ran(*EDITED))
    clone.git("switch", "-q", "side")
    assert heard(clone.read(NAME)) == ["run"] * 4
    clone.write(NAME, ran("one\nmore", "TWO", *TEXTS[2:]))
    assert "-two\n+TWO\n" in clone.git("diff")  # textconv
    clone.git("stash")
    clone.git("stash", "pop")
    clone.git("commit", "-qam", "theirs")
    done = clone.run("git", "merge", "--no-edit", "main")  # merge
    assert "merged as text" not in done.err
    assert sources(clone.read(NAME)) == ["ONE", "TWO", *TEXTS[2:]]
    clone.write("broken.ipynb", b"{")
    clone.git("add", "broken.ipynb")
    assert "broken.ipynb is no longer a notebook" in clone.run("git", "commit", "-qm", "x", code=1).err  # pre-commit
    clone.git("rm", "-qf", "broken.ipynb")
    commit(clone, b'version = 1\noid = "x"\n', "pointer", "x.mvc")
    assert "x.mvc" in clone.git("log", "-p", "-1")  # pointer
    clone.git("config", "--unset", "filter.mvc-notebook.process")
    clone.write(NAME, ran("last", *TEXTS[1:]))
    clone.git("stash")  # clean and smudge
    settled(clone)


def test_a_python_that_is_too_old_is_passed_over(clone: Clone, tools: Path, tmp_path: Path) -> None:
    for name in ("python3", "python"):
        (tools / name).write_text(f"#!/bin/sh\necho {name} >>'{tmp_path}/asked'\nexit 1\n")
        (tools / name).chmod(0o755)
    (tools / "python3.11").symlink_to(os.path.realpath(sys.executable))
    _without_installation(clone, _system_path(tools))
    commit(clone, ran(*EDITED))
    assert set((tmp_path / "asked").read_text().split()) == {"python3", "python"}
    clone.git("checkout", "-q", "HEAD~1")
    settled(clone)


def test_without_any_python_nothing_gets_in_and_the_words_help(clone: Clone, tools: Path) -> None:
    _without_installation(clone, _system_path(tools))
    clone.write(NAME, ran(*EDITED))
    done = clone.run("git", "add", NAME, code=128)
    assert "no Python 3.11 or later is here" in done.err
    pristine(clone)
    clone.git("config", "--local", "--remove-section", "filter.mvc-notebook")  # as it says
    clone.git("add", NAME)
    clone.git("commit", "-qm", "with outputs")
    assert '"source"' in clone.git("show"), "textconv falls back to the file as it is"


def test_a_repository_can_not_bring_the_python(clone: Clone, tools: Path, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    for name in ("python3", "python"):
        clone.write(name, f"#!/bin/sh\n: >'{owned}'\nexit 0\n".encode())
        (clone.path / name).chmod(0o755)
    _without_installation(clone, f".:{tools}:")
    clone.write(NAME, ran(*EDITED))
    clone.git("add", NAME, code=128)
    clone.git("diff", code=128)
    assert not owned.exists()


# -- who has no mvc


def test_an_archive_of_a_release_is_a_notebook(clone: Clone) -> None:
    done = subprocess.run(
        ["git", "archive", "HEAD"], cwd=clone.path, env=clone.environment(), stdout=subprocess.PIPE, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        found = archive.extractfile(NAME)
        assert found
        assert sources(found.read()) == list(TEXTS)


def test_plain_git_is_enough(clone: Clone, tmp_path: Path) -> None:
    clone.git("branch", "side")
    commit(clone, ran(*EDITED))
    clone.git("switch", "-q", "side")
    commit(clone, ran(*TEXTS[:3], "FOUR"))
    clone.git("switch", "-q", "main")
    plain = Clone(tmp_path / "plain")
    plain.env = {"PATH": os.environ["PATH"], "PYTHONPATH": ""}
    done = clone.run("git", "clone", "-q", str(clone.path), str(plain.path))
    assert done.err == ""
    done = plain.run("git", "merge", "-q", "--no-edit", "origin/side")
    assert done.err == ""
    assert sources(plain.read(NAME)) == ["ONE", "two", "three", "FOUR"]
    validate(plain.read(NAME))
    plain.write(NAME, ran("PLAIN", "two", "three", "FOUR", who="plain"))
    done = plain.run("git", "commit", "-qam", "with outputs")
    assert done.err == ""
    assert '"source"' in plain.git("show")
    assert heard(stored(plain)) == ["plain"] * 4
    clone.git("pull", "-q", "--no-rebase", str(plain.path), "main")
    assert sources(clone.read(NAME)) == ["PLAIN", "two", "three", "FOUR"]
    assert clone.git("diff", "HEAD") == ""
    commit(clone, ran("MINE", "two", "three", "FOUR"))
    assert outputs(stored(clone)) == 0


@pytest.mark.parametrize("damage", [b"", b"x" * 40, b"\0" * 32 + b"\x78\x9c\x03\x00"])
def test_kept_outputs_that_are_damaged_cost_outputs_only(clone: Clone, damage: bytes) -> None:
    commit(clone, ran(*EDITED))
    for one in (clone.path / ".git/mvc/outputs").iterdir():
        one.write_bytes(damage)
    clone.git("checkout", "-q", "HEAD~1")
    assert sources(clone.read(NAME)) == list(TEXTS)
    settled(clone)
    commit(clone, ran("ONE", *TEXTS[1:], who="anew"))
    clone.git("checkout", "-q", "HEAD~1")
    assert heard(clone.read(NAME))[1:] == ["anew"] * 3
    settled(clone)

"""The guard before a commit: what it strips, what it refuses, what it leaves alone, and how it is switched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from modelvc.notebook import conflict
from tests.support.clone import Clone
from tests.support.notebook_clone import (
    NAME,
    TEXTS,
    commit,
    configure,
    copied,
    heard,
    ran,
    said,
    settled,
    slip,
    stored,
    with_notebook,
)
from tests.support.notebooks import cell, dump, notebook, outputs, sources, validate

EDITED = ("ONE", *TEXTS[1:])
STRANGE = ["a b.ipynb", 'it\'s "so".ipynb', "$(touch owned).ipynb", "-x.ipynb", "new\nline.ipynb", "not-\udcff.ipynb"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return with_notebook(tmp_path_factory.mktemp("first") / "project")


@pytest.fixture
def clone(first: Clone, tmp_path: Path) -> Clone:
    return copied(first, tmp_path / "project")


# -- outputs that slipped through


def test_they_are_left_out(clone: Clone) -> None:
    slip(clone, ran(*EDITED))
    done = clone.run("git", "commit", "-qm", "slipped")
    assert done.err == f"mvc: outputs left out of this commit: {NAME}\n"
    assert stored(clone) == notebook(*(cell(text, f"c{n}-4f7a9e") for n, text in enumerate(EDITED)))
    assert stored(clone, at="") == stored(clone)
    assert clone.read(NAME) == ran(*TEXTS), "nobody's worktree is touched"


def test_check_asks_what_git_would_get(clone: Clone) -> None:
    clone.write(NAME, ran(*EDITED))
    assert clone.mvc("notebook", "check").out == ""
    slip(clone, ran(*EDITED))
    clone.write(NAME, ran(*EDITED))
    done = clone.mvc("notebook", "check", NAME, code=1)
    assert done.out == f"{NAME}: is staged with outputs, or other traces of a run\n"
    assert done.err == "next: git add --renormalize PATH\n"
    clone.git("add", "--renormalize", NAME)
    assert clone.mvc("notebook", "check", NAME).err == "1 notebook, nothing wrong\n"
    clone.mvc("install", "--notebooks", "hook")
    assert clone.mvc("notebook", "check", code=1).out == f"{NAME}: holds outputs, or other traces of a run\n"
    clone.mvc("install", "--notebooks", "filter")
    clone.write(".git/info/attributes", f"{NAME} -filter\n".encode())
    assert clone.mvc("notebook", "check", code=1).out == f"{NAME}: holds outputs, or other traces of a run\n"


def test_of_strange_names_and_modes_too(clone: Clone) -> None:
    for at, name in enumerate(STRANGE):
        clone.write(name, ran(f"text {at}"))
    clone.write(NAME, ran(*EDITED))  # else the commit has it or not, as the copied index is racy or not
    (clone.path / STRANGE[0]).chmod(0o755)
    _without_filter(clone)
    clone.git("add", ".")
    done = clone.run("git", "commit", "-qm", "strange")
    assert f"and {len(STRANGE) + 1 - 5} more" in done.err
    assert len(done.err.splitlines()) == 1, "a name may not write a line of its own"
    for at, name in enumerate(STRANGE):
        assert (sources(stored(clone, name)), outputs(stored(clone, name))) == ([f"text {at}"], 0), name
    assert clone.git("ls-files", "-s", "--", STRANGE[0]).startswith("100755 ")
    assert not list(clone.path.rglob("owned"))


def _without_filter(clone: Clone) -> None:
    """Somebody took the filter out of the configuration: only the hook is left."""
    clone.git("config", "--local", "--remove-section", "filter.mvc-notebook")


HOOK_ONLY = {
    "commit -a": ("-qam", "x"),
    "commit -i": ("-q", "-m", "x", "-i", NAME),
    "amend": ("-qa", "--amend", "--no-edit"),
}


@pytest.mark.parametrize("how", HOOK_ONLY)
def test_however_the_commit_is_made(clone: Clone, how: str) -> None:
    _without_filter(clone)
    clone.write(NAME, ran(*EDITED))
    clone.git("commit", *HOOK_ONLY[how])
    assert (sources(stored(clone))[0], outputs(stored(clone))) == ("ONE", 0)
    assert clone.read(NAME) == ran(*EDITED)
    assert clone.git("diff", "--cached", "--name-only") == ""
    clone.git("fsck", "--strict")


def test_a_commit_of_a_path_is_refused(clone: Clone) -> None:
    """It has an index of its own: the real one would keep the outputs, and the next commit would bring them."""
    _without_filter(clone)
    clone.write(NAME, ran(*EDITED))
    before = clone.git("rev-parse", "HEAD")
    done = clone.run("git", "commit", "-qm", "path", NAME, code=1)
    assert f"outputs would enter history: {NAME}" in done.err
    assert "mvc notebook strip PATH" in done.err
    assert clone.git("rev-parse", "HEAD") == before
    clone.mvc("notebook", "strip", NAME)
    clone.git("commit", "-qm", "path", NAME)
    assert (sources(stored(clone))[0], outputs(stored(clone))) == ("ONE", 0)
    reachable(clone)


def reachable(clone: Clone) -> None:
    """History is clean: no commit holds an output; a blob that was added and never committed may."""
    for line in clone.git("rev-list", "--objects", "--all").splitlines():
        name, _, path = line.partition(" ")
        if path.endswith(".ipynb"):
            assert '"output_type"' not in clone.git("cat-file", "blob", name)
    clone.git("fsck", "--strict")


def test_the_first_commit(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "new", mvc=False)
    clone.mvc("init")
    slip(clone, ran(*TEXTS))
    clone.git("commit", "-qm", "first")
    assert outputs(stored(clone)) == 0
    reachable(clone)


def test_in_a_linked_worktree_and_below(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Clone(tmp_path / "linked")
    slip(linked, ran(*EDITED), "deep/m.ipynb")
    (linked.path / "deep").mkdir(exist_ok=True)
    linked.git("commit", "-qm", "slipped", cwd=linked.path / "deep")
    assert outputs(stored(linked, "deep/m.ipynb")) == 0
    assert outputs(stored(linked, "deep/m.ipynb", "")) == 0


def test_refuse_changes_nothing(clone: Clone) -> None:
    configure(clone, 'on_commit = "refuse"')
    slip(clone, ran(*EDITED))
    slip(clone, ran("more"), "more.ipynb")
    before = clone.git("ls-files", "-s")
    done = clone.run("git", "commit", "-qm", "slipped", code=1)
    assert f"mvc: outputs would enter history: more.ipynb, {NAME}\n" in done.err
    assert clone.git("ls-files", "-s") == before
    clone.git("commit", "-qm", "all the same", "--no-verify")
    assert outputs(stored(clone)) == 4
    clone.git("commit", "-q", "--allow-empty", "-m", "what is in history is no reason any more")


def test_rules_hold_here_too(clone: Clone) -> None:
    configure(clone, 'keep_outputs = ["kept.ipynb"]', 'skip = ["left/*"]')
    slip(clone, b"{ alone altogether", "left/broken.ipynb")
    for name in ("kept.ipynb", "left/m.ipynb", "other.ipynb"):
        slip(clone, ran("a"), name)
    clone.git("commit", "-qm", "by rule")
    counts = {name: outputs(stored(clone, name)) for name in ("kept.ipynb", "left/m.ipynb", "other.ipynb")}
    assert counts == {"kept.ipynb": 1, "left/m.ipynb": 1, "other.ipynb": 0}


def test_attributes_can_exempt(clone: Clone) -> None:
    clone.write("gallery/.gitattributes", b"*.ipynb -filter\n")
    clone.write("gallery/m.ipynb", ran("shown"))
    clone.write("gallery/broken.ipynb", b"{")
    clone.git("add", ".")
    done = clone.run("git", "commit", "-qm", "gallery")
    assert done.err == ""
    assert stored(clone, "gallery/m.ipynb") == ran("shown")


def test_what_only_looks_like_one(clone: Clone) -> None:
    (clone.path / "link.ipynb").symlink_to("nowhere {")
    clone.write("notebook.ipynb.txt", b"{")
    clone.write("note.json", b"{ no note")
    clone.write("empty.ipynb", b"")
    clone.git("add", ".")
    clone.git("commit", "-qm", "others")
    clone.git("rm", "-q", "link.ipynb", NAME)
    clone.git("commit", "-qm", "gone")
    clone.git("fsck", "--strict")


def test_zeppelin(clone: Clone) -> None:
    note: Any = {"paragraphs": [{"text": "%md x", "results": {"code": "SUCCESS", "msg": [{"data": "leaked"}]}}]}
    note |= {"name": "a", "id": "2A"}
    for name in ("a.zpln", "old/note.json"):
        slip(clone, json.dumps(note, indent=2).encode(), name)
    clone.git("commit", "-qm", "zeppelin")
    for name in ("a.zpln", "old/note.json"):
        assert b"leaked" not in stored(clone, name)
        assert b"%md x" in stored(clone, name)


def test_what_other_branches_hold_is_left_as_it_is(clone: Clone) -> None:
    """In a merge with conflicts a person commits: theirs stays theirs to the byte, what is new is stripped."""
    clone.write("text", b"base\n")
    clone.git("add", "text")
    clone.git("commit", "-qm", "text")
    clone.git("switch", "-qc", "side")
    slip(clone, ran("theirs"), "theirs.ipynb")
    slip(clone, b'{"cells": [', "broken.ipynb")
    clone.write("text", b"theirs\n")
    clone.git("add", "text")
    clone.git("commit", "-qm", "side", "--no-verify")
    clone.git("switch", "-q", "-f", "main")
    commit(clone, b"ours\n", name="text")
    clone.git("merge", "side", code=1)
    clone.write("text", b"both\n")
    clone.git("add", "text")
    slip(clone, ran("new"), "new.ipynb")
    done = clone.run("git", "commit", "-qm", "merged")
    assert done.err.endswith("mvc: outputs left out of this commit: new.ipynb\n")
    assert "theirs.ipynb" not in done.err
    assert stored(clone, "theirs.ipynb") == ran("theirs")
    assert stored(clone, "broken.ipynb") == b'{"cells": ['
    assert outputs(stored(clone, "new.ipynb")) == 0


def test_a_cherry_pick_that_a_person_finishes(clone: Clone) -> None:
    clone.write("text", b"base\n")
    clone.git("add", "text")
    clone.git("commit", "-qm", "text")
    clone.git("switch", "-qc", "side")
    slip(clone, ran("theirs"), "theirs.ipynb")
    clone.write("text", b"theirs\n")
    clone.git("add", "text")
    clone.git("commit", "-qm", "side", "--no-verify")
    clone.git("switch", "-q", "-f", "main")
    commit(clone, b"ours\n", name="text")
    clone.git("cherry-pick", "side", code=1)
    clone.write("text", b"both\n")
    clone.git("add", "text")
    clone.git("commit", "-qm", "picked")
    assert stored(clone, "theirs.ipynb") == ran("theirs")


# -- what is refused


def _mark(one: Any, kind: str) -> Any:
    conflict.mark(one, kind, 1)
    return one


WRONG: dict[str, tuple[bytes, str]] = {
    "JSON": (b'{"cells": [', "is no longer a notebook: not JSON"),
    "Latin-1": (b'{"nbformat": 4, "metadata": {"a": "\xe9"}, "cells": []}', "is no longer a notebook: not JSON"),
    "UTF-16": ('{"nbformat": 4}'.encode("utf-16"), "is no longer a notebook: not JSON"),
    "text markers": (b"{\n<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n}\n", "has conflict markers in it"),
    "a cell": (
        notebook(_mark(cell("<<<<<<< a\n1\n=======\n2\n>>>>>>> b", "one-4f7a9e"), conflict.SOURCE)),
        "still holds a conflict",
    ),
    "a block": (
        notebook(
            _mark(cell("`<<<<<<<` a", "b-4f7a9e", kind="markdown"), conflict.BEGIN),
            _mark(cell("ours", "o-4f7a9e"), conflict.OURS),
            _mark(cell("`=======`", "m-4f7a9e", kind="markdown"), conflict.MIDDLE),
            _mark(cell("theirs", "t-4f7a9e"), conflict.THEIRS),
            _mark(cell("`>>>>>>>` b", "e-4f7a9e", kind="markdown"), conflict.END),
        ),
        "still holds a conflict",
    ),
    "metadata": (notebook(_mark(cell("a", "one-4f7a9e"), conflict.METADATA)), "still holds a conflict"),
    "the notebook": (
        notebook("a", mvc={"conflict": {"kind": "metadata", "number": 1, "theirs": []}}),
        "still holds a conflict",
    ),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("way", ["added", "slipped"])
def test_refused(clone: Clone, what: str, way: str) -> None:
    data, words = WRONG[what]
    before = clone.git("rev-parse", "HEAD")
    if way == "slipped":
        slip(clone, data)
    else:
        clone.write(NAME, data)
        clone.git("add", NAME)
    done = clone.run("git", "commit", "-qm", "wrong", code=1)
    assert f"mvc: {NAME} {words}" in done.err
    assert clone.git("rev-parse", "HEAD") == before
    clone.git("commit", "-qm", "wrong", "--no-verify")
    assert stored(clone) == data


@pytest.mark.parametrize("mode", ["filter", "hook"])
def test_in_every_mode_but_off(clone: Clone, mode: str) -> None:
    clone.mvc("install", "--notebooks", mode)
    commit_fails(clone, b"{")
    clone.mvc("install", "--notebooks", "off")
    clone.git("commit", "-qm", "off")


def commit_fails(clone: Clone, data: bytes) -> None:
    clone.write(NAME, data)
    clone.git("add", NAME)
    assert "is no longer a notebook" in clone.run("git", "commit", "-qm", "x", code=1).err


def test_all_that_is_wrong_is_named_and_nothing_is_stripped_meanwhile(clone: Clone) -> None:
    slip(clone, ran(*EDITED))
    slip(clone, b"{", "a\x1b[31m.ipynb")
    slip(clone, b"{", "b.ipynb")
    before = clone.git("ls-files", "-s")
    done = clone.run("git", "commit", "-qm", "wrong", code=1)
    assert len([line for line in done.err.splitlines() if "is no longer a notebook" in line]) == 2
    assert "\x1b" not in done.err
    assert clone.git("ls-files", "-s") == before


def test_a_conflict_that_a_person_settled(clone: Clone) -> None:
    """In Jupyter: the markers in a source are gone, the marker cells deleted. Their notes go with them."""
    clone.git("branch", "side")
    for branch, name in (("main", "ours"), ("side", "theirs")):
        clone.git("switch", "-q", branch)
        value = json.loads(ran(name, *TEXTS[1:]))
        value["cells"].append(cell(f"by {name}", f"{name}-4f7a9e", outputs=[said(name)]))
        commit(clone, dump(value))
    clone.git("switch", "-q", "main")
    clone.git("merge", "side", code=1)
    assert b'"conflict"' in clone.read(NAME)
    clone.git("add", NAME)
    assert "still holds 2 conflicts" in clone.run("git", "commit", "-qm", "x", code=1).err
    found = json.loads(clone.read(NAME))
    fences = {"begin", "middle", "end"}
    found["cells"] = [one for one in found["cells"] if conflict.note(one).get("kind") not in fences]
    for one in found["cells"]:
        if conflict.has_markers("".join(one["source"])):
            one["source"] = ["settled by hand"]
    clone.write(NAME, json.dumps(found, indent=1).encode())
    clone.git("commit", "-qam", "settled")
    assert b"mvc" not in stored(clone)
    assert sources(stored(clone)) == ["settled by hand", *TEXTS[1:], "by ours", "by theirs"]
    validate(stored(clone))
    clone.mvc("status")
    assert clone.git("status", "--short") == ""
    clone.git("switch", "-q", "side")
    clone.git("switch", "-q", "main")
    assert b'"conflict"' not in clone.read(NAME)
    settled(clone)


def test_markers_that_are_part_of_a_text_are_no_conflict(clone: Clone) -> None:
    text = "Git writes:\n<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"
    commit(clone, notebook(cell(text, "one-4f7a9e", kind="markdown"), cell(f'"""{text}"""', "two-4f7a9e")))
    assert sources(stored(clone))[0] == text


# -- merges that Git makes without our driver


def _parted(clone: Clone) -> None:
    """Main and side put different cells at the end: merged as text that is a conflict or worse."""
    clone.git("branch", "side")
    commit(clone, ran(*TEXTS, "main"))
    clone.git("switch", "-q", "side")
    commit(clone, ran(*EDITED))
    clone.git("switch", "-q", "main")


def test_a_merge_as_text_that_breaks_a_notebook_is_stopped(clone: Clone) -> None:
    """A driver of somebody's own leaves half a notebook and says that all went well."""
    _parted(clone)
    clone.git("config", "merge.mvc-notebook.driver", "head -c 100 %B >%A")
    before = clone.git("rev-parse", "HEAD")
    done = clone.run("git", "merge", "--no-edit", "side", code=1)
    assert f"{NAME} is no longer a notebook" in done.err
    assert clone.git("rev-parse", "HEAD") == before
    assert (clone.path / ".git/MERGE_HEAD").exists()
    clone.git("merge", "--abort")
    clone.mvc("install")
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == [*EDITED, "main"]
    validate(stored(clone))
    reachable(clone)


def test_a_clean_merge_is_not_in_the_way(clone: Clone) -> None:
    _parted(clone)
    clone.git("merge", "-q", "--no-edit", "side")
    assert sources(clone.read(NAME)) == [*EDITED, "main"]
    assert heard(clone.read(NAME)) == ["run"] * 5
    settled(clone)


# -- switched


SECTIONS = {
    "both": {"filter.mvc-notebook", "diff.mvc-notebook", "merge.mvc-notebook"},
    "filter": {"filter.mvc-notebook", "diff.mvc-notebook", "merge.mvc-notebook"},
    "hook": {"diff.mvc-notebook", "merge.mvc-notebook"},
    "off": set(),
}


def _sections(clone: Clone) -> set[str]:
    keys = clone.git("config", "--local", "--name-only", "--list").split()
    return {key.rpartition(".")[0] for key in keys if "mvc-notebook" in key}


@pytest.mark.parametrize("mode", SECTIONS)
def test_modes(clone: Clone, mode: str) -> None:
    clone.mvc("install", "--notebooks", mode)
    assert _sections(clone) == SECTIONS[mode]
    assert clone.git("config", "mvc.notebooks") == f"{mode}\n"
    config = clone.read(".git/config")
    clone.mvc("install")
    assert clone.read(".git/config") == config, "what was chosen stays chosen"
    slip(clone, ran(*EDITED))
    clone.git("commit", "-qm", "slipped")
    assert outputs(stored(clone)) == (0 if mode in {"both", "hook"} else 4)
    clone.write(NAME, ran("TWICE", *TEXTS[1:]))
    clone.git("add", NAME)
    assert outputs(stored(clone, at="")) == (0 if mode in {"both", "filter"} else 4)
    clone.git("commit", "-qm", "added")
    assert outputs(stored(clone)) == (4 if mode == "off" else 0)
    clone.mvc("install", "--notebooks", "both")
    assert _sections(clone) == SECTIONS["both"]


def test_uninstall_restores_git_to_the_byte(tmp_path: Path) -> None:
    clone = Clone.new(tmp_path / "project", mvc=False)
    clone.git("config", "merge.mine.driver", "true")
    clone.git("config", "filter.lfs.clean", "cat")
    before = clone.read(".git/config")
    hooks = sorted(os.listdir(clone.path / ".git/hooks"))
    clone.mvc("init")
    commit(clone, ran(*TEXTS))
    clone.mvc("uninstall")
    assert clone.read(".git/config") == before
    assert sorted(os.listdir(clone.path / ".git/hooks")) == hooks
    assert outputs(clone.read(NAME)) == 4, "outputs are not taken along"
    clone.write(NAME, ran(*EDITED))
    clone.git("commit", "-qam", "plain Git")
    assert outputs(stored(clone)) == 4
    clone.mvc("install")
    assert _sections(clone) == SECTIONS["both"]


def test_without_python_a_commit_goes_through(clone: Clone, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh", "cat", "awk", "find", "head", "tr", "sed", "rm"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    slip(clone, ran(*EDITED))
    clone.mvc("install", "--notebooks", "hook")
    (clone.path / ".git/mvc/python").write_text("/nowhere\n")
    clone.env = {"PATH": str(tools)}
    done = clone.run("git", "commit", "-qm", "no Python")
    assert "no Python 3.11 or later" in done.err
    assert outputs(stored(clone)) == 4

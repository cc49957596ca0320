"""nbdime's rich diff and its web tools, as `mvc notebook diff` and `mergetool` offer them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.clone import Clone
from tests.support.notebook_page import Page


def _notebook(*sources: str, outputs: Any = ()) -> bytes:
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell{place}abc",
            "metadata": {},
            "outputs": list(outputs),
            "source": [text],
        }
        for place, text in enumerate(sources)
    ]
    found = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(found, indent=1, sort_keys=True).encode() + b"\n"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone.new(tmp_path / "project")
    clone.write("n.ipynb", _notebook("a", "b"))
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "one")
    clone.write("n.ipynb", _notebook("a", "c"))
    return clone


def test_which_versions_are_compared(clone: Clone) -> None:
    assert "--- n.ipynb (index)\n+++ n.ipynb (worktree)" in clone.mvc("notebook", "diff", "n.ipynb").out
    clone.git("commit", "-qam", "two")
    assert clone.mvc("notebook", "diff", "n.ipynb").out == ""
    done = clone.mvc("notebook", "diff", "--exit-code", "HEAD~1", "n.ipynb", code=1)
    assert "--- n.ipynb (HEAD~1)\n+++ n.ipynb (worktree)" in done.out
    found = clone.json("notebook", "diff", "HEAD~1", "HEAD", "n.ipynb")
    assert (found["path"], found["old"]) == ("n.ipynb", "n.ipynb (HEAD~1)")
    assert "modified" in found["text"]
    clone.mvc("notebook", "diff", "no.ipynb", code=10)
    clone.mvc("notebook", "diff", ".gitattributes", code=2)


def test_git_difftool(clone: Clone) -> None:
    assert "modified /cells/1/source" in clone.git("difftool", "-y", "--tool", "mvc")
    clone.write("a.txt", b"a\n")
    clone.git("add", "a.txt")
    assert "+a" in clone.git("difftool", "-y", "--cached", "--tool", "mvc", "--", "a.txt")


def _page(process: subprocess.Popen[str]) -> Page:
    """The next page that a tool serves."""
    assert process.stderr is not None
    url = re.match(r"http://127\.0\.0\.1:\d+/\w+", process.stderr.readline())
    assert url
    return Page.open(url[0])


@contextmanager
def _tool(clone: Clone, *words: str) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    argv = [sys.executable, "-P", "-m", "modelvc", "notebook", *words, "--no-browser"]
    process = subprocess.Popen(
        argv, cwd=clone.path, env=clone.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield _page(process), process
    finally:
        process.kill()
        process.communicate()


def test_the_diff_in_a_browser(clone: Clone) -> None:
    with _tool(clone, "diff", "--web", "n.ipynb") as (page, process):
        assert "Notebook Diff" in page.html
        named = re.search(r"<script id='nbdime-config-data'[^>]*>(.*?)</script>", page.html, re.DOTALL)
        assert named
        config = json.loads(named[1])
        found = json.loads(page.post("/api/diff", {"base": config["base"], "remote": config["remote"]}))
        assert found["diff"]
        page.post("/api/closetool", {"exitCode": 0})
        assert process.wait(20) == 0


def _in_conflict(clone: Clone, *more: str) -> None:
    """The notebook, and MORE like it, changed by two branches."""
    for name in more:
        clone.write(name, _notebook("a", "b"))
    clone.git("add", ".")
    clone.git("commit", "-qm", "two")
    clone.git("checkout", "-qb", "side", "HEAD~1")
    for name in ("n.ipynb", *more):
        clone.write(name, _notebook("a", "d"))
    clone.git("add", ".")
    clone.git("commit", "-qm", "three")
    clone.git("merge", "main", code=1)


def test_the_merge_tool_takes_what_is_saved(clone: Clone) -> None:
    clone.mvc("notebook", "mergetool", code=2)
    _in_conflict(clone)
    with _tool(clone, "mergetool") as (page, process):
        assert "Notebook Merge" in page.html
        page.post("/api/store", {"merged": json.loads(_notebook("a", "settled"))})
        page.post("/api/closetool", {"exitCode": 0})
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "merged  n.ipynb\n", "next: git add n.ipynb\n")
    assert b"settled" in clone.read("n.ipynb")
    assert clone.git("status", "--short") == "UU n.ipynb\n"  # staged by the person
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "merged")


def test_what_was_saved_before_ctrl_c_stays_saved(clone: Clone) -> None:
    _in_conflict(clone)
    with _tool(clone, "mergetool", "n.ipynb") as (page, process):
        page.post("/api/store", {"merged": json.loads(_notebook("a", "settled"))})
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert b"settled" in clone.read("n.ipynb")


def test_a_merge_tool_that_is_left_changes_nothing(clone: Clone) -> None:
    _in_conflict(clone, "o.ipynb")
    before = clone.read("n.ipynb")
    with _tool(clone, "mergetool") as (_, process):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert err == "nothing was saved: n.ipynb is unchanged\n"  # and o.ipynb was not asked about
    assert clone.read("n.ipynb") == before


def test_all_notebooks_in_conflict_one_after_the_other(clone: Clone) -> None:
    _in_conflict(clone, "o.ipynb")
    assert clone.git("diff", "--name-only", "--diff-filter=U") == "n.ipynb\no.ipynb\n"
    with _tool(clone, "mergetool") as (page, process):
        page.post("/api/store", {"merged": json.loads(_notebook("a", "first"))})
        page.post("/api/closetool", {"exitCode": 0})
        second = _page(process)
        second.post("/api/closetool", {"exitCode": 1})
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "merged  n.ipynb\n")
    assert err == "nothing was saved: o.ipynb is unchanged\nnext: git add n.ipynb\n"
    assert b"first" in clone.read("n.ipynb")


def test_in_a_conflict_our_side_is_compared(clone: Clone) -> None:
    _in_conflict(clone)
    clone.git("checkout", "--ours", "n.ipynb")
    assert clone.mvc("notebook", "diff", "n.ipynb").out == ""
    clone.git("checkout", "--theirs", "n.ipynb")
    assert "--- n.ipynb (ours)\n+++ n.ipynb (worktree)" in clone.mvc("notebook", "diff", "n.ipynb").out


def _refused(clone: Clone, *words: str, code: int) -> str:
    """What a command says that ends at once: one that serves a page instead would never end."""
    argv = [sys.executable, "-P", "-m", "modelvc", "notebook", *words]
    env = clone.environment()
    done = subprocess.run(argv, cwd=clone.path, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr


def test_broken_notebooks_are_named_and_not_served(clone: Clone) -> None:
    clone.write("n.ipynb", b'{"cells": [')
    for words in ((), ("--web", "--no-browser")):
        said = _refused(clone, "diff", *words, "n.ipynb", code=12)
        assert said.startswith("error: n.ipynb (worktree) is not a notebook that can be compared: not JSON")
        assert "hint: " in said
    assert (
        "shown as text, because b/n.ipynb is not a notebook" in clone.run("git", "difftool", "-y", "--tool", "mvc").err
    )
    assert '+{"cells": [' in clone.git("difftool", "-y", "--tool", "mvc")


def test_a_port_that_is_taken(clone: Clone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = _refused(clone, "diff", "--web", "--no-browser", "--port", str(port), "n.ipynb", code=11)
    assert f"no page can be served at port {port}: Address already in use" in said
    assert "--port" in said.rpartition("hint: ")[2]
    _refused(clone, "diff", "--web", "--no-browser", "--port", "65536", "n.ipynb", code=2)

"""nbdime's rich diff and its web tools, as `mvc notebook diff` and `mergetool` offer them."""

from __future__ import annotations

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelvc.errors import FormatError
from modelvc.notebook.rich import diff_text
from tests.support.clone import Clone


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


_SAID = {"output_type": "stream", "name": "stdout", "text": ["\x1b]0;owned\x07 plain \x1b[31mred\x1b[0m\n"]}


def test_the_difference_in_words() -> None:
    text = diff_text(_notebook("a", "b"), _notebook("a", "c"), ("old", "new"), color=False)
    assert text.startswith("--- old\n+++ new\n")
    assert "modified /cells/1/source" in text
    assert "-  b" in text
    assert "+  c" in text
    assert diff_text(_notebook("a"), _notebook("a"), ("old", "new"), color=False) == ""
    assert "inserted" in diff_text(b"", _notebook("a"), ("old", "new"), color=False)


@pytest.mark.parametrize("color", [False, True])
def test_a_notebook_does_not_talk_to_the_terminal(color: bool) -> None:  # noqa: FBT001
    text = diff_text(_notebook("a"), _notebook("a", outputs=[_SAID]), ("old", "new"), color=color)
    assert "plain" in text
    assert "\x07" not in text
    assert "\x1b]" not in text
    assert ("\x1b" in text) is color


def test_what_is_no_notebook_is_named() -> None:
    with pytest.raises(FormatError, match="new is no notebook"):
        diff_text(_notebook("a"), b"<<<<<<< {", ("old", "new"), color=False)


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


class Page:
    """A page of a tool that runs, with the cookie that its forms need."""

    def __init__(self, url: str) -> None:
        self.top = url.rpartition("/")[0]
        self.jar = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar)).open
        self.html = self._open(url).read().decode()

    def post(self, path: str, value: Any) -> Any:
        token = next(cookie.value for cookie in self.jar if cookie.name == "_xsrf")
        headers = {"X-XSRFToken": str(token), "Content-Type": "application/json"}
        return self._open(urllib.request.Request(f"{self.top}{path}", json.dumps(value).encode(), headers)).read()


@contextmanager
def _tool(clone: Clone, *words: str) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    argv = [sys.executable, "-P", "-m", "modelvc", "notebook", *words, "--no-browser"]
    process = subprocess.Popen(
        argv, cwd=clone.path, env=clone.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        url = re.match(r"http://127\.0\.0\.1:\d+/\w+", process.stderr.readline())
        assert url
        deadline = time.monotonic() + 20
        while True:
            try:
                page = Page(url[0])
                break
            except OSError:  # it says where it will be before it listens
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield page, process
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


def test_the_merge_tool_takes_what_is_saved(clone: Clone) -> None:
    clone.git("commit", "-qam", "two")
    clone.git("checkout", "-qb", "side", "HEAD~1")
    clone.write("n.ipynb", _notebook("a", "d"))
    clone.git("commit", "-qam", "three")
    clone.git("merge", "main", code=1)
    with _tool(clone, "mergetool") as (page, process):
        assert "mergetool" in page.html.lower()
        page.post("/api/store", {"merged": json.loads(_notebook("a", "settled"))})
        page.post("/api/closetool", {"exitCode": 0})
        assert process.wait(20) == 0
    assert b"settled" in clone.read("n.ipynb")
    assert clone.git("status", "--short") == "UU n.ipynb\n"  # staged by the person
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "merged")


def test_a_merge_tool_that_is_left_changes_nothing(clone: Clone) -> None:
    clone.mvc("notebook", "mergetool", code=2)
    clone.git("commit", "-qam", "two")
    clone.git("checkout", "-qb", "side", "HEAD~1")
    clone.write("n.ipynb", _notebook("a", "d"))
    clone.git("commit", "-qam", "three")
    clone.git("merge", "main", code=1)
    before = clone.read("n.ipynb")
    with _tool(clone, "mergetool", "n.ipynb") as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(20) != 0
    assert clone.read("n.ipynb") == before

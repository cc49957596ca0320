"""Commands that write a file at a place that a person names: a model there is stored first."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path

POLICY = '[[metric]]\nname = "acc"\ndirection = "higher"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A model that looks like a page, one in a folder, and a third to plot, check and get; all with unsaved changes."""
    found = Clone.new(tmp_path / "clone")
    for name in ("page.html", "folder/page.html", "folder/other"):
        found.write(name, b"saved")
    found.write("model.bin", 1)
    found.mvc("add", "page.html", "folder")
    found.mvc("add", "model.bin", "-m", "acc=1")
    found.write(".mvc/policy.toml", POLICY.encode())
    found.git("add", ".mvc/policy.toml")
    found.git("commit", "-qm", "models")
    found.write("page.html", b"unsaved")
    found.write("folder/page.html", b"unsaved")
    return found


WRITERS = {
    "plot": ("plot", "model.bin", "-o", "{}"),
    "check": ("check", "model.bin", "--output", "json={}"),
    "get": ("get", ".", "model.bin", "-o", "{}"),
    "notebook merge": ("notebook", "merge", "n.ipynb", "n.ipynb", "n.ipynb", "-o", "{}"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_model_is_refused_and_by_force_stored_first(clone: Clone, writer: str) -> None:
    clone.write("n.ipynb", b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (clone.path / "link.html").symlink_to("page.html")
    words = [word.format("page.html") for word in WRITERS[writer]]
    assert "page.html" in clone.mvc(*words, code=11).err
    assert clone.read("page.html") == b"unsaved"
    done = clone.mvc(*words, "--force")
    assert clone.read("page.html") != b"unsaved"
    back = done.err.partition("mvc checkout ")[2].split()
    clone.mvc("gc", "--grace", "0", "--apply")
    clone.mvc("checkout", "--force", *back[:2])
    assert clone.read("page.html") == b"unsaved"


@pytest.mark.parametrize("writer", ["plot", "check", "notebook merge"])
def test_a_link_to_a_model_is_that_model(clone: Clone, writer: str) -> None:
    clone.write("n.ipynb", b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (clone.path / "link.html").symlink_to("page.html")
    clone.mvc(*(word.format("link.html") for word in WRITERS[writer]), code=11)
    assert clone.read("page.html") == b"unsaved"


@pytest.mark.parametrize("writer", ["plot", "check", "get"])
def test_a_file_in_a_folder_that_is_a_model(clone: Clone, writer: str) -> None:
    words = [word.format("folder/page.html") for word in WRITERS[writer]]
    clone.mvc(*words, code=11)
    done = clone.mvc(*words, "--force")
    assert clone.read("folder/page.html") != b"unsaved"
    back = done.err.partition("mvc checkout ")[2].split()
    clone.mvc("checkout", "--force", back[0], "folder")
    assert clone.read("folder/page.html") == b"unsaved"
    assert clone.read("folder/other") == b"saved"


@pytest.mark.parametrize(
    ("model", "place", "inside"),
    [
        ("model.bin", "page.html.mvc", "page.html.mvc"),
        ("folder", "sub/", "sub/folder/code.py"),
        ("folder", "models/", "models/folder/m.bin"),
    ],
)
def test_what_no_force_replaces(clone: Clone, model: str, place: str, inside: str) -> None:
    """A pointer, a folder with files of Git, a folder with a model in it."""
    clone.write("sub/folder/code.py", b"code")
    clone.git("add", "sub")
    clone.write("models/folder/m.bin", b"m")
    clone.mvc("add", "models/folder/m.bin")
    before = clone.read(inside)
    clone.mvc("get", ".", model, "-o", place, "--force", code=11)
    assert clone.read(inside) == before


def test_a_file_is_replaced_whole(clone: Clone) -> None:
    """A write that stops half way leaves the old file and nothing else; other names keep the old bytes."""
    report = clone.path / "report.html"
    report.write_bytes(b"old")
    report.chmod(0o640)
    os.link(report, clone.path / "twin.html")
    names = sorted(os.listdir(clone.path))
    assert "report.html" in clone.run("sh", "-c", "ulimit -f 1; mvc plot model.bin -o report.html", code=11).err
    assert report.read_bytes() == b"old"
    assert sorted(os.listdir(clone.path)) == names
    clone.mvc("plot", "model.bin", "-o", "report.html")
    assert report.stat().st_size > 1024
    assert stat.S_IMODE(report.stat().st_mode) == 0o640
    assert clone.read("twin.html") == b"old"


@pytest.mark.parametrize("to", ["| cat", ">> out.txt; cat out.txt"])
def test_a_pipe_or_an_open_file_is_written_to(clone: Clone, to: str) -> None:
    done = clone.run("sh", "-c", f"mvc check model.bin --output openmetrics=/dev/stdout {to}")
    assert "# EOF" in done.out


@pytest.mark.parametrize(("model", "path"), [("n.ipynb", "n.ipynb"), ("book", "book/n.ipynb")])
def test_a_notebook_that_is_a_model_is_never_changed(clone: Clone, model: str, path: str) -> None:
    """Neither by name nor where Git still tracks the file, and no conflict is settled in it."""
    cell = b'{"cell_type": "code", "execution_count": 7, "metadata": {}, "outputs": [], "source": "1"}'
    saved = b'{"cells": [%s], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}' % cell
    clone.write(path, saved)
    clone.mvc("add", model)
    unsaved = clone.write(path, saved.replace(b"7", b"8"))
    assert "whose bytes stay" in clone.mvc("notebook", "strip", path, code=1).out
    clone.git("add", "-f", path)
    clone.mvc("notebook", "strip", code=1)
    assert clone.read(path) == unsaved
    blob = clone.git("rev-parse", f":{path}").strip()
    stages = "".join(f"100644 {blob} {stage}\t{path}\n" for stage in (1, 2, 3))
    clone.run("git", "update-index", "--index-info", stdin=f"0 {'0' * 40}\t{path}\n{stages}")
    clone.mvc("notebook", "resolve", path, "--ours", code=11)
    clone.mvc("notebook", "merge", path, code=11)
    assert clone.read(path) == unsaved


def test_elsewhere_files_are_written_as_ever(clone: Clone, tmp_path: Path) -> None:
    for _ in range(2):
        clone.mvc("plot", "model.bin", "-o", "report.html")
        clone.mvc("plot", "model.bin", "-o", str(tmp_path / "report.html"))
        clone.mvc("check", "model.bin", "--output", "json=report.json")
    clone.mvc("get", ".", "model.bin", "-o", str(tmp_path / "got.bin"))
    clone.mvc("get", ".", "model.bin", "-o", str(tmp_path / "got.bin"), "--force")
    assert clone.json("status")["models"]

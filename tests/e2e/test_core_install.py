"""The core install is small, does the work without any extra, and names the extra where one is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.support.clone import ROOT, Clone, Done

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PACKAGES = 40
MOST_BYTES = 95 << 20
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def _needed(lines: list[str], found: dict[str, Distribution]) -> dict[str, Distribution]:
    """What pip installs for LINES, apart from what this Python does not need."""
    for line in lines:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        package = distribution(wanted.name)
        if package.name not in found:
            found[package.name] = package
            _needed(package.requires or [], found)
    return found


@pytest.fixture(scope="module")
def core() -> list[Distribution]:
    return list(_needed(PROJECT["dependencies"], {}).values())


@pytest.fixture(scope="module")
def python(core: list[Distribution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the core install, and nothing of what else is installed here."""
    home = tmp_path_factory.mktemp("core")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(home)], check=True)
    packages = next(home.glob("lib/python*/site-packages"))
    for package in core:
        for name in {file.parts[0] for file in package.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            if not (packages / name).exists():  # several packages may share a namespace
                (packages / name).symlink_to(package.locate_file(name))
    (packages / "modelvc").mkdir()
    for path in (ROOT / "modelvc").iterdir():
        (packages / "modelvc" / path.name).symlink_to(path)
    (packages / "modelvc/_hooks").symlink_to(ROOT / "hooks")
    return home / "bin/python"


class Core(Clone):
    """A clone in which mvc, and all that Git starts, is the core install."""

    def mvc(self, *words: str, code: int = 0, cwd: Path | None = None) -> Done:
        return self.run("python", "-P", "-m", "modelvc", *words, code=code, cwd=cwd)

    def environment(self) -> dict[str, str]:
        found = {**os.environ, **self.env}
        found.pop("PYTHONPATH", None)
        return found


@pytest.fixture
def clone(python: Path, tmp_path: Path) -> Core:
    path = tmp_path / "project"
    path.mkdir()
    found = Core(path, {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"})
    found.git("init", "-q", "-b", "main")
    found.mvc("init")
    found.git("commit", "-qm", "use mvc")
    return found


def notebook(*sources: str, outputs: object = ()) -> bytes:
    cells = [
        {"cell_type": "code", "execution_count": None, "id": f"cell{place}abc", "metadata": {},
         "outputs": outputs or [], "source": [text]}
        for place, text in enumerate(sources)
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode() + b"\n"


def test_it_is_small(core: list[Distribution]) -> None:
    """With byte code, as pip installs it; modelvc comes on top."""

    def sizes() -> Iterator[int]:
        for file in (file for package in core for file in package.files or ()):
            path = Path(str(file.locate()))
            if path.exists():
                yield path.stat().st_blocks * 512

    ours = sum(path.stat().st_blocks * 512 for path in (ROOT / "modelvc").rglob("*") if path.is_file())
    assert len(core) + 1 <= MOST_PACKAGES, sorted(package.name for package in core)
    assert sum(sizes()) + ours <= MOST_BYTES


def test_all_has_every_extra() -> None:
    (line,) = EXTRAS["all"]
    assert Requirement(line).extras == set(EXTRAS) - {"all", "dev"}


def test_it_has_no_package_of_an_extra(clone: Core) -> None:
    names = ("nbdime", "nbformat", "numpy", "paramiko", "adlfs", "matplotlib", "pygit2")
    code = f"import importlib.util; print([name for name in {names} if importlib.util.find_spec(name)])"
    assert clone.run("python", "-c", code).out == "[]\n"


def test_every_module_but_those_of_an_extra_can_be_imported(clone: Core) -> None:
    code = (
        "import importlib, pkgutil, modelvc\n"
        "for one in pkgutil.walk_packages(modelvc.__path__, 'modelvc.'):\n"
        "    if not one.name.endswith(('__main__', 'drivers.script', 'backends.sftp')):\n"
        "        importlib.import_module(one.name)\n"
    )
    clone.run("python", "-c", code)


def test_a_model_from_add_to_a_clone(clone: Core, tmp_path: Path) -> None:
    clone.git("init", "-q", "--bare", str(tmp_path / "origin"))
    clone.git("remote", "add", "origin", str(tmp_path / "origin"))
    clone.mvc("remote", "add", "origin", str(tmp_path / "models"))
    content = clone.write("model.bin", b"0123456789" * 20_000)
    clone.mvc("add", "model.bin", "-m", "acc=0.9")
    clone.git("commit", "-qam", "one")
    clone.write("model.bin", 2)
    clone.mvc("add", "model.bin", "-m", "acc=0.8")
    clone.git("commit", "-qm", "two")
    assert "acc" in clone.mvc("log", "model.bin").out
    for line in ("status", "ls", "show model.bin", "diff HEAD~1 HEAD", "plot model.bin acc", "doctor", "fsck", "gc"):
        clone.mvc(*line.split())
    clone.mvc("plot", "model.bin", "-o", "report.html")
    clone.mvc("rollback", "model.bin", "--to", "HEAD~1", "--commit")
    assert clone.read("model.bin") == content
    clone.git("push", "-q", "-u", "origin", "main")
    other = Core(tmp_path / "other", clone.env)
    other.path.mkdir()
    other.git("clone", "-q", str(tmp_path / "origin"), ".")
    other.mvc("install", "--trust")
    other.mvc("pull")
    assert other.read("model.bin") == content


def test_notebooks_are_stripped_shown_and_merged(clone: Core) -> None:
    ran = [{"output_type": "stream", "name": "stdout", "text": ["42"]}]
    clone.write("n.ipynb", notebook("a", "b", "c", outputs=ran))
    clone.git("add", "n.ipynb")
    assert "42" not in clone.git("show", ":n.ipynb")
    clone.git("commit", "-qm", "one")
    clone.git("checkout", "-qb", "theirs")
    clone.write("n.ipynb", notebook("a", "b", "c2"))
    assert re.search(r"^\+c2$", clone.git("diff"), re.MULTILINE)
    clone.git("commit", "-qam", "theirs")
    clone.git("checkout", "-q", "main")
    clone.write("n.ipynb", notebook("a2", "b", "c"))
    clone.git("commit", "-qam", "ours")
    clone.git("merge", "-q", "theirs")
    merged = json.loads(clone.git("show", ":n.ipynb"))
    assert ["".join(cell["source"]) for cell in merged["cells"]] == ["a2", "b", "c2"]
    clone.mvc("notebook", "check")
    clone.mvc("notebook", "strip", "n.ipynb")


def test_a_missing_extra_is_named(clone: Core) -> None:
    clone.write("n.ipynb", notebook("a", "b"))
    clone.git("add", "n.ipynb")
    clone.git("commit", "-qm", "one")
    clone.write("n.ipynb", notebook("a", "c"))
    clone.write("model.bin", 1)
    clone.mvc("add", "model.bin", "-m", "acc=0.9")
    clone.git("commit", "-qm", "model")
    clone.mvc("remote", "add", "sftp", "sftp://host/models")
    clone.mvc("remote", "add", "azure", "az://container/models")
    for extra, line in (
        ("notebooks", "notebook diff n.ipynb"),
        ("notebooks", "notebook diff --web --no-browser n.ipynb"),
        ("plot", "plot model.bin -o x.png"),
        ("sftp", "push -r sftp"),
        ("azure", "push -r azure"),
    ):
        said = clone.mvc(*line.split(), code=2).err
        assert f"pip install 'modelvc[{extra}]'" in said, line
    difftool = clone.run("git", "difftool", "-y", "--tool", "mvc")
    assert "pip install 'modelvc[notebooks]'" in difftool.err
    assert "\n-b\n+c\n" in difftool.out


def test_the_merge_tool_names_its_extra(clone: Core) -> None:
    for branch, last in (("main", "b"), ("theirs", "c"), ("main", "d")):
        clone.git("checkout", "-q", *(["-b"] if branch == "theirs" else []), branch)
        clone.write("n.ipynb", notebook("a", last))
        clone.git("add", "n.ipynb")
        clone.git("commit", "-qm", last)
    clone.run("git", "merge", "-q", "theirs", code=1)
    before = clone.read("n.ipynb")
    said = clone.mvc("notebook", "mergetool", "--no-browser", code=2).err
    assert "pip install 'modelvc[notebooks]'" in said
    assert clone.read("n.ipynb") == before

"""The wheel has all that is needed: an editable install would hide what it lacks."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_every_package_is_shipped() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "modelvc").rglob("__init__.py")}
    assert set(SETUPTOOLS["packages"]) == found | {"modelvc._hooks"}


def test_every_other_file_is_shipped() -> None:
    for path in (ROOT / "modelvc").rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert any(fnmatch(path.name, shape) for shape in SETUPTOOLS["package-data"].get(package, ())), path


def test_every_extra_that_is_named_exists() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    pages = [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "modelvc").rglob("*.py"),
        ROOT / "README.md",
        ROOT / "pyproject.toml",
    ]
    named = {name for page in pages for found in re.findall(r"(?:modelvc|'\.)\[([\w,]+)\]", page.read_text())
             for name in found.split(",")}  # fmt: skip
    assert named == extras - {"dev"}

"""What is installed is all that there is: an editable install would hide a package that the wheel lacks."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_shipped() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "modelvc").rglob("__init__.py")}
    assert set(table["packages"]) == found | {"modelvc._hooks"}

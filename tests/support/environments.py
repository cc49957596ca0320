"""Virtual environments that tests make: a real interpreter, and folders of packages that only say what they are."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelvc.ids import Oid
from modelvc.modelfiles.facts import Import, ModelFacts, Use
from modelvc.models.inside import facts_cache
from modelvc.repo import open_repo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.clone import Clone

BASE = os.path.realpath(sys.executable)
VERSION = ".".join(map(str, sys.version_info[:3]))


@dataclass(frozen=True, slots=True)
class FakeEnvironment:
    """A virtual environment as `python -m venv` makes it, without pip."""

    home: Path

    @classmethod
    def new(cls, home: Path, *, base: str = BASE) -> FakeEnvironment:
        found = cls(home)
        found.packages.mkdir(parents=True)
        (home / "bin").mkdir()
        found.python.symlink_to(base)
        (home / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n")
        return found

    @property
    def python(self) -> Path:
        return self.home / "bin/python"

    @property
    def packages(self) -> Path:
        return self.home / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"

    def install(
        self,
        name: str,
        version: str,
        *modules: str,
        requires: Sequence[str] = (),
        direct: bool = False,
        top_level: bool = False,
        installer: str = "pip",
    ) -> Path:
        """Make the folder that says that a distribution is installed. MODULES: in RECORD, or with TOP_LEVEL there."""
        folder = self.packages / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires]
        (folder / "METADATA").write_text("\n".join(lines) + "\n\nName: in the description\nRequires-Dist: nothing\n")
        files = sorted([f"{folder.name}/METADATA", *(f"{one}/{two}" for one in modules for two in ("a.py", "b.py"))])
        (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files if not top_level))
        (folder / "INSTALLER").write_text(f"{installer}\n")
        if top_level:
            (folder / "top_level.txt").write_text("".join(f"{one}\n" for one in modules))
        if direct:
            (folder / "direct_url.json").write_text(json.dumps({"url": "file:///src", "dir_info": {"editable": True}}))
        return folder

    def remove(self, name: str) -> None:
        for folder in self.packages.glob(f"{name.replace('-', '_')}-*.dist-info"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def scientific(self, scikit: str = "1.9.1", numpy: str = "2.4.6") -> FakeEnvironment:
        """Install what a model of scikit-learn needs, and what it does not."""
        needs = [
            "numpy>=1.24",
            "scipy>=1.10",
            "joblib>=1.4",
            'pytest>=8; extra == "tests"',
            "tomli; python_version<'3'",
        ]
        self.install("scikit-learn", scikit, "sklearn", requires=needs)
        self.install("numpy", numpy, "numpy")
        self.install("scipy", "1.17.1", "scipy", requires=["numpy"])
        self.install("joblib", "1.6.0", "joblib")
        self.install("pandas", "2.3.3", "pandas", requires=["numpy"])
        return self


FOREST = ModelFacts(
    "pickle",
    framework="scikit-learn",
    version="1.9.1",
    class_name="RandomForestClassifier",
    imports=(
        Import("numpy.dtype", Use.CONSTRUCTED),
        Import("sklearn.ensemble._forest.RandomForestClassifier", Use.CONSTRUCTED),
    ),
)


def know(clone: Clone, name: str, facts: ModelFacts) -> None:
    """Keep FACTS as what was read of the file NAME as it is now."""
    from blake3 import blake3

    repo = open_repo(str(clone.path), {})
    facts_cache.save(repo, Oid(blake3(clone.read(name)).digest()), facts)

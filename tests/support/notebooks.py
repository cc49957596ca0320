"""Notebooks for tests: committed ones, those of installed packages, and small ones that a test makes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.clone import ROOT

FIXTURES = ROOT / "tests/fixtures/notebooks"
SAID = {"output_type": "stream", "name": "stdout", "text": ["said\n"]}


def fixtures() -> list[Path]:
    """The notebooks of this project; all were run."""
    return sorted(FIXTURES.glob("*.ipynb"))


def notes() -> list[Path]:
    """The Zeppelin notes of this project."""
    return [*sorted(FIXTURES.glob("*.zpln")), *sorted(FIXTURES.glob("*/note.json"))]


def packaged() -> list[Path]:
    """The test notebooks of nbdime, of many shapes."""
    import nbdime

    found = sorted(Path(nbdime.__file__).parent.rglob("*.ipynb"))
    assert len(found) > 40
    return found


def validate(data: bytes) -> None:
    """Raise unless DATA is a valid notebook of its format. An id that occurs twice is an error."""
    from nbformat import validator

    found = json.loads(data)
    for error in validator.iter_validate(found):  # validate() would mend missing and double ids, and only warn
        raise error
    ids = [cell["id"] for cell in found.get("cells", ()) if "id" in cell]
    assert len(ids) == len(set(ids)), ids
    assert (found["nbformat"], found["nbformat_minor"]) < (4, 5) or len(ids) == len(found["cells"])


def is_valid(data: bytes) -> bool:
    try:
        validate(data)
    except Exception:  # noqa: BLE001 - of a validator of many formats
        return False
    return True


def cell(text: str, name: str = "", *, kind: str = "code", outputs: Sequence[Any] = (), **metadata: Any) -> Any:
    """One cell; without a NAME it has no id."""
    found = {"cell_type": kind, "metadata": metadata, "source": text.splitlines(keepends=True)}
    if kind == "code":
        found |= {"execution_count": 1 if outputs else None, "outputs": list(outputs)}
    return found | ({"id": name} if name else {})


def notebook(*cells: Any, **metadata: Any) -> bytes:
    """A notebook as Jupyter writes it. Cells that are given as text get ids."""
    made = [cell(one, f"{place:02d}abcdef"[:8]) if isinstance(one, str) else one for place, one in enumerate(cells)]
    minor = 5 if all("id" in one for one in made) else 4
    return dump({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor})


def dump(value: Any) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, separators=(",", ": "))
    return text.encode() + b"\n"


def sources(data: bytes) -> list[str]:
    """The sources of the cells."""
    return ["".join(one["source"]) for one in json.loads(data)["cells"]]


def outputs(data: bytes) -> int:
    """The number of outputs in a notebook."""
    return sum(len(one.get("outputs", ())) for one in json.loads(data)["cells"])

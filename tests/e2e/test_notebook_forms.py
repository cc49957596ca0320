"""Many notebooks in each form that programs write, through a day with Git: no byte of Git's version is changed by a
run, and outputs are there afterwards. `MVC_NOTEBOOKS=60` for all of them; some here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from modelvc.formats.notebook_rules import NotebookRules
from modelvc.notebook.strip import clean
from tests.support.clone import Clone
from tests.support.notebook_clone import pristine, stored
from tests.support.notebooks import cell, dump, fixtures, sources

MANY = int(os.environ.get("MVC_NOTEBOOKS", "5"))
FORMS = ("indent 2", "indent 4", "CRLF", "escapes", "no newline")
SAID = {"output_type": "stream", "name": "stdout", "text": ["took three hours\n"]}


def written(value: Any, form: str) -> bytes:
    indent = {"indent 2": 2, "indent 4": 4}.get(form, 1)
    data = json.dumps(value, indent=indent, ensure_ascii=form == "escapes").encode() + b"\n"
    if form == "CRLF":
        return data.replace(b"\n", b"\r\n")
    return data.rstrip() if form == "no newline" else data


def made(number: int) -> Any:
    """A notebook that nobody has run: some of them are those of this project, stripped; ids in every second one."""
    own = [_stripped(path) for path in fixtures() if path.stem != "annotated"]  # which keeps some outputs
    own = [one for one in own if len(one.get("cells", ())) > 3]
    if number % 2 and number // 2 < len(own):
        return own[number // 2]
    named = number % 2 == 0
    cells = [
        cell(f"# café {number}\nx_{place} = {place * number}\nprint('<\u2028>')", f"c{place}-4f7a9e" if named else "")
        for place in range(3 + number % 7)
    ]
    cells.append(cell(f"# Ende {number} 🚀", "end-4f7a9e" if named else "", kind="markdown", tags=["über"]))
    return {"cells": cells, "metadata": {"title": "é"}, "nbformat": 4, "nbformat_minor": 5 if named else 4}


def _stripped(path: Path) -> Any:
    return json.loads(clean(path.read_bytes(), NotebookRules(), "n.ipynb")[0])


def ran(value: Any) -> bytes:
    """As Jupyter saves it after a run."""
    found = json.loads(json.dumps(value))
    for place, one in enumerate(found["cells"]):
        if one["cell_type"] == "code":
            one |= {"outputs": [SAID], "execution_count": place + 1}
            one["metadata"]["execution"] = {"iopub.execute_input": "2026-03-01T10:00:00Z"}
    return dump(found)


def edited(value: Any, at: int, line: str) -> Any:
    found = json.loads(json.dumps(value))
    one = found["cells"][at]
    text = f"{''.join(one['source'])}\n{line}"
    one["source"] = text if isinstance(one["source"], str) else text.splitlines(keepends=True)
    return found


def outputs(clone: Clone, name: str) -> int:
    return sum(bool(one.get("outputs")) for one in json.loads(clone.read(name))["cells"])


def codes(value: Any) -> int:
    return sum(one["cell_type"] == "code" for one in value["cells"])


@pytest.mark.parametrize("form", FORMS)
def test_a_day_with_git(tmp_path: Path, form: str) -> None:
    values = {f"n{number}.ipynb": made(number) for number in range(MANY)}
    clone = Clone.new(tmp_path / "ours")
    for name, value in values.items():
        clone.write(name, written(value, form))
    clone.git("add", ".")
    clone.git("commit", "-qm", "notebooks")
    for name, value in values.items():
        assert stored(clone, name) == written(value, form)
    clone.git("clone", "-q", ".", str(tmp_path / "theirs"))
    theirs = Clone(tmp_path / "theirs")
    theirs.mvc("install")
    for name, value in values.items():  # they edit the last cell, in Jupyter
        theirs.write(name, dump(edited(value, -1, "theirs")))
    theirs.git("commit", "-qam", "theirs")
    for name, value in values.items():
        assert stored(theirs, name) == written(edited(value, -1, "theirs"), form)

    for name, value in values.items():
        clone.write(name, ran(value))
    assert clone.git("diff") == ""
    clone.git("add", ".")
    assert clone.git("status", "--short") == ""
    _have_outputs(clone, values)

    clone.git("pull", "-q", "--no-rebase", str(theirs.path), "main")
    _have_outputs(clone, values, changed=-1)
    for name, value in values.items():  # ours, edited and run again
        clone.write(name, ran(edited(edited(value, -1, "theirs"), 0, "ours")))
    clone.git("stash", "-q")
    _have_outputs(clone, values, changed=0)
    clone.git("stash", "pop", "-q")
    _have_outputs(clone, values)
    clone.git("commit", "-qam", "ours")
    for name, value in values.items():
        assert stored(clone, name) == written(edited(edited(value, -1, "theirs"), 0, "ours"), form)

    clone.git("switch", "-q", "-c", "side", "HEAD~2")
    _have_outputs(clone, values, changed=0)
    for name, value in values.items():
        clone.write(name, ran(edited(value, 1, "side")))
    clone.git("commit", "-qam", "side")
    clone.git("switch", "-q", "main")
    _have_outputs(clone, values)
    clone.git("merge", "-q", "--no-edit", "side")
    for name, value in values.items():
        merged = edited(edited(edited(value, -1, "theirs"), 0, "ours"), 1, "side")
        assert sources(clone.read(name)) == ["".join(one["source"]) for one in merged["cells"]]
        assert stored(clone, name) == written(merged, form)
    _have_outputs(clone, values)
    assert clone.git("status", "--short") == ""
    pristine(clone)


def _have_outputs(clone: Clone, values: dict[str, Any], changed: int | None = None) -> None:
    """Every code cell has its outputs; but the one at CHANGED, which may never have been run as it is now."""
    for name, value in values.items():
        missing = codes(value) - outputs(clone, name)
        assert 0 <= missing <= (changed is not None), name

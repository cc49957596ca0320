"""A command for stories that does what a person does in Jupyter: it adds and changes cells of a notebook.

edit_notebook.py NOTEBOOK new                     an empty notebook
edit_notebook.py NOTEBOOK add AFTER ID TEXT       a code cell behind another ("" for the first)
edit_notebook.py NOTEBOOK set ID TEXT             another source
edit_notebook.py NOTEBOOK sub ID OLD NEW          a part of a source; `\\n` stands for a line's end
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(path: Path, verb: str, *words: str) -> None:
    if verb == "new":
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        _write(path, {"cells": [], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
        return
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    places = {cell["id"]: at for at, cell in enumerate(cells)}
    given = [word.replace("\\n", "\n") for word in words]
    if verb == "add":
        after, name, text = given
        cell = {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": []}
        cells.insert(places.get(after, -1) + 1, {**cell, "source": text.splitlines(keepends=True)})
    elif verb == "set":
        cells[places[given[0]]]["source"] = given[1].splitlines(keepends=True)
    elif verb == "sub":
        cell = cells[places[given[0]]]
        text = "".join(cell["source"])
        assert given[1] in text, text
        cell["source"] = text.replace(given[1], given[2]).splitlines(keepends=True)
    else:
        raise SystemExit(__doc__)
    _write(path, notebook)


def _write(path: Path, notebook: Any) -> None:
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

"""Upgrade nbformat 3 to 4, to merge a notebook that one side has upgraded. Source: nbformat's documentation."""

from __future__ import annotations

from modelvc.errors import FormatError
from modelvc.notebook.document import cells, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from modelvc.notebook.document import Cell, Notebook

_OUTPUTS = {"pyout": "execute_result", "pyerr": "error"}
_MIMES = {
    "text": "text/plain", "html": "text/html", "svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg",
    "latex": "text/latex", "json": "application/json", "javascript": "application/javascript",
}  # fmt: skip
_COUNTED = frozenset({"output_type", "prompt_number", "metadata"})


def upgraded(notebook: Notebook) -> Notebook:
    """Return NOTEBOOK in nbformat 4. A notebook of format 4 is returned as it is.

    Raises FormatError for every other format than 3 and 4.
    """
    major = notebook.get("nbformat")
    if major == 4:
        return notebook
    if major != 3:
        raise FormatError(f"nbformat {major} cannot be merged with another")
    metadata = {key: value for key, value in notebook.get("metadata", {}).items() if key not in {"name", "signature"}}
    rest = {key: value for key, value in notebook.items() if key not in {"worksheets", "metadata"}}
    found = {"cells": [_cell(cell) for cell in cells(notebook)], "metadata": metadata, **rest}
    return {**found, "nbformat": 4, "nbformat_minor": 0}


def _cell(cell: Cell) -> Cell:
    kind = cell.get("cell_type")
    metadata = dict(cell.get("metadata", {}))
    outputs = cell.get("outputs")
    if kind == "code":  # `collapsed` is dropped: the filter strips it from format 4
        return {
            "cell_type": "code",
            "execution_count": cell.get("prompt_number"),
            "metadata": metadata,
            "outputs": [_output(one) for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else [],
            "source": cell.get("input", []),
        }
    text = cell.get("source", [])
    if kind == "heading":
        words = " ".join(source(cell).splitlines())
        level = cell.get("level", 1)
        text = [f"{'#' * (min(6, level) if type(level) is int else 1)} {words}"]
    return {"cell_type": "raw" if kind == "raw" else "markdown", "metadata": metadata, "source": text}


def _output(output: dict[str, Any]) -> dict[str, Any]:
    kind = str(output.get("output_type"))
    found: dict[str, Any] = {"output_type": _OUTPUTS.get(kind, kind)}
    if kind == "stream":
        return found | {"name": output.get("stream", "stdout"), "text": output.get("text", "")}
    if kind == "pyerr":
        return found | {
            key: output.get(key, default) for key, default in (("ename", ""), ("evalue", ""), ("traceback", []))
        }
    if kind == "pyout":
        found["execution_count"] = output.get("prompt_number")
    data = {_MIMES.get(key, key): value for key, value in output.items() if key not in _COUNTED}
    return found | {"data": data, "metadata": output.get("metadata", {})}

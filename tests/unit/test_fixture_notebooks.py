"""The notebooks that other tests rely on are valid, small, and hold what they are there for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.notebooks import make
from tests.support.notebooks import FIXTURES, cell, dump, fixtures, is_valid, notebook, notes, validate

if TYPE_CHECKING:
    from pathlib import Path

STATE = "application/vnd.jupyter.widget-state+json"


def read(name: str) -> Any:
    return json.loads((FIXTURES / name).read_bytes())


def code(name: str) -> list[Any]:
    return [one for one in read(name)["cells"] if one["cell_type"] == "code"]


def shown(name: str) -> list[Any]:
    return [output for one in code(name) for output in one["outputs"]]


def types(name: str) -> set[str]:
    """Of what a notebook displays."""
    return {kind for output in shown(name) for kind in output.get("data", ())}


@pytest.mark.parametrize("path", fixtures(), ids=lambda path: path.name)
def test_each_is_valid_and_small(path: Path) -> None:
    data = path.read_bytes()
    validate(data)
    assert len(data) < make.LARGEST


def test_all_are_here() -> None:
    names = "annotated format3 frames plots streams vscode widgets without-ids"
    assert [path.stem for path in fixtures()] == names.split()
    assert [path.name for path in notes()] == ["results.zpln", "zeppelin.zpln", "note.json", "note.json"]
    make.check()


@pytest.mark.parametrize("name", ["annotated", "frames", "plots", "streams", "vscode", "widgets", "without-ids"])
def test_a_kernel_ran_them(name: str) -> None:
    found = read(f"{name}.ipynb")
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    assert found["metadata"]["language_info"]["name"] == "python"
    for place, one in enumerate(code(f"{name}.ipynb"), 1):
        assert one["execution_count"] == place
        assert "iopub.execute_input" in one["metadata"]["execution"]


def test_plots() -> None:
    assert {"image/png", "image/svg+xml"} <= types("plots.ipynb")
    png = next(output["data"]["image/png"] for output in shown("plots.ipynb") if "image/png" in output.get("data", ()))
    assert png.startswith("iVBORw0KGgo")


def test_frames() -> None:
    assert {"text/html", "text/plain", "text/latex"} <= types("frames.ipynb")
    assert any('class="dataframe"' in "".join(output["data"].get("text/html", "")) for output in shown("frames.ipynb"))


def test_streams() -> None:
    found = shown("streams.ipynb")
    told = {output["name"]: "".join(output["text"]) for output in found if output["output_type"] == "stream"}
    assert {"stdout", "stderr"} == set(told)
    said = "".join("".join(output["text"]) for output in found if output["output_type"] == "stream")
    assert "\r" in said
    assert "\u2028" in said
    assert any(ord(char) > 0xFFFF for char in said)
    error = next(output for output in found if output["output_type"] == "error")
    assert error["ename"] == "ZeroDivisionError"
    assert any("\x1b[" in line for line in error["traceback"])


def test_widgets() -> None:
    state = read("widgets.ipynb")["metadata"]["widgets"][STATE]["state"]
    views = [
        output["data"]["application/vnd.jupyter.widget-view+json"]["model_id"]
        for output in shown("widgets.ipynb")
        if "application/vnd.jupyter.widget-view+json" in output["data"]
    ]
    assert views
    assert all(state[view]["model_name"] == "IntSliderModel" for view in views)


def test_annotated() -> None:
    found = read("annotated.ipynb")
    keys = {key for one in found["cells"] for key in one["metadata"]}
    assert keys >= {"ExecuteTime", "collapsed", "execution", "jupyter", "mood", "nbgrader", "papermill", "scrolled"}
    assert keys >= {"raw_mimetype", "slideshow", "tags"}
    assert {"authors", "celltoolbar", "kernelspec", "papermill"} <= set(found["metadata"])
    assert {one["cell_type"] for one in found["cells"]} == {"code", "markdown", "raw"}
    assert any("image/png" in one.get("attachments", {}).get("pixel.png", ()) for one in found["cells"])


def test_formats() -> None:
    minors = {path.stem: (read(path.name)["nbformat"], read(path.name)["nbformat_minor"]) for path in fixtures()}
    assert minors.pop("format3") == (3, 0)
    assert minors.pop("without-ids") == (4, 4)
    assert set(minors.values()) == {(4, 5)}
    assert not any("id" in one for one in read("without-ids.ipynb")["cells"])
    assert all("id" in one for name in minors for one in read(f"{name}.ipynb")["cells"])
    assert [one["cell_type"] for one in read("format3.ipynb")["worksheets"][0]["cells"]] == [
        "heading",
        "markdown",
        "code",
    ]


def test_vscode() -> None:
    assert not (FIXTURES / "vscode.ipynb").read_bytes().endswith(b"\n")
    assert "vscode" in read("vscode.ipynb")["metadata"]
    assert all("vscode" in one["metadata"] for one in read("vscode.ipynb")["cells"])


def test_as_jupyter_writes() -> None:
    """The others are byte for byte what `dump` makes of them."""
    for name in ("annotated", "frames", "plots", "streams", "widgets", "without-ids"):
        assert dump(read(f"{name}.ipynb")) == (FIXTURES / f"{name}.ipynb").read_bytes()


def test_zeppelin_notes() -> None:
    results = read("results.zpln")
    assert {
        "angularObjects",
        "config",
        "defaultInterpreterGroup",
        "id",
        "info",
        "name",
        "noteForms",
        "noteParams",
    } <= set(results)
    kinds = [message["type"] for one in results["paragraphs"] for message in one["results"]["msg"]]
    assert set(kinds) == {"HTML", "IMG", "TABLE", "TEXT"}
    assert {one["status"] for one in results["paragraphs"]} == {"ERROR", "FINISHED"}
    assert {one["results"]["code"] for one in results["paragraphs"]} == {"ERROR", "SUCCESS"}
    data = (FIXTURES / "results.zpln").read_bytes()
    assert rb"\u003cdiv class\u003d" in data
    assert rb"\u2028" in data
    assert b'"colWidth": 12.0' in data
    assert not data.endswith(b"\n")
    older = read("older-zeppelin/note.json")
    assert older["paragraphs"][0]["result"]["type"] == "HTML"
    assert "version" not in older
    assert not any("results" in one for one in older["paragraphs"])


def test_a_large_one(tmp_path: Path) -> None:
    make.large(tmp_path / "large.ipynb")
    data = (tmp_path / "large.ipynb").read_bytes()
    validate(data)
    assert 900_000 < len(data) < 1_500_000


def test_check_sees_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in [*fixtures(), *notes()]:
        target = tmp_path / path.relative_to(FIXTURES)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    monkeypatch.setattr(make, "HERE", tmp_path)
    make.check()
    good = (tmp_path / "plots.ipynb").read_bytes()
    for bad, words in (
        (notebook(cell("a", "same"), cell("b", "same")), "twice"),
        (good.replace(b'"execution_count": 1', b'"execution_count": "one"', 1), "plots"),
        (good + b" " * make.LARGEST, "larger"),
    ):
        (tmp_path / "plots.ipynb").write_bytes(bad)
        with pytest.raises(SystemExit, match=words):
            make.check()
    (tmp_path / "plots.ipynb").unlink()
    with pytest.raises(SystemExit, match="missing"):
        make.check()


def test_validate_is_strict() -> None:
    good = json.loads(notebook("a", "b"))
    validate(dump(good))
    doubled, without, unknown = (json.loads(dump(good)) for _ in range(3))
    doubled["cells"][1]["id"] = doubled["cells"][0]["id"]
    del without["cells"][1]["id"]
    unknown["cells"][1]["more"] = 1
    assert [is_valid(dump(one)) for one in (doubled, without, unknown)] == [False, False, False]

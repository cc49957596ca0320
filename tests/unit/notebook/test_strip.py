"""What is taken out of a notebook, and what stays."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from modelvc.errors import ConfigError, FormatError
from modelvc.formats import notebook_rules
from modelvc.notebook import conflict, platforms
from modelvc.notebook.document import parse
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.match_form import AS_JUPYTER
from modelvc.notebook.strip import clean
from modelvc.notebook.view import text
from tests.support.clone import ROOT
from tests.support.notebooks import SAID, cell, dump, notebook, outputs, sources, validate

IMAGE = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk=", "text/plain": ["<Figure>"]}}


def configured(lines: str) -> notebook_rules.NotebookRules:
    return notebook_rules.read(f"format = 1\n[notebooks]\n{lines}\n".encode())


def left(data: bytes, lines: str = "", path: str = "n.ipynb") -> dict[str, Any]:
    found, _ = clean(data, configured(lines), path)
    validate(found)
    assert clean(found, configured(lines), path)[0] == found
    return json.loads(found)


@pytest.fixture
def kept(tmp_path: Path) -> KeptOutputs:
    return KeptOutputs(str(tmp_path / "outputs"), 1 << 20)


def _round(kept: KeptOutputs, data: bytes, path: str = "n.ipynb") -> bytes:
    stripped, taken = clean(data, notebook_rules.NotebookRules(), path)
    kept.keep(path, taken)
    return stripped


def test_the_traces_of_a_run_go_and_all_else_stays() -> None:
    kept = {
        "tags": ["a"],
        "slideshow": {"slide_type": "slide"},
        "nbgrader": {"grade": True},
        "papermill": {"x": 1},
        "mine": 2,
    }
    gone = {"collapsed": True, "scrolled": True, "ExecuteTime": {}, "execution": {}, "vscode": {}}
    data = notebook(
        cell("a", "id-of-one", outputs=[SAID], **kept, **gone),
        widgets={"application/vnd.jupyter.widget-state+json": {}},
        signature="x",
        kernelspec={"name": "k", "display_name": "Kernel"},
        language_info={"name": "python", "version": "3.12"},
        title="stays",
    )
    found = left(data)
    one = found["cells"][0]
    assert (one["outputs"], one["execution_count"], one["id"]) == ([], None, "id-of-one")
    assert one["metadata"] == kept
    assert set(found["metadata"]) == {"kernelspec", "language_info", "title"}
    assert found["metadata"]["kernelspec"]["display_name"] == "Kernel"
    stripped = left(data, "strip_kernel = true")["metadata"]
    assert stripped["kernelspec"] == {"name": "k", "display_name": "k"}
    assert stripped["language_info"] == {"name": "python"}


@pytest.mark.parametrize(
    ("metadata", "notebook_metadata", "lines", "stays"),
    [
        ({}, {}, "", False),
        ({"keep_output": True}, {}, "", True),
        ({"keep_output": False}, {"keep_output": True}, "", False),
        ({"keep_output": False, "tags": ["keep_output"]}, {}, "", False),
        ({"tags": ["keep_output"]}, {}, "", True),
        ({}, {"keep_output": True}, "", True),
        ({}, {"keep_output": False}, "", False),
        ({}, {"keep_output": "false"}, "", False),
        ({"init_cell": True}, {}, "", True),
        ({"init_cell": True}, {}, "strip_init_cells = true", False),
        ({"init_cell": False}, {}, "", False),
        ({}, {}, 'keep_outputs = ["n.ipynb"]', True),
        ({}, {}, 'keep_outputs = ["deep/*"]', True),
        ({}, {}, 'keep_outputs = ["other/*"]', False),
        ({}, {}, 'keep_types = ["stream"]', True),
        ({}, {}, 'keep_types = ["error"]', False),
        ({}, {}, 'max_output = "1 KiB"', True),
        ({}, {}, 'max_output = "10"', False),
    ],
)
def test_what_keeps_outputs(metadata: Any, notebook_metadata: Any, lines: str, stays: bool) -> None:  # noqa: FBT001
    data = notebook(cell("a", "one-abcdef", outputs=[SAID], **metadata), **notebook_metadata)
    found = left(data, lines, "deep/down/n.ipynb")
    assert (found["cells"][0]["outputs"] == [SAID]) is stays
    assert found["cells"][0]["execution_count"] is None


def test_mime_types_counts_and_skipped_notebooks() -> None:
    data = notebook(
        cell("a", "one-abcdef", outputs=[IMAGE, {**IMAGE, "output_type": "execute_result", "execution_count": 7}])
    )
    found = left(data, 'keep_types = ["text/plain"]')["cells"][0]["outputs"]
    assert [one["data"] for one in found] == [{"text/plain": ["<Figure>"]}] * 2
    assert found[1]["execution_count"] is None
    counted = left(data, 'keep_counts = true\nkeep_types = ["execute_result"]')["cells"][0]
    assert (counted["execution_count"], counted["outputs"][0]["execution_count"]) == (1, 7)
    assert clean(data, configured('skip = ["n.ipynb"]'), "a/n.ipynb")[0] == data


def test_extra_keys_and_dropped_cells_come_back(tmp_path: Path) -> None:
    lines = 'extra_keys = ["metadata.lab.user", "cell.metadata.mood"]\ndrop_tags = ["scratch"]'
    cells = [
        cell("first", "scratch1", tags=["scratch"], outputs=[SAID]),
        cell("a", "one-abcdef", mood="good", other=1),
        cell("scratch", "scratch2", tags=["x", "scratch"]),
        cell("b", "two-abcdef"),
    ]
    data = notebook(*cells, lab={"user": "ada", "room": 1})
    found = left(data, lines)
    assert sources(dump(found)) == ["a", "b"]
    assert found["cells"][0]["metadata"] == {"other": 1}
    assert found["metadata"]["lab"] == {"room": 1}
    stripped, taken = clean(data, configured(lines), "n.ipynb")
    kept = KeptOutputs(str(tmp_path), 1 << 20)
    kept.keep("n.ipynb", taken)
    assert json.loads(kept.attach(stripped, configured(lines), "n.ipynb")) == json.loads(data)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('keep_outputs = "a"', "notebooks.keep_outputs must be a list of strings"),
        ("keep_counts = 1", "notebooks.keep_counts must be true or false"),
        ('on_commit = "ignore"', "notebooks.on_commit must be one of strip, refuse"),
        ('max_output = "lots"', 'notebooks.max_output must be a size such as "10 KiB"'),
        ('extra_keys = ["cell.source"]', "notebooks.extra_keys cannot name 'cell.source'"),
        ('keep_keys = ["id"]', "notebooks.keep_keys cannot name 'id'"),
        ('form = "black"', "notebooks.form must be one of keep, jupyter"),
        ('max_size = "all"', 'notebooks.max_size must be a size such as "10 KiB"'),
        ("drop_tags = [1]", "notebooks.drop_tags must be a list of strings"),
    ],
)
def test_rules_that_make_no_sense(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(line)
    assert words in str(caught.value)
    assert ".mvc/config.toml" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("platform", platforms.PLATFORMS, ids=lambda one: one.name)
def test_what_platforms_write_goes_and_comes_back(platform: platforms.Platform, kept: KeptOutputs) -> None:
    """Each key of the table alone, and all together; with one that stays beside it, and without."""
    for beside in ({}, {"mine": 1}):
        for paths in [[path] for path in (*platform.notebook, *platform.cell)] + [[*platform.notebook, *platform.cell]]:
            ran = json.loads(notebook(cell("a", "one-abcdef", **beside), **beside))
            for path in paths:
                at = ran if path in platform.notebook else ran["cells"][0]
                for part in path[:-1]:
                    at = at.setdefault(part, {})
                at[path[-1]] = {"value": 1}
            stripped = _round(kept, dump(ran), f"{platform.name}{len(beside)}")
            assert stripped == notebook(cell("a", "one-abcdef", **beside), **beside)
            assert (
                json.loads(kept.attach(stripped, notebook_rules.NotebookRules(), f"{platform.name}{len(beside)}"))
                == ran
            )
            page = (ROOT / "docs/notebooks.md").read_text()
            assert all(f"`{'.'.join(path[1:])}`" in page for path in paths)


def test_the_table_of_keys_has_a_new_edition_when_it_changes() -> None:
    table = sorted(".".join(path) for path in (*platforms.NOTEBOOK, *platforms.CELL))
    digest = sha256("\n".join(table).encode()).hexdigest()[:16]
    assert (platforms.EDITION, digest) == (2, "d39d28e60986cd09"), "raise EDITION, then write both down here"


def test_an_object_of_a_platform_that_a_run_fills_goes_when_it_is_empty(kept: KeptOutputs) -> None:
    """Colab writes `colab: {}` before a run and `colab: {base_uri}` after it."""
    before, after = (notebook(cell("a", "one-abcdef", colab=one)) for one in ({}, {"base_uri": "x"}))
    assert _round(kept, before) == _round(kept, after) == notebook(cell("a", "one-abcdef"))
    assert _round(kept, notebook(cell("a", "one-abcdef", lab={}))) == notebook(cell("a", "one-abcdef", lab={}))


def test_a_key_of_a_platform_can_stay() -> None:
    data = notebook(cell("a", "one-abcdef", papermill={"duration": 1, "status": "x"}), varInspector={})
    found = left(data, 'keep_keys = ["cell.metadata.papermill.duration", "metadata.varInspector"]')
    assert found["cells"][0]["metadata"] == {"papermill": {"duration": 1}}
    assert found["metadata"] == {"varInspector": {}}


# -- files as they are


def as_file(**more: Any) -> bytes:
    return dump(
        {"cells": [cell("a", "one-abcdef", outputs=[SAID])], "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        notebook("a", "b"),
        notebook("a").replace(b"\n", b"\r\n"),
        json.dumps(json.loads(notebook("ü")), indent=4).encode(),  # another program's form
        b"\xef\xbb\xbf" + notebook("a"),
        notebook("a").rstrip(b"\n"),
        b'{"paragraphs": 3, "name": "no note"}',
        b"[1, 2]",
        notebook("a").replace(b'"outputs": []', b'"outputs": [ ]'),  # in no form that is known here
    ],
)
def test_bytes_without_anything_to_strip_are_not_touched(data: bytes) -> None:
    assert clean(data, notebook_rules.NotebookRules(), "n.ipynb")[0] == data


def test_what_is_hard_to_keep_is_kept() -> None:
    values = {"nan": float("nan"), "inf": float("-inf"), "big": 1 << 80, "half": "\ud83d", "whole": "🚀"}
    text = json.dumps(json.loads(as_file()) | {"metadata": values}, indent=4)  # another program's form: escapes, CRLF
    text = b"\xef\xbb\xbf" + text.encode().replace(b"\n", b"\r\n")
    found, _ = clean(text, notebook_rules.NotebookRules(), "n.ipynb")
    assert found.startswith(b'\xef\xbb\xbf{\r\n    "cells": [')
    assert found.endswith(b"}")
    assert rb'"\ud83d\ude80"' in found
    assert rb'"\ud83d"' in found
    found, _ = clean(text, notebook_rules.NotebookRules(), "n.ipynb", AS_JUPYTER)
    assert found.startswith(b'{\n "cells": [')
    assert b"\r" not in found
    assert found.endswith(b"}\n")
    assert "🚀".encode() in found
    assert rb'"\ud83d"' in found
    metadata = json.loads(found.removeprefix(b"\xef\xbb\xbf"))["metadata"]
    assert (str(metadata["nan"]), metadata["inf"], metadata["big"]) == ("nan", float("-inf"), 1 << 80)


def test_keys_that_come_twice() -> None:
    data = (
        as_file()
        .replace(b'"metadata": {}\n', b'"metadata": {"a": 1, "a": 2}\n')
        .replace(b'"nbformat":', b'"twice": 1,\n "twice": 2,\n "nbformat":')
    )
    assert data.count(b'"twice"') == 2
    found, _ = clean(data, notebook_rules.NotebookRules(), "n.ipynb")
    assert found.count(b'"twice"') == 2
    assert outputs(found) == 0
    hidden = as_file().replace(b'"outputs":', b'"outputs": [],\n   "outputs":')
    found, _ = clean(hidden, notebook_rules.NotebookRules(), "n.ipynb")
    assert b"said" not in found


@pytest.mark.parametrize(
    "data", [b"{", b"\xff", b"<<<<<<< ours\n{}", b"[" * 100_000, b'{"a": 1e999}', b'{"a": ' + b"9" * 9999 + b"}"]
)
def test_what_is_no_json_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(FormatError, match="not JSON"):
        clean(data, notebook_rules.NotebookRules(), "n.ipynb")
    assert text(data)


# -- outputs that are kept


def test_each_cell_gets_its_own(kept: KeptOutputs) -> None:
    ran = notebook(cell("a", "one-abcdef", outputs=[SAID]), cell("b", "two-abcdef", outputs=[IMAGE]))
    stripped = _round(kept, ran)
    assert kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb") == ran
    changed = stripped.replace(b'"b"', b'"B"')
    found = kept.attach(changed, notebook_rules.NotebookRules(), "n.ipynb")
    assert [one["outputs"] for one in json.loads(found)["cells"]] == [[SAID], []]
    assert kept.attach(stripped, notebook_rules.NotebookRules(), "copy.ipynb") == stripped  # same ids, another notebook
    assert kept.attach(stripped, configured('skip = ["n.ipynb"]'), "n.ipynb") == stripped


def test_kept_outputs_of_another_format_are_not_put_in(kept: KeptOutputs, tmp_path: Path) -> None:
    """The same source in nbformat 3 and 4, and a kept file of an earlier release that tells them not apart."""
    old = {"cell_type": "code", "collapsed": False, "input": ["a"], "language": "python", "metadata": {}}
    said = {"output_type": "pyout", "prompt_number": 3, "metadata": {}, "text": ["3"]}
    sheet = {"cells": [{**old, "outputs": [said], "prompt_number": 3}], "metadata": {}}
    three = dump({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [sheet]})
    stripped = _round(kept, three)
    assert kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb") == three
    bare = notebook(cell("a"))
    assert kept.attach(bare, notebook_rules.NotebookRules(), "n.ipynb") == bare
    four = _round(kept, notebook(cell("a", outputs=[SAID])))
    assert outputs(kept.attach(four, notebook_rules.NotebookRules(), "n.ipynb")) == 1
    assert kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb") == three
    (path,) = (tmp_path / "outputs").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:32] + zlib.compress(zlib.decompress(whole[32:]).replace(b'"stream"', b'"pyout"')))
    assert kept.attach(four, notebook_rules.NotebookRules(), "n.ipynb") == four


def test_cells_that_were_left_out_come_back_valid_after_an_upgrade(kept: KeptOutputs) -> None:
    lines = configured('drop_tags = ["scratch"]')
    scratch = [cell("s", tags=["scratch"]), cell("a", outputs=[SAID])]
    stripped, taken = clean(notebook(*scratch), lines, "n.ipynb")
    kept.keep("n.ipynb", taken)
    upgraded = json.loads(stripped) | {"nbformat_minor": 5}
    upgraded["cells"][0]["id"] = "two-abcdef"
    found = kept.attach(dump(upgraded), lines, "n.ipynb")
    assert sources(found) == ["s", "a"]
    validate(found)


def test_what_was_cleared_stays_clear_unless_all_was(kept: KeptOutputs) -> None:
    one, two = cell("a", "one-abcdef", outputs=[SAID]), cell("b", "two-abcdef", outputs=[IMAGE])
    cleared = cell("b", "two-abcdef")
    stripped = _round(kept, notebook(one, two))
    _round(kept, notebook(one, cleared))
    assert [
        one["outputs"] for one in json.loads(kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb"))["cells"]
    ] == [
        [SAID],
        [],
    ]
    _round(kept, stripped)  # as a client leaves it that knows no filter
    assert outputs(kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb")) == 1


def test_only_what_the_filter_would_take_out_again_is_put_in(kept: KeptOutputs) -> None:
    ran = notebook(cell("a", "one-abcdef", outputs=[SAID]))
    stripped = _round(kept, ran)
    other = stripped.replace(b'"cells": [', b'"cells":  [')  # no form that is known here
    assert kept.attach(other, notebook_rules.NotebookRules(), "n.ipynb") == other
    assert kept.attach(b"no json", notebook_rules.NotebookRules(), "n.ipynb") == b"no json"


def test_damaged_files_are_as_good_as_none(kept: KeptOutputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelvc.notebook.kept_outputs._LARGEST", 5_000)
    stripped = _round(kept, notebook(cell("a", "one-abcdef", outputs=[SAID])))
    (path,) = (path for path in (tmp_path / "outputs").rglob("*") if path.is_file())
    whole = path.read_bytes()
    nonsense = [b"[]", b"null", b'{"cells": []}', b"[" * 100_000, b"\xff"]
    nonsense += [b'{"cells": {%s: 3}}' % json.dumps(key).encode() for key in _kept_keys(whole)]
    nonsense += [b'{"cells": {%s: {"metadata": 3}}}' % json.dumps(key).encode() for key in _kept_keys(whole)]
    damaged = [
        whole[:40],
        whole[:32] + b"noise",
        b"",
        whole[:32] + zlib.compress(b" " * 5_000 + zlib.decompress(whole[32:])),
    ]
    for data in (*damaged, *(whole[:32] + zlib.compress(one) for one in nonsense)):
        path.write_bytes(data)
        assert kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb") == stripped
        again = _round(kept, notebook(cell("a", "one-abcdef", outputs=[SAID, SAID])))  # what comes later is kept
        assert outputs(kept.attach(again, notebook_rules.NotebookRules(), "n.ipynb"))


def _kept_keys(whole: bytes) -> list[str]:
    return list(json.loads(zlib.decompress(whole[32:]))["cells"])


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    import os

    small = KeptOutputs(str(tmp_path / "outputs"), 6_000)
    stripped = {}
    for number in range(8):
        noise = {**SAID, "text": [os.urandom(1_000).hex()]}
        path = f"n{number}.ipynb"
        stripped[path] = _round(small, notebook(cell("a", "one-abcdef", outputs=[noise])), path)
        for file in (tmp_path / "outputs").rglob("*"):
            if file.is_file() and file.stat().st_mtime_ns > 10**18:
                os.utime(file, ns=(number, number))
    small.trim()
    left = [outputs(small.attach(data, notebook_rules.NotebookRules(), path)) for path, data in stripped.items()]
    assert left == sorted(left)
    assert 0 < sum(left) < 8
    assert not KeptOutputs(str(tmp_path / "none"), 0).keep(
        "n.ipynb", clean(stripped["n0.ipynb"], notebook_rules.NotebookRules(), "n")[1]
    )
    assert not (tmp_path / "none").exists()


# -- conflicts, and the view of them


def test_a_conflict_that_was_settled_by_hand_leaves_no_trace() -> None:
    marked = cell("<<<<<<< a\nx\n=======\ny\n>>>>>>> b", "one-abcdef")
    conflict.mark(marked, conflict.SOURCE, 1)
    data = notebook(marked)
    assert clean(data, notebook_rules.NotebookRules(), "n")[0] == data
    assert conflict.count(parse(data).notebook) == 1
    marked["source"] = ["x"]
    settled, _ = clean(notebook(marked), notebook_rules.NotebookRules(), "n")
    assert conflict.count(parse(settled).notebook) == 0
    assert json.loads(settled)["cells"][0]["metadata"] == {}
    ours = cell("mine", "two-abcdef", mvc={"own": 1})
    conflict.mark(ours, conflict.OURS, 2)
    fences = [conflict.fence(kind, 2, "main") | {"id": f"fence-{kind}"} for kind in ("begin", "middle", "end")]
    both = notebook(fences[0], ours, *fences[1:])
    assert conflict.count(parse(both).notebook) == 1
    alone = left(notebook(ours))
    assert alone["cells"][0]["metadata"] == {"mvc": {"own": 1}}


def test_sides_of_a_conflict() -> None:
    both = "a\n<<<<<<< x\nours\n||||||| base\nold\n=======\ntheirs\n>>>>>>> y\nz"
    assert conflict.sides_of(both, "ours") == "a\nours\nz"
    assert conflict.sides_of(both, "theirs") == "a\ntheirs\nz"
    assert conflict.sides_of(both, "union") == "a\nours\ntheirs\nz"
    assert conflict.sides_of("title\n=======\n", "ours") == "title\n=======\n"


def test_only_one_conflict_is_settled() -> None:
    cells = []
    for number in (1, 2):
        one = cell(f"<<<<<<< a\nx{number}\n=======\ny\n>>>>>>> b", f"cell-{number}abc")
        conflict.mark(one, conflict.SOURCE, number)
        cells.append(one)
    document = parse(notebook(*cells))
    assert conflict.resolve(document.notebook, "theirs", cell="cell-2abc") == 1
    assert conflict.count(document.notebook) == 1
    assert sources(document.encode())[1] == "y"


def test_the_view_names_cells_and_is_harmless() -> None:
    long = "x = '" + "A" * 2_000 + "'"
    data = notebook(
        cell("print(1)\x1b]0;owned\x07", "one-abcdef", tags=["slow"], outputs=[IMAGE, SAID]),
        cell(long, "two-abcdef"),
        cell("# Title", "three-ab", kind="markdown"),
        kernelspec={"name": "python3", "display_name": "P"},
    )
    shown = text(data)
    assert shown.startswith("%notebook format 4.5 kernel python3\n")
    assert "%% [code] one-abcdef slow\n%metadata " in shown
    assert "\nprint(1)\\x1b]0;owned\\x07\n" in shown
    assert "%% [markdown] three-ab\n# Title\n" in shown
    assert "%output display_data image/png\n<Figure>" in shown
    assert "aGk=" not in shown
    assert "A" * 200 not in shown
    assert shown != text(data.replace(b"AAA'", b"AAB'"))  # a long line shows that it changed


# -- shapes that are slightly off


FLAWS: dict[str, dict[str, Any]] = {
    "metadata is null": {"metadata": None},
    "metadata is a list": {"metadata": []},
    "the format is a string": {"nbformat": "4"},
    "the format is 4.0": {"nbformat": 4.0},
    "there is no format": {"nbformat": None},
}


@pytest.mark.parametrize("flaw", [*FLAWS, "a cell is null", "metadata of a cell is null", "a cell is a number"])
def test_a_notebook_with_a_flaw_is_stripped_and_gets_its_outputs_back(flaw: str, kept: KeptOutputs) -> None:
    ran: dict[str, Any] = json.loads(as_file()) | FLAWS.get(flaw, {})
    if flaw == "there is no format":
        del ran["nbformat"]
    if flaw == "a cell is null":
        ran["cells"].insert(0, None)
    if flaw == "a cell is a number":
        ran["cells"].append(3)
    if flaw == "metadata of a cell is null":
        ran["cells"][0]["metadata"] = None
    plain = json.loads(dump(ran))
    one = next(one for one in plain["cells"] if isinstance(one, dict))
    one |= {"outputs": [], "execution_count": None}
    stripped = _round(kept, dump(ran))
    assert stripped == dump(plain)
    assert kept.attach(stripped, notebook_rules.NotebookRules(), "n.ipynb") == dump(ran)
    assert clean(dump(ran), configured('drop_tags = ["x"]'), "n.ipynb")[0] == stripped
    assert clean(dump(ran), notebook_rules.NotebookRules(), "note.json")[0] == dump(ran)  # anybody's


@pytest.mark.parametrize("value", [[{"outputs": [1]}], {"cells": {"outputs": 1}}, {"cells": 3, "outputs": []}])
def test_outputs_that_nothing_can_strip_are_noticed(value: Any) -> None:
    data = dump(value)
    left, taken = clean(data, notebook_rules.NotebookRules(), "n.ipynb")
    assert (left, taken.unread) == (data, True)
    assert not clean(data, notebook_rules.NotebookRules(), "note.json")[1].unread
    assert not clean(as_file(), notebook_rules.NotebookRules(), "n.ipynb")[1].unread

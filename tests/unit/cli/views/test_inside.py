from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.cli.context import CONTEXT
from modelvc.cli.views.inside import print_inside
from modelvc.modelfiles.difference import (
    Difference,
    FieldChange,
    Identity,
    Numbers,
    TensorChange,
    TensorChanges,
    ValueChange,
)
from modelvc.ops.history.diff import MetricChange, ModelChange

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = Identity("safetensors", "torch", "2.1", "a.b.Net", complete=True)
MODEL = ModelChange("m.bin", "changed", None, None, 1, 2, None, (), ())


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    def printed(found: Difference, model: ModelChange = MODEL, *, deep: bool = False) -> list[str]:
        print_inside(model, found, deep)
        return capsys.readouterr().out.splitlines()[1:]

    return printed


def changed(name: str, numbers: Numbers | None = None) -> TensorChange:
    return TensorChange(name, "changed", None, "float32", (3,), "float32", (3,), numbers)


def test_titles(lines: Callable[..., list[str]]) -> None:
    assert lines(Difference(ONE, ONE))[0] == "m.bin   torch Net   2.1"
    other = replace(ONE, framework="", version="", class_name="")
    assert lines(Difference(other, ONE))[0] == "m.bin   safetensors -> torch Net   2.1"


def test_values(lines: Callable[..., list[str]]) -> None:
    found = Difference(
        ONE,
        replace(ONE, format="torch", unreadable="it is cut off"),
        hyper_parameters=(
            ValueChange("depth", 6, 7),
            ValueChange("flag", True, None),
            ValueChange("rate", 0.1, 0.1),
            ValueChange("n_jobs", 4, 4),
            ValueChange("random_state", 4, 4),
            ValueChange("learning_rate", 0.5, 0.5),
            ValueChange("gamma", 0.25, 0.25),
        ),
        figures=(
            ValueChange("nodes", 1000, 1243),
            ValueChange("opset", 9, 10),
            ValueChange("tiny", 0.12345678, 0.12345679),
        ),
        inputs=(FieldChange("x", "float32 [?]", ""),),
        imports=3,
        imports_new=("os.system",),
        imports_gone=tuple(f"m.n{at}" for at in range(7)),
        code=("holds TorchScript",),
        same_content=True,
    )
    assert lines(found)[1:] == [
        "  format          safetensors -> torch",
        "  depth           6 -> 7",
        "  flag            true (gone)",
        "  learning_rate   0.5 (unchanged)",
        "  rate            0.1 (unchanged)",
        "  nodes           1,000 -> 1,243 (+24 %)",
        "  opset           9 -> 10",
        "  tiny            0.12345678 -> 0.12345679",
        "  input x         float32 [?] (gone)",
        "  imports         3: 1 new, 7 gone",
        "  new import      os.system",
        *(f"  gone import     m.n{at}" for at in range(5)),
        "                  and 2 more (--json lists all)",
        "  code            new: holds TorchScript",
        "  not read        the new version: it is cut off",
        "  content         the same: only what the format writes anew at each save",
        "                  differs",
    ]


def test_of_two_classes_only_what_both_have(lines: Callable[..., list[str]]) -> None:
    values = (ValueChange("a", 1, None), ValueChange("b", None, 2), ValueChange("c", None, 2), ValueChange("d", 1, 2))
    found = Difference(ONE, replace(ONE, class_name="Other"), hyper_parameters=values)
    assert lines(found)[1:] == ["  hyper-parameters   of another class: 1 gone, 2 new", "  d                  1 -> 2"]


def test_measurements_are_in_the_block(lines: Callable[..., list[str]]) -> None:
    model = replace(
        MODEL,
        metrics=(MetricChange("auc", 0.9, 0.95, 0.05, better=True), MetricChange("ms", 5, 6, 1.0, better=False)),
        params=(MetricChange("depth", 6, 7, 1.0), MetricChange("data", None, "b", None)),
    )
    found = Difference(ONE, ONE, hyper_parameters=(ValueChange("depth", 6, 7),))
    assert lines(found, model)[1:] == [
        "  depth   6 -> 7",
        "  auc     0.9 -> 0.95   ↑ better",
        "  ms      5 -> 6   ↑ worse",
        "  data    b (new)",
    ]


def test_tensors_fit_eighty_columns(lines: Callable[..., list[str]]) -> None:
    numbers = Numbers(16_777_215, 16_777_216, 0.0123456, 0.0041, 0.999991)
    name = f"model.layers.10.{'x' * 90}.self_attn.q_proj.weight"
    rows = tuple(changed(f"{at}{name}", numbers) for at in range(12))
    odd = changed("odd", Numbers(1, 9, None, None, None, by_bytes=True, remarks=("1 became NaN",)))
    found = Difference(ONE, ONE, tensors=TensorChanges(20, 7, (odd, *rows)))
    printed = lines(found)
    assert printed[1] == "  tensors   20: 13 changed, 7 same"
    assert max(map(len, printed)) <= 80
    assert printed[3].split() == ["odd", "1", "of", "9", "bytes", "-", "-", "-"]
    assert printed[4].endswith("weight  16,777,215 of 16,777,216   0.0123     0.0041  0.999991")
    assert printed[-2:] == ["  odd: 1 became NaN", "  and 3 more that changed (--deep shows all)"]
    assert len(lines(found, deep=True)) == 4 + 12 + 1


def test_tensors_without_numbers(lines: Callable[..., list[str]]) -> None:
    added = tuple(TensorChange(f"t{at}", "added", None, "", None, "int8", (1,)) for at in range(12))
    renamed = TensorChange("new", "renamed", "old", "int8", (1,), "int8", (1,))
    found = Difference(ONE, ONE, tensors=TensorChanges(14, 0, (changed("a"), renamed, *added), unread="no numpy"))
    assert lines(found)[1:] == [
        "  tensors   14: 1 changed, 1 renamed, 12 added, 0 same",
        "  not compared: no numpy",
        "  changed  a  float32 [3]",
        "  renamed  old -> new",
        *(f"  added  t{at}  int8 [1]" for at in range(10)),
        "  and 2 more added (--deep lists all)",
    ]
    trees = replace(found, new=replace(ONE, format="pickle"), tensors=TensorChanges(99, 98, (changed("a"),)))
    assert lines(trees)[-1] == "  tensors   99: 1 changed, 98 same"


def test_only_the_name_of_a_step_is_cut_and_only_without_room(lines: Callable[..., list[str]]) -> None:
    names = ("randomforestclassifier__n_estimators", "randomforestclassifier__max_depth")
    found = Difference(ONE, ONE, hyper_parameters=tuple(ValueChange(name, 8, 12) for name in names))
    assert [line.split()[0] for line in lines(found)[1:]] == list(names)
    text = ValueChange("randomforestclassifier__criterion", "g" * 28, "h" * 28)
    printed = lines(replace(found, hyper_parameters=(*found.hyper_parameters, text)))[1:]
    assert [line[2:32].rstrip() for line in printed[:3]] == [
        "randomforestcla…__n_estimators",
        "randomforestclassif…__max_depth"[:18] + "…__max_depth",
        "randomforestclassi…__criterion",
    ]
    assert max(map(len, printed)) <= 80
    assert " ".join(printed[2][32:].split() + printed[3].split()) == f"{'g' * 28} -> {'h' * 28}"


def test_markdown_has_a_list_below_the_table(lines: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONTEXT, "form", "md")
    rows = (TensorChange("a[0]", "added", None, "", None, "int8", (1,)),)
    printed = lines(Difference(ONE, ONE, tensors=TensorChanges(1, 0, rows), note="the pointers say it"))
    assert printed[-4:] == ["", "- added  a\\[0\\]  int8 \\[1\\]", "", "- the pointers say it"]
    assert not any(line.startswith(" ") for line in printed)

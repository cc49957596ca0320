from __future__ import annotations

from modelvc.cli.views.show_inside import Fit, Line, fitted, lines
from modelvc.ops.history.inside import Inside, ShownImport, ShownTensor

NODES = tuple(ShownTensor(f"estimators_.{at}.tree_.nodes", "structured", (53,), "") for at in range(40))


def shown(found: Inside, *, everything: bool = False, width: int = 80) -> list[str]:
    return fitted(lines(found, everything=everything, width=width), width)


def test_a_forest_shows_the_number_of_its_arrays() -> None:
    forest = Inside("bytes", format="pickle", framework="scikit-learn", tensors=NODES)
    assert shown(forest)[1:] == ["tensors  40 (--all lists them)"]
    assert len(shown(forest, everything=True)) == 1 + 40
    few = Inside("bytes", format="pickle", framework="scikit-learn", tensors=NODES[:12])
    assert len(shown(few)) == 1 + 10 + 1
    weights = Inside("bytes", format="safetensors", tensors=NODES)
    assert shown(weights)[-1].endswith("and 30 more (--all)")


def test_the_hyper_parameters_of_the_model_itself_come_first() -> None:
    values = {f"model__p{at}": at for at in range(30)} | {"verbose": False, "max_depth": 4, "model__C": 1.0}
    found = shown(Inside("bytes", format="pickle", hyper_parameters=dict(values)))
    assert [line.split()[-3] for line in found[1:5]] == ["max_depth", "verbose", "model__C", "model__p0"]
    assert len(found) == 1 + 15 + 1
    assert found[-1].endswith("and 18 more (--all)")
    everything = shown(Inside("bytes", format="pickle", hyper_parameters=dict(values)), everything=True)
    assert [line.split()[-3] for line in everything[1:]] == list(values)


def test_values_fit_the_terminal() -> None:
    found = Inside(
        "bytes",
        format="huggingface",
        hyper_parameters={"steps": "x" * 100},
        tensors=tuple(ShownTensor(f"layer.{at}.query.weight", "float32", (48, 48), "m" * 30) for at in range(3)),
        imports=(ShownImport("sklearn.compose._column_transformer.ColumnTransformer" * 2, "created"),),
        notes=("word " * 30,),
    )
    printed = shown(found)
    assert max(map(len, printed)) <= 80
    assert not any("mmm" in line for line in printed)
    assert any(line.endswith("x…") for line in printed)
    assert any(line.startswith("imports") and "…" in line and line.endswith("(created)") for line in printed)
    for unlimited in (shown(found, width=0), shown(found, width=0, everything=True)):
        assert not any("…" in line for line in unlimited)
        assert any("mmm" in line for line in unlimited)
    assert not any("…" in line for line in shown(found, everything=True))


def test_neither_a_word_nor_a_command_is_broken() -> None:
    found = [
        Line("digest", "d" * 90),
        Line("environment", f"{'word, ' * 10}(mvc env show)"),
        Line("a", "b" * 90, Fit.END),
    ]
    printed = fitted(found, 80)
    assert printed[0].endswith("d" * 90)
    assert printed[2].split() == ["(mvc", "env", "show)"]
    assert len(printed[-1]) == 80


def test_what_is_inside_reads_as_words() -> None:
    assert shown(Inside("bytes", format="pickle")) == ["inside  a model in the format pickle"]
    assert shown(Inside("bytes", format="unknown")) == ["inside  no format that mvc reads"]
    assert shown(Inside("bytes", format="onnx", framework="onnx", version="1"))[0] == "inside  onnx 1 (onnx)"

from __future__ import annotations

from dataclasses import replace

from modelvc.modelfiles.difference import FieldChange, ValueChange, difference, shape_of
from modelvc.modelfiles.facts import Field, Finding, Import, ModelFacts, Severity, Tensor, Use

FOREST = ModelFacts(
    "pickle",
    framework="scikit-learn",
    version="1.8.0",
    class_name="RandomForestClassifier",
    hyper_parameters=(("max_depth", 6), ("n_estimators", 50), ("gone", "x")),
    figures=(("nodes", 2514),),
    inputs=(Field("x", "float32", (-1, 10)), Field("same")),
    outputs=(Field("y", "int64", (-1,)),),
    parameters=12,
    imports=(Import("a.b", Use.CONSTRUCTED), Import("c.d", Use.REFERRED)),
    content="aa",
)
NEW = replace(
    FOREST,
    version="1.9.1",
    hyper_parameters=(("max_depth", 7), ("n_estimators", 50), ("come", True)),
    figures=(("nodes", 3116),),
    inputs=(Field("x", "float64", (-1, 11)), Field("same")),
    outputs=(),
    imports=(Import("a.b", Use.CONSTRUCTED), Import("e.f", Use.REFERRED)),
    findings=(Finding(Severity.CODE, "holds TorchScript"),),
    content="bb",
)


def test_all_that_changed():
    found = difference(FOREST, NEW)
    assert (found.old.version, found.new.version, found.new.complete) == ("1.8.0", "1.9.1", True)
    assert found.hyper_parameters == (
        ValueChange("max_depth", 6, 7),
        ValueChange("n_estimators", 50, 50),
        ValueChange("gone", "x", None),
        ValueChange("come", None, True),
    )
    assert [one.changed for one in found.hyper_parameters] == [True, False, True, True]
    assert found.figures == (ValueChange("nodes", 2514, 3116), ValueChange("parameters", 12, 12))
    assert found.inputs == (FieldChange("x", "float32 [?, 10]", "float64 [?, 11]"),)
    assert found.outputs == (FieldChange("y", "int64 [?]", ""),)
    assert (found.imports, found.imports_new, found.imports_gone) == (2, ("e.f",), ("c.d",))
    assert found.code == ("holds TorchScript",)
    assert not found.same_content


def test_the_pointers_part_compares_only_what_a_pointer_holds():
    found = difference(replace(FOREST, hyper_parameters=(), figures=(), inputs=()), NEW, complete=(False, True))
    assert (found.hyper_parameters, found.inputs) == ((), ())
    assert found.figures == (ValueChange("parameters", 12, 12),)
    assert not found.old.complete
    of_pointer = replace(FOREST, figures=(("tensors", 3),))
    found = difference(of_pointer, replace(NEW, tensors=(Tensor("a", "int8", (1,)),) * 4), complete=(False, True))
    assert found.figures == (ValueChange("parameters", 12, 12), ValueChange("tensors", 3, 4))


def test_equal_content_in_other_bytes():
    assert difference(FOREST, replace(FOREST)).same_content
    assert not difference(FOREST, replace(FOREST, format="joblib")).same_content
    nothing = ModelFacts("safetensors")
    found = difference(nothing, nothing)
    assert not found.same_content  # "": the bytes are the content, and they differ
    assert found.imports is None


def test_values_of_two_kinds_differ():
    assert ValueChange("x", 1, True).changed
    assert ValueChange("x", 1, 1.0).changed
    assert not ValueChange("x", float("nan"), float("nan")).changed


def test_shapes():
    assert [shape_of(one) for one in ((), (3,), (-1, 4_096))] == ["", "[3]", "[?, 4,096]"]

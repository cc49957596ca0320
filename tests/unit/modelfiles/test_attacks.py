"""No hostile file is taken for inert or listed (tests/fixtures/attacks). None is ever loaded."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelvc.modelfiles.facts import Severity, Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.name_list import shipped
from modelvc.modelfiles.source import of_bytes
from modelvc.modelfiles.verdict import Kind, judge
from tests.fixtures.attacks.make import attacks

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import ModelFacts
    from tests.fixtures.attacks.make import Attack

WORST = ("known-bad", "unreadable", "code", "unlisted", "unknown", "listed", "inert")
# What a generous list would hold, so that a trick with listed names shows.
CONSTRUCTED = {
    "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.getattr", "builtins.type", "builtins.slice",
    "collections.OrderedDict", "copyreg._reconstructor", "copyreg.__newobj__", "_codecs.encode", "functools.partial",
    "operator.methodcaller", "operator.attrgetter", "numpy.dtype", "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar", "joblib.numpy_pickle.NumpyArrayWrapper", "joblib.numpy_pickle.NDArrayWrapper",
    "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.utils._bunch.Bunch", "torch._utils._rebuild_tensor_v2",
}  # fmt: skip
REFERRED = {
    "builtins.object", "numpy.ndarray", "numpy.matrix", "torch.FloatStorage", "sklearn.metrics._regression.r2_score",
    "sys.modules", "sys.path", "sklearn.x", "sklearn.utils", "sklearn.metrics._scorer._SCORERS", "sklearn.utils.os",
}  # fmt: skip
ATTACKS = {one.name: one for one in attacks()}


def outcome(found: ModelFacts) -> str:
    """The verdict on FOUND with the list above."""
    severities = {one.severity for one in found.findings}
    if Severity.KNOWN_BAD in severities:
        return "known-bad"
    if found.unreadable:
        return "unreadable"
    if Severity.CODE in severities:
        return "code"
    listed = {one.name in CONSTRUCTED or (one.use is Use.REFERRED and one.name in REFERRED) for one in found.imports}
    if False in listed:
        return "unlisted"
    return "unknown" if found.format == "unknown" else "listed" if listed else "inert"


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(ATTACKS) == len(attacks()) >= 110
    assert all(one.trick and one.outcome in WORST[:4] for one in attacks())


@pytest.mark.parametrize("attack", attacks(), ids=lambda one: one.name)
def test_no_attack_passes(attack: Attack) -> None:
    found = inspect(of_bytes(attack.data))
    assert WORST.index(outcome(found)) <= WORST.index(attack.outcome), found


def test_no_attack_passes_the_list_in_force() -> None:
    verdicts = {one.name: judge(inspect(of_bytes(one.data)), shipped()).kind for one in attacks()}
    assert [name for name, kind in verdicts.items() if kind in {Kind.INERT, Kind.LISTED, Kind.UNKNOWN}] == []


def test_a_model_of_the_same_parts_is_listed() -> None:
    """The tricks fail for what they do, not for the pieces of which they are made."""
    from tests.fixtures.attacks.building import joblib, new, pickled, storage, torch_zip

    for data in (
        joblib(),
        pickled(new("sklearn.tree._classes.DecisionTreeClassifier"), b"}b"),
        torch_zip(pickled(storage())),
    ):
        assert outcome(inspect(of_bytes(data))) == "listed"
    assert outcome(inspect(of_bytes(pickled(b"N")))) == "inert"


def test_no_module_of_the_attacks_loads_anything() -> None:
    for path in (Path(__file__).parents[2] / "fixtures" / "attacks").glob("*.py"):
        called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert called.isdisjoint({"load", "loads", "Unpickler", "system", "Popen"})

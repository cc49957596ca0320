"""The part of the facts that a pointer carries: within its bounds, whatever a reader found."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from modelvc.errors import FormatError, ObjectCorrupt
from modelvc.formats import limits, toml
from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.pointer.pointer import Metrics, Pointer, parse
from modelvc.ids import Oid
from modelvc.modelfiles.facts import Finding, Import, ModelFacts, Severity, Tensor, Use
from modelvc.modelfiles.source import Budget, OutOfTime, Source
from modelvc.models.files.model_status import model_statuses
from modelvc.models.inside import pointer_part
from modelvc.models.inside.pointer_part import SAME, Describer, fitting, same_content, table_of
from modelvc.models.measures.measurements import Measurements
from modelvc.ops.metrics.metrics import metrics_set
from modelvc.ops.tracking.add import add
from modelvc.repo import Repo, open_repo
from tests.support.clone import Clone
from tests.support.reading import using

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OID, OTHER = Oid(bytes(range(32))), Oid(bytes(32))


def test_what_a_reader_found() -> None:
    facts = ModelFacts(
        "pickle",
        framework="scikit-learn",
        version="1.9",
        class_name="a.B",
        parameters=0,
        tensors=(Tensor("w", "float32", (2,)),) * 3,
        imports=(Import("b.C", Use.REFERRED), Import("a.B", Use.CONSTRUCTED)),
        findings=(Finding(Severity.KNOWN_BAD, "calls os.system"), Finding(Severity.CODE, "TorchScript")),
        content=OTHER.hex(),
    )
    assert table_of(facts, OID) == ModelTable(
        OID,
        "pickle",
        "scikit-learn",
        "1.9",
        "a.B",
        0,
        3,
        OTHER,
        ("a.B", "b.C"),
        code=("TorchScript",),
    )


@pytest.mark.parametrize("facts", [ModelFacts("unknown"), ModelFacts("pickle", unreadable="cut off"), ModelFacts("")])
def test_what_is_not_understood_is_not_described(facts: ModelFacts) -> None:
    assert table_of(facts, OID) is None


def test_many_imports_are_counted() -> None:
    names = sorted(f"module{at}.{'x' * 100}" for at in range(90))
    facts = ModelFacts("pickle", imports=tuple(Import(name, Use.REFERRED) for name in names))
    found = table_of(facts, OID)
    assert found is not None
    digest = Oid(blake3("".join(f"{name}\n" for name in names).encode()).digest())
    assert (found.imports, found.import_count, found.import_digest) == ((), 90, digest)


HOSTILE = "\x1b[2J\ud800" + "x" * 300


@pytest.mark.parametrize(
    "facts",
    [
        ModelFacts(HOSTILE, framework=HOSTILE, version=HOSTILE, class_name=HOSTILE),
        ModelFacts("x", imports=(Import(HOSTILE, Use.REFERRED), Import(HOSTILE + "y", Use.REFERRED))),
        ModelFacts("x", imports=(Import("", Use.REFERRED),)),
        ModelFacts("x", findings=tuple(Finding(Severity.CODE, f"{HOSTILE}{at}") for at in range(50))),
        ModelFacts("x", findings=tuple(Finding(Severity.CODE, f"{at}") for at in range(50))),
        ModelFacts("x", parameters=1 << 70),
        ModelFacts("x", parameters=-1),
        ModelFacts("x", content=OID.hex()),
    ],
)
def test_whatever_a_reader_found_a_pointer_can_hold(facts: ModelFacts) -> None:
    pointer = Pointer("file", OID, 1, model=table_of(facts, OID))
    assert pointer.model is not None
    assert parse(pointer.encode()) == pointer


def test_content() -> None:
    one, other = ModelTable(OID, "torch", content=Oid(b"c" * 32)), ModelTable(OTHER, "torch", content=Oid(b"c" * 32))
    assert same_content(one, other)
    assert not same_content(one, one), "the bytes are the same"
    assert not same_content(one, replace(other, content=Oid(b"d" * 32)))
    assert not same_content(one, replace(other, format="onnx"))
    assert not same_content(replace(one, content=None), replace(other, content=None))
    assert not same_content(one, None)


# -- with a reader of files that begin with MODEL; the last byte is what it writes anew at each save


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    clone = Clone.new(tmp_path / "clone", mvc=False)
    (clone.path / ".git/mvc").mkdir()

    def reader(source: Source, budget: Budget) -> ModelFacts:
        data = source.read_at(0, source.size)
        settings = (("depth", 3), ("rate", 0.5), ("of", 1), ("huge", toml.INT_MAX + 1), ("", 1), ("warm", True))
        return ModelFacts("model", content=blake3(data[:-1]).hexdigest(), hyper_parameters=settings)

    using(monkeypatch, reader)
    return open_repo(str(clone.path), {})


def write(repo: Repo, data: bytes) -> None:
    with open(f"{repo.layout.worktree}/m.bin", "wb") as file:
        file.write(data)


def added(repo: Repo, data: bytes, given: Measurements | None = None) -> str:
    write(repo, data)
    (model,) = add(repo, ["m.bin"], **({"given": given} if given else {})).models
    assert model.same_content == (SAME in model.note)
    return model.note


def test_add_and_status_say_that_the_content_is_the_same(repo: Repo) -> None:
    added(repo, b"MODEL one 1")
    write(repo, b"MODEL one 2")
    (row,) = model_statuses(repo)
    assert (row.state, row.detail) == ("modified", SAME)
    assert added(repo, b"MODEL one 2") == SAME
    write(repo, b"MODEL two 2")
    (row,) = model_statuses(repo)
    assert (row.state, row.detail) == ("modified", "")
    assert added(repo, b"MODEL two 2") == ""
    write(repo, b"another")
    assert model_statuses(repo)[0].detail == ""


def test_status_inspects_only_what_may_have_the_same_content(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    added(repo, b"plain 1")
    monkeypatch.setattr(pointer_part, "table_of", None)
    write(repo, b"MODEL one 2")
    assert model_statuses(repo)[0].detail == ""


def test_status_goes_on_if_a_model_cannot_be_inspected(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    added(repo, b"MODEL one 1")
    write(repo, b"MODEL one 2")
    using(monkeypatch, raising(OutOfTime("slow")))
    assert model_statuses(repo)[0].detail == ""
    using(monkeypatch, raising(ObjectCorrupt("x", "y")))
    assert model_statuses(repo)[0].detail == ""


def raising(error: Exception) -> Callable[[Source, Budget], ModelFacts]:
    def reader(source: Source, budget: Budget) -> ModelFacts:
        raise error

    return reader


def test_a_long_inspection_is_left_out(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    using(monkeypatch, raising(OutOfTime("slow")))
    assert "mvc show --inspect" in added(repo, b"MODEL one 1")
    assert repo.pointer(repo.path("m.bin")).model is None


@pytest.mark.parametrize("error", [ObjectCorrupt("x", "y"), ZeroDivisionError(), MemoryError()])
def test_a_model_is_added_whatever_its_inspection_does(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    using(monkeypatch, raising(error))
    assert added(repo, b"MODEL one 1") in {"", f"unreadable: its reader failed ({type(error).__name__})"}
    assert repo.pointer(repo.path("m.bin")).model is None


def test_add_inspects_a_model_once_also_if_it_is_unreadable(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts of an unreadable model are not kept, so each look would read it again."""
    looks = []

    def reader(source: Source, budget: Budget) -> ModelFacts:
        looks.append(source.size)
        return ModelFacts("pickle", imports=(Import("numpy.ndarray", Use.REFERRED),), unreadable="it ends too early")

    using(monkeypatch, reader)
    assert "unreadable: it ends too early" in added(repo, b"MODEL one 1")
    assert looks == [11]


def test_all_inspections_of_a_command_have_a_limit(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = []

    def reader(source: Source, budget: Budget) -> ModelFacts:
        allowed.append(budget._deadline - time.monotonic())
        raise OutOfTime("slow")

    added(repo, b"MODEL one 1")
    pointer = replace(repo.pointer(repo.path("m.bin")), oid=Oid(blake3(b"MODEL two 1").digest()))
    added(repo, b"MODEL two 1")
    monkeypatch.setattr(pointer_part, "_ALL", 0.5)
    using(monkeypatch, reader)
    describer = Describer(repo)
    shutil.rmtree(f"{repo.layout.mvc_dir}/facts")
    describer.describe("m.bin", pointer)
    assert 0 < allowed[0] <= 0.5
    describer._left = -1.0
    describer.describe("m.bin", pointer)
    assert allowed[1] <= 0


def test_metrics_come_first_where_a_pointer_is_full(repo: Repo) -> None:
    many = tuple((f"metric.{n:090}", n) for n in range(550))
    names = tuple(Import(f"m.{at:0180}", Use.REFERRED) for at in range(40))
    pointer = Pointer("file", OID, 1, metrics=Metrics(OID, many))
    model = table_of(ModelFacts("x", imports=names), OID)
    assert model is not None
    described = replace(pointer, model=model)
    assert len(pointer.encode()) < limits.POINTER
    with pytest.raises(FormatError):
        described.encode()
    assert fitting(described) == pointer
    assert fitting(replace(described, metrics=None)).model == model
    added(repo, b"MODEL one 1")
    path = repo.path("m.bin")
    before = repo.pointer(path)
    repo.write_pointer(path, replace(before, model=replace(model, of=before.oid)))
    metrics_set(repo, "m.bin", Measurements(pairs=many))
    assert repo.pointer(path) == replace(before, metrics=Metrics(before.oid, many), model=None)


# -- hyper-parameters


def test_hyper_parameters_become_parameters(repo: Repo) -> None:
    """Those that a pointer cannot hold are left out."""
    added(repo, b"MODEL one 1", Measurements(params="auto"))
    expected = (("depth", 3), ("rate", 0.5), ("warm", True))
    assert repo.pointer(repo.path("m.bin")).params == expected
    assert added(repo, b"MODEL two 1", Measurements(params="auto")) == ""
    metrics_set(repo, "m.bin", Measurements(params="auto"))
    assert repo.pointer(repo.path("m.bin")).params == expected


def test_a_model_without_hyper_parameters(repo: Repo) -> None:
    assert "no hyper-parameters" in added(repo, b"plain", Measurements(params="auto"))
    assert repo.pointer(repo.path("m.bin")).params == ()

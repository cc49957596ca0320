"""What is inside a version, as `mvc show` says it: from its bytes, or from its pointer where they are not here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, shown
from modelvc.models.inside.pointer_part import SECONDS

if TYPE_CHECKING:
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.model_table import ModelTable
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.facts import Field, ModelFacts
    from modelvc.repo import Repo

PATIENT = 3600.0  # seconds, where a person asked for the inspection
BYTES, POINTER, NOWHERE = "bytes", "pointer", ""


@dataclass(frozen=True, slots=True)
class ShownField:
    """An input or output. A length of -1 may vary."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShownTensor:
    """A tensor. `member`: the file of a folder that holds it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    member: str


@dataclass(frozen=True, slots=True)
class ShownImport:
    """A name that loading the model imports. `use`: "constructed", "referred", or "" if the pointer alone says it."""

    name: str
    use: str


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """What an inspection found. `severity`: "code" or "known-bad"."""

    severity: str
    what: str


@dataclass(frozen=True, slots=True)
class Inside:
    """What is inside a version. `known_from`: "bytes", "pointer", or "" if nothing is known; `why`: why not the bytes.

    `tensors`: the largest first; a pointer says their number alone. `unreadable`: why the bytes could not be read to
    their end.
    """

    known_from: str
    why: str = ""
    format: str = ""
    framework: str = ""
    version: str = ""
    class_name: str = ""
    hyper_parameters: dict[str, MetricValue] = field(default_factory=dict)
    figures: dict[str, MetricValue] = field(default_factory=dict)
    inputs: tuple[ShownField, ...] = ()
    outputs: tuple[ShownField, ...] = ()
    parameters: int | None = None
    tensor_count: int | None = None
    tensors: tuple[ShownTensor, ...] = ()
    import_count: int | None = None
    imports: tuple[ShownImport, ...] = ()
    findings: tuple[ShownFinding, ...] = ()
    notes: tuple[str, ...] = ()
    content: str = ""
    unreadable: str = ""


def inside(repo: Repo, path: str, pointer: Pointer, *, inspect: bool) -> Inside:
    """Return what is inside POINTER's version of the model PATH.

    Bytes that were never inspected are inspected for SECONDS at most, or as long as it takes if INSPECT.
    """
    from modelvc.modelfiles.source import OutOfTime
    from modelvc.models.inside.facts import inspected

    try:
        facts = inspected(repo, pointer, path=path, seconds=PATIENT if inspect else SECONDS)
    except OutOfTime:
        return _from_pointer(pointer.model, f"not inspected within {SECONDS:g} s: mvc show --inspect {shown(path)}")
    except ModelvcError as error:
        return _from_pointer(pointer.model, f"not inspected: {error}")
    if facts is not None:
        return _from_facts(facts, str(pointer.oid))
    here = repo.store.has_root(pointer.kind, pointer.oid)
    return _from_pointer(pointer.model, "" if here else f"its bytes are not in this clone: mvc fetch {shown(path)}")


def _from_pointer(table: ModelTable | None, why: str) -> Inside:
    if table is None:
        return Inside(NOWHERE, why)
    return Inside(
        POINTER,
        why,
        format=table.format,
        framework=table.framework,
        version=table.version,
        class_name=table.class_name,
        parameters=table.parameters,
        tensor_count=table.tensors,
        import_count=len(table.imports) if table.import_count is None else table.import_count,
        imports=tuple(ShownImport(name, "") for name in table.imports),
        findings=tuple(ShownFinding("code", what) for what in table.code),
        content=str(table.content or table.of),
    )


def _from_facts(facts: ModelFacts, oid: str) -> Inside:
    largest = sorted(facts.tensors, key=lambda one: (-max(one.end - one.start, one.elements), one.name))
    return Inside(
        BYTES,
        format=facts.format,
        framework=facts.framework,
        version=facts.version,
        class_name=facts.class_name,
        hyper_parameters=dict(facts.hyper_parameters),
        figures=dict(facts.figures),
        inputs=tuple(map(_field, facts.inputs)),
        outputs=tuple(map(_field, facts.outputs)),
        parameters=facts.parameters,
        tensor_count=len(facts.tensors),
        tensors=tuple(ShownTensor(one.name, one.dtype, one.shape, one.member) for one in largest),
        import_count=len(facts.imports),
        imports=tuple(ShownImport(one.name, one.use.value) for one in facts.imports),
        findings=tuple(ShownFinding(one.severity.value, one.what) for one in facts.findings),
        notes=facts.notes,
        content=f"blake3:{facts.content}" if facts.content else oid,
        unreadable=facts.unreadable,
    )


def _field(one: Field) -> ShownField:
    return ShownField(one.name, one.dtype, one.shape)

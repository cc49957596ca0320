"""What changed between the facts of two versions of a model. Pure; the numbers of tensors are in `tensor_changes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.modelfiles.facts import Field, ModelFacts, Pairs


@dataclass(frozen=True, slots=True)
class Identity:
    """What one version is. Absent facts are "". `complete`: read from its bytes; else from its pointer alone."""

    format: str
    framework: str
    version: str
    class_name: str
    complete: bool
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A hyper-parameter or a figure, changed or not; null if a side does not have it."""

    name: str
    old: int | float | bool | str | None
    new: int | float | bool | str | None

    @property
    def changed(self) -> bool:
        """Whether both sides differ. 1 and true differ, NaN and NaN do not."""
        return repr(self.old) != repr(self.new)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """An input or output that changed. `old`, `new`: type and shape, such as `float32 [?, 10]`; "" if absent."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of a tensor changed: `changed` of `total` differ.

    `largest`: the largest difference. `relative_norm`: the length of the difference by that of the old tensor.
    `cosine`: of the angle between both. Each is null if it cannot be computed: `remarks` say why. `by_bytes`: the type
    packs several numbers into a block, so bytes are counted.
    """

    changed: int
    total: int
    largest: float | None
    relative_norm: float | None
    cosine: float | None
    by_bytes: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorChange:
    """One tensor. `change`: "added", "removed", "renamed" (from `was`), "reshaped" (or of another type) or "changed".

    `numbers`: null if they were not compared.
    """

    name: str
    change: str
    was: str | None
    old_dtype: str
    old_shape: tuple[int, ...] | None
    new_dtype: str
    new_shape: tuple[int, ...] | None
    numbers: Numbers | None = None


@dataclass(frozen=True, slots=True)
class TensorChanges:
    """The tensors of both versions that changed; those whose numbers were compared come first, most changed first.

    `count`: tensors of the new version; `same`: tensors with equal name and content; `unread`: why the content of some
    could not be compared.
    """

    count: int
    same: int
    rows: tuple[TensorChange, ...]
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """From `old` to `new`. `hyper_parameters`, `figures`: all, in the order of their files, those of the old one first.

    `imports`: the number of names that loading the new version imports, null if unknown; `imports_new` and
    `imports_gone`: names. `code`: programs that the new version holds and the old one does not. `same_content`: the
    bytes differ only in what the format writes anew at each save.
    """

    old: Identity
    new: Identity
    hyper_parameters: tuple[ValueChange, ...] = ()
    figures: tuple[ValueChange, ...] = ()
    inputs: tuple[FieldChange, ...] = ()
    outputs: tuple[FieldChange, ...] = ()
    imports: int | None = None
    imports_new: tuple[str, ...] = ()
    imports_gone: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    same_content: bool = False
    tensors: TensorChanges | None = None
    note: str = ""


def difference(old: ModelFacts, new: ModelFacts, *, complete: tuple[bool, bool] = (True, True)) -> Difference:
    """Return what changed from the facts OLD to NEW, without tensors.

    COMPLETE: whether each side was read from its bytes. If one was not, only what a pointer holds is compared.
    """
    both = all(complete)
    names = [{one.name for one in side.imports} for side in (old, new)]
    findings = [{one.what: None for one in side.findings} for side in (old, new)]
    return Difference(
        identity(old, complete=complete[0]),
        identity(new, complete=complete[1]),
        hyper_parameters=_values(old.hyper_parameters, new.hyper_parameters) if both else (),
        figures=_values(_figures(old) if both else _of_pointer(old), _figures(new) if both else _of_pointer(new)),
        inputs=_fields(old.inputs, new.inputs) if both else (),
        outputs=_fields(old.outputs, new.outputs) if both else (),
        imports=len(names[1]) if names[0] or names[1] else None,
        imports_new=tuple(sorted(names[1] - names[0])),
        imports_gone=tuple(sorted(names[0] - names[1])),
        code=tuple(what for what in findings[1] if what not in findings[0]),
        same_content=bool(old.content) and old.content == new.content and old.format == new.format,
    )


def identity(facts: ModelFacts, *, complete: bool) -> Identity:
    """Return what FACTS say that a version is."""
    return Identity(facts.format, facts.framework, facts.version, facts.class_name, complete, facts.unreadable)


def _figures(facts: ModelFacts) -> Pairs:
    if facts.parameters is None or any(name == "parameters" for name, _ in facts.figures):
        return facts.figures
    return (*facts.figures, ("parameters", facts.parameters))


def _of_pointer(facts: ModelFacts) -> Pairs:
    """Return the figures that a pointer holds too."""
    found = dict(_figures(facts))
    if facts.tensors:
        found["tensors"] = len(facts.tensors)
    return tuple((name, found[name]) for name in ("parameters", "tensors") if name in found)


def _values(old: Pairs, new: Pairs) -> tuple[ValueChange, ...]:
    before, after = dict(old), dict(new)
    return tuple(ValueChange(name, before.get(name), after.get(name)) for name in dict.fromkeys((*before, *after)))


def _fields(old: Sequence[Field], new: Sequence[Field]) -> tuple[FieldChange, ...]:
    before, after = ({one.name: _shown(one) for one in side} for side in (old, new))
    rows = (FieldChange(name, before.get(name, ""), after.get(name, "")) for name in dict.fromkeys((*before, *after)))
    return tuple(row for row in rows if row.old != row.new)


def _shown(field: Field) -> str:
    return f"{field.dtype} {shape_of(field.shape)}".strip() or "of any type"


def shape_of(shape: Iterable[int]) -> str:
    """Return SHAPE in words: `[10, 4]`, `[?, 4]` if a length may vary, "" for a scalar."""
    lengths = ", ".join("?" if length < 0 else f"{length:,}" for length in shape)
    return f"[{lengths}]" if lengths else ""

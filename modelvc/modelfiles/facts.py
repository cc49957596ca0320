"""What a model file is, as far as its bytes say it. Spec: docs/inside.md.

Names and texts come from files that anybody may have written: they are hostile text. The builders here cut them to
NAME characters and escape what is not printable, so that a view may show them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import NamedTuple, TypeAlias

from modelvc.errors import shown

NAME = 200  # characters of a name or a text

Value: TypeAlias = "int | float | bool | str"
Pairs: TypeAlias = "tuple[tuple[str, Value], ...]"

READER = 1  # the version of all readers together; raise it when the facts of any file change


def clean(text: object) -> str:
    """Return TEXT escaped, and cut at NAME characters."""
    return shown(text, NAME)


class Use(Enum):
    """What a pickle does with an imported name, the least first."""

    REFERRED = "referred"  # it is named: as a class of an array, a dtype, an argument
    CREATED = "created"  # an object of it is made by its `__new__` alone, without `__init__`: by NEWOBJ, NEWOBJ_EX
    CONSTRUCTED = "constructed"  # it is called: by REDUCE, INST, OBJ, or by a callable that calls its arguments


_RANK = {use: rank for rank, use in enumerate(Use)}


def most(one: Use | None, other: Use) -> Use:
    """Return the use that does more. None does least."""
    return other if one is None or _RANK[one] < _RANK[other] else one


class Import(NamedTuple):
    """A global that a pickle names, `module.name`, and the most that the pickle does with it."""

    name: str
    use: Use


class Severity(Enum):
    """What a finding means for a verdict."""

    CODE = "code"  # the file holds a program of its own: TorchScript, a Lambda layer
    KNOWN_BAD = "known-bad"  # only an attack does this


class Finding(NamedTuple):
    severity: Severity
    what: str  # one clause, such as "calls os.system"


class Tensor(NamedTuple):
    """An array of numbers with a name. `start`, `end`: where its bytes lie in the file; -1 if they are compressed.

    `dtype`: as numpy writes it without byte order (`float32`, `int8`), or `bfloat16`, `float8_e4m3fn`, or the
    format's own name. Numbers with the highest byte first have numpy's (`>f4`).
    `member`: the file of a folder that holds it, "" for the file itself.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int = -1
    end: int = -1
    member: str = ""

    @property
    def elements(self) -> int:
        """The number of its elements."""
        return prod(self.shape)


class Field(NamedTuple):
    """An input or output. A length of -1 in `shape` is one that may vary."""

    name: str
    dtype: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What was read of one file or folder. Absent facts are "", (), or None.

    `format`: such as `pickle`, `joblib`, `torch`, `safetensors`; `unknown` for any other.
    `hyper_parameters`: what a person chose. `figures`: what training made that a person compares: nodes, layers.
    `content`: BLAKE3 of the content without what the format writes anew at each save, as hex digits; "" where the
    bytes are the content, and for large files.
    `unreadable`: why the file could not be read to its end, in one clause; the other facts are then what was read
    before.
    """

    format: str
    framework: str = ""
    version: str = ""  # of the framework, as the file says it
    class_name: str = ""
    hyper_parameters: Pairs = ()
    figures: Pairs = ()
    inputs: tuple[Field, ...] = ()
    outputs: tuple[Field, ...] = ()
    parameters: int | None = None  # numbers that training changes
    tensors: tuple[Tensor, ...] = ()
    imports: tuple[Import, ...] = ()  # sorted by name, each name once
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    content: str = ""
    unreadable: str = ""

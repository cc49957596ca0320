"""Facts that were read once, kept by oid: `.git/mvc/facts/<version of the readers>/<aa>/<oid>`, JSON. A cache.

Only facts of bytes that hashed to the oid are kept, and no verdict: lists of names change. A file that breaks a rule
counts as missing.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from modelvc.atomic import TEMPORARY, write_atomically
from modelvc.formats.limits import MIB
from modelvc.modelfiles.facts import READER, Field, Finding, Import, ModelFacts, Severity, Tensor, Use

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.ids import Oid
    from modelvc.modelfiles.facts import Value
    from modelvc.repo import Repo

_LARGEST = 8 * MIB  # of one file; facts of more bytes are read from the model each time
_T = TypeVar("_T")


def load(repo: Repo, oid: Oid) -> ModelFacts | None:
    """Return the facts of OID, or None if they are not kept."""
    try:
        with open(path_of(repo, oid), "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError:
        return None
    try:
        return decode(data, oid)
    except (ValueError, RecursionError):
        return None


def save(repo: Repo, oid: Oid, facts: ModelFacts) -> None:
    """Keep FACTS of OID. Nothing is kept if they are too large, or if the disk refuses."""
    data = encode(facts, oid)
    if len(data) > _LARGEST:
        return
    path = path_of(repo, oid)
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_atomically(path, data)


def path_of(repo: Repo, oid: Oid) -> str:
    """Return the path of the facts of OID."""
    digits = oid.hex()
    return os.path.join(_folder(repo), str(READER), digits[:2], digits)


def _folder(repo: Repo) -> str:
    return os.path.join(repo.layout.mvc_dir, "facts")


def tidy(repo: Repo, keeps: Callable[[Oid], bool]) -> None:
    """Delete facts of other versions of the readers, and those of each oid that KEEPS refuses."""
    from modelvc.ids import Oid

    for folder, _, names in os.walk(_folder(repo), topdown=False):
        mine = os.path.basename(os.path.dirname(folder)) == str(READER)
        for name in names:
            with suppress(OSError, ValueError):
                if name.startswith(TEMPORARY) or not (mine and keeps(Oid(bytes.fromhex(name)))):
                    os.unlink(os.path.join(folder, name))
        with suppress(OSError):  # it is not empty
            os.rmdir(folder)


# -- the bytes


def encode(facts: ModelFacts, oid: Oid) -> bytes:
    """Return the JSON of FACTS of OID. Fields that are empty are left out."""
    found: dict[str, Any] = {"oid": str(oid), "format": facts.format}
    for name in _TEXTS:
        found[name] = getattr(facts, name)
    found["parameters"] = facts.parameters
    found["hyper_parameters"] = facts.hyper_parameters
    found["figures"] = facts.figures
    found["inputs"] = facts.inputs
    found["outputs"] = facts.outputs
    found["tensors"] = facts.tensors
    found["imports"] = [(one.name, one.use.value) for one in facts.imports]
    found["findings"] = [(one.severity.value, one.what) for one in facts.findings]
    found["notes"] = facts.notes
    kept = {key: value for key, value in found.items() if value or value == 0}
    return json.dumps(kept, separators=(",", ":")).encode("ascii") + b"\n"


_TEXTS = ("framework", "version", "class_name", "content", "unreadable")
_KEYS = frozenset(
    {*_TEXTS, "oid", "format", "parameters", "hyper_parameters", "figures", "inputs", "outputs", "tensors", "imports"}
    | {"findings", "notes"}
)


def decode(data: bytes, oid: Oid) -> ModelFacts:
    """Return the facts in DATA. Raises ValueError unless DATA is what `encode` makes of facts of OID."""
    if len(data) > _LARGEST or not data.endswith(b"\n"):
        raise ValueError("too large, or cut off")
    found = json.loads(data)
    if type(found) is not dict or not _KEYS.issuperset(found) or found.get("oid") != str(oid):
        raise ValueError("not the facts of that oid")
    texts = {name: _exactly(found.get(name, ""), str) for name in _TEXTS}
    parameters = found.get("parameters")
    return ModelFacts(
        _exactly(found.get("format"), str),
        **texts,
        parameters=None if parameters is None else _exactly(parameters, int),
        hyper_parameters=_pairs(found.get("hyper_parameters", [])),
        figures=_pairs(found.get("figures", [])),
        inputs=tuple(map(_field, _list(found.get("inputs", [])))),
        outputs=tuple(map(_field, _list(found.get("outputs", [])))),
        tensors=tuple(map(_tensor, _list(found.get("tensors", [])))),
        imports=tuple(Import(name, Use(use)) for name, use in map(_two_texts, _list(found.get("imports", [])))),
        findings=tuple(Finding(Severity(how), what) for how, what in map(_two_texts, _list(found.get("findings", [])))),
        notes=tuple(_exactly(one, str) for one in _list(found.get("notes", []))),
    )


def _exactly(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise ValueError(f"not a {kind.__name__}")
    return value


def _list(value: object, length: int = -1) -> list[Any]:
    found: list[Any] = _exactly(value, list)
    if length >= 0 and len(found) != length:
        raise ValueError(f"not {length} values")
    return found


def _two_texts(value: object) -> tuple[str, str]:
    first, second = _list(value, 2)
    return _exactly(first, str), _exactly(second, str)


def _pairs(value: object) -> tuple[tuple[str, Value], ...]:
    return tuple((_exactly(name, str), _scalar(one)) for name, one in (_list(pair, 2) for pair in _list(value)))


def _scalar(value: object) -> Value:
    if type(value) not in {int, float, bool, str}:
        raise ValueError("not a scalar")
    return value  # type: ignore[return-value]


def _shape(value: object) -> tuple[int, ...]:
    return tuple(_exactly(one, int) for one in _list(value))


def _field(value: object) -> Field:
    name, dtype, shape = _list(value, 3)
    return Field(_exactly(name, str), _exactly(dtype, str), _shape(shape))


def _tensor(value: object) -> Tensor:
    name, dtype, shape, start, end, member = _list(value, 6)
    places = _exactly(start, int), _exactly(end, int)
    return Tensor(_exactly(name, str), _exactly(dtype, str), _shape(shape), *places, _exactly(member, str))

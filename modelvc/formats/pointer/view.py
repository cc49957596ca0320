"""The text of a pointer for `git diff`, `git log -p` and `git show`: one fact a line. The standard library alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FormatError, PointerConflict, shown
from modelvc.formats.pointer.pointer import parse
from modelvc.formats.sizes import about, six_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.formats.pointer.environment import Environment
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.model_table import ModelTable
    from modelvc.formats.pointer.pointer import Pointer


def text(data: bytes, name: str) -> str:
    """The text for people of the pointer DATA of the model NAME; DATA itself where it cannot be read."""
    try:
        pointer = parse(data)
    except (FormatError, PointerConflict):
        return data.decode("utf-8", "replace")
    lines = [f"model {shown(name)}", *_version(pointer)]
    if pointer.conflict:
        lines += ["", f"in conflict: above {shown(pointer.conflict.ours)}, below {shown(pointer.conflict.theirs)}"]
        lines += _version(pointer.conflict.other)
    return "\n".join(lines) + "\n"


def value(found: MetricValue | None) -> str:
    """The text of a metric, exact; "" for None."""
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else repr(found) if isinstance(found, float) else shown(found)


def brief(found: MetricValue | None) -> str:
    """The text of a metric to six digits, to be shown beside others. JSON, `mvc show` and trailers have it exact."""
    return six_digits(found) if isinstance(found, float) else value(found)


def _version(pointer: Pointer) -> Iterator[str]:
    files = f" in {pointer.files:,} files" if pointer.files is not None else ""
    yield f"version {pointer.oid.short}"
    yield f"size {about(pointer.size)} ({pointer.size:,} bytes{files})"
    if pointer.executable:
        yield "executable"
    if pointer.metrics:
        yield ""
        if pointer.stale:
            yield "metrics (measured on another version)"
        yield from (f"{shown(name)} = {value(found)}" for name, found in pointer.metrics.values)
    if pointer.params:
        yield ""
        yield from (f"param {shown(name)} = {value(found)}" for name, found in pointer.params)
    if pointer.predictions:
        yield ""
        yield f"predictions for {pointer.predictions.rows:,} rows"
    if pointer.env:
        yield ""
        yield from environment(pointer.env)
    if pointer.model:
        yield ""
        yield from inside(pointer.model)


def environment(made: Environment) -> Iterator[str]:
    """Yield the environment of a version, one fact a line."""
    system = ", ".join(filter(None, (f"{made.platform} {made.machine}", made.libc)))
    yield f"environment {made.implementation} {made.python}, {system}"
    if made.bytecode:
        yield "holds byte code of Python"
    yield from (f"package {name} {version}" for name, version in made.packages)
    if made.lock:
        yield f"lock file {made.lock.path} {made.lock.digest.short}"


def inside(model: ModelTable) -> Iterator[str]:
    """Yield what a version is, one fact a line."""
    yield f"format {model.format}"
    if model.framework or model.version:
        yield f"framework {' '.join(filter(None, (model.framework or 'unknown', model.version)))}"
    if model.class_name:
        yield f"class {model.class_name}"
    if model.parameters is not None:
        yield f"parameters {model.parameters:,}"
    if model.tensors is not None:
        yield f"tensors {model.tensors:,}"
    if model.content:
        yield f"content {model.content.short}"
    yield from (f"import {name}" for name in model.imports)
    if model.import_count is not None and model.import_digest:
        yield f"imports {model.import_count:,} names, digest {model.import_digest.short}"
    yield from (f"code {what}" for what in model.code)

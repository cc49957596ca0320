"""Read ONNX: its graph, its operators, and its tensors. Source: onnx.proto.

ONNX has no magic number. A file is recognised by its first fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Field, Finding, ModelFacts, Severity, clean
from modelvc.modelfiles.source import OutOfTime, Unreadable
from modelvc.modelfiles.tensors.cursor import Cursor
from modelvc.modelfiles.tensors.onnx_tensors import pair, tensor, text, value_info
from modelvc.modelfiles.tensors.protobuf import (
    FIXED32,
    LENGTH,
    VARINT,
    Known,
    Run,
    count_varints,
    fields,
    raw_fields,
    signed,
)

if TYPE_CHECKING:
    from blake3 import blake3

    from modelvc.modelfiles.facts import Tensor, Value
    from modelvc.modelfiles.source import Budget, Source
    from modelvc.modelfiles.tensors.onnx_tensors import Held
    from modelvc.modelfiles.tensors.protobuf import Field as Span

_KEPT = 600  # bytes of memory for one tensor
_PAIRS = 50  # of metadata_props that are kept
_KINDS = 100  # of operators that are kept
_FINDINGS = 50
_HASHED = 64 << 20  # bytes of a file that gets a content digest; writers of larger ones write no random names
_BLOCK = 1 << 20

# Domains whose operators every runtime has: those of the format, and those that ONNX Runtime is built with.
_OF_THE_FORMAT = frozenset(
    {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training"}
)
KNOWN_DOMAINS = _OF_THE_FORMAT | {
    "com.microsoft", "com.microsoft.experimental", "com.microsoft.nchwc", "com.microsoft.dml", "com.ms.internal.nhwc",
}  # fmt: skip
# Numbers in the tensors of these types are indices and shapes; training does not change them.
_NO_PARAMETERS = frozenset({"int64", "int32", "uint64", "uint32", "bool", "string"})

_TEXT, _TEXTS = Known(LENGTH), Known(LENGTH, repeated=True)
_INT = Known(VARINT)
_INTS = Known(VARINT, repeated=True, packed=True)
_MODEL = {
    1: _INT, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: _INT, 6: _TEXT, 7: _TEXT, 8: _TEXTS, 14: _TEXTS, 20: _TEXTS, 25: _TEXTS,
}  # fmt: skip
_OPSET = {1: _TEXT, 2: _INT}
_GRAPH = {1: _TEXTS, 2: _TEXT, 5: _TEXTS, 11: _TEXTS, 12: _TEXTS, 15: _TEXTS}
_TRAINING = {1: _TEXT, 2: _TEXT}
_FUNCTION = {1: _TEXT, 7: _TEXTS, 10: _TEXT, 11: _TEXTS, 13: _TEXT}
_NODE = {3: _TEXT, 4: _TEXT, 5: _TEXTS, 7: _TEXT, 8: _TEXT}
_ATTRIBUTE = {
    1: _TEXT, 5: _TEXT, 6: _TEXT, 7: Known(FIXED32, repeated=True, packed=True), 8: _INTS, 9: _TEXTS, 10: _TEXTS,
    11: _TEXTS, 22: _TEXT, 23: _TEXTS,
}  # fmt: skip
_SPARSE = {1: _TEXT, 2: _TEXT, 3: _INTS}
_ITS_GRAPH, _GRAPH_NAME = 7, 2
_RUNS = {7: Run(7, FIXED32), 8: Run(8, VARINT), 9: Run(9, LENGTH)}


@dataclass(slots=True)
class _Seen:
    """What was read so far. `functions`: the operators that the model defines itself, and those that it needs."""

    figures: dict[str, Value] = field(default_factory=dict)
    operators: dict[tuple[str, str], int] = field(default_factory=dict)
    functions: set[tuple[str, str]] = field(default_factory=set)
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Field] = field(default_factory=list)
    outputs: list[Field] = field(default_factory=list)
    findings: dict[Finding, None] = field(default_factory=dict)
    external: dict[str, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    opset: dict[str, int] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    tree_nodes: int = 0


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the ONNX model SOURCE. Findings that were made before it became unreadable are kept."""
    reading = _Reading(Cursor(source), budget)
    unreadable = content = ""
    try:
        reading.model(source.size)
        if source.size <= _HASHED:
            content = _content(source, budget)
    except OutOfTime:
        raise
    except Unreadable as error:
        unreadable = str(error)
    return replace(reading.facts(), content=content, unreadable=unreadable)


class _Reading:
    """A model that is being read."""

    def __init__(self, cursor: Cursor, budget: Budget) -> None:
        self._cursor = cursor
        self._budget = budget
        self._seen = _Seen()

    def _text(self, one: Span) -> str:
        return text(self._cursor, one.start, one.end)

    def model(self, end: int) -> None:
        """Read the model, which ends at END."""
        seen, graphs = self._seen, 0
        for one in fields(self._cursor, end, _MODEL, self._budget):
            if one.number == 1:
                seen.figures["ir_version"] = signed(one.value)
            elif one.number in {2, 3}:
                seen.texts[one.number] = clean(self._text(one))
            elif one.number == 7:
                graphs += 1
                self._graph(one.end, "", self._budget.depth)
            elif one.number == 8:
                self._opset(one.end)
            elif one.number == 14:
                self._property(one.end)
            elif one.number == 20:
                self._training(one.end)
            elif one.number == 25:
                self._function(one.end)
        if not graphs:
            raise Unreadable("it has no graph")

    def _opset(self, end: int) -> None:
        domain, version = "", 0
        for one in fields(self._cursor, end, _OPSET, self._budget):
            if one.number == 1:
                domain = clean(self._text(one))
            else:
                version = signed(one.value)
        self._budget.keep(_KEPT)
        self._seen.opset[domain] = max(version, self._seen.opset.get(domain, 0))  # some writers repeat themselves

    def _property(self, end: int) -> None:
        key, value = pair(self._cursor, end, self._budget)
        if len(self._seen.properties) < _PAIRS:
            self._seen.properties[clean(key)] = clean(value)

    def _training(self, end: int) -> None:
        for one in fields(self._cursor, end, _TRAINING, self._budget):
            self._graph(one.end, "training/", self._budget.depth)

    def _function(self, end: int) -> None:
        """Read an operator that the model defines itself."""
        name = domain = ""
        for one in fields(self._cursor, end, _FUNCTION, self._budget):
            if one.number == 1:
                name = self._text(one)
            elif one.number == 10:
                domain = self._text(one)
            elif one.number == 7:
                self._node(one.end, "", self._budget.depth)
            elif one.number == 11:
                self._attribute(one.end, "", self._budget.depth)
        self._budget.keep(_KEPT)
        self._seen.functions.add((domain, name))

    def _graph(self, end: int, prefix: str, depth: int) -> None:
        """Read the graph that is next. PREFIX: of its names, "" for the model's own."""
        if not depth:
            raise Unreadable("its graphs are nested too deeply")
        seen = self._seen
        initial: set[str] = set()
        inputs: list[Field] = []
        for one in fields(self._cursor, end, _GRAPH, self._budget):
            if one.number == 1:
                self._node(one.end, prefix, depth)
            elif one.number in {5, 15}:
                held = self._sparse(one.end) if one.number == 15 else tensor(self._cursor, one.end, self._budget)
                self._keep(held, prefix, initial)
            elif not prefix and one.number in {11, 12}:
                self._budget.open_members(1)
                self._budget.keep(_KEPT)
                (inputs if one.number == 11 else seen.outputs).append(value_info(self._cursor, one.end, self._budget))
        # Before version 4 every initialiser was an input too.
        names = {clean(name) for name in initial} if inputs else set()
        seen.inputs += [one for one in inputs if one.name not in names]

    def _keep(self, held: Held, prefix: str, initial: set[str]) -> None:
        self._budget.open_members(1)
        self._budget.keep(_KEPT + len(held.name))
        if held.name in initial:
            raise Unreadable("two tensors have one name")
        initial.add(held.name)
        self._note(held)
        self._seen.tensors.append(held.tensor._replace(name=clean(prefix + held.name)))

    def _note(self, held: Held) -> None:
        """Take what the data of a tensor in another file mean."""
        if held.finding and len(self._seen.findings) < _FINDINGS:
            self._seen.findings[held.finding] = None
        if held.external and (held.external in self._seen.external or len(self._seen.external) < _FINDINGS):
            self._seen.external[held.external] = self._seen.external.get(held.external, 0) + 1

    def _sparse(self, end: int) -> Held:
        """Return a sparse tensor: that of its values."""
        found: Held | None = None
        for one in fields(self._cursor, end, _SPARSE, self._budget):
            if one.number == 3:
                continue
            held = tensor(self._cursor, one.end, self._budget)
            self._note(held)
            if one.number == 1:
                found = held
        if not found:
            raise Unreadable("a sparse tensor has no values")
        return found

    def _node(self, end: int, prefix: str, depth: int) -> None:
        """Read the operator that is next, with the graphs inside of it."""
        name = kind = domain = ""
        attributes: list[tuple[int, int]] = []
        for one in fields(self._cursor, end, _NODE, self._budget):
            if one.number == 5:
                attributes.append((one.start, one.end))
            elif one.number == 3:
                name = self._text(one)
            elif one.number == 4:
                kind = self._text(one)
            elif one.number == 7:
                domain = self._text(one)
        operator = (domain, kind)
        if operator not in self._seen.operators:
            self._budget.open_members(1)
            self._budget.keep(_KEPT + len(domain) + len(kind))
        self._seen.operators[operator] = self._seen.operators.get(operator, 0) + 1
        for start, stop in attributes:
            self._cursor.at = start
            self._attribute(stop, f"{prefix}{name or kind}/"[:400], depth)

    def _attribute(self, end: int, prefix: str, depth: int) -> None:
        """Read the attribute that is next: for its tensors and graphs alone, and the length of one list."""
        name, count = "", 0
        for one in fields(self._cursor, end, _ATTRIBUTE, self._budget):
            if one.number == 1:
                name = self._text(one)
            elif one.number in {5, 10}:
                self._note(tensor(self._cursor, one.end, self._budget))
            elif one.number in {6, 11}:
                self._graph(one.end, f"{prefix}{clean(name)}/"[:400], depth - 1)
            elif one.number in {22, 23}:
                self._sparse(one.end)
            elif name == "nodes_nodeids" and one.number == 8 and one.wire == LENGTH:
                count += self._packed(one)
            elif one.wire == _ATTRIBUTE[one.number].wire and one.number in _RUNS:
                self._cursor.at = one.end
                passed = _RUNS[one.number].skip(self._cursor, end, self._budget)
                count += 1 + passed if name == "nodes_nodeids" and one.number == 8 else 0
        self._seen.tree_nodes += count

    def _packed(self, one: Span) -> int:
        count = 0
        while self._cursor.at < one.end:
            block = self._cursor.take(min(_BLOCK, one.end - self._cursor.at))
            self._budget.operate(len(block))
            count += count_varints(block)
        return count

    def facts(self) -> ModelFacts:
        """Return what was read."""
        seen = self._seen
        figures: dict[str, Value] = dict(seen.figures)
        for domain, version in sorted(seen.opset.items()):
            figures[f"opset {domain}".rstrip()] = version
        figures["operators"] = sum(seen.operators.values())
        named: dict[str, int] = {}
        for (domain, kind), count in seen.operators.items():
            name = clean(kind if domain in _OF_THE_FORMAT else f"{domain}.{kind}")
            named[name] = named.get(name, 0) + count
        for name, count in sorted(named.items(), key=lambda one: (-one[1], one[0]))[:_KINDS]:
            figures.setdefault(name, count)
        if seen.tree_nodes:
            figures["tree nodes"] = seen.tree_nodes
        for key, value in sorted(seen.properties.items()):
            figures.setdefault(key, value)
        needed = sorted({domain for domain, kind in seen.operators.keys() - seen.functions} - KNOWN_DOMAINS)
        code = [Finding(Severity.CODE, clean(f"needs operators of {domain}")) for domain in needed[:_FINDINGS]]
        numbers = [one.elements for one in seen.tensors if one.dtype not in _NO_PARAMETERS]
        return ModelFacts(
            "onnx",
            framework=seen.texts.get(2, ""),
            version=seen.texts.get(3, ""),
            figures=tuple(figures.items()),
            inputs=tuple(seen.inputs),
            outputs=tuple(seen.outputs),
            parameters=sum(numbers) if numbers else None,
            tensors=tuple(seen.tensors),
            findings=(*seen.findings, *code),
            notes=tuple(clean(f"{n:,} tensors in {where}") for where, n in sorted(seen.external.items())),
        )


def _content(source: Source, budget: Budget) -> str:
    """Return the digest of all fields but the name of the graph, for which some writers take a random number.

    The length of the graph changes with its name: its fields stand between its tag and a byte that is no tag.
    """
    from blake3 import blake3

    hashing = blake3()
    for start, end, number in raw_fields(Cursor(source), source.size):
        if number != _ITS_GRAPH:
            _hash(hashing, source, (start, end), budget)
            continue
        hashing.update(b"\x3a")
        cursor = Cursor(source, start)
        cursor.varint(end)  # the tag, then the length
        cursor.varint(end)
        for inner, stop, part in raw_fields(cursor, end):
            if part != _GRAPH_NAME:
                _hash(hashing, source, (inner, stop), budget)
        hashing.update(b"\0")
    return hashing.hexdigest()


def _hash(hashing: blake3, source: Source, place: tuple[int, int], budget: Budget) -> None:
    start, end = place
    for at in range(start, end, _BLOCK):
        budget.look_at_clock()
        hashing.update(source.exactly(at, min(_BLOCK, end - at)))

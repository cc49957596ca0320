"""Read skops files: a zip with a tree of nodes in schema.json, and a member for each array.

A node names a class or a function, and a loader: how skops makes a value of it. Nothing is looked up here: the names
count as imports, with the use that the loader makes of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelvc.modelfiles.archive import blocks, content
from modelvc.modelfiles.documents import json_stream
from modelvc.modelfiles.documents.skops_nodes import Node, Nodes
from modelvc.modelfiles.facts import Field, Finding, ModelFacts, Severity, Tensor, clean
from modelvc.modelfiles.pickles.summary import FRAMEWORKS
from modelvc.modelfiles.source import Unreadable, of_bytes

if TYPE_CHECKING:
    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.facts import Import, Pairs
    from modelvc.modelfiles.source import Budget, Source

_SCHEMA = "schema.json"
_NAME = re.compile(r"[0-9a-f-]{1,40}\.(?:npy|npz|bin)")  # an array, a sparse matrix, bytes
_NPY = ".npy"
_NODES = "tree_.nodes"  # the end of the path of the nodes of a tree


def read_members(source: Source, budget: Budget, members: tuple[Member, ...]) -> ModelFacts:
    """Return the facts of the skops file SOURCE with its MEMBERS."""
    by_name = {member.name: member for member in members}
    for name in by_name.keys() - {_SCHEMA}:
        if not _NAME.fullmatch(name):
            raise Unreadable("it has a member that skops does not write")
    schema = by_name.pop(_SCHEMA)
    nodes = Nodes({name: _digest(source, member, budget) for name, member in by_name.items()}, budget)
    stored = of_bytes(content(source, schema, budget)) if schema.method else source.part(schema.start, schema.end)
    if not schema.method:
        for _ in blocks(source, schema, budget):  # its checksum
            pass
    root = json_stream.read(stored, budget, _SCHEMA, nodes.fold)
    if not isinstance(root, Node):
        raise Unreadable("schema.json holds no object")
    tensors, findings = _tensors(source, by_name, root, budget)
    module = root.name.partition(".")[0]
    return ModelFacts(
        "skops",
        framework=FRAMEWORKS.get(module, clean(module)),
        version=clean(root.version),
        class_name=clean(root.name.rpartition(".")[2]),
        hyper_parameters=root.params,
        figures=_figures(tensors),
        inputs=_inputs(root),
        tensors=tensors,
        imports=_imports(nodes),
        findings=findings,
        content=nodes.content(root),
    )


def _digest(source: Source, member: Member, budget: Budget) -> bytes:
    """Return the hash of the bytes of MEMBER, decompressed."""
    from blake3 import blake3

    machine = blake3()
    for block in blocks(source, member, budget):
        machine.update(block)
    return machine.digest()


def _imports(nodes: Nodes) -> tuple[Import, ...]:
    return tuple(sorted(nodes.imports()))


def _figures(tensors: tuple[Tensor, ...]) -> Pairs:
    """Return how many trees there are, and how many nodes they have."""
    nodes = [one.elements for one in tensors if one.name.endswith(_NODES)]
    return (("trees", len(nodes)), ("nodes", sum(nodes))) if nodes else ()


def _inputs(root: Node) -> tuple[Field, ...]:
    if root.names:
        return tuple(Field(clean(name)) for name in root.names)
    return (Field("X", shape=(-1, root.features)),) if root.features is not None else ()


def _tensors(
    source: Source, members: dict[str, Member], root: Node, budget: Budget
) -> tuple[tuple[Tensor, ...], tuple[Finding, ...]]:
    """Return the arrays below ROOT, and a finding if one of them holds Python objects."""
    from modelvc.modelfiles.tensors import numpy_files

    found: list[Tensor] = []
    findings: list[Finding] = []
    for path, name in root.arrays:
        member = members.get(name)
        if member is None:
            raise Unreadable("schema.json names a member that is not there")
        if not name.endswith(_NPY):
            continue
        inside = of_bytes(content(source, member, budget)) if member.method else source.part(member.start, member.end)
        facts = numpy_files.read(inside, budget)
        if facts.imports or facts.findings or any(one.dtype == "object" for one in facts.tensors):
            findings.append(Finding(Severity.KNOWN_BAD, "hides Python objects in an array"))
        for one in facts.tensors[:1]:
            placed = not member.method and one.start >= 0
            start, end = (member.start + one.start, member.start + one.end) if placed else (-1, -1)
            found.append(one._replace(name=clean(path), start=start, end=end))
    return tuple(found), tuple(findings)

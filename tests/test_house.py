"""The house is as it is drawn: imports, packages, copies in clones, words."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import chain
from typing import TYPE_CHECKING, Any

from modelvc.git.setup import drivers
from tests.support.clone import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_MODULES = 20  # of one package
COPIED = "What is copied into clones runs on the standard library alone"
# Phrases with a plain word of their own. Words that may stand between the first and the last are \w+.
UNUSED = (
    "can not", r"pass(?:es|ed|ing)? (?:\w+ )?over", r"lets? (?:\w+ )?go (?:\w+ )?of", r"letting (?:\w+ )?go of",
    "far sides?", "nobody gets out", "what nothing reaches",
)  # fmt: skip
_GAP = r"[\s#*>]+"  # words of one phrase may stand in two lines, of a comment or a quote
_UNUSED = re.compile(rf"\b(?:{'|'.join(UNUSED).replace(' ', _GAP)})\b", re.IGNORECASE)


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _graph() -> dict[str, set[str]]:
    """Which modules each module of modelvc imports, also late and under TYPE_CHECKING. Packages are modules here."""
    trees = {_name(path): ast.parse(path.read_bytes()) for path in (ROOT / "modelvc").rglob("*.py")}
    return {name: {one for one in _imported(tree, trees) if one != name} for name, tree in trees.items()}


def _imported(tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                named = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module)):
                named = [f"{module}.{alias.name}" for alias in node.names]
                named = [one if one in known else module for one in named]
            case _:
                continue
        yield from (one for one in named if one in known)


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return one circle of GRAPH, or [] if there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (walk(one, [*way, name]) for one in sorted(graph[name]))), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in sorted(graph))), [])


def _packages() -> dict[str, list[str]]:
    """Each package below modelvc as `name/name`, with its modules."""
    return {
        str(init.parent.relative_to(ROOT / "modelvc")): [one.stem for one in init.parent.glob("*.py") if one != init]
        for init in (ROOT / "modelvc").rglob("__init__.py")
    }


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_no_circle_of_imports() -> None:
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert _circle(_graph()) == []


def test_no_package_is_a_drawer() -> None:
    assert {name: len(modules) for name, modules in _packages().items() if len(modules) > MOST_MODULES} == {}


def test_what_a_clone_gets_a_copy_of_is_what_the_contract_holds() -> None:
    graph = _graph()
    contract = next(one for one in _project()["importlinter"]["contracts"] if one["name"] == COPIED)
    held = set()
    for source in contract["source_modules"]:
        assert source in graph, f"{source} is not there"
        held |= {name for name in graph if name == source or name.startswith(f"{source}.")}
    copied = {_name(ROOT / "modelvc" / path) for path in drivers.copied(str(ROOT / "modelvc"))}
    packages = {name for name in copied if (ROOT / name.replace(".", "/")).is_dir()}  # these hold a docstring
    assert copied - packages == held - packages


def test_a_clone_s_copy_imports_only_what_is_copied() -> None:
    graph = _graph()
    copied = {_name(ROOT / "modelvc" / path) for path in drivers.copied(str(ROOT / "modelvc"))}
    reached: set[str] = set()
    todo = {"modelvc.drivers.script"}
    while todo:
        name = todo.pop()
        reached.add(name)
        above = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}  # Python runs their __init__
        todo |= (graph[name] | above) - reached
    assert len(reached) > MOST_MODULES
    assert reached - copied == set()


def test_phrases_that_are_not_used() -> None:
    for phrase in ("can\nnot", "passes them over", "lets\n    # go of", "**Nobody gets out.**", "the far side's"):
        assert _UNUSED.search(phrase), phrase
    assert not _UNUSED.search("let a clone go; passed; cannot; overpass over")
    found = [f"{where}: {match[0]!r}" for where, text in _texts() for match in _UNUSED.finditer(text)]
    assert not found, "\n".join(found)


def _texts() -> Iterator[tuple[str, str]]:
    """All that the project says: its code and pages, and of tests what stands in their docstrings and tables."""
    written = (one for folder in ("modelvc", "hooks", "docs") for one in (ROOT / folder).rglob("*"))
    for path in chain(written, ROOT.glob("*.md"), (ROOT / "tests/guarded").glob("*.toml")):
        if path.is_file() and path.suffix not in {".pyc", ".png"}:
            yield str(path.relative_to(ROOT)), path.read_text()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", ast.get_docstring(node) or ""

"""The house is as it is drawn: imports, packages, copies in clones, words."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from modelvc.git.setup import drivers
from tests.support.clone import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_MODULES = 20  # of one package
COPIED = "What is copied into clones runs on the standard library alone"
DISTRIBUTIONS = {"git": "GitPython", "yaml": "PyYAML"}  # of modules that are called otherwise
# Phrases with a plain word of their own. Words that may stand between the first and the last are \w+.
UNUSED = (
    "can not", r"pass(?:es|ed|ing)? (?:\w+ )?over", r"lets? (?:\w+ )?go (?:\w+ )?of", r"letting (?:\w+ )?go of",
    "far sides?", "nobody gets out", "what nothing reaches",
    "few bytes do not", "tells? git better", "with(?:out)? a word", "(?:is|are) no json", "cut short",
    "nobody obeys", "behind everybody's back", "words behind",
)  # fmt: skip
_GAP = r"[\s#*>]+"  # words of one phrase may stand in two lines, of a comment or a quote
_UNUSED = re.compile(rf"\b(?:{'|'.join(UNUSED).replace(' ', _GAP)})\b", re.IGNORECASE)


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def _imports() -> dict[str, set[str]]:
    """All that each module of modelvc imports, also late and under TYPE_CHECKING. A package is a module here."""
    trees = {_name(path): ast.parse(path.read_bytes()) for path in (ROOT / "modelvc").rglob("*.py")}
    return {name: set(_imported(tree, trees)) - {name} for name, tree in trees.items()}


def _imported(tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                named = (f"{module}.{alias.name}" for alias in node.names)
                yield from (one if one in known else module for one in named)


def _graph() -> dict[str, set[str]]:
    """Which modules of modelvc each of them imports."""
    known = _imports()
    return {name: found & known.keys() for name, found in known.items()}


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


class Drawn(NamedTuple):
    """A row of the table in docs/design.md."""

    imports: frozenset[str]
    libraries: frozenset[str]


def _page() -> str:
    return (ROOT / "docs/design.md").read_text()


def _picture() -> list[frozenset[str]]:
    """The layers, from above, as the picture has them: names up to the first gap."""
    lines = _page().partition("```\n")[2].partition("```")[0].splitlines()
    return [frozenset(line.split("  ")[0].split(" | ")) for line in lines if not line.startswith("-")]


def _rows() -> dict[str, Drawn]:
    """The table below the picture."""
    table = _page().partition("| libraries it knows |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([\w ]*)\|([\w ]*)\|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n"), "a row of another form"  # one row more, less the line of dashes
    assert len(rows) == len({name for name, _, _ in rows})
    return {name: Drawn(frozenset(imports.split()), frozenset(known.split())) for name, imports, known in rows}


def _found() -> dict[str, Drawn]:
    """That table, as the imports are."""
    modules: dict[str, set[str]] = {}
    for name, imported in _imports().items():
        if name.count("."):
            modules.setdefault(name.split(".")[1], set()).update(imported)
    return {package: _drawn(package, imported) for package, imported in modules.items() if package != "__main__"}


def _drawn(package: str, imported: set[str]) -> Drawn:
    inside = {name.split(".")[1] for name in imported if name.startswith("modelvc.")} - {package}
    known = {"modelvc", "compression", *sys.stdlib_module_names}  # compression: from Python 3.14 on
    others = {name.split(".")[0] for name in imported} - known
    return Drawn(frozenset(inside), frozenset(DISTRIBUTIONS.get(name, name) for name in others))


def test_the_picture_is_the_layers_that_the_contract_holds() -> None:
    layers = next(one for one in _project()["importlinter"]["contracts"] if one.get("containers") == ["modelvc"])
    assert _picture() == [frozenset(layer.split(" | ")) for layer in layers["layers"]]


def test_the_picture_is_the_picture_of_the_imports() -> None:
    found = _found()
    assert _rows() == found
    above: set[str] = set()
    for layer in _picture():
        above |= layer
        assert {name: found[name].imports & above for name in layer if found[name].imports & above} == {}
    assert above == found.keys()


def test_every_package_inside_a_package_is_explained() -> None:
    table = _page().partition("### Inside the packages")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `([\w/]+)` \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(name for name in _packages() if "/" in name)


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


def test_the_glossary_defines_each_word_once_and_only_words_that_are_used() -> None:
    page = ROOT / "docs/glossary.md"
    defined = [
        word for line in re.findall(r"^\| ([^|]+) \|", page.read_text(), re.MULTILINE) for word in line.split(", ")
    ]
    words = [word for word in defined if word != "word"]  # the heads of the tables
    assert len(words) > MOST_MODULES
    assert sorted(words) == sorted(set(words)), "defined twice"
    used = " ".join(
        " ".join(text.split()) for where, text in _texts() if not where.startswith(("docs/glossary.md", "tests"))
    )
    assert [word for word in words if not re.search(rf"\b{word}", used, re.IGNORECASE)] == []


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

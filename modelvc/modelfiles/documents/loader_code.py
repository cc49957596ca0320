"""Programs that texts of a folder bring to the library that loads it: modules, classes from a program, templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.chat_templates import judge_template
from modelvc.modelfiles.documents import mlflow
from modelvc.modelfiles.documents.building import entries, listed, text
from modelvc.modelfiles.documents.layouts import configuration, whole
from modelvc.modelfiles.facts import Finding, Severity, clean
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.modelfiles.source import Budget, Source

_CONFIGURATIONS = ("config.json", "chat_template.json")
_PARTS = "modules.json"  # of sentence-transformers: the class of each step
_PICKLER = "pickle_module_info.txt"  # of mlflow.pytorch: the module that unpickles
_PICKLERS = frozenset({"mlflow.pytorch.pickle_module", "pickle", "cloudpickle", "dill"})
_MLFLOW = "mlmodel"
_TEMPLATES = ".jinja"
_MOST = 1000  # texts of one folder
_NAMED = 3  # names in one finding
_ENDINGS = (*_CONFIGURATIONS, _TEMPLATES)
_NAMES = frozenset({_PARTS, _PICKLER, _MLFLOW})
_OWN = frozenset({"transformers", "diffusers", "torch", "timm", "sentence_transformers"})


def findings(files: Mapping[str, Source], budget: Budget) -> list[Finding]:
    """Return what the texts in FILES bring. Raises Unreadable for a configuration that is none, and for too many."""
    paths = [path for path in sorted(files) if path.lower().endswith(_ENDINGS) or _name(path) in _NAMES]
    if len(paths) > _MOST:
        raise Unreadable(f"the folder has more than {_MOST:,} configurations")
    return [one for path in paths for one in _of_text(files, path, budget)]


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _of_text(files: Mapping[str, Source], path: str, budget: Budget) -> Iterator[Finding]:
    if _name(path) == _MLFLOW:
        yield from mlflow.nested(files, path, budget)
        return
    if _name(path) == _PICKLER:
        module = whole(files[path], budget, clean(path)).decode(errors="replace").strip()
        if module not in _PICKLERS:
            yield Finding(Severity.CODE, clean(f"{path} imports {module}"))
        return
    if _name(path) == _PARTS:
        steps = listed(read_json(whole(files[path], budget, clean(path)), budget, clean(path)))
        for kind in (text(entries(step).get("type")) for step in steps):
            if kind and kind.partition(".")[0] not in _OWN:
                yield Finding(Severity.CODE, clean(f"{path} imports {kind}"))
        return
    if path.lower().endswith(_TEMPLATES):
        yield from _templates(path, [whole(files[path], budget, clean(path)).decode(errors="replace")])
        return
    config = configuration(files, path, budget)
    if "auto_map" in config and config["auto_map"] is not None:
        names = sorted({clean(name) for name in _strings(config["auto_map"])})
        some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        yield Finding(Severity.CODE, clean(f"{path} takes classes from a program (trust_remote_code): {some}"))
    library = text(entries(config.get("auto_mapping")).get("parent_library"))
    if library and library.partition(".")[0] not in _OWN:
        yield Finding(Severity.CODE, clean(f"{path} imports {library}"))
    yield from _templates(path, _strings(config.get("chat_template")))


def _templates(path: str, templates: Iterator[str] | list[str]) -> Iterator[Finding]:
    for one in templates:
        found = judge_template(one)
        if found is not None:
            yield Finding(found.severity, clean(f"{path}: {found.what}"))


def _strings(value: object) -> Iterator[str]:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)

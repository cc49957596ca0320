"""Read a folder as one model: the layout of Hugging Face, an MLflow model, or any folder of model files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.documents import huggingface, loader_code, mlflow
from modelvc.modelfiles.facts import Finding, Import, ModelFacts, Severity, clean, most
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.modelfiles.documents.layouts import Read
    from modelvc.modelfiles.source import Budget, Source

# Texts around a model. They are looked at like all files, and named only if they are model files.
_TEXTS = (
    ".json", ".jsonl", ".yaml", ".yml", ".txt", ".md", ".toml", ".cfg", ".csv", ".tsv", ".jinja", ".html", ".xml",
    ".vocab", ".gitattributes", "MLmodel", "LICENSE",
)  # fmt: skip
_CODE = (".py", ".pyc", ".so", ".dll", ".dylib", ".pyd", ".whl", ".egg", ".jar", ".sh", ".ipynb")
_NAMED = 3  # files that one note names
_MOST = 1000  # findings and notes of all files together


class FolderFacts(NamedTuple):
    """The facts of a folder as one model, and of each model file in it."""

    summary: ModelFacts
    files: tuple[tuple[str, ModelFacts], ...]


def inspect_folder(files: Mapping[str, Source], budget: Budget) -> ModelFacts:
    """Return what the folder of FILES is as one model. FILES: a source for each relative path."""
    return read_folder(files, budget).summary


def read_folder(files: Mapping[str, Source], budget: Budget) -> FolderFacts:
    """Return what the folder of FILES is, and each model file in it. Raises OutOfTime if the budget's time is up."""
    try:
        budget.open_members(len(files))
    except Unreadable as error:
        return FolderFacts(ModelFacts("folder", unreadable=clean(error)), ())
    found = tuple((path, inspect(files[path], budget)) for path in sorted(files))
    known = tuple((path, facts) for path, facts in found if facts.format != "unknown")
    layout = next((one for one in (mlflow, huggingface) if one.is_layout(files)), None)
    if layout is None:
        summary = _plain(known)
    else:
        try:
            summary = layout.read(files, known, budget)
        except OutOfTime:
            raise
        except Unreadable as error:
            summary = ModelFacts(layout.NAME, unreadable=clean(error))
    try:
        summary = replace(summary, findings=(*summary.findings, *loader_code.findings(files, budget)))
    except OutOfTime:
        raise
    except Unreadable as error:
        summary = replace(summary, unreadable=summary.unreadable or clean(error))
    others = [path for path, facts in found if facts.format == "unknown" and not path.endswith(_TEXTS + _CODE)]
    return FolderFacts(_together(summary, known, sorted(files), others), known)


def _plain(known: Sequence[Read]) -> ModelFacts:
    """Return what a folder without a layout says as a whole: what its only model file says, if it has one."""
    if not known:
        return ModelFacts("unknown")
    if len(known) > 1:
        return ModelFacts("folder")
    only = known[0][1]
    return replace(only, format="folder", tensors=(), imports=(), findings=(), notes=(), content="", unreadable="")


def _together(summary: ModelFacts, known: Sequence[Read], paths: Sequence[str], others: Sequence[str]) -> ModelFacts:
    """Return SUMMARY with what all files say: tensors, imports, findings, notes, and why one is unreadable."""
    imports = {one.name: one.use for one in summary.imports}
    findings, notes, bad = list(summary.findings), list(summary.notes), summary.unreadable
    for path, facts in known:
        name = clean(path)
        for one in facts.imports:
            imports[one.name] = most(imports.get(one.name), one.use)
        findings += [Finding(one.severity, clean(f"{name}: {one.what}")) for one in facts.findings]
        notes += [clean(f"{name}: {one}") for one in facts.notes]
        if facts.unreadable and not bad:
            bad = clean(f"{name}: {facts.unreadable}")
    findings += [Finding(Severity.CODE, clean(f"{path} is code")) for path in paths if path.lower().endswith(_CODE)]
    if others:
        names = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        count = f"{len(others):,} {'file' if len(others) == 1 else 'files'}"
        notes.append(clean(f"{count} of no format that is read: {names}"))
    numbers = [facts.parameters for _, facts in known if facts.parameters is not None]
    return replace(
        summary,
        figures=(*summary.figures, ("files", len(paths))),
        parameters=sum(numbers) if numbers else summary.parameters,
        tensors=tuple(one._replace(member=clean(path)) for path, facts in known for one in facts.tensors),
        imports=tuple(sorted(Import(name, use) for name, use in imports.items())),
        # What only an attack does comes first, if not all can be kept.
        findings=tuple(sorted(findings, key=lambda one: one.severity is not Severity.KNOWN_BAD)[:_MOST]),
        notes=tuple(notes[:_MOST]),
        unreadable=bad,
    )

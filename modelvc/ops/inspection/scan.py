"""Judge what loading models would run, and let a project's own names be imported."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, IntegrityError, NotFoundError, UsageError, shown
from modelvc.formats.paths import is_pointer
from modelvc.formats.text.scan_rules import ScanRules
from modelvc.git import history
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.name_list import NameList, shipped
from modelvc.modelfiles.verdict import UNKNOWN_FORMAT, Kind, judge
from modelvc.models.inside import trusted
from modelvc.models.inside.facts import facts_of
from modelvc.models.inside.loose import facts_at
from modelvc.models.inside.trusted import TrustedName
from modelvc.models.policy import policy_at, read_policy
from modelvc.models.versions.pointers import pointers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.facts import Use
    from modelvc.modelfiles.verdict import Verdict
    from modelvc.repo import Repo

PATIENCE = 300.0  # seconds for one model


@dataclass(frozen=True, slots=True)
class ScannedImport:
    """A name that loading the model imports. `use`: the most that is done with it; `listed`: the list allows that."""

    name: str
    use: str
    listed: bool


@dataclass(frozen=True, slots=True)
class ScannedModel:
    """One model. `refused`: whether the policy refuses its verdict. `class_name`: of the object that it holds, "" if
    unknown. `tracked`: whether mvc tracks it.

    `reasons`: what decided the verdict, the worst first. `findings`: tricks and programs in the file. `notes`: what
    else a reader should know. `unreadable`: why the file could not be read to its end.
    """

    path: str
    oid: str
    verdict: str
    refused: bool
    reasons: tuple[str, ...]
    format: str = ""
    class_name: str = ""
    imports: tuple[ScannedImport, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unreadable: str = ""
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class Scanned:
    """The models, sorted by path. `commit`: "" for the worktree's pointers; `list_from`: the commit whose trusted
    imports and policy held, "" for those of this clone.

    `missing`: models whose bytes this clone lacks. `ignored`: why .mvc/trusted-imports.toml was ignored, "" if it was
    not. `refuse`: verdicts that the policy refuses.
    """

    models: tuple[ScannedModel, ...]
    refuse: tuple[str, ...]
    commit: str = ""
    list_from: str = ""
    missing: tuple[str, ...] = ()
    ignored: str = ""

    @property
    def refused(self) -> tuple[ScannedModel, ...]:
        """The models whose verdict the policy refuses."""
        return tuple(model for model in self.models if model.refused)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Names that `mvc scan --allow` added, sorted; none if all were allowed before."""

    added: tuple[TrustedName, ...]


def scan(
    repo: Repo,
    rev: str = "",
    paths: Sequence[str] = (),
    *,
    list_from: str = "",
    on_model: Callable[[str], None] = lambda _: None,
) -> Scanned:
    """Judge the models in PATHS (default: all) of the worktree, or of REV. Bytes are read from this clone alone.

    Without REV, a path may also be a file or folder that is not tracked: it is read as it is.
    LIST_FROM: a revision whose trusted imports and policy hold, in the place of those that this clone accepted.
    ON_MODEL is called with the path of each model before it is read.
    """
    loose = {} if rev else _untracked(repo, paths)
    if not paths or len(loose) < len(paths):
        repo.require_init()
    commit = history.resolve(repo.layout, rev) if rev else ""
    base = history.resolve(repo.layout, list_from) if list_from else ""
    rules = (policy_at(repo, base) if base else read_policy(repo)).scan
    names = trusted.names_in_force(repo, base)
    found: list[ScannedModel] = []
    missing: list[str] = []
    for text, (name, file) in loose.items():
        on_model(text)
        found.append(_scanned(name, "", facts_at(file, seconds=PATIENCE), names.listed))
    models = [path for path in paths if path not in loose]
    good, broken = pointers_of(repo, commit) if models or not paths else ({}, {})
    for path in repo.selected(models, [*good, *broken]):
        on_model(path)
        if path in broken:
            why = f"its pointer cannot be read: {broken[path]}"
            found.append(ScannedModel(path, "", Kind.UNREADABLE.value, refused=False, reasons=(why,), unreadable=why))
        elif (facts := _facts(repo, path, good[path])) is None:
            missing.append(path)
        else:
            found.append(_scanned(path, str(good[path].oid), facts, names.listed))
    return Scanned(_sorted(found, rules), rules.refuse, commit, base, tuple(missing), names.ignored)


def scan_files(paths: Sequence[str], folder: str) -> Scanned:
    """Judge files and folders outside of a repository, by the list that ships. PATHS are relative to FOLDER.

    Raises NotFoundError for a path that does not exist.
    """
    found: list[ScannedModel] = []
    for path in dict.fromkeys(paths):
        file = os.path.join(folder, path)
        if not os.path.exists(file):
            raise NotFoundError(f"there is no file {shown(path)}", hint="check the name")
        found.append(_scanned(path, "", facts_at(file, seconds=PATIENCE), shipped()))
    rules = ScanRules()
    return Scanned(_sorted(found, rules), rules.refuse)


def _sorted(found: Sequence[ScannedModel], rules: ScanRules) -> tuple[ScannedModel, ...]:
    judged = (replace(model, refused=rules.refuses(model.verdict)) for model in found)
    return tuple(sorted(judged, key=lambda model: model.path))


def _untracked(repo: Repo, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return those of PATHS that exist and name no tracked model: each with its name in reports and its absolute path.

    The name is relative to the worktree, or absolute if the file lies outside of it.
    """
    found: dict[str, tuple[str, str]] = {}
    tracked = repo.tracked() if paths else []
    for text in paths:
        file = repo.absolute(text)
        try:
            name = repo.inside(text)
        except UsageError:
            name = file
        known = not name or name in tracked or any(path.startswith(name + "/") for path in tracked)
        if not known and not is_pointer(name) and os.path.exists(file):
            found[text] = (name, file)
    return found


def _facts(repo: Repo, path: SafeRelPath, pointer: Pointer) -> ModelFacts | None:
    """Return what is inside the version of POINTER; None if neither the store nor the file at PATH has its bytes."""
    try:
        return facts_of(repo, pointer, path=path, seconds=PATIENCE)
    except IntegrityError as error:
        return ModelFacts(UNKNOWN_FORMAT, unreadable=str(error))
    except NotFoundError:
        return None


def _scanned(path: str, oid: str, facts: ModelFacts, listed: NameList) -> ScannedModel:
    """Return the verdict on FACTS of the model at PATH. OID is "" if it is not tracked."""
    verdict: Verdict = judge(facts, listed)
    imports = tuple(ScannedImport(one.name, one.use.value, listed.allows(*one)) for one in facts.imports)
    return ScannedModel(
        path=path,
        oid=oid,
        verdict=verdict.kind.value,
        refused=False,
        reasons=verdict.reasons,
        format=facts.format,
        class_name=facts.class_name,
        imports=imports,
        findings=tuple(one.what for one in facts.findings),
        notes=facts.notes,
        unreadable=facts.unreadable,
        tracked=bool(oid),
    )


def allow(repo: Repo, paths: Sequence[str]) -> Allowed:
    """Add the names that the models in PATHS import, and that are not listed, to the trusted imports of the repository.

    Raises ConflictError for a model that does more than to import names: no list can allow that.
    """
    repo.require_init()
    wanted: dict[str, Use] = {}
    with repo.updating():
        listed = trusted.names_in_force(repo).listed
        for model in repo.selected(paths, repo.tracked()):
            facts = _facts(repo, model, repo.pointer(model))
            if facts is None:
                raise NotFoundError(f"{shown(model)} is not in this clone", hint=f"run `mvc fetch -- {shown(model)}`")
            verdict = judge(facts, listed)
            if verdict.bad or verdict.unreadable or verdict.code:
                raise ConflictError(
                    f"{shown(model)} is {verdict.kind.value}, which no list of names can allow: {verdict.reasons[0]}",
                    hint=f"see all of it with `mvc scan {shown(model)}`",
                )
            more = {one.name: one.use for one in facts.imports if not listed.allows(*one)}
            wanted = dict(NameList(wanted).with_names(more).names)
        added = trusted.allow(repo, wanted) if wanted else ()
    return Allowed(tuple(TrustedName(name, wanted[name].value) for name in added))

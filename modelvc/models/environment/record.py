"""The environment to record for a version: from what the version imports, and what a Python has installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, shown
from modelvc.formats.pointer.environment import Environment, Package
from modelvc.modelfiles.facts import Severity
from modelvc.models.environment.resolve import modules_of
from modelvc.models.environment.versions import equal

if TYPE_CHECKING:
    from modelvc.formats.pointer.environment import LockFile
    from modelvc.ids import Oid
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.models.environment.asked import AskedPythons

# The module that loads models of a framework, by the framework's name in lower case.
_FRAMEWORKS = {
    "scikit-learn": "sklearn", "imbalanced-learn": "imblearn", "pytorch": "torch",
    "catboost": "catboost", "keras": "keras", "lightgbm": "lightgbm", "skops": "skops", "statsmodels": "statsmodels",
    "tensorflow": "tensorflow", "torch": "torch", "transformers": "transformers", "xgboost": "xgboost",
}  # fmt: skip
# Formats that other programs than Python read as well: such a version names no package, whatever wrote it.
_FREE = frozenset({"onnx", "safetensors", "gguf", "npy", "npz", "unknown"})
_PICKLES = frozenset({"pickle", "joblib"})


class Record(NamedTuple):
    """What to write into the pointer. `note`: words for the user about an environment that is not recorded."""

    environment: Environment | None
    note: str = ""


NOTHING = Record(None)


def modules_needed(facts: ModelFacts) -> set[str]:
    """Return the top modules, outside of the standard library, that loading a version of FACTS needs."""
    found = modules_of(one.name for one in facts.imports)
    own = _FRAMEWORKS.get(facts.framework.casefold(), "") if facts.format not in _FREE else ""
    return found | ({own} if own else set()) | ({"skops"} if facts.format == "skops" else set())


def holds_bytecode(facts: ModelFacts) -> bool:
    """Return True if the version holds byte code of Python, which only one minor version runs."""
    names = [one.name for one in facts.imports]
    if any(name in {"types.CodeType", "marshal.loads"} or name.startswith("cloudpickle.") for name in names):
        return True
    if any(name.startswith("dill.") and name.endswith(("_create_code", "_create_function")) for name in names):
        return True
    return facts.format == "keras" and any(one.severity is Severity.CODE for one in facts.findings)  # Lambda layers


def record(asked: AskedPythons, oid: Oid, facts: ModelFacts, lock: LockFile | None) -> Record:
    """Return the environment of the version OID of FACTS, in the Python that has its packages."""
    modules = modules_needed(facts)
    answer = asked.with_modules(modules) if modules else None
    if not modules or facts.unreadable:
        return NOTHING
    wanted = _FRAMEWORKS.get(facts.framework.casefold(), "")
    if answer is None or not answer.packages.needs or wanted in answer.packages.modules:
        who = shown(answer.candidate.python) if answer and asked.named else "no Python here"
        what = facts.framework or " or ".join(sorted(modules)[:3])
        return Record(None, f"{who} has {'no ' if who != 'no Python here' else ''}{shown(what)}, {_NOT}")
    found = answer.packages.found
    said = _said(facts)
    name = next((one.name for one in found.values() if said and said in one.modules), "")
    if name and facts.version and not equal(facts.version, found[name].version):
        return Record(
            None,
            f"it was made with {name} {shown(facts.version)}, and {shown(answer.candidate.python)} has "
            f"{shown(found[name].version)}, {_NOT}",
        )
    installed = answer.installed
    try:
        made = Environment(
            oid,
            installed.python,
            installed.implementation,
            installed.platform,
            installed.machine,
            installed.libc,
            bytecode=holds_bytecode(facts),
            needs=answer.packages.needs,
            packages=tuple(Package(one, found[one].version) for one in sorted(found)),
            direct=tuple(one for one in sorted(found) if found[one].direct),
            lock=lock,
        )
    except FormatError as error:
        return Record(None, f"its environment is not recorded: {error}")
    return Record(made)


_NOT = "so no environment is recorded: name the Python that made it with --python, or use --no-env"


def _said(facts: ModelFacts) -> str:
    """Return the module whose version `facts.version` is. A pickle says that of scikit-learn, whatever it holds."""
    if facts.format in _PICKLES and "sklearn" in modules_of(one.name for one in facts.imports):
        return "sklearn"
    return _FRAMEWORKS.get(facts.framework.casefold(), "")

"""What a Keras configuration builds and calls: the names it imports, and layers that hold or load code.

Keras makes an object of each part with `class_name` and `config`. It takes any name of its own modules, `get_file` and
`load_model` among them, and imports any other module that the file names.
"""

from __future__ import annotations

import re

from modelvc.modelfiles.documents.building import entries, text
from modelvc.modelfiles.facts import Finding, Import, Severity, Use, clean, most

_MOST = 1000  # findings
# Modules of Keras whose classes compute, and neither load, write nor run anything, but for those of _RUN. Keras
# writes some classes with the module that defines them, below keras.src.
_MODULE = re.compile(
    r"keras\.(?:activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|optimizers"
    r"|optimizers\.schedules|quantizers|random|regularizers)"
    r"|keras\.src\.(?:activations|backend|constraints|dtype_policies|initializers|layers|losses|metrics|models|optimizers"
    r"|quantizers|random|regularizers)(?:\.[a-z0-9_]+)*"
)
_CLASS = re.compile(r"[A-Z][A-Za-z0-9_]*")
_TOP = frozenset({"Sequential", "Model", "Functional", "DTypePolicy", "Variable", "KerasTensor", "Layer"})  # of keras
_FUNCTIONS = frozenset({"keras.activations", "keras.losses", "keras.metrics"})  # modules whose functions compute
_DATA = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"})
_RUN = {
    "Lambda": "a Lambda layer holds Python code",
    "TFSMLayer": "a TFSMLayer loads a SavedModel",
    "TorchModuleWrapper": "a TorchModuleWrapper loads a pickled module",
    "JaxLayer": "a JaxLayer calls a function of its own",
    "FlaxLayer": "a FlaxLayer calls a module of its own",
}
_FILES = {"vocabulary", "idf_weights"}  # arguments that may be the path of a file


class Code:
    """The names that a configuration imports, and what it finds."""

    def __init__(self) -> None:
        self._imports: dict[str, Use] = {}
        self._findings: dict[Finding, None] = {}

    def imports(self) -> tuple[Import, ...]:
        return tuple(sorted(Import(name, use) for name, use in self._imports.items()))

    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)

    def look(self, value: object) -> None:
        """Look at all parts of a configuration."""
        left = [value]
        while left:
            one = left.pop()
            if isinstance(one, dict):
                if "class_name" in one:
                    self._object(one)
                left.extend(part for part in one.values() if isinstance(part, dict | list))
            elif isinstance(one, list):
                left.extend(part for part in one if isinstance(part, dict | list))

    def _object(self, one: dict[str, object]) -> None:
        kind, module, registered = (text(one.get(key)) for key in ("class_name", "module", "registered_name"))
        config = one.get("config")
        if kind in _DATA:
            return
        if kind == "__lambda__":
            self._find("a function is stored as Python code")
        elif kind == "function":
            self._import(module, text(config), registered, Use.REFERRED)
        else:
            if kind == "__typespec__":
                kind = text(one.get("spec_name"))
            self._import(module, kind, registered, Use.CONSTRUCTED)
            name = clean(text(entries(config).get("name")))
            for risky, what in _RUN.items():
                if risky in {kind, registered.rpartition(">")[2]}:
                    self._find(f"{what} ({name})" if name else what)
            for key in _FILES & entries(config).keys():
                if isinstance(entries(config)[key], str):
                    self._find(f"{clean(kind)} reads the file {clean(entries(config)[key])}")

    def _import(self, module: str, name: str, registered: str, use: Use) -> None:
        """Take a name, unless it is a class of Keras that computes alone."""
        if registered in {"", name}:
            computes = _MODULE.fullmatch(module) is not None or (module == "keras" and name in _TOP)
            if use is Use.CONSTRUCTED and computes and _CLASS.fullmatch(name):
                return
            if use is Use.REFERRED and module in _FUNCTIONS:
                return
        full = clean(f"{module}.{name}" if module else registered or name)
        self._imports[full] = most(self._imports.get(full), use)

    def _find(self, what: str) -> None:
        if len(self._findings) < _MOST:
            self._findings[Finding(Severity.CODE, what)] = None

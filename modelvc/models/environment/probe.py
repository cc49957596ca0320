"""Print as JSON what the Python that runs this script has installed. `interpreter.py` starts it, and reads the output.

It runs in the user's Python as `PYTHON -I -S PROBE`: Python 3.8 and later, the standard library alone. It takes little
of that, since it runs beside each `mvc add`. It imports nothing that it finds, and runs no start-up file: no line of
code in a `.pth`, no sitecustomize, which may belong to a project.
"""

from __future__ import annotations

import os
import site
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = 1
_METADATA = 1 << 18  # bytes read of one METADATA; its fields come before the description
_RECORD = 1 << 25  # bytes read of one RECORD
_BLANK = b"\n\n"
_SUFFIXES = (".dist-info", ".egg-info")
_SITES = ("site-packages", "dist-packages")


def main() -> None:
    """Write the facts to stdout."""
    sys.stdout.write(_json(facts(folders())) + "\n")


def folders() -> list[tuple[str, bool]]:
    """Return the folders of packages that this Python would search, and whether a `.pth` file named each."""
    given = os.environ.get("PYTHONPATH", "")  # noqa: TID251 - it runs in a process of its own
    found = [(path, False) for path in given.split(os.pathsep) if os.path.isabs(path)]
    for path in _sites():
        found.append((path, False))
        for name in _names(path):
            if name.endswith(".pth"):
                found += [(one, True) for one in _linked(path, _read(os.path.join(path, name), _METADATA))]
    return found


def _sites() -> list[str]:
    here = os.path.dirname(sys.executable or "")
    homes = [home for home in (here, os.path.dirname(here)) if os.path.isfile(os.path.join(home, "pyvenv.cfg"))]
    found = []
    for home in homes[:1]:  # a virtual environment
        lib = os.path.join(home, "lib")
        found = [os.path.join(lib, name, _SITES[0]) for name in _names(lib) if name.startswith(("python", "pypy"))]
    if not homes or _sees_system(_read(os.path.join(homes[0], "pyvenv.cfg"), _METADATA)):
        if "PYTHONNOUSERSITE" not in os.environ:  # noqa: TID251 - it runs in a process of its own
            found.append(site.getusersitepackages())
        found += site.getsitepackages([sys.base_prefix, sys.base_exec_prefix])
    return found


def _sees_system(config: str) -> bool:
    pairs = (line.partition("=") for line in config.splitlines())
    values = {key.strip().lower(): value.strip().lower() for key, _, value in pairs}
    return values.get("include-system-site-packages") == "true"


def _linked(path: str, text: str) -> Iterator[str]:
    """Yield the folders that a `.pth` file names."""
    for line in text.splitlines():
        if line.strip() and not line.startswith(("#", "import ", "import\t")):
            one = os.path.join(path, line.strip())
            if "\0" not in one and os.path.isdir(one):
                yield one


def facts(searched: Iterable[tuple[str, bool]]) -> dict[str, object]:
    """Return facts about this Python, and the distributions in SEARCHED: the first of each name, as in an import."""
    system = os.uname()
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[3] != "final":
        version += {"alpha": "a", "beta": "b"}.get(sys.version_info[3], "rc") + str(sys.version_info[4])
    name = sys.implementation.name
    found: dict[str, list[object]] = {}
    for folder, linked in searched:
        editable = linked and os.path.basename(folder) not in _SITES
        for key, one in _distributions(folder, editable=editable):
            found.setdefault(key, one)
    return {
        "probe": VERSION,
        "python": version,
        "implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(name, name),
        "platform": sys.platform,
        "machine": system[4],
        "libc": _libc(),
        "executable": sys.executable or "",
        "system": [system[0], system[2], system[3], os.name],
        "distributions": list(found.values()),
    }


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return "musl" if "musl" in getattr(sys.implementation, "_multiarch", "") else ""


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (OSError, ValueError):
        return []


def _distributions(folder: str, *, editable: bool) -> Iterator[tuple[str, list[object]]]:
    """Yield name and [name, version, modules, values of Requires-Dist, whether it came from no index]."""
    for base in _names(folder):
        if not base.endswith(_SUFFIXES):
            continue
        path = os.path.join(folder, base)
        wheel = base.endswith(_SUFFIXES[0])
        fields = _read(os.path.join(path, "METADATA" if wheel else "PKG-INFO"), _METADATA, _BLANK)
        fields = fields or ("" if wheel else _read(path, _METADATA, _BLANK))
        head = "\n" + fields.replace("\r", "").partition("\n\n")[0]
        name, version = _normalised(_field(head, "Name")), _field(head, "Version")
        if name and version:
            requires = [one.partition("\n")[0].strip() for one in head.split("\nRequires-Dist:")[1:]]
            direct = editable or (wheel and _came_from_no_index(path))
            yield name, [name, version, _modules(path, wheel=wheel), requires, direct]


def _field(head: str, name: str) -> str:
    return head.partition("\n" + name + ":")[2].partition("\n")[0].strip()


def _normalised(name: str) -> str:
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def _came_from_no_index(path: str) -> bool:
    if not os.path.exists(os.path.join(path, "direct_url.json")):
        return False
    return _read(os.path.join(path, "INSTALLER"), 100).strip() != "conda"  # builders of its packages leave that file


def _modules(path: str, *, wheel: bool) -> list[str]:
    """Return the top modules of a distribution."""
    found = set(_read(os.path.join(path, "top_level.txt"), _METADATA).split())
    if not found and wheel:
        found = _recorded(_read(os.path.join(path, "RECORD"), _RECORD))
    return sorted(one.replace("/", ".") for one in found)


def _recorded(text: str) -> set[str]:
    """Return the top modules of a RECORD, whose lines are sorted: a path, a comma, more."""
    found = set()
    at = 0
    while at < len(text):
        end = _line_end(text, at)
        path = text[at:end].partition(",")[0]
        top, slash, _ = path.partition("/")
        if slash:
            last = text.rfind("\n" + top + "/", at)  # skip its other files
            end = _line_end(text, last + 1) if last >= 0 else end
            if "." not in top and top != "__pycache__":
                found.add(top)
        elif top.endswith((".py", ".so", ".pyd")) and not top.startswith("__editable__"):
            found.add(top.partition(".")[0])
        at = end + 1
    return found


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _read(path: str, most: int, end: bytes = b"") -> str:
    """Return the first MOST bytes of a file as text, "" if it cannot be read. END: stop once these bytes were read."""
    parts = []
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            while most > 0:
                data = os.read(fd, min(most, 1 << 13 if end else 1 << 20))
                parts.append(data)
                most -= len(data)
                if not data or (end and end in data):
                    break
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return ""
    return b"".join(parts).decode("utf-8", "replace")


def _json(value: object) -> str:
    """Return VALUE as JSON in ASCII. The module `json` would take as long to import as all the rest here."""
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        units = value.encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4)) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(_json(key) + ": " + _json(one) for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_json, value)) + "]"
    raise TypeError(value)


if __name__ == "__main__":
    main()

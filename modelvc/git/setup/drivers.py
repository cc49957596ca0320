"""Set up the filters, diff drivers and merge drivers of this clone: its configuration, and the files that it calls."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.atomic import TEMPORARY, write_atomically
from modelvc.git.run import git, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from modelvc.git.layout import Layout

Mode: TypeAlias = Literal["filter", "hook", "both", "off"]

MODES: tuple[Mode, ...] = ("filter", "hook", "both", "off")
_MODE = "mvc.notebooks"
_SCRIPT = "driver.sh"
_PACKAGE, _LIB = "package", "lib"
# Git finds this script from any folder, also after the clone has moved, in linked worktrees and in submodules.
_RUN = 'sh "$(git rev-parse --git-common-dir)/mvc/driver.sh"'
_SIDES = "%O %A %B %L %P %X %Y"  # %X and %Y are the sides' names; Git before 2.44 passes them unchanged
_ALWAYS = {
    "merge.mvc-pointer.name": "pointers of modelvc",
    "merge.mvc-pointer.driver": f"{_RUN} merge-pointer {_SIDES}",
    "merge.mvc-pointer.recursive": "binary",  # a text merge of the bases would put markers into a pointer
    "diff.mvc-pointer.textconv": f"{_RUN} pointer",
    "difftool.mvc.cmd": f'{_RUN} difftool "$LOCAL" "$REMOTE" "$MERGED"',
}
_VIEWS = {
    "diff.mvc-notebook.textconv": f"{_RUN} textconv",
    "diff.mvc-notebook.xfuncname": "^(%% .*)$",
    # A punctuation character is a word of its own. In the locale C, [:alnum:] would cut letters into bytes.
    "diff.mvc-notebook.wordregex": "[^[:punct:][:space:]]+|[[:punct:]]",
    "merge.mvc-notebook.name": "notebooks, by modelvc",
    "merge.mvc-notebook.driver": f"{_RUN} merge {_SIDES}",
    "merge.mvc-notebook.recursive": "binary",
}
_FILTER = {
    "filter.mvc-notebook.process": f"{_RUN} filter",
    "filter.mvc-notebook.clean": f"{_RUN} clean %f",
    "filter.mvc-notebook.smudge": f"{_RUN} smudge %f",
    "filter.mvc-notebook.required": "true",
}
# The notebook drivers load these packages and modules, and no others. An import contract keeps them on the standard
# library.
_COPIED_PACKAGES = ("drivers/notebooks", "formats", "formats/pointer", "notebook")
_COPIED_MODULES = (
    "__init__", "atomic", "errors", "ids", "drivers/__init__", "drivers/say", "drivers/script", "drivers/utf8",
    "git/__init__", "git/cat_file", "git/index_blobs", "git/layout", "git/merge_sides", "git/mergefile", "git/run",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DriverState:
    """The drivers of a clone. `missing`: settings that are absent or differ. `outdated`: True if a file differs."""

    mode: Mode
    missing: tuple[str, ...]
    outdated: bool


def chosen(layout: Layout) -> Mode | None:
    """Return the mode for notebooks that this clone was set up with, or None."""
    found = _settings(layout).get(_MODE)
    return next((one for one in MODES if one == found), None)


def install(layout: Layout, wanted: Mode) -> None:
    """Set up the drivers of this clone. Another call changes nothing."""
    wanted_files = dict(_files())
    for name, data in wanted_files.items():
        path = os.path.join(layout.mvc_dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, data)
    _remove_old_copies(layout.mvc_dir, wanted_files.keys())
    have = _settings(layout)
    settings = _wanted(wanted)
    for section in {_section(key) for key in (*_VIEWS, *_FILTER)} - {_section(key) for key in settings}:
        _remove(layout, section, have)
    for key, value in settings.items():
        if have.get(key) != value:
            git(layout, "config", "--local", "--replace-all", key, value)


def uninstall(layout: Layout) -> None:
    """Remove the settings and files of the drivers. Kept outputs stay."""
    have = _settings(layout)
    for section in {_section(key) for key in (*_ALWAYS, *_VIEWS, *_FILTER)}:
        _remove(layout, section, have)
    if _MODE in have:
        run(layout, "config", "--local", "--unset-all", _MODE)
    for name in (_SCRIPT, _PACKAGE):
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(layout.mvc_dir, name))
    shutil.rmtree(os.path.join(layout.mvc_dir, _LIB), ignore_errors=True)


def inspect(layout: Layout) -> DriverState:
    """Return the state of this clone's drivers. Changes nothing."""
    have = _settings(layout)
    now = chosen(layout) or "off"
    missing = [key for key, value in _wanted(now).items() if have.get(key) != value]
    outdated = any(_read(os.path.join(layout.mvc_dir, name)) != data for name, data in _files())
    return DriverState(now, tuple(missing), outdated)


def filters(layout: Layout) -> bool:
    """Return True if Git strips notebooks when they are added."""
    return chosen(layout) in {"filter", "both"}


def _wanted(wanted: Mode) -> dict[str, str]:
    views = _VIEWS if wanted != "off" else {}
    filtering = _FILTER if wanted in {"filter", "both"} else {}
    return {**_ALWAYS, **views, **filtering, _MODE: wanted}


def _settings(layout: Layout) -> dict[str, str]:
    """Return the settings of this clone by name, as Git writes it: section and key in lower case."""
    _, out, _ = run(layout, "config", "--local", "-z", "--get-regexp", r"^(filter|diff|merge|difftool)\.mvc|^mvc\.")
    return dict(line.partition("\n")[::2] for line in os.fsdecode(out).split("\0") if line)


def _remove(layout: Layout, section: str, have: dict[str, str]) -> None:
    if any(_section(key) == section for key in have):
        git(layout, "config", "--local", "--remove-section", section)


def _section(key: str) -> str:
    return key.rpartition(".")[0]


def _files() -> Iterator[tuple[str, bytes]]:
    """Yield path below .git/mvc and content of each file: the script, the package's path, and copies of modules.

    The copies serve while the installed package is missing.
    """
    from importlib.resources import files

    package = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
    yield _SCRIPT, files("modelvc._hooks").joinpath(_SCRIPT).read_bytes()
    yield _PACKAGE, os.fsencode(package) + b"\n"
    for name in copied(os.path.join(package, "modelvc")):
        yield f"{_LIB}/modelvc/{name}", _read(os.path.join(package, "modelvc", name))


def copied(package: str) -> list[str]:
    """Return the files of modelvc that are copied into clones, as paths below PACKAGE, its folder."""
    found = [f"{name}.py" for name in _COPIED_MODULES]
    for folder in _COPIED_PACKAGES:
        found += [f"{folder}/{name}" for name in os.listdir(os.path.join(package, folder)) if name.endswith(".py")]
    return sorted(found)


def _remove_old_copies(mvc_dir: str, wanted: Collection[str]) -> None:
    """Delete files that another release copied: two modules of one name would make an import ambiguous."""
    lib = os.path.join(mvc_dir, _LIB)
    if os.path.islink(lib):  # what lies behind it is not ours
        return
    for folder, _, names in os.walk(lib, topdown=False):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, mvc_dir) not in wanted and not name.startswith(TEMPORARY):
                with suppress(FileNotFoundError):  # a driver at work replaces its compiled files
                    os.unlink(path)
        with suppress(OSError):  # not empty
            os.rmdir(folder)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _write(path: str, data: bytes) -> None:
    """Replace the file PATH unless it holds DATA: Git may be running it."""
    if _read(path) != data:
        write_atomically(path, data)

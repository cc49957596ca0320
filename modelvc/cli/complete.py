"""Complete a command line for a shell: commands, options, models, revisions, metrics and remotes.

The scripts that `mvc completion` prints call `mvc complete` at each press of TAB. It prints one candidate a line. The
metavar of an option or argument tells what it takes. Names with control characters are left out.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelvc.cli.catalog import COMMANDS, GROUPS
from modelvc.cli.context import FORMATS, MORE_FORMATS, formats_for, take_globals
from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from modelvc.repo import Repo

_GLOBALS = ("--repo", "--json", "--md", "--format", "-q", "--quiet", "-v", "--verbose", "-h", "--help")
_FILES = {"add", "get", "notebook"}  # their PATH is a file: the shell completes it
_KIND = re.compile(r"NAME=VALUE|FORMAT=|[A-Z]+")
_MOST_MODELS = 200  # whose metrics are read


def run(argv: Sequence[str]) -> int:
    """Print the candidates for `--word=WORD -- WORDS BEFORE IT`, or `--bash=FRAGMENT -- LINE`. Return 0.

    LINE is the command line up to the cursor. FRAGMENT is the end of its last word, which bash replaces by a candidate
    as it is: candidates for bash are quoted here, since bash itself leaves `$` and `)` of some names alone.
    """
    with suppress(Exception):  # a TAB prints no error
        mode, _, text = argv[0].partition("=")
        if mode == "--bash":
            (*before, word), quote = split_line(argv[2])
            start, quoted = len(word) - len(fragment(word, text)), _QUOTED[quote]
            before = before[1:]
        else:
            before, word, start, quoted = list(argv[2:]), text, 0, str
        found = _candidates([one for one in before if one], word)
        chosen = (one for one in dict.fromkeys(found) if one.startswith(word) and one.isprintable())
        sys.stdout.write("".join(f"{quoted(one[start:])}\n" for one in chosen))
        sys.stdout.flush()
    return 0


_QUOTED: dict[str, Callable[[str], str]] = {  # by the quote that is open
    "": lambda name: re.sub(r"[^\w./:=@%+,-]", r"\\\g<0>", name),
    "'": lambda name: name.replace("'", "'\\''"),
    '"': lambda name: re.sub(r'["\\$`]', r"\\\g<0>", name),
}


def split_line(line: str) -> tuple[list[str], str]:
    """Return the words of LINE without their quotes, and the quote that is open, or "". The last word may be empty."""
    words, word, quote = [], "", ""
    begun = False
    chars = iter(line)
    for char in chars:
        if quote and char == quote:
            quote = ""
        elif char == "\\" and quote != "'":
            following = next(chars, "")
            word += following if not quote or following in '"\\$`' else f"\\{following}"
            begun = True
        elif quote:
            word += char
        elif char in "'\"":
            quote, begun = char, True
        elif char.isspace():
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + char, True
    return [*words, word], quote


def fragment(word: str, raw: str) -> str:
    """Return the end of WORD that RAW, as it was typed, stands for."""
    for text in (raw, split_line(raw)[0][-1]):
        if word.endswith(text):
            return text
    return word


def _candidates(before: Sequence[str], word: str) -> Iterable[str]:
    """Return the candidates for WORD after the words BEFORE it. Some may not begin with WORD."""
    if before[-1:] == ["--repo"]:
        return ()
    if before[-1:] == ["--format"]:
        return formats_for(before)
    left, found = take_globals(before)
    explained = left[:1] == ["help"]
    if explained:
        left = left[1:]
    if not left:
        return (*_GLOBALS, "--version") if word.startswith("-") else COMMANDS
    if explained and left[0] not in GROUPS:
        return ()
    command = _command(left)
    if hasattr(command, "commands"):
        return list(command.commands)
    return () if explained else _Line(command, left, found.folder).candidates(word)


def _command(left: list[str]) -> Any:
    """Return the command that LEFT begins with, and take its words away, but for the first."""
    import typer.main

    from modelvc.cli.app import build

    command: Any = typer.main.get_command(build(left[0])).commands[left[0]]  # type: ignore[attr-defined]
    while len(left) > 1 and hasattr(command, "commands"):
        command = command.commands[left.pop(1)]
    return command


class _Line:
    """A command, and the words after it."""

    def __init__(self, command: Any, left: Sequence[str], folder: str) -> None:
        self._command = command
        self._name, *self._words = left
        self._folder = folder
        self._options = {name: one for one in command.params if one.param_type_name == "option" for name in one.opts}

    def candidates(self, word: str) -> Iterable[str]:
        behind = "--" in self._words
        option = self._options.get(self._words[-1]) if self._words and not behind else None
        if option and not option.is_flag:
            return self._values(option.metavar, word)
        name, equals, _ = word.partition("=")
        if equals and name in self._options and not behind:
            prefix = f"{name}="
            return [prefix + one for one in self._values(self._options[name].metavar, word.removeprefix(prefix))]
        if word.startswith("-") and not behind:
            return [*self._options, *_GLOBALS]
        argument = self._argument()
        found = self._values(argument.metavar, word, behind=behind) if argument else ()
        return [one for one in found if behind or not one.startswith("-")]

    def _argument(self) -> Any:
        """Return the argument that the next word is for, or None."""
        count, words = 0, iter(self._words)
        for word in words:
            option = self._options.get(word)
            if option and not option.is_flag:
                next(words, "")
            count += not word.startswith("-")
        for one in self._command.params:
            if one.param_type_name == "argument":
                if one.nargs != 1 or not count:
                    return one
                count -= 1
        return None

    def _values(self, metavar: str, word: str, *, behind: bool = False) -> Iterator[str]:
        """Yield what METAVAR stands for: its own words in lower case, and names for those in upper case."""
        yield from (one for one in metavar.split("|") if one.islower())
        kinds = set(_KIND.findall(metavar))
        if behind:
            kinds &= {"PATH"}
        elif "[-- PATH" in metavar:
            kinds -= {"PATH"}
        if self._name in _FILES:
            kinds -= {"PATH"}
        if "FORMAT=" in kinds:
            yield from (f"{one}=" for one in (*FORMATS, *MORE_FORMATS.get(self._name, ())))
        if kinds & _NAMES.keys():
            yield from self._names(kinds, word)

    def _names(self, kinds: set[str], word: str) -> Iterator[str]:
        from modelvc.repo import open_repo

        repo = open_repo(self._folder, os.environ)
        prefix = ""
        if "REV" in kinds and ":" in word:
            prefix, kinds = f"{word.partition(':')[0]}:", kinds - {"REV"}
        elif "REV" in kinds and ".." in word:
            prefix, kinds = f"{word.rpartition('..')[0]}..", kinds - {"PATH"}
        for kind, names in _NAMES.items():
            if kind in kinds:
                yield from (prefix + one for one in names(repo, self._folder))


def _models(repo: Repo, folder: str) -> list[str]:
    below = os.path.relpath(os.path.realpath(folder), repo.layout.worktree)
    tracked = repo.tracked()
    return tracked if below == "." else [os.path.relpath(path, below) for path in tracked]


def _revisions(repo: Repo, _folder: str) -> list[str]:
    from modelvc.git.refs import names

    return ["HEAD", *names(repo.layout)]


def _metrics(repo: Repo, _folder: str) -> list[str]:
    found: dict[str, object] = {}
    for path in map(SafeRelPath, repo.tracked()[:_MOST_MODELS]):
        with suppress(ModelvcError):  # a broken pointer
            pointer = repo.pointer(path)
            found.update(pointer.metrics.values if pointer.metrics else ())
    return list(found)


def _assignments(repo: Repo, folder: str) -> list[str]:
    return [f"{name}=" for name in _metrics(repo, folder)]


def _remotes(repo: Repo, _folder: str) -> list[str]:
    return list(repo.config.remotes)


_NAMES: dict[str, Callable[[Repo, str], list[str]]] = {
    "PATH": _models,
    "VERSION": _models,
    "REV": _revisions,
    "METRIC": _metrics,
    "CONDITION": _metrics,
    "NAME=VALUE": _assignments,
    "REMOTE": _remotes,
}

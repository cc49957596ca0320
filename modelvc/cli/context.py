"""The global options of a command line, and the arguments that may be revisions or paths."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.cli.words import below, name_from
from modelvc.errors import AmbiguousRev, ModelvcError, NotFoundError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.repo import Repo

FORMATS = ("text", "json", "md")
MORE_FORMATS = {"check": ("junit", "github", "openmetrics"), "scan": ("junit", "github", "sarif")}  # by command
FOR_EXPORT = ("requirements", "conda", "lock", "pylock")  # more formats of `mvc env export`


@dataclass(slots=True)
class Context:
    """How to answer one command line. `app.run` owns CONTEXT: it calls `begin` once, and commands only read."""

    form: str = "text"
    quiet: bool = False
    verbose: bool = False
    repo: str = "."
    command: str = ""
    behind: list[str] | None = None  # the arguments after `--`, which typer does not report; None without `--`
    below: str = ""  # the user's folder, relative to the top of the worktree

    def begin(self, asked: Context) -> None:
        """Take every value from ASKED: nothing of an earlier command line in this process stays."""
        self.form, self.quiet, self.verbose = asked.form, asked.quiet, asked.verbose
        self.repo, self.command, self.behind, self.below = asked.repo, asked.command, asked.behind, asked.below

    @property
    def json(self) -> bool:
        """True if the answer is JSON."""
        return self.form == "json"

    @property
    def markdown(self) -> bool:
        """True if tables are Markdown."""
        return self.form == "md"

    @property
    def folder(self) -> str:
        """The folder of --repo, else the current folder. Raises NotFoundError if it does not exist."""
        try:
            found = os.path.join(os.getcwd(), self.repo)
        except FileNotFoundError:
            raise NotFoundError("the current folder was removed", hint="change to an existing folder") from None
        if not os.path.isdir(found):
            raise NotFoundError(f"there is no folder {shown(self.repo)}", hint="check the name after --repo")
        return found

    def write(self, file: str, data: bytes, *, force: bool) -> None:
        """Write FILE, relative to the user's folder. FORCE replaces a model, which is stored first.

        Raises NotFoundError if the file's folder is missing, ConflictError for a model without FORCE.
        """
        from modelvc.models.files.output_file import write_file

        path = os.path.join(self.folder, file)
        if not os.path.isdir(os.path.dirname(path)):
            raise NotFoundError(f"there is no folder for {shown(file)}", hint="make it, or name another file")
        replaced = write_file(os.path.abspath(path), data, self.command, force=force)
        if replaced and not self.quiet:
            name = shlex.quote(shown(replaced.path))
            print(
                f"the old content is stored: mvc checkout {str(replaced.oid)[:17]} {name} restores it", file=sys.stderr
            )

    def open(self) -> Repo:
        """Open the repository of the user's folder. Raises NoRepository outside of a worktree."""
        from modelvc.repo import open_repo

        repo = open_repo(self.folder, os.environ)
        self.below = below(self.folder, repo.layout.worktree)
        return repo

    def name(self, path: str) -> str:
        """Return PATH, which is relative to the worktree, relative to the user's folder and safe for a terminal."""
        return name_from(path, self.below)


CONTEXT = Context()


def formats_for(words: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that --format takes in a command line of WORDS."""
    command = next((word for word in words if word in {*MORE_FORMATS, "env"}), "")
    if command == "env":
        return (*FORMATS, *FOR_EXPORT) if "export" in words else FORMATS
    return (*FORMATS, *MORE_FORMATS.get(command, ()))


def take_globals(argv: Sequence[str]) -> tuple[list[str], Context]:
    """Return ARGV without the global options, and their values. They may come before or after the command.

    Raises UsageError for a wrong value.
    """
    found = Context()
    left: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            found.behind = list(words)
            left += [word, *words]
            break
        if word in {"--json", "--md"}:
            found.form = word[2:]
        elif word == "--format" or word.startswith("--format="):
            found.form = word[9:] if "=" in word else (words.pop(0) if words else "")
            known = formats_for((*left, *words))
            if found.form not in known:
                raise UsageError(
                    f"--format takes {', '.join(known)}, not {shown(found.form) or 'nothing'}",
                    hint="try --format json",
                )
        elif word in {"-q", "--quiet"}:
            found.quiet = True
        elif word in {"-v", "--verbose"}:
            found.verbose = True
        elif word == "--repo" or word.startswith("--repo="):
            if "=" not in word and not words:
                raise UsageError("--repo takes a folder", hint="mvc --repo DIR COMMAND")
            found.repo = word[7:] if "=" in word else words.pop(0)
        else:
            left.append(word)
    found.command = left[0] if left else ""
    return left, found


def revs_and_paths(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the arguments before `--` and those after it. Without `--`, all arguments are returned first."""
    given, behind = list(words or []), CONTEXT.behind
    return (given, []) if behind is None else (given[: len(given) - len(behind)], behind)


def split(
    repo: Repo, words: Sequence[str] | None, *, revs: int, gone: bool = False, here: bool = False
) -> tuple[list[str], list[str]]:
    """Return WORDS as at most REVS revisions and the paths behind them.

    GONE: a path may be that of a model that is no longer tracked. HERE: a path may be any file that exists. As in Git,
    a word that is both a revision and a path is refused, and `--` decides. The operation checks the words before `--`.
    Raises UsageError, NotFoundError.
    """
    front, behind = revs_and_paths(words)
    found: list[str] = []
    if CONTEXT.behind is not None:
        if len(front) > revs:
            raise UsageError(f"{shown(front[revs])} is one revision too many", hint="put paths after `--`")
        return front, behind
    tracked = set(repo.tracked()) if front else set()
    while front and len(found) < revs and _is_rev(repo, front[0]):
        word = front.pop(0)
        if _names_path(repo, word, tracked):
            raise UsageError(
                f"{shown(word)} is both a revision and a path",
                hint=f"say which: `mvc {CONTEXT.command} {shown(word)} --` or `mvc {CONTEXT.command} -- {shown(word)}`",
            )
        found.append(word)
    known = not front or found or gone or (here and os.path.exists(repo.absolute(front[0])))
    if not known and not _names_path(repo, front[0], tracked):
        words = f"{shown(front[0])} is neither a revision nor a tracked model"
        raise NotFoundError(words, hint=_meant(repo, front[0], tracked))
    return found, front


def _meant(repo: Repo, word: str, tracked: Iterable[str]) -> str:
    """Return the hint about WORD, which is neither a revision nor one of the TRACKED models."""
    from modelvc.git import history

    with suppress(UsageError):  # a path outside of the repository
        if not word.endswith(".mvc") and repo.inside(word) and os.path.exists(repo.absolute(word)):
            return f"it is not tracked: mvc add {shlex.quote(shown(word))}"
        if found := repo.nearest(word, tracked):
            return f"did you mean {found}?"
    start, dots, end = word.partition("..")
    if dots:  # one end of a range
        ends = [
            side if not side or _is_rev(repo, side) else history.nearest(repo.layout, side) for side in (start, end)
        ]
        if all(ends):
            return f"did you mean {shown(dots.join(ends))}?"
        if not repo.layout.shallow:
            return "write a range as REV..REV"
    elif found := history.nearest(repo.layout, word):
        return f"did you mean {shown(found)}?"
    if repo.layout.shallow:
        return f"older commits are not in this shallow clone: {history.DEEPEN}"
    return "run `mvc ls` to see the models, or `mvc log` for their versions"


def _is_rev(repo: Repo, word: str) -> bool:
    from modelvc.git import history

    if word.startswith(("./", "../", "/")) or word in {".", ".."}:
        return False
    if word.startswith("blake3:"):  # the oid of a version, such as a replaced one
        return True
    try:
        for side in word.replace("...", "..").split("..", 1):
            if not history.find(repo.layout, side or "HEAD"):
                return False
    except AmbiguousRev:
        return True  # the command reports it
    except ModelvcError:
        return False
    return True


def sides(word: str) -> list[str]:
    """Return both ends of WORD if it is `A..B`, else WORD. A missing end is HEAD. Raises UsageError for `A...B`."""
    if "..." in word:
        a, _, b = word.partition("...")
        a, b = shown(a or "HEAD"), shown(b or "HEAD")
        raise UsageError(
            f"{shown(word)} has three dots, which mvc does not support",
            hint=f"`git merge-base {a} {b}` names that commit",
        )
    return [side or "HEAD" for side in word.split("..", 1)] if ".." in word else [word]


def _names_path(repo: Repo, word: str, tracked: set[str]) -> bool:
    try:
        inside = repo.inside(word)
    except ModelvcError:
        return False
    model = inside.removesuffix(".mvc")
    return not inside or model in tracked or any(path.startswith(inside + "/") for path in tracked)

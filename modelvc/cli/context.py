"""What the words before and around a command ask for, and the arguments that may be revisions or paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo

FORMATS = ("text", "json", "md")


@dataclass(slots=True)
class Context:
    """How to answer: set once by the words of the command line, read by every command."""

    form: str = "text"
    quiet: bool = False
    verbose: bool = False
    repo: str = "."

    def open(self) -> Repo:
        from modelvc.repo import open_repo

        return open_repo(os.path.join(os.getcwd(), self.repo), os.environ)


CONTEXT = Context()


def take_globals(argv: Sequence[str]) -> tuple[list[str], Context]:
    """The words that belong to the command, and what the others ask for; these may stand before or after it."""
    found = Context()
    left: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            left += [word, *words]
            break
        if word in {"--json", "--md"}:
            found.form = word[2:]
        elif word == "--format" or word.startswith("--format="):
            found.form = word[9:] if "=" in word else (words.pop(0) if words else "")
            if found.form not in FORMATS:
                raise UsageError(
                    f"--format takes {', '.join(FORMATS)}, not {shown(found.form)}", hint="try --format json"
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
    return left, found


def split(repo: Repo, words: Sequence[str], *, revs: int, paths_follow: bool) -> tuple[list[str], list[str]]:
    """WORDS as at most REVS revisions and the paths behind them. PATHS_FOLLOW: `--` stood behind WORDS.

    A word that could be both is refused, as Git does; `--` says which it is.
    """
    from modelvc.git import history

    found: list[str] = []
    rest = list(words)
    tracked: set[str] | None = None
    while rest and len(found) < revs:
        word = rest[0]
        is_rev = _resolves(repo, word, history)
        if not paths_follow:
            tracked = tracked if tracked is not None else set(repo.tracked())
            is_path = _names_path(repo, word, tracked)
            if is_rev and is_path:
                raise UsageError(
                    f"{shown(word)} is both a revision and a path",
                    hint=f"say which: `mvc COMMAND {shown(word)} --` or `mvc COMMAND -- {shown(word)}`",
                )
            if not is_rev:
                break
        elif not is_rev:
            history.resolve(repo.layout, word)  # says what is wrong with it
        found.append(rest.pop(0))
    if rest and paths_follow:
        raise UsageError(f"{shown(rest[0])} is one revision too many", hint="paths stand behind `--`")
    return found, rest


def _resolves(repo: Repo, word: str, history: object) -> bool:
    try:
        for side in word.split("..") if ".." in word else (word,):
            history.resolve(repo.layout, side.lstrip(".") or "HEAD")  # type: ignore[attr-defined]
    except ModelvcError:
        return False
    return True


def _names_path(repo: Repo, word: str, tracked: set[str]) -> bool:
    try:
        inside = repo.inside(word)
    except ModelvcError:
        return False
    model = inside.removesuffix(".mvc")
    return not inside or model in tracked or any(path.startswith(inside + "/") for path in tracked)

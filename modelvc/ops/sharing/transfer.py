"""How to push or fetch: the words of a command line, apart from what carries them out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """Which remote ("": the default one), whether all of history, how many requests at once, where Git pushes to.

    With `dry_run` nothing is written, here or there: the result says what would be.
    """

    remote: str = ""
    everything: bool = False
    jobs: int = 0  # 0: a number that suits
    git_url: str = ""  # of Git's remote, where Git told
    dry_run: bool = False


DEFAULT = TransferOptions()


def versions_in_words(versions: int, predictions: int) -> str:
    """How many versions, and of how many of them the predictions, in words."""
    both = f"{versions:,} version{'' if versions == 1 else 's'}"
    if predictions:
        of = f"the predictions of {predictions:,}"
        both = f"{both} and {of}" if versions else f"{of} version{'' if predictions == 1 else 's'}"
    return both

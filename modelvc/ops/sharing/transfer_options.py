"""Options and words that push, fetch and pull share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """Options of push, fetch and pull."""

    remote: str = ""  # "": the default one
    everything: bool = False  # all of history: every branch, tag and stash
    jobs: int = 0  # concurrent requests; 0: the verb's default
    git_url: str = ""  # URL of the Git remote that is being pushed to; "" if unknown
    dry_run: bool = False  # write nothing, neither here nor on the remote
    create: bool = False  # push: make a new store if nothing is left of the one that this clone used


DEFAULT = TransferOptions()


def versions_in_words(versions: int, predictions: int) -> str:
    """Return the number of versions, and of versions whose predictions were transferred, in words."""
    both = f"{versions:,} version{'' if versions == 1 else 's'}"
    if predictions:
        of = f"the predictions of {predictions:,}"
        both = f"{both} and {of}" if versions else f"{of} version{'' if predictions == 1 else 's'}"
    return both

"""Words that the short path and the long one both say. Imports nothing."""

from __future__ import annotations


def clean_words(clean: int, total: int, absent: int, unpushed: int) -> list[str]:
    """The last lines of a status: CLEAN of TOTAL models as they should be, ABSENT from the store, UNPUSHED."""
    models = f"{total:,} model" + ("" if total == 1 else "s")
    lines = [f"{models}, all clean" if clean == total else f"{clean:,} of {models} clean"]
    if absent:
        lines.append(f"{absent:,} not in the local store (mvc fetch)")
    if unpushed:
        lines.append(f"{unpushed:,} not pushed (mvc push)")
    return lines

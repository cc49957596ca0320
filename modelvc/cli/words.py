"""Lines that `mvc status` prints on both its paths. Imports nothing."""

from __future__ import annotations


def clean_words(clean: int, total: int, absent: int, unpushed: int) -> list[str]:
    """Return the last lines of a status.

    CLEAN of TOTAL models equal their pointers, ABSENT are not in the local store, UNPUSHED are not pushed.
    """
    models = f"{total:,} model" + ("" if total == 1 else "s")
    lines = [f"{models}, all clean" if clean == total else f"{clean:,} of {models} clean"]
    if absent:
        lines.append(f"{absent:,} not in the local store (mvc fetch)")
    if unpushed:
        lines.append(f"{unpushed:,} not pushed (mvc push)")
    return lines

"""Put the predictions of two versions side by side, row by row. Both must have the same rows and true labels."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.errors import shown
from modelvc.gate.rounding import is_rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelvc.gate.predictions import Predictions

Reason: TypeAlias = Literal["labels-differ", "rows-differ"]

_EXAMPLES = 3  # ids that a refusal names


@dataclass(frozen=True, slots=True)
class Refused:
    """Why two files cannot be compared: the test set changed in `count` of `rows` rows."""

    reason: Reason
    why: str
    count: int
    rows: int


@dataclass(frozen=True, slots=True)
class Side:
    """The predictions of one version, in the order of the pair; the fields are those of `PairedRows`."""

    predicted: array[int]
    values: array[float]
    scores: Mapping[str, array[float]]


@dataclass(frozen=True, slots=True)
class PairedRows:
    """The rows of a test set with the predictions of two versions.

    `truth` and the `predicted` of both sides are positions in `labels`; they are empty where there are no labels.
    `truth_values` and the `values` of both sides are numbers; they are empty where a column is not numeric. `same`:
    both versions have the same columns, equal in every row.
    """

    rows: int
    labels: tuple[str, ...]
    truth: array[int]
    truth_values: array[float]
    old: Side
    new: Side
    same: bool


def pair_rows(old: Predictions, new: Predictions) -> PairedRows | Refused:
    """Match the rows of both versions by id, in the order of OLD.

    Refused unless both have the same ids, and the same true label for each. A comparison over the common rows alone
    would use a test set that was not chosen, and a version could drop the rows that it gets wrong.
    """
    order = _order(old, new)
    if isinstance(order, Refused):
        return order
    labels, translated = _translation(old, new)
    moved = _Moved(new, order)
    if refused := _truths_differ(old, moved, translated):
        return refused
    has_labels = bool(old.truth) and bool(new.truth)
    empty = array("i")
    before = Side(old.predicted if has_labels else empty, old.predicted_values, old.scores)
    after = Side(
        array("i", map(translated.__getitem__, moved.codes(new.predicted))) if has_labels else empty,
        moved.values(new.predicted_values),
        {name: moved.values(column) for name, column in new.scores.items()},
    )
    return PairedRows(
        rows=old.rows,
        labels=labels if has_labels else (),
        truth=old.truth if has_labels else empty,
        truth_values=old.truth_values,
        old=before,
        new=after,
        same=_same(before, after),
    )


def _order(old: Predictions, new: Predictions) -> list[int] | Refused | None:
    """For each row of OLD its position in NEW; None where both have the same order."""
    if old.ids == new.ids:
        return None
    wanted, found = old.ids, new.ids
    if isinstance(wanted, array) != isinstance(found, array):
        wanted, found = tuple(map(str, wanted)), tuple(map(str, found))
    positions: dict[object, int] = {key: position for position, key in enumerate(found)}
    missing = [key for key in wanted if key not in positions]
    if missing or len(wanted) != len(found):
        return _rows_differ(wanted, found, missing)
    return [positions[key] for key in wanted]


def _rows_differ(wanted: Sequence[object], found: Sequence[object], missing: list[int | str]) -> Refused:
    known = set(wanted)
    extra = [key for key in found if key not in known]
    said = []
    if missing:
        said.append(f"{len(missing):,} of {len(wanted):,} rows are gone ({_some(missing)})")
    if extra:
        said.append(f"{len(extra):,} of {len(found):,} are new ({_some(extra)})")
    why = f"the test set changed: {' and '.join(said)}; predict the same rows with both versions"
    return Refused("rows-differ", why, len(missing) + len(extra), len(wanted))


def _some(keys: Iterable[object]) -> str:
    first = [shown(key, 40) for key in islice(keys, _EXAMPLES + 1)]
    return ", ".join(["id " + first[0], *first[1:_EXAMPLES], *(["…"] if len(first) > _EXAMPLES else [])])


class _Moved:
    """Brings columns of the new version into the order of the old one."""

    def __init__(self, new: Predictions, order: list[int] | None) -> None:
        self.new = new
        self._order = order

    def codes(self, column: array[int]) -> array[int]:
        return column if self._order is None or not column else array("i", map(column.__getitem__, self._order))

    def values(self, column: array[float]) -> array[float]:
        return column if self._order is None or not column else array("d", map(column.__getitem__, self._order))


def _translation(old: Predictions, new: Predictions) -> tuple[tuple[str, ...], list[int]]:
    """The labels of both versions, those of OLD first, and for each label of NEW its position among them."""
    known = {label: code for code, label in enumerate(old.labels)}
    translated = [known.setdefault(label, len(known)) for label in new.labels]
    return tuple(known), translated


def _truths_differ(old: Predictions, moved: _Moved, translated: list[int]) -> Refused | None:
    new = moved.new
    values = array("d")
    if old.truth_values and new.truth_values:
        values = moved.values(new.truth_values)
        if old.truth_values == values:
            return None
        # a value that is nan in both versions is the same value
        wrong = [
            at
            for at, (a, b) in enumerate(zip(old.truth_values, values, strict=True))
            if a != b and (a == a or b == b)  # noqa: PLR0124
        ]
    elif old.truth and new.truth:
        codes = array("i", map(translated.__getitem__, moved.codes(new.truth)))
        if old.truth == codes:
            return None
        wrong = [at for at, (a, b) in enumerate(zip(old.truth, codes, strict=True)) if a != b]
    else:
        wrong = list(range(old.rows))
    if not wrong:
        return None
    if values and (why := _rounded(old.truth_values, values)):
        return Refused("labels-differ", why, len(wrong), old.rows)
    ids = [old.ids[at] for at in wrong[: _EXAMPLES + 1]]
    why = (
        f"the test set changed: y_true differs in {len(wrong):,} of {old.rows:,} rows ({_some(ids)}); "
        "predict the same rows with both versions"
    )
    return Refused("labels-differ", why, len(wrong), old.rows)


def _rounded(old: array[float], new: array[float]) -> str:
    """In words, that y_true of one version is y_true of the other, rounded; "" where they differ by more."""
    for which, exact, rounded in (("new", old, new), ("old", new, old)):
        if (places := is_rounded(exact, rounded)) is not None:
            return (
                f"y_true is rounded to {places} decimals in the {which} version's file and not in the other: "
                "write it alike in both"
            )
    return ""


def _same(old: Side, new: Side) -> bool:
    """Whether both versions have the same columns, and predicted the same in every row."""
    pairs = [(old.scores[name], new.scores[name]) for name in old.scores if name in new.scores]
    said = [(old.values, new.values)] if old.values and new.values else []
    if old.predicted != new.predicted or (not said and not old.predicted):
        return False
    return all(a == b for a, b in [*said, *pairs]) and set(old.scores) == set(new.scores)

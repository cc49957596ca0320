"""Files of predictions: CSV with the columns `id`, `y_true`, `y_pred` and any number of scores.

Scores are numbers. `y_score` is the score of the positive label; log loss and Brier take it for the probability.
`y_score_LABEL` is the score of LABEL. An empty field in a column of scores is a missing score. Any other column is
ignored.

Labels and ids are texts. Numbers that are equal are one label, such as `1`, `1.0`, `01` and `1e0`: pandas and
spreadsheets write them in their own ways. With more than `MAX_LABELS` different labels, `y_true` and `y_pred` must be
numbers: the file is of a regression, which has no labels.
"""

from __future__ import annotations

import csv
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown
from modelvc.formats import limits
from modelvc.gate.names import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO, TypeAlias

    Ids: TypeAlias = array[int] | tuple[str, ...]

MAX_LABELS = 10_000  # a file with more different labels is one of a regression
ID, TRUTH, PREDICTED, SCORE = "id", "y_true", "y_pred", "y_score"
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of one version for each row of a test set, in the order of the file.

    `ids`: numbers when all are whole numbers of at most 18 digits, else texts. `truth` and `predicted`: positions in
    `labels`; empty where there are no labels. `truth_values` and `predicted_values`: the same columns as numbers; empty
    unless every value is one. `scores`: one array for each column of scores, NaN where a field is empty. `ignored`: the
    names of other columns.
    """

    ids: Ids
    labels: tuple[str, ...]
    truth: array[int]
    predicted: array[int]
    truth_values: array[float]
    predicted_values: array[float]
    scores: Mapping[str, array[float]]
    ignored: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(self.ids)


def parse(data: bytes, name: str) -> Predictions:
    """The predictions in DATA. NAME: the file, for messages. Raises FormatError, which names the line."""
    import io

    return read(io.BytesIO(data), name)


def read(stream: BinaryIO, name: str) -> Predictions:
    """The predictions in STREAM. NAME: the file, for messages. Raises FormatError, which names the line."""
    lines = _Lines(stream, name)
    rows = csv.reader(iter(lines), strict=True)
    try:
        header = [field.strip() for field in next((row for row in rows if row), [])]
        columns = _Columns(lines, header)
        for row in rows:
            if row:
                columns.add(row)
    except csv.Error as error:
        raise lines.broken(f"it is not valid CSV: {shown(error, 200)}") from None
    return columns.done()


class _Lines:
    """The lines of a stream as text; `number` counts them for messages. Raises FormatError for a line too long."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        left = limits.PREDICTIONS
        while line := self._stream.readline(limits.PREDICTION_LINE + 1):
            self.number += 1
            left -= len(line)
            if len(line) > limits.PREDICTION_LINE:
                raise self.broken(f"it is longer than {limits.PREDICTION_LINE:,} bytes")
            if left < 0:
                raise self.broken(f"the file is larger than {limits.PREDICTIONS:,} bytes")
            try:
                yield line.decode("utf-8-sig" if self.number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise self.broken("it is not valid UTF-8") from None

    def broken(self, why: str, line: int | None = None) -> FormatError:
        return FormatError(
            f"{shown(self._name)} is not a file of predictions: line {self.number if line is None else line}: {why}",
            hint="write CSV with the columns id,y_true,y_pred and, if there are scores, y_score or y_score_LABEL",
        )


class _Columns:
    """Builds the columns of a file of predictions, row by row."""

    def __init__(self, lines: _Lines, header: list[str]) -> None:
        self._lines = lines
        if not header:
            raise lines.broken("it is empty", 1)
        if len(header) > limits.PREDICTION_COLUMNS:
            raise lines.broken(f"it has more than {limits.PREDICTION_COLUMNS:,} columns")
        header = [_column_name(column) for column in header]
        for position, column in enumerate(header):
            if len(column) > limits.PREDICTION_FIELD:
                raise lines.broken(
                    f"the name of column {position + 1} has more than {limits.PREDICTION_FIELD:,} characters"
                )
            if column and column in header[:position]:
                raise lines.broken(f'the column "{shown(column, 80)}" appears twice')
        for needed in (ID, TRUTH, PREDICTED):
            if needed not in header:
                raise lines.broken(f'there is no column "{needed}"')
        self._width = len(header)
        self._id = header.index(ID)
        self._ids = _Ids()
        self._labels = _Labels((header.index(TRUTH), header.index(PREDICTED)))
        scores = [column for column in header if column == SCORE or column.startswith(f"{SCORE}_")]
        self._scores = [(header.index(column), column, array("d")) for column in scores]
        self._ignored = tuple(one for one in header if one not in {ID, TRUTH, PREDICTED, *scores})
        self._most = min(limits.PREDICTION_ROWS, limits.PREDICTION_SCORES // max(1, len(self._scores)))
        self._rows = 0

    def add(self, row: list[str]) -> None:
        """Append one row. Raises FormatError, which names the line."""
        if len(row) != self._width:
            raise self._lines.broken(f"it has {len(row):,} fields, the header {self._width:,}")
        if max(map(len, row)) > limits.PREDICTION_FIELD:
            raise self._lines.broken(f"a field is longer than {limits.PREDICTION_FIELD:,} characters")
        if self._rows >= self._most:
            raise self._lines.broken(f"there are more than {self._most:,} rows")
        self._rows += 1
        if why := self._ids.add(row[self._id].strip()) or self._labels.add(row):
            raise self._lines.broken(why)
        for position, column, values in self._scores:
            text = row[position]
            try:
                values.append(float(text))
            except ValueError:
                if text and not text.isspace():
                    raise self._lines.broken(
                        f'"{shown(text, 40)}" in the column "{shown(column, 80)}" is not a number'
                    ) from None
                values.append(NAN)

    def done(self) -> Predictions:
        """All rows. Raises FormatError where there is none."""
        if not self._rows:
            raise self._lines.broken("it has a header and no row")
        labels = self._labels
        numbers = labels.numbers()
        return Predictions(
            self._ids.found(),
            tuple(labels.names),
            *labels.codes,
            *numbers,
            {column: values for _, column, values in self._scores},
            self._ignored,
        )


class _Ids:
    """The column of ids, checked for doubles.

    It stays an array of numbers as long as every id is a whole number. A set of seen ids is kept only from the first
    id that is not larger than the one before it: rising ids cannot repeat.
    """

    def __init__(self) -> None:
        self._numbers = array("q")
        self._texts: list[str] | None = None
        self._seen: set[int | str] | None = None
        self._last = -1

    def add(self, text: str) -> str:
        """Append the id TEXT. Return in words what is wrong with it; "" where nothing is."""
        text = canonical(text)
        if not text:
            return "its id is empty"
        if self._texts is None:
            if text.isdigit() and text.isascii() and len(text) <= 18:
                return self._add_number(int(text))
            self._texts = [str(number) for number in self._numbers]
            self._numbers = array("q")
            self._seen = set(self._texts)
        assert self._seen is not None  # noqa: S101 - for the type checker
        if text in self._seen:
            return f'the id "{shown(text, 80)}" was there before'
        self._seen.add(text)
        self._texts.append(text)
        return ""

    def _add_number(self, number: int) -> str:
        if self._seen is None and number <= self._last:
            self._seen = set(self._numbers)
        if self._seen is not None:
            if number in self._seen:
                return f'the id "{number}" was there before'
            self._seen.add(number)
        self._last = number
        self._numbers.append(number)
        return ""

    def found(self) -> Ids:
        return self._numbers if self._texts is None else tuple(self._texts)


class _Labels:
    """The columns `y_true` and `y_pred`: codes of labels, or numbers once there are more than `MAX_LABELS` labels."""

    def __init__(self, positions: tuple[int, int]) -> None:
        self._positions = positions  # of both columns in a row
        self._known: dict[str, int] = {}
        self.names: dict[str, int] = {}
        self.codes = (array("i"), array("i"))
        self._values: tuple[array[float], array[float]] | None = None

    def add(self, row: list[str]) -> str:
        """Append the labels of a row. Return in words what is wrong with them; "" where nothing is."""
        if self._values is not None:
            return self._add_numbers(row)
        for position, codes in zip(self._positions, self.codes, strict=True):
            text = row[position]
            code = self._known.get(text)
            if code is None:
                label = canonical(text)
                if not label:
                    return f"its {_column(position == self._positions[0])} is empty"
                code = self.names.setdefault(label, len(self.names))
                if len(self._known) < 2 * MAX_LABELS:
                    self._known[text] = code
            codes.append(code)
        return self._use_numbers() if len(self.names) > MAX_LABELS else ""

    def _use_numbers(self) -> str:
        """Turn both columns into numbers. Return in words what is wrong; "" where nothing is."""
        values = self.numbers()
        if not values[0] or not values[1]:
            return f"there are more than {MAX_LABELS:,} different labels, and they are not numbers"
        self._values = values
        self.names, self._known, self.codes = {}, {}, (array("i"), array("i"))
        return ""

    def _add_numbers(self, row: list[str]) -> str:
        assert self._values is not None  # noqa: S101 - for the type checker
        for position, values in zip(self._positions, self._values, strict=True):
            number = _number(row[position])
            if number is None:
                return (
                    f'"{shown(row[position], 40)}" is not a number, and with more than {MAX_LABELS:,} different ones '
                    f"{_column(position == self._positions[0])} must be"
                )
            values.append(number)
        return ""

    def numbers(self) -> tuple[array[float], array[float]]:
        """Both columns as numbers; a column is empty unless each of its values is a number."""
        if self._values is not None:
            return self._values
        by_code = [_number(name) for name in self.names]
        truth, predicted = (_values_of(by_code, codes) for codes in self.codes)
        return truth, predicted


def _values_of(by_code: list[float | None], codes: array[int]) -> array[float]:
    """The number of each code in CODES; empty where one has none."""
    used = [NAN if value is None else value for value in by_code]
    if any(by_code[code] is None for code in set(codes)):
        return array("d")
    return array("d", map(used.__getitem__, codes))


def _column(truth: bool) -> str:  # noqa: FBT001 - which of two
    return TRUTH if truth else PREDICTED


def _column_name(text: str) -> str:
    """TEXT with the canonical label in it: `y_score_1.0` is the column of the label `1`."""
    head, mark, label = text.partition(f"{SCORE}_")
    return f"{mark}{canonical(label)}" if mark and not head else text


def _number(text: str) -> float | None:
    """TEXT as a number; None for anything else, and for `1_000`, which Python alone takes for one."""
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None

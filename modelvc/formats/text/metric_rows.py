"""Metrics that were logged in rows: tables with a header (CSV, TSV), JSON lines, and lists of one value per epoch.

The header tells three forms of tables apart. In the course of a training, the last row counts. In a log of Lightning,
rows of training and validation alternate, so that the last value of each column counts. A table `metric,value` has one
metric per row. A table that may mean something else is refused with the reason.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, shown
from modelvc.formats.pointer import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Row = dict[str, object]
    Named = list[tuple[str, object]]

MOST_COLUMNS = 10_000  # more than a pointer holds, since `--only` may choose among them
_DELIMITERS = (",", ";", "\t")
_COUNTERS = frozenset({"epoch", "step"})  # columns that say when a row was logged
_NAME_COLUMNS = frozenset({"metric", "name", "key"})
# Columns of tables whose rows are alternatives, so that the last row is no result: folds of scikit-learn's
# cross_validate, candidates of its searches, trials of Optuna.
_SIDE_BY_SIDE = frozenset({"fold", "fit_time", "mean_fit_time", "trial", "datetime_start"})
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


def table(text: str, *, tabs: bool) -> Named:
    """The (name, value) pairs of a table. TABS: whether tabs separate its fields; else the delimiter is found.

    Raises FormatError, which names the line.
    """
    lines = [*_rows(text, "\t" if tabs else _delimiter(text))]
    if not lines:
        raise FormatError("it is empty")
    (_, header), *rows = lines
    if not rows:
        raise FormatError("it has a header and no row")
    header, rows = _without_index(header, rows)
    if len(header) == 2 and header[0].lower() in _NAME_COLUMNS and header[1].lower() == "value":
        return [(name, _value(field, at)) for at, (name, field) in rows if field]
    _check_header(header)
    if len(rows) > 1 and all(isinstance(metrics.parse_value(row[0]), str) and row[0] for _, row in rows):
        raise FormatError(
            f'each row has a name in the column "{shown(header[0], 40)}", so the last row is not the last measurement: '
            "write the columns metric,value, or a row alone"
        )
    beside = next((name for name in header if name.lower() in _SIDE_BY_SIDE), "")
    if len(rows) > 1 and beside:
        raise FormatError(
            f'the column "{shown(beside, 40)}" says that its rows stand side by side, so the last row is not the last '
            "measurement: write what counts, such as their mean, as a row alone"
        )
    if set(header) >= _COUNTERS:
        return _last_of_each({name: field for name, field in zip(header, row, strict=True) if field} for _, row in rows)
    at, last = rows[-1]
    return [(name, _value(field, at)) for name, field in zip(header, last, strict=True) if field]


def _last_of_each(rows: Iterable[dict[str, str]]) -> Named:
    """The last value of each column."""
    found: dict[str, str] = {}
    for row in rows:
        found.update(row)
    return [(name, _value(field, 0)) for name, field in found.items() if name not in _COUNTERS]


def json_lines(text: str) -> Named:
    """The (name, value) pairs of a text with one JSON object per line. Raises FormatError, which names the line.

    Where all objects have the same names, the last object counts; else the last value of each name.
    """
    rows: list[metrics.Members] = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines() would cut JSON strings at U+2028 and others
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=metrics.Members, parse_int=metrics.integer)
        except json.JSONDecodeError as error:
            raise FormatError(f"it is not valid JSON: {error.msg} (line {number}, column {error.colno})") from None
        except RecursionError:
            raise FormatError(f"it is nested deeper than {metrics.MAX_DEPTH} (line {number})") from None
        if not isinstance(found, metrics.Members):
            raise FormatError(f"line {number} is not an object")
        rows.append(found)
    if not rows:
        raise FormatError("it is empty")
    names = {frozenset(name for name, _ in row) for row in rows}
    if len(names) == 1:
        return rows[-1]
    merged: dict[str, object] = {}
    for row in rows:
        merged.update(row)
    return metrics.Members((name, value) for name, value in merged.items() if name not in _COUNTERS)


def last_epoch(value: object) -> object:
    """The last epoch of VALUE, if that is a history as Keras keeps it: per metric a list of one number per epoch.

    Any other VALUE is returned as it is. A table of lists is a history if all lists have one length and one of them is
    a loss. Lists without a loss may be anything, such as one number per class.
    """
    if not isinstance(value, metrics.Members) or not value:
        return value
    if not all(isinstance(items, list) and items and all(map(metrics.is_number, items)) for _, items in value):
        return value
    lengths = {len(items) for _, items in value if isinstance(items, list)}
    if len(lengths) != 1 or not any("loss" in name.lower() for name, _ in value):
        return value
    return metrics.Members(
        (name, items[-1]) for name, items in value if isinstance(items, list) and name not in _COUNTERS
    )


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of each row that is not empty. Raises FormatError for a row unlike the first in length."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    width = 0
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if not any(fields):
                continue
            width = width or len(fields)
            if width > MOST_COLUMNS:
                raise FormatError(f"it has more than {MOST_COLUMNS:,} columns")
            if len(fields) != width:
                raise FormatError(f"line {reader.line_num} has {len(fields)} fields, the header {width}")
            yield reader.line_num, fields
    except csv.Error as error:
        raise FormatError(f"it is not valid CSV: {shown(error)} (line {reader.line_num})") from None


def _delimiter(text: str) -> str:
    """The character between fields: the one that cuts every row into the same number of fields, and into at least two.

    "," where none does. Raises FormatError where several do.
    """
    fits = []
    for delimiter in _DELIMITERS:
        try:
            _, first = next(_rows(text, delimiter), (0, [""]))
            if len(first) > 1:
                for _ in _rows(text, delimiter):
                    pass
                fits.append(delimiter)
        except FormatError:
            continue
    if len(fits) > 1:
        names = {",": "commas", ";": "semicolons", "\t": "tabs"}
        raise FormatError(f"its fields may be separated by {' or by '.join(names[one] for one in fits)}")
    return fits[0] if fits else ","


def _without_index(
    header: list[str], rows: list[tuple[int, list[str]]]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """HEADER and ROWS without the index of pandas: a first column without a name that counts the rows from 0."""
    if header[0] or [row[0] for _, row in rows] != [str(number) for number in range(len(rows))]:
        return header, rows
    return header[1:], [(at, row[1:]) for at, row in rows]


def _check_header(header: list[str]) -> None:
    """Refuse a header with a column that has no name, a value for a name, or a name twice."""
    known: set[str] = set()
    for position, name in enumerate(header, 1):
        if not name:
            raise FormatError(f"column {position} has no name")
        if not isinstance(metrics.parse_value(name), str):
            raise FormatError(f"its first line is not a header: {shown(name, 40)} is a value, not a name")
        if name in known:
            raise FormatError(f'the metric "{shown(name, 80)}" appears twice (line 1)')
        known.add(name)


def _value(field: str, at: int) -> object:
    """The value in FIELD, on the line AT (0: unknown). Raises FormatError for a comma that may mean a thousand."""
    if _DECIMAL_COMMA.fullmatch(field):
        where = f" (line {at})" if at else ""
        raise FormatError(f"{shown(field, 40)} has a comma, which may mean a thousand: write a decimal point{where}")
    return metrics.parse_value(field)

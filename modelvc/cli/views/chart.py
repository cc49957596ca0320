"""Draw a metric's history as a chart of characters: Braille with 4 by 2 dots each, or ASCII."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from modelvc.cli.views import render, scale
from modelvc.errors import shown
from modelvc.ops.history.plot import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.ops.history.plot import Plot, PlotMetric

HEIGHT = 8  # lines of a chart
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille character, by row and column
_BRAILLE = 0x2800
_DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "target": "closer to its target is better",
}


def charts(found: Plot, width: int) -> list[str]:
    """Return the lines of one chart for each metric, at most WIDTH characters wide."""
    fancy = _can_encode("⣿┤└─•")
    lines: list[str] = []
    for metric in found.metrics:
        lines += [*_chart(found, metric, width, fancy=fancy), ""]
    return [*lines[:-1]]


def about(metric: PlotMetric) -> str:
    """Return the rules of the policy for a metric, in words."""
    words = [_DIRECTIONS[metric.direction]] if metric.direction in _DIRECTIONS else []
    for name, bound in (("min", metric.floor), ("max", metric.ceiling), ("target", metric.target)):
        words += [f"{name} {render.number(bound)}"] if bound is not None else []
    return ", ".join(words)


def bounds_of(metric: PlotMetric) -> list[float]:
    """Return the values of the policy that a chart shows as lines."""
    return [bound for bound in (metric.floor, metric.ceiling, metric.target) if bound is not None]


def _chart(found: Plot, metric: PlotMetric, width: int, *, fancy: bool) -> Iterator[str]:
    values = [value(version, metric.name) for version in found.versions]
    low, high = scale.bounds([v for v in values if v is not None], bounds_of(metric))
    labels = {_row(tick, low, high): scale.label(tick, high - low) for tick in scale.ticks(low, high)}
    margin = max(map(len, labels.values()))
    columns = max(10, width - margin - 2)
    cells = _lines(found, values, (low, high), columns) if fancy else _marks(values, (low, high), columns)
    ruled = {_row(bound, low, high) for bound in bounds_of(metric) if low <= bound <= high}
    said = about(metric)
    yield render.colour(shown(metric.name), "bold") + (f"  {said}" if said else "")
    tick, plain, corner, dash, rule = "┤│└─┄" if fancy else "||+-."
    for row in range(HEIGHT):
        filled = "".join(cells[row])
        if row in ruled:
            filled = "".join(rule if cell == " " else cell for cell in filled)
        yield f"{labels.get(row, ''):>{margin}} {tick if row in labels else plain}{filled}".rstrip()
    yield " " * (margin + 1) + corner + dash * columns
    yield " " * (margin + 2) + _ends(found, columns)
    yield " " * (margin + 2) + _best(found, metric, values)


def _row(number: float, low: float, high: float) -> int:
    return min(HEIGHT - 1, int((high - number) / (high - low) * HEIGHT))


def _lines(found: Plot, values: Sequence[float | None], ends: tuple[float, float], columns: int) -> list[list[str]]:
    """Return rows of Braille characters, with a line between linked versions."""
    low, high = ends
    wide, tall = 2 * columns, 4 * HEIGHT
    dots: set[tuple[int, int]] = set()
    points: list[tuple[int, int] | None] = [
        None if v is None else (_column(at, len(values), wide), min(tall - 1, int((high - v) / (high - low) * tall)))
        for at, v in enumerate(values)
    ]
    for start, end in found.links:
        first, second = points[start], points[end]
        if first is not None and second is not None:
            dots.update(_between(first, second))
    dots.update(point for point in points if point is not None)
    cells = [[0] * columns for _ in range(HEIGHT)]
    for x, y in dots:
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return [[chr(_BRAILLE + cell) if cell else " " for cell in line] for line in cells]


def _between(first: tuple[int, int], second: tuple[int, int]) -> Iterator[tuple[int, int]]:
    steps = max(abs(second[0] - first[0]), abs(second[1] - first[1])) or 1
    for step in range(steps + 1):
        yield (
            round(first[0] + (second[0] - first[0]) * step / steps),
            round(first[1] + (second[1] - first[1]) * step / steps),
        )


def _marks(values: Sequence[float | None], ends: tuple[float, float], columns: int) -> list[list[str]]:
    cells = [[" "] * columns for _ in range(HEIGHT)]
    for at, number in enumerate(values):
        if number is not None:
            cells[_row(number, *ends)][_column(at, len(values), columns)] = "*"
    return cells


def _column(at: int, count: int, wide: int) -> int:
    return 0 if count == 1 else round(at * (wide - 1) / (count - 1))


def _ends(found: Plot, columns: int) -> str:
    first, last = (
        f"{version.commit[:8]} {time.strftime('%Y-%m-%d', time.localtime(version.time))}"
        for version in (found.versions[0], found.versions[-1])
    )
    if len(found.versions) == 1:
        return first
    if len(first) + len(last) + 2 > columns:
        return f"{first} to {last}"
    return first + " " * (columns - len(first) - len(last)) + last


def _best(found: Plot, metric: PlotMetric, values: Sequence[float | None]) -> str:
    """Return the last value, and the best value with its commit."""
    last = values[-1]
    words = [f"now {render.brief(found.versions[-1].metrics.get(metric.name)) or 'not measured'}"]
    if metric.best is not None:
        best = found.versions[metric.best]
        text = f"best {render.brief(best.metrics[metric.name])} at {best.commit[:8]}"
        is_best = last is not None and last == values[metric.best]
        words.append(render.colour("the best so far", "green") if is_best else text)
    return ", ".join(words)


def _can_encode(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True

"""Write the result of `mvc check` as text, JSON, Markdown, JUnit, GitHub's workflow commands or OpenMetrics."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from modelvc.cli.views import render
from modelvc.cli.views.markup import attribute, message, property_value, text_of
from modelvc.errors import shown
from modelvc.models.measures.verdict import FAIL, INCONCLUSIVE, INFO, PASS

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.models.measures.verdict import Verdict
    from modelvc.ops.metrics.check import Checked

_SIGNS = {PASS: "ok", FAIL: "FAIL", INCONCLUSIVE: "?", INFO: "info"}
_EMOJI = {PASS: "✅", FAIL: "❌", INCONCLUSIVE: "❔", INFO: "ℹ️"}
_COLOURS = {PASS: "green", FAIL: "red", INCONCLUSIVE: "yellow", INFO: "dim"}
_GOOD = frozenset({PASS, INFO})
_BELOW = " " * 6  # before a reason that has lines of its own
_HEAD = ("", "model", "metric", "old", "new", "change", "")


def text(found: Checked) -> str:
    """Return a table with one row for each metric, then the verdict in one line."""
    rows = [_row(v, "warn" if _warns(v) else _SIGNS[v.outcome]) for v in found.verdicts]
    lines = render.table(_HEAD, rows)
    apart = render.too_wide(lines)
    if apart:  # the reasons below their rows
        lines = render.table(_HEAD[:-1], [row[:-1] for row in rows])
    painted = [lines[0]]
    for line, verdict, row in zip(lines[1:], found.verdicts, rows, strict=True):
        sign = line[: len(line) - len(line.lstrip())] + line.split(maxsplit=1)[0]
        painted.append(render.colour(sign, _COLOURS[verdict.outcome]) + line[len(sign) :])
        if apart:
            painted += textwrap.wrap(shown(row[-1]), render.width(), initial_indent=_BELOW, subsequent_indent=_BELOW)
    return "\n".join([*painted, "", render.colour(summary(found), _COLOURS[found.outcome])]) + "\n"


def summary(found: Checked) -> str:
    """Return the verdict in one line."""
    counts = {outcome: sum(v.outcome == outcome and not v.warn for v in found.verdicts) for outcome in _SIGNS}
    words = [f"{counts[PASS]} pass"]
    words += [f"{counts[FAIL]} fail"] if counts[FAIL] else []
    words += [f"{counts[INCONCLUSIVE]} not enough data"] if counts[INCONCLUSIVE] else []
    warned = sum(_warns(v) for v in found.verdicts)
    words += [f"{warned} warned"] if warned else []
    words += [f"{counts[INFO]} info"] if counts[INFO] else []
    return f"{found.outcome}: {', '.join(words)} (against {shown(found.against)})"


def as_json(found: Checked) -> str:
    """Return the result as JSON, as `--json` of every command does."""
    return render.as_json(render.plain(found)) + "\n"


def markdown(found: Checked) -> str:
    """Return a Markdown table for a pull request."""
    rows = [_row(v, "⚠️" if _warns(v) else _EMOJI[v.outcome]) for v in found.verdicts]
    head = ("", "model", "metric", "old", "new", "change", "why")
    return "\n".join([f"### Models: {summary(found)}", "", *render.table(head, rows, markdown=True)]) + "\n"


def junit(found: Checked) -> str:
    """Return JUnit XML with one <testcase> for each metric, as CI systems read it."""
    failures = sum(v.outcome == FAIL and not v.warn for v in found.verdicts)
    errors = sum(v.outcome == INCONCLUSIVE and not v.warn for v in found.verdicts)
    counts = f'tests="{len(found.verdicts)}" failures="{failures}" errors="{errors}" skipped="0" time="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="mvc check" {counts}>']
    lines.append(f'  <testsuite name="mvc check" {counts}>')
    for v in found.verdicts:
        lines.append(f'    <testcase classname={attribute(v.model)} name={attribute(v.metric)} time="0">')
        if v.outcome == FAIL and not v.warn:
            lines.append(f"      <failure message={attribute(_why(v))}>{text_of(_facts(v))}</failure>")
        elif v.outcome == INCONCLUSIVE and not v.warn:
            lines.append(f'      <error message={attribute(_why(v))} type="inconclusive">{text_of(_facts(v))}</error>')
        lines.append(f"      <system-out>{text_of(_facts(v))}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def github(found: Checked) -> str:
    """Return annotations of pointers for GitHub, one line each, and a notice. Passing metrics are left out."""
    lines = []
    for v in found.verdicts:
        if v.outcome not in _GOOD:
            level = "warning" if v.warn else "error"
            title = property_value(f"{shown(v.metric)}: {v.outcome}")
            lines.append(
                f"::{level} file={property_value(shown(v.model + '.mvc', 5_000))},title={title}::{message(_why(v))}"
            )
    return "".join(line + "\n" for line in (*lines, f"::notice title=mvc check::{message(summary(found))}"))


def openmetrics(found: Checked) -> str:
    """Return values and outcomes as OpenMetrics text (https://prometheus.io/docs/specs/om/open_metrics_spec/)."""
    lines = ["# TYPE mvc_metric gauge", "# HELP mvc_metric Value of a model's metric."]
    labels = [f'model="{_label(v.model)}",metric="{_label(v.metric)}"' for v in found.verdicts]
    seen = set()
    for v, label in zip(found.verdicts, labels, strict=True):
        if isinstance(v.new, int | float) and not isinstance(v.new, bool) and label not in seen:
            lines.append(f"mvc_metric{{{label}}} {_sample(v.new)}")
            seen.add(label)
    lines += ["# TYPE mvc_check_ok gauge", "# HELP mvc_check_ok Whether a metric keeps what the policy asks."]
    worst: dict[str, int] = {}
    for v, label in zip(found.verdicts, labels, strict=True):
        worst[label] = min(worst.get(label, 1), int(v.outcome in _GOOD or v.warn))
    lines += [f"mvc_check_ok{{{label}}} {value}" for label, value in worst.items()]
    return "\n".join([*lines, "# EOF"]) + "\n"


FORMATS: dict[str, Callable[[Checked], str]] = {
    "text": text,
    "json": as_json,
    "md": markdown,
    "junit": junit,
    "github": github,
    "openmetrics": openmetrics,
}


def _row(v: Verdict, sign: str) -> tuple[str, ...]:
    return (sign, v.model, v.metric, render.brief(v.old), render.brief(v.new), _change(v), _why(v))


def _warns(v: Verdict) -> bool:
    return v.warn and v.outcome not in _GOOD


def _change(v: Verdict) -> str:
    return "" if v.change is None else f"{v.change:+.6g}"


def _interval(v: Verdict) -> str:
    return "" if v.interval is None else f"[{v.interval[0]:+.4g}, {v.interval[1]:+.4g}]"


def _why(v: Verdict) -> str:
    return shown(v.why)


def _facts(v: Verdict) -> str:
    """Return everything about a verdict, one fact a line."""
    facts = [
        ("old", render.number(v.old)),
        ("new", render.number(v.new)),
        ("change", _change(v)),
        ("allowed", "" if v.allowed is None else f"{v.allowed:.6g}"),
        ("interval", _interval(v) and f"{_interval(v)} at {v.confidence * 100:g} %" if v.confidence else _interval(v)),
        ("rows", "" if v.rows is None else f"{v.rows:,}"),
        ("rows needed", "" if v.rows_needed is None else f"{v.rows_needed:,}"),
        ("method", v.method),
        ("policy line", str(v.line) if v.line else ""),
    ]
    return "\n".join([_why(v), *(f"{name}: {value}" for name, value in facts if value)])


def _label(value: str) -> str:
    return shown(value, 500).replace("\\", "\\\\").replace('"', '\\"')


def _sample(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)

"""Write a model's history as one HTML page. The page loads nothing from a network, and allows only its own script.

Plots are SVG that is drawn here, so the page works without scripts; the script adds hovering. Text from the repository
is escaped, and used only in text or quoted attributes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from html import escape
from typing import TYPE_CHECKING

from modelvc.cli.views import render, scale
from modelvc.cli.views.chart import about, bounds_of
from modelvc.errors import shown
from modelvc.ops.history.plot import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.ops.history.log import LoggedVersion
    from modelvc.ops.history.plot import Plot, PlotMetric

WIDE, TALL = 520, 240  # size of a plot, in units of its SVG
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 26
_MOST_DOTS = 400  # most dots in a plot; with more versions, only the line is drawn


def page(found: Plot) -> str:
    """Return the page."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    name = _text(found.path)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{name}: metrics</title>",
        f"<style>{style}</style></head><body>",
        f'<header><h1>{name}</h1><p class="soft">{_summary(found)}</p></header>',
        "<main>",
        *_tiles(found),
        *_plots(found),
        *_table(found),
        '</main><div id="tip" role="status" hidden></div>',
        f"<script>{script}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _asset(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(text: str) -> str:
    return escape(shown(text))


def _number(found: MetricValue | None) -> str:
    return _text(render.number(found))


def _day(version: LoggedVersion) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(version.time))


def _summary(found: Plot) -> str:
    if not found.versions:
        return "No versions yet."
    first, last = found.versions[0], found.versions[-1]
    return f"{render.count(len(found.versions), 'version')}, {_day(first)} to {_day(last)}"


def _tiles(found: Plot) -> Iterator[str]:
    """Yield tiles with the newest version, compared with the one that it replaced and with the best one."""
    if not found.versions:
        return
    new = found.versions[-1]
    old = found.before
    yield '<ul class="tiles">'
    yield (
        f'<li><span class="soft">newest version</span>'
        f'<b><a href="#v{len(found.versions)}">{render.short(new.oid)}</a></b>'
        f"{escape(render.size(new.size))}, commit <code>{new.commit[:10]}</code> by {_text(new.author)}</li>"
    )
    for metric in found.metrics[:11]:
        change = _change(metric, old, new)
        best = ""
        there = found.versions[metric.best or 0]
        if metric.best is not None and there.metrics[metric.name] != new.metrics.get(metric.name):
            best = f' · best <a href="#v{metric.best + 1}">{_text(render.brief(there.metrics[metric.name]))}</a>'
        yield (
            f'<li><span class="soft">{_text(metric.name)}</span>'
            f"<b>{_text(render.brief(new.metrics.get(metric.name))) or 'not measured'}</b>{change}{best}</li>"
        )
    yield "</ul>"


def _change(metric: PlotMetric, old: LoggedVersion | None, new: LoggedVersion) -> str:
    before = value(old, metric.name) if old else None
    after = value(new, metric.name)
    if before is None or after is None:
        return ""
    if before == after:
        return '<span class="soft">same as the version before</span>'
    gains = {"higher": after > before, "lower": after < before}
    if metric.target is not None:
        gains["target"] = abs(after - metric.target) < abs(before - metric.target)
    better = gains.get(metric.direction)
    kind, words = {True: ("good", ", better than"), False: ("bad", ", worse than"), None: ("soft", " since")}[better]
    return f'<span class="{kind}">{after - before:+.4g}{words} the version before</span>'


def _plots(found: Plot) -> Iterator[str]:
    if not found.metrics:
        return
    yield "<h2>Metrics</h2>"
    yield '<p class="soft">Point at a plot to see a version; click to find it in the table; arrow keys move.</p>'
    yield '<div class="plots">'
    for metric in found.metrics:
        said = about(metric)
        caption = f'<strong>{_text(metric.name)}</strong> <span class="soft">{escape(said)}</span>'
        yield f"<figure><figcaption>{caption}</figcaption>{''.join(_plot(found, metric))}</figure>"
    yield "</div>"


def _plot(found: Plot, metric: PlotMetric) -> Iterator[str]:
    values = [value(version, metric.name) for version in found.versions]
    low, high = scale.bounds([v for v in values if v is not None], bounds_of(metric))
    xs = [_across(at, len(values)) for at in range(len(values))]
    ys = [None if v is None else _down(v, low, high) for v in values]
    yield (
        f'<svg viewBox="0 0 {WIDE} {TALL}" role="img" tabindex="0" aria-label="{_text(metric.name)} by version"'
        f' data-top="{_TOP}" data-bottom="{TALL - _BOTTOM}" data-x="{" ".join(f"{x:g}" for x in xs)}"'
        f' data-y="{" ".join("-" if y is None else f"{y:g}" for y in ys)}">'
    )
    for tick in scale.ticks(low, high):
        y = _down(tick, low, high)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDE - _RIGHT}" y1="{y:g}" y2="{y:g}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">{scale.label(tick, high - low)}</text>'
    for bound in bounds_of(metric):
        if low <= bound <= high:
            y = _down(bound, low, high)
            yield f'<line class="bound" x1="{_LEFT}" x2="{WIDE - _RIGHT}" y1="{y:g}" y2="{y:g}"/>'
    for at, anchor in dict.fromkeys([(0, "start"), (len(values) - 1, "end")]):
        commit = found.versions[at].commit[:8]
        side = anchor if len(values) > 1 else "middle"
        yield f'<text x="{xs[at]:g}" y="{TALL - 8}" text-anchor="{side}">{commit}</text>'
    track = _track(found.links, xs, ys)
    yield f'<path class="track" d="{track}"/>' if track else ""
    if len(values) <= _MOST_DOTS:
        yield from _dots(found, metric, xs, ys)
    yield "</svg>"


def _track(links: Sequence[tuple[int, int]], xs: Sequence[float], ys: Sequence[float | None]) -> str:
    parts: list[str] = []
    pen = -1
    for start, end in links:
        if ys[start] is None or ys[end] is None:
            continue
        if start != pen:
            parts.append(f"M{xs[start]:g} {ys[start]:g}")
        parts.append(f"L{xs[end]:g} {ys[end]:g}")
        pen = end
    return "".join(parts)


def _dots(found: Plot, metric: PlotMetric, xs: Sequence[float], ys: Sequence[float | None]) -> Iterator[str]:
    for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y is None:
            continue
        version = found.versions[at]
        best = at == metric.best
        words = f"{_number(version.metrics[metric.name])} at {version.commit[:8]}: {_text(version.subject)}"
        yield (
            f'<a href="#v{at + 1}" tabindex="-1"><circle class="dot{" best" if best else ""}" cx="{x:g}" cy="{y:g}"'
            f' r="{4.5 if best else 3}"><title>{words}</title></circle></a>'
        )


def _across(at: int, count: int) -> float:
    inside = WIDE - _LEFT - _RIGHT - 12
    return round(_LEFT + 6 + (inside / 2 if count == 1 else inside * at / (count - 1)), 2)


def _down(number: float, low: float, high: float) -> float:
    return round(_TOP + (high - number) / (high - low) * (TALL - _TOP - _BOTTOM), 2)


def _table(found: Plot) -> Iterator[str]:
    """Yield the table of all versions, newest first. Parameters that are equal in all come before it."""
    metrics = list(dict.fromkeys(name for version in reversed(found.versions) for name in version.metrics))
    names = list(dict.fromkeys(name for version in reversed(found.versions) for name in version.params))
    same = [name for name in names if len({repr(version.params.get(name)) for version in found.versions}) == 1]
    varied = [name for name in names if name not in same]
    titles = [f"{name} (parameter)" if name in metrics else name for name in varied]
    yield "<h2>Versions</h2>"
    if same and found.versions:
        words = ", ".join(f"{_text(name)} = {_number(found.versions[-1].params[name])}" for name in same)
        yield f'<p class="soft">Parameters of all of them: {words}</p>'
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{cell}</th>' for cell in ("version", "commit", "subject"))
    yield "".join(f'<th scope="col" class="number">{_breakable(name)}</th>' for name in (*metrics, *titles, "size"))
    yield "</tr></thead><tbody>"
    came = _came_from(found.versions)
    for at in reversed(range(len(found.versions))):
        version = found.versions[at]
        number = at + 1
        refs = f' <span class="soft">({_text(", ".join(version.refs))})</span>' if version.refs else ""
        measured = [version.metrics.get(name) for name in metrics] + [version.params.get(name) for name in varied]
        yield (
            f'<tr id="v{number}"><td><code>{render.short(version.oid)}</code>{_under("from", _link(version, came[at]))}'
            f"</td><td><code>{version.commit[:10]}</code>{_under('date', _day(version))}</td>"
            f'<td class="words"><span>{_text(version.subject)}{refs}</span>'
            f"{_under('author', _text(version.author))}</td>"
            + "".join(f'<td class="number">{_number(one)}</td>' for one in measured)
            + f'<td class="number">{escape(render.size(version.size))}</td></tr>'
        )
    yield "</tbody></table></div>"


def _breakable(name: str) -> str:
    """Return NAME as HTML that may break after a dot or an underscore."""
    return _text(name).replace(".", ".<wbr>").replace("_", "_<wbr>")


def _under(name: str, html: str) -> str:
    """Return HTML as the second line of a cell. The script shows it under NAME."""
    return f' <span class="under soft" data-name="{name}">{html}</span>' if html else ""


def _came_from(versions: Sequence[LoggedVersion]) -> list[int | None]:
    """Return for each version the position of the newest earlier version with the oid that it replaced, or None."""
    last: dict[str, int] = {}
    found: list[int | None] = []
    for at, version in enumerate(versions):
        found.append(last.get(version.parent))
        last[version.oid] = at
    return found


def _link(version: LoggedVersion, at: int | None) -> str:
    if not version.parent:
        return ""
    code = f"<code>{render.short(version.parent)}</code>"
    return code if at is None else f'<a href="#v{at + 1}">{code}</a>'

"""Charts, pages and pictures, from histories that nobody would commit."""

from __future__ import annotations

import math
import re
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from inline_snapshot import snapshot

from modelvc.cli.views import chart, image, page
from modelvc.errors import UsageError
from modelvc.ops.history.log import LoggedVersion
from modelvc.ops.history.plot import Plot, PlotMetric

EVIL = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\x1b[31m\u202e"


def version(place: int, metrics: dict[str, Any], **changes: Any) -> LoggedVersion:
    values: dict[str, Any] = {
        "path": "model.pkl",
        "commit": f"{place + 10:02x}" * 20,
        "time": 1_700_049_600 + place * 86_400,
        "author": "Ada",
        "subject": f"version {place}",
        "oid": f"blake3:{place:064x}",
        "kind": "file",
        "size": 1000 * (place + 1),
        "metrics": metrics,
        "stored": True,
        "parent": f"blake3:{place - 1:064x}" if place else "",
    }
    return LoggedVersion(**{**values, **changes})


def history(values: list[Any], direction: str = "higher", **bounds: float) -> Plot:
    numbers = [v for v in values if isinstance(v, float) and math.isfinite(v)]
    best = values.index(max(numbers)) if direction == "higher" and numbers else None
    limits = {name: bounds.get(name) for name in ("floor", "ceiling", "target")}
    metric = PlotMetric("acc", direction, best=best, **limits)
    versions = tuple(version(place, {} if v is None else {"acc": v}) for place, v in enumerate(values))
    links = tuple((at, at + 1) for at in range(len(values) - 1))
    return Plot("model.pkl", (metric,), versions, links, versions[-2] if len(versions) > 1 else None)


# -- in the terminal


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "_can_encode", lambda _: False)


@pytest.mark.usefixtures("plain")
def test_a_chart_without_braille() -> None:
    lines = chart.charts(history([0.8, 0.84, None, 0.9, 0.88], floor=0.82), 60)
    assert lines == snapshot(
        [
            "acc  higher is better, min 0.82",
            " 0.9 |                                        *",
            "     |                                                     *",
            "     |",
            "0.85 |",
            "     |             *",
            "     |",
            "     |......................................................",
            " 0.8 |*",
            "     +------------------------------------------------------",
            "      0a0a0a0a 2023-11-15                0e0e0e0e 2023-11-19",
            "      now 0.88, best 0.9 at 0d0d0d0d",
        ]
    )


def test_a_chart_of_lines() -> None:
    lines = chart.charts(history([0.8, 0.84, None, 0.9, 0.88]), 60)
    assert lines == snapshot(
        [
            "acc  higher is better",
            " 0.9 ┤                                        ⠒⠢⠤⢄⣀⣀",
            "     │                                              ⠉⠉⠒⠒⠢⠤⢄⣀",
            "     │",
            "0.85 ┤",
            "     │            ⣀⠤",
            "     │       ⢀⡠⠤⠒⠉",
            "     │   ⣀⠤⠔⠊⠁",
            " 0.8 ┤⠤⠒⠉",
            "     └──────────────────────────────────────────────────────",
            "      0a0a0a0a 2023-11-15                0e0e0e0e 2023-11-19",
            "      now 0.88, best 0.9 at 0d0d0d0d",
        ]
    )


@pytest.mark.parametrize("values", [[0.5], [1.0, 1.0, 1.0], [math.nan, 0.5, math.inf], [1e300, -1e300], [0.0, 1e-300]])
@pytest.mark.parametrize("width", [0, 20, 120])
def test_any_history_has_a_chart(values: list[float], width: int) -> None:
    lines = chart.charts(history(values), width)
    assert len(lines) == chart.HEIGHT + 4
    assert max(map(len, lines[1:-2])) <= max(width, 30)


def test_a_name_can_not_write_to_the_terminal() -> None:
    found = history([0.5, 0.6])
    evil = PlotMetric(EVIL, "", None, None, None, None)
    versions = tuple(version(at, {EVIL: 0.5 + at}) for at in range(2))
    assert "\x1b" not in "".join(chart.charts(Plot("m", (evil,), versions, found.links), 80))


def test_what_stdout_can_not_say_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Narrow:
        encoding = "latin-1"

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdout", Narrow())
    "".join(chart.charts(history([0.5, 0.6]), 80)).encode("ascii")


# -- as a page


class Elements(HTMLParser):
    """Tags with their attributes, and the text between them, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def hostile() -> Plot:
    metric = PlotMetric(EVIL, "higher", 0.4, None, None, 1)
    texts: dict[str, Any] = {"author": EVIL, "subject": EVIL, "refs": (EVIL,), "params": {EVIL: EVIL, "p": 1}}
    versions = (
        version(0, {EVIL: 0.5}, **texts),
        version(1, {EVIL: 0.6, "kind": EVIL}, **texts | {"params": {EVIL: 2}}),
    )
    return Plot(EVIL, (metric,), versions, ((0, 1),))


def test_nothing_that_a_repository_says_becomes_markup() -> None:
    calm = Elements(page.page(history([0.5, 0.6])))
    found = Elements(page.page(hostile()))
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in calm.tags}
    assert len(found.named("script")) == 1
    assert not found.named("img")
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "\x1b" not in page.page(hostile())
    assert any("<img src=x" in words for words in found.words), "it is shown, as text"


def test_nothing_comes_from_elsewhere() -> None:
    text = page.page(history([0.5, 0.6], floor=0.4))
    found = Elements(text)
    links = [value for _, attributes in found.tags for name, value in attributes.items() if name in {"href", "src"}]
    assert links
    assert all(link is not None and link.startswith("#v") for link in links)
    (policy,) = [meta["content"] for meta in found.named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_every_link_leads_to_a_row() -> None:
    found = Elements(page.page(history([0.5, None, 0.7, 0.6])))
    ids = {attributes["id"] for attributes in found.named("tr") if "id" in attributes}
    assert ids == {"v1", "v2", "v3", "v4"}
    assert {(link["href"] or "")[1:] for link in found.named("a")} <= ids


def test_a_hundred_thousand_versions_have_no_dots() -> None:
    many = page.page(history([0.5] * 500))
    assert "<circle" not in many
    assert many.count("<tr id=") == 500
    assert 'class="track"' in many


def test_parameters_that_never_change_stand_above_the_table() -> None:
    params = [{"seed": 1, "depth": at, "acc": at} for at in range(3)]
    versions = tuple(version(at, {"acc": 0.5}, params=params[at]) for at in range(3))
    text = page.page(Plot("m", history([0.5]).metrics, versions, ((0, 1), (1, 2))))
    assert "Parameters of all of them: seed = 1" in text
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)', text)
    assert heads == ["version", "commit", "subject", "acc", "depth", "acc (parameter)", "size"]


def test_the_newest_version_is_compared_in_words() -> None:
    def said(direction: str, *values: float) -> str:
        found = re.search(
            r"<li><span[^>]*>acc</span><b>[^<]*</b><span[^>]*>([^<]*)", page.page(history([*values], direction))
        )
        assert found
        return found[1]

    assert said("higher", 0.5, 0.6) == "+0.1, better than the version before"
    assert said("lower", 0.5, 0.6) == "+0.1, worse than the version before"
    assert said("", 0.5, 0.6) == "+0.1 since the version before"
    assert said("higher", 0.5, 0.5) == "same as the version before"


def test_metrics_that_are_no_numbers_are_in_the_table() -> None:
    text = page.page(Plot("m", (), (version(0, {"acc": math.nan, "kind": "forest"}),), ()))
    assert '<td class="number">nan</td><td class="number">forest</td>' in text
    assert "<svg" not in text


# -- as a picture


@pytest.mark.parametrize(("form", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_pictures(form: str, head: bytes) -> None:
    found = history([0.5, None, 0.7, 0.6], floor=0.4)
    assert image.image(found, form).startswith(head)
    assert image.image(found, form) == image.image(found, form)


def test_a_picture_of_hostile_names() -> None:
    assert b"<script" not in image.image(hostile(), "svg")
    dollars = PlotMetric("$x$ $\\frac", "", None, None, None, None)
    assert image.image(Plot("$", (dollars,), (version(0, {"$x$ $\\frac": 0.5}),), ()), "svg")


def test_without_matplotlib_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="needs matplotlib") as caught:
        image.image(history([0.5]), "png")
    assert caught.value.hint == "run `pip install 'modelvc[plot]'`, or write a page: -o report.html"


def test_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match="no metric to draw"):
        image.image(Plot("m", (), (), ()), "png")

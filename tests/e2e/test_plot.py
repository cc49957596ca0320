"""`mvc plot`, and its page in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clone import Clone

EVIL = '</script><img src=x onerror="document.title=1">'
POLICY = b'[[metric]]\nname = "acc"\ndirection = "higher"\nmin = 0.5\n'


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Five versions, one of them on a branch, and one with a name that would be markup."""
    found = Clone.new(tmp_path_factory.mktemp("plot") / "project")
    found.write(".mvc/policy.toml", POLICY)
    found.git("add", ".mvc/policy.toml")
    for at, acc in enumerate((0.6, 0.7, 0.65, 0.8)):
        if at == 2:
            found.git("switch", "-qc", "side")
        if at == 3:
            found.git("switch", "-q", "main")
        found.write("model.bin", at)
        found.write("params.json", f'{{"depth": {at}, "seed": 7}}'.encode())
        found.mvc("add", "model.bin", "-m", f"acc={acc}", "-m", f"ms={10 - at}", "--params", "params.json")
        found.git("commit", "-qm", f"train {at} {EVIL}", env_date(at))
    return found


def env_date(at: int) -> str:
    return f"--date=2026-01-0{at + 1}T12:00:00"


def test_the_result(clone: Clone) -> None:
    found = clone.json("plot", "model.bin")
    assert [metric["name"] for metric in found["metrics"]] == ["acc", "ms"]
    assert [version["metrics"]["acc"] for version in found["versions"]] == [0.6, 0.7, 0.8]
    assert (found["metrics"][0]["best"], found["metrics"][0]["direction"], found["metrics"][0]["floor"]) == (
        2,
        "higher",
        0.5,
    )
    assert found["metrics"][1] == {
        "name": "ms", "direction": "", "floor": None, "ceiling": None, "target": None, "best": None
    }  # fmt: skip
    assert found["links"] == [[0, 1], [1, 2]]


def test_over_all_branches_links_are_those_of_the_versions(clone: Clone) -> None:
    found = clone.json("plot", "model.bin", "--all", "acc")
    order = [version["metrics"]["acc"] for version in found["versions"]]
    assert sorted(order) == [0.6, 0.65, 0.7, 0.8]
    links = {(order[first], order[second]) for first, second in found["links"]}
    assert links == {(0.6, 0.7), (0.7, 0.65), (0.7, 0.8)}


def test_the_newest_version_is_compared_with_the_one_that_it_replaced(clone: Clone, tmp_path: Path) -> None:
    """As `mvc check` does: not with the one before it in time, which may be of another branch."""
    shutil.copytree(clone.path, tmp_path / "copy", symlinks=True)  # the other tests share the first
    clone = Clone(tmp_path / "copy")
    for words in (["--all"], [], ["--where", "acc > 0.75"]):
        found = clone.json("plot", "model.bin", *words)
        assert (found["versions"][-1]["metrics"]["acc"], found["before"]["metrics"]["acc"]) == (0.8, 0.7)
    clone.mvc("plot", "model.bin", "--all", "-o", "report.html")
    assert "+0.1, better than the version before" in clone.read("report.html").decode()
    clone.mvc("metrics", "set", "model.bin", "acc=0.9")
    clone.git("commit", "-qm", "measured again")
    assert clone.json("check")["verdicts"][0]["old"] == 0.7
    assert clone.json("plot", "model.bin")["before"]["metrics"]["acc"] == 0.7


def test_which_versions_and_metrics(clone: Clone) -> None:
    found = clone.json("plot", "model.bin", "m*", "--where", "acc > 0.65")
    assert [version["metrics"]["acc"] for version in found["versions"]] == [0.7, 0.8]
    assert [metric["name"] for metric in found["metrics"]] == ["ms"]
    done = clone.mvc("plot", "model.bin", "nope", code=10)
    assert done.err == "error: no version of model.bin has a number for nope\nhint: known metrics: acc, ms\n"


def test_in_a_pipe_and_as_markdown(clone: Clone) -> None:
    out = clone.mvc("plot", "model.bin").out
    assert "acc  higher is better, min 0.5" in out
    assert "\x1b" not in out
    rows = clone.mvc("plot", "model.bin", "--md").out.splitlines()
    assert rows[0] == "| commit | date | version | acc | ms |"
    assert len(rows) == 5


def test_files(clone: Clone) -> None:
    assert clone.mvc("plot", "model.bin", "-o", "a.png").err == "wrote a.png (3 versions)\n"
    assert clone.read("a.png").startswith(b"\x89PNG")
    clone.mvc("plot", "model.bin", "-o", "a.svg")
    assert b"<svg" in clone.read("a.svg")
    done = clone.mvc("plot", "model.bin", "-o", "a.pdf", code=2)
    assert done.err == "error: -o cannot write a.pdf\nhint: name a file .html, .png or .svg\n"
    done = clone.mvc("plot", "model.bin", "-o", "nowhere/a.html", code=10)
    assert done.err == "error: there is no folder for nowhere/a.html\nhint: make it, or name another file\n"


def test_what_can_not_be_plotted(clone: Clone, tmp_path: Path) -> None:
    other = Clone.new(tmp_path / "other")
    assert other.mvc("plot", "model.bin", code=10).err.startswith("error: model.bin is not tracked by mvc")
    other.write("model.bin", 1)
    other.mvc("add", "model.bin")
    other.git("commit", "-qm", "one")
    done = other.mvc("plot", "model.bin")
    assert "no version has metrics: mvc add PATH -m NAME=VALUE" in done.err
    other.mvc("plot", "model.bin", "-o", "a.html")
    assert "<svg" not in other.read("a.html").decode()
    other.write("models/a.bin", 1)
    other.write("models/b.bin", 2)
    other.mvc("add", "models/a.bin", "models/b.bin")
    other.git("commit", "-qm", "two")
    done = other.mvc("plot", "models", code=2)
    assert done.err == "error: models holds 2 models\nhint: one at a time: mvc plot models/a.bin\n"


# -- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        # .ci/run installs them; a pipeline that could not do so has not tested the page
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Debian's chromium and chromium-driver are not there")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for word in (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1200,1400",
        f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(word)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(programs[1])))
    yield driver
    driver.quit()


@pytest.fixture
def opened(clone: Clone, browser: Any) -> Iterator[Any]:
    clone.mvc("plot", "model.bin", "-o", "report.html")
    browser.get((clone.path / "report.html").as_uri())
    yield browser
    assert browser.get_log("browser") == [], "no complaint of the browser, also none about the page's own policy"


def test_the_page_needs_nothing_and_runs_nothing_else(opened: Any) -> None:
    assert opened.title == "model.bin: metrics"
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert opened.find_elements("tag name", "img") == []
    assert len(opened.find_elements("css selector", "tbody tr")) == 3


def test_pointing_at_a_plot_tells_of_the_version_nearest(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    first, second = opened.find_elements("tag name", "svg")
    tip = opened.find_element("id", "tip")
    assert not tip.is_displayed()
    ActionChains(opened).move_to_element_with_offset(first, 150, 0).perform()
    assert tip.is_displayed()
    words = tip.text
    assert f"train 3 {EVIL}" in words
    assert "acc\n0.8" in words
    assert opened.find_element("css selector", "tr.here").get_attribute("id") == "v3"
    for plot in (first, second):
        ring = plot.find_element("class name", "here")
        assert ring.get_attribute("visibility") == "visible", "the same version is marked in every plot"
        assert float(ring.get_attribute("cx")) == float(plot.get_attribute("data-x").split()[2])
    ActionChains(opened).move_to_element_with_offset(first, -150, 0).perform()
    assert "acc\n0.6" in tip.text
    ActionChains(opened).move_to_element(opened.find_element("tag name", "h1")).perform()
    assert not tip.is_displayed()


def test_a_click_leads_to_the_row_and_its_link_to_the_version_before(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    plot = opened.find_element("tag name", "svg")
    ActionChains(opened).move_to_element_with_offset(plot, 150, 60).click().perform()
    assert opened.current_url.endswith("#v3")
    opened.find_element("css selector", "#v3 a").click()
    assert opened.current_url.endswith("#v2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_a_screen_and_a_phone(tmp_path: Path, browser: Any, width: int, scheme: str) -> None:
    clone = Clone.new(tmp_path / "project")
    names = ("test.accuracy", "test.log_loss", "test.f1_macro", "latency_ms_p95", "size_mb", "rows")
    params = b'{"depth": %d, "trees": %d, "learning_rate": 0.05}'
    for at in range(2):
        clone.write("model.bin", at)
        clone.write("params.json", params % (at, 50 * at))
        metrics = [word for name in names for word in ("-m", f"{name}=0.{at + 5}321")]
        clone.mvc("add", "model.bin", *metrics, "--params", "params.json")
        clone.git("commit", "-qm", "tune the depth of the trees and their number with a search over five folds")
    clone.mvc("plot", "model.bin", "-o", "report.html")
    run = browser.execute_cdp_cmd
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    try:
        run("Emulation.setDeviceMetricsOverride", screen)
        run("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.get((clone.path / "report.html").as_uri())
        body = browser.find_element("tag name", "body")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, "nothing sticks out"
        assert "better than the version before" in body.text or "since the version before" in body.text
        author = clone.git("log", "-1", "--format=%an").strip()
        assert f"by {author}" in body.text
        assert author in browser.find_element("css selector", "#v2 .words").text
        inside = browser.execute_script(
            "const e = document.querySelector('.wide'); return e.scrollWidth - e.clientWidth"
        )
        assert (inside == 0) == (width == 1280), "the whole table is seen on a screen; on a phone it scrolls"
        ink, paper = (int(browser.execute_script(_RED, name)) for name in ("color", "backgroundColor"))
        assert ink < 100 if scheme == "light" else ink > 150
        assert paper > 150 if scheme == "light" else paper < 100
    finally:
        run("Emulation.clearDeviceMetricsOverride", {})
        run("Emulation.setEmulatedMedia", {"features": []})


_RED = "return getComputedStyle(document.body)[arguments[0]].match(/\\d+/)[0]"  # the share of red, 0 to 255


def test_with_the_keyboard(opened: Any) -> None:
    from selenium.webdriver import Keys

    plot = opened.find_element("tag name", "svg")
    plot.send_keys(Keys.ARROW_LEFT)
    assert opened.find_element("css selector", "tr.here").get_attribute("id") == "v3"
    plot.send_keys(Keys.ARROW_LEFT)
    assert opened.find_element("css selector", "tr.here").get_attribute("id") == "v2"
    assert opened.find_element("id", "tip").is_displayed()
    plot.send_keys(Keys.ESCAPE)
    assert not opened.find_element("id", "tip").is_displayed()

"""README.md is true: its quickstart runs as printed, its pictures show this program, its figures are measured."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import pictures, quickstart
from tests.support.clone import ROOT

AGAIN = "run `python -m tests.support.{}`, and look at what changed"


def test_the_quickstart_works_as_printed(tmp_path: Path) -> None:
    steps = quickstart.steps(quickstart.PAGE.read_text())
    assert len(steps) > 4
    printed = quickstart.run([commands for commands, _ in steps], tmp_path)
    assert len(printed) == len(steps)
    for (commands, shown), said in zip(steps, printed, strict=True):
        assert quickstart.stable(said) == quickstart.stable(shown), f"{commands}\n{AGAIN.format('quickstart')}"


def test_only_ids_dates_and_spaces_may_differ() -> None:
    stable = quickstart.stable
    assert stable("65a6eb91  2026-03-08  Ada  \n") == stable("680e394f  2027-12-09  Ada\n")
    assert stable("1 version sent (4.0 MB)") != stable("2 versions sent (4.0 MB)")


def test_what_a_step_prints_is_written_below_it() -> None:
    page = "\n## Quickstart\n```sh\na\n```\n```text\n680e394f old\n```\n```sh\nb\n```\n\n## Next\n```sh\nc\n```\n"
    assert quickstart.rewritten(page, ["65a6eb91 old\n", ""]) == page
    new = quickstart.rewritten(page, ["new\n", "more\n"])
    assert quickstart.steps(new) == [("a\n", "new\n"), ("b\n", "more\n")]
    assert new.endswith("\n## Next\n```sh\nc\n```\n")


def test_the_pictures_show_this_program(tmp_path: Path) -> None:
    clone = pictures.history(tmp_path)
    shown = pictures.plain(pictures.session(clone))
    assert pictures.drawn() == [line for line in shown if line], AGAIN.format("pictures")
    clone.git("reset", "-q", "--hard")
    page = pictures.report(clone)
    assert pictures.digest_in(pictures.REPORT.read_bytes()) == pictures.digest(page), AGAIN.format("pictures")


def test_the_pictures_are_small_and_load_nothing() -> None:
    for picture in (pictures.TERMINAL, pictures.REPORT):
        assert picture.stat().st_size < pictures.LARGEST
        assert f"({picture.relative_to(ROOT)})" in quickstart.PAGE.read_text()
    assert "url(http" not in pictures.TERMINAL.read_text().replace('"', "")


def test_the_figures_are_those_of_the_page_about_speed() -> None:
    measured: dict[str, list[str]] = {}
    work = ""
    for line in (ROOT / "docs/speed.md").read_text().partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) > 4:
            work = cells[0] or work
            measured[f"{work}: {cells[1]}"] = cells[2:5]
    rows = re.findall(
        r"^\| ([^|]+: [^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
        quickstart.PAGE.read_text(),
        re.MULTILINE,
    )
    assert len(rows) > 4
    for name, *figures in rows:
        mvc, dvc, lfs = measured[name]
        assert figures == [
            mvc if name.endswith("kept") else f"{mvc} s",
            dvc or "not measured",
            lfs or "not measured",
        ], name

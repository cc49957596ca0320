"""The pages say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import modelvc.errors
from modelvc.errors import ModelvcError
from modelvc.formats.text import policy
from modelvc.gate.measures import MEASURES
from tests.support import reference
from tests.support.clone import ROOT


def _classes(kind: type[ModelvcError] = ModelvcError) -> list[type[ModelvcError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in _classes(sub))]


def test_the_page_of_commands_is_the_program_s_own_words() -> None:
    page = reference.PAGE.read_text()
    assert page == reference.rewritten(page), "run `python -m tests.support.reference`"


def test_every_command_has_its_section_and_its_json() -> None:
    page = reference.PAGE.read_text()
    commands = set(reference.commands())
    assert set(re.findall(r"^### mvc (.+)$", page, re.MULTILINE)) == commands
    assert set(re.findall(r"<!-- help: (.+?) -->", page)) == commands
    assert set(re.findall(r"<!-- json: (.+?) -->", page)) == commands == set(reference.RESULTS)


def test_every_error_is_listed_with_its_exit_code() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\d+) \| (.+?) \| (.+?) \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )
    listed = {code: int(status) for code, status, _, _ in rows}
    assert len(rows) == len(listed)
    known = {one.code: one.exit_code for one in _classes() if one.__module__ == modelvc.errors.__name__}
    assert listed == {**known, "internal": 70}


def test_a_code_means_one_class() -> None:
    codes = [one.code for one in _classes() if one.__module__ == modelvc.errors.__name__]
    assert len(codes) == len(set(codes))


def test_every_command_that_a_page_or_message_names_is_there() -> None:
    """`mvc COMMAND` in a hint that does not exist sends people nowhere."""
    commands = {words.split()[0] for words in reference.commands()} | {"complete", "hook"}
    unknown = set()
    for folder in ("modelvc", "hooks"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix == ".py" or (file.is_file() and not file.suffix):
                for word in re.findall(r"`mvc ([a-z][a-z-]*)", file.read_text()):
                    if word not in commands:
                        unknown.add((file.name, word))
    assert not unknown


def test_every_test_that_stands_behind_a_promise_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/.-]+)`", (ROOT / "docs/security.md").read_text()))
    assert len(named) > 15
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_the_policy_on_its_page_is_one_and_its_list_of_metrics_is_whole() -> None:
    page = (ROOT / "docs/policy.md").read_text()
    found = policy.parse(page.partition("```toml\n")[2].partition("```")[0].encode())
    assert [(rule.name, rule.paired) for rule in found.rules] == [("test.auc", True), ("latency_ms.p95", False)]
    listed = page.partition("says what is computed from predictions: ")[2].partition(". Of two labels")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(MEASURES)


def test_every_module_and_file_that_a_page_names_is_there() -> None:
    """`package/module`, with its ending or without, and paths below docs, hooks and tests."""
    packages = {path.stem for path in (ROOT / "modelvc").iterdir()}
    unknown = set()
    for page in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        for path in re.findall(r"`([a-z_]+/[\w./-]+)`", page.read_text()):
            top = path.split("/")[0]
            if top in packages:
                there = any((ROOT / "modelvc" / f"{path}{ending}").exists() for ending in ("", ".py"))
            else:
                there = top not in {"docs", "hooks", "modelvc", "tests"} or (ROOT / path).exists()
            if not there:
                unknown.add(f"{page.name}: {path}")
    assert unknown == set()


def test_every_page_is_reached_from_the_first_one() -> None:
    docs = ROOT / "docs"
    reached: set[Path] = set()
    todo = {docs / "README.md"}
    while todo:
        page = todo.pop()
        reached.add(page)
        if page.suffix == ".md":
            todo |= {target for target, _ in _links(page) if target.is_relative_to(docs) and target.is_file()} - reached
    pictures = set((docs / "pictures").iterdir())  # these stand in the README
    assert {path for path in docs.rglob("*") if path.is_file()} - pictures - reached == set()


def test_every_link_leads_somewhere() -> None:
    """To a file or folder, and to a heading of it."""
    broken = set()
    for page in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        for target, heading in _links(page):
            if not target.exists() or (heading and heading not in _headings(target)):
                broken.add(f"{page.name}: {target.name}#{heading}")
    assert broken == set()


def _links(page: Path) -> set[tuple[Path, str]]:
    """The files of the project that PAGE links to, each with the heading or "" for none."""
    links = re.findall(r"\]\(([^()\s]+)\)", re.sub(r"`[^`\n]*`", "`", page.read_text()))
    parts = [link.partition("#") for link in links if ":" not in link]
    return {((page.parent / path).resolve() if path else page, heading) for path, _, heading in parts}


def _headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}

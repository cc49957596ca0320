"""Write the result of `mvc scan` as text, JSON, Markdown, JUnit, GitHub's workflow commands or SARIF."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelvc import __version__
from modelvc.cli.views import render
from modelvc.cli.views.markup import attribute, message, property_value, text_of
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelvc.ops.inspection.scan import Scanned, ScannedImport, ScannedModel

_COLOURS = {"inert": "green", "listed": "green", "known-bad": "red"}  # any other is yellow
_QUIET = frozenset({"inert", "listed"})  # verdicts that no report of findings has
_WIDTH = 100  # of lines that no terminal limits
_MEANINGS = {
    "known-bad": "The file does what only an attack does.",
    "unreadable": "The file could not be read to its end.",
    "code": "The file holds a program of its own.",
    "unlisted": "Loading the file imports or calls names that are not on the list.",
    "unknown": "The file has no format that mvc reads.",
    "listed": "Every name that loading the file imports is on the list.",
    "inert": "The file holds data alone.",
}


def text(found: Scanned, name: Callable[[str], str] = shown) -> str:
    """Return one line for each model, then its reasons and imports, then all verdicts in one line.

    NAME: how to print the path of a model.
    """
    lines: list[str] = []
    wide = max((len(model.verdict) for model in found.models), default=0)
    for model in found.models:
        word = render.colour(model.verdict.ljust(wide), _COLOURS.get(model.verdict, "yellow"))
        what = model.class_name.rpartition(".")[2] or model.format.replace("unknown", "")
        lines.append(f"{word}  {name(model.path)}{f'  ({shown(what)})' if what else ''}")
        lines += _details(model)
    return "\n".join([*lines, *([""] if lines else []), summary(found)]) + "\n"


def _details(model: ScannedModel) -> Iterator[str]:
    """Yield the findings, and every import: one a line if the list does not allow it, the others together."""
    for finding in model.findings:
        yield from _wrapped("found", [shown(finding)])
    if model.unreadable:
        yield from _wrapped("unreadable", [shown(model.unreadable)])
    for one in model.imports:
        if not one.listed:
            yield from _wrapped("not listed", [_with_use(one)])
    yield from _wrapped("listed", [shown(one.name) for one in model.imports if one.listed])
    for note in model.notes:
        yield from _wrapped("note", [shown(note)])


def _wrapped(label: str, words: Sequence[str]) -> list[str]:
    """Return WORDS, joined by commas, as lines below LABEL that fit into the terminal."""
    if not words:
        return []
    first = f"  {label}:".ljust(15)
    return textwrap.wrap(
        ", ".join(words), render.width() or _WIDTH, initial_indent=first, subsequent_indent=" " * 15,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _with_use(one: ScannedImport) -> str:
    return shown(one.name) if one.use == "referred" else f"{shown(one.name)} ({one.use})"


def summary(found: Scanned) -> str:
    """Return the numbers of verdicts in one line."""
    counts = {word: sum(model.verdict == word for model in found.models) for word in _MEANINGS}
    words = [f"{count:,} {word}" for word, count in counts.items() if count]
    words += [f"{len(found.missing):,} not in this clone"] if found.missing else []
    total = len(found.models) + len(found.missing)
    refused = f"; {len(found.refused):,} refused" if found.refused else ""
    return f"{render.count(total, 'model')}: {', '.join(words)}{refused}" if total else "no models are tracked"


def as_json(found: Scanned) -> str:
    """Return the result as JSON, as `--json` of every command does."""
    return render.as_json(render.plain(found)) + "\n"


def markdown(found: Scanned) -> str:
    """Return a Markdown table for a pull request."""
    rows = [
        (("❌ " if model.refused else "") + model.verdict, model.path, ", ".join(model.reasons), _imports(model))
        for model in found.models
    ]
    table = render.table(("verdict", "model", "why", "imports"), rows, markdown=True) if rows else []
    return "\n".join([f"### Scan: {summary(found)}", "", *table]) + "\n"


def _imports(model: ScannedModel) -> str:
    return ", ".join(_with_use(one) for one in model.imports)


def junit(found: Scanned) -> str:
    """Return JUnit XML with one <testcase> for each model, as CI systems read it."""
    counts = f'tests="{len(found.models)}" failures="{len(found.refused)}" errors="0" skipped="0" time="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="mvc scan" {counts}>']
    lines.append(f'  <testsuite name="mvc scan" {counts}>')
    for model in found.models:
        lines.append(f'    <testcase classname="mvc scan" name={attribute(model.path)} time="0">')
        facts = text_of("\n".join(_plain_details(model)))
        if model.refused:
            lines.append(f"      <failure message={attribute(_sentence(model))}>{facts}</failure>")
        lines.append(f"      <system-out>{facts}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _plain_details(model: ScannedModel) -> list[str]:
    return [_sentence(model), *(f"imports {_with_use(one)}" for one in model.imports)]


def _sentence(model: ScannedModel) -> str:
    return f"{model.verdict}: {', '.join(model.reasons)}" if model.reasons else model.verdict


def github(found: Scanned) -> str:
    """Return annotations of pointers for GitHub, one line each, and a notice. Inert and listed models are left out."""
    lines = []
    for model in found.models:
        if model.refused or model.verdict not in _QUIET:
            level = "error" if model.refused else "warning"
            file = property_value(shown(_place(model), 5_000))
            title = property_value(f"mvc scan: {model.verdict}")
            lines.append(f"::{level} file={file},title={title}::{message(shown(_sentence(model), 2_000))}")
    return "".join(line + "\n" for line in (*lines, f"::notice title=mvc scan::{message(summary(found))}"))


def sarif(found: Scanned) -> str:
    """Return SARIF 2.1.0: one rule for each verdict, one result for each model that is not inert or listed."""
    words = list(_MEANINGS)
    rules = [
        {
            "id": f"mvc/{word}",
            "name": "".join(part.capitalize() for part in word.split("-")),
            "shortDescription": {"text": meaning},
            "fullDescription": {"text": f"{meaning} See docs/inside.md of modelvc."},
            "defaultConfiguration": {"level": _level(word in found.refuse, word)},
        }
        for word, meaning in _MEANINGS.items()
    ]
    results = [_result(model, words) for model in found.models if model.refused or model.verdict not in _QUIET]
    driver = {
        "name": "modelvc",
        "semanticVersion": __version__,
        "rules": rules,
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "results": results,
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return render.as_json(document) + "\n"


def _result(model: ScannedModel, words: Sequence[str]) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(_place(model), errors="surrogateescape"), "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 1},
    }
    return {
        "ruleId": f"mvc/{model.verdict}",
        "ruleIndex": words.index(model.verdict),
        "level": _level(model.refused, model.verdict),
        "message": {"text": f"{shown(model.path)} is {shown(_sentence(model), 2_000)}."},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"modelVersion/v1": model.oid or model.path},
        "properties": {"imports": [_with_use(one) for one in model.imports]},
    }


def _place(model: ScannedModel) -> str:
    """Return the file that a report names: the pointer, which Git has; of an untracked model the model itself."""
    return f"{model.path}.mvc" if model.tracked else model.path


def _level(refused: bool, verdict: str) -> str:
    return "error" if refused else "none" if verdict in _QUIET else "warning"


FORMATS: dict[str, Callable[[Scanned], str]] = {
    "text": text,
    "json": as_json,
    "md": markdown,
    "junit": junit,
    "github": github,
    "sarif": sarif,
}

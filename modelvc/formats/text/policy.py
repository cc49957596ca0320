"""`.mvc/policy.toml`: which metrics of which models count, which direction is better, what a version must keep, and
which verdicts on what a model runs are refused.

Spec: docs/policy.md. Unlike in the configuration, an unknown key is an error: a misspelt floor would guard nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from modelvc.errors import ConfigError, FormatError, shown
from modelvc.formats import limits, toml
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.metrics import is_number
from modelvc.formats.text import scan_rules
from modelvc.formats.text.scan_rules import ScanRules

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Direction: TypeAlias = Literal["higher", "lower", "target", "info"]
OnInconclusive: TypeAlias = Literal["fail", "warn"]

POLICY = ".mvc/policy.toml"
SHORTEST = '[[metric]] · name = "accuracy" · direction = "higher" · max_drop = { abs = 0.01 }'
MAX_ONLY = 100  # globs; each metric of a file is matched with each, so that more would take long
DIRECTIONS: tuple[Direction, ...] = ("higher", "lower", "target", "info")

_METRIC = frozenset(
    "confidence direction max max_drop max_rise metric min model name on_inconclusive target test".split()  # noqa: SIM905
)
_MODEL = frozenset({"model", "metrics", "params", "predictions", "only", "positive"})
_HEADER = re.compile(r"^\s*\[\[\s*([A-Za-z_-]+)\s*\]\]")
_KEY = re.compile(r"""^\s*["']?([A-Za-z0-9_-]+)["']?\s*[=.]""")


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse a metric may get: only a loss above both parts is a regression.

    `absolute` is in the unit of the metric, `relative` is a share of the old value.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def allowed(self, old: float) -> float:
        """The largest loss from OLD that is no regression, in the unit of the metric."""
        share = self.relative * abs(old) if math.isfinite(old) else 0.0  # a share of infinity would allow everything
        return max(self.absolute, share)


@dataclass(frozen=True, slots=True)
class MetricRule:
    """One `[[metric]]`."""

    model: str  # a glob over paths of models; "*" for every model
    name: str  # of the metric, exact or a glob
    direction: Direction
    floor: float | None = None  # min
    ceiling: float | None = None  # max
    target: float | None = None  # for the direction "target"
    margin: Margin | None = None  # max_drop or max_rise; None for no comparison with another version
    paired: bool = False  # whether to compare row by row, by the predictions of both versions
    metric: str = ""  # the measure to compute from predictions; "" for the one that the name means
    confidence: float = 0.95
    on_inconclusive: OnInconclusive = "fail"
    line: int = 0  # in the file

    def covers(self, model: str, metric: str) -> bool:
        """Whether this rule is about METRIC of MODEL."""
        return matches(self.model, model) and self.covers_metric(metric)

    def covers_metric(self, metric: str) -> bool:
        """Whether this rule is about METRIC, for the models that it names."""
        return metric == self.name or fnmatchcase(metric, self.name)

    @property
    def exact(self) -> bool:
        """Whether this rule names one metric, which a version then must have."""
        return not _is_glob(self.name)

    def crossed(self, value: float) -> str:
        """In words, the bound that VALUE does not keep; "" where it keeps both."""
        if self.floor is not None and value < self.floor:
            return f"is below its floor {self.floor:g}"
        if self.ceiling is not None and value > self.ceiling:
            return f"is above its ceiling {self.ceiling:g}"
        return ""

    def gain(self, old: float, new: float) -> float | None:
        """How much better NEW is than OLD; negative where it is worse, None where no direction is better."""
        if self.direction == "higher":
            return new - old
        if self.direction == "lower":
            return old - new
        if self.direction == "target" and self.target is not None:
            return abs(old - self.target) - abs(new - self.target)
        return None


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One `[[model]]`: the files with its metrics, parameters and predictions.

    `metrics`, `params` and `predictions` are paths below the top of the worktree, "" for none. `only`: globs over the
    names of the metrics to record; empty for all. `positive`: the label that precision, recall, F1, AUC and Brier are
    about; "" where the policy names none.
    """

    model: str
    metrics: str = ""
    params: str = ""
    predictions: str = ""
    only: tuple[str, ...] = ()
    positive: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole file, in its order."""

    rules: tuple[MetricRule, ...] = ()
    files: tuple[ModelFiles, ...] = ()
    scan: ScanRules = field(default_factory=ScanRules)

    def rules_for(self, model: str) -> tuple[MetricRule, ...]:
        """The rules about MODEL."""
        return tuple(rule for rule in self.rules if matches(rule.model, model))

    def rule(self, model: str, metric: str) -> MetricRule | None:
        """The rule with the direction of METRIC of MODEL: the first with its exact name, else the first; or None."""
        found = [rule for rule in self.rules if rule.covers(model, metric)]
        return next((rule for rule in found if rule.name == metric), found[0] if found else None)

    def gain(self, model: str, metric: str, old: object, new: object) -> float | None:
        """How much better NEW is than OLD; None where no rule gives a direction, or one of them is not a number."""
        rule = self.rule(model, metric)
        numbers = [value for value in (old, new) if is_number(value)]
        return rule.gain(*map(float, numbers)) if rule and len(numbers) == 2 else None

    def files_for(self, model: str) -> ModelFiles | None:
        """The first `[[model]]` about MODEL, or None."""
        return next((one for one in self.files if matches(one.model, model)), None)

    def positive_for(self, model: str) -> str:
        """The positive label of MODEL, from the first `[[model]]` that names one; "" where none does."""
        return next((one.positive for one in self.files if one.positive and matches(one.model, model)), "")


def matches(pattern: str, model: str) -> bool:
    """Whether PATTERN, a glob over paths of models, matches MODEL; `*` crosses slashes."""
    return pattern == model or fnmatchcase(model, pattern)


def parse(data: bytes, where: str = POLICY) -> Policy:
    """The policy in DATA. Raises ConfigError, which names the file WHERE and the line."""
    try:
        table = toml.read(data, shown(where), limit=limits.POLICY)
    except FormatError as error:
        raise ConfigError(str(error), hint=f"edit {shown(where)}") from None
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    reader = _PolicyReader(where, text.split("\n"))
    for key in table:
        if key not in {"metric", "model", "scan"}:
            words = f'there is no key "{shown(key, 40)}", only [[metric]], [[model]] and [scan]'
            raise reader.error(reader.top(key), words)
    rules = tuple(reader.rule(number, entry) for number, entry in reader.entries(table, "metric"))
    files = tuple(reader.files(number, entry) for number, entry in reader.entries(table, "model"))
    scan = scan_rules.from_policy(table.get("scan", {}), lambda key, why: reader.error(reader.top(key), why))
    return Policy(rules, files, scan)


class _PolicyReader:
    """Reads the entries of a policy, and finds the line of a mistake, which tomllib does not give."""

    def __init__(self, where: str, lines: Sequence[str]) -> None:
        self._where = where
        self._lines = lines
        # For each kind the positions in `lines` of its headers: found once here, and not again for every rule.
        self._starts: dict[str, list[int]] = {}
        for at, text in enumerate(lines):
            if header := _HEADER.match(text):
                self._starts.setdefault(header[1], []).append(at)

    def error(self, line: int, why: str) -> ConfigError:
        return ConfigError(f"{shown(self._where)}, line {line}: {why}", hint=f"edit {shown(self._where)}")

    def top(self, key: str) -> int:
        """The line of a top-level KEY; 1 where it is not found."""
        for number, line in enumerate(self._lines, 1):
            if re.match(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}\b", line):
                return number
        return 1

    def entries(self, table: Mapping[str, Any], kind: str) -> list[tuple[int, dict[str, Any]]]:
        """The entries of a kind, each with its number."""
        found = table.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.error(self.top(kind), f"{kind} must be written as [[{kind}]]")
        if len(found) > limits.POLICY_ENTRIES:
            raise self.error(1, f"there are more than {limits.POLICY_ENTRIES:,} of [[{kind}]]")
        return list(enumerate(found))

    def line(self, kind: str, number: int, key: str = "") -> int:
        """The line on which the entry NUMBER of a kind begins, or on which it has KEY."""
        starts = self._starts.get(kind, [])
        if number >= len(starts):
            return 1
        start = starts[number]
        for at in range(start + 1, len(self._lines)) if key else ():
            if _HEADER.match(self._lines[at]):
                break
            if (found := _KEY.match(self._lines[at])) and found[1] == key:
                return at + 1
        return start + 1

    def rule(self, number: int, entry: dict[str, Any]) -> MetricRule:
        """The rule in ENTRY, the [[metric]] with this NUMBER. Raises ConfigError."""

        def fail(key: str, why: str) -> ConfigError:
            return self.error(self.line("metric", number, key), f"{shown(key, 40)} {why}")

        self._check_keys("metric", number, entry, _METRIC)
        name = _text(entry, "name", fail)
        direction = entry.get("direction")
        if direction not in DIRECTIONS:
            said = "is missing" if direction is None else "is not known"
            raise fail("direction", f"{said}; write one of {', '.join(DIRECTIONS)}")
        allowed = {"higher": "max_drop", "lower": "max_rise", "target": "max_drop"}.get(direction)
        for key in {"max_drop", "max_rise"} & set(entry):
            if key != allowed:
                raise fail(key, f'cannot be combined with direction = "{direction}"')
        target = _number(entry, "target", fail)
        if (direction == "target") != (target is not None):
            raise fail("target", 'is needed with direction = "target", and with no other direction')
        if direction == "info" and set(entry) & {"min", "max", "test"}:
            raise fail("direction", 'is "info", so the metric has no min, max and test')
        if entry.get("test", "paired") != "paired":
            raise fail("test", 'must be "paired"')
        if "test" in entry and direction == "target":
            raise fail("test", 'cannot be combined with direction = "target"')
        if "test" in entry and (allowed is None or allowed not in entry):
            raise fail("test", f"needs {allowed or 'max_drop'}, the loss that is allowed")
        metric = _text(entry, "metric", fail, "")
        if metric and "test" not in entry:
            raise fail("metric", 'needs test = "paired"')
        confidence = _number(entry, "confidence", fail)
        if confidence is not None and not 0.5 <= confidence < 1:
            raise fail("confidence", "must lie between 0.5 and 1, such as 0.95")
        if entry.get("on_inconclusive", "fail") not in {"fail", "warn"}:
            raise fail("on_inconclusive", 'must be "fail" or "warn"')
        return MetricRule(
            model=_text(entry, "model", fail, "*"),
            name=name,
            direction=direction,
            floor=_number(entry, "min", fail),
            ceiling=_number(entry, "max", fail),
            target=target,
            margin=_margin(entry, allowed, fail) if allowed else None,
            paired="test" in entry,
            metric=metric,
            confidence=0.95 if confidence is None else confidence,
            on_inconclusive=cast("OnInconclusive", entry.get("on_inconclusive", "fail")),
            line=self.line("metric", number),
        )

    def files(self, number: int, entry: dict[str, Any]) -> ModelFiles:
        """The files in ENTRY, the [[model]] with this NUMBER. Raises ConfigError."""

        def fail(key: str, why: str) -> ConfigError:
            return self.error(self.line("model", number, key), f"{shown(key, 40)} {why}")

        self._check_keys("model", number, entry, _MODEL)
        paths = {}
        for key in ("metrics", "params", "predictions"):
            path = _text(entry, key, fail, "")
            try:
                paths[key] = str(SafeRelPath.parse(path)) if path else ""
            except FormatError as error:
                raise fail(key, f"is not a path below the worktree: {error}") from None
        return ModelFiles(
            _text(entry, "model", fail, "*"),
            **paths,
            only=_texts(entry, "only", fail),
            positive=_text(entry, "positive", fail, ""),
            line=self.line("model", number),
        )

    def _check_keys(self, kind: str, number: int, entry: dict[str, Any], known: Collection[str]) -> None:
        for key in entry:
            if key not in known:
                line = self.line(kind, number, key)
                raise self.error(line, f'there is no key "{shown(key, 40)}"; known are {", ".join(sorted(known))}')


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _text(entry: Mapping[str, Any], key: str, fail: Any, default: str | None = None) -> str:
    value = entry.get(key, default)
    if value is None:
        raise fail(key, "is missing")
    if not isinstance(value, str) or not (value or default == "") or len(value) > 1_000 or not value.isprintable():
        raise fail(key, "must be a string of 1 to 1,000 printable characters")
    return value


def _texts(entry: Mapping[str, Any], key: str, fail: Any) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or len(value) > MAX_ONLY:
        raise fail(key, f'must be a list of at most {MAX_ONLY} strings, such as ["test.*"]')
    return tuple(_text({key: one}, key, fail) for one in value)


def _number(entry: Mapping[str, Any], key: str, fail: Any) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if not is_number(value) or value != value:  # noqa: PLR0124 - nan
        raise fail(key, "must be a number")
    return float(value)


def _margin(entry: Mapping[str, Any], key: str, fail: Any) -> Margin | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, dict) or not value or not set(value) <= {"abs", "rel"}:
        raise fail(key, "must be written as { abs = NUMBER, rel = SHARE }, or one of these")
    parts = [_number(value, part, fail) or 0.0 for part in ("abs", "rel")]
    if any(part < 0 or part == float("inf") for part in parts):
        raise fail(key, "cannot be negative or infinite")
    return Margin(*parts)

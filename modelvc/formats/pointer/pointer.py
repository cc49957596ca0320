"""Pointers: the small text files that stand in Git for models. Spec: docs/format.md#pointer.

A pointer has one text, so that equal pointers are the same Git blob.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

from modelvc.errors import BrokenPointer, FormatError, PointerConflict, shown
from modelvc.formats import limits, toml
from modelvc.formats.paths import POINTER_SUFFIX, SafeRelPath
from modelvc.formats.pointer import environment, metrics, model_table
from modelvc.ids import Oid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelvc.formats.pointer.environment import Environment
    from modelvc.formats.pointer.metrics import MetricValue, Pairs
    from modelvc.formats.pointer.model_table import ModelTable

Kind: TypeAlias = Literal["file", "tree"]

FORMAT = 1
_MEASURED = frozenset({"metrics", "metrics_file", "params", "predictions"})
_VERSION = frozenset({"kind", "oid", "size", "files", "executable", "parent"}) | _MEASURED  # keys of one version
_KNOWN = _VERSION | {"format", "conflict"}
# Tables that describe one version, by their names; the fields have the same names.
_READERS: dict[str, Callable[[object, Oid], Environment | ModelTable | None]] = {
    environment.NAME: environment.read,
    model_table.NAME: model_table.read,
}
OF_A_VERSION = frozenset(_READERS)  # keys that describe one version: another one drops them
_RESERVED = (
    environment.NAME,
    "golden",
    model_table.NAME,
)  # tables between those of a version and [conflict], in this order
_SIDES = frozenset({"ours", "theirs"})
_MARKERS = (b"<<<<<<<", b">>>>>>>")
_DIGEST = '"(blake3:[0-9a-f]{64})"\n'
_NAME = rf'(?:[A-Za-z0-9_-]{{1,{limits.METRIC_NAME}}}|"[A-Za-z0-9_.-]{{1,{limits.METRIC_NAME}}}")'  # test.accuracy, too
# The usual text: a version with numbers as metrics, and what it is. Pointers are read by the ten thousand: this pattern
# takes a quarter of the time that the TOML reader takes.
_USUAL = re.compile(
    rf'format = 1\nkind = "file"\noid = {_DIGEST}size = (0|[1-9][0-9]{{0,17}})\n(?:parent = {_DIGEST})?'
    rf"(?:\n\[metrics\]\nof = {_DIGEST}((?:{_NAME} = [0-9.-]{{1,40}}\n)*+))?"
    rf"(?:\n\[{environment.NAME}\]\n((?:[a-z_]{{2,20}} = [^\n]++\n)++))?"
    rf"(?:\n\[{model_table.NAME}\]\n((?:[a-z_]{{2,20}} = [^\n]++\n)++))?".encode()
)


class LaterPointer(BrokenPointer):
    """A pointer of a format that only later releases read: it is not damaged."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics, in the order given, and the oid of the version `of` which they were measured."""

    of: Oid
    values: metrics.Pairs

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", metrics.check_pairs(self.values))


@dataclass(frozen=True, slots=True)
class MetricsFile:
    """The file that metrics were read from: its path below the top of the worktree, and the hash of its bytes."""

    path: SafeRelPath
    digest: Oid


@dataclass(frozen=True, slots=True)
class PredictionsBlob:
    """A blob in the store: the predictions of the version `of` for each row of a test set.

    `positive`: the label that precision, recall, F1, AUC and Brier are about; "" where none was named.
    """

    of: Oid
    oid: Oid
    size: int  # bytes
    rows: int
    positive: str = ""

    def __post_init__(self) -> None:
        if len(self.positive) > limits.METRIC_NAME or not (self.positive.isprintable()):
            raise FormatError(f"its positive label is not a text of at most {limits.METRIC_NAME} characters")
        if not 0 <= self.size <= toml.INT_MAX or not 0 <= self.rows <= toml.INT_MAX:
            raise FormatError("the size or the number of rows of its predictions is impossible")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A merge that could not choose: the pointer itself is our version, and `other` is theirs."""

    ours: str  # the name of our side, usually a branch
    theirs: str
    other: Pointer  # without unknown keys, [env], [model], and a conflict of its own

    def __post_init__(self) -> None:
        for label in (self.ours, self.theirs):
            if not label or len(label) > limits.CONFLICT_LABEL or not label.isprintable():
                raise FormatError(f'a side of a conflict cannot be called "{shown(label, 40)}"')
        if self.other.extra or any((self.other.conflict, self.other.env, self.other.model)):
            raise FormatError("the other side of a conflict is one plain version")


@dataclass(frozen=True, slots=True)
class Pointer:
    """One version of a model. A Pointer that could not be written raises FormatError when it is made.

    An `env` or a `model` of another version is dropped. `extra` may hold such a table that this release cannot read.
    """

    kind: Kind
    oid: Oid
    size: int  # bytes; of a tree: of all its files together
    files: int | None = None  # trees only
    executable: bool = False  # files only
    parent: Oid | None = None  # the oid that this version replaced
    metrics: Metrics | None = None
    metrics_file: MetricsFile | None = None
    params: Pairs = ()  # how the version was trained, in the order given
    predictions: PredictionsBlob | None = None
    extra: Mapping[str, toml.Value] = field(default_factory=dict, hash=False)  # unknown keys, kept
    conflict: Conflict | None = None
    model: ModelTable | None = None  # what the version is
    env: Environment | None = None  # the environment that it was made in

    def __post_init__(self) -> None:
        if not 0 <= self.size <= toml.INT_MAX:
            raise FormatError(f"its size cannot be {self.size}")
        if (self.kind == "tree") != (self.files is not None):
            raise FormatError("a tree has a number of files, and only a tree has one")
        if self.files is not None and (not 0 <= self.files <= toml.INT_MAX or (self.size and not self.files)):
            raise FormatError(f"{self.size} bytes cannot lie in {self.files} files")
        if self.kind == "tree" and self.executable:
            raise FormatError("a tree is not executable; its files are")
        if not _KNOWN.isdisjoint(self.extra):
            raise FormatError(f"{', '.join(sorted(_KNOWN & set(self.extra)))} cannot be an extra key")
        object.__setattr__(self, "params", metrics.check_pairs(self.params))
        extra = dict(self.extra)
        for name, read in _READERS.items():
            table = getattr(self, name)
            if table is not None and table.of != self.oid:
                table = None
            if name in extra:
                table = table or read(extra[name], self.oid)
                if table is not None:
                    del extra[name]
            object.__setattr__(self, name, table)
        object.__setattr__(self, "extra", toml.ordered(extra))

    @property
    def stale(self) -> bool:
        """Whether its metrics were measured on another version."""
        return self.metrics is not None and self.metrics.of != self.oid

    @property
    def recorded_metrics(self) -> dict[str, MetricValue]:
        """Its metrics by name, stale or not."""
        return dict(self.metrics.values) if self.metrics else {}

    @property
    def current_metrics(self) -> dict[str, MetricValue]:
        """Its metrics by name; none if they are stale."""
        return {} if self.stale else self.recorded_metrics

    @property
    def versions(self) -> tuple[Pointer, ...]:
        """Every object that this pointer names, each as a version: its sides, and the predictions of each side."""
        said = [one.predictions for one in self.sides if one.predictions]
        return (*self.sides, *(Pointer("file", one.oid, one.size) for one in said))

    @property
    def sides(self) -> tuple[Pointer, ...]:
        """The versions of the model that this pointer names: one, or both sides of a conflict."""
        return (self,) if self.conflict is None else (self, self.conflict.other)

    def encode(self) -> bytes:
        """The one text of this pointer. Raises FormatError when it is larger than a limit."""
        head: dict[str, toml.Value] = {"format": FORMAT, **_head(self)}
        head |= {key: value for key, value in self.extra.items() if not isinstance(value, dict)}
        known = {key: value for key, value in self.extra.items() if isinstance(value, dict)}
        known |= {name: table.encode() for name in _READERS if (table := getattr(self, name)) is not None}
        tables: dict[str, toml.Value] = {**_measured(self), **{key: known[key] for key in _RESERVED if key in known}}
        if self.conflict is not None:
            other = self.conflict.other
            sides: dict[str, toml.Value] = {"ours": self.conflict.ours, "theirs": self.conflict.theirs}
            tables["conflict"] = {**sides, **_head(other), **_measured(other)}
        tables |= {key: table for key, table in known.items() if key not in _RESERVED}
        data = toml.encode(head | tables).encode()
        if (
            len(data) > limits.POINTER_HEAD and len(data.partition(b"\n\n[")[0]) >= limits.POINTER_HEAD
        ):  # its last line has an end, too
            raise FormatError(f"the part before [metrics] is larger than {limits.POINTER_HEAD:,} bytes")
        if len(data) > limits.POINTER:
            raise FormatError(
                f"a pointer cannot be larger than {limits.POINTER:,} bytes; record fewer metrics (--only 'test.*')"
            )
        return data


def _head(version: Pointer) -> dict[str, toml.Value]:
    """The keys of VERSION before its tables."""
    found: dict[str, toml.Value] = {"kind": version.kind, "oid": str(version.oid), "size": version.size}
    if version.files is not None:
        found["files"] = version.files
    if version.executable:
        found["executable"] = True
    if version.parent is not None:
        found["parent"] = str(version.parent)
    return found


def _measured(version: Pointer) -> dict[str, toml.Value]:
    """The tables of VERSION: metrics, params, and the files that they and the predictions come from."""
    found: dict[str, toml.Value] = {}
    if version.metrics is not None:
        found["metrics"] = {metrics.RESERVED: str(version.metrics.of), **dict(version.metrics.values)}
    if version.metrics_file is not None:
        found["metrics_file"] = {"path": str(version.metrics_file.path), "digest": str(version.metrics_file.digest)}
    if version.params:
        found["params"] = dict(version.params)
    if version.predictions is not None:
        said = version.predictions
        found["predictions"] = {
            "of": str(said.of),
            "oid": str(said.oid),
            "size": said.size,
            "rows": said.rows,
            **({"positive": said.positive} if said.positive else {}),
        }
    return found


def parse(data: bytes, path: str = "") -> Pointer:
    """The pointer in DATA. PATH: where it is, for messages.

    Raises PointerConflict for the markers of a text merge, and BrokenPointer for anything else that is no pointer.
    """
    usual = _usual(data)
    if usual is not None:
        return usual
    named = path or "the pointer"
    if len(data) > limits.POINTER:
        raise _broken(path, f"it is larger than {limits.POINTER:,} bytes")
    if not data.strip():
        raise _broken(path, "it is empty")
    if any(line.startswith(_MARKERS) for line in data.split(b"\n")):
        raise PointerConflict(named)
    if not data.endswith(b"\n"):  # a cut in the last number would leave valid TOML
        raise _broken(path, "its last line has no end, so it may have been cut off")
    try:
        table = toml.read(data, "it", limit=limits.POINTER)
        _check_format(table, named)
        found = _from_table(table)
        found.encode()  # what can be read can be written again
    except BrokenPointer:
        raise
    except FormatError as error:
        raise _broken(path, str(error)) from None
    return found


def _usual(data: bytes) -> Pointer | None:
    """The pointer in DATA, if it has the usual text and can be written again; else None."""
    match = _USUAL.fullmatch(data) if len(data) <= limits.POINTER else None
    try:
        return _made(match) if match else None
    except (FormatError, UnicodeDecodeError):  # the thorough reader finds the words
        return None


def _made(match: re.Match[bytes]) -> Pointer | None:
    """The pointer that MATCH of the usual text is; None if a line is unusual."""
    oid, size, parent, of, lines, *described = match.groups()
    measured = None
    if of is not None:
        values: dict[str, MetricValue] = {metrics.RESERVED: ""}
        for line in lines.decode("ascii").splitlines():
            name, _, text = line.partition(" = ")
            name = name.strip('"')
            value = toml.parse_number(text)
            if value is None or name in values:
                return None
            values[name] = value
        del values[metrics.RESERVED]
        measured = Metrics(_digest(of), tuple(values.items()))
    extra: dict[str, toml.Value] = {}
    for key, inside in zip(_READERS, described, strict=True):
        if inside is not None:
            if (table := toml.plain(inside.decode())) is None:
                return None
            extra[key] = table
    known = _digest(parent) if parent else None
    found = Pointer("file", _digest(oid), int(size), parent=known, metrics=measured, extra=extra)
    return None if found.extra else found


def _digest(text: bytes) -> Oid:
    return Oid(bytes.fromhex(text[7:].decode("ascii")))


def _check_format(table: dict[str, toml.Value], named: str) -> None:
    version = _take(table, "format", int)
    if version > FORMAT:
        raise LaterPointer(
            f"{shown(named)} was written by a newer mvc: its format is {version}, this one reads {FORMAT}",
            hint="upgrade mvc",
        )
    if version != FORMAT:
        raise FormatError(f"there is no format {version}")


def _from_table(table: dict[str, toml.Value]) -> Pointer:
    extra = {key: value for key, value in table.items() if key not in _KNOWN}
    conflict = _conflict(_take(table, "conflict", dict)) if "conflict" in table else None
    return _version(table, extra, conflict)


def _conflict(table: dict[str, toml.Value]) -> Conflict:
    if unknown := set(table) - _SIDES - _VERSION:
        raise FormatError(f'its conflict has an unknown key "{shown(min(unknown), 40)}"')
    return Conflict(_take(table, "ours", str), _take(table, "theirs", str), _version(table, {}, None))


def _version(table: dict[str, toml.Value], extra: dict[str, toml.Value], conflict: Conflict | None) -> Pointer:
    kind = _take(table, "kind", str)
    if kind not in {"file", "tree"}:
        raise FormatError(f'its kind is "{shown(kind, 40)}", not "file" or "tree"')
    if table.get("executable", True) is not True:
        raise FormatError("executable is written only when it is true")
    measured = _take(table, "metrics", dict) if "metrics" in table else None
    return Pointer(
        cast("Kind", kind),
        _oid(table, "oid"),
        _take(table, "size", int),
        files=_take(table, "files", int) if "files" in table else None,
        executable="executable" in table,
        parent=_oid(table, "parent") if "parent" in table else None,
        metrics=None if measured is None else _metrics(measured),
        metrics_file=_metrics_file(_take(table, "metrics_file", dict)) if "metrics_file" in table else None,
        params=_params(_take(table, "params", dict)) if "params" in table else (),
        predictions=_predictions(_take(table, "predictions", dict)) if "predictions" in table else None,
        extra=extra,
        conflict=conflict,
    )


def _metrics(table: dict[str, toml.Value]) -> Metrics:
    of = _oid(table, metrics.RESERVED)
    pairs = [(name, value) for name, value in table.items() if name != metrics.RESERVED]
    return Metrics(of, cast("metrics.Pairs", tuple(pairs)))  # Metrics checks them


def _metrics_file(table: dict[str, toml.Value]) -> MetricsFile:
    _only(table, "metrics_file", ("path", "digest"))
    return MetricsFile(SafeRelPath.parse(_take(table, "path", str)), _oid(table, "digest"))


def _params(table: dict[str, toml.Value]) -> metrics.Pairs:
    if not table:
        raise FormatError("its params are empty")
    return cast("metrics.Pairs", tuple(table.items()))  # Pointer checks them


def _predictions(table: dict[str, toml.Value]) -> PredictionsBlob:
    _only(table, "predictions", ("of", "oid", "size", "rows", "positive"))
    positive = _take(table, "positive", str) if "positive" in table else ""
    if "positive" in table and not positive:
        raise FormatError("its positive label is empty")
    size, rows = _take(table, "size", int), _take(table, "rows", int)
    return PredictionsBlob(_oid(table, "of"), _oid(table, "oid"), size, rows, positive)


def _only(table: dict[str, toml.Value], name: str, known: tuple[str, ...]) -> None:
    if unknown := set(table) - set(known):
        raise FormatError(f'its {name} has an unknown key "{shown(min(unknown), 40)}"')


_T = TypeVar("_T")
_KINDS: dict[type, str] = {int: "a whole number", str: "a string", dict: "a table"}


def _take(table: dict[str, toml.Value], key: str, kind: type[_T]) -> _T:
    value = table.get(key)
    if value is None:
        raise FormatError(f'it has no "{key}"')
    if type(value) is not kind:  # isinstance() accepts true as a number
        raise FormatError(f'"{key}" is not {_KINDS[kind]}')
    return value


def _oid(table: dict[str, toml.Value], key: str) -> Oid:
    text = _take(table, key, str)
    try:
        return Oid.parse(text)
    except ValueError:
        raise FormatError(f'"{key}" is not "blake3:" and 64 hex digits') from None


def _broken(path: str, why: str) -> BrokenPointer:
    """The error about the pointer at PATH. `Repo` replaces the hint for a pointer of the worktree or the index."""
    if not path:
        return BrokenPointer(f"not a valid pointer: {why}", hint="run `mvc fsck` to see how to restore it")
    return BrokenPointer(
        f"{shown(path)} is not a valid pointer: {why}",
        hint=f"run `mvc log {shown(path.removesuffix(POINTER_SUFFIX))}` to see the versions before it",
    )


def is_readable(data: bytes) -> bool:
    """Whether DATA is a pointer."""
    try:
        parse(data)
    except (BrokenPointer, PointerConflict):
        return False
    return True

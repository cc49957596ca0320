"""Record measurements in a pointer: metrics, parameters and predictions of a version."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.errors import FormatError, UsageError, shown
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer import metrics
from modelvc.formats.pointer.pointer import Metrics, MetricsFile, PredictionsBlob
from modelvc.formats.text import metric_files, policy
from modelvc.ids import Oid
from modelvc.models.inside.pointer_part import fitting, hyper_parameters
from modelvc.models.measures.name_check import doubts
from modelvc.models.policy import read_policy
from modelvc.store.local import compact
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import Content

if TYPE_CHECKING:
    from modelvc.formats.pointer.metrics import Pairs
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements that a person wants recorded. Files are paths as typed; "" for none."""

    pairs: Pairs = ()  # metrics by name
    metrics: str = ""  # file
    params: str = ""  # file, or AUTO
    predictions: str = ""  # file
    only: tuple[str, ...] = ()  # globs over the metrics of the file; empty: all of them
    positive: str = ""  # the positive label

    def __bool__(self) -> bool:
        return bool(self.pairs or self.metrics or self.params or self.predictions or self.positive)


NO_MEASUREMENTS = Measurements()
AUTO = "auto"  # in the place of a file of parameters: the hyper-parameters in the model itself
_NAMED = 5  # columns that a note names


def with_measurements(
    repo: Repo, path: SafeRelPath, pointer: Pointer, before: Pointer | None, given: Measurements
) -> tuple[Pointer, str]:
    """Return POINTER with the measurements GIVEN and those of files that the policy or the version BEFORE names.

    The second value is a note on omitted measurements, "" if none. A file that has not changed since another version
    describes that one, so it is recorded only if GIVEN names it.
    """
    rules = read_policy(repo)
    files = rules.files_for(path)
    notes: list[str] = []
    old = {**(before.recorded_metrics if before else {}), **pointer.recorded_metrics}
    named = files.metrics if files else str(before.metrics_file.path) if before and before.metrics_file else ""
    if named and pointer.metrics and not (pointer.stale or given.metrics) and _is_older(repo, named, path):
        if not _is_of(pointer, Oid(blake3(_read(repo, named, typed=False)).digest())):
            notes.append(f"{shown(named)} is older than the model here, so its metrics are not recorded")
        named, files = "", None  # the file describes a version that a checkout or a pull replaced
    if given.only and not (given.metrics or named):
        raise UsageError("--only chooses among the metrics of a file", hint="name the file: --metrics FILE")
    if given.metrics or given.pairs or (named and not given.pairs):
        if not given.only and files:
            given = replace(given, only=files.only)
        pointer = _with_metrics(repo, (pointer, before), given, named, notes)
    if given.params == AUTO:
        if found := hyper_parameters(repo, path, pointer):
            pointer = replace(pointer, params=found)
        else:
            notes.append("no hyper-parameters can be read from it, so none are recorded")
    elif given.params:
        pointer = replace(pointer, params=metric_files.read(_read(repo, given.params, typed=True), given.params))
    elif files and files.params and (data := _if_there(repo, files.params, notes)) is not None:
        pointer = replace(pointer, params=metric_files.read(data, files.params))
    if given.predictions:
        pointer = replace(pointer, predictions=_stored(repo, given.predictions, pointer.oid, notes))
    elif files and files.predictions and (data := _if_there(repo, files.predictions, notes)) is not None:
        said = before.predictions if before else None
        if said and said.oid == Oid(blake3(data).digest()) and said.of != pointer.oid:
            notes.append(f"{shown(files.predictions)} is unchanged since the version before, so it is not recorded")
        else:
            pointer = replace(pointer, predictions=_stored(repo, files.predictions, pointer.oid, notes, typed=False))
    positive = given.positive or (before.predictions.positive if before and before.predictions else "")
    if given.positive or (positive and pointer.predictions):
        pointer = _with_positive(pointer, positive)
    if not notes and before and before.oid != pointer.oid:
        notes += _left_out(pointer, before)
    notes += doubts(rules, path, old, pointer.recorded_metrics, (name for name, _ in given.pairs))
    return fitting(pointer), "; ".join(notes)


def _left_out(pointer: Pointer, before: Pointer) -> list[str]:
    """Return a note on measurements that the version BEFORE had and POINTER lacks, perhaps by mistake."""
    pairs = (
        ("metrics", before.metrics, pointer.metrics),
        ("parameters", before.params, pointer.params),
        ("predictions", before.predictions, pointer.predictions),
    )
    gone = " and ".join(name for name, old, new in pairs if old and not new)
    again = f"the version before had {gone}: name them again, or once for all in {policy.POLICY} ([[model]])"
    return [again] if gone else []


def _is_older(repo: Repo, name: str, path: SafeRelPath) -> bool:
    """Return whether the file NAME is older than the model file PATH. False for a folder: its mtime proves nothing."""
    model = repo.worktree.stat(path)
    try:
        then = os.stat(os.path.join(repo.layout.worktree, name)).st_mtime_ns
    except OSError:
        return False
    return model is not None and stat.S_ISREG(model[4]) and then < model[2]


def _with_metrics(
    repo: Repo, versions: tuple[Pointer, Pointer | None], given: Measurements, named: str, notes: list[str]
) -> Pointer:
    """Return the first of VERSIONS with metrics; the second is the version before.

    NAMED: the metrics file that the policy or the version before names; "" for none.
    """
    pointer, before = versions
    old = pointer.current_metrics
    file = pointer.metrics_file
    name = given.metrics or named
    data = _read(repo, name, typed=True) if given.metrics else _if_there(repo, named, notes) if named else None
    if data is not None:
        digest = Oid(blake3(data).digest())
        if not given.metrics and before and before.oid != pointer.oid and _is_of(before, digest):
            notes.append(f"{shown(name)} was not rewritten since the last version, so its metrics are not recorded")
            file = before.metrics_file  # keep its name, so that the next add reads it again
        elif given.metrics or not _is_of(pointer, digest):  # else it is recorded, and may have been amended since
            chosen = metric_files.choose(data, name, given.only)
            old = dict(chosen.pairs)
            if chosen.left_out:
                notes.append(f"{chosen.left_out:,} other metrics of {shown(name)} are left out")
            file = MetricsFile(SafeRelPath(_inside(repo, name, typed=bool(given.metrics))), digest)
    values = {**old, **dict(given.pairs)}
    measured = Metrics(pointer.oid, tuple(values.items())) if values else pointer.metrics
    return replace(pointer, metrics=measured, metrics_file=file)


def _is_of(pointer: Pointer, digest: Oid) -> bool:
    """Return whether the metrics of POINTER were read from a file with the hash DIGEST."""
    return pointer.metrics_file is not None and pointer.metrics_file.digest == digest


def _inside(repo: Repo, name: str, *, typed: bool) -> str:
    """Return the path of the file NAME below the worktree; its last part if it lies outside."""
    if not typed:
        return name
    try:
        return str(SafeRelPath.parse(repo.inside(name)))
    except (UsageError, FormatError):
        return os.path.basename(name)


def _read(repo: Repo, name: str, *, typed: bool) -> bytes:
    """Read a file. If a person TYPED its name, it may lie anywhere; else it must lie below the worktree."""
    if not typed:
        return repo.worktree.read(SafeRelPath.parse(name), metrics.MAX_FILE)
    try:
        with open(repo.absolute(name), "rb") as file:
            return file.read(metrics.MAX_FILE + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {shown(name)}", hint="check its name") from None
    except OSError as error:
        raise UsageError(f"{shown(name)} cannot be read: {error.strerror}", hint="name a file") from None


def _if_there(repo: Repo, name: str, notes: list[str]) -> bytes | None:
    """Read a file that the policy or the version before names. Return None and add a note if it does not exist."""
    try:
        return _read(repo, name, typed=False)
    except (FileNotFoundError, NotADirectoryError):
        notes.append(f"there is no {shown(name)}, so nothing of it is recorded")
        return None


def _with_positive(pointer: Pointer, label: str) -> Pointer:
    if pointer.predictions is None:
        raise UsageError("a positive label belongs to predictions", hint="name them: --predictions FILE")
    if not label.strip():
        raise UsageError("the positive label is empty", hint="name a label of the column y_true")
    try:
        return replace(pointer, predictions=replace(pointer.predictions, positive=label))
    except FormatError as error:
        raise UsageError(str(error), hint="name a label of the column y_true") from None


def _stored(repo: Repo, name: str, of: Oid, notes: list[str], *, typed: bool = True) -> PredictionsBlob:
    """Check and store the predictions file NAME of the version OF. TYPED: as for `_read`."""
    try:
        if typed:
            fd = os.open(repo.absolute(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not block
        else:  # the repository chose the name: links out of the worktree are not followed
            fd = repo.worktree.open(SafeRelPath.parse(name))
    except FileNotFoundError:
        raise UsageError(f"there is no file {shown(name)}", hint="check its name") from None
    except OSError as error:
        raise UsageError(f"{shown(name)} cannot be read: {error.strerror}", hint="name a file") from None
    from modelvc.gate import predictions as rows

    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UsageError(f"{shown(name)} is not a regular file", hint="write the predictions to a file")
        with open(os.dup(fd), "rb") as file:
            found = rows.read(file, name)
        if found.ignored:
            columns = ", ".join(shown(column or "without a name", 40) for column in found.ignored[:_NAMED])
            more = f" and {len(found.ignored) - _NAMED} more" if len(found.ignored) > _NAMED else ""
            notes.append(f"columns of {shown(name)} that are not predictions are ignored: {columns}{more}")
        os.lseek(fd, 0, os.SEEK_SET)
        with StoreWriter(repo.store) as writer, Ingest(writer) as ingest:
            done = ingest.file(fd, name)
            writer.add(Content(done.oid, done.stat.size, done.recipe))
            writer.commit()
            compact.tidy(repo.store, writer)
    finally:
        os.close(fd)
    return PredictionsBlob(of, done.oid, done.stat.size, found.rows)

"""Three-way merge of pointers. Git calls it through a merge driver if two branches changed one model.

A version is merged as a whole, with its size, parent and metrics. Only folders are merged file by file. If no rule
decides, the result is our pointer with theirs in `[conflict]`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelvc.errors import FormatError, PointerConflict, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import OF_A_VERSION, Conflict, Metrics, Pointer, parse
from modelvc.formats.pointer.view import brief
from modelvc.formats.sizes import about
from modelvc.models.versions.lineage import newer
from modelvc.models.versions.same_data import on_same_data
from modelvc.ops.merging import merge_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.toml import Value
    from modelvc.repo import Repo

_MOST = 5  # files or metrics that a line names


@dataclass(frozen=True, slots=True)
class Sides:
    """Three pointers as bytes. The base is empty if both sides added the model.

    `labels`: the names of our side and theirs; `commits`: their tips, "" if unknown.
    """

    base: bytes
    ours: bytes
    theirs: bytes
    labels: tuple[str, str] = ("ours", "theirs")
    commits: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Merged:
    """The pointer to write. `words`: lines for the user, the summary first."""

    data: bytes
    conflict: bool
    words: tuple[str, ...] = ()


def merge_pointers(repo: Repo, path: SafeRelPath, sides: Sides) -> Merged:
    """Merge the pointers of the model PATH. Raises BrokenPointer or PointerConflict for a side that cannot be read."""
    if sides.theirs in {sides.ours, sides.base}:
        return Merged(sides.ours, conflict=False)
    if sides.ours == sides.base:
        return Merged(sides.theirs, conflict=False)
    ours, theirs = (parse(data, pointer_of(path)) for data in (sides.ours, sides.theirs))
    if ours.conflict or theirs.conflict:
        raise PointerConflict(pointer_of(path))
    base = _base(sides.base)
    done = _same_version(base, ours, theirs, sides) if _is_same(ours, theirs) else None
    done = done or _choose_version(repo, path, (base, ours, theirs), sides)
    data = done.pointer.encode()
    if not done.pointer.conflict:
        words = tuple(word if position else f"{shown(path)}: {word}" for position, word in enumerate(done.words))
        return Merged(data, conflict=False, words=words)
    return Merged(data, conflict=True, words=_conflict_words(path, done))


@dataclass(frozen=True, slots=True)
class _Done:
    pointer: Pointer
    words: tuple[str, ...] = ()


def _base(data: bytes) -> Pointer | None:
    """Parse the base. Return None if it cannot be read or is in conflict: then no side counts as unchanged."""
    try:
        found = parse(data) if data.strip() else None
    except FormatError:
        return None
    except PointerConflict:
        return None
    return None if found and found.conflict else found


def _is_same(one: Pointer, other: Pointer) -> bool:
    return (one.kind, one.oid, one.size, one.files) == (other.kind, other.oid, other.size, other.files)


# -- one version on both sides


def _same_version(base: Pointer | None, ours: Pointer, theirs: Pointer, sides: Sides) -> _Done:
    """Merge the metadata of one version by key. In a conflict each side keeps its own values of the clashing keys."""
    known = base if base and _is_same(base, ours) else None
    runs = merge_folders.merge_value(known.executable if known else None, ours.executable, theirs.executable)
    parent = theirs.parent if known and ours.parent == known.parent else ours.parent or theirs.parent
    measured, clashes = _metrics(known, ours, theirs)
    ours, theirs = _described(known, ours, theirs)
    extra, more = _tables(base.extra if base else {}, ours.extra, theirs.extra)
    clashes += more
    kept, theirs_kept, more = _records(known, ours, theirs)
    clashes += more
    if runs is None:
        clashes += ["executable"]
    made = replace(ours, executable=bool(runs), parent=parent, metrics=measured[0], extra=extra[0], **kept)
    if not clashes:
        return _Done(made)
    ours_now = replace(made, executable=ours.executable if runs is None else runs)
    theirs_now = replace(
        made, executable=theirs.executable if runs is None else runs, metrics=measured[1], **theirs_kept
    )
    names = ", ".join(shown(name) for name in clashes[:_MOST])
    return _conflict(ours_now, theirs_now, sides, f"both sides hold the same version, but differ in {names}")


def _described(base: Pointer | None, ours: Pointer, theirs: Pointer) -> tuple[Pointer, Pointer]:
    """Return both sides with one description of the version: of each table that of the side that changed it, else ours.

    Both sides hold the same bytes. The descriptions differ only if different releases read them, or if both sides added
    them in their own environment: no conflict.
    """
    for name in sorted(OF_A_VERSION):
        before, mine, yours = (one and (getattr(one, name), one.extra.get(name)) for one in (base, ours, theirs))
        chosen = theirs if mine in (before, (None, None)) and yours != (None, None) else ours
        ours, theirs = (_with_table(one, name, chosen) for one in (ours, theirs))
    return ours, theirs


def _with_table(one: Pointer, name: str, chosen: Pointer) -> Pointer:
    """Return ONE with the table NAME of CHOSEN."""
    extra = {key: value for key, value in one.extra.items() if key != name}
    table = {name: chosen.extra[name]} if name in chosen.extra else {}
    known: dict[str, Any] = {name: getattr(chosen, name)}
    return replace(one, **known, extra=extra | table)


def _metrics(
    base: Pointer | None, ours: Pointer, theirs: Pointer
) -> tuple[tuple[Metrics | None, Metrics | None], list[str]]:
    """Merge the metrics of one version. Return our result, theirs, and the names that clash."""
    a, b = ours.metrics, theirs.metrics
    before = base.metrics if base else None
    mine, old_values = _typed_values(a), _typed_values(before)
    if _typed_values(b) in {mine, old_values}:
        return (a, a), []
    if mine == old_values:
        return (b, b), []
    if a and b and a.of != b.of:  # one of them is stale, so the other was measured on this version
        chosen = a if b.of != theirs.oid else b
        return (chosen, chosen), [] if (a.of == ours.oid) != (b.of == theirs.oid) else ["metrics"]
    if a is None or b is None:
        if before is None:  # measured on one side only
            return (a or b, a or b), []
        return (a, b), ["metrics"]
    old = dict(before.values) if before and before.of == a.of else {}
    (our_values, their_values), clashes = _keys(old, dict(a.values), dict(b.values))
    return (Metrics(a.of, tuple(our_values.items())), Metrics(a.of, tuple(their_values.items()))), clashes


def _records(base: Pointer | None, ours: Pointer, theirs: Pointer) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Merge parameters, predictions and the name of the metrics file, each as a whole.

    Return our result, theirs, and the keys that clash. Metrics merged from two files name no file.
    """
    mine: dict[str, Any] = {}
    yours: dict[str, Any] = {}
    clashes = []
    for key in ("metrics_file", "params", "predictions"):
        a, b = getattr(ours, key), getattr(theirs, key)
        old = getattr(base, key) if base else () if key == "params" else None
        if b in (a, old):
            mine[key] = yours[key] = a
        elif a == old:
            mine[key] = yours[key] = b
        elif key == "metrics_file":
            mine[key] = yours[key] = None
        else:
            mine[key], yours[key] = a, b
            clashes.append(key)
    return mine, yours, clashes


def _typed_values(measured: Metrics | None) -> object:
    """Return a value that is equal only for the same metrics: Python takes 1, 1.0 and True as equal."""
    return measured and (measured.of, tuple((name, type(value), value) for name, value in measured.values))


def _keys(
    base: Mapping[str, MetricValue], ours: Mapping[str, MetricValue], theirs: Mapping[str, MetricValue]
) -> tuple[tuple[dict[str, MetricValue], dict[str, MetricValue]], list[str]]:
    """Merge three tables by key. Return our result, theirs, and the keys that clash."""
    mine: dict[str, MetricValue] = {}
    yours: dict[str, MetricValue] = {}
    clashes = []
    for key in dict.fromkeys([*ours, *theirs]):
        old, a, b = ((type(side.get(key)), side.get(key)) for side in (base, ours, theirs))
        chosen = merge_folders.merge_value(old, a, b)
        if chosen is None:
            clashes.append(key)
        for into, (_, value) in ((mine, chosen or a), (yours, chosen or b)):
            if value is not None:
                into[key] = value
    return (mine, yours), clashes


def _tables(
    base: Mapping[str, Value], ours: Mapping[str, Value], theirs: Mapping[str, Value]
) -> tuple[tuple[dict[str, Value], dict[str, Value]], list[str]]:
    """Merge the keys that this version of mvc does not know, as `_keys` does. Their values are compared as a whole."""
    mine: dict[str, Value] = {}
    yours: dict[str, Value] = {}
    clashes = []
    for key in sorted({*ours, *theirs}):
        old, a, b = ((key in side, side.get(key)) for side in (base, ours, theirs))
        chosen = merge_folders.merge_value(old, a, b)
        if chosen is None:
            clashes.append(key)
        for into, (there, value) in ((mine, chosen or a), (yours, chosen or b)):
            if there and value is not None:
                into[key] = value
    return (mine, yours), clashes


# -- two versions


def _choose_version(
    repo: Repo, path: SafeRelPath, three: tuple[Pointer | None, Pointer, Pointer], sides: Sides
) -> _Done:
    """Choose the version of one side, merge folders by file, or return a conflict."""
    base, ours, theirs = three
    if base and _is_same(base, ours):
        return _take(base, theirs, ours, sides.labels[0])
    if base and _is_same(base, theirs):
        return _take(base, ours, theirs, sides.labels[1])
    if ours.oid == theirs.oid:
        return _conflict(ours, theirs, sides, "both sides name the same content, but not the same size or kind")
    verdict = newer(repo, path, base, (ours, theirs), sides.commits)
    if verdict in {"ours", "theirs"}:
        winner, loser = (ours, theirs) if verdict == "ours" else (theirs, ours)
        labels = sides.labels if verdict == "ours" else sides.labels[::-1]
        done = _take(base, winner, loser, labels[1])
        word = f"{shown(labels[0])}'s version ({winner.oid.short}) was made from {shown(labels[1])}'s and is taken"
        return replace(done, words=(word, *done.words))
    if verdict == "rolled-back":
        why = "one side went back from a version that the other builds upon"
        return _conflict(ours, theirs, sides, why)
    if ours.kind == theirs.kind == "tree" and (base is None or base.kind == "tree"):
        return _merge_folders(repo, path, three, sides)
    if ours.kind != theirs.kind:
        return _conflict(ours, theirs, sides, "it is a file on one side and a folder on the other")
    return _conflict(ours, theirs, sides, "both sides changed it" if base else "both sides added it")


def _take(base: Pointer | None, winner: Pointer, loser: Pointer, label: str) -> _Done:
    """Return WINNER's version with LOSER's changes of keys that describe no version. LABEL: the loser's."""
    runs = winner.executable
    if base and base.kind == winner.kind == loser.kind == "file":
        runs = bool(merge_folders.merge_value(base.executable, winner.executable, loser.executable))
    sides = (base.extra if base else {}, winner.extra, loser.extra)
    extra, _ = _tables(*({key: one[key] for key in one if key not in OF_A_VERSION} for one in sides))
    mine = {key: value for key, value in winner.extra.items() if key in OF_A_VERSION}
    words: tuple[str, ...] = ()
    if base and _is_same(base, loser) and loser.metrics and loser.metrics != base.metrics:
        words = (f"the metrics that {shown(label)} recorded belong to the version before; its history has them",)
    return _Done(replace(winner, executable=runs, extra=extra[0] | mine), words)


def _merge_folders(
    repo: Repo, path: SafeRelPath, three: tuple[Pointer | None, Pointer, Pointer], sides: Sides
) -> _Done:
    """Merge the files of three folders, or return a conflict."""
    base, ours, theirs = three
    if why := merge_folders.absent_trees(repo, path, [one for one in three if one]):
        again = "`mvc fetch --all`, then `git merge --abort` and merge again, merges its files"
        return _conflict(
            ours, theirs, sides, "its files could not be compared", f"some of its objects are missing: {why}", again
        )
    before, mine, yours = (merge_folders.files_of(repo, one) for one in three)
    found = merge_folders.merge_entries(before, mine, yours)
    if found.conflicts:
        count = len(found.conflicts)
        lines = [f"{shown(name)}: {why}" for name, why in found.conflicts[:_MOST]]
        lines += [f"and {count - _MOST} more"] if count > _MOST else []
        return _conflict(ours, theirs, sides, "both sides changed the same files in it", *lines)
    if not found.entries:
        return _conflict(ours, theirs, sides, "together both sides removed all of its files")
    try:
        content = merge_folders.store_tree(repo, found.entries, [ours.oid, theirs.oid])
    except FormatError as error:
        return _conflict(ours, theirs, sides, "the merged folder cannot be stored", str(error))
    for side, other, label in ((ours, theirs, sides.labels[1]), (theirs, ours, sides.labels[0])):
        if content.oid == side.oid:
            return _take(base, side, other, label)
    extra, _ = _tables(base.extra if base else {}, ours.extra, theirs.extra)
    kept = {key: value for key, value in extra[0].items() if key not in OF_A_VERSION}
    made = Pointer("tree", content.oid, content.size, content.files, parent=ours.oid, extra=kept)
    names = " and ".join(shown(label) for label in sides.labels)
    words = [f"the files of {names} were merged ({content.oid.short}, {content.files} files)"]
    if ours.metrics or theirs.metrics:
        words.append("the metrics of both sides do not hold for the merged folder: measure it again")
    return _Done(made, tuple(words))


# -- conflicts


def _conflict(ours: Pointer, theirs: Pointer, sides: Sides, *why: str) -> _Done:
    other = replace(theirs, extra={}, conflict=None, model=None, env=None)
    return _Done(replace(ours, conflict=Conflict(*sides.labels, other)), why)


def _conflict_words(path: SafeRelPath, done: _Done) -> tuple[str, ...]:
    """Describe both versions with branch, size and metrics, and the command that resolves the conflict."""
    first, *more = done.words
    conflict = done.pointer.conflict
    assert conflict is not None  # noqa: S101 - for the type checker
    lines = [f"{shown(path)} is in conflict: {first}", *more]
    width = max(len(conflict.ours), len(conflict.theirs))
    for label, version in ((conflict.ours, done.pointer), (conflict.theirs, conflict.other)):
        lines.append(f"{shown(label):{width}}  {described(version)}")
    best = "--best METRIC | " if on_same_data(done.pointer, conflict.other) else ""
    return (*lines, f"resolve it: mvc resolve {shown(path)} --ours | --theirs | {best}--keep-both")


def described(version: Pointer) -> str:
    """Describe a version in a few words: oid, size, metrics."""
    files = "" if version.files is None else f" in {version.files:,} files"
    values = list(version.current_metrics.items())
    said = [f"{shown(name)} = {brief(value)}" for name, value in values[:_MOST]]
    said += [f"and {len(values) - _MOST} more"] if len(values) > _MOST else []
    return f"{version.oid.short}  {about(version.size)}{files}  {', '.join(said) or 'no metrics'}"

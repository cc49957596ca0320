"""What is stripped from notebooks: the table `[notebooks]` of `.mvc/config.toml`.

The notebook filter reads it for every `git add`: standard library only, and no dataclasses.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats import toml
    from modelvc.formats.tables import Table

COMMITTED = ".mvc/config.toml"
MAX_BYTES = 1 << 20
KEEP_LOCAL = 256 << 20  # bytes of outputs that a clone keeps for the worktree
MAX_SIZE = 32 << 20  # bytes of the largest notebook that is stripped
STRIP, REFUSE = "strip", "refuse"
KEEP, JUPYTER = "keep", "jupyter"
_MOST = 1_000  # items of one list
_FLAGS = ("keep_counts", "strip_init_cells", "strip_kernel", "strip_zeppelin_times")
_LISTS = ("keep_outputs", "skip", "keep_types", "extra_keys", "keep_keys", "drop_tags")


class NotebookRules:
    """What the filter leaves in a notebook. Spec: docs/notebooks.md#rules.

    `keep_outputs`, `skip`: patterns of paths. `keep_types`: output types and MIME types that stay. `max_output`: bytes
    up to which an output stays. `extra_keys`: dotted names below the notebook, or below `cell`. `keep_keys`: the same
    of what stays although a platform writes it at each run. `drop_tags`: cells that have one are left out.
    `keep_local`: bytes of outputs that this clone keeps, 0 for none. `max_size`: bytes of the largest notebook that is
    stripped. `form`: "keep" the form of Git's version, or write all in that of "jupyter". `on_commit`: what pre-commit
    does about outputs that slipped through, "strip" or "refuse".
    """

    __slots__ = (*_LISTS, *_FLAGS, "extra", "form", "keep_local", "max_output", "max_size", "on_commit", "written")
    drop_tags: tuple[str, ...]
    extra_keys: tuple[str, ...]
    keep_keys: tuple[str, ...]
    keep_outputs: tuple[str, ...]
    keep_types: tuple[str, ...]
    skip: tuple[str, ...]
    keep_counts: bool
    strip_init_cells: bool
    strip_kernel: bool
    strip_zeppelin_times: bool

    def __init__(self) -> None:
        """The rules where nothing is configured."""
        for key in _LISTS:
            setattr(self, key, ())
        for key in _FLAGS:
            setattr(self, key, False)
        self.on_commit = STRIP
        self.form = KEEP
        self.max_size = MAX_SIZE
        self.max_output = 0
        self.keep_local = KEEP_LOCAL
        self.extra: Mapping[str, toml.Value] = {}
        self.written: Mapping[str, toml.Value] = {}  # the table as it was, for a file that is written again

    def keeps_outputs_of(self, path: str) -> bool:
        return _matches(path, self.keep_outputs)

    def skips(self, path: str) -> bool:
        return _matches(path, self.skip)


def read(data: bytes) -> NotebookRules:
    """The rules in a configuration file; ConfigError names its key. Nothing else in the file is looked at."""
    if b"notebooks" not in data:
        return NotebookRules()
    from modelvc.errors import ConfigError
    from modelvc.formats.tables import Table

    def failure(why: str) -> ConfigError:
        return ConfigError(why, hint=f"edit {COMMITTED}")

    return from_table(Table.read(data, COMMITTED, failure, limit=MAX_BYTES).table("notebooks"))


def from_table(table: Table) -> NotebookRules:
    """The rules in the table `[notebooks]`."""
    found = NotebookRules()
    for key in _LISTS:
        setattr(found, key, _texts(table, key))
    for key in _FLAGS:
        setattr(found, key, table.flag(key))
    for key in ("extra_keys", "keep_keys"):
        for name in getattr(found, key):
            if not name.removeprefix("cell.").startswith("metadata."):
                raise table.error(key, f"cannot name {name[:40]!a}: only metadata.X and cell.metadata.X")
    found.form = table.choice("form", (KEEP, JUPYTER), KEEP)
    found.on_commit = table.choice("on_commit", (STRIP, REFUSE), STRIP)
    found.max_output = _size(table, "max_output", found.max_output)
    found.max_size = _size(table, "max_size", found.max_size)
    found.keep_local = _size(table, "keep_local", found.keep_local)
    found.extra, found.written = table.unknown, table.values
    return found


def _texts(table: Table, key: str) -> tuple[str, ...]:
    found = table.texts(key) if key in table.values else ()
    if len(found) > _MOST:
        raise table.error(key, f"has more than {_MOST:,} items")
    return found


def _size(table: Table, key: str, default: int) -> int:
    from modelvc.formats import sizes

    text = table.text(key, f"{default}")
    try:
        return sizes.parse(text)
    except ValueError:
        raise table.error(key, f'must be a size such as "10 KiB", not {text[:40]!a}') from None


def _matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits: on the name alone without a slash in it, else on the whole path; `*` crosses slashes."""
    if not patterns:
        return False
    from fnmatch import fnmatchcase

    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)

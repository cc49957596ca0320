"""Which parts of a notebook the filter strips: the table `[notebooks]` of `.mvc/config.toml`.

The notebook filter reads it for every `git add`, so this module has the standard library alone, and no dataclasses.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats import toml
    from modelvc.formats.tables import Table

COMMITTED = ".mvc/config.toml"
KEEP_LOCAL = 256 << 20  # bytes of outputs that a clone keeps for the worktree
MAX_SIZE = 32 << 20  # bytes of the largest notebook that is stripped
STRIP, REFUSE = "strip", "refuse"
KEEP, JUPYTER = "keep", "jupyter"
_MOST = 1_000  # items of one list; a limit of this reader alone, so that no rule slows the filter down
_FLAGS = ("keep_counts", "strip_init_cells", "strip_kernel", "strip_zeppelin_times")
_LISTS = ("keep_outputs", "skip", "keep_types", "extra_keys", "keep_keys", "drop_tags")


class NotebookRules:
    """Which parts of a notebook the filter keeps, and which it strips. Spec: docs/notebooks.md#rules.

    Patterns of paths: notebooks that match `keep_outputs` keep their outputs; those that match `skip` stay as they are.

    Outputs: `keep_types` are output types and MIME types that stay. `max_output`: an output of at most so many bytes
    stays. `keep_local`: bytes of stripped outputs that this clone keeps, 0 for none.

    Keys and cells: `extra_keys` are further metadata to strip, as dotted names below the notebook or below `cell`.
    `keep_keys` are such names that stay although a platform writes them at each run. A cell with a tag of `drop_tags`
    is left out.

    Files: `max_size`: bytes of the largest notebook that is stripped. `form`: "keep" the form of Git's version, or
    write every notebook as "jupyter" does. `on_commit`: pre-commit can "strip" or "refuse" outputs that are staged.
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
        """Whether the notebook at PATH keeps its outputs."""
        return _matches(path, self.keep_outputs)

    def skips(self, path: str) -> bool:
        """Whether the filter leaves the notebook at PATH as it is."""
        return _matches(path, self.skip)


def read(data: bytes) -> NotebookRules:
    """The rules in a configuration file; other tables in it are ignored. Raises ConfigError, which names the key."""
    if b"notebooks" not in data:
        return NotebookRules()
    from modelvc.errors import ConfigError
    from modelvc.formats import limits
    from modelvc.formats.tables import Table

    def failure(why: str) -> ConfigError:
        return ConfigError(why, hint=f"edit {COMMITTED}")

    return from_table(Table.read(data, COMMITTED, failure, limit=limits.CONFIG).table("notebooks"))


def from_table(table: Table) -> NotebookRules:
    """The rules in the table `[notebooks]`. Raises the error of TABLE, which names the key."""
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
    """Whether one of PATTERNS matches PATH; `*` crosses slashes. A pattern without a slash is matched with the name."""
    if not patterns:
        return False
    from fnmatch import fnmatchcase

    name = path.rpartition("/")[2]
    return any(fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)

"""`.mvc/trusted-imports.toml`: names of the project's own that its models may import. Spec: docs/format.md.

The file is hostile until this clone has accepted exactly these bytes, as a remote is until it is pinned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from blake3 import blake3

from modelvc.errors import ConfigError, UsageError, shown
from modelvc.formats import limits, toml
from modelvc.formats.tables import Table
from modelvc.ids import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

Use: TypeAlias = Literal["constructed", "created", "referred"]
TrustedNames: TypeAlias = "Mapping[str, Use]"

PATH = ".mvc/trusted-imports.toml"
FORMAT = 1
USES: tuple[Use, ...] = ("constructed", "created", "referred")
# Letters of ASCII alone: a name that looks like another one would be reviewed as the other one.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+", re.ASCII)
_HEADER = """\
# modelvc: names of this project that its models may import, and what loading may do with each: call it ("constructed"),
# make an object of it without __init__ ("created"), or only name it ("referred"). Review each line as code that runs
# wherever a model is loaded. `mvc scan --allow PATH` adds the names of a model.

"""


def parse(data: bytes, where: str = PATH) -> dict[str, Use]:
    """Return the names in DATA, sorted. Raises ConfigError, which names the file WHERE and the key."""
    table = Table.read(
        data, where, lambda why: ConfigError(why, hint=f"edit {shown(where)}"), limit=limits.TRUSTED_IMPORTS
    )
    if table.number("format") != FORMAT:
        raise table.error("format", f"must be {FORMAT}; a larger one needs a newer mvc")
    imports = table.table("imports")
    if len(imports.values) > limits.TRUSTED_NAMES:
        raise table.error("imports", f"has more than {limits.TRUSTED_NAMES:,} names")
    found: dict[str, Use] = {}
    for name in sorted(imports.values):
        if not is_name(name):
            raise imports.error(name, "is not a dotted name, such as package.module.Class")
        found[name] = cast("Use", imports.choice(name, USES, ""))
    if unknown := table.unknown:  # a key of a later release could restrict what the names may do
        raise table.error(next(iter(unknown)), "is not known")
    return found


def encode(names: TrustedNames) -> bytes:
    """Return the bytes of the file with NAMES. Raises UsageError for a name that it cannot hold, or for too many."""
    for name in names:
        if not is_name(name):
            raise UsageError(
                f"{shown(name, 80)} cannot be trusted by name: only dotted ASCII names can",
                hint="move the class to the top of a module and save the model again",
            )
    if len(names) > limits.TRUSTED_NAMES:
        raise UsageError(
            f"{PATH} would have more than {limits.TRUSTED_NAMES:,} names", hint="remove names that no model imports"
        )
    table: dict[str, toml.Value] = {"format": FORMAT, "imports": {name: names[name] for name in sorted(names)}}
    data = (_HEADER + toml.encode(table)).encode()
    parse(data)  # a file that no reader accepts must not be written
    return data


def is_name(text: str) -> bool:
    """Return whether TEXT can stand in the file: dotted identifiers of ASCII, at most 200 characters."""
    return len(text) <= limits.TRUSTED_NAME and _NAME.fullmatch(text) is not None


def digest(data: bytes) -> str:
    """Return the digest of DATA that a clone pins: `blake3:` and 64 hex digits."""
    return PREFIX + blake3(data).hexdigest()

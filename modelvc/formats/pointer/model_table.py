"""The table `[model]` of a pointer: what a version is, as its bytes said. Spec: docs/format.md#pointer.

It holds no verdict, because whoever commits a pointer may be the attacker. A table that this release cannot read, or
that describes another version, is no error: a later release may have written it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import FormatError
from modelvc.formats import limits, toml
from modelvc.ids import Oid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "model"
_TEXTS = {"framework": "framework", "version": "version", "class": "class_name"}  # keys with the fields they are
_KEYS = frozenset(
    {"of", "format", *_TEXTS, "parameters", "tensors", "content", "imports", "import_count", "import_digest", "code"}
)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """What the version `of` is. Facts that are not known are "", None or ().

    `content`: of the content without what the format writes anew at each save; None: that is the oid.
    `imports`: the names that loading it imports, sorted. If they are too long, it is (), and there are `import_count`,
    their number, and `import_digest`, the BLAKE3 of the names, each followed by LF. `code`: programs that it holds.
    Raises FormatError for a value that a pointer cannot hold.
    """

    of: Oid
    format: str
    framework: str = ""
    version: str = ""
    class_name: str = ""
    parameters: int | None = None
    tensors: int | None = None
    content: Oid | None = None
    imports: tuple[str, ...] = ()
    import_count: int | None = None
    import_digest: Oid | None = None
    code: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        texts = (self.framework, self.version, self.class_name, self.format, *self.imports, *self.code)
        if not all(texts[3:]) or max(map(len, texts)) > limits.MODEL_TEXT or not "".join(texts).isprintable():
            raise FormatError(f"a text of its model is not one of 1 to {limits.MODEL_TEXT} printable characters")
        for number, least in ((self.parameters, 0), (self.tensors, 0), (self.import_count, 1)):
            if number is not None and not least <= number <= toml.INT_MAX:
                raise FormatError("a number of its model is impossible")
        if list(self.imports) != sorted(set(self.imports)):
            raise FormatError("the imports of its model are not sorted, each once")
        if size_of(self.imports) > limits.MODEL_IMPORTS:
            raise FormatError(f"the imports of its model are larger than {limits.MODEL_IMPORTS:,} bytes")
        if (self.import_count is None) != (self.import_digest is None) or (self.imports and self.import_digest):
            raise FormatError("its model has either names of imports or their number and digest")
        if self.content == self.of:
            raise FormatError("the content of its model is its oid, which is left out")
        if len(self.code) > limits.MODEL_CODE:
            raise FormatError(f"its model has more than {limits.MODEL_CODE} programs of its own")

    def encode(self) -> dict[str, toml.Value]:
        """Return the table, its keys in their order."""
        found: dict[str, toml.Value] = {"of": str(self.of), "format": self.format}
        found |= {key: text for key, field in _TEXTS.items() if (text := getattr(self, field))}
        found |= {key: number for key in ("parameters", "tensors") if (number := getattr(self, key)) is not None}
        if self.content is not None:
            found["content"] = str(self.content)
        if self.imports:
            found["imports"] = self.imports
        if self.import_count is not None:
            found |= {"import_count": self.import_count, "import_digest": str(self.import_digest)}
        if self.code:
            found["code"] = self.code
        return found


def size_of(imports: Sequence[str]) -> int:
    """Return the bytes of IMPORTS, each with an LF."""
    return len("".join(imports).encode()) + len(imports)


def read(table: object, oid: Oid) -> ModelTable | None:
    """Return the model in TABLE; None if TABLE is not a table that this release can read, or not of the version OID."""
    if not isinstance(table, dict) or not _KEYS.issuperset(table) or table.get("of") != str(oid):
        return None
    try:
        return ModelTable(
            oid,
            _text(table, "format") or "",
            framework=_text(table, "framework") or "",
            version=_text(table, "version") or "",
            class_name=_text(table, "class") or "",
            parameters=_number(table, "parameters"),
            tensors=_number(table, "tensors"),
            content=_oid(table, "content"),
            imports=_names(table, "imports"),
            import_count=_number(table, "import_count"),
            import_digest=_oid(table, "import_digest"),
            code=_names(table, "code"),
        )
    except (FormatError, ValueError):
        return None


# Each returns None or () for a key that is absent, and raises ValueError for a value of another kind or an empty one.


def _text(table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is None or (type(value) is str and value):
        return value
    raise ValueError(key)


def _number(table: Mapping[str, object], key: str) -> int | None:
    value = table.get(key)
    if value is None or type(value) is int:  # isinstance() accepts true
        return value
    raise ValueError(key)


def _oid(table: Mapping[str, object], key: str) -> Oid | None:
    value = _text(table, key)
    return None if value is None else Oid.parse(value)


def _names(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if value is None:
        return ()
    if isinstance(value, list) and value and all(type(one) is str for one in value):
        return tuple(value)
    raise ValueError(key)

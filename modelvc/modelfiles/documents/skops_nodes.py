"""The nodes of a skops schema, folded from the leaves up, so that a large tree takes little memory.

skops makes a node once for each id: where an id stands twice, the second node is not looked at. So an id must stand
for one node alone, or readers disagree.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.documents.building import Many, entries
from modelvc.modelfiles.facts import Import, Use, clean, most
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.modelfiles.facts import Pairs, Value
    from modelvc.modelfiles.source import Budget

_PARAMS = 200  # hyper-parameters
_ARRAYS = 10_000  # that are kept with their paths
_TEXT = 400  # characters of plain data that is kept
_KEPT = 150  # bytes of memory for an id, an array or an import
_JSON, _CACHED, _DICT = "JsonNode", "CachedNode", "DictNode"
_REFERRED = frozenset({"FunctionNode", "TypeNode"})  # named, and not called
_OBJECT = "ObjectNode"  # makes an object by its `__new__` alone, and gives it a state
_OBJECTS = frozenset({_OBJECT, "TreeNode", "ReduceNode", "LossNode", "QuantileForestNode"})
# These call the class that they name.
_CONSTRUCTED = (_OBJECTS - {_OBJECT}) | frozenset({
    _DICT, "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "SliceNode", "BytesNode", "BytearrayNode",
    "NdArrayNode", "MaskedArrayNode", "DTypeNode", "RandomStateNode", "RandomGeneratorNode", "SparseMatrixNode",
    "ConstructorFromReduceNode", "PartialNode", "MethodNode", "OperatorFuncNode", "_DictWithDeprecatedKeysNode",
})  # fmt: skip
# An array is read, not called; the class of any other node of these kinds is called with it.
_ARRAY_CLASSES = frozenset({("NdArrayNode", "numpy.ndarray"), ("MaskedArrayNode", "numpy.ma.MaskedArray")})
# Scalars and dtypes of numpy, which an array node makes of the array that it loaded: harmless with any array.
_SCALAR = re.compile(
    r"numpy\.(?:dtype|bool_?|u?int(?:8|16|32|64)|float(?:16|32|64|128)|complex(?:64|128|256)|(?:c?long)?double"
    r"|str_|bytes_|datetime64|timedelta64|dtypes\.[A-Z][A-Za-z0-9]*)"
)
_OF_ARRAYS = frozenset({"NdArrayNode", "DTypeNode"})
# Classes of plain data, for which a pickle has opcodes and no imports.
_PLAIN = frozenset({
    "builtins.dict", "builtins.list", "builtins.set", "builtins.tuple", "builtins.slice", "builtins.bytes",
    "builtins.bytearray", "builtins.str", "builtins.int", "builtins.float", "builtins.bool", "builtins.NoneType",
})  # fmt: skip
_VERSION, _FEATURES, _NAMES = "_sklearn_version", "n_features_in_", "feature_names_in_"
_INNER = ("steps", "estimators_", "best_estimator_")  # the first of them takes what the whole takes


class Node(NamedTuple):
    """What is kept of a node and of all below it.

    `digest`: of all that the node says; empty if a part of it was too long to be kept. `value`: of plain data.
    `arrays`: a path, and the name of a member. `texts`: of a list of strings. `types`: of a list, the classes and
    functions that it holds. `features`, `names`: how many inputs an estimator takes, and their names.
    """

    loader: str
    name: str
    digest: bytes = b""
    value: Value | None = None
    params: Pairs = ()
    arrays: tuple[tuple[str, str], ...] = ()
    texts: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()
    version: str = ""
    features: int | None = None
    names: tuple[str, ...] = ()


class Nodes:
    """All nodes of a schema. `fold` takes each, from the leaves up."""

    def __init__(self, members: Mapping[str, bytes], budget: Budget) -> None:
        """Take the hash of each member but the schema, by its name."""
        self._members, self._budget = members, budget
        self._used: set[str] = set()
        self._imports: dict[str, Use] = {}
        self._nodes: dict[int, tuple[str, str, int]] = {}  # by id: loader, class, a number in the order of appearance
        self._plain: dict[int, int] = {}  # the hash of plain data, by id
        self._types: dict[int, frozenset[str]] = {}  # of lists that hold some, by id
        self._cached: set[int] = set()  # ids that were referred to

    def imports(self) -> Iterator[Import]:
        """Yield all names that loading the file looks up."""
        for name, use in self._imports.items():
            yield Import(name, use)

    def content(self, root: Node) -> str:
        """Return the digest of the whole file, in which ids do not count; "" if a part was too long to be kept."""
        from blake3 import blake3

        if not self._cached <= self._nodes.keys():
            raise Unreadable("schema.json refers to an object that it does not hold")
        if not root.digest:
            return ""
        machine = blake3(b"modelvc skops 1\0" + root.digest)
        for name in sorted(self._members.keys() - self._used):
            machine.update(b"%d:%b" % (len(name.encode()), name.encode()) + self._members[name])
        return machine.hexdigest()

    def fold(self, key: str, value: dict[str, object]) -> object:
        """Return the Node that VALUE, which stands below KEY, is; or VALUE if it is a part of one."""
        if "__loader__" not in value:
            return value
        if key == "__reduce__":
            raise Unreadable("schema.json has a node where none belongs")
        loader, name, module = (value.get(one) for one in ("__loader__", "__class__", "__module__"))
        if not (isinstance(loader, str) and isinstance(name, str) and isinstance(module, str)):
            raise Unreadable("schema.json has a node without a class")
        full = f"{module}.{name}"
        if loader not in _REFERRED | _CONSTRUCTED | {_OBJECT, _JSON, _CACHED}:
            raise Unreadable(f"schema.json has a node of an unknown kind, {clean(loader)}")
        label = self._label(loader, full, value)
        self._look_up(loader, full, value)
        node = Node(loader, full, self._digest(value, label))
        node = self._of_cached(node, value) if loader == _CACHED else _summary(node, value)
        self._budget.keep(_KEPT * (isinstance(value.get("file"), str) or bool(node.types)))
        number = value.get("__id__")
        if node.types and isinstance(number, int):
            self._types[number] = node.types
        return node

    def _of_cached(self, node: Node, value: dict[str, object]) -> Node:
        """Return what is known of the object that NODE refers to."""
        number = value.get("__id__")
        if not isinstance(number, int):
            raise Unreadable("schema.json refers to an object without an id")
        loader, full, _ = self._nodes.get(number, (_CACHED, "", 0))
        return node._replace(loader=loader, name=full or node.name, types=self._types.get(number, frozenset()))

    def _label(self, loader: str, full: str, value: dict[str, object]) -> bytes:
        """Return what stands for the id of a node in the digest, which is the same for each save of one model."""
        number = value.get("__id__")
        if number is None:
            return b""
        if type(number) is not int:
            raise Unreadable("schema.json has an id that is no number")
        if loader == _CACHED:
            self._cached.add(number)
            return b"#%d" % self._nodes[number][2] if number in self._nodes else b"@%d" % number
        if number not in self._nodes and number not in self._plain:
            self._budget.keep(_KEPT)
        if loader == _JSON:
            found = hash(str(value.get("content")))
            if number in self._nodes or self._plain.setdefault(number, found) != found:
                raise Unreadable("schema.json has two objects with one id")
            return b""
        known = self._nodes.setdefault(number, (loader, full, len(self._nodes)))
        if known[:2] != (loader, full) or number in self._plain:
            raise Unreadable("schema.json has two objects with one id")
        return b"#%d" % known[2]

    def _look_up(self, loader: str, full: str, value: dict[str, object]) -> None:
        """Take the names that a node looks up."""
        if loader in _REFERRED or (loader in _OF_ARRAYS and _SCALAR.fullmatch(full)):
            self._import(full, Use.REFERRED)
        elif loader == _OBJECT or (loader, full) in _ARRAY_CLASSES:
            self._import(full, Use.CREATED)  # by `__new__` alone
        elif loader in _CONSTRUCTED:
            self._import(full, Use.CONSTRUCTED)
        content = entries(value.get("content"))
        if loader == "FunctionNode" and content:  # as the first releases wrote it
            self._import(f"{content.get('module_path')}.{content.get('function')}", Use.REFERRED)
        elif loader == "MethodNode":
            self._import(f"{full}.{content.get('func')}", Use.REFERRED)
        elif loader == "RandomGeneratorNode":
            self._generator(content.get("bit_generator"))
        elif loader == _DICT:
            self._key_types(value.get("key_types"))
        elif loader == "TreeNode":
            self._import("sklearn.tree._tree.Tree", Use.CONSTRUCTED)

    def _generator(self, state: object) -> None:
        """Take the name of a bit generator: loading calls it, although it is plain data here."""
        params = state.params if isinstance(state, Node) else ()
        name = dict(params).get("bit_generator")
        if not isinstance(name, str):
            raise Unreadable("schema.json has a random generator without a name")
        self._import(f"numpy.random.{name}", Use.CONSTRUCTED)

    def _key_types(self, types: object) -> None:
        """Take the types of the keys of a dictionary: loading calls each with its key."""
        if isinstance(types, Node):
            if types.loader != "ListNode":
                raise Unreadable("schema.json has a dictionary whose keys have no types")
            for name in types.types:
                self._import(name, Use.CONSTRUCTED)
        elif types is not None:
            raise Unreadable("schema.json has a dictionary whose keys have no types")

    def _import(self, full: str, use: Use) -> None:
        if full in _PLAIN:
            return
        name = clean(full)
        if name not in self._imports:
            self._budget.keep(_KEPT + 4 * len(name))
        self._imports[name] = most(self._imports.get(name), use)

    def _digest(self, value: dict[str, object], label: bytes) -> bytes:
        """Return the hash of a node. LABEL stands for its id, and the content of a member for the member's name."""
        from blake3 import blake3

        parts: list[bytes] = [label]
        for key, one in value.items():
            if key == "__id__":
                continue
            if key == "file" and isinstance(one, str) and one in self._members:
                self._used.add(one)
                shown: bytes | None = one.rpartition(".")[2].encode() + b"\0" + self._members[one]
            else:
                shown = _written(one)
            if shown is None:
                return b""
            parts.append(_part(key, shown))
        digest: bytes = blake3(b"".join(parts)).digest()
        return digest


def _part(key: str, shown: bytes) -> bytes:
    return b"%d:%d:%b%b" % (len(key.encode()), len(shown), key.encode(), shown)


def _written(value: object) -> bytes | None:
    """Return VALUE as bytes that no other value has; None if a part of it was not kept."""
    if isinstance(value, Node):
        return b"N" + value.digest if value.digest else None
    if isinstance(value, Many):
        return None
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else ((str(at), one) for at, one in enumerate(value))
        parts: list[bytes] = []
        for key, one in pairs:
            shown = _written(one)
            if shown is None:
                return None
            parts.append(_part(key, shown))
        return (b"{" if isinstance(value, dict) else b"[") + b"".join(parts)
    return json.dumps(value).encode()


def _summary(node: Node, value: dict[str, object]) -> Node:
    """Return NODE with what is kept of its parts, VALUE."""
    inside = value.get("content")
    if node.loader == _JSON:
        return node._replace(value=_plain(inside))
    arrays: list[tuple[str, str]] = []
    if isinstance(value.get("file"), str):
        arrays.append(("", str(value["file"])))
    for key, one in _children(value):
        room = max(0, _ARRAYS - len(arrays))
        arrays.extend((_joined(key, path), name) for path, name in one.arrays[:room])
    node = node._replace(arrays=tuple(arrays))
    if node.loader in _OBJECTS:
        return _of_object(node, inside)
    if node.loader == _DICT:
        return _of_dictionary(node, entries(inside))
    if isinstance(inside, list):
        return _of_list(node, inside)
    return node


def _plain(content: object) -> Value | None:
    """Return the plain data in CONTENT, which is JSON in a text, if a line can hold it."""
    if not isinstance(content, str) or len(content) > _TEXT:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("schema.json has plain data that is not JSON") from None
    if isinstance(found, str):
        return clean(found)
    if isinstance(found, bool | int):
        return found
    return found if isinstance(found, float) and isfinite(found) else None


def _children(value: dict[str, object]) -> Iterator[tuple[str, Node]]:
    """Yield the nodes right below a node, with the path to each."""
    for key, one in value.items():
        if isinstance(one, Node):
            yield "", one
        elif isinstance(one, dict):
            yield from (
                (name if key == "content" else "", part) for name, part in one.items() if isinstance(part, Node)
            )
        elif isinstance(one, list):
            yield from ((str(at), part) for at, part in enumerate(one) if isinstance(part, Node))


def _joined(key: str, path: str) -> str:
    return f"{key}.{path}" if key and path else key or path


def _of_object(node: Node, state: object) -> Node:
    if not isinstance(state, Node):
        return node
    return node._replace(params=state.params, version=state.version, features=state.features, names=state.names)


def _of_dictionary(node: Node, content: dict[str, object]) -> Node:
    """Return NODE with the hyper-parameters of the object whose attributes CONTENT is, perhaps."""
    found: list[tuple[str, Value]] = []
    for key, one in content.items():
        # A forest keeps the tree that it copies, whose parameters are its own.
        mine = not (key.startswith("_") or key.endswith("_") or (key == "estimator" and "estimator_params" in content))
        if isinstance(one, Node) and mine and len(found) < _PARAMS:
            name = clean(key)
            if one.value is not None:
                found.append((name, one.value))
            elif one.loader in _OBJECTS:
                found.extend((clean(f"{name}__{inner}"), value) for inner, value in one.params)
            elif one.loader in {"ListNode", "TupleNode"}:
                found.extend(one.params)  # of the steps of a pipeline
    parts = {key: one for key, one in content.items() if isinstance(one, Node)}
    version = parts[_VERSION].value if _VERSION in parts else ""
    features = parts[_FEATURES].value if _FEATURES in parts else None
    names = parts[_NAMES].texts if _NAMES in parts else ()
    inner = next((parts[key] for key in _INNER if key in parts), None)
    return node._replace(
        params=tuple(found[:_PARAMS]),
        version=version if isinstance(version, str) else "",
        features=features if type(features) is int else inner.features if inner else None,
        names=names or (inner.names if inner else ()),
    )


def _of_list(node: Node, content: list[object]) -> Node:
    """Return NODE with the strings of a list, the classes that it names, and the parameters of named steps."""
    items = [one for one in content if isinstance(one, Node)]
    strings = tuple(one.value for one in items if isinstance(one.value, str))
    types = frozenset(one.name for one in items if one.loader in _REFERRED and one.name not in _PLAIN)
    params: list[tuple[str, Value]] = []
    if node.loader == "TupleNode" and len(items) >= 2 and isinstance(items[0].value, str):
        params = [(clean(f"{items[0].value}__{name}"), value) for name, value in items[1].params]
    elif node.loader == "ListNode":
        for one in items:
            if one.loader == "TupleNode" and len(params) < _PARAMS:
                params.extend(one.params)
    inner = next((one for one in items if one.features is not None), None)
    return node._replace(
        params=tuple(params[:_PARAMS]),
        types=types,
        texts=strings if len(strings) == len(content) else (),
        features=inner.features if inner else None,
        names=inner.names if inner else (),
    )

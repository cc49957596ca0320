"""Read small YAML documents that anybody may have written: every scalar is a text, and nothing stands for another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelvc.modelfiles.documents.building import Builder
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.source import Budget

MOST = 1 << 17  # bytes: PyYAML is slow


def read_yaml(data: bytes, budget: Budget, what: str) -> object:
    """Return the document in DATA, of texts, lists and objects. The messages call it WHAT.

    Raises Unreadable if it is not YAML, has an anchor, an alias, a tag or a key twice, or exceeds the budget.
    """
    import yaml

    if len(data) > MOST:
        raise Unreadable(f"{what} is larger than {MOST:,} bytes")
    builder = Builder(budget, what, None)
    try:
        return _built(yaml.parse(data.decode(), yaml.SafeLoader), builder, what)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise Unreadable(f"{what} is not valid YAML") from None


def _built(events: Any, builder: Builder, what: str) -> object:
    import yaml

    keys: list[bool] = []  # of each open list or object: whether a key comes next
    documents = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable(f"{what} has an alias")
        if getattr(event, "tag", None):
            raise Unreadable(f"{what} has a tag")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if isinstance(event, yaml.ScalarEvent):
            if keys and builder.in_object and keys[-1]:
                builder.key(event.value)
                keys[-1] = False
                continue
            builder.put(event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            if keys and builder.in_object and keys[-1]:
                raise Unreadable(f"{what} has a key that is no text")
            builder.open(is_object=isinstance(event, yaml.MappingStartEvent))
            keys.append(True)
            continue
        elif isinstance(event, yaml.CollectionEndEvent):
            keys.pop()
            builder.close()
        else:
            continue
        if keys:
            keys[-1] = True
    if documents != 1:
        raise Unreadable(f"{what} holds more or fewer documents than one")
    return builder.root

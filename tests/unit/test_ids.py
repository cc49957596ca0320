"""The names of objects."""

from __future__ import annotations

import copy

from modelvc.ids import ObjectName, Oid

OID = Oid(bytes(range(32)))


def test_an_object_name_is_a_named_tuple() -> None:
    name = ObjectName("tree", OID)
    kind, oid = name
    assert (kind, oid) == (name.kind, name.oid) == name == ("tree", OID)
    assert {name: 1}["tree", OID] == 1
    assert copy.copy(name) == name
    assert repr(name) == "ObjectName('tree', Oid(0001020304))"

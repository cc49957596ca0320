"""The versions that a command means."""

from __future__ import annotations

from dataclasses import replace

from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import Pointer
from modelvc.ids import Oid
from modelvc.models.versions.scope import Scope, ScopedObject


def meant(digit: int, *, predictions: bool = False) -> ScopedObject:
    return ScopedObject(SafeRelPath("m.bin"), Pointer("file", Oid(bytes([digit]) * 32), 1), predictions=predictions)


def test_versions_are_counted_once_and_follow_what_is_meant() -> None:
    """Whoever looks up each of many names must not pay for all of them each time."""
    scope = Scope((meant(1), meant(2, predictions=True)))
    assert scope.versions == {meant(1).name}
    assert scope.versions is scope.versions
    assert replace(scope, objects=(*scope.objects, meant(3))).versions == {meant(1).name, meant(3).name}

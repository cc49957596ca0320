from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelvc.errors import FormatError
from modelvc.formats import paths
from modelvc.formats.paths import SafeRelPath

TRICKY = st.sampled_from(
    [*"abgitGIT~1./ :\\\n\0", ".git", "con", "NUL", "com1", "..", "\u200c", "\ufeff", "é", "\ud800"]
)
PATHS = st.one_of(st.text(max_size=40), st.lists(TRICKY, max_size=12).map("".join))


@given(PATHS)
def test_what_is_taken_stays_inside(text: str):
    try:
        path = SafeRelPath.parse(text)
    except FormatError:
        return
    assert path == text
    assert not text.startswith("/")
    assert not {"", ".", "..", ".git"} & {part.lower() for part in path.parts}
    assert not set("\\:\0\n\r") & set(text)
    assert len(text.encode()) <= 4096
    assert "/".join(path.parts) == path
    assert path.name == path.parts[-1]
    assert path.parent == "/".join(path.parts[:-1])


@given(PATHS)
def test_the_quick_look_never_allows_what_the_slow_one_refuses(text: str):
    if paths._ordinary(text):
        assert paths._broken_rule(text) == ""


@given(PATHS)
def test_pointer_of_and_model_of_are_inverse(text: str):
    try:
        pointer = paths.pointer_of(SafeRelPath.parse(text))
    except FormatError:
        return
    assert paths.is_pointer(pointer)
    assert paths.model_of(pointer) == text


@given(st.lists(st.text("abcXYZ019._-", min_size=1, max_size=8), min_size=1, max_size=5).map("/".join))
def test_everyday_names_are_taken(text: str):
    if any(p.endswith(".") or p.partition(".")[0].lower() in paths._DEVICES for p in text.split("/")):
        with pytest.raises(FormatError):
            SafeRelPath.parse(text)
    else:
        assert SafeRelPath.parse(text) == text

"""Answers of `git cat-file --batch`: what is an object, what is missing, and what is cut off."""

from __future__ import annotations

import io

import pytest

from modelvc.git.cat_file import answer

ID = b"a" * 40


def test_objects_and_missing_ones_in_order() -> None:
    source = io.BytesIO(ID + b" blob 3\na\nb\n" + b"HEAD:x blob 3 missing\n" + b"ab ambiguous\n" + ID + b" tree 0\n\n")
    first, *missing, last = (answer(source, 10) for _ in range(4))
    assert missing == [None, None]
    assert first
    assert (first.oid, first.kind, first.size, first.data) == (ID.decode(), "blob", 3, b"a\nb")
    assert last
    assert (last.kind, last.size, last.data) == ("tree", 0, b"")


def test_content_is_cut_at_the_limit_and_the_next_answer_is_found() -> None:
    large = b"x" * ((1 << 20) + 7)
    source = io.BytesIO(ID + b" blob %d\n" % len(large) + large + b"\n" + ID + b" blob 1\ny\n")
    found = answer(source, 2)
    assert found
    assert (found.size, found.data) == (len(large), b"xx")
    found = answer(source, 2)
    assert found
    assert found.data == b"y"


@pytest.mark.parametrize("end", range(len(ID) + 11))
def test_an_answer_that_is_cut_off(end: int) -> None:
    with pytest.raises(EOFError):
        answer(io.BytesIO((ID + b" blob 3\nabc\n")[:end]), 10)

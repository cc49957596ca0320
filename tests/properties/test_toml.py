from __future__ import annotations

import datetime as dt
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from modelvc.errors import FormatError
from modelvc.formats import toml

UNICODE = st.characters(exclude_categories=("Cs",))
KEYS = st.one_of(st.text("abAB01_-", min_size=1, max_size=5), st.text(UNICODE, max_size=5))
SCALARS = st.one_of(
    st.text(UNICODE, max_size=12),
    st.integers(toml.INT_MIN, toml.INT_MAX),
    st.floats(allow_nan=False),
    st.just(toml.NAN),
    st.booleans(),
    st.datetimes().map(lambda moment: moment.replace(fold=0)),
    st.datetimes(timezones=st.just(dt.UTC)).map(lambda moment: moment.replace(fold=0)),
    st.dates(),
    st.times().map(lambda moment: moment.replace(fold=0)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=5)
PIECES = st.sampled_from(
    [*"[]{}.=,#\"'\\\n\r ab19-+:_", '"""', "'''", "a = 1\n", "[t]\n", "nan", "inf", "0x", "2020-01-01", "\ufeff"]
)


@given(TABLES)
def test_what_is_written_is_what_tomllib_reads(table: dict[str, toml.Value]):
    text = toml.encode(table)
    assert repr(toml.ordered(tomllib.loads(text))) == repr(toml.ordered(table))
    assert repr(toml.ordered(toml.read(text.encode(), "x", limit=1 << 20))) == repr(toml.ordered(table))


@given(TABLES)
def test_writing_what_was_read_changes_nothing(table: dict[str, toml.Value]):
    text = toml.encode(table)
    assert toml.encode(toml.read(text.encode(), "x", limit=1 << 20)) == text


@given(TABLES)
def test_line_ends_and_a_mark_of_byte_order_change_nothing(table: dict[str, toml.Value]):
    data = toml.encode(table).encode()
    assert repr(toml.read(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"), "x", limit=1 << 20)) == repr(
        toml.read(data, "x", limit=1 << 20)
    )


@given(st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=25).map(lambda p: "".join(p).encode())))
def test_whatever_is_read_can_be_written(data: bytes):
    try:
        found = toml.read(data, "x", limit=1 << 20)
    except FormatError:
        return
    text = toml.encode(found)
    assert repr(toml.ordered(tomllib.loads(text))) == repr(toml.ordered(found))
    assert toml.encode(toml.read(text.encode(), "x", limit=1 << 20)) == text

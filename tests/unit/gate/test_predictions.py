from __future__ import annotations

import io
import math
import random
from array import array
from collections.abc import Iterable

import pytest

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.gate import predictions
from modelvc.gate.pairing import PairedRows, Refused, pair_rows
from modelvc.gate.predictions import parse, read

HEAD = b"id,y_true,y_pred\n"


def test_labels_ids_and_scores():
    found = parse(b"id,y_true,y_pred,y_score\n7,cat,dog,0.25\n9,dog,dog,\n", "p.csv")
    assert found.ids == array("q", [7, 9])
    assert found.labels == ("cat", "dog")
    assert (list(found.truth), list(found.predicted)) == ([0, 1], [1, 1])
    assert not found.truth_values
    assert found.scores["y_score"][0] == 0.25
    assert math.isnan(found.scores["y_score"][1])


def test_numbers_are_kept_as_numbers_too():
    found = parse(HEAD + b"a,1,1.5\nb,-2.25,1e3\n", "p.csv")
    assert found.ids == ("a", "b")
    assert list(found.truth_values) == [1.0, -2.25]
    assert list(found.predicted_values) == [1.5, 1000.0]


def test_only_one_column_of_numbers():
    found = parse(HEAD + b"1,3,x\n2,4,3\n", "p.csv")
    assert list(found.truth_values) == [3, 4]
    assert not found.predicted_values


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfid,y_true,y_pred\r\n1,a,b\r\n2,b,b\r\n",
        b'"id","y_true","y_pred"\n"1","a","b"\n2,"b",b',
        b"y_pred , id,y_true\nb,1,a\n\nb , 2, b\n\n",
    ],
    ids=["bom and crlf", "quotes", "order, spaces and empty lines"],
)
def test_the_same_in_other_clothes(data: bytes):
    assert parse(data, "p.csv") == parse(HEAD + b"1,a,b\n2,b,b\n", "p.csv")


def test_whole_numbers_that_pandas_wrote_as_floats_are_the_same_labels():
    found = parse(HEAD + b"1,1,1.0\n2,0.0,0\n3,-0.0,1.50\n4,v1.0,007\n", "p.csv")
    assert found.labels == ("1", "0", "1.5", "v1.0", "7")


def test_numbers_that_are_equal_are_one_label_and_one_id():
    data = b"id,y_true,y_pred,y_score_1.0\n01,1e0,01\n2.50,+1,1.000\n1e3,0x1,1_0\n" + b"9" * 40 + b",1e999,nan\n"
    found = parse(data.replace(b"\n", b",0.5\n").replace(b"1.0,0.5", b"1.0", 1), "p.csv")
    assert found.labels == ("1", "0x1", "1_0", "1e999", "nan")
    assert found.ids == ("1", "2.5", "1000", "9" * 40)
    assert list(found.scores) == ["y_score_1"]


def test_other_columns_are_ignored_and_named():
    found = parse(b",id,y_true,y_pred,y_score,split,y_scores\n0,1,a,a,0.5,test,x\n", "p.csv")
    assert found.ignored == ("", "split", "y_scores")
    assert list(found.scores) == ["y_score"]


@pytest.mark.parametrize("ids", [[5, 3, 4], ["5", "x", "4"], [1, "x2", 2], [3, 2, "1" * 30]])
def test_ids_of_all_kinds(ids: list[object]):
    found = parse(HEAD + "".join(f"{one},a,a\n" for one in ids).encode(), "p.csv")
    assert [str(one) for one in found.ids] == list(map(str, ids))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "line 1: it is empty"),
        (b"\n\n", "line 1: it is empty"),
        (HEAD, "line 1: it has a header and no row"),
        (b"id,y_true\n1,a\n", 'line 1: there is no column "y_pred"'),
        (b"id,y_true,y_pred,id\n", 'line 1: the column "id" appears twice'),
        (b"id,y_true,y_pred," + b"x" * 1_001, "line 1: the name of column 4 has more than 1,000 characters"),
        (b"id,y_true,y_pred,y_score_1,y_score_1.0\n", 'line 1: the column "y_score_1" appears twice'),
        (HEAD + b"1,a,a\n01,a,a\n", 'line 3: the id "1" was there before'),
        (HEAD + b"x,a,a\n1.50,a,a\n1.5,a,a\n", 'line 4: the id "1.5" was there before'),
        (HEAD + b"1,a,a\n2,a\n", "line 3: it has 2 fields, the header 3"),
        (HEAD + b"1,a,a\n2,a,a\n\n1,a,a\n", 'line 5: the id "1" was there before'),
        (HEAD + b"x,a,a\nx,a,a\n", 'line 3: the id "x" was there before'),
        (HEAD + b"1,a,a\nx,a,a\n1,a,a\n", 'line 4: the id "1" was there before'),
        (HEAD + b"3,a,a\n2,a,a\n3,a,a\n", 'line 4: the id "3" was there before'),
        (HEAD + b" ,a,a\n", "line 2: its id is empty"),
        (HEAD + b"1,,a\n", "line 2: its y_true is empty"),
        (HEAD + b"1,a,\n", "line 2: its y_pred is empty"),
        (b'id,y_true,y_pred,y_score\n1,a,a,0\n2,a,a,"x\x1by"\n', r'line 3: "x\\x1by" in the column "y_score" is no'),
        (HEAD + b"1,a,a\n2,\xff,a\n", "line 3: it is not valid UTF-8"),
        (HEAD + b'1,a,"a\n', "line 2: it is not valid CSV"),
        (HEAD + b'1,a,"a"b\n', "line 2: it is not valid CSV"),
        (HEAD + b"1,a,a\r2,a,a\r", "line 2: it is not valid CSV"),
        (HEAD + b"1,a," + b"x" * 1_001, "line 2: a field is longer than 1,000 characters"),
        (HEAD + b"1,a," + b"x" * 70_000, "line 2: it is longer than 65,536 bytes"),
        (b"id,y_true,y_pred," + b",".join(b"%d" % n for n in range(1_000)), "more than 1,000 columns"),
        (HEAD + b'1,a,"' + b"xxxxxxxxxxxxxxxxx\n" * 9_000, "field larger than field limit"),
    ],
)
def test_what_is_wrong_names_file_and_line(data: bytes, why: str):
    with pytest.raises(FormatError, match=why) as caught:
        parse(data, "out/p.csv")
    assert str(caught.value).startswith("out/p.csv is not a file of predictions: line ")
    assert "id,y_true,y_pred" in caught.value.hint


def test_there_is_a_most_of_rows_and_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PREDICTION_ROWS", 2)
    with pytest.raises(FormatError, match="line 4: there are more than 2 rows"):
        parse(HEAD + b"1,a,a\n2,a,a\n3,a,a\n", "p")
    monkeypatch.setattr(limits, "PREDICTIONS", 20)
    with pytest.raises(FormatError, match="line 2: the file is larger than 20 bytes"):
        parse(HEAD + b"1,a,a\n", "p")


def test_more_labels_than_there_can_be_must_be_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(predictions, "MAX_LABELS", 4)
    found = parse(HEAD + b"1,0.5,1\n2,1.5,2\n3,2.5,3.25\n4,7,8\n", "p")
    assert not found.labels
    assert not found.truth
    assert list(found.truth_values) == [0.5, 1.5, 2.5, 7]
    assert list(found.predicted_values) == [1, 2, 3.25, 8]
    with pytest.raises(FormatError, match="line 4: there are more than 4 different labels, and they are not numbers"):
        parse(HEAD + b"1,a,b\n2,c,d\n3,e,f\n", "p")
    with pytest.raises(FormatError, match=r'line 5: "x" is not a number.* y_pred must be'):
        parse(HEAD + b"1,1,2\n2,3,4\n3,5,6\n4,7,x\n", "p")


def test_random_bytes_are_refused_and_nothing_else():
    rng = random.Random(0)
    pieces = [b"id,y_true,y_pred\n", b",", b"\n", b'"', b"1", b"a", b"\xff", b"\0", b"\r", b"1.0", b"nan"]
    for _ in range(2_000):
        data = b"".join(rng.choices(pieces, k=rng.randrange(20)))
        try:
            read(io.BytesIO(data), "p")
        except FormatError:
            continue


def table(rows: Iterable[Iterable[object]], head: str = "id,y_true,y_pred"):
    return parse((head + "\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)).encode(), "p")


def test_rows_are_matched_by_id():
    old = table([(1, "a", "a", 0.1), (2, "b", "a", 0.2), (3, "c", "c", 0.3)], "id,y_true,y_pred,y_score")
    new = table([(3, "c", "d", 0.9), (1, "a", "a", 0.7), (2, "b", "b", 0.8)], "id,y_true,y_pred,y_score")
    found = pair_rows(old, new)
    assert isinstance(found, PairedRows)
    assert [found.labels[code] for code in found.truth] == ["a", "b", "c"]
    assert [found.labels[code] for code in found.old.predicted] == ["a", "a", "c"]
    assert [found.labels[code] for code in found.new.predicted] == ["a", "b", "d"]
    assert list(found.new.scores["y_score"]) == [0.7, 0.8, 0.9]
    assert not found.same


def test_numbers_and_texts_as_ids_still_match():
    found = pair_rows(table([(1, 0.5, 1), ("x", 1.5, 2)]), table([("x", 1.5, 2.0), (1, 0.5, 1)]))
    assert isinstance(found, PairedRows)
    assert list(found.new.values) == [1, 2]
    assert found.same


def test_what_is_the_same():
    rows = [(n, n % 2, n % 2, n / 10) for n in range(5)]
    head = "id,y_true,y_pred,y_score"

    def same(new: Iterable[Iterable[object]], head_new: str = head):
        found = pair_rows(table(rows, head), table(new, head_new))
        assert isinstance(found, PairedRows)
        return found.same

    assert same(list(reversed(rows)))
    assert not same([(*row[:3], 0.5) for row in rows])
    assert not same([row[:3] for row in rows], "id,y_true,y_pred")
    assert not same([(*row[:3], "nan") for row in rows])


def test_other_labels_are_refused():
    found = pair_rows(
        table([(n, n % 3, 0) for n in range(9)]), table([(n, n % 3 if n > 4 else 2, 0) for n in range(9)])
    )
    assert found == Refused(
        "labels-differ",
        "the test set changed: y_true differs in 4 of 9 rows (id 0, 1, 3, …); predict the same rows with both versions",
        4,
        9,
    )


def test_other_labels_that_are_words_are_refused():
    found = pair_rows(table([("x", "a", "a"), ("y", "b", "b")]), table([("x", "a", "a"), ("y", "\x1bc", "b")]))
    assert isinstance(found, Refused)
    assert (found.reason, found.count) == ("labels-differ", 1)
    assert "id y" in found.why
    mixed = pair_rows(table([(1, "a", "a")]), table([(1, 5, 5)]))
    assert isinstance(mixed, Refused)


def test_other_rows_are_refused():
    found = pair_rows(table([(n, 0, 0) for n in range(10)]), table([(n, 0, 0) for n in range(4, 11)]))
    assert found == Refused(
        "rows-differ",
        "the test set changed: 4 of 10 rows are gone (id 0, 1, 2, …) and 1 of 7 are new (id 10);"
        " predict the same rows with both versions",
        5,
        10,
    )
    fewer = pair_rows(table([(1, 0, 0), (2, 0, 0)]), table([(2, 0, 0)]))
    assert isinstance(fewer, Refused)
    more = pair_rows(table([(2, 0, 0)]), table([("\x1b", 0, 0), (2, 0, 0)]))
    assert isinstance(more, Refused)
    assert "1 of 2 are new (id \\x1b)" in more.why


def test_labels_that_were_rounded_are_named_as_that():
    exact = [0.123456, 1.5, 2.71828]
    old = table([(n, value, 0) for n, value in enumerate(exact)])
    new = table([(n, round(value, 2), 0) for n, value in enumerate(exact)])
    for pairs, which in (((old, new), "new"), ((new, old), "old")):
        found = pair_rows(*pairs)
        assert isinstance(found, Refused)
        assert f"y_true is rounded to 2 decimals in the {which} version's file" in found.why
        assert (found.reason, found.count, found.rows) == ("labels-differ", 2, 3)
    other = pair_rows(old, table([(n, value + 0.01, 0) for n, value in enumerate(exact)]))
    assert isinstance(other, Refused)
    assert "the test set changed" in other.why


def test_labels_are_one_whoever_wrote_them():
    old = table([("01", "1", "0"), ("2", "0.0", "1")])
    new = table([("1", "1.0", "1e0"), ("2.0", "0", "-0")])
    found = pair_rows(old, new)
    assert isinstance(found, PairedRows)
    assert found.labels == ("1", "0")
    assert list(found.new.predicted) == [0, 1]


def test_a_label_that_is_nan_in_both_is_the_same():
    assert isinstance(pair_rows(table([(1, "nan", 0)]), table([(1, "nan", 1)])), PairedRows)
    assert isinstance(pair_rows(table([(1, "nan", 0)]), table([(1, 2, 1)])), Refused)

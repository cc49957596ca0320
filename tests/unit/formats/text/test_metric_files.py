"""Files of metrics in every format: what is in them, and where they are broken."""

from __future__ import annotations

import math

import pytest

from modelvc.errors import FormatError
from modelvc.formats.text.metric_files import choose, read

BOMB = b"a: &a [[],[],[],[],[],[],[],[],[],[]]\n"
for place in range(9):  # each line names the one before ten times
    before = b"x%d" % (place - 1) if place else b"a"
    BOMB += b"x%d: &x%d [%s]\n" % (place, place, b",".join([b"*" + before] * 10))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("m.json", b'{"b": 1, "a": {"c": 0.5, "d": [1, 2]}}', (("b", 1), ("a.c", 0.5), ("a.d.0", 1), ("a.d.1", 2))),
        ("m.yaml", b"b: 1\na:\n  c: 1e-3\n  d: true\n", (("b", 1), ("a.c", 0.001), ("a.d", True))),
        # the core schema of YAML 1.2, which is not what YAML 1.1 said
        (
            "m.yaml",
            b"a: no\nb: 16:9\nc: 0755\nd: 12:30:45\n",
            (("a", "no"), ("b", "16:9"), ("c", 755), ("d", "12:30:45")),
        ),
        (
            "m.yaml",
            b"a: 0o17\nb: 0x1F\nc: 1_000\nd: on\ne: +1\n",
            (("a", 15), ("b", 31), ("c", "1_000"), ("d", "on"), ("e", 1)),
        ),
        (
            "m.yaml",
            b"a: 2026-01-02 03:04:05\nb: 0b1\nc: ~\nd: Null\ne: 1.\n",
            (("a", "2026-01-02 03:04:05"), ("b", "0b1"), ("e", 1.0)),
        ),
        ("m.yaml", b"x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", (("x.a", 1), ("x.b", 2), ("y.a", 1), ("y.b", 3))),
        # tables by what they are: Lightning's log, one metric per row, separators, pandas' index
        (
            "m.csv",
            b"epoch,step,train_loss,val_acc\n0,9,0.5,\n0,9,,0.7\n1,19,0.4,\n1,19,,0.75\n2,29,0.3,\n",
            (("train_loss", 0.3), ("val_acc", 0.75)),
        ),
        ("m.csv", b"metric,value\naccuracy,0.93\nf1,0.8\n", (("accuracy", 0.93), ("f1", 0.8))),
        ("m.tsv", b"Name\tValue\naccuracy\t0.93\n", (("accuracy", 0.93),)),
        ("m.csv", b"key;value\naccuracy;0.93\n", (("accuracy", 0.93),)),
        ("m.csv", b"\xef\xbb\xbfacc;f1\r\n0.93;0.8\r\n", (("acc", 0.93), ("f1", 0.8))),
        ("m.csv", b"acc\tf1\n0.93\t0.8\n", (("acc", 0.93), ("f1", 0.8))),
        ("m.csv", b"acc\n0.93\n", (("acc", 0.93),)),
        ("m.csv", b",acc,f1\n0,0.9,0.7\n1,0.93,0.8\n", (("acc", 0.93), ("f1", 0.8))),
        ("m.csv", b",metric,value\n0,accuracy,0.93\n", (("accuracy", 0.93),)),
        ("m.csv", b",metric,value\n0,accuracy,0.93\n1,f1,\n2,auc,0.8\n", (("accuracy", 0.93), ("auc", 0.8))),
        ("m.csv", b"fold,acc\n3,0.9\n", (("fold", 3), ("acc", 0.9))),
        ("m.jsonl", '{"note": "a\u2028b", "acc": 0.5}\r\n'.encode(), (("note", "a\u2028b"), ("acc", 0.5))),
        ("m.csv", b"split,acc\ntest,0.9\n", (("split", "test"), ("acc", 0.9))),
        # JSON lines, and lists of one value per epoch
        ("m.jsonl", b'{"epoch": 0, "acc": 0.5}\n\n{"epoch": 1, "acc": 0.75}\n', (("epoch", 1), ("acc", 0.75))),
        (
            "m.ndjson",
            b'{"epoch": 0, "loss": 0.5}\n{"epoch": 0, "eval": {"acc": 0.7}}\n{"epoch": 1, "loss": 0.4}\n',
            (("loss", 0.4), ("eval.acc", 0.7)),
        ),
        ("h.json", b'{"loss": [0.5, 0.4], "val_acc": [0.7, 0.8], "epoch": [0, 1]}', (("loss", 0.4), ("val_acc", 0.8))),
        ("h.yaml", b"loss: [0.5, 0.4]\nacc: [0.7, 0.8]\n", (("loss", 0.4), ("acc", 0.8))),
        ("f1.json", b'{"per_class": [0.5, 0.75]}', (("per_class.0", 0.5), ("per_class.1", 0.75))),
        ("h.json", b'{"loss": [0.5, 0.4], "acc": [1]}', (("loss.0", 0.5), ("loss.1", 0.4), ("acc.0", 1))),
        (
            "r.json",  # scikit-learn's classification_report(output_dict=True)
            b"""{"cat": {"precision": 1.0, "f1-score": 0.5, "support": 4}, "accuracy": 0.75,
            "macro avg": {"f1-score": 0.5}}""",
            (
                ("cat.precision", 1.0),
                ("cat.f1-score", 0.5),
                ("cat.support", 4),
                ("accuracy", 0.75),
                ("macro avg.f1-score", 0.5),
            ),
        ),
        ("m.yml", b"a: 2026-01-02\n", (("a", "2026-01-02"),)),
        ("m.toml", b"b = 1\n[a]\nc = 0.10000000000000001\n", (("b", 1), ("a.c", 0.1))),
        ("m.csv", b"epoch,acc,note\n1,0.5,x\n2,0.75,\n\n", (("epoch", 2), ("acc", 0.75))),
        ("m.tsv", b"\xef\xbb\xbfa\tb\r\n1\ttrue\r\n", (("a", 1), ("b", True))),
        ("metrics", b'{"a": 1}', (("a", 1),)),
    ],
)
def test_what_is_in_it(name: str, data: bytes, expected: object):
    found = read(data, name)
    assert found == expected
    assert [type(value) for _, value in found] == [type(value) for _, value in expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "data"), [("a.yaml", b"a: .nan\nb: -.inf"), ("a.toml", b"a = nan\nb = -inf"), ("a.csv", b"a,b\nnan,-inf")]
)
def test_what_is_no_number_stays(name: str, data: bytes):
    found = dict(read(data, name))
    assert math.isnan(float(found["a"]))
    assert found["b"] == -math.inf


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("m.json", b"", "is empty"),
        ("m.json", b"{}", "there is no metric in it"),
        ("m.csv", b"a,b\n", "a header and no row"),
        ("m.csv", b"a,b\n1,2\n1\n", "line 3 has 1 fields, the header 2"),
        ("m.csv", b'a,b\n1,"x', "not valid CSV"),
        ("m.csv", b"a,a\n1,2\n", "appears twice (line 1)"),
        ("m.csv", b"0.93,0.80\n0.95,0.90\n", "its first line is not a header: 0.93 is a value"),
        ("m.csv", b"accuracy,0.93\nf1,0.8\n", "its first line is not a header: 0.93 is a value"),
        ("m.csv", b"acc,,f1\n1,2,3\n", "column 2 has no name"),
        ("m.csv", b",precision\ncat,0.5\ndog,0.75\n", "column 1 has no name"),
        ("m.csv", b"model,acc\na,0.5\nb,0.75\n", 'each row has a name in the column "model"'),
        # scikit-learn's cross_validate and GridSearchCV, Optuna: no row is the last measurement
        ("m.csv", b",fit_time,score_time,test_score\n0,1.5,0.1,0.9\n1,1.5,0.1,0.7\n", 'the column "fit_time" says'),
        ("m.csv", b",mean_fit_time,mean_test_score\n0,1.5,0.9\n1,1.5,0.7\n", 'the column "mean_fit_time" says'),
        ("m.csv", b"fold,acc\n0,0.9\n1,0.7\n", 'the column "fold" says that its rows stand side by side'),
        ("m.yaml", b"[1, 2]: 3\n", "a key is a list or a table, not a name"),
        ("m.yaml", b"? {a: 1}\n: 3\n", "a key is a list or a table, not a name"),
        ("m.csv", b"acc;f1\n0,93;0,8\n", "0,93 has a comma, which may mean a thousand: write a decimal point (line 2)"),
        ("m.csv", b"a;b,c;d\n1;2,3;4\n", "its fields may be separated by commas or by semicolons"),
        ("m.csv", b"metric,value\na,1\na,2\n", '"a" appears twice'),
        ("m.jsonl", b'{"a": 1}\n{"a": }\n', "line 2, column 7"),
        ("m.jsonl", b'{"a": 1}\n[1]\n', "line 2 is not an object"),
        ("m.jsonl", b" \n", "is empty"),
        ("m.yaml", b"a: !!int 1:1\n", "not valid YAML"),
        ("m.yaml", b"a: [1\n", "line 2"),
        ("m.yaml", b"a: 1\na: 2\n", "appears twice"),
        ("m.yaml", b"a: !!python/object/apply:os.system [x]\n", "not valid YAML"),
        ("m.yaml", b"just words\n", "single value without a name"),
        ("m.toml", b"a = \n", "not valid TOML"),
        ("m.json", b'{"a": \n]', "line 2"),
        ("m.yaml", b"\xff", "not valid UTF-8 (line 1)"),
        ("m.yaml", BOMB, "more than 100,000 values"),
    ],
)
def test_a_broken_one_says_where(name: str, data: bytes, words: str):
    with pytest.raises(FormatError) as caught:
        read(data, name)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{name} is not a file of metrics: ")
    assert caught.value.hint


def test_a_part_of_a_file_is_chosen_by_name():
    data = b'{"test": {"auc": 0.9, "f1": 0.8}, "train": {"auc": 1}}'
    assert choose(data, "m.json", ["test.*"]) == ((("test.auc", 0.9), ("test.f1", 0.8)), 1)
    assert choose(data, "m.json", ["*.f1", "train.auc"]) == ((("test.f1", 0.8), ("train.auc", 1)), 1)
    assert choose(data, "m.json") == (read(data, "m.json"), 0)
    with pytest.raises(FormatError, match=r"none of its 3 metrics matches val\.\*"):
        choose(data, "m.json", ["val.*"])


@pytest.mark.parametrize(
    "more", [b",".join(b'"m%d": 1' % n for n in range(1_001)), b'"log": "%s"' % (b"x" * 1_001)], ids=["many", "long"]
)
def test_what_does_not_fit_is_no_reason_to_record_nothing(more: bytes):
    data = b'{"test": 0.5, %s}' % more
    with pytest.raises(FormatError) as caught:
        read(data, "m.json")
    assert "--only" in caught.value.hint
    assert choose(data, "m.json", ["test*"]).pairs == (("test", 0.5),)

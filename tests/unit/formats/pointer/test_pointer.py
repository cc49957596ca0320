from __future__ import annotations

import time
from dataclasses import replace

import pytest

from modelvc.errors import BrokenPointer, FormatError, PointerConflict
from modelvc.formats.pointer import pointer
from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.pointer.pointer import Conflict, Metrics, Pointer
from modelvc.ids import Oid

OID, OTHER = Oid(bytes(range(32))), Oid(b"\xff" * 32)
PATH = "models/a.pkl.mvc"
FILE = f"""\
format = 1
kind = "file"
oid = "{OID}"
size = 1048576
executable = true
parent = "{OTHER}"

[metrics]
of = "{OID}"
accuracy = 0.934
"test.auc" = 0.97
epochs = 3
""".encode()
TREE = f"""\
format = 1
kind = "tree"
oid = "{OID}"
size = 10
files = 12
""".encode()


def test_the_text_of_a_file():
    metrics = Metrics(OID, (("accuracy", 0.934), ("test.auc", 0.97), ("epochs", 3)))
    found = Pointer("file", OID, 1048576, executable=True, parent=OTHER, metrics=metrics)
    assert found.encode() == FILE
    assert pointer.parse(FILE, PATH) == found


def test_the_text_of_a_tree():
    found = Pointer("tree", OID, 10, files=12)
    assert found.encode() == TREE
    assert pointer.parse(TREE, PATH) == found


def test_unknown_keys_and_tables_survive_a_rewrite():
    later = TREE + f'zeta = [1, {{ b = 2 }}]\nalpha = "x"\n\n[model]\nlayers = 3\n\n[env]\noid = "{OTHER}"\n'.encode()
    found = pointer.parse(later, PATH)
    assert found.extra["env"] == {"oid": str(OTHER)}
    text = found.encode().decode()
    assert pointer.parse(text.encode()) == found
    assert text.endswith(
        f'files = 12\nalpha = "x"\nzeta = [1, {{ b = 2 }}]\n\n[env]\noid = "{OTHER}"\n\n[model]\nlayers = 3\n'
    )


def test_metrics_of_another_version_are_stale():
    assert Pointer("file", OID, 1, metrics=Metrics(OTHER, ())).stale
    assert not Pointer("file", OID, 1, metrics=Metrics(OID, ())).stale
    assert not Pointer("file", OID, 1).stale


def test_nan_equals_itself():
    made = Pointer("file", OID, 1, metrics=Metrics(OID, (("loss", float("nan")),)))
    assert pointer.parse(made.encode()) == made


def lines_without(key: str) -> bytes:
    return b"".join(line for line in FILE.splitlines(keepends=True) if not line.startswith(key.encode()))


BROKEN = {
    "empty": (b"", "it is empty"),
    "blank": (b" \n\n", "it is empty"),
    "torn in a string": (FILE[:60] + b"\n", "not valid TOML"),
    "torn in a number": (TREE[:-2], "may have been cut off"),
    "torn between lines": (FILE[: FILE.index(b"oid")], '"oid"'),
    "no TOML": (b"\x80\x04 pickle\n", "not valid UTF-8 (at line 1)"),
    "line is named": (FILE + b"?\n", "at line 13"),
    "too large": (b"#" * 70_000, "65,536 bytes"),
    "no format": (lines_without("format"), 'no "format"'),
    "format 0": (FILE.replace(b"format = 1", b"format = 0"), "no format 0"),
    "format true": (FILE.replace(b"format = 1", b"format = true"), '"format" is not a whole number'),
    "no kind": (lines_without("kind"), 'no "kind"'),
    "kind": (FILE.replace(b'"file"', b'"link"'), '"link"'),
    "no oid": (lines_without("oid"), 'no "oid"'),
    "short oid": (FILE.replace(b"blake3:00", b"blake3:"), "64 hex digits"),
    "upper oid": (TREE.replace(b"1e1f", b"1E1F"), "64 hex digits"),
    "no size": (lines_without("size"), 'no "size"'),
    "size below 0": (FILE.replace(b"1048576", b"-1"), "size cannot be -1"),
    "size a float": (FILE.replace(b"1048576", b"1e3"), '"size" is not a whole number'),
    "size huge": (FILE.replace(b"1048576", b"9223372036854775808"), "64 bits"),
    "size of many digits": (FILE.replace(b"1048576", b"9" * 5_000), "impossible"),
    "files of a file": (FILE.replace(b"executable = true", b"files = 3"), "only a tree"),
    "tree without files": (TREE.replace(b"files = 12\n", b""), "a tree has a number of files"),
    "bytes in no files": (TREE.replace(b"files = 12", b"files = 0"), "in 0 files"),
    "executable tree": (TREE + b"executable = true\n", "not executable"),
    "executable false": (FILE.replace(b"true", b"false"), "only when it is true"),
    "parent": (FILE.replace(b'parent = "blake3', b'parent = "sha256'), '"parent" is not'),
    "metrics without of": (TREE + b"\n[metrics]\nx = 1\n", 'no "of"'),
    "metrics no table": (TREE + b"metrics = 3\n", '"metrics" is not a table'),
    "nested metrics": (FILE + b"a.b = 1\n", '"a" is a table'),
    "metrics array": (FILE + b"a = [1]\n", '"a" is an array'),
    "metric of time": (FILE + b"a = 2020-01-01\n", '"a" is a date'),
    "twice": (FILE + b"epochs = 4\n", "not valid TOML"),
    "deep": (TREE + b"a = " + b"[" * 5_000 + b"\n", "nested too deeply"),
    "dotted": (TREE + b"a" + b".a" * 30_000 + b" = 1\n", "nested too deeply"),
    "cut in its last number": (TREE.removesuffix(b"2\n"), "its last line has no end"),
    "head too large": (TREE + b'a = "' + b"x" * 4_000 + b'"\n', "before [metrics]"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_named_with_its_fix(name: str):
    data, why = BROKEN[name]
    started = time.perf_counter()
    with pytest.raises(BrokenPointer) as caught:
        pointer.parse(data, PATH)
    assert time.perf_counter() - started < 0.5
    assert str(caught.value).startswith(f"{PATH} is not a valid pointer: ")
    assert why in str(caught.value)
    assert caught.value.hint == "run `mvc log models/a.pkl` to see the versions before it"
    assert (caught.value.code, caught.value.exit_code) == ("broken-pointer", 12)


def test_a_newer_format_says_upgrade():
    with pytest.raises(
        BrokenPointer, match=r"models/a\.pkl\.mvc was written by a newer mvc: its format is 2"
    ) as caught:
        pointer.parse(FILE.replace(b"format = 1", b"format = 2"), PATH)
    assert caught.value.hint == "upgrade mvc"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_conflict_markers_have_their_own_words(end: bytes):
    ours, theirs = (b'oid = "%s"' % str(oid).encode() for oid in (OID, OTHER))
    lines = [b"format = 1", b'kind = "file"', b"<<<<<<< HEAD", ours, b"=======", theirs, b">>>>>>> topic", b"size = 1"]
    with pytest.raises(PointerConflict, match=r"models/a\.pkl\.mvc has conflict markers") as caught:
        pointer.parse(end.join([*lines, b""]), PATH)
    assert "git merge --abort" in caught.value.hint
    assert f"mvc resolve {PATH} --ours" in caught.value.hint
    assert (caught.value.code, caught.value.exit_code) == ("pointer-conflict", 11)


def test_words_are_safe_for_a_terminal():
    with pytest.raises(BrokenPointer) as caught:
        pointer.parse(FILE.replace(b'"file"', b'"\\u001b[2J"'), "a\x1b\n.pkl.mvc")
    assert (str(caught.value) + caught.value.hint).isprintable()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"size": -1}, "size"),
        ({"files": 1}, "only a tree"),
        ({"kind": "tree"}, "only a tree"),
        ({"kind": "tree", "files": -1}, "files"),
        ({"extra": {"oid": "x"}}, "oid cannot be an extra key"),
    ],
)
def test_an_impossible_pointer_can_not_be_made(fields: dict[str, object], why: str):
    with pytest.raises(FormatError, match=why):
        Pointer(**{"kind": "file", "oid": OID, "size": 1} | fields)


def test_too_many_metrics_do_not_fit():
    many = tuple((f"metric.{n:0100}", n) for n in range(900))
    with pytest.raises(FormatError, match="record fewer metrics"):
        Pointer("file", OID, 1, metrics=Metrics(OID, many)).encode()


OTHER_SPELLINGS = [
    FILE.replace(b"\n", b"\r\n"),
    b"\xef\xbb\xbf" + FILE,
    FILE.replace(b"size = ", b"size  = "),
    FILE.replace(b"1048576", b"1_048_576"),
    FILE.replace(b"1048576", b"+1048576"),
    FILE.replace(b"0.934", b"0.9340"),
    FILE.replace(b"0.934", b"+0.934"),
    FILE.replace(b"epochs", b'"epochs"'),
    FILE.replace(b"= 3", b"= '3'"),
    FILE + b"# a comment\n",
    FILE + b"\n",
    TREE + b"later = 1\n",
    TREE + b"\n[model]\n",
    TREE.replace(b'"tree"', b"'tree'"),
]


@pytest.mark.parametrize("data", OTHER_SPELLINGS)
def test_other_spellings_are_read(data: bytes):
    assert pointer.parse(data)


SIDE = f"""
[conflict]
ours = "main"
theirs = "feature/wide"
kind = "tree"
oid = "{OTHER}"
size = 5
files = 2
parent = "{OID}"

[conflict.metrics]
of = "{OTHER}"
accuracy = 0.5
"""


def in_conflict(changed: tuple[str, str] = ("", "")) -> bytes:
    assert changed[0] in SIDE
    return FILE + SIDE.replace(*changed, 1).encode()


def test_a_conflict_holds_both_versions():
    found = pointer.parse(in_conflict(), PATH)
    assert found.conflict is not None
    assert (found.conflict.ours, found.conflict.theirs) == ("main", "feature/wide")
    assert found.conflict.other == Pointer(
        "tree", OTHER, 5, files=2, parent=OID, metrics=Metrics(OTHER, (("accuracy", 0.5),))
    )
    assert found.versions == (found, found.conflict.other)
    assert found.encode() == in_conflict()
    assert pointer.parse(FILE).versions == (pointer.parse(FILE),)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (('ours = "main"\n', ""), 'has no "ours"'),
        (('theirs = "feature/wide"\n', ""), 'has no "theirs"'),
        (('"main"', '""'), "cannot be called"),
        (('"main"', '"a\\nb"'), "cannot be called"),
        (('"main"', f'"{"x" * 101}"'), "cannot be called"),
        ((f'oid = "{OTHER}"\n', ""), 'has no "oid"'),
        (("files = 2\n", ""), "number of files"),
        (("size = 5", "size = -5"), "size"),
        (("size = 5", "size = 5\nlater = 1"), 'unknown key "later"'),
        (("size = 5", "size = 5\nformat = 1"), 'unknown key "format"'),
        (("[conflict.metrics]", "[conflict.conflict]"), 'unknown key "conflict"'),
    ],
)
def test_half_a_conflict_is_no_pointer(changed: tuple[str, str], words: str):
    with pytest.raises(BrokenPointer) as caught:
        pointer.parse(in_conflict(changed), PATH)
    assert words in str(caught.value)


def test_the_other_side_is_one_plain_version():
    plain = Pointer("file", OID, 1)
    nested = replace(plain, conflict=Conflict("a", "b", plain))
    for other in (nested, replace(plain, extra={"later": 1})):
        with pytest.raises(FormatError, match="one plain version"):
            Conflict("a", "b", other)


# -- what a version is

INSIDE = f"""
[model]
of = "{OID}"
format = "pickle"
framework = "scikit-learn"
version = "1.9.1"
class = "sklearn.ensemble._forest.RandomForestClassifier"
parameters = 2514
tensors = 12
content = "{OTHER}"
imports = ["numpy.dtype", "numpy.ndarray"]
code = ["TorchScript", "a Lambda layer"]
""".encode()
MODEL = ModelTable(
    OID,
    "pickle",
    "scikit-learn",
    "1.9.1",
    "sklearn.ensemble._forest.RandomForestClassifier",
    2514,
    12,
    OTHER,
    ("numpy.dtype", "numpy.ndarray"),
    code=("TorchScript", "a Lambda layer"),
)


def inside(old: str = "", new: str = "") -> Pointer:
    """A pointer whose table has NEW in the place of OLD."""
    assert old.encode() in INSIDE
    found = pointer.parse(FILE + INSIDE.replace(old.encode(), new.encode(), 1), PATH)
    assert pointer.parse(found.encode()) == found
    return found


def test_the_text_of_a_model():
    found = replace(pointer.parse(FILE), model=MODEL)
    assert found.encode() == FILE + INSIDE
    assert inside() == found


def test_its_place_is_between_those_of_a_version_and_the_conflict():
    env = b"\n[env]\nlater = 1\n\n[golden]\nlater = 2\n"
    text = FILE + env + INSIDE + SIDE.encode() + b"\n[alpha]\nlater = 3\n"
    found = pointer.parse(text)
    assert found.encode() == text
    assert found.model == MODEL
    unread = text.replace(b'format = "pickle"', b'format = "pickle"\nlater = 1')
    assert pointer.parse(unread).model is None
    assert pointer.parse(unread).encode().index(b"[model]") == text.index(b"[model]")


def test_names_of_imports_or_their_number():
    counted = f'import_count = 900\nimport_digest = "{OTHER}"'
    found = inside('imports = ["numpy.dtype", "numpy.ndarray"]', counted)
    assert found.model is not None
    assert (found.model.imports, found.model.import_count, found.model.import_digest) == ((), 900, OTHER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'of = "{OID}"', f'of = "{OTHER}"'),
        (f'of = "{OID}"\n', ""),
        ('format = "pickle"\n', ""),
        ('format = "pickle"', 'format = ""'),
        ('format = "pickle"', "format = 1"),
        ('format = "pickle"', f'format = "{"x" * 201}"'),
        ('version = "1.9.1"', 'version = ""'),
        ('version = "1.9.1"', "version = 1.9"),
        ('version = "1.9.1"', 'version = "\\u001b[2J"'),
        ("parameters = 2514", "parameters = -1"),
        ("parameters = 2514", "parameters = true"),
        ("parameters = 2514", "parameters = 1.5"),
        ("tensors = 12", 'tensors = "12"'),
        ("tensors = 12", "tensors = 12\nlater = 1"),
        (f'content = "{OTHER}"', f'content = "{OID}"'),
        (f'content = "{OTHER}"', 'content = "x"'),
        ('"numpy.dtype", "numpy.ndarray"', '"numpy.ndarray", "numpy.dtype"'),
        ('"numpy.dtype", "numpy.ndarray"', '"numpy.dtype", "numpy.dtype"'),
        ('"numpy.dtype", "numpy.ndarray"', ""),
        ('"numpy.dtype", "numpy.ndarray"', '"numpy.dtype", 1'),
        ('"numpy.dtype", "numpy.ndarray"', '"", "numpy.ndarray"'),
        ('["numpy.dtype", "numpy.ndarray"]', '"numpy.dtype"'),
        ("code =", f'import_count = 2\nimport_digest = "{OTHER}"\ncode ='),
        ('imports = ["numpy.dtype", "numpy.ndarray"]', "import_count = 2"),
        ('imports = ["numpy.dtype", "numpy.ndarray"]', f'import_digest = "{OTHER}"'),
        ('imports = ["numpy.dtype", "numpy.ndarray"]', f'import_count = 0\nimport_digest = "{OTHER}"'),
        ('"TorchScript", ', '"TorchScript", ' * 20),
        ('"TorchScript", ', f'"{"x" * 201}", '),
    ],
)
def test_a_table_that_is_not_understood_is_kept_and_not_believed(old: str, new: str):
    """A later release may have written it, or an earlier one kept it of the version before."""
    found = inside(old, new)
    assert found.model is None
    assert "model" in found.extra
    for at, usual in enumerate((FILE, TREE, b'format = 1\nkind = "file"\n' + FILE.split(b"\n", 2)[2])):
        with_it = usual + INSIDE.replace(old.encode(), new.encode(), 1)
        assert pointer.parse(with_it).model is None, at


@pytest.mark.parametrize("count", [89, 90])
def test_names_of_imports_up_to_the_limit(count: int):
    names = [f"{at:03}{'x' * 87}" for at in range(count)]  # 91 bytes each, with LF: 8,190 for 90
    names[-1] += "xx" if count == 90 else ""
    found = inside('["numpy.dtype", "numpy.ndarray"]', str(names).replace("'", '"'))
    assert found.model is not None
    names[-1] += "x" if count == 90 else "x" * 93
    found = inside('["numpy.dtype", "numpy.ndarray"]', str(names).replace("'", '"'))
    assert (found.model is None) == (count == 90)


def test_a_model_of_another_version_is_dropped():
    found = replace(pointer.parse(FILE + INSIDE), oid=OTHER)
    assert found.model is None
    assert found.extra == {}
    assert b"[model]" not in found.encode()


def test_a_table_that_can_be_read_is_no_extra_key():
    found = Pointer("file", OID, 1, extra={"model": MODEL.encode() | {"imports": list(MODEL.imports), "code": ["a"]}})
    assert found.model == replace(MODEL, code=("a",))
    assert found.extra == {}


@pytest.mark.parametrize("text", ["", "x" * 201, "\x1b[2J", "\ud800"])
def test_an_impossible_model_can_not_be_made(text: str):
    with pytest.raises(FormatError, match="a text of its model"):
        ModelTable(OID, text)
    if text:
        with pytest.raises(FormatError, match="a text of its model"):
            ModelTable(OID, "x", framework=text)


def test_dotted_names_of_metrics_are_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what `--metrics FILE` writes, and the TOML reader takes four times as long."""
    head = f'format = 1\nkind = "file"\noid = "{OID}"\nsize = 5\n'
    data = f'{head}\n[metrics]\nof = "{OID}"\n"test.auc" = 0.5\nms = 12\n'.encode()

    def read(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("modelvc.formats.pointer.pointer.toml.read", read)
    assert pointer.parse(data).recorded_metrics == {"test.auc": 0.5, "ms": 12}

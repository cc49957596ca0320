from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from modelvc.errors import BrokenPointer, PointerConflict
from modelvc.formats import toml
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer import pointer
from modelvc.formats.pointer.environment import Environment, LockFile, Package
from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.pointer.pointer import Conflict, Metrics, MetricsFile, Pointer, PredictionsBlob
from modelvc.ids import Oid

OIDS = st.binary(min_size=32, max_size=32).map(Oid)
SIZES = st.integers(0, toml.INT_MAX)
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc"))
NAMES = st.one_of(st.text("abz.-_09 ", min_size=1, max_size=8), st.text(PRINTABLE, min_size=1, max_size=8)).filter(
    lambda name: name != "of"
)
NUMBERS = st.one_of(
    st.integers(toml.INT_MIN, toml.INT_MAX), st.floats(allow_nan=False), st.just(float("nan")), st.booleans()
)
MEASURED = st.dictionaries(NAMES, st.one_of(NUMBERS, st.text(PRINTABLE, max_size=10)), max_size=6)
METRICS = st.builds(Metrics, OIDS, MEASURED.map(lambda found: tuple(found.items())))
EXTRA_NAMES = st.text("abcxyz_.", max_size=6).map("later".__add__)
EXTRA = st.dictionaries(
    EXTRA_NAMES,
    st.recursive(
        st.one_of(st.integers(-9, 9), st.text(PRINTABLE, max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(EXTRA_NAMES, inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=3,
)
EXTRAS = st.one_of(st.just({}), EXTRA)
PARENTS = st.one_of(st.none(), OIDS)
MAYBE_METRICS = st.one_of(st.none(), METRICS)
MAYBE_FILE = st.one_of(
    st.none(), st.none(), st.builds(MetricsFile, st.sampled_from(["m.json", "a/b.csv"]).map(SafeRelPath), OIDS)
)
PARAMS = st.one_of(st.just(()), st.just(()), MEASURED.map(lambda found: tuple(found.items())))
MAYBE_PREDICTIONS = st.one_of(
    st.none(), st.none(), st.builds(PredictionsBlob, OIDS, OIDS, SIZES, st.integers(0, 1 << 40))
)
TEXTS = st.text(PRINTABLE, min_size=1, max_size=9).filter(str.isprintable)
MAYBE_TEXT = st.one_of(st.just(""), TEXTS)
MAYBE_NUMBER = st.one_of(st.none(), SIZES)
IMPORTS = st.lists(TEXTS, max_size=4, unique=True).map(sorted).map(tuple)
COUNTED = st.tuples(st.just(()), st.integers(1, toml.INT_MAX), OIDS)


def inside(oid: Oid) -> st.SearchStrategy[ModelTable]:
    """What the version OID is, at times of another version."""
    return st.builds(
        lambda imports, content, **kinds: ModelTable(
            content=content, imports=imports[0], import_count=imports[1], import_digest=imports[2], **kinds
        ),
        st.one_of(st.tuples(IMPORTS, st.none(), st.none()), COUNTED),
        st.one_of(st.none(), OIDS.filter(lambda found: found != oid)),
        of=st.just(oid),
        format=TEXTS,
        framework=MAYBE_TEXT,
        version=MAYBE_TEXT,
        class_name=MAYBE_TEXT,
        parameters=MAYBE_NUMBER,
        tensors=MAYBE_NUMBER,
        code=st.lists(TEXTS, max_size=3).map(tuple),
    )


NAMES = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,3}){0,2}", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,6}", fullmatch=True)
PACKAGES = st.dictionaries(NAMES, VERSIONS, max_size=4)


@st.composite
def environments(draw: st.DrawFn, oid: Oid) -> Environment:
    """The environment of the version OID."""
    packages = draw(PACKAGES)
    some = st.lists(st.sampled_from(sorted(packages)), unique=True) if packages else st.just([])
    return Environment(
        oid,
        *(draw(TEXTS) for _ in range(4)),
        draw(MAYBE_TEXT),
        bytecode=draw(st.booleans()),
        needs=tuple(sorted(draw(some))),
        packages=tuple(Package(name, packages[name]) for name in sorted(packages)),
        direct=tuple(sorted(draw(some))),
        lock=draw(st.one_of(st.none(), st.builds(LockFile, st.just(SafeRelPath("a/uv.lock")), OIDS))),
    )


def described(found: Pointer) -> st.SearchStrategy[Pointer]:
    """FOUND, at times with what it is, and at times with a table `model` that this release cannot read."""
    strange = st.dictionaries(st.sampled_from(["of", "later", "format"]), st.sampled_from([1, "x", str(found.oid)]))
    return st.one_of(
        st.just(found),
        inside(found.oid).map(lambda model: replace(found, model=model)),
        environments(found.oid).map(lambda made: replace(found, env=made)),
        st.tuples(inside(found.oid), environments(found.oid)).map(
            lambda both: replace(found, model=both[0], env=both[1])
        ),
        st.tuples(st.sampled_from(["env", "model"]), strange).map(
            lambda pair: replace(found, extra={**found.extra, pair[0]: pair[1]})
        ),
    )


def pointers(extras: st.SearchStrategy, conflicts: st.SearchStrategy):
    files = st.builds(
        Pointer,
        st.just("file"),
        OIDS,
        SIZES,
        executable=st.booleans(),
        parent=PARENTS,
        metrics=MAYBE_METRICS,
        metrics_file=MAYBE_FILE,
        params=PARAMS,
        predictions=MAYBE_PREDICTIONS,
        extra=extras,
        conflict=conflicts,
    )
    trees = st.builds(
        Pointer,
        st.just("tree"),
        OIDS,
        SIZES,
        files=st.integers(1, 1 << 40),
        parent=PARENTS,
        metrics=MAYBE_METRICS,
        metrics_file=MAYBE_FILE,
        params=PARAMS,
        predictions=MAYBE_PREDICTIONS,
        extra=extras,
        conflict=conflicts,
    )
    return st.one_of(files, trees)


LABELS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=100).filter(str.isprintable)
CONFLICTS = st.builds(Conflict, LABELS, LABELS, pointers(st.just({}), st.none()))
POINTERS = pointers(EXTRAS, st.one_of(st.none(), st.none(), CONFLICTS)).flatmap(described)
EDITS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 20),
        st.one_of(
            st.binary(max_size=3),
            st.sampled_from(
                [
                    b"\n",
                    b"\r\n",
                    b'"',
                    b"0",
                    b"1",
                    b"_",
                    b" ",
                    b".0",
                    b"true",
                    b"nan",
                    b"[metrics]\n",
                    b"[conflict]\n",
                    b"[env]\n",
                    b"bytecode = true\n",
                    b'needs = ["a"]\n',
                    b'packages = ["a==1"]\n',
                    b"[model]\n",
                    b"imports = []\n",
                    b'code = ["a", "a"]\n',
                    b'", "',
                    b"import_count = 1\n",
                    b"[",
                    b"]",
                ]
            ),
            st.sampled_from(
                [b"files = 3\n", b"executable = true\n", b"a.b = 1\n", b"#", b"\\u0041", b"+", b"-", b"e5"]
            ),
        ),
    ),
    min_size=1,
    max_size=3,
)


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, cut, piece in edits:
        place = at % (len(data) + 1)
        data = data[:place] + piece + data[place + cut :]
    return data


def check_one_meaning(data: bytes):
    """DATA is refused, or means one thing in one text."""
    try:
        found = pointer.parse(data, "a/model.pkl.mvc")
    except (BrokenPointer, PointerConflict) as error:
        assert "a/model.pkl.mvc" in str(error)  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
        assert error.hint  # noqa: PT017
        return
    again = pointer.parse(found.encode())
    assert again == found
    assert again.encode() == found.encode()


@given(POINTERS)
def test_parse_and_encode_are_inverse(found: Pointer):
    data = found.encode()
    assert pointer.parse(data) == found
    assert pointer.parse(data).encode() == data
    assert hash(pointer.parse(data)) == hash(found)


@given(POINTERS)
def test_line_ends_and_a_mark_of_byte_order_change_nothing(found: Pointer):
    data = b"\xef\xbb\xbf" + found.encode().replace(b"\n", b"\r\n")
    assert pointer.parse(data).encode() == found.encode()


@settings(max_examples=600)
@given(POINTERS, EDITS)
def test_no_edit_makes_a_second_meaning(found: Pointer, edits: list[tuple[int, int, bytes]]):
    check_one_meaning(edited(found.encode(), edits))


@given(POINTERS, st.integers(0, 2000))
def test_a_torn_pointer_is_never_clean(found: Pointer, at: int):
    data = found.encode()
    torn = data[: at % len(data)]
    check_one_meaning(torn)
    if not torn.endswith(b"\n") or torn.count(b"\n") < 4:
        try:
            pointer.parse(torn)
        except BrokenPointer:
            return
        raise AssertionError(torn)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes):
    check_one_meaning(data)


DIGESTS = OIDS.map(lambda oid: f'"{oid}"')
VALUES = st.one_of(
    st.sampled_from(["0.5", "-0.5", "0", "12", "-3", "007", "1.", ".5", "1e5", "true", '"x"', "1_0", "-0", "1.50"]),
    st.from_regex(r"-?[0-9]{1,20}\.[0-9]{1,22}", fullmatch=True),
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["a", "acc", "of", "x-1", '"a b"', '"a.b"', '"a"', '"of"', "a.b", "n" * 201]), VALUES
    ).map(" = ".join),
    max_size=3,
)
ARRAYS = st.sampled_from(
    [
        '["a"]',
        '["a", "b"]',
        '["b", "a"]',
        '["a", "a"]',
        '["a","b"]',
        "[]",
        '[""]',
        '["a\\u0041"]',
        '["a", 1]',
        '["a", ]',
        '["a\t"]',
        '["ü"]',
        '["a"b"]',
        '["a, "b"]',
        "['a']",
        '["a"]]',
        '[["a"]]',
        '["a" ]',
        f'["{"x" * 201}"]',
        '"a"',
    ]
)
INSIDE = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["format", "framework", "version", "class", "later"]), VALUES),
        st.tuples(
            st.sampled_from(["format", "class"]), st.sampled_from(['"pickle"', '"ü"', '"a\\"b"', '"\x7f"', '""'])
        ),
        st.tuples(st.sampled_from(["parameters", "tensors", "import_count"]), VALUES),
        st.tuples(st.sampled_from(["content", "import_digest", "format"]), DIGESTS),
        st.tuples(st.sampled_from(["imports", "code", "format"]), ARRAYS),
    ).map(" = ".join),
    max_size=4,
)
DESCRIBED = st.one_of(st.none(), st.tuples(st.one_of(st.none(), DIGESTS), st.booleans(), INSIDE))
SYSTEM = 'python = "3.11.7"\nimplementation = "CPython"\nplatform = "linux"\nmachine = "x86_64"\n'
LISTS = st.one_of(ARRAYS, st.sampled_from(['["a==1"]', '["a==1", "b==2"]', '["b==2", "a==1"]', '["a"]', '["a", "b"]']))
ENVIRONMENT = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["python", "libc", "later", "lock"]), VALUES),
        st.tuples(st.just("bytecode"), st.sampled_from(["true", "false", "1"])),
        st.tuples(st.just("lock_digest"), DIGESTS),
        st.tuples(st.sampled_from(["needs", "packages", "direct"]), LISTS),
    ).map(" = ".join),
    max_size=3,
)
USUAL = st.builds(
    lambda oid, size, parent, measured, env, model: (
        f'format = 1\nkind = "file"\noid = {oid}\nsize = {size}\n'
        + (f"parent = {parent}\n" if parent else "")
        + (f"\n[metrics]\nof = {measured[0]}\n" + "".join(f"{line}\n" for line in measured[1]) if measured else "")
        + (f"\n[env]\nof = {env[0] or oid}\n" + SYSTEM * env[1] + "".join(f"{x}\n" for x in env[2]) if env else "")
        + (f"\n[model]\nof = {model[0] or oid}\n" + 'format = "pickle"\n' * model[1] if model else "")
        + ("".join(f"{line}\n" for line in model[2]) if model else "")
    ),
    DIGESTS,
    st.one_of(SIZES, st.sampled_from(["00", "-1", "1.0", str(1 << 63)])),
    st.one_of(st.none(), DIGESTS),
    st.one_of(st.none(), st.tuples(DIGESTS, LINES)),
    st.one_of(st.none(), st.tuples(st.one_of(st.none(), DIGESTS), st.booleans(), ENVIRONMENT)),
    DESCRIBED,
)


def read(data: bytes) -> tuple[type, str, bytes]:
    """What becomes of DATA, with the metrics' types and signs."""
    try:
        found = pointer.parse(data)
    except BrokenPointer as error:
        return BrokenPointer, str(error).partition(" (at line")[0], b""
    return Pointer, repr(found), found.encode()


@given(USUAL)
@settings(max_examples=600)
def test_the_usual_form_is_read_as_any_other(text: str) -> None:
    """A comment makes a pointer an unusual one, which is read with every check."""
    assert read(text.encode()) == read(text.encode() + b"# thorough\n")

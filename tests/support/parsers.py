"""Every parser of untrusted bytes, with the promises that must hold for any bytes.

A parser raises ModelvcError and nothing else. A value that it accepts can be written and read again. Where a format has
one encoding for each value, a parser accepts that encoding alone. tests/properties/test_fuzz.py and tests/fuzz/run.py
feed the parsers.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tempfile
from array import array
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from blake3 import blake3

from modelvc.chunking import sniff
from modelvc.drivers.notebooks import pktline
from modelvc.errors import FormatError, ModelvcError
from modelvc.formats import limits, notebook_rules, toml
from modelvc.formats.binary import pack, root, segment, tree
from modelvc.formats.binary.pack import RAW, ZSTD, Encoding, Stored, Trailer
from modelvc.formats.binary.root import LeafRef, Part, PartPlace, Root, inline
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer import pointer
from modelvc.formats.pointer import view as pointer_view
from modelvc.formats.pointer.environment import Environment, LockFile, Package
from modelvc.formats.pointer.model_table import ModelTable
from modelvc.formats.text import (
    config,
    doom_list,
    expression,
    metric_files,
    policy,
    repository_registration,
    server_support,
    store_config,
    trusted_imports,
)
from modelvc.gate import predictions
from modelvc.ids import Oid
from modelvc.notebook import conflict, document, merge, strip, upgrade, view
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.store.backends import url
from modelvc.store.local import index
from modelvc.store.objects import codec
from modelvc.store.repair import damaged_local_pack
from modelvc.worktree.state import Stat, State, now
from tests.support import document_parsers, inside_parsers

if TYPE_CHECKING:
    from collections.abc import Callable

_A, _B = Oid(bytes(range(32))), Oid(bytes(range(32, 64)))
_SIZE = 1 << 40
_scratch = tempfile.mkdtemp(prefix="mvc-fuzz-")


class Parser(NamedTuple):
    """One parser. CHECK takes any bytes, and raises where a promise is broken.

    EXAMPLES: valid inputs. TOKENS: bytes with a meaning in the format, for the fuzzer.
    """

    check: Callable[[bytes], None]
    examples: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()


def _accepts(parse: Callable[[], object]) -> object | None:
    """The result of PARSE; None when it raises an error whose message is safe for a terminal."""
    try:
        return parse()
    except ModelvcError as error:
        assert str(error).isprintable(), ascii(str(error))  # noqa: PT017
        assert len(str(error)) < 5_000, len(str(error))  # noqa: PT017
        return None


# -- text


def _pointer(data: bytes) -> None:
    found = _accepts(lambda: pointer.parse(data, "a/model.pkl.mvc"))
    pointer_view.text(data, "a/model.pkl")
    if not isinstance(found, pointer.Pointer):
        return
    again = pointer.parse(found.encode())
    assert again == found
    assert again.encode() == found.encode()
    assert all(line.isprintable() for line in pointer_view.text(data, "m").split("\n"))


def _toml(data: bytes) -> None:
    found = _accepts(lambda: toml.read(data, "x", limit=1 << 20))
    if isinstance(found, dict):
        text = toml.encode(found)
        assert toml.encode(toml.read(text.encode(), "x", limit=1 << 20)) == text


def _store_config(data: bytes) -> None:
    found = _accepts(lambda: store_config.parse(data, "the store"))
    if isinstance(found, store_config.StoreConfig):
        assert store_config.parse(found.encode()) == found
        for check in (found.check_read, found.check_write, found.check_gc):
            _accepts(lambda check=check: check("the store"))


def _registration(data: bytes) -> None:
    found = _accepts(lambda: repository_registration.parse(data, "gc/repositories/x"))
    if isinstance(found, str):
        assert found.isprintable()
        assert repository_registration.parse(repository_registration.encode(found), "x") == found


def _honoured(data: bytes) -> None:
    found = _accepts(lambda: server_support.parse(data))
    if isinstance(found, server_support.ServerSupport):
        assert server_support.parse(found.encode()) == found


def _dooms(data: bytes) -> None:
    found = _accepts(lambda: doom_list.parse(data))
    if isinstance(found, tuple):
        assert all(len(name) == 32 for name in found)
        assert doom_list.encode(found) == data


def _rescue(data: bytes) -> None:
    """Every chunk that is read out of a corrupt pack hashes to its name."""
    fd = os.memfd_create("pack")
    try:
        os.pwrite(fd, data, 0)
        for chunk, stored in damaged_local_pack.recoverable_chunks(fd):
            assert chunk.stored == len(stored)
            assert blake3(codec.decode(chunk.encoding, stored, chunk.raw)).digest() == chunk.cid
    finally:
        os.close(fd)


def _config(data: bytes) -> None:
    found = _accepts(lambda: config.parse(data))
    own = _accepts(lambda: config.parse_clone(data))
    rule = _accepts(lambda: notebook_rules.read(data))
    remotes: list[config.Remote] = []
    if isinstance(found, config.Config):
        assert config.parse(found.encode()) == found
        assert config.parse(found.encode()).encode() == found.encode()
        assert isinstance(rule, notebook_rules.NotebookRules)
        remotes += found.remotes.values()
    if isinstance(own, config.CloneConfig):
        assert config.parse_clone(own.encode()) == own
        remotes += own.remotes.values()
    for remote in remotes:
        if _accepts(lambda remote=remote: config.check_usable("origin", remote) or True):
            place = _accepts(lambda remote=remote: url.parse_url(remote.url))
            if isinstance(place, url.StoreLocation):
                assert url.parse_url(place.url) == place
                assert ".." not in place.path.split("/")


def _trusted_imports(data: bytes) -> None:
    found = _accepts(lambda: trusted_imports.parse(data))
    if isinstance(found, dict):
        assert trusted_imports.parse(trusted_imports.encode(found)) == found


def _policy(data: bytes) -> None:
    found = _accepts(lambda: policy.parse(data))
    if isinstance(found, policy.Policy):
        for rule in found.rules:
            rule.gain(1.0, 2.0)
            rule.covers("a/model.pkl", "accuracy")
        for files in found.files:
            for path in (files.metrics, files.params, files.predictions):
                assert not path or SafeRelPath.parse(path) == path


def _expression(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = _accepts(lambda: expression.parse(text))
    if isinstance(found, expression.Condition):
        for value in (0.5, 3, True, "text", float("nan")):
            assert found.holds(dict.fromkeys(found.names, value)) in {True, False}


def _metrics(name: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        found = _accepts(lambda: metric_files.read(data, name))
        if found is not None:
            pointer.parse(pointer.Pointer("file", _A, 1).encode())
            assert isinstance(found, tuple)
            assert found
            try:
                made = pointer.Pointer("file", _A, 1, metrics=pointer.Metrics(_A, found)).encode()
            except FormatError:  # more than a pointer holds
                return
            pointer.parse(made)

    return check


def _predictions(data: bytes) -> None:
    found = _accepts(lambda: predictions.parse(data, "p.csv"))
    if isinstance(found, predictions.Predictions):
        assert found.rows
        assert len(set(found.ids)) == found.rows
        for values in (found.truth, found.predicted, found.truth_values, found.predicted_values):
            assert len(values) in {0, found.rows}
        assert all(len(values) == found.rows for values in found.scores.values())


# -- notebooks


def _notebook(data: bytes) -> None:
    view.text(data)
    found = _accepts(lambda: document.parse(data))
    _accepts(lambda: strip.clean(data, notebook_rules.NotebookRules(), "n.ipynb"))
    if not isinstance(found, document.Document):
        return
    once = found.encode()
    assert document.parse(once).encode() == once
    clean, _ = strip.clean(data, notebook_rules.NotebookRules(), "n.ipynb")
    assert strip.clean(clean, notebook_rules.NotebookRules(), "n.ipynb")[0] == clean
    if found.kind == document.JUPYTER:
        conflict.count(found.notebook)
        for side in conflict.SIDES:
            again = document.parse(data).notebook
            conflict.resolve(again, side)
            assert conflict.count(again) == 0
        again = document.parse(data).notebook
        conflict.forget_settled(again)
        _accepts(lambda: upgrade.upgraded(document.parse(data).notebook))


def _merge(data: bytes) -> None:
    """Merge DATA as theirs, and as the base. The lines of a source are merged by taking ours."""
    for texts in ((_NOTEBOOK, _NOTEBOOK.replace(b"print(1)", b"print(2)"), data), (data, _NOTEBOOK, _NOTEBOOK_3)):
        found = _accepts(lambda texts=texts: merge.merge(*texts, ("ours", "theirs"), lambda *lines: (lines[1], False)))
        if isinstance(found, tuple):
            document.parse(found[0])


def _kept(data: bytes) -> None:
    """With any bytes in the folder of kept outputs, a checkout still gets its notebook."""
    import zlib

    kept = KeptOutputs(os.path.join(_scratch, "outputs"), 1 << 20)
    plain, taken = strip.clean(_NOTEBOOK, notebook_rules.NotebookRules(), "n.ipynb")
    kept.keep("n.ipynb", taken)
    (name,) = os.listdir(os.path.join(_scratch, "outputs"))
    path = os.path.join(_scratch, "outputs", name)
    for body in (data, zlib.compress(data)):
        with open(path, "wb") as file:
            file.write(bytes(32) + body)
        attached = kept.attach(plain, notebook_rules.NotebookRules(), "n.ipynb")
        assert strip.clean(attached, notebook_rules.NotebookRules(), "n.ipynb")[0] == plain
    kept.keep("n.ipynb", taken)


def _pktline(data: bytes) -> None:
    sink = io.BytesIO()
    try:
        pktline.serve(io.BytesIO(data), sink, lambda command, path, content: content[::-1], lambda: 1 << 20)
    except ValueError as error:  # the one that it promises; the driver says it and ends
        assert not isinstance(error, UnicodeError)  # noqa: PT017


# -- bytes


def _root(data: bytes) -> None:
    found = _accepts(lambda: root.parse(data))
    sealed = data[:-32] + blake3(data[:-32]).digest()
    found = found or _accepts(lambda: root.parse(sealed))
    if isinstance(found, Root):
        assert found.encode() == sealed


def _segment(data: bytes) -> None:
    found = _accepts(lambda: segment.parse(data))
    if isinstance(found, Segment):
        assert segment.parse(found.encode()) == found
        assert sum(len(found.recipe.cut(a, b)) for a, b in ((0, 3), (3, len(found.recipe)))) >= len(found.recipe)
        segment.borders(found.recipe.cids)


def _trailer(data: bytes) -> None:
    found = _accepts(lambda: Trailer(data, _SIZE))
    if isinstance(found, Trailer):
        chunks = list(found)
        assert len({chunk.cid for chunk in chunks}) == found.count == len(chunks)
        assert all(found.find(chunk.cid) == chunk for chunk in chunks)
        again = pack.encode_trailer(chunks, found.salt)
        assert list(Trailer(again, _SIZE)) == chunks
        pack.parse_footer(pack.footer(again))
    _accepts(lambda: pack.parse_footer(data[-pack.FOOTER.size :]))


def _leaf(data: bytes) -> None:
    found = _accepts(lambda: tree.parse_leaf(data))
    if isinstance(found, tuple):
        assert b"".join(leaf.data for leaf in tree.leaves(found)) == data
        assert all(".." not in entry.path.parts for entry in found)
        _accepts(lambda: tree.check_shape(found))


def _index(data: bytes) -> None:
    path = os.path.join(_scratch, "generation")
    with open(path, "wb") as file:
        file.write(data)
    try:
        found = index._Generation(path)
    except (FormatError, ValueError, struct.error):  # which the index takes for a torn cache
        return
    for cid in (bytes(32), bytes(_A), bytes(_B), b"\xff" * 32):
        with contextlib.suppress(IndexError, ValueError, struct.error):
            found.find(cid)


def _codec(data: bytes) -> None:
    """DATA: one byte for the encoding, four for the length that a record claims, and the stored bytes."""
    raw = int.from_bytes(data[1:5], "little") % (limits.CHUNK + 1)
    encoding = (RAW, ZSTD, Encoding(2, b"\x04\x00"), Encoding(1, b"x"))[data[0] % 4 if data else 0]
    found = _accepts(lambda: codec.decode(encoding, data[5:], raw))
    assert found is None or len(found) == raw  # type: ignore[arg-type]


def _sniff(data: bytes) -> None:
    """Plan a file of DATA, padded so that it is large enough; few bytes of it may be read."""
    size, asked = max(len(data), 200_000), [0]
    whole = data.ljust(size, b"\0") if len(data) % 2 else bytes(200_000) + data
    size = len(whole)

    def read_at(offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        asked[0] += length
        return whole[offset : offset + length]

    for head in (whole[: 64 << 10], data[: 64 << 10]):
        found = sniff.plan(head, read_at, size)
        assert list(found.hints) == sorted(set(found.hints))
        assert all(0 < hint < size for hint in found.hints)
        assert len(found.hints) <= size // sniff.TENSOR
    assert asked[0] < 40 << 20


def _state(data: bytes) -> None:
    folder = os.path.join(_scratch, "state-folder")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "state"), "wb") as file:
        file.write(data)
    found = State(folder)
    found.remember_file("m", (1, 2, 3, 4, 5), _A, settled=True)
    found.save()
    assert State(folder).files["m"] == ((1, 2, 3, 4, 5), bytes(_A), True)


# -- examples

_META = (("accuracy", 0.93), ("test.auc", float("nan")), ("n", 12), ("ok", True), ("note", 'a "word"'))
_THEIRS = pointer.Pointer("file", _B, 10, metrics=pointer.Metrics(_B, _META))
_ENVIRONMENT = Environment(
    _A, "3.11.7", "CPython", "linux", "x86_64", "glibc 2.36", bytecode=True, needs=("b",),
    packages=(Package("a-c", "1.0+x"), Package("b", "2!1.0rc1")), direct=("a-c",),
    lock=LockFile(SafeRelPath("x/uv.lock"), _B),
)  # fmt: skip
_POINTERS = (
    pointer.Pointer("file", _A, 1_048_576, executable=True, parent=_B),
    pointer.Pointer("tree", _A, 12, files=3, metrics=pointer.Metrics(_A, (("accuracy", 0.5), ("n", 3)))),
    pointer.Pointer(
        "file",
        _A,
        9,
        metrics=pointer.Metrics(_B, _META),
        metrics_file=pointer.MetricsFile(SafeRelPath("m/metrics.json"), _B),
        params=_META,
        predictions=pointer.PredictionsBlob(_A, _B, 100, 10),
        extra={"later": {"deep": {"er": [1, {"x": 2}]}}, "plain": "x"},
        conflict=pointer.Conflict("main", "wider", _THEIRS),
    ),
    pointer.Pointer("file", _A, 9, model=ModelTable(_A, "pickle", "x", "1.0", "x.Y", 3, 1, _B, ("a.b", "x.Y"))),
    pointer.Pointer("file", _A, 9, env=_ENVIRONMENT),
    pointer.Pointer("file", _A, 9, model=ModelTable(_A, "torch", import_count=900, import_digest=_B, code=("a", "b"))),
)
_CONFIG = b"""\
format = 1
default_remote = "origin"
later = [1, 2.5, 2026-11-23]

[remotes.origin]
url = "s3://bucket/models"
endpoint_url = "https://s3.example.org"
region = "eu"

[remotes.folder]
url = "/srv/models"

[remotes.far]
url = "sftp://ada@host:22/models"

[hooks]
modified = "block"
large_file = "10 MiB"
commit_metrics = "trailer"
gate = "off"

[notebooks]
skip = ["a/*.ipynb"]
keep_types = ["image/png"]
extra_keys = ["metadata.x", "cell.metadata.y"]
max_output = "1 KiB"
on_commit = "refuse"
"""
_CLONE = b"""\
[store]
path = "/srv/store"

[remotes.origin]
profile = "work"

[trust.origin]
url = "s3://bucket/models"

[scan]
on_checkout = "block"
imports = "blake3:00"
"""
_TRUSTED = b"""\
format = 1

[imports]
"project.features.Encoder" = "created"
"project.features.scale" = "referred"
"""
_POLICY = b"""\
[scan]
refuse = ["known-bad", "code"]
on_checkout = "warn"

[[metric]]
name = "accuracy"
direction = "higher"
min = 0.9
max_drop = { abs = 0.01, rel = 0.02 }
test = "paired"
confidence = 0.95
on_inconclusive = "warn"

[[metric]]
model = "models/*"
name = "latency*"
direction = "target"
target = 3

[[model]]
model = "*"
metrics = "metrics.json"
params = "params.yaml"
predictions = "out/predictions.csv"
"""
_YAML = b"""\
base: &base {lr: 1e-3, n: 3}
train:
  <<: *base
  accuracy: 0.93
list: [1, 2.5, true, null, ~]
when: 2026-11-23
text: !!str 12
"""
_NOTEBOOK = b"""\
{
 "cells": [
  {"cell_type": "code", "id": "a1", "execution_count": 3, "metadata": {"tags": ["x"], "collapsed": true},
   "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1\\n"]},
    {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": ["1"]}, "metadata": {}}],
   "source": ["print(1)\\n", "2"]},
  {"cell_type": "markdown", "id": "b2", "metadata": {"mvc": {"conflict": {"kind": "source", "number": 1, "theirs":
   [{"path": ["metadata", "name"], "value": 1}]}}},
   "source": ["<<<<<<< a\\n", "x\\n", "=======\\n", "y\\n", ">>>>>>> b"]},
  {"cell_type": "markdown", "metadata": {"mvc": {"conflict": {"kind": "begin", "number": 2}}}, "source": "`<<<<<<<` a"}
 ],
 "metadata": {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}},
 "nbformat": 4,
 "nbformat_minor": 5
}
"""
_NOTEBOOK_3 = b"""\
{"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [
 {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["A"]},
 {"cell_type": "code", "collapsed": false, "input": ["1"], "language": "python", "metadata": {}, "prompt_number": 1,
  "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": ["1"]}, {"output_type": "pyerr", "ename": "E"}]}],
 "metadata": {}}]}
"""
_ZEPPELIN = b"""\
{"paragraphs": [{"text": "%md\\nx", "results": {"code": "SUCCESS", "msg": [{"type": "TEXT", "data": "1"}]},
 "dateStarted": "2026", "status": "FINISHED", "id": "p1", "title": "a \\u003d b"}], "name": "n", "id": "2A"}
"""
_KEPT = b"""\
{"cells":{"a1:00#1":{"outputs":[],"execution_count":3,"metadata":{"collapsed":true},"extra":[[["metadata","x"],1]]}},
"notebook":{"metadata":{"widgets":{}},"extra":[]},"dropped":[["a1:00#1",{"cell_type":"raw","source":"x"}]]}"""
_CSV = b'id,y_true,y_pred,y_score,y_score_b\n1,a,b,0.5,\n2,b,b,0.25,1e-3\nx,"a,""b",b,nan,inf\n'


def _lines(*lines: str) -> bytes:
    return b"".join(b"%04x" % (len(one) + 5) + one.encode() + b"\n" for one in lines) + b"0000"


_FILTER = (
    _lines("git-filter-client", "version=2")
    + _lines("capability=clean", "capability=smudge", "capability=delay")
    + _lines("command=clean", "pathname=a b.ipynb")
    + b"0009hello0000"
    + _lines("command=smudge", "pathname=\u00fc")
    + b"0000"
)


def _chunks() -> list[Stored]:
    return [
        Stored(bytes(_A), 8, 100, 100, 7, RAW),
        Stored(bytes(_B), 4096, 50, 1000, 8, ZSTD),
        Stored(b"\xfe" * 32, 5000, 50, 1000, 8, Encoding(130, b"base")),
    ]


def _segments() -> tuple[bytes, ...]:
    chunks = _chunks()
    recipe = Recipe(b"".join(c.cid for c in chunks), array("I", [c.raw for c in chunks]), ((1, 1), (1, 3)))
    packs = ((bytes(_A), _SIZE), (bytes(_B), _SIZE))
    return (
        Segment(recipe, None, 1).encode(),
        Segment(recipe, Placement(packs, array("I", [0, 1, 1]), tuple(chunks)), 1).encode(),
    )


def _roots() -> tuple[bytes, ...]:
    part = inline(_segments()[0], 0)
    far = Part(None, bytes(_A), 1000, 5000, PartPlace(0, 8, 1000, 0, 7))
    packs, write_id = ((bytes(_A), _SIZE),), bytes(16)
    leaf = LeafRef(bytes(_A), 2, 10, "a/\u00fc", far, (part, far))
    return (
        Root("file", _A, 100, 1, write_id, segments=(part,)).encode(),
        Root("file", _A, 100, 1, write_id, packs, (part, far), (), placed=True).encode(),
        Root("tree", _B, 20, 4, write_id, packs, (), (leaf, leaf), placed=True).encode(),
    )


def _pack_example() -> bytes:
    """A pack with a raw and a compressed chunk."""
    body, chunks = bytearray(pack.MAGIC), []
    for raw, encoding, stored in (
        (b"raw", RAW, b"raw"),
        (b"modelvc " * 99, *codec.encode(b"modelvc " * 99, compress=True)),
    ):
        xxh3 = xxhash.xxh3_64_intdigest(stored)
        chunks.append(Stored(blake3(raw).digest(), len(body), len(stored), len(raw), xxh3, encoding))
        body += stored
    trailer = pack.encode_trailer(chunks)
    return bytes(body + trailer + pack.footer(trailer))


def _leaf_example() -> bytes:
    names = ("a/b.bin", "a/c.bin", "bin/tool", "caf\u00e9.txt")
    entries = [TreeEntry(SafeRelPath(n), "tool" in n, 10, _A) for n in names]
    return tree.leaves(entries)[0].data


def _index_example() -> bytes:
    return index._encode([(bytes(_B), chunk) for chunk in sorted(_chunks())])


def _codec_examples() -> tuple[bytes, ...]:
    raw = b"modelvc " * 512
    packed = bytes(codec.encode(raw, compress=True)[1])
    return (b"\0" + len(raw).to_bytes(4, "little") + raw, b"\1" + len(raw).to_bytes(4, "little") + packed)


def _containers() -> tuple[bytes, ...]:
    import zipfile

    header = b'{"__metadata__":{"a":"b"},"t":{"dtype":"F32","shape":[40000],"data_offsets":[0,160000]}}'
    tensors = len(header).to_bytes(8, "little") + header + bytes(1000)
    npy = (
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(70)
        + bytes(12)
    )
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("archive/data/0", bytes(80_000))
        file.writestr("archive/data.pkl", b"\x80\x02.")
    return (tensors, npy, held.getvalue(), b"\x80\x04.", b"{L\0\0\0\0\0\0\0", b"\x28\xb5\x2f\xfd12345678")


def _state_example() -> bytes:
    folder = os.path.join(_scratch, "example")
    state = State(folder)
    state.remember_file("a/b", Stat((1, 2, 3, 4, 5)), _A, settled=True)
    state.remember_tree("t", _B, {"x": (Stat((1, 2, 3, 4, 5)), bytes(_A), False)})
    state.remember_pointer("p", Stat((1, 2, now(), 4, 5)), "file", _A, 3)
    state.save()
    with open(os.path.join(folder, "state"), "rb") as file:
        return file.read()


_TOML_TOKENS = (
    *(b"[", b"]", b"[[", b"]]", b"{", b"}", b"=", b".", b",", b'"', b"'", b'"""', b"'''", b"#", b"\n", b"\r\n"),
    *(b"\\u0041", b"\\uD800", b"\\x1b", b"\x1b[2J", b"\xc2\x9b", b"\xe2\x80\xae", b"\xff", b"\0", b"\xef\xbb\xbf"),
    *(b"nan", b"-inf", b"1e999", b"9223372036854775808", b"-0.0", b"0x", b"1_0", b"true", b"2026-02-31", b"07:32:00"),
    *(b"a.b.c = 1\n", b"[[x]]\n", b"[metrics]\n", b"[conflict]\n", b"[remotes.x]\n", b"::", b"../", b"file:///"),
    *(b"[env]\n", b"needs = [", b"packages = [", b"==1.0", b"bytecode = true\n"),
    *(b"[model]\n", b"imports = [", b'", "', b"import_count = 1\n"),
)
_JSON_TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'""', b"null", b"true", b"1e999", b"-0", b"NaN", b"Infinity", b"\\ud800"),
    *(b"\\u001b[2J", b'"metadata":', b'"cells":', b'"id":', b'"source":', b'"outputs":', b'"nbformat":4', b"[[[[[["),
    *(b'"worksheets":', b'"paragraphs":', b'"kind":"begin"', b'"number":1', b'"theirs":', b'"path":[]', b"1" * 5_000),
)
_YAML_TOKENS = (
    *(
        b"&a ",
        b"*a",
        b"<<: *a\n",
        b"!!map ",
        b"!!int ",
        b"!!float ",
        b"!!bool ",
        b"!!timestamp ",
        b"!!binary ",
        b"!!set ",
    ),
    *(
        b"!!omap ",
        b"!!pairs ",
        b"!!seq ",
        b"!!python/name:os.system ",
        b"? ",
        b"- ",
        b": ",
        b"---\n",
        b"...\n",
        b"|\n",
        b">\n",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"'",
        b'"',
        b"''",
        b"1:2:3",
        b"0x_",
        b"0b",
        b"_",
        b".",
        b"=",
        b"%YAML 9\n",
        b"\t",
        b"<<",
        b"\x85",
    ),
)
_NUMBERS = (
    *(struct.pack("<" + form, value) for form in "BHIQ" for value in (0, 1, 255)),
    *(b"\xff" * width for width in (2, 4, 8)),
    *(b"\xff\xff\xff\x7f", b"\0\0\0\x80", bytes(32), b"\xff" * 32, b"../x", b"a\\b", b".git", b"C:", b"\0"),
)

PARSERS: dict[str, Parser] = {
    "pointer": Parser(_pointer, tuple(one.encode() for one in _POINTERS), _TOML_TOKENS),
    "toml": Parser(_toml, (_CONFIG, _POLICY, _POINTERS[2].encode()), _TOML_TOKENS),
    "store-config": Parser(_store_config, (store_config.StoreConfig("ab" * 16).encode(),), _TOML_TOKENS),
    "registration": Parser(_registration, (repository_registration.encode("host/team/models"),), _TOML_TOKENS),
    "servers": Parser(
        _honoured,
        (server_support.ServerSupport("0" * 32, "x s3://b", conditional=True, checksums=False).encode(),),
        _TOML_TOKENS,
    ),
    "dooms": Parser(_dooms, (doom_list.encode([bytes(32), bytes(range(32))]),), (b"\n", b"0" * 64 + b"\n")),
    "rescue": Parser(_rescue, (_pack_example(),), _NUMBERS),
    "config": Parser(_config, (_CONFIG, _CLONE), _TOML_TOKENS),
    "policy": Parser(_policy, (_POLICY,), _TOML_TOKENS),
    "trusted imports": Parser(
        _trusted_imports, (_TRUSTED,), (*_TOML_TOKENS, b'"referred"', b'"created"', b"[imports]")
    ),
    "expression": Parser(
        _expression,
        (b"test.accuracy >= 0.9 and (latency_ms < 50 or not slow == true)", b"`any name` != 'x' or -1.5e3 < a"),
        (
            b"(",
            b")",
            b"not ",
            b" and ",
            b" or ",
            b"<",
            b"==",
            b"`",
            b"'",
            b'"',
            b"1e999",
            b"9" * 400,
            b"\xc2\xb2",
            b"\xd9\xa1",
        ),
    ),
    "metrics-json": Parser(
        _metrics("m.json"), (b'{"accuracy": 0.93, "test": {"auc": [1, 2, null]}, "note": "x"}',), _JSON_TOKENS
    ),
    "metrics-yaml": Parser(_metrics("m.yaml"), (_YAML,), _YAML_TOKENS),
    "metrics-toml": Parser(
        _metrics("m.toml"), (b"accuracy = 0.9\n[test]\nauc = [1, 2]\nwhen = 2026-11-23\n",), _TOML_TOKENS
    ),
    "metrics-csv": Parser(
        _metrics("m.csv"),
        (b'step,loss,"a,b"\n1,0.5,x\n2,0.25,"y""z"\n',),
        (b",", b'"', b"\n", b"\r", b"\0", b'""', b"\t"),
    ),
    "predictions": Parser(
        _predictions, (_CSV,), (b",", b'"', b"\n", b"\r", b"\0", b"1_0", b"nan", b"-0.0", b"007", b"\xd9\xa1")
    ),
    "notebook": Parser(_notebook, (_NOTEBOOK, _NOTEBOOK_3, _ZEPPELIN), _JSON_TOKENS),
    "notebook-merge": Parser(_merge, (_NOTEBOOK, _NOTEBOOK_3), _JSON_TOKENS),
    "kept": Parser(_kept, (_KEPT,), _JSON_TOKENS),
    "pktline": Parser(
        _pktline, (_FILTER,), (b"0000", b"0001", b"0004", b"-001", b"+00a", b" 0x9", b"fff0", b"0_09", b"\xff")
    ),
    "root": Parser(_root, _roots(), _NUMBERS),
    "segment": Parser(_segment, _segments(), _NUMBERS),
    "trailer": Parser(
        _trailer,
        (pack.encode_trailer(_chunks()), pack.encode_trailer([]), pack.footer(pack.encode_trailer([]))),
        _NUMBERS,
    ),
    "tree-leaf": Parser(_leaf, (_leaf_example(),), _NUMBERS),
    "index": Parser(_index, (_index_example(),), _NUMBERS),
    "codec": Parser(_codec, _codec_examples(), (b"\x28\xb5\x2f\xfd", *_NUMBERS)),
    "containers": Parser(
        _sniff, _containers(), (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", *_NUMBERS)
    ),
    **{name: Parser(*one) for name, one in inside_parsers.PARSERS.items()},
    "state": Parser(_state, (_state_example(),), _NUMBERS),
    **{name: Parser(*one) for name, one in document_parsers.PARSERS.items()},
}

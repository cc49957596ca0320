"""Folders: shards and their index, code that a configuration takes, MLflow's own file."""

from __future__ import annotations

import json

import pytest

from modelvc.modelfiles.documents.folders import inspect_folder, read_folder
from modelvc.modelfiles.facts import Finding, ModelFacts, Severity
from modelvc.modelfiles.source import Budget, OutOfTime, of_bytes
from tests.support.clone import ROOT

FOLDER = ROOT / "tests/fixtures/models/inside"


def files_of(name: str) -> dict[str, bytes]:
    top = FOLDER / name
    return {str(one.relative_to(top)): one.read_bytes() for one in top.rglob("*") if one.is_file()}


def facts(files: dict[str, bytes]) -> ModelFacts:
    return inspect_folder({path: of_bytes(data) for path, data in files.items()}, Budget())


SHARDED = "huggingface/sharded"
INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def test_shards_are_one_model() -> None:
    found = facts(files_of(SHARDED))
    assert (found.format, found.class_name, found.notes) == ("huggingface", "TinyForCausalLM", ())
    assert {one.member for one in found.tensors} == {FIRST, SECOND}
    assert found.parameters == sum(one.elements for one in found.tensors)


def test_a_missing_shard_is_noted() -> None:
    files = files_of(SHARDED)
    del files[SECOND]
    assert facts(files).notes == (f"shards that {INDEX} names are not here: {SECOND}",)


def test_tensors_that_are_not_where_the_index_says_are_noted() -> None:
    files = files_of(SHARDED)
    index = json.loads(files[INDEX])
    index["weight_map"] |= {"embed.weight": SECOND, "nothing": FIRST}
    del index["weight_map"]["head.bias"]
    files[INDEX] = json.dumps(index).encode()
    assert facts(files).notes == (
        f"tensors are in another shard than {INDEX} says: embed.weight",
        f"tensors that {INDEX} names are in no shard: nothing",
        f"{INDEX} does not name tensors: head.bias",
    )


def test_code_beside_and_in_a_configuration_is_found() -> None:
    found = [one.what for one in facts(files_of("huggingface/custom-code")).findings]
    assert found == [
        "config.json takes classes from a program (trust_remote_code): modeling_tiny.TinyModel",
        "modeling_tiny.py is code",
    ]
    files = files_of(SHARDED) | {"tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": ["a--b.C", null]}}'}
    assert [one.what for one in facts(files).findings] == [
        "tokenizer_config.json takes classes from a program (trust_remote_code): a--b.C"
    ]


@pytest.mark.parametrize(
    ("path", "text", "severity", "what"),
    [
        (
            "tokenizer_config.json",
            '{"auto_map": {"AutoTokenizer": "a--b.C"}}',
            Severity.CODE,
            "tokenizer_config.json takes classes from a program (trust_remote_code): a--b.C",
        ),
        (
            "adapter_config.json",
            '{"auto_mapping": {"base_model_class": "C", "parent_library": "evil"}}',
            Severity.CODE,
            "adapter_config.json imports evil",
        ),
        (
            "tokenizer_config.json",
            """{"chat_template": [{"name": "a", "template": "{{ ''.__class__ }}"}]}""",
            Severity.KNOWN_BAD,
            "tokenizer_config.json: its chat template uses __class__",
        ),
        (
            "templates/chat.JINJA",
            "{{ x|attr('a') }}",
            Severity.KNOWN_BAD,
            "templates/chat.JINJA: its chat template uses |attr(",
        ),
        ("modules.json", '[{"type": "evil.Mod"}]', Severity.CODE, "modules.json imports evil.Mod"),
        ("data/pickle_module_info.txt", "evil\n", Severity.CODE, "data/pickle_module_info.txt imports evil"),
        ("a/MLmodel", "flavors: {f: {loader_module: evil}}", Severity.CODE, "a/MLmodel imports evil"),
        ("mlmodel", "flavors: {f: {loader_module: evil}}", Severity.CODE, "mlmodel imports evil"),
        (
            "a/MLmodel",
            "flavors: {f: {python_model: /tmp/evil.pkl}}",
            Severity.KNOWN_BAD,
            "a/MLmodel loads /tmp/evil.pkl, which lies outside of the folder",
        ),
        (
            "MLmodel",
            "flavors: {f: {a: {pickled_model: ../../x.pkl}}}",
            Severity.KNOWN_BAD,
            "MLmodel loads ../../x.pkl, which lies outside of the folder",
        ),
    ],
)
def test_programs_in_texts_are_found_in_every_folder(path: str, text: str, severity: Severity, what: str) -> None:
    decoys = {f"a{at:03}/config.json": b"{}" for at in range(150)}
    for files in (files_of(SHARDED), {"model.safetensors": files_of(SHARDED)[FIRST]} | decoys):
        assert Finding(severity, what) in facts(files | {path: text.encode()}).findings


def test_ordinary_texts_bring_no_program() -> None:
    texts = {
        "adapter_config.json": b'{"auto_mapping": {"base_model_class": "C", "parent_library": "transformers.models"}}',
        "tokenizer_config.json": b'{"auto_map": null, "chat_template": "{% for m in messages %}{{ m }}{% endfor %}"}',
        "modules.json": b'[{"idx": 0, "type": "sentence_transformers.models.Transformer"}]',
        "data/pickle_module_info.txt": b"mlflow.pytorch.pickle_module",
        "inner/MLmodel": b"flavors: {python_function: {loader_module: mlflow.sklearn, model_path: a/model.pkl}}",
    }
    assert facts(files_of(SHARDED) | texts).findings == ()


def test_more_configurations_than_are_looked_at_are_unreadable() -> None:
    files = {f"a{at:04}/config.json": b"{}" for at in range(1001)}
    assert facts(files).unreadable == "the folder has more than 1,000 configurations"


@pytest.mark.parametrize("path", ["setup.PY", "a/b.so", "x.pyc", "run.sh", "x.whl"])
def test_files_that_are_code_are_found(path: str) -> None:
    assert facts({path: b""}).findings == (Finding(Severity.CODE, f"{path} is code"),)


def test_an_unreadable_file_makes_the_folder_unreadable() -> None:
    files = files_of(SHARDED)
    files[FIRST] = files[FIRST][:-1]
    assert facts(files).unreadable.startswith(f"{FIRST}: ")
    files = files_of(SHARDED) | {"config.json": b'{"a": 1, "a": 2}'}
    found = facts(files)
    assert found.unreadable == "config.json has a key twice"
    assert len(found.tensors) == 9


def test_findings_in_files_have_their_names() -> None:
    files = {"model.keras": (FOLDER / "keras/lambda.keras").read_bytes(), "more/model.txt": b"words"}
    found = facts(files)
    assert found.format == "folder"
    assert "model.keras: a Lambda layer holds Python code (lambda)" in [one.what for one in found.findings]


def test_a_folder_without_models_is_unknown() -> None:
    found = facts({"a.bin": b"words", "b.dat": b"words"})
    assert (found.format, found.notes) == ("unknown", ("2 files of no format that is read: a.bin, b.dat",))


def test_the_facts_of_each_file_are_kept() -> None:
    files = {path: of_bytes(data) for path, data in files_of(SHARDED).items()}
    assert [path for path, _ in read_folder(files, Budget()).files] == [FIRST, SECOND]


ML = """\
flavors:
  python_function:
    loader_module: {loader}
    {more}
  sklearn:
    sklearn_version: 1.9.1
signature:
  inputs: '[{{"name": "age", "type": "double"}}, {{"name": "city", "type": "string"}}]'
mlflow_version: 3.1.0
"""


def mlflow(loader: str = "mlflow.sklearn", more: str = "model_path: model.pkl") -> dict[str, bytes]:
    return {"MLmodel": ML.format(loader=loader, more=more).encode()}


def test_an_mlflow_model_says_its_flavor_and_inputs() -> None:
    found = facts(mlflow())
    assert (found.format, found.framework, found.version) == ("mlflow", "scikit-learn", "1.9.1")
    assert [(one.name, one.dtype) for one in found.inputs] == [("age", "double"), ("city", "string")]
    assert (found.imports, found.findings) == ((), ())


def test_a_loader_of_its_own_is_an_import() -> None:
    assert [one.name for one in facts(mlflow("os")).imports] == ["os"]
    assert [one.name for one in facts(mlflow("mlflow.evil")).imports] == ["mlflow.evil"]


def test_code_that_mlmodel_names_is_found() -> None:
    assert [one.what for one in facts(mlflow(more="code: code")).findings] == ["MLmodel loads code from code"]


@pytest.mark.parametrize("data", [b"", b"flavors: {}", b"a: *b", b"\xff", b"[1", b"a" * 200_000])
def test_a_broken_mlmodel_is_unreadable(data: bytes) -> None:
    assert facts({"MLmodel": data}).unreadable.startswith("MLmodel ")


def test_too_many_files_are_unreadable() -> None:
    files = {str(n): of_bytes(b"") for n in range(11)}
    assert inspect_folder(files, Budget(members=10)).unreadable == "it has more members than are read"
    with pytest.raises(OutOfTime):
        inspect_folder({path: of_bytes(data) for path, data in files_of(SHARDED).items()}, Budget(seconds=-1))

"""The environment of a version: recorded by `mvc add`, compared and exported, with real interpreters and real Git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelvc.formats.pointer.environment import Package
from modelvc.formats.pointer.pointer import parse
from modelvc.modelfiles.facts import Finding, Import, ModelFacts, Severity, Use
from tests.support.clone import ROOT, Clone
from tests.support.environments import FOREST, VERSION, FakeEnvironment, know

MODELS = ROOT / "tests/fixtures/models"


@pytest.fixture
def home(tmp_path: Path) -> FakeEnvironment:
    return FakeEnvironment.new(tmp_path / "venv").scientific()


@pytest.fixture
def clone(tmp_path: Path, home: FakeEnvironment) -> Clone:
    found = Clone.new(tmp_path / "clone")
    found.env = {"VIRTUAL_ENV": str(home.home), "CONDA_PREFIX": ""}
    return found


def add(clone: Clone, *words: str, name: str = "model.pkl", seed: int = 1, facts: ModelFacts = FOREST) -> str:
    """Add a new version. Return what mvc said."""
    clone.write(name, seed)
    know(clone, name, facts)
    done = clone.mvc("add", *words, name)
    return done.out + done.err


def table(clone: Clone, name: str = "model.pkl") -> dict[str, Any]:
    """The table of the pointer, {} if it has none."""
    found: dict[str, Any] = tomllib.loads(clone.read(f"{name}.mvc").decode()).get("env", {})
    return found


# -- recorded


def test_add_records_what_the_model_needs(clone: Clone) -> None:
    add(clone)
    found = table(clone)
    assert found.pop("of") == tomllib.loads(clone.read("model.pkl.mvc").decode())["oid"]
    assert found == {
        "python": VERSION,
        "implementation": "CPython",
        "platform": sys.platform,
        "machine": os.uname().machine,
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        "needs": ["numpy", "scikit-learn"],
        "packages": ["joblib==1.6.0", "numpy==2.4.6", "scikit-learn==1.9.1", "scipy==1.17.1"],
    }


def test_it_is_recorded_once_for_an_oid(clone: Clone, home: FakeEnvironment, tmp_path: Path) -> None:
    add(clone)
    clone.git("commit", "-qm", "one")
    before = table(clone)
    home.remove("joblib")
    home.install("joblib", "2.0", "joblib")
    clone.mvc("add", "model.pkl")
    clone.mvc("add", "model.pkl", "-m", "acc=1")
    assert table(clone) == before
    add(clone, seed=2)
    assert "joblib==2.0" in table(clone)["packages"]
    add(clone, seed=1)  # back: the commit has its record
    assert table(clone) == before
    other = FakeEnvironment.new(tmp_path / "other").scientific(numpy="2.5.0")
    assert "environment recorded" in clone.mvc("add", "--python", str(other.home), "model.pkl").out
    assert "numpy==2.5.0" in table(clone)["packages"]
    assert "unchanged" in clone.mvc("add", "--python", str(other.python), "model.pkl").out


def test_no_env_records_nothing(clone: Clone) -> None:
    add(clone, "--no-env")
    assert table(clone) == {}
    assert "cannot be combined" in clone.mvc("add", "--no-env", "--python", "x", "model.pkl", code=2).err


def test_a_model_that_loads_no_package_has_none(clone: Clone) -> None:
    for seed, facts in enumerate([
        ModelFacts("onnx", framework="pytorch", version="2.0"),
        ModelFacts("safetensors", framework="torch"),
        ModelFacts("unknown"),
        ModelFacts("pickle", imports=(Import("collections.OrderedDict", Use.CONSTRUCTED),)),
    ]):  # fmt: skip
        assert "no environment" not in add(clone, seed=seed, facts=facts)
        assert table(clone) == {}


def test_a_format_of_one_framework_needs_that_framework(clone: Clone, home: FakeEnvironment) -> None:
    home.install("xgboost", "3.2.0", "xgboost", requires=["numpy", "scipy"])
    add(clone, facts=ModelFacts("xgboost-json", framework="XGBoost", version="3.2.0"))
    assert table(clone)["packages"] == ["numpy==2.4.6", "scipy==1.17.1", "xgboost==3.2.0"]


@pytest.mark.parametrize(
    ("file", "needs"),
    [
        ("forest/v1.pkl", ["numpy", "scikit-learn"]),
        ("forest-joblib-compress3/v1.joblib", ["joblib", "numpy", "scikit-learn"]),
        ("inside/sklearn/columns-pipeline-p4.pkl", ["numpy", "scikit-learn"]),
        ("inside/torch/state-dict.pt", ["torch"]),
        ("inside/torch/script.pt", ["torch"]),
        ("inside/lightgbm/classifier.pkl", ["lightgbm", "numpy", "scikit-learn"]),
        ("onnx/v1.onnx", []),
        ("safetensors/v1.safetensors", []),
        ("numpy/v1.npz", []),
    ],
)
def test_models_of_real_libraries(clone: Clone, home: FakeEnvironment, file: str, needs: list[str]) -> None:
    home.install("torch", "2.13.0", "torch")
    home.install("lightgbm", "4.7.0", "lightgbm")
    clone.write("model", (MODELS / file).read_bytes())
    assert "no environment" not in clone.mvc("add", "model").err
    assert table(clone, "model").get("needs", []) == needs


def test_another_version_than_the_file_says_is_not_recorded(clone: Clone, home: FakeEnvironment) -> None:
    said = add(clone, facts=replace(FOREST, version="1.3.2"))
    assert table(clone) == {}
    assert f"it was made with scikit-learn 1.3.2, and {home.python} has 1.9.1" in said
    assert "--python" in said
    clone.mvc("add", "--python", str(home.python), "model.pkl")
    assert table(clone) == {}


def test_the_version_in_a_pickle_is_that_of_scikit_learn(clone: Clone, home: FakeEnvironment) -> None:
    """`_sklearn_version` of an estimator inside of another library's model."""
    home.install("imbalanced-learn", "0.14", "imblearn", requires=["scikit-learn"])
    imports = (*FOREST.imports, Import("imblearn.ensemble._forest.BalancedRandomForestClassifier", Use.CONSTRUCTED))
    add(clone, facts=replace(FOREST, framework="imbalanced-learn", imports=imports))
    assert table(clone)["needs"] == ["imbalanced-learn", "numpy", "scikit-learn"]


def test_if_no_python_has_the_framework_a_note_says_so(clone: Clone, home: FakeEnvironment) -> None:
    facts = ModelFacts("catboost", framework="CatBoost", version="1.2")
    assert "no Python here has CatBoost" in add(clone, facts=facts)
    said = add(clone, "--python", str(home.python), seed=2, facts=facts)
    assert f"{home.python} has no CatBoost" in said
    assert table(clone) == {}


def test_byte_code_is_noted(clone: Clone) -> None:
    for seed, name in enumerate(
        ["cloudpickle.cloudpickle._make_function", "types.CodeType", "dill._dill._create_code"]
    ):
        facts = replace(FOREST, imports=(*FOREST.imports, Import(name, Use.CONSTRUCTED)))
        add(clone, seed=seed, facts=facts)
        assert table(clone)["bytecode"] is True
    layer = ModelFacts(
        "keras", framework="scikit-learn", version="1.9.1", findings=(Finding(Severity.CODE, "a layer"),)
    )
    add(clone, seed=9, facts=layer)
    assert table(clone)["bytecode"] is True


def test_a_lock_file_beside_the_model_comes_before_one_at_the_top(clone: Clone, tmp_path: Path) -> None:
    clone.write("uv.lock", b"top\n")
    clone.write("sub/requirements.txt", b"beside\n")
    (tmp_path / "outside").write_bytes(b"")
    (clone.path / "sub/uv.lock").symlink_to(tmp_path / "outside")  # no link is followed
    add(clone, name="sub/model.pkl")
    assert table(clone, "sub/model.pkl")["lock"] == "sub/requirements.txt"
    add(clone)
    assert table(clone)["lock"] == "uv.lock"


def test_a_wrong_python_is_refused_before_anything_is_stored(clone: Clone) -> None:
    clone.write("model.pkl", 1)
    for word, said in (("/bin/ls", "is no Python"), ("nowhere", "is not a program")):
        assert said in clone.mvc("add", "--python", word, "model.pkl", code=2).err
    assert not (clone.path / "model.pkl.mvc").exists()
    assert clone.json("store", "stats")["packs"] == 0


def test_metrics_that_fill_the_pointer_come_first(clone: Clone) -> None:
    metrics = {f"{number:04}{'x' * 90}": 1 for number in range(656)}
    clone.write("metrics.json", json.dumps(metrics).encode())
    assert "the pointer would be too large" in add(clone, "--metrics", "metrics.json")
    assert table(clone) == {}


def test_an_unchanged_model_asks_no_python(clone: Clone, tmp_path: Path) -> None:
    add(clone)
    mark = tmp_path / "mark"
    spy = FakeEnvironment.new(tmp_path / "spy")
    spy.python.unlink()
    spy.python.write_text(f"#!/bin/sh\ntouch {mark}\n")
    spy.python.chmod(0o755)
    clone.env["VIRTUAL_ENV"] = str(spy.home)
    clone.mvc("add", "model.pkl")
    clone.mvc("add", "-u")
    assert not mark.exists()
    add(clone, seed=2)
    assert mark.exists()


def test_it_goes_with_the_version(clone: Clone, home: FakeEnvironment) -> None:
    add(clone)
    clone.git("commit", "-qm", "one")
    first = table(clone)
    home.remove("joblib")
    home.install("joblib", "2.0", "joblib")
    add(clone, seed=2)
    clone.git("commit", "-qm", "two")
    second = table(clone)
    assert first != second
    clone.mvc("mv", "model.pkl", "moved.pkl")
    assert table(clone, "moved.pkl") == second
    clone.mvc("metrics", "set", "moved.pkl", "acc=1")
    assert table(clone, "moved.pkl") == second
    clone.git("commit", "-qam", "moved")
    clone.mvc("checkout", first["of"][:20], "moved.pkl")
    clone.git("reset", "-q", "--hard")
    done = clone.mvc("rollback", "moved.pkl", "--steps", "1")
    assert (
        "made in another environment: joblib 1.6.0 (not 2.0)\nsee whether it fits: mvc env check moved.pkl" in done.err
    )
    assert table(clone, "moved.pkl") == first
    assert "package joblib 1.6.0" in clone.git("log", "-p", "-1", "HEAD~2", "--", "model.pkl.mvc")


def test_a_rollback_within_one_environment_says_nothing_of_it(clone: Clone) -> None:
    for seed in (1, 2):
        add(clone, seed=seed)
        clone.git("commit", "-qm", "one more")
    assert "environment" not in clone.mvc("rollback", "model.pkl", "--steps", "1").err
    assert clone.json("show", "model.pkl")["environment"] == {
        "CPython": VERSION,
        "numpy": "2.4.6",
        "scikit-learn": "1.9.1",
    }
    words = f"environment  CPython {VERSION}, numpy 2.4.6, scikit-learn 1.9.1  (mvc env show)"
    assert words in clone.mvc("show", "model.pkl").out
    add(clone, "--no-env", seed=3)
    assert "environment" not in clone.mvc("show", "model.pkl").out


def test_resolve_takes_it_from_history(clone: Clone) -> None:
    add(clone)
    clone.git("commit", "-qm", "one")
    clone.git("checkout", "-qb", "theirs")
    add(clone, seed=2)
    clone.git("commit", "-qam", "two")
    theirs = table(clone)
    clone.git("checkout", "-q", "main")
    add(clone, seed=3)
    clone.git("commit", "-qam", "three")
    ours = table(clone)
    clone.git("merge", "theirs", code=1)
    assert table(clone) == ours
    assert "env" not in tomllib.loads(clone.read("model.pkl.mvc").decode())["conflict"]
    clone.mvc("resolve", "model.pkl", "--theirs")
    assert table(clone) == theirs


# -- an attack


def test_a_python_of_the_repository_never_runs(clone: Clone, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = f"#!/bin/sh\necho ran >>{mark}\n".encode()
    for name in (".venv/bin/python", ".venv/bin/python3", "python", "python3", "bin/python3", "venv/bin/python"):
        clone.write(name, evil)
        (clone.path / name).chmod(0o755)
    clone.git("add", "-f", ".")
    clone.git("commit", "-qm", "an attack")
    inside = str(clone.path)
    clone.env = {
        "VIRTUAL_ENV": f"{inside}/.venv",
        "CONDA_PREFIX": f"{inside}/venv",
        "PATH": f".:bin::{inside}/.venv/bin:{inside}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    add(clone)
    for words in ("env check model.pkl", "env diff model.pkl", "env check model.pkl.mvc"):
        clone.run(sys.executable, "-P", "-m", "modelvc", *words.split(), code=0 if table(clone) else 3)
    assert not mark.exists()
    clone.mvc("add", "--python", ".venv", "model.pkl", code=2)  # the user's own word
    assert mark.exists()


def test_start_up_files_of_a_project_never_run(clone: Clone, tmp_path: Path) -> None:
    """An editable install makes Python import `sitecustomize` of the project at each start."""
    mark = tmp_path / "mark"
    home = FakeEnvironment.new(clone.path / ".venv").scientific()
    (home.packages / "project.pth").write_text(f"{clone.path}/src\n")
    clone.write("src/sitecustomize.py", f"open({str(mark)!r}, 'w').close()\n".encode())
    clone.env = {"VIRTUAL_ENV": "", "CONDA_PREFIX": ""}
    add(clone)
    assert table(clone)["needs"] == ["numpy", "scikit-learn"]
    assert not mark.exists()
    subprocess.run([home.python, "-c", ""], check=True)
    assert mark.exists()


# -- compared


def test_check_passes_in_the_environment_it_was_made_in(clone: Clone, home: FakeEnvironment) -> None:
    add(clone)
    done = clone.mvc("env", "check", "model.pkl")
    assert done.out == "model.pkl fits this environment\n"
    assert f"compared with {home.python} (VIRTUAL_ENV): 9 facts the same" in done.err


def test_check_refuses_another_minor_version_of_scikit_learn(clone: Clone, tmp_path: Path) -> None:
    add(clone)
    other = FakeEnvironment.new(tmp_path / "other").scientific(scikit="1.10.0", numpy="2.5.0")
    done = clone.mvc("env", "check", "--python", str(other.home), "model.pkl", code=1)
    assert "scikit-learn  1.9.1     1.10.0  minor    error" in done.out
    assert "numpy         2.4.6     2.5.0   minor    warning" in done.out
    assert done.out.endswith("model.pkl does not fit this environment: scikit-learn\n")
    assert "scikit-learn: scikit-learn supports" in done.err
    found = clone.json("env", "check", "--python", str(other.home), "model.pkl", code=1)
    assert (found["outcome"], found["other"], found["why"]) == ("fail", str(other.python), "--python")
    assert {one["name"]: one["severity"] for one in found["differences"] if one["kind"] == "package"} == {
        "joblib": "ok",
        "numpy": "warning",
        "scikit-learn": "error",
        "scipy": "ok",
    }
    clone.mvc("env", "diff", "--python", str(other.home), "model.pkl")


def test_a_missing_package_is_named(clone: Clone, home: FakeEnvironment) -> None:
    add(clone)
    home.remove("scipy")
    assert "scipy  1.17.1       -  missing  error" in clone.mvc("env", "check", "model.pkl", code=1).out


def test_without_a_record_the_exit_code_is_3(clone: Clone) -> None:
    add(clone, "--no-env")
    for words in ("env check model.pkl", "env show model.pkl", "env diff model.pkl", "env export model.pkl.mvc"):
        done = clone.mvc(*words.split(), code=3)
        assert "model.pkl has no record of its environment" in done.err
        assert "mvc add --python" in done.err
    assert json.loads(clone.mvc("--json", "env", "check", "model.pkl", code=3).err)["error"]["code"] == "no-record"


def test_versions_are_named_by_revision(clone: Clone, home: FakeEnvironment) -> None:
    add(clone)
    clone.git("commit", "-qm", "one")
    clone.git("tag", "v1")
    home.remove("numpy")
    home.install("numpy", "3.0.0", "numpy")
    add(clone, seed=2)
    assert clone.json("env", "show", "v1:model.pkl")["packages"]["numpy"] == "2.4.6"
    assert clone.json("env", "show", "model.pkl")["packages"]["numpy"] == "3.0.0"
    done = clone.mvc("env", "diff", "v1:model.pkl", "model.pkl").out
    assert done.splitlines() == [
        "       recorded  other  differs",
        "numpy  2.4.6     3.0.0  major    error",
    ]
    assert clone.json("env", "diff", "v1:model.pkl", "model.pkl")["other"] == "model.pkl"
    clone.mvc("env", "check", "v1:model.pkl", code=1)
    clone.mvc("env", "check", "v1:none.pkl", code=10)
    clone.mvc("env", "check", "v9:model.pkl", code=2)


def test_a_pointer_alone_is_enough(clone: Clone, tmp_path: Path) -> None:
    """As in an image: no Git, no store, no other file."""
    add(clone)
    image = tmp_path / "image"
    image.mkdir()
    (image / "m.pkl.mvc").write_bytes(clone.read("model.pkl.mvc"))
    (image / "bin").mkdir()  # a PATH without git
    env = {"VIRTUAL_ENV": clone.env["VIRTUAL_ENV"], "PATH": str(image / "bin"), "PYTHONPATH": str(ROOT)}

    def mvc(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-m", "modelvc", *words]
        return subprocess.run(line, cwd=image, env=env, capture_output=True, text=True, check=False)

    for words in ("env check m.pkl.mvc", "env show m.pkl.mvc", "env diff m.pkl.mvc", "env export m.pkl.mvc"):
        done = mvc(*words.split())
        assert done.returncode == 0, done.stderr
    assert "numpy==2.4.6" in mvc("env", "export", "m.pkl.mvc").stdout
    assert mvc("env", "export", "--format", "lock", "m.pkl.mvc").returncode == 3
    assert mvc("env", "check", "m.pkl").returncode == 10


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "garbage", "huge"])
def test_a_pointer_that_is_none_is_refused(clone: Clone, kind: str) -> None:
    path = clone.path / "x.mvc"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("nowhere")
        case "garbage":
            path.write_bytes(b"\xff")
        case _:
            path.write_bytes(b"#" * (1 << 20))
    assert clone.mvc("env", "check", "x.mvc", code=12 if kind in {"garbage", "huge"} else 2).err.startswith("error: ")


# -- exported


def test_requirements_have_what_an_index_has(clone: Clone, home: FakeEnvironment) -> None:
    home.install("mylib", "0.1", "mylib", direct=True)
    home.install("torch", "2.4.0+cpu", "torch")
    imports = tuple(Import(f"{name}.x", Use.CONSTRUCTED) for name in ("mylib", "numpy", "torch"))
    add(clone, facts=ModelFacts("pickle", imports=imports))
    assert clone.mvc("env", "export", "model.pkl").out.splitlines()[2:] == [
        "# mylib==0.1  (installed from a folder or an address)",
        "numpy==2.4.6",
        "# torch==2.4.0+cpu  (a local version)",
    ]
    lines = clone.mvc("env", "export", "--format", "conda", "model.pkl").out.splitlines()
    assert f"  - python={VERSION}" in lines
    assert '      - "numpy==2.4.6"' in lines
    assert all(line.startswith("  # ") for line in lines if "torch" in line or "mylib" in line)
    assert "pip lock" in clone.mvc("env", "export", "--format", "pylock", "model.pkl", code=2).err
    assert "--format takes" in clone.mvc("env", "export", "--format", "junit", "model.pkl", code=2).err
    assert "--format takes" in clone.mvc("env", "check", "--format", "conda", "model.pkl", code=2).err


def test_the_lock_file_of_that_time(clone: Clone) -> None:
    clone.write("uv.lock", b"one\n")
    add(clone)
    clone.git("add", "uv.lock")
    clone.git("commit", "-qm", "one")
    line = ("env", "export", "--format", "lock")
    assert clone.mvc(*line, "model.pkl").out == "one\n"
    clone.write("uv.lock", b"two\n")
    assert "is not here as it was" in clone.mvc(*line, "model.pkl", code=2).err
    assert clone.mvc(*line, "HEAD:model.pkl").out == "one\n"
    clone.mvc(*line, "HEAD:model.pkl", "-o", "old.lock")
    assert clone.read("old.lock") == b"one\n"


def test_an_exported_environment_can_be_installed_and_fits(clone: Clone, tmp_path: Path) -> None:
    """A real environment: what pip installs from the export passes the check."""
    made = tmp_path / "real"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    fake = FakeEnvironment(made)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version, needs in (("tiny-one", "1.2.3", ["tiny-two>=2"]), ("tiny-two", "2.0.1", [])):
        wheel(wheels, name, version, needs)
    install(made, wheels, "tiny-one==1.2.3")
    add(clone, "--python", str(made), facts=ModelFacts("pickle", imports=(Import("tiny_one.x", Use.CONSTRUCTED),)))
    assert table(clone)["packages"] == ["tiny-one==1.2.3", "tiny-two==2.0.1"]
    clone.mvc("env", "export", "model.pkl", "-o", "requirements.txt")
    other = tmp_path / "again"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    assert "tiny-one" in clone.mvc("env", "check", "--python", str(other), "model.pkl", code=1).out
    install(other, wheels, "-r", str(clone.path / "requirements.txt"))
    assert "fits" in clone.mvc("env", "check", "--python", str(other), "model.pkl").out
    assert fake.python.exists()


def install(home: Path, wheels: Path, *words: str) -> None:
    line = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "-q"]
    subprocess.run([*line, "--no-index", "--find-links", str(wheels), *words], check=True, capture_output=True)


def wheel(folder: Path, name: str, version: str, needs: list[str]) -> None:
    import zipfile

    stem = f"{name.replace('-', '_')}-{version}"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in needs)]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name.replace('-', '_')}/__init__.py", "")
        file.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{stem}.dist-info/RECORD", f"{name.replace('-', '_')}/__init__.py,,\n")


def test_a_hostile_pointer_exports_no_option(clone: Clone) -> None:
    """A name or version with a space, a line end or an option is no package."""
    add(clone)
    text = clone.read("model.pkl.mvc").decode()
    for version in ("1 --index-url=http://x", "1\\n-r /etc/passwd", "1; x", "@ http://x"):
        clone.write("x.pkl.mvc", text.replace("2.4.6", version).encode())
        clone.mvc("env", "export", "x.pkl.mvc", code=3)
    assert parse(clone.read("model.pkl.mvc")).env is not None
    assert Package("numpy", "2.4.6") in (parse(text.encode()).env or pytest.fail("no environment")).packages

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from modelvc.models.environment import interpreter, probe
from tests.support.environments import VERSION, FakeEnvironment

PYTHONS = sorted(Path(os.environ["PYTEST_REAL_HOME"]).glob(".pyenv/versions/3.*/bin/python"))  # where there are others


def run(python: Path | str, **env: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(python), "-I", "-S", interpreter.PROBE], cwd="/", env=env, capture_output=True, check=True, timeout=60
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(found: dict[str, Any], name: str) -> list[Any]:
    (one,) = [one for one in found["distributions"] if one[0] == name]
    assert isinstance(one, list)
    return one


@pytest.fixture
def home(tmp_path: Path) -> FakeEnvironment:
    return FakeEnvironment.new(tmp_path / "venv")


def test_it_says_which_python_it_is(home: FakeEnvironment) -> None:
    found = run(home.python)
    assert found["python"] == VERSION
    assert found["implementation"] == "CPython"
    assert found["platform"] == sys.platform
    assert found["machine"] == os.uname().machine
    assert found["libc"] == os.confstr("CS_GNU_LIBC_VERSION")
    assert found["executable"] == str(home.python)


def test_only_packages_of_the_virtual_environment_count(home: FakeEnvironment) -> None:
    assert run(home.python)["distributions"] == []
    home.install("My.Package_x", "1.0", "mine")
    assert run(home.python)["distributions"] == [["my-package-x", "1.0", ["mine"], [], False]]


def test_packages_of_the_system_count_if_the_environment_sees_them(home: FakeEnvironment, tmp_path: Path) -> None:
    user = FakeEnvironment(tmp_path)
    folder = tmp_path / f"lib/python{VERSION.rpartition('.')[0]}/site-packages"
    folder.mkdir(parents=True)
    user.install("theirs", "1")
    seen = {"PYTHONUSERBASE": str(tmp_path)}
    assert run(home.python, **seen)["distributions"] == []
    (home.home / "pyvenv.cfg").write_text(f"home = {os.path.dirname(os.path.realpath(home.python))}\n"
                                          "include-system-site-packages = true\n")  # fmt: skip
    assert row(run(home.python, **seen), "theirs")
    assert "theirs" not in json.dumps(run(home.python, **seen, PYTHONNOUSERSITE="1"))


def test_requirements_come_from_the_fields_alone(home: FakeEnvironment) -> None:
    home.install("a", "1", requires=["b>=1", 'c; extra == "x"'])
    assert row(run(home.python), "a")[3] == ["b>=1", 'c; extra == "x"']


def test_fields_may_be_long_and_end_in_crlf(home: FakeEnvironment) -> None:
    folder = home.install("a", "1")
    lines = [f"Classifier: {number}" for number in range(5_000)]
    text = "\r\n".join(["Name: a", *lines, "Version: 2", "Requires-Dist: b", "", "Requires-Dist: c"])
    (folder / "METADATA").write_bytes(text.encode())
    assert row(run(home.python), "a")[1:4:2] == ["2", ["b"]]


def test_modules_come_from_top_level_or_record(home: FakeEnvironment) -> None:
    home.install("a", "1", "one", "two", top_level=True)
    home.install("b", "1", "three", "four")
    folder = home.install("c", "1")
    (folder / "RECORD").write_text(
        '../../bin/c,,\n__pycache__/single.cpython-311.pyc,,\nc-1.dist-info/METADATA,,\nfast.cpython-311-x86_64-linux-gnu.so,,\n'
        'pack/__init__.py,,\npack/x.py,,\npackage/__init__.py,,\n"quoted,name.py",,\nsingle.py,,'
    )  # fmt: skip
    found = run(home.python)
    assert row(found, "a")[2] == ["one", "two"]
    assert row(found, "b")[2] == ["four", "three"]
    assert row(found, "c")[2] == ["fast", "pack", "package", "single"]


def test_what_came_from_no_index_is_direct(home: FakeEnvironment, tmp_path: Path) -> None:
    home.install("a", "1", direct=True)
    home.install("b", "1", direct=True, installer="conda")  # its builders leave the file behind
    source = tmp_path / "source"
    (source / "old.egg-info").mkdir(parents=True)
    (source / "old.egg-info/PKG-INFO").write_text("Name: old\nVersion: 3\n")
    (source / "old.egg-info/top_level.txt").write_text("older\n")
    (home.packages / "easy-install.pth").write_text(f"{source}\n")
    found = run(home.python)
    assert [row(found, name)[4] for name in ("a", "b", "old")] == [True, False, True]
    assert row(found, "old")[1:3] == ["3", ["older"]]


def test_the_first_of_a_name_counts(home: FakeEnvironment, tmp_path: Path) -> None:
    home.install("a", "1")
    other = FakeEnvironment.new(tmp_path / "other")
    other.install("a", "2")
    assert row(run(home.python, PYTHONPATH=str(other.packages)), "a")[1] == "2"
    assert row(run(home.python, PYTHONPATH="relative"), "a")[1] == "1"


def test_no_start_up_file_is_run(home: FakeEnvironment, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').close()\n"
    source = tmp_path / "source"
    source.mkdir()
    for name in ("sitecustomize", "usercustomize", "site", "os", "json"):
        (source / f"{name}.py").write_text(code)
        (home.packages / f"{name}.py").write_text(code)
    (home.packages / "a.pth").write_text(f"{source}\nimport posix; {code}")
    run(home.python, PYTHONPATH=str(source))
    assert not mark.exists()
    # the same files are run if Python starts as usual, so the attack is one
    subprocess.run([home.python, "-c", ""], env={"PYTHONPATH": ""}, check=False, timeout=60)
    assert mark.exists()


def test_what_cannot_be_read_is_left_out(home: FakeEnvironment) -> None:
    home.install("good", "1")
    (home.packages / "empty-1.dist-info").mkdir()
    os.mkfifo(home.packages / "pipe-1.egg-info")
    (home.packages / "folder-1.dist-info/METADATA").mkdir(parents=True)
    folder = home.install("odd", "1")
    (folder / "METADATA").write_bytes(b'Name: \xff\xfe\nVersion: "\\\x01\xe2\x82\xac\xf0\x9f\x98\x80\n')
    found = run(home.python)
    assert [one[0] for one in found["distributions"]] == ["good", "\ufffd\ufffd"]
    assert found["distributions"][1][1] == '"\\\x01\u20ac\U0001f600'


@pytest.mark.parametrize("text", ["", "a", 'a"b\\c', "\0\n\x7f", "ä€😀", "\ud800"])
def test_its_json_is_json(text: str) -> None:
    value = {"a": [text, 1, True, False, []]}
    assert json.loads(probe._json(value)) == value


@pytest.mark.skipif(not PYTHONS, reason="no other Python is here")
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_it_runs_in_other_pythons(python: Path) -> None:
    version = python.parts[-3]
    if tuple(map(int, version.split(".")[:2])) >= (3, 8):
        assert run(python)["python"] == version


def test_it_is_quick(home: FakeEnvironment) -> None:
    for number in range(100):
        home.install(f"package-{number}", "1.0", f"module_{number}", requires=[f"package-{n}" for n in range(20)])

    def seconds(*words: str) -> float:
        start = time.perf_counter()
        subprocess.run([str(home.python), "-I", "-S", *words], cwd="/", check=True, capture_output=True)
        return time.perf_counter() - start

    empty, full = (min(seconds(word) for _ in range(10)) for word in ("/dev/null", interpreter.PROBE))
    assert full - empty < 0.1  # 0.012 on a quiet machine

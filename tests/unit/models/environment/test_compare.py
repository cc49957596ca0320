from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelvc.formats.pointer.environment import Environment, Package
from modelvc.ids import Oid
from modelvc.models.environment import compare as comparing
from modelvc.models.environment.compare import Difference, Side, compare, side_of_python, side_of_record
from modelvc.models.environment.interpreter import installed
from modelvc.models.environment.versions import equal, grade
from tests.support.environments import FakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path

RECORD = Environment(
    Oid(bytes(32)),
    "3.11.7",
    "CPython",
    "linux",
    "x86_64",
    "glibc 2.36",
    needs=("numpy", "scikit-learn"),
    packages=(
        Package("joblib", "1.3.2"),
        Package("numpy", "1.26.4"),
        Package("pytz", "2024.1"),
        Package("scikit-learn", "1.3.2"),
    ),
)
SAME = side_of_record(RECORD)


def having(**versions: str) -> Side:
    """The same side with other VERSIONS; "" removes a package."""
    known = {**SAME.versions, **{name.replace("_", "-"): version for name, version in versions.items()}}
    return SAME._replace(versions={name: version for name, version in known.items() if version}, whole=False)


def differing(side: Side, record: Environment = RECORD) -> list[tuple[str, str, str]]:
    return [(one.name, one.grade, one.severity) for one in compare(record, side) if one.severity != "ok"]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("1.3.2", "1.3.2", "same"),
        ("1.3", "1.3.0", "same"),
        ("1.3.2", "1.3.3", "patch"),
        ("1.3.2", "1.3.2.post1", "patch"),
        ("1.3.0", "1.3.0rc1", "patch"),
        ("2.1.0+cpu", "2.1.0", "patch"),
        ("1.3.2", "1.4.0", "minor"),
        ("1.9.1", "2.0", "major"),
        ("1!1.0", "1.0", "major"),
        ("strange", "strange", "same"),
        ("strange", "1.0", "major"),
    ],
)
def test_grades(one: str, other: str, found: str) -> None:
    assert grade(one, other) == grade(other, one) == found


def test_a_local_part_does_not_make_another_version() -> None:
    assert equal("2.1.0", "2.1.0+cpu")
    assert not equal("2.1.0", "2.1.1")
    assert equal("strange", "strange")


def test_the_same_has_no_difference() -> None:
    assert differing(SAME) == []
    assert {one.kind for one in compare(RECORD, SAME)} == {"python", "package", "system"}


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({"scikit_learn": "1.3.9"}, [("scikit-learn", "patch", "warning")]),
        ({"scikit_learn": "1.4.0"}, [("scikit-learn", "minor", "error")]),
        ({"scikit_learn": "2.0"}, [("scikit-learn", "major", "error")]),
        ({"numpy": "1.21.0"}, [("numpy", "minor", "warning")]),
        ({"numpy": "2.4.6"}, [("numpy", "major", "error")]),
        ({"joblib": "9.0"}, [("joblib", "major", "warning")]),
        ({"scikit_learn": ""}, [("scikit-learn", "missing", "error")]),
        ({"pytz": ""}, [("pytz", "missing", "warning")]),
        ({"other": "1.0"}, []),
    ],
)
def test_packages(versions: dict[str, str], found: list[tuple[str, str, str]]) -> None:
    assert differing(having(**versions)) == found


def test_a_package_that_an_installed_one_requires_is_an_error() -> None:
    side = having(pytz="")._replace(absent=frozenset({"pytz", "threadpoolctl"}))
    assert differing(side) == [("pytz", "missing", "error"), ("threadpoolctl", "missing", "error")]


@pytest.mark.parametrize(
    ("python", "plain", "bytecode"),
    [
        ("3.11.2", [("Python", "patch", "warning")], [("Python", "patch", "warning")]),
        ("3.12.0", [("Python", "minor", "warning")], [("Python", "minor", "error")]),
        ("4.0.0", [("Python", "major", "error")], [("Python", "major", "error")]),
    ],
)
def test_byte_code_binds_to_a_minor_version(python: str, plain: object, bytecode: object) -> None:
    side = SAME._replace(python=python)
    assert differing(side) == plain
    assert differing(side, replace(RECORD, bytecode=True)) == bytecode


def test_the_system_warns() -> None:
    side = SAME._replace(platform="darwin", machine="arm64", libc="")
    assert differing(side) == [("platform", "major", "warning"), ("machine", "major", "warning")]
    assert differing(SAME._replace(libc="glibc 2.31")) == [("libc", "minor", "warning")]
    assert differing(SAME._replace(libc="musl")) == [("libc", "major", "warning")]
    other = SAME._replace(implementation="PyPy")
    assert differing(other) == [("implementation", "major", "warning")]
    assert differing(other, replace(RECORD, bytecode=True)) == [("implementation", "major", "error")]


def test_two_records_show_what_only_one_has() -> None:
    other = replace(RECORD, packages=(*RECORD.packages[:2], Package("scikit-learn", "1.3.2"), Package("zlib", "1")))
    found = [one for one in compare(RECORD, side_of_record(other)) if one.severity != "ok"]
    assert found == [
        Difference("package", "pytz", "2024.1", "", "missing", "warning"),
        Difference("package", "zlib", "", "1", "missing", "warning"),
    ]


def test_an_error_has_its_reason() -> None:
    (found,) = [one for one in compare(RECORD, having(scikit_learn="1.9.1")) if one.severity == "error"]
    assert (found.recorded, found.present) == ("1.3.2", "1.9.1")
    assert "scikit-learn" in found.why


def test_the_rules_are_whole() -> None:
    for name in ("python", "bytecode"):
        assert comparing._rules(name)
    assert all(comparing._rules("packages", name) for name in comparing._table()["packages"])


def test_a_python_is_compared_with_what_the_model_needs_in_it(tmp_path: Path) -> None:
    home = FakeEnvironment.new(tmp_path / "venv").scientific("1.3.2", "1.26.4")
    home.remove("scipy")
    side = side_of_python(installed(str(home.python), {}), RECORD)
    assert side.absent == {"scipy"}
    assert ("scipy", "missing", "error") in differing(side)
    assert "pandas" not in [one.name for one in compare(RECORD, side)]

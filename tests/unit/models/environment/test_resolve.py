from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelvc.models.environment.interpreter import installed
from modelvc.models.environment.resolve import closure, closure_of, modules_of
from tests.support.environments import FakeEnvironment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> FakeEnvironment:
    return FakeEnvironment.new(tmp_path / "venv")


def names(home: FakeEnvironment, *modules: str) -> list[str]:
    return sorted(closure(installed(str(home.python), {}), modules).found)


def test_modules_are_the_first_parts_but_for_the_standard_library() -> None:
    imports = [
        "numpy.core.multiarray._reconstruct",
        "builtins.set",
        "collections.OrderedDict",
        "__main__.Net",
        "numpy.x",
    ]
    assert modules_of([*imports, "copy_reg._reconstructor", "__torch__.Net", "mine.net.Net"]) == {"numpy", "mine"}


def test_needs_are_followed(home: FakeEnvironment) -> None:
    home.scientific()
    found = closure(installed(str(home.python), {}), {"sklearn", "mine"})
    assert found.needs == ("scikit-learn",)
    assert sorted(found.found) == ["joblib", "numpy", "scikit-learn", "scipy"]
    assert (found.absent, found.modules, found.lacks) == ((), ("mine",), 1)


def test_a_module_of_several_packages_needs_all(home: FakeEnvironment) -> None:
    home.install("one", "1", "shared")
    home.install("two", "1", "shared")
    assert names(home, "shared") == ["one", "two"]


def test_a_package_that_says_no_module_is_found_by_its_name(home: FakeEnvironment) -> None:
    home.install("my-lib", "1")
    assert names(home, "my_lib") == ["my-lib"]


def test_markers_and_extras_hold_as_in_that_python(home: FakeEnvironment) -> None:
    home.install("a", "1", "a", requires=[
        "b[fast]>=1", "c; python_version < '3'", 'd; sys_platform == "linux" and platform_machine != ""',
        'e; extra == "more"', "f; extra == 'more' or python_version > '3'", "not a requirement at all!", "g @ https://x/g.whl",
        'h; platform_python_implementation == "CPython"', "I_j.k",
    ])  # fmt: skip
    home.install("b", "1", requires=['quick; extra == "fast"', 'slow; extra == "slow"'])
    for name in ("c", "d", "e", "f", "g", "h", "i-j-k", "quick", "slow"):
        home.install(name, "1")
    assert names(home, "a") == ["a", "b", "d", "f", "g", "h", "i-j-k", "quick"]


def test_circles_end(home: FakeEnvironment) -> None:
    home.install("a", "1", "a", requires=["b[x]"])
    home.install("b", "1", "b", requires=['a; extra == "x"', "b[y]"])
    assert names(home, "a") == ["a", "b"]


def test_required_packages_that_are_missing_are_named(home: FakeEnvironment) -> None:
    home.install("a", "1", "a", requires=["b", "c>=2"])
    home.install("b", "1")
    here = installed(str(home.python), {})
    assert closure(here, {"a"}).absent == ("c",)
    found = closure_of(here, ["a", "z"])
    assert (found.absent, found.lacks, sorted(found.found)) == (("c", "z"), 1, ["a", "b"])

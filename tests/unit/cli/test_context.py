from __future__ import annotations

import pytest

from modelvc.cli.context import CONTEXT, Context, revs_and_paths, sides, take_globals
from modelvc.errors import UsageError


@pytest.mark.parametrize(
    ("words", "left", "form"),
    [
        (["--json", "status"], ["status"], "json"),
        (["status", "--json"], ["status"], "json"),
        (["--format", "md", "diff"], ["diff"], "md"),
        (["diff", "--format=json", "HEAD~1"], ["diff", "HEAD~1"], "json"),
        (["diff", "--md"], ["diff"], "md"),
        (["add", "--", "--json"], ["add", "--", "--json"], "text"),
    ],
)
def test_the_form_stands_before_or_after_the_command(words: list[str], left: list[str], form: str) -> None:
    rest, found = take_globals(words)
    assert (rest, found.form, found.command) == (left, form, left[0])


def test_the_other_words_for_every_command() -> None:
    rest, found = take_globals(["-q", "--repo", "a", "log", "-v", "-n", "3", "--", "-q"])
    assert rest == ["log", "-n", "3", "--", "-q"]
    assert (found.quiet, found.verbose, found.repo, found.behind) == (True, True, "a", ["-q"])


@pytest.mark.parametrize("words", [["--format", "xml"], ["--format"], ["--format="], ["status", "--repo"]])
def test_an_unknown_form_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        take_globals(words)


def test_what_stands_behind_two_dashes_is_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONTEXT, "behind", None)
    assert revs_and_paths(["a", "b"]) == (["a", "b"], [])
    monkeypatch.setattr(CONTEXT, "behind", ["b"])
    assert revs_and_paths(["a", "b"]) == (["a"], ["b"])
    monkeypatch.setattr(CONTEXT, "behind", [])
    assert revs_and_paths(["a"]) == (["a"], [])
    assert revs_and_paths(None) == ([], [])


def test_ranges() -> None:
    assert sides("main") == ["main"]
    assert sides("a..b") == ["a", "b"]
    assert sides("a..") == ["a", "HEAD"]
    assert sides("..b") == ["HEAD", "b"]
    with pytest.raises(UsageError) as refused:
        sides("a...b")
    assert refused.value.hint == "`git merge-base a b` names that commit"


def test_a_path_as_the_user_would_write_it_here() -> None:
    assert Context().name("a/b.bin") == "a/b.bin"
    assert Context(below="a").name("a/b.bin") == "b.bin"
    assert Context(below="a/c").name("b.bin") == "../../b.bin"
    assert Context(below="../elsewhere").name("b.bin") == "b.bin"
    assert Context().name("evil\x1b[2J\n") == r"evil\x1b[2J\n"

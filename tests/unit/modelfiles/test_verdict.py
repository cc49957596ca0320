"""Verdicts, and the list of names that they are taken by."""

from __future__ import annotations

import os

import pytest

from modelvc.modelfiles import name_list
from modelvc.modelfiles.facts import Finding, Import, ModelFacts, Severity, Use
from modelvc.modelfiles.name_list import NameList
from modelvc.modelfiles.verdict import Kind, judge, worst

LISTED = NameList({"a.Seen": Use.CREATED, "a.made": Use.CONSTRUCTED, "a.named": Use.REFERRED})
BAD = Finding(Severity.KNOWN_BAD, "calls os.system")
CODE = Finding(Severity.CODE, "TorchScript")


def facts(*imports: Import, findings: tuple[Finding, ...] = (), unreadable: str = "") -> ModelFacts:
    return ModelFacts("pickle", imports=imports, findings=findings, unreadable=unreadable)


def test_data_alone_is_inert() -> None:
    assert judge(facts(), LISTED).kind is Kind.INERT


def test_names_used_as_the_list_says_are_listed() -> None:
    found = facts(Import("a.Seen", Use.CREATED), Import("a.made", Use.CONSTRUCTED), Import("a.named", Use.REFERRED))
    assert judge(found, LISTED).kind is Kind.LISTED
    less = facts(Import("a.Seen", Use.REFERRED), Import("a.made", Use.CREATED))
    assert judge(less, LISTED).kind is Kind.LISTED


def test_a_name_that_is_not_on_the_list_is_unlisted() -> None:
    found = judge(facts(Import("a.Other", Use.REFERRED), Import("a.made", Use.CONSTRUCTED)), LISTED)
    assert (found.kind, found.unlisted, found.called) == (Kind.UNLISTED, ("a.Other",), ())


@pytest.mark.parametrize(
    ("name", "use"), [("a.named", Use.CREATED), ("a.named", Use.CONSTRUCTED), ("a.Seen", Use.CONSTRUCTED)]
)
def test_more_than_the_list_allows_is_unlisted(name: str, use: Use) -> None:
    found = judge(facts(Import(name, use)), LISTED)
    assert (found.kind, found.unlisted, found.called) == (Kind.UNLISTED, (), (name,))


def test_a_name_is_exact() -> None:
    for name in ("a", "a.made.x", "a.mad", "A.made", "x.a.made", "a.made…"):
        assert judge(facts(Import(name, Use.REFERRED)), LISTED).kind is Kind.UNLISTED


def test_the_worst_wins_and_every_reason_is_kept() -> None:
    bad = judge(facts(Import("a.Other", Use.REFERRED), findings=(CODE, BAD), unreadable="it ends early"), LISTED)
    assert bad.kind is Kind.KNOWN_BAD
    assert bad.reasons == ("calls os.system", "it ends early", "TorchScript", "a.Other")
    assert bad.decisive == ("calls os.system",)
    torn = judge(facts(Import("a.Other", Use.REFERRED), findings=(CODE,), unreadable="it ends early"), LISTED)
    assert torn.kind is Kind.UNREADABLE
    assert torn.decisive == ("it ends early",)
    assert judge(facts(Import("a.Other", Use.REFERRED), findings=(CODE,)), LISTED).kind is Kind.CODE
    assert judge(ModelFacts("unknown", imports=(Import("a.Other", Use.REFERRED),)), LISTED).kind is Kind.UNLISTED
    assert judge(ModelFacts("unknown", imports=(Import("a.made", Use.REFERRED),)), LISTED).kind is Kind.UNKNOWN
    assert judge(ModelFacts("unknown"), LISTED).kind is Kind.UNKNOWN
    assert judge(ModelFacts("unknown"), LISTED).decisive == ()


def test_the_order_of_the_verdicts_is_that_of_the_page() -> None:
    said = "known-bad, unreadable, code, unlisted, unknown, listed, inert"
    assert ", ".join(kind.value for kind in Kind) == said
    assert worst([Kind.LISTED, Kind.CODE, Kind.INERT]) is Kind.CODE
    assert worst([]) is Kind.INERT


def test_lists_are_joined_by_the_more_permissive_use() -> None:
    both = LISTED.with_names({"a.named": Use.CONSTRUCTED, "a.made": Use.REFERRED, "b.C": Use.CREATED})
    assert both.names == {
        "a.Seen": Use.CREATED, "a.made": Use.CONSTRUCTED, "a.named": Use.CONSTRUCTED, "b.C": Use.CREATED,
    }  # fmt: skip


def test_a_line_of_a_list_is_a_use_and_a_name() -> None:
    assert name_list.parse("# a\n\ncreated a.B\nreferred a.b_2.C\n") == {"a.B": Use.CREATED, "a.b_2.C": Use.REFERRED}
    for line in (
        "created a",
        "made a.B",
        "created a.B x",
        "created a.\u0412",
        "created a..b",
        "created a.B\ncreated a.B",
    ):
        with pytest.raises(ValueError, match=r"not a line|is not a valid"):
            name_list.parse(line)


def test_every_list_that_ships_can_be_read_and_is_sorted() -> None:
    files = sorted(name for name in os.listdir(name_list.FOLDER) if name.endswith(".txt"))
    assert "python-3.11.txt" in files
    for name in files:
        with open(os.path.join(name_list.FOLDER, name), encoding="ascii") as file:
            text = file.read()
        names = name_list.parse(text)
        assert names, name
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert lines == sorted(lines, key=lambda line: line.split(" ")[1]), name
        heads = [line.split(":")[0] for line in text.splitlines() if line.startswith("# ")]
        assert {"# library", "# version", "# script"} <= set(heads), name
    assert name_list.shipped().allows("collections.OrderedDict", Use.CONSTRUCTED)

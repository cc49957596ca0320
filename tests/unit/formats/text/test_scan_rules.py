from __future__ import annotations

import pytest

from modelvc.errors import ConfigError
from modelvc.formats.text import config, policy, scan_rules
from modelvc.formats.text.scan_rules import CloneScan, ScanRules, effective
from modelvc.modelfiles.verdict import Kind


def test_the_table_of_a_policy() -> None:
    found = policy.parse(b'[scan]\nrefuse = ["code", "known-bad"]\non_checkout = "block"\n').scan
    assert found == ScanRules(("known-bad", "code"), "block")
    assert found.refuses("code")
    assert not found.refuses("unlisted")
    assert policy.parse(b"").scan == ScanRules()
    assert policy.parse(b"").scan.refuse == ("known-bad", "unreadable", "code", "unlisted")


def test_the_default_refuses_every_verdict_that_is_worse_than_a_refused_one() -> None:
    assert scan_rules.VERDICTS[: len(scan_rules.REFUSED)] == scan_rules.REFUSED


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("scan = 3", r"scan must be written as \[scan\]"),
        ("[[scan]]\nrefuse = []", r"scan must be written as \[scan\]"),
        ("[scan]\nrefuse = []", 'line 2: refuse must name "known-bad"'),
        ('[scan]\nrefuse = ["known-bad", "bad"]', "line 2: refuse must be a list of verdicts: known-bad, unreadable"),
        ('[scan]\nrefuse = ["known-bad", "known-bad"]', "refuse must be a list of verdicts"),
        ('[scan]\nrefuse = "known-bad"', "refuse must be a list of verdicts"),
        ("[scan]\nrefuse = [[]]", "refuse must be a list of verdicts"),
        ('[scan]\non_checkout = "blok"', 'line 2: on_checkout must be one of off, warn, block, not "blok"'),
        ("[scan]\non_checkout = true", "on_checkout must be one of"),
        ("[scan]\nrefuze = []", r'line 2: \[scan\] has no key "refuze"; known are on_checkout, refuse'),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        policy.parse(text.encode())


def test_the_verdicts_are_those_of_the_judge() -> None:
    assert [kind.value for kind in Kind] == list(scan_rules.VERDICTS)


def test_the_table_of_a_clone() -> None:
    made = config.parse_clone(b'[scan]\non_checkout = "off"\nimports = "blake3:00"\nlater = 1\n')
    assert made.scan == CloneScan("off", "blake3:00", {"later": 1})
    assert made.unknown == ("scan.later",)
    assert config.parse_clone(made.encode()) == made
    assert made.with_imports("").scan.imports == ""
    assert config.CloneConfig().encode() == b""
    with pytest.raises(ConfigError, match=r"scan\.on_checkout must be one of"):
        config.parse_clone(b'[scan]\non_checkout = ""\n')


@pytest.mark.parametrize(
    ("policy_says", "clone_says", "done"),
    [
        ("", "", "warn"),
        ("off", "", "warn"),  # a policy never loosens
        ("warn", "", "warn"),
        ("block", "", "block"),
        ("block", "warn", "warn"),  # a clone may
        ("block", "off", "off"),
        ("off", "block", "block"),
        ("", "off", "off"),
    ],
)
def test_a_policy_tightens_and_a_clone_decides(policy_says: str, clone_says: str, done: str) -> None:
    assert effective(ScanRules(on_checkout=policy_says), CloneScan(clone_says)) == done  # type: ignore[arg-type]

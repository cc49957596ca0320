from __future__ import annotations

import pytest

from modelvc.errors import ConfigError, UsageError
from modelvc.formats import limits
from modelvc.formats.text import trusted_imports
from modelvc.modelfiles import name_list
from modelvc.modelfiles.facts import Use

NAMES: dict[str, trusted_imports.Use] = {"a.B": "created", "a.b.C": "constructed", "a.c": "referred"}


def test_the_text_of_the_file() -> None:
    data = trusted_imports.encode(dict(reversed(NAMES.items())))
    text = data.decode()
    assert text.endswith('format = 1\n\n[imports]\n"a.B" = "created"\n"a.b.C" = "constructed"\n"a.c" = "referred"\n')
    assert all(line.startswith("#") or not line for line in text.partition("format = 1")[0].split("\n"))
    assert trusted_imports.parse(data) == NAMES
    assert list(trusted_imports.parse(data)) == sorted(NAMES)
    assert trusted_imports.parse(b"format = 1\n") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "format is missing"),
        ("format = 2", "format must be 1"),
        ('format = 1\nmore = "x"', "more is not known"),
        ("format = 1\nimports = 3", "imports must be a table"),
        ('format = 1\n[imports]\n"a.B" = "called"', "must be one of constructed, created, referred"),
        ('format = 1\n[imports]\n"a.B" = ""', "must be one of"),
        ('format = 1\n[imports]\n"a.B" = true', "must be a string"),
        ('format = 1\n[imports]\n"a" = "referred"', "is not a dotted name"),
        ('format = 1\n[imports]\n"a.*" = "referred"', "is not a dotted name"),
        ('format = 1\n[imports]\n"a.\u0412" = "referred"', "is not a dotted name"),
        ('format = 1\n[imports]\na.B = "referred"', "is not a dotted name"),
        ('format = 1\n[imports]\n"a.B" = "referred"\n"a.B" = "created"', "not valid TOML"),
        (f'format = 1\n[imports]\n"a.{"b" * 199}" = "referred"', "is not a dotted name"),
    ],
)
def test_what_is_no_such_file(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        trusted_imports.parse(text.encode())


def test_at_the_limits() -> None:
    many: dict[str, trusted_imports.Use] = {f"a.{n:0198}".replace("a.0", "a.b"): "constructed" for n in range(1_000)}
    assert {len(name) for name in many} == {200}
    assert len(trusted_imports.parse(trusted_imports.encode(many))) == limits.TRUSTED_NAMES
    with pytest.raises(UsageError, match="more than 1,000"):
        trusted_imports.encode({**many, "a.b": "referred"})
    longer = trusted_imports.encode(many).replace(b"[imports]", b'[imports]\n"a.b" = "referred"')
    with pytest.raises(ConfigError, match="more than 1,000"):
        trusted_imports.parse(longer)
    with pytest.raises(ConfigError, match="bytes"):
        trusted_imports.parse(b"#" * limits.TRUSTED_IMPORTS + b"\n")
    for name in ("a", "a.b-c", "a.<lambda>", "a.\u0412", "a." + "b" * 199, ""):
        with pytest.raises(UsageError, match="cannot be trusted by name"):
            trusted_imports.encode({name: "referred"})


def test_its_names_and_uses_are_those_of_lists() -> None:
    assert set(trusted_imports.USES) == {use.value for use in Use}
    for name in ("a.b", "a", "a..b", "a.1", "a.b\n", "\u0412.a", "_a.B_2", "a." + "b" * 198, "a." + "b" * 199):
        assert trusted_imports.is_name(name) == name_list.is_name(name), name


def test_the_digest_is_of_every_byte() -> None:
    assert trusted_imports.digest(b"") == "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert trusted_imports.digest(b"\n") != trusted_imports.digest(b"")

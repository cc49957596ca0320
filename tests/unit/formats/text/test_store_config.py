from __future__ import annotations

import pytest

from modelvc.errors import ConfigError, FormatError
from modelvc.formats.text import store_config
from modelvc.formats.text.store_config import StoreConfig

ID = "0123456789abcdef" * 2
TEXT = f"""\
format = 1
id = "{ID}"
names = "plain"
chunker = "fastcdc-2020"
seed = 0
read_features = []
write_features = []
gc_features = []
"""


def test_the_text():
    assert StoreConfig(ID).encode().decode() == TEXT
    assert store_config.parse(TEXT.encode()) == StoreConfig(ID)


def test_every_store_gets_its_own_id():
    first, second = StoreConfig.create(), StoreConfig.create()
    assert first.id != second.id
    assert store_config.parse(first.encode()) == first
    first.check_gc("x")


CHECKS = ("check_read", "check_write", "check_gc")


@pytest.mark.parametrize(
    ("old", "new", "word", "refused"),
    [
        ("read_features = []", 'read_features = ["sealed"]', '"?sealed', CHECKS),
        ("write_features = []", 'write_features = ["planes"]', "planes", CHECKS[1:]),
        ("gc_features = []", 'gc_features = ["bases"]', "bases", CHECKS[2:]),
        ('names = "plain"', 'names = "keyed"', "keyed", CHECKS),
        ("fastcdc-2020", "rabin", "rabin", CHECKS[1:]),
        ("seed = 0", "seed = 7", "seed of its chunker is 7", CHECKS[1:]),
    ],
)
def test_what_is_not_known_refuses_its_class_of_operations(old: str, new: str, word: str, refused: tuple[str, ...]):
    config = store_config.parse(TEXT.replace(old, new).encode())
    for check in CHECKS:
        if check not in refused:
            getattr(config, check)("s3://bucket")
            continue
        with pytest.raises(ConfigError, match=rf"s3://bucket: .*{word}") as caught:
            getattr(config, check)("s3://bucket")
        assert caught.value.hint == "upgrade mvc"


def test_a_later_format_says_upgrade():
    with pytest.raises(ConfigError, match=r"cannot read s3://bucket: its format is 2") as caught:
        store_config.parse(TEXT.replace("format = 1", "format = 2").encode(), "s3://bucket")
    assert caught.value.hint == "upgrade mvc"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "format is missing"),
        (TEXT.replace("format = 1", "format = 0").encode(), "format must be 1"),
        (TEXT.replace(ID, "xyz").encode(), "id must be 32 hex digits"),
        (TEXT.replace(f'id = "{ID}"', "").encode(), "id is missing"),
        (TEXT.replace('names = "plain"', "").encode(), "names is missing"),
        (TEXT.replace("seed = 0", "seed = true").encode(), "seed must be a whole number"),
        (TEXT.replace("gc_features = []", 'gc_features = "x"').encode(), "gc_features must be a list of strings"),
        (TEXT.replace("gc_features = []", "").encode(), "gc_features is missing"),
        (TEXT.encode()[:70], "not valid TOML"),
        (b"\0" * 70_000, "larger than"),
    ],
)
def test_a_damaged_config_is_named(data: bytes, why: str):
    with pytest.raises(FormatError, match=f"the config of s3://bucket.*{why}") as caught:
        store_config.parse(data, "s3://bucket")
    assert "mvc fsck" in caught.value.hint


def test_keys_that_no_feature_announces_mean_nothing():
    assert store_config.parse(TEXT.encode() + b'comment = "x"\n') == StoreConfig(ID)


def test_what_is_left_of_our_own_config_is_known() -> None:
    whole = StoreConfig.create().encode()
    assert all(store_config.is_torn(whole[:left]) for left in range(len(whole)))
    others = (whole, whole + b"x", b"x", whole[:8] + b"9", whole[:20] + b"Z", whole[:30].upper(), b"\xff\xfe")
    assert not any(store_config.is_torn(other) for other in others)

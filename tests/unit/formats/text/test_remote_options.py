from __future__ import annotations

import pytest

from modelvc.errors import ConfigError, UsageError
from modelvc.formats.text import config, remote_options

GOOD = {
    "acl=bucket-owner-full-control": {"acl": "bucket-owner-full-control"},
    "addressing_style=path": {"addressing_style": "path"},
    "anonymous=true": {"anonymous": True},
    "requester_pays=false": {"requester_pays": False},
    "ca_bundle=/etc/corp.pem": {"ca_bundle": "/etc/corp.pem"},
    "sse=AES256": {"sse": "AES256"},
    "sse=aws:kms:dsse": {"sse": "aws:kms:dsse"},
    "storage_class=STANDARD_IA": {"storage_class": "STANDARD_IA"},
    "storage_class=GLACIER_IR": {"storage_class": "GLACIER_IR"},
}
BAD = [
    "",
    "sse",
    "=x",
    "colour=red",
    "acl=everyone",
    "addressing_style=Path",
    "anonymous=yes",
    "anonymous=",
    "requester_pays=1",
    "ca_bundle=corp.pem",
    "ca_bundle=/x\n/y",
    "sse=kms",
    "sse_kms_key_id=a b",
    "storage_class=GLACIER",
    "storage_class=DEEP_ARCHIVE",
    "storage_class=standard",
]


@pytest.mark.parametrize("word", GOOD)
def test_an_option_reads_the_same_in_a_word_and_in_the_file(word: str):
    assert remote_options.parse([word]) == GOOD[word]
    made = config.CloneConfig().with_remote("origin", config.Remote(options=GOOD[word]))
    again = config.parse_clone(made.encode())
    assert again == made
    assert again.remotes["origin"].options == GOOD[word]
    assert again.unknown == ()


def test_a_key_goes_with_its_encryption():
    both = remote_options.parse(["sse_kms_key_id=alias/models", "sse=aws:kms"])
    assert both == {"sse": "aws:kms", "sse_kms_key_id": "alias/models"}
    with pytest.raises(UsageError, match="needs sse"):
        remote_options.parse(["sse_kms_key_id=alias/models"])
    with pytest.raises(ConfigError, match="needs sse"):
        config.parse_clone(b'[remotes.a]\nsse = "AES256"\nsse_kms_key_id = "x"\n')


@pytest.mark.parametrize("word", BAD)
def test_anything_else_is_refused_in_a_word_and_in_the_file(word: str):
    with pytest.raises(UsageError):
        remote_options.parse([word])
    key, _, value = word.partition("=")
    if key in remote_options.RULES:
        text = f"[remotes.a]\n{key} = {value!a}\n".replace("'", '"')
        with pytest.raises(ConfigError, match=rf"remotes\.a\.{key}"):
            config.parse_clone(text.encode())


@pytest.mark.parametrize("key", remote_options.RULES)
def test_a_repository_sets_none_of_them(key: str):
    """A certificate, a key or a payer of the repository's choice would be an attacker's."""
    with pytest.raises(ConfigError, match=f"remotes.a.{key} cannot be committed"):
        config.parse(f'format = 1\n[remotes.a]\nurl = "s3://b"\n{key} = "x"\n'.encode())
    pinned = config.parse_clone(f'[trust.a]\nurl = "s3://b"\n{key} = "x"\n'.encode())
    assert pinned.trust["a"].options == {}
    assert pinned.unknown == (f"trust.a.{key}",)

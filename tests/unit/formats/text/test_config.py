from __future__ import annotations

import pytest

from modelvc.errors import ConfigError, NotFoundError, UsageError
from modelvc.formats.text import config
from modelvc.formats.text.config import CloneConfig, Config, Hooks, Remote, check_name, check_usable

S3 = Remote("s3://bucket/models", "https://s3.example.org", "eu-central-1")
COMMITTED = """\
# What this repository says to everyone.

format = 1
default_remote = "origin"

[remotes.backup]
url = "/srv/models"

[remotes.origin]
url = "s3://bucket/models"
endpoint_url = "https://s3.example.org"
region = "eu-central-1"

[hooks]
modified = "block"
large_file = "25 MiB"
"""
CLONE = """\
[store]
path = "/big/disk"

[remotes.mine]
url = "/tmp/x"

[remotes.origin]
profile = "work"
requester_pays = true
sse = "aws:kms"
sse_kms_key_id = "alias/models"

[trust.origin]
url = "s3://bucket/models"
endpoint_url = "https://s3.example.org"
region = "eu-central-1"
"""


def test_the_text_of_the_committed_file():
    made = Config(hooks=Hooks("block", 25 << 20)).with_remote("origin", S3).with_remote("backup", Remote("/srv/models"))
    made = made.with_default("origin")
    assert made.encode("What this repository says to everyone.").decode() == COMMITTED
    assert config.parse(COMMITTED.encode()) == made
    assert made.unknown == ()


def test_the_text_of_the_clone_file():
    options = {"requester_pays": True, "sse": "aws:kms", "sse_kms_key_id": "alias/models"}
    made = (
        CloneConfig("/big/disk")
        .with_remote("origin", Remote(profile="work", options=options))
        .with_remote("mine", Remote("/tmp/x"))
    )
    made = made.with_pin("origin", Remote(S3.url, S3.endpoint_url, S3.region, profile="other"))
    assert made.encode().decode() == CLONE
    assert config.parse_clone(CLONE.encode()) == made
    assert config.parse_clone(b"") == CloneConfig()


def test_defaults():
    found = config.parse(b"format = 1\n")
    assert found == Config()
    assert (found.hooks.modified, found.hooks.large_file) == ("warn", 10 << 20)
    assert config.parse(found.encode()) == found


def test_unknown_keys_are_kept_and_listed():
    text = "format = 1\nlater = 3\n\n[hooks]\nnew = 1\n\n[remotes.origin]\nurl = '/x'\nquota = 5\n\n[zebra]\na = 1\n"
    found = config.parse(text.encode())
    assert found.unknown == ("later", "zebra", "hooks.new", "remotes.origin.quota")
    again = config.parse(found.with_remote("b", Remote("/y")).encode())
    assert again.unknown == found.unknown
    clone = config.parse_clone(b"later = 1\n[store]\nx = 1\n[trust.a]\nurl = '/x'\ny = 2\n")
    assert clone.unknown == ("later", "store.x", "trust.a.y")
    assert config.parse_clone(clone.encode()) == clone


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "format is missing"),
        ("format = 2\nlater = 1", "newer mvc: its format is 2"),
        ("format = 0", "format must be 1"),
        ("format = 1\ndefault_remote = 3", "default_remote must be a string"),
        ("format = 1\ndefault_remote = '../x'", '"../x" cannot name a remote'),
        ("format = 1\nremotes = 3", "remotes must be a table"),
        ("format = 1\nremotes.origin = '/x'", "remotes.origin must be a table"),
        ("format = 1\n[remotes.origin]", "remotes.origin.url is missing"),
        ("format = 1\n[remotes.origin]\nurl = 3", "remotes.origin.url must be a string"),
        ('format = 1\n[remotes.origin]\nurl = "/x\\n"', "remotes.origin.url has a control character"),
        ("format = 1\n[remotes.origin]\nurl = '/x'\nprofile = 'me'", "remotes.origin.profile cannot be committed"),
        ("format = 1\n[remotes.'-x']\nurl = '/x'", '"-x" cannot name a remote'),
        ("format = 1\n[hooks]\nmodified = 'loud'", 'hooks.modified must be one of warn, block, off, not "loud"'),
        ("format = 1\n[hooks]\nlarge_file = 'big'", 'hooks.large_file must be a size such as "10 MiB"'),
        ("format = 1\n[hooks]\nlarge_file = 5", "hooks.large_file must be a string"),
        ("format = 1\nx = \n", "line 2"),
        ("format = 1\nx = '" + "y" * (1 << 20), "larger than"),
    ],
)
def test_errors_name_file_and_key(text: str, why: str):
    with pytest.raises(ConfigError) as caught:
        config.parse(text.encode(), ".mvc/config.toml")
    assert ".mvc/config.toml" in str(caught.value)
    assert why in str(caught.value)
    assert caught.value.hint in {"edit .mvc/config.toml", "upgrade mvc"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[trust.a]", "trust.a.url is missing"),
        ("store = 1", "store must be a table"),
        ("[store]\npath = 1", "store.path"),
        ("[store]\npath = 'models'", "store.path must be an absolute path"),
    ],
)
def test_errors_in_the_clone_file(text: str, why: str):
    with pytest.raises(ConfigError, match=rf"\.git/mvc/config\.toml: {why}"):
        config.parse_clone(text.encode())


@pytest.mark.parametrize("name", ["origin", "a", "0", "a.b_c-d", "x" * 64])
def test_names(name: str):
    check_name(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "é", "a\n", "x" * 65, ".."])
def test_no_names(name: str):
    with pytest.raises(UsageError, match="cannot name a remote"):
        check_name(name)
    with pytest.raises(UsageError, match="cannot name a remote"):
        Config().with_remote(name, S3)


@pytest.mark.parametrize(
    ("remote", "why"),
    [
        (Remote("simplecache::s3://bucket"), '"::"'),
        (Remote("s3://key:secret@bucket/x"), "password"),
        (Remote("s3://b", "https://me:secret@host"), "password"),
        (Remote("--upload-pack=x"), "option"),
        (Remote("s3://b", "file:///etc"), "http"),
        (Remote("s3://b\n"), "control character"),
        (Remote("s3://b", extra={"credential_process": "sh -c evil"}), "could run a program"),
        (Remote("s3://b", extra={"Command": 1}), "could run a program"),
    ],
)
def test_a_remote_that_is_never_honoured(remote: Remote, why: str):
    with pytest.raises(ConfigError, match=why) as caught:
        check_usable("origin", remote)
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("the remote origin in .mvc/config.toml is not used")
    with pytest.raises(ConfigError, match=why):
        CloneConfig().with_pin("origin", remote)


@pytest.mark.parametrize(
    "remote",
    [
        S3,
        Remote("sftp://me@host:2222/x"),
        Remote("s3://b", "http://[::1]:9000"),
        Remote("../folder"),
        Remote("s3://b", extra={"quota": 1}),
    ],
)
def test_a_remote_that_may_be_used(remote: Remote):
    check_usable("origin", remote)


def test_remotes_come_and_go():
    made = Config().with_remote("origin", S3).with_default("origin")
    with pytest.raises(UsageError, match="the remote origin already exists"):
        made.with_remote("origin", S3)
    with pytest.raises(UsageError, match="profile"):
        made.with_remote("b", Remote("/x", profile="me"))
    with pytest.raises(UsageError, match="options"):
        made.with_remote("b", Remote("s3://x", options={"sse": "AES256"}))
    with pytest.raises(NotFoundError, match='no remote "nope"') as caught:
        made.without_remote("nope")
    assert caught.value.hint == "run `mvc remote list`"
    assert made.without_remote("origin") == Config()
    clone = CloneConfig().with_remote("a", S3).with_pin("a", S3)
    assert clone.without_remote("a").without_pin("a") == CloneConfig()
    assert clone.without_pin("unknown") == clone


def test_a_profile_does_not_move_a_remote():
    assert S3.same_place(Remote(S3.url, S3.endpoint_url, S3.region, "me"))
    for other in (Remote("s3://b"), Remote(S3.url, "https://evil.example", S3.region), Remote(S3.url, S3.endpoint_url)):
        assert not S3.same_place(other)

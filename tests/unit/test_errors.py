"""What every message does to the words of others."""

from __future__ import annotations

import pytest

from modelvc.errors import shown, shown_url


@pytest.mark.parametrize("secret", ["secret", "se/cret", "se@cret", "se:cret"])
def test_the_account_of_a_url_is_not_repeated(secret: str) -> None:
    assert shown_url(f"s3://user:{secret}@host/path") == "s3://...@host/path"
    assert shown_url(f"user:{secret}@host/path") == "...@host/path"
    assert shown_url(f"https://{secret}@host/path") == "https://...@host/path"
    assert shown_url("sftp://user@host/path") == "sftp://user@host/path"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert shown("a\x1b[2J\u202eb\n") == "a\\x1b[2J\\u202eb\\n"
    assert shown("a" * 600) == "a" * 499 + "…"

from __future__ import annotations

import pytest

from modelvc.formats import sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("512 B", 512), ("10 MiB", 10 << 20), ("10MiB", 10 << 20), (" 3 gib ", 3 << 30)],
)
def test_parse(text: str, size: int):
    assert sizes.parse(text) == size


@pytest.mark.parametrize(
    "text", ["", "MiB", "1.5 MiB", "10 MB", "10 M", "-1", "1 MiB MiB", "٣", "9" * 5_000, "9999999 TiB"]
)
def test_no_size(text: str):
    with pytest.raises(ValueError, match="not a size"):
        sizes.parse(text)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1536, 10 << 20, (1 << 40) + 1, 5 << 40, (1 << 63) - 1])
def test_written_is_read(size: int):
    assert sizes.parse(sizes.written(size)) == size


def test_written():
    assert [sizes.written(n) for n in (0, 1536, 10 << 20)] == ["0 B", "1536 B", "10 MiB"]

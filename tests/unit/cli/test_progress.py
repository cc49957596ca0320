"""Bars for people, silence for pipes."""

from __future__ import annotations

import io
import sys
import time

import pytest

from modelvc.cli.progress import doing, progress
from modelvc.errors import RemoteBusy
from modelvc.models.progress import SILENT
from modelvc.store.backends.retry import Waits


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_sees_nothing() -> None:
    with progress("storing", quiet=False) as bar:
        assert bar is SILENT


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    with progress("storing", quiet=True) as bar:
        assert bar is SILENT


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress("storing", quiet=False) as bar:
        bar.expect(1000)
        bar.expect(1000)
        bar.advance(500)
    assert "storing" in screen.getvalue()
    assert "2.0" in screen.getvalue() or "2,000" in screen.getvalue()


def test_a_terminal_is_told_once_a_second_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress("storing", quiet=False) as bar:
        waits = Waits(bar.waiting)
        for _ in range(3):
            waits.announce(RemoteBusy("s3://models: the server is busy [or so]"), 2.96)
    Waits().announce(RemoteBusy("nobody listens"), 1.0)
    assert screen.getvalue().count("s3://models: the server is busy [or so]; trying again in 3.0 s") == 1
    assert "nobody" not in screen.getvalue()


@pytest.mark.parametrize(
    ("stream", "quiet", "said"), [(_Terminal, False, "reading ..."), (_Terminal, True, ""), (io.StringIO, False, "")]
)
def test_what_takes_longer_than_a_moment_is_said_and_wiped_away(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], *, quiet: bool, said: str
) -> None:
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr("modelvc.cli.progress._PATIENCE", 0.01)
    with doing("reading", quiet=quiet):
        time.sleep(0.2)
        assert sys.stderr.getvalue() == said  # type: ignore[attr-defined]
    assert sys.stderr.getvalue() == (f"{said}\r\x1b[2K" if said else "")  # type: ignore[attr-defined]


def test_what_is_quick_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr("modelvc.cli.progress._PATIENCE", 60)
    with doing("reading", quiet=False):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]

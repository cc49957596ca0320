from __future__ import annotations

import errno
import json
import os

import pytest

from modelvc.cli.commands.gate import _bisect_status
from modelvc.cli.context import Context
from modelvc.cli.errors import explain
from modelvc.errors import NotFoundError


def _said(capsys: pytest.CaptureFixture[str], error: BaseException, *, as_json: bool = False, debug: bool = False):
    status = explain(error, as_json=as_json, debug=debug)
    out, err = capsys.readouterr()
    assert out == ""
    return status, err


def test_a_known_error_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    status, err = _said(capsys, NotFoundError("there is no a.bin", hint="check the name"))
    assert (status, err) == (10, "error: there is no a.bin\nhint: check the name\n")
    status, err = _said(capsys, NotFoundError("there is no a.bin"))
    assert err == "error: there is no a.bin\n"


def test_as_json_it_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    status, err = _said(capsys, NotFoundError("there is no ä", hint="check"), as_json=True)
    wanted = {"code": "not-found", "message": "there is no ä", "hint": "check", "exit_code": 10}
    assert (status, json.loads(err)) == (10, {"error": wanted})


def test_a_bisection_takes_no_bug_of_ours_for_a_bad_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git takes every status below 128 but 0 and 125 for "bad"."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Context, "open", lambda _: None)
    monkeypatch.setattr("modelvc.ops.metrics.bisect.bisect_ends", full)
    assert _bisect_status(["m"]) == 128
    assert "no space left" in capsys.readouterr().err


def test_a_bug_is_ours_and_hides_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status, err = _said(capsys, KeyError("\x1b[2J"))
    assert status == 70
    assert err.startswith("error: internal error: ")
    assert "(KeyError)" in err
    assert "this is a bug in modelvc" in err
    assert "Traceback" not in err
    assert "\x1b" not in err
    status, err = _said(capsys, KeyError("x"), debug=True)
    assert (status, "Traceback" in err or "KeyError: 'x'" in err) == (70, True)


def test_what_the_operating_system_refuses_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/a/b\n")
    status, err = _said(capsys, error, as_json=True)
    found = json.loads(err)["error"]
    assert (status, found["code"], found["message"]) == (11, "file-error", r"/a/b\n: Permission denied")
    status, err = _said(capsys, OSError(errno.EIO, os.strerror(errno.EIO)))
    assert (status, err.splitlines()[0]) == (11, "error: Input/output error")


def test_an_interrupt_says_that_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    status, err = _said(capsys, KeyboardInterrupt())
    assert status == 130
    assert err == "interrupted; the next run continues from what was stored\n"

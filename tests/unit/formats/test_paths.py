from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import time

import pytest

import modelvc
from modelvc.errors import FormatError
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of, pointer_of

GOOD = [
    "model.pkl",
    "models/bert/weights.bin",
    "config/con_fig.json",
    ".gitignore",
    ".github/x",
    ".gitmodel",
    "..a/b..c",
    "a b/c d.bin",
    "-rf",
    "~user/x~",
    "$(touch x)/`y`/'\"*?<>|",
    "modèle/重み.bin",
    "❤\N{VARIATION SELECTOR-16}/👩\N{ZERO WIDTH JOINER}🚀",
    "console.log",
    "nullable",
    "com10.txt",
    "com.txt",
    "git~",
    "git~1a",
    "gitlike~1",
    "x" * 255,
    "é" * 127,
    "/".join(["p" * 255] * 16),
]

BAD = [
    ("", "empty"),
    ("/etc/passwd", "absolute"),
    ("a//b", "empty part"),
    ("a/", "empty part"),
    (".", 'the part "."'),
    ("..", 'the part ".."'),
    ("a/../b", 'the part ".."'),
    ("./a", 'the part "."'),
    ("a\0b", "control character"),
    ("a\nb", "control character"),
    ("a\rb", "control character"),
    ("a\x7fb", "control character"),
    ("a\x9bb", "control character"),
    ("a\\b", "backslash"),
    ("C:x", "colon"),
    ("a.txt::$DATA", "colon"),
    ("a./b", "dot or a space"),
    ("a /b", "dot or a space"),
    ("a.", "dot or a space"),
    ("a ", "dot or a space"),
    (".git", ".git"),
    ("a/.GiT/config", ".git"),
    (".g\u200cit", ".git"),
    ("\ufeff.git", ".git"),
    (".gi\u00adt/x", ".git"),
    ("git~1", ".git"),
    ("GIT~1/x", ".git"),
    ("git~4", ".git"),
    ("GI7D29~1", ".git"),
    ("\u200d", "empty or a dot"),
    (".\u200d", "empty or a dot"),
    ("con", "device"),
    ("a/NUL.tar.gz", "device"),
    ("Aux .txt", "device"),
    ("com1", "device"),
    ("LPT9.x", "device"),
    ("com¹", "device"),
    ("CONIN$", "device"),
    ("\ud800", "UTF-8"),
    ("x" * 256, "255 bytes"),
    ("é" * 128, "255 bytes"),
    ("a/" * 2048 + "a", "4,096 bytes"),
]


@pytest.mark.parametrize("text", GOOD)
def test_takes(text: str):
    path = SafeRelPath.parse(text)
    assert path == text
    assert type(path) is SafeRelPath


@pytest.mark.parametrize(("text", "rule"), BAD)
def test_refuses_and_names_the_rule(text: str, rule: str):
    with pytest.raises(FormatError) as caught:
        SafeRelPath.parse(text)
    assert rule in str(caught.value).partition("cannot be used: ")[2]
    assert str(caught.value).isprintable()
    assert caught.value.hint


def test_there_is_no_way_around_the_rules():
    with pytest.raises(FormatError):
        SafeRelPath("../x")
    path = SafeRelPath("a/b")
    assert type(pickle.loads(pickle.dumps(path))) is SafeRelPath
    assert copy.copy(path) == path


def test_the_words_name_the_path_escaped():
    with pytest.raises(FormatError, match=r'the path "a\\x1b\[31m" cannot'):
        SafeRelPath.parse("a\x1b[31m")


def test_parts():
    path = SafeRelPath.parse("a/b/c.bin")
    assert (path.parts, path.parent, path.name) == (("a", "b", "c.bin"), "a/b", "c.bin")
    assert SafeRelPath.parse("c.bin").parent == ""


def test_pointer_and_model():
    assert pointer_of("a/model.pkl") == "a/model.pkl.mvc"
    assert model_of("a/model.pkl.mvc") == "a/model.pkl"
    assert is_pointer("a.mvc")
    assert not any(map(is_pointer, [".mvc", "a/.mvc", ".mvc/config.toml", "a.MVC"]))


@pytest.mark.parametrize("text", [".mvc", "a/.mvc", "model.pkl", "../x.mvc", "nul.mvc", "a..mvc", ".git.mvc"])
def test_no_pointer(text: str):
    with pytest.raises(FormatError):
        model_of(text)


def test_a_name_with_no_room_for_the_suffix():
    with pytest.raises(FormatError, match="255 bytes"):
        pointer_of("x" * 252)


def test_ten_thousand_are_quick():
    names = [f"models/part{n % 7}/layer_{n:05}.safetensors" for n in range(10_000)]
    best = min(_timed(names) for _ in range(5))
    assert best < 0.1, f"{best * 100:.1f} µs a path"


def _timed(names: list[str]):
    start = time.perf_counter()
    for name in names:
        SafeRelPath.parse(name)
    return time.perf_counter() - start


def test_the_short_path_stays_short():
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import modelvc.formats.paths
        print(*{"re", "typing", "dataclasses", "pathlib", "tomllib"} & set(sys.modules))
    """
    root = os.path.dirname(os.path.dirname(modelvc.__file__))
    assert subprocess.check_output([sys.executable, "-SIc", code, root]) == b"\n"

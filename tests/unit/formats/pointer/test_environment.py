from __future__ import annotations

from dataclasses import replace

import pytest

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer import pointer, view
from modelvc.formats.pointer.environment import Environment, LockFile, Package
from modelvc.formats.pointer.pointer import Conflict, Pointer
from modelvc.ids import Oid

OID = Oid(bytes(range(32)))
OTHER = Oid(bytes(range(1, 33)))
FILE = f'format = 1\nkind = "file"\noid = "{OID}"\nsize = 9\n'.encode()
TREE = f'format = 1\nkind = "tree"\noid = "{OID}"\nsize = 9\nfiles = 1\n'.encode()
TABLE = f"""
[env]
of = "{OID}"
python = "3.11.7"
implementation = "CPython"
platform = "linux"
machine = "x86_64"
libc = "glibc 2.36"
bytecode = true
needs = ["numpy", "scikit-learn"]
packages = ["mylib==0.1+local", "numpy==2.4.6", "scikit-learn==1.9.1"]
direct = ["mylib"]
lock = "train/uv.lock"
lock_digest = "{OTHER}"
""".encode()
MADE = Environment(
    OID,
    "3.11.7",
    "CPython",
    "linux",
    "x86_64",
    "glibc 2.36",
    bytecode=True,
    needs=("numpy", "scikit-learn"),
    packages=(Package("mylib", "0.1+local"), Package("numpy", "2.4.6"), Package("scikit-learn", "1.9.1")),
    direct=("mylib",),
    lock=LockFile(SafeRelPath("train/uv.lock"), OTHER),
)
LEAST = Environment(OID, "3.8.0", "PyPy", "darwin", "arm64")


def changed(old: str, new: str) -> Pointer:
    """A pointer whose table has NEW in the place of OLD."""
    assert old.encode() in TABLE
    found = pointer.parse(FILE + TABLE.replace(old.encode(), new.encode(), 1))
    assert pointer.parse(found.encode()) == found
    return found


@pytest.mark.parametrize("made", [MADE, LEAST])
@pytest.mark.parametrize("head", [FILE, TREE])
def test_its_text_is_read_as_it_was_written(made: Environment, head: bytes):
    text = replace(pointer.parse(head), env=made).encode()
    assert pointer.parse(text).env == made
    assert pointer.parse(text + b"# thorough\n").env == made
    assert pointer.parse(text).encode() == text


def test_the_text_of_an_environment():
    assert replace(pointer.parse(FILE), env=MADE).encode() == FILE + TABLE
    least = replace(pointer.parse(FILE), env=LEAST).encode().removeprefix(FILE).decode()
    assert least == (
        f'\n[env]\nof = "{OID}"\npython = "3.8.0"\nimplementation = "PyPy"\nplatform = "darwin"\nmachine = "arm64"\n'
    )


def test_its_place_is_behind_the_predictions_and_before_the_model():
    model = f'\n[model]\nof = "{OID}"\nformat = "pickle"\n'.encode()
    params, golden = b"\n[params]\nlr = 1\n", b"\n[golden]\nlater = 1\n"
    side = f'\n[conflict]\nours = "a"\ntheirs = "b"\nkind = "file"\noid = "{OTHER}"\nsize = 1\n'.encode()
    text = FILE + params + TABLE + golden + model + side + b"\n[alpha]\nlater = 3\n"
    found = pointer.parse(text)
    assert found.encode() == text
    assert found.env == MADE
    assert found.model is not None
    assert pointer.parse(FILE + model + TABLE).encode() == FILE + TABLE + model
    usual = FILE + TABLE + model
    assert pointer._usual(usual) == pointer.parse(usual + b"# thorough\n")
    assert pointer._usual(usual) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'of = "{OID}"', f'of = "{OTHER}"'),
        (f'of = "{OID}"\n', ""),
        ('python = "3.11.7"\n', ""),
        ('python = "3.11.7"', "python = 3.11"),
        ('python = "3.11.7"', 'python = "\\u001b[2J"'),
        ('python = "3.11.7"', f'python = "{"3" * 101}"'),
        ('machine = "x86_64"\n', ""),
        ('libc = "glibc 2.36"', 'libc = ""'),
        ("bytecode = true", "bytecode = false"),
        ("bytecode = true", "bytecode = 1"),
        ("bytecode = true", "bytecode = true\nlater = 1"),
        ('"numpy", "scikit-learn"]', '"scikit-learn", "numpy"]'),
        ('"numpy", "scikit-learn"]', '"numpy", "numpy"]'),
        ('"numpy", "scikit-learn"]', '"numpy", "pandas"]'),
        ('needs = ["numpy", "scikit-learn"]', "needs = []"),
        ('needs = ["numpy", "scikit-learn"]', 'needs = "numpy"'),
        ('needs = ["numpy", "scikit-learn"]', 'needs = ["numpy", 1]'),
        ("numpy==2.4.6", "numpy"),
        ("numpy==2.4.6", "numpy=="),
        ("numpy==2.4.6", "numpy== 2.4.6"),
        ("numpy==2.4.6", "numpy==2.4.6\\n-r x"),
        ("numpy==2.4.6", "numpy==2.4.6\\nother==1"),
        ("numpy==2.4.6", "Numpy==2.4.6"),
        ("numpy==2.4.6", "num--py==2.4.6"),
        ("numpy==2.4.6", "numpy==2.4.6 --index-url=x"),
        ("numpy==2.4.6", "zlib==1"),
        ('direct = ["mylib"]', 'direct = ["other"]'),
        ('lock = "train/uv.lock"', 'lock = "../uv.lock"'),
        ('lock = "train/uv.lock"', 'lock = "/uv.lock"'),
        (f'lock_digest = "{OTHER}"\n', ""),
        ('lock = "train/uv.lock"\n', ""),
        (f'lock_digest = "{OTHER}"', 'lock_digest = "x"'),
    ],
)
def test_a_table_that_is_not_understood_is_kept_and_not_believed(old: str, new: str):
    found = changed(old, new)
    assert found.env is None
    assert "env" in found.extra
    assert pointer.parse(TREE + TABLE.replace(old.encode(), new.encode(), 1)).env is None


@pytest.mark.parametrize("over", [0, 1])
def test_packages_up_to_the_limit(over: int):
    names = [f"{at:03}{'x' * 96}" for at in range(81)]  # 100 bytes each with a version of one
    left = limits.ENVIRONMENT_PACKAGES - 81 * 100
    packages = [*(Package(name, "1") for name in names), Package("z" * (left - 1 + over), "1")]
    if over:
        with pytest.raises(FormatError, match="larger than"):
            replace(LEAST, packages=tuple(packages))
    else:
        made = replace(pointer.parse(FILE), env=replace(LEAST, packages=tuple(packages)))
        assert pointer.parse(made.encode()) == made
    lines = ", ".join(f'"{one.name}==1"' for one in packages)
    least = replace(pointer.parse(FILE), env=LEAST).encode()
    read = pointer.parse(least + f"packages = [{lines}]\n".encode())
    assert (read.env is None) == bool(over)


def test_the_environment_of_another_version_is_dropped():
    found = replace(pointer.parse(FILE + TABLE), oid=OTHER)
    assert found.env is None
    assert found.extra == {}
    assert b"[env]" not in found.encode()


def test_the_other_side_of_a_conflict_has_none():
    with pytest.raises(FormatError, match="one plain version"):
        Conflict("a", "b", pointer.parse(FILE + TABLE))


def test_it_is_compact():
    names = ("joblib", "numpy", "pandas", "scikit-learn", "scipy", "threadpoolctl", "tzdata")
    made = replace(LEAST, packages=tuple(Package(name, "1.10.1") for name in names))
    text = replace(pointer.parse(FILE), env=made).encode()
    (line,) = [line for line in text.splitlines() if line.startswith(b"packages")]
    assert len(line) < 160


def test_git_shows_it():
    lines = view.text(FILE + TABLE, "model.pkl").splitlines()
    assert "environment CPython 3.11.7, linux x86_64, glibc 2.36" in lines
    assert "package scikit-learn 1.9.1" in lines
    assert "lock file train/uv.lock" in " ".join(lines)

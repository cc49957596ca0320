"""One model of another repository: the right bytes or none, whoever wrote that repository."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from modelvc.errors import (
    ConfigError,
    ConflictError,
    FileInUse,
    GitError,
    ModelvcError,
    NotFoundError,
    ObjectCorrupt,
    ObjectMissing,
    UntrustedRemote,
    UsageError,
)
from modelvc.ops.sharing.get import GetOptions, get
from tests.support.clone import Clone

if TYPE_CHECKING:
    from pathlib import Path


MODEL = "models/best model.bin"
_made: list[Path] = []


@pytest.fixture
def source(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two versions of a model and a folder, pushed to a folder. Made once; each test has a copy of its own."""
    if not _made:
        top = tmp_path_factory.mktemp("get")
        _make(Clone.new(top / "source"), top / "far")
        _made.append(top)
    shutil.copytree(_made[0] / "source", tmp_path / "source", symlinks=True)
    return Clone(tmp_path / "source")


def _make(clone: Clone, far: Path) -> None:
    clone.mvc("remote", "add", "origin", str(far))
    clone.write("folder/a.bin", b"a")
    clone.write("folder/below/b.bin", b"b" * 3000)
    clone.write("folder/empty", b"")
    (clone.path / "folder/a.bin").chmod(0o755)
    clone.mvc("add", "folder")
    clone.commit_model(1, MODEL)
    clone.git("tag", "v1")
    clone.commit_model(2, MODEL)
    clone.mvc("push", "--all")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder outside of any repository."""
    found = tmp_path / "here"
    found.mkdir()
    return found


def bare(source: Clone, tmp_path: Path) -> str:
    source.git("clone", "-q", "--bare", str(source.path), str(tmp_path / "bare.git"))
    return f"file://{tmp_path}/bare.git"


def test_from_a_folder_on_this_machine(source: Clone, here: Path) -> None:
    done = get("../source", MODEL, str(here))
    assert (here / "best model.bin").read_bytes() == source.read(MODEL)
    assert done.commit == source.git("rev-parse", "HEAD").strip()
    assert done.came_from.endswith(".git/mvc/store")  # its own store had it
    assert os.listdir(here) == ["best model.bin"]


@pytest.mark.parametrize("rev", ["v1", "HEAD~1", "main~1", "main^", "short", "full"])
def test_any_revision_through_a_url_from_the_remote(source: Clone, here: Path, tmp_path: Path, rev: str) -> None:
    url = bare(source, tmp_path)
    commit = source.git("rev-parse", "v1^{commit}").strip()
    name = {"short": commit[:9], "full": commit}.get(rev, rev)
    done = get(url, MODEL, str(here), GetOptions(rev=name, out="old.bin"))
    assert done.commit == commit
    assert done.came_from == str(_made[0] / "far")
    assert (here / "old.bin").read_bytes() == source.write("scratch", 1)


def test_a_folder_with_its_modes(source: Clone, here: Path, tmp_path: Path) -> None:
    get(bare(source, tmp_path), "folder.mvc", str(here), GetOptions(out="copy"))
    assert (here / "copy/below/b.bin").read_bytes() == b"b" * 3000
    assert (here / "copy/empty").read_bytes() == b""
    assert os.access(here / "copy/a.bin", os.X_OK)
    assert not os.access(here / "copy/below/b.bin", os.X_OK)
    assert os.listdir(here) == ["copy"]


def test_an_evicted_version_comes_from_the_remote(source: Clone, here: Path) -> None:
    source.run("rm", "-rf", ".git/mvc/store")
    get(str(source.path), MODEL, str(here))
    assert (here / "best model.bin").read_bytes() == source.read(MODEL)


def test_nothing_is_overwritten_without_force(source: Clone, here: Path) -> None:
    (here / "best model.bin").write_bytes(b"mine")
    with pytest.raises(ConflictError, match="already exists"):
        get(str(source.path), MODEL, str(here))
    assert (here / "best model.bin").read_bytes() == b"mine"
    get(str(source.path), MODEL, str(here), GetOptions(force=True))
    assert (here / "best model.bin").read_bytes() == source.read(MODEL)
    get(str(source.path), "folder", str(here), GetOptions(out="best model.bin", force=True))
    assert (here / "best model.bin/a.bin").read_bytes() == b"a"


def test_a_link_is_replaced_and_not_followed(source: Clone, here: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (here / "best model.bin").symlink_to(tmp_path / "precious")
    with pytest.raises(ConflictError):
        get(str(source.path), MODEL, str(here))
    get(str(source.path), MODEL, str(here), GetOptions(force=True))
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (here / "best model.bin").read_bytes() == source.read(MODEL)


def test_into_a_folder(source: Clone, here: Path) -> None:
    (here / "into").mkdir()
    get(str(source.path), MODEL, str(here), GetOptions(out="into"))
    assert (here / "into/best model.bin").exists()
    with pytest.raises(NotFoundError, match="no folder"):
        get(str(source.path), MODEL, str(here), GetOptions(out="nowhere/x"))


def test_damage_is_not_handed_out(source: Clone, here: Path) -> None:
    for pack in source.path.glob(".git/mvc/store/packs/*/*"):
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.write_bytes(data)
    (here / "best model.bin").write_bytes(b"mine")
    with pytest.raises(ObjectCorrupt, match="damaged"):
        get(str(source.path), MODEL, str(here), GetOptions(force=True))
    assert (here / "best model.bin").read_bytes() == b"mine"
    assert os.listdir(here) == ["best model.bin"]


def test_what_was_never_pushed(source: Clone, here: Path, tmp_path: Path) -> None:
    source.commit_model(3, MODEL)
    with pytest.raises(ObjectMissing, match="best model") as caught:
        get(bare(source, tmp_path), MODEL, str(here))
    assert "mvc push" in caught.value.hint
    assert os.listdir(here) == []


def test_words_for_what_is_not_there(source: Clone, here: Path) -> None:
    with pytest.raises(NotFoundError, match="has no model other") as caught:
        get(str(source.path), "other", str(here))
    assert "models/best model.bin" in caught.value.hint
    with pytest.raises(NotFoundError) as caught:
        get(str(source.path), "folder/a.bin", str(here))
    assert "folder, which can be had as a whole" in caught.value.hint
    with pytest.raises(NotFoundError, match="no revision v99"):
        get(str(source.path), MODEL, str(here), GetOptions(rev="v99"))
    with pytest.raises(GitError, match="cannot be read"):
        get("nowhere", MODEL, str(here))


@pytest.mark.parametrize("name", ["--upload-pack=touch pwned", "ext::sh -c touch% pwned", "-u", "a\nb"])
def test_a_source_is_never_an_option_or_a_program(here: Path, name: str) -> None:
    with pytest.raises(UsageError):
        get(name, MODEL, str(here))
    assert os.listdir(here) == []


@pytest.mark.parametrize("rev", ["--output=x", "a:b", "a\nb"])
def test_a_revision_is_never_an_option(source: Clone, here: Path, rev: str) -> None:
    with pytest.raises(UsageError):
        get(str(source.path), MODEL, str(here), GetOptions(rev=rev))


def test_a_protocol_that_the_user_forbids(source: Clone, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "https:ext")
    with pytest.raises(GitError, match="not allowed"):
        get(str(source.path), MODEL, str(here))


def test_hooks_and_settings_of_the_other_repository_do_nothing(source: Clone, here: Path) -> None:
    source.git("config", "uploadpack.packObjectsHook", f"touch {here}/pwned; exec")
    source.git("config", "core.fsmonitor", f"touch {here}/pwned")
    get(str(source.path), MODEL, str(here))
    assert os.listdir(here) == ["best model.bin"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", ".git/config"])
def test_paths_stay_inside(source: Clone, here: Path, path: str) -> None:
    with pytest.raises(ModelvcError):
        get(str(source.path), path, str(here))
    assert os.listdir(here) == []


@pytest.mark.parametrize("key", ["login_command", "PostCmd"])
def test_no_key_of_a_remote_runs_a_program(source: Clone, here: Path, tmp_path: Path, key: str) -> None:
    config = f'format = 1\n\n[remotes.origin]\nurl = "file:///x"\n{key} = "touch pwned"\n'
    (source.path / ".mvc/config.toml").write_text(config)
    source.git("commit", "-qam", "evil", "--no-verify")
    with pytest.raises(ConfigError, match="could run a program"):
        get(bare(source, tmp_path), MODEL, str(here), GetOptions(trust=True))


def test_an_endpoint_needs_trust(source: Clone, here: Path, tmp_path: Path) -> None:
    config = source.path / ".mvc/config.toml"
    config.write_text(
        'format = 1\ndefault_remote = "origin"\n\n[remotes.origin]\nurl = "s3://bucket/x"\n'
        'endpoint_url = "http://127.0.0.1:1"\n'
    )
    source.git("commit", "-qam", "evil", "--no-verify")
    with pytest.raises(UntrustedRemote, match="credentials") as caught:
        get(bare(source, tmp_path), MODEL, str(here))
    assert "--trust" in caught.value.hint


def test_a_pointer_that_is_a_link_is_none(source: Clone, here: Path) -> None:
    (source.path / "link.mvc").symlink_to("models/best model.bin.mvc")
    source.git("add", "-f", "link.mvc")
    source.git("commit", "-qm", "link", "--no-verify")
    with pytest.raises(NotFoundError):
        get(str(source.path), "link", str(here))


@pytest.mark.parametrize("rev", ["", "main", "v1~0"])
def test_a_server_that_leaves_files_out_and_keeps_them(
    source: Clone, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rev: str
) -> None:
    """Git's first protocol: it filters, but hands out no single file afterwards."""
    url = bare(source, tmp_path)
    source.git("config", "uploadpack.allowFilter", "true", cwd=tmp_path / "bare.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    get(url, MODEL, str(here), GetOptions(rev=rev))
    assert os.listdir(here) == ["best model.bin"]


@pytest.mark.parametrize("rev", ["", "main", "main~1", "v99"])
def test_plain_files_behind_a_web_server(source: Clone, here: Path, tmp_path: Path, rev: str) -> None:
    bare(source, tmp_path)
    source.git("update-server-info", cwd=tmp_path / "bare.git")
    handler = functools.partial(_Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/bare.git"
        try:
            if rev == "v99":
                with pytest.raises(NotFoundError):
                    get(url, MODEL, str(here), GetOptions(rev=rev))
            else:
                done = get(url, MODEL, str(here), GetOptions(rev=rev))
                assert done.commit == source.git("rev-parse", rev or "HEAD").strip()
        finally:
            server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_file_that_somebody_writes_or_makes_meanwhile_stays(tmp_path: Path) -> None:
    source = Clone.new(tmp_path / "source")
    source.commit_model(1)
    place = tmp_path / "here"
    place.mkdir()
    out = place / "model.bin"
    out.write_bytes(b"mine")
    how = GetOptions(force=True)
    with out.open("r+b") as file, pytest.raises(FileInUse, match="is open in a program"):
        file.write(b"MINE")
        get(str(source.path), "model.bin", str(place), how)
    assert out.read_bytes() == b"MINE"
    assert os.listdir(place) == ["model.bin"]
    get(str(source.path), "model.bin", str(place), how)
    assert out.read_bytes() == source.read("model.bin")

"""The configuration of a repository (`.mvc/config.toml`, committed) and of a clone (`.git/mvc/config.toml`).

A remote of the repository is hostile until this clone has pinned it. Keys that this version does not know have no
effect. They stay when the file is written again, and `unknown` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from modelvc.errors import ConfigError, NotFoundError, UsageError, shown, shown_url
from modelvc.formats import limits, notebook_rules, sizes, toml
from modelvc.formats.paths import CONTROL
from modelvc.formats.tables import Table
from modelvc.formats.text import remote_options, scan_rules, track_patterns
from modelvc.formats.text.scan_rules import CloneScan
from modelvc.formats.text.track_patterns import Track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OnModified: TypeAlias = Literal["warn", "block", "off"]
CommitMetrics: TypeAlias = Literal["comment", "trailer", "off"]
Gate: TypeAlias = Literal["warn", "block", "off"]
Extra: TypeAlias = "Mapping[str, toml.Value]"

FORMAT = 1
COMMITTED = ".mvc/config.toml"
CLONE = ".git/mvc/config.toml"

_NAME_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_NAME = _NAME_START | frozenset("._-")
# A key that this version does not know and that holds one of these words could run a program in another version.
_COMMANDS = ("command", "cmd", "exec", "run", "program", "process", "helper", "plugin", "script", "shell")


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote as a configuration has it: the URL of a store, and how to reach it."""

    url: str = ""  # "" only in a clone that adds a profile or options to a remote of the repository
    endpoint_url: str = ""
    region: str = ""
    profile: str = ""  # the name of a profile of credentials; only in a clone
    extra: Extra = field(default_factory=dict, hash=False)
    options: Mapping[str, remote_options.OptionValue] = field(default_factory=dict, hash=False)  # only in a clone

    def same_place(self, other: Remote) -> bool:
        """Whether OTHER leads to the same store; profiles and options do not matter."""
        return (self.url, self.endpoint_url, self.region) == (other.url, other.endpoint_url, other.region)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The table `[hooks]`: what the hooks of mvc do."""

    modified: OnModified = "warn"  # what a commit does about a model that is newer than its pointer
    large_file: int = 10 << 20  # bytes; a commit refuses a larger new blob
    commit_metrics: CommitMetrics = "comment"  # how the message of a commit shows changes of metrics
    gate: Gate = "warn"  # what a push does about a model that fails the policy
    extra: Extra = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Config:
    """`.mvc/config.toml`: the committed configuration, which every clone gets. A Config is never changed."""

    default_remote: str = ""
    remotes: Mapping[str, Remote] = field(default_factory=dict, hash=False)
    hooks: Hooks = field(default_factory=Hooks)
    notebooks: notebook_rules.NotebookRules = field(default_factory=notebook_rules.NotebookRules, compare=False)
    track: Track = field(default_factory=Track)
    extra: Extra = field(default_factory=dict, hash=False)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The dotted keys that this version does not know; `mvc doctor` warns about them."""
        tables = (("hooks", self.hooks.extra), ("notebooks", self.notebooks.extra), ("track", self.track.extra))
        inside = (f"{name}.{key}" for name, extra in tables for key in extra)
        return (*self.extra, *inside, *_unknown("remotes", self.remotes))

    def with_remote(self, name: str, remote: Remote) -> Config:
        """A copy with one more remote. Raises UsageError for a name in use, and for what one clone owns."""
        _check_new(name, remote, self.remotes, COMMITTED)
        if remote.profile or remote.options:
            raise UsageError(
                f"the profile and the options of the remote {name} cannot be committed: they belong to one person",
                hint=f"keep them in {CLONE}",
            )
        return replace(self, remotes={**self.remotes, name: remote})

    def with_place(self, name: str, remote: Remote) -> Config:
        """A copy with the URL, endpoint and region of REMOTE for its remote NAME; other keys stay."""
        return replace(self, remotes=_moved(name, remote, self.remotes, COMMITTED))

    def renamed(self, old: str, new: str) -> Config:
        """A copy with its remote OLD called NEW. Raises UsageError for a NEW that is in use."""
        default = new if self.default_remote == old else self.default_remote
        return replace(self, remotes=_renamed(old, new, self.remotes), default_remote=default)

    def without_remote(self, name: str) -> Config:
        """A copy without the remote NAME. Raises NotFoundError where it has none."""
        default = "" if self.default_remote == name else self.default_remote
        return replace(self, remotes=_without(name, self.remotes), default_remote=default)

    def with_default(self, name: str) -> Config:
        """A copy with the default remote NAME, which may also be a remote of this clone alone."""
        check_name(name)
        return replace(self, default_remote=name)

    def with_patterns(self, wanted: Sequence[str]) -> Config:
        """A copy with the patterns WANTED. Raises UsageError for a pattern that cannot be used."""
        for pattern in wanted:
            if why := track_patterns.wrong(pattern):
                raise UsageError(f'the pattern "{shown(pattern, 80)}" {why}', hint="try '*.pt' or 'models/**'")
        if len(wanted) > limits.PATTERNS:
            raise UsageError(f"more than {limits.PATTERNS:,} patterns", hint="remove some with `mvc track --remove`")
        return replace(self, track=replace(self.track, patterns=tuple(dict.fromkeys(wanted))))

    def encode(self, header: str = "") -> bytes:
        """The bytes of the file, with the lines of HEADER as a comment on top. Raises ConfigError above a limit."""
        table: dict[str, toml.Value] = {"format": FORMAT}
        if self.default_remote:
            table["default_remote"] = self.default_remote
        table |= self.extra
        if self.remotes:
            table["remotes"] = _remotes_table(self.remotes)
        table["hooks"] = {
            "modified": self.hooks.modified,
            "large_file": sizes.written(self.hooks.large_file),
            **({"commit_metrics": self.hooks.commit_metrics} if self.hooks.commit_metrics != "comment" else {}),
            **({"gate": self.hooks.gate} if self.hooks.gate != "warn" else {}),
            **self.hooks.extra,
        }
        if self.notebooks.written:
            table["notebooks"] = self.notebooks.written
        if self.track.patterns or self.track.extra:
            table["track"] = {"patterns": list(self.track.patterns), **self.track.extra}
        data = _file(table, header)
        parse(data)  # a file that no reader accepts must not be written
        return data


@dataclass(frozen=True, slots=True)
class CloneConfig:
    """`.git/mvc/config.toml`: the configuration of this clone, which is never committed or changed in place."""

    store_path: str = ""  # an absolute path; "" for .git/mvc/store
    remotes: Mapping[str, Remote] = field(default_factory=dict, hash=False)
    trust: Mapping[str, Remote] = field(default_factory=dict, hash=False)  # the pins, by name of the remote
    scan: CloneScan = field(default_factory=CloneScan)
    extra: Extra = field(default_factory=dict, hash=False)
    store_extra: Extra = field(default_factory=dict, hash=False)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The dotted keys that this version does not know; `mvc doctor` warns about them."""
        tables = (*_unknown("remotes", self.remotes), *_unknown("trust", self.trust))
        inside = (*(f"store.{key}" for key in self.store_extra), *(f"scan.{key}" for key in self.scan.extra))
        return (*self.extra, *inside, *tables)

    def with_imports(self, digest: str) -> CloneConfig:
        """A copy that accepts the file of trusted imports with this DIGEST; "" for none."""
        return replace(self, scan=replace(self.scan, imports=digest))

    def with_pin(self, name: str, remote: Remote) -> CloneConfig:
        """A copy with a pin: it accepts REMOTE under NAME, with exactly this URL, endpoint and region."""
        check_name(name)
        check_usable(name, remote, CLONE)
        pin = Remote(remote.url, remote.endpoint_url, remote.region)
        return replace(self, trust={**self.trust, name: pin})

    def without_pin(self, name: str) -> CloneConfig:
        """A copy without a pin of NAME."""
        return replace(self, trust={known: pin for known, pin in self.trust.items() if known != name})

    def with_remote(self, name: str, remote: Remote) -> CloneConfig:
        """A copy with one more remote, or with a profile for a remote of the repository.

        Raises UsageError for a name in use.
        """
        _check_new(name, remote, self.remotes, CLONE)
        return replace(self, remotes={**self.remotes, name: remote})

    def with_place(self, name: str, remote: Remote) -> CloneConfig:
        """A copy with the URL, endpoint and region of REMOTE for its own remote NAME; other keys stay."""
        return replace(self, remotes=_moved(name, remote, self.remotes, CLONE))

    def renamed(self, old: str, new: str) -> CloneConfig:
        """A copy with its remote and its pin OLD, if any, called NEW."""
        own = _renamed(old, new, self.remotes) if old in self.remotes else self.remotes
        pins = _renamed(old, new, self.trust) if old in self.trust else self.trust
        return replace(self, remotes=own, trust=pins)

    def without_remote(self, name: str) -> CloneConfig:
        """A copy without its own remote NAME. Raises NotFoundError where it has none."""
        return replace(self, remotes=_without(name, self.remotes))

    def encode(self, header: str = "") -> bytes:
        """The bytes of the file, with the lines of HEADER as a comment on top. Raises ConfigError above a limit."""
        table: dict[str, toml.Value] = dict(self.extra)
        if self.store_path or self.store_extra:
            table["store"] = ({"path": self.store_path} if self.store_path else {}) | dict(self.store_extra)
        if self.remotes:
            table["remotes"] = _remotes_table(self.remotes)
        if self.trust:
            table["trust"] = _remotes_table(self.trust)
        if self.scan.written:
            table["scan"] = self.scan.written
        data = _file(table, header)
        parse_clone(data)
        return data


def parse(data: bytes, where: str = COMMITTED) -> Config:
    """The repository's configuration in DATA. Raises ConfigError, which names the file WHERE and the key."""
    table = _read(data, where)
    version = table.number("format")
    if version > FORMAT:
        raise ConfigError(
            f"{shown(where)} was written for a newer mvc: its format is {version}, this one reads {FORMAT}",
            hint="upgrade mvc",
        )
    if version < FORMAT:
        raise table.error("format", f"must be {FORMAT}")
    default = table.text("default_remote")
    if default:
        check_name(default, where)
    remotes = _remotes(table.table("remotes"), own=False)
    for name, remote in remotes.items():
        if not remote.url:
            raise table.error(f"remotes.{name}.url", "is missing")
        for key in _own_keys(remote):
            raise table.error(f"remotes.{name}.{key}", f"cannot be committed: it belongs into {CLONE}")
    hooks, notebooks = _hooks(table.table("hooks")), notebook_rules.from_table(table.table("notebooks"))
    return Config(default, remotes, hooks, notebooks, track_patterns.from_table(table.table("track")), table.unknown)


def parse_clone(data: bytes, where: str = CLONE) -> CloneConfig:
    """The configuration of a clone in DATA, which may be empty. Raises ConfigError, which names WHERE and the key."""
    table = _read(data, where)
    store = table.table("store")
    path = store.text("path")
    if path and not path.startswith("/"):
        raise table.error("store.path", "must be an absolute path: worktrees of this clone lie in different folders")
    remotes, trust = _remotes(table.table("remotes"), own=True), _remotes(table.table("trust"), own=False)
    for name, pin in trust.items():
        if not pin.url:
            raise table.error(f"trust.{name}.url", "is missing")
    scan = scan_rules.from_clone(table.table("scan"))
    return CloneConfig(path, remotes, trust, scan, table.unknown, store.unknown)


def check_name(name: str, where: str = "") -> None:
    """Refuse a NAME that no remote can have: raise UsageError, or ConfigError where NAME is in the file WHERE."""
    if name and len(name) <= 64 and name[0] in _NAME_START and _NAME.issuperset(name):
        return
    why = f'"{shown(name, 80)}" cannot name a remote: letters, digits, ".", "_" and "-" can, at most 64'
    if where:
        raise ConfigError(f"{shown(where)}: {why}", hint=f"edit {shown(where)}")
    raise UsageError(why, hint="choose a name such as origin")


def check_usable(name: str, remote: Remote, where: str = COMMITTED) -> None:
    """Refuse, before any use, a REMOTE that could run a program or give a secret away. Raises ConfigError."""
    for key in remote.extra:
        if any(word in key.lower() for word in _COMMANDS):
            raise _unusable(name, where, f'its key "{shown(key, 80)}" could run a program')
    if "::" in remote.url:  # an endpoint may hold "::", as in http://[::1]:9000
        raise _unusable(name, where, f'"{shown_url(remote.url)}" chains file systems with "::"')
    for url in (remote.url, remote.endpoint_url, remote.region, remote.profile):
        if not CONTROL.isdisjoint(url):
            raise _unusable(name, where, f'"{shown_url(url)}" has a control character in it')
        if url.startswith("-"):
            raise _unusable(name, where, f'"{shown_url(url)}" looks like an option')
        account, at, _ = url.partition("://")[2].rpartition("@")  # from the right: a secret may hold a slash
        if at and ":" in account:
            raise _unusable(name, where, "its URL holds a password, which everyone who clones could read")
    if remote.endpoint_url and not remote.endpoint_url.startswith(("https://", "http://")):
        raise _unusable(name, where, f'its endpoint "{shown_url(remote.endpoint_url)}" is not http:// or https://')


def _read(data: bytes, where: str) -> Table:
    return Table.read(data, where, lambda why: ConfigError(why, hint=f"edit {shown(where)}"), limit=limits.CONFIG)


def _unusable(name: str, where: str, why: str) -> ConfigError:
    return ConfigError(
        f"the remote {shown(name)} in {shown(where)} is not used: {why}",
        hint=f"remove it with `mvc remote remove {shown(name)}` and add it again without that",
    )


def _check_new(name: str, remote: Remote, known: Mapping[str, Remote], where: str) -> None:
    check_name(name)
    check_usable(name, remote, where)
    if name in known:
        raise UsageError(f"the remote {name} already exists", hint=f"remove it first with `mvc remote remove {name}`")


def _moved(name: str, remote: Remote, known: Mapping[str, Remote], where: str) -> dict[str, Remote]:
    check_usable(name, remote, where)
    moved = replace(known[name], url=remote.url, endpoint_url=remote.endpoint_url, region=remote.region)
    return {**known, name: moved}


def _renamed(old: str, new: str, known: Mapping[str, Remote]) -> dict[str, Remote]:
    check_name(new)
    if new in known:
        raise UsageError(f"the remote {new} already exists", hint=f"remove it first with `mvc remote remove {new}`")
    return {new if name == old else name: remote for name, remote in known.items()}


def _without(name: str, known: Mapping[str, Remote]) -> dict[str, Remote]:
    if name not in known:
        raise NotFoundError(f'there is no remote "{shown(name, 80)}"', hint="run `mvc remote list`")
    return {other: remote for other, remote in known.items() if other != name}


def _remotes(table: Table, *, own: bool) -> dict[str, Remote]:
    """The remotes in TABLE. OWN: whether TABLE is of the clone's configuration, whose remotes may have options."""
    found: dict[str, Remote] = {}
    for name, entry in table.tables().items():
        check_name(name, table.where)
        texts = (entry.text("url"), entry.text("endpoint_url"), entry.text("region"), entry.text("profile"))
        options = remote_options.read(entry) if own else {}
        found[name] = Remote(*texts, extra=entry.unknown, options=options)
    return found


def _own_keys(remote: Remote) -> list[str]:
    """The keys of a committed REMOTE that only a clone's configuration may have."""
    return ["profile"] * bool(remote.profile) + [key for key in remote_options.RULES if key in remote.extra]


def _hooks(table: Table) -> Hooks:
    modified = table.choice("modified", ("warn", "block", "off"), "warn")
    try:
        large = sizes.parse(table.text("large_file", "10 MiB"))
    except ValueError:
        raise table.error("large_file", 'must be a size such as "10 MiB"') from None
    metrics = table.choice("commit_metrics", ("comment", "trailer", "off"), "comment")
    gate = table.choice("gate", ("warn", "block", "off"), "warn")
    return Hooks(cast("OnModified", modified), large, cast("CommitMetrics", metrics), cast("Gate", gate), table.unknown)


def _remotes_table(remotes: Mapping[str, Remote]) -> dict[str, toml.Value]:
    return {name: _remote_table(remotes[name]) for name in sorted(remotes)}


def _remote_table(remote: Remote) -> dict[str, toml.Value]:
    known = {key: getattr(remote, key) for key in ("url", "endpoint_url", "region", "profile")}
    return {key: value for key, value in known.items() if value} | dict(remote.options) | dict(remote.extra)


def _unknown(name: str, remotes: Mapping[str, Remote]) -> list[str]:
    return [f"{name}.{remote}.{key}" for remote in remotes for key in remotes[remote].extra]


def _file(table: Mapping[str, toml.Value], header: str) -> bytes:
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return (comment + "\n" * bool(comment) + toml.encode(table)).encode()

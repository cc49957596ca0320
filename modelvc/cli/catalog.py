"""The commands of mvc, by the sections of `mvc --help`. Imports nothing."""

from __future__ import annotations

# The module below modelvc.cli.commands that declares each command, in the order in which they are listed.
SECTIONS = {
    "Start": {
        "init": "setup",
        "install": "setup",
        "uninstall": "setup",
        "completion": "about",
        "help": "about",
        "version": "about",
    },
    "Track": {
        "add": "tracking",
        "track": "tracking",
        "status": "tracking",
        "checkout": "tracking",
        "rm": "tracking",
        "mv": "tracking",
    },
    "Look": {"ls": "reading", "log": "reading", "show": "reading", "diff": "reading", "plot": "reading"},
    "Share": {
        "push": "transfer",
        "fetch": "transfer",
        "pull": "transfer",
        "get": "transfer",
        "remote": "transfer",
        "trust": "transfer",
    },
    "Judge": {"metrics": "metrics", "check": "gate", "scan": "inspection", "env": "environment", "rollback": "gate"},
    "Merge": {"resolve": "merging"},
    "Notebooks": {"notebook": "notebook"},
    "Upkeep": {"fsck": "upkeep", "gc": "upkeep", "store": "upkeep", "doctor": "upkeep"},
}
COMMANDS = {name: module for section in SECTIONS.values() for name, module in section.items()}
GROUPS = ("remote", "metrics", "env", "notebook", "store")  # commands that have sub-commands

# Words of other tools, by the command that they were typed after, and what to run instead.
ELSEWHERE = {
    "mvc": {
        **{
            word: f"`git {word}`"
            for word in ("branch", "cherry-pick", "commit", "config", "merge", "rebase", "reset", "stash", "tag")
        },
        "clean": "`mvc gc`",
        "clone": "`git clone`, and in the clone `mvc install`, then `mvc pull`",
        "compare": "`mvc diff`",
        "delete": "`mvc rm PATH`",
        "download": "`mvc pull`",
        "history": "`mvc log`",
        "import": "`mvc get SOURCE PATH`",
        "list": "`mvc ls`",
        "move": "`mvc mv PATH NEW_PATH`",
        "prune": "`mvc gc`",
        "remove": "`mvc rm PATH`",
        "rename": "`mvc mv PATH NEW_PATH`",
        "restore": "`mvc checkout [REV] PATH`",
        "revert": "`mvc checkout REV PATH`, then `git commit`",
        "setup": "`mvc init`",
        "switch": "`git switch`: models follow",
        "undo": "`mvc rollback PATH`",
        "untrack": "`mvc rm --keep PATH`, or `mvc track --remove PATTERN`",
        "upload": "`mvc push`",
        "verify": "`mvc fsck`",
    },
    "mvc remote": {
        "delete": "`mvc remote remove`",
        "ls": "`mvc remote list`",
        "modify": "`mvc remote set-url`",
        "mv": "`mvc remote rename`",
        "rm": "`mvc remote remove`",
        "show": "`mvc remote list`",
    },
    "mvc notebook": {"clean": "`mvc notebook strip`"},
    "mvc env": {"compare": "`mvc env diff`", "freeze": "`mvc env export`", "list": "`mvc env show`"},
    "mvc metrics": {
        "add": "`mvc metrics set`",
        "diff": "`mvc diff`",
        "list": "`mvc metrics show`",
        "ls": "`mvc metrics show`",
    },
    "mvc store": {"ls": "`mvc store stats`", "size": "`mvc store stats`"},
}

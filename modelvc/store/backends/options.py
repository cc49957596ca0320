"""The options of a remote besides its URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How to reach a remote. "" leaves a setting to the environment of the user."""

    endpoint_url: str = ""
    profile: str = ""
    region: str = ""
    own: Mapping[str, str | bool] = field(default_factory=dict)  # formats/text/remote_options.py lists them

"""How to reach a remote, besides its URL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """Empty means: as the environment of the user says."""

    endpoint_url: str = ""
    profile: str = ""
    region: str = ""

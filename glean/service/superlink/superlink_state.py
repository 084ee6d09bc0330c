"""How the SuperLink behind the service stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from glean.languages.catalogues import translatable


class SuperLinkPhase(StrEnum):
    """What it is doing."""

    STARTING = "starting"
    REGISTERING = "registering"
    READY = "ready"
    WAITING = "waiting"
    ENDED = "ended"


WORDS: Mapping[SuperLinkPhase, str] = {
    SuperLinkPhase.STARTING: translatable("The SuperLink is starting."),
    SuperLinkPhase.REGISTERING: translatable("The SuperLink is told who the members are."),
    SuperLinkPhase.READY: translatable("The SuperLink is up."),
    SuperLinkPhase.WAITING: translatable("The SuperLink ended and is started again in a moment."),
    SuperLinkPhase.ENDED: translatable("The SuperLink has been ended."),
}
"""The same for whoever runs the service."""


@dataclass(frozen=True)
class SuperLinkState:
    """How it stands.

    Parameters
    ----------
    phase : SuperLinkPhase
        What it is doing.
    since : str
        Since when, UTC.
    address : str
        HOST:PORT on loopback; "" where it has none yet.
    pid : int or None
        Number of its process.
    restarts : int
        How often it was started again since the service began.
    members : int
        How many nodes it lets in.
    problem : str
        What last went wrong; "" where nothing did.
    """

    phase: SuperLinkPhase
    since: str
    address: str = ""
    pid: int | None = None
    restarts: int = 0
    members: int = 0
    problem: str = ""

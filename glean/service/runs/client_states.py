"""How each bakery of a run stands, from the run's events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from glean.runs.events import (
    BakeryFailed,
    BakeryJoined,
    BakeryMissing,
    BakeryNotTrained,
    BakeryReturned,
    RoundFinished,
    RunFinished,
    RunStarted,
)
from glean.runs.folder import known_events
from glean.runs.setback_events import GroupLeftOut


class ClientState(StrEnum):
    """How a bakery stands in a run."""

    TRAINING = "training"
    WATCHING = "watching"
    MISSING = "missing"
    FAILED = "failed"
    REFUSED = "refused"
    DONE = "done"


@dataclass(frozen=True)
class ClientStanding:
    """How a bakery stands.

    Parameters
    ----------
    name : str
        Its name.
    state : ClientState
        How it stands.
    round : int
        In which round that began; 0: from the start.
    why : str
        In a sentence; "" where nothing is amiss.
    """

    name: str
    state: ClientState
    round: int = 0
    why: str = ""

    @property
    def amiss(self) -> bool:
        """Whether it needs a look."""
        return self.state in (ClientState.MISSING, ClientState.FAILED, ClientState.REFUSED)


def client_standings(events: Path) -> list[ClientStanding]:
    """Read how each bakery of a run stands, in order of their names.

    Parameters
    ----------
    events : Path
        The run's `events.jsonl`.
    """
    found: dict[str, ClientStanding] = {}
    for event in known_events(events):
        match event:
            case RunStarted():
                found |= {n: ClientStanding(n, ClientState.TRAINING) for n in event.bakeries}
            case BakeryJoined() | BakeryReturned():
                name = event.bakery
                found[name] = ClientStanding(name, ClientState.TRAINING, event.round)
            case BakeryNotTrained():
                name = event.bakery
                found[name] = ClientStanding(name, ClientState.WATCHING, 0, event.reason)
            case BakeryMissing() | BakeryFailed():
                gone = isinstance(event, BakeryMissing)
                state = ClientState.MISSING if gone else ClientState.FAILED
                name, why = event.bakery, event.sentence
                found[name] = ClientStanding(name, state, event.round, why)
            case GroupLeftOut():
                for name in event.members:
                    why = event.reason
                    found[name] = ClientStanding(name, ClientState.REFUSED, event.round, why)
            case RoundFinished() if not event.failures:
                found = {name: _recovered(one, event.round) for name, one in found.items()}
            case RunFinished():
                found = {name: _ended(one) for name, one in found.items()}
    return [found[name] for name in sorted(found)]


def counted(standings: list[ClientStanding]) -> dict[ClientState, int]:
    """Count the bakeries by how they stand, the states in their order."""
    counts = Counter(one.state for one in standings)
    return {state: counts[state] for state in ClientState if counts[state]}


def _recovered(one: ClientStanding, round_number: int) -> ClientStanding:
    """Let whoever had failed take part again: a round passed without failures."""
    if one.state is not ClientState.FAILED or one.round >= round_number:
        return one
    return ClientStanding(one.name, ClientState.TRAINING, round_number)


def _ended(one: ClientStanding) -> ClientStanding:
    if one.state is not ClientState.TRAINING:
        return one
    return ClientStanding(one.name, ClientState.DONE, one.round)

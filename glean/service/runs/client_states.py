"""How each bakery of a run stands, from the run's events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from glean.languages.language import Language
from glean.runs.event_row import Event
from glean.runs.events import (
    BakeryFailed,
    BakeryJoined,
    BakeryMissing,
    BakeryNotTrained,
    BakeryReturned,
    RoundFinished,
    RunFinished,
    RunStarted,
    WaitingForBakeries,
    event_of,
)
from glean.runs.folder import read_events
from glean.runs.setback_events import GroupLeftOut


class ClientState(StrEnum):
    """How a bakery stands in a run."""

    TRAINING = "training"
    WAITING = "waiting"
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
    cause : Event or None
        What it is missing, failed or refused by; None where nothing is amiss.
    since : str
        When that began, UTC; of one that is missing when it was last heard of.
    """

    name: str
    state: ClientState
    round: int = 0
    cause: Event | None = None
    since: str = ""

    def why(self, language: Language) -> str:
        """Say what is amiss in a sentence, "" where nothing is; reasons of errors stay English."""
        match self.cause:
            case None:
                return ""
            case BakeryNotTrained() | GroupLeftOut():
                return self.cause.reason
            case _:
                return self.cause.sentence_in(language)

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
    for row in read_events(events):
        event = event_of(row)
        if event is not None:
            _apply(found, event, str(row.get("time") or ""))
    return [found[name] for name in sorted(found)]


def _apply(found: dict[str, ClientStanding], event: Event, time: str) -> None:
    """Bring the standings up to an event."""
    now = partial(ClientStanding, since=time)
    match event:
        case RunStarted():
            # Refused at the door: no round that goes well lets them in.
            failed = _in(found.values(), ClientState.FAILED)
            found.update({one.name: replace(one, state=ClientState.REFUSED) for one in failed})
            found.update({name: now(name, ClientState.TRAINING) for name in event.bakeries})
        case BakeryMissing():
            state = ClientState.MISSING
            found[event.bakery] = ClientStanding(
                event.bakery, state, event.round, event, event.since
            )
        case GroupLeftOut():
            for name in event.members:
                found[name] = now(name, ClientState.REFUSED, event.round, event)
        case WaitingForBakeries() | RoundFinished() | RunFinished():
            for one in _moved(found.values(), event):
                found[one.name] = replace(one, since=time)
        case BakeryJoined() | BakeryReturned() | BakeryNotTrained() | BakeryFailed():
            found[event.bakery] = _of_one(event, now)


def _moved(
    known: Iterable[ClientStanding], event: WaitingForBakeries | RoundFinished | RunFinished
) -> list[ClientStanding]:
    """Say how those stand whom an event concerns, though it doesn't name them."""
    match event:
        case WaitingForBakeries():
            moved, state, number = (
                _in(known, ClientState.TRAINING),
                ClientState.WAITING,
                event.round,
            )
        case RoundFinished():
            known, state, number = list(known), ClientState.TRAINING, event.round
            moved = _in(known, ClientState.WAITING)
            if not event.failures:
                moved += [one for one in _in(known, ClientState.FAILED) if one.round < number]
        case RunFinished():
            moved = _in(known, ClientState.TRAINING, ClientState.WAITING)
            return [replace(one, state=ClientState.DONE) for one in moved]
    return [ClientStanding(one.name, state, number) for one in moved]


def _in(known: Iterable[ClientStanding], *states: ClientState) -> list[ClientStanding]:
    return [one for one in known if one.state in states]


def _of_one(
    event: BakeryJoined | BakeryReturned | BakeryNotTrained | BakeryFailed,
    now: Callable[..., ClientStanding],
) -> ClientStanding:
    match event:
        case BakeryNotTrained():
            return now(event.bakery, ClientState.WATCHING, 0, event)
        case BakeryFailed():
            return now(event.bakery, ClientState.FAILED, event.round, event)
        case _:
            return now(event.bakery, ClientState.TRAINING, event.round)


def counted(standings: list[ClientStanding]) -> dict[ClientState, int]:
    """Count the bakeries by how they stand, the states in their order."""
    counts = Counter(one.state for one in standings)
    return {state: counts[state] for state in ClientState if counts[state]}

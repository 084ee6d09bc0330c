"""What the events of an interrupted run say of rounds that don't count, or have no score."""

from __future__ import annotations

import math
from pathlib import Path

from glean.federation.wire.sum_request import SCORES
from glean.runs.folder import known_events
from glean.runs.setback_events import RoundGivenUp, RoundTakenBack, RoundUnscored, SumRefused


def lost_rounds(run: Path) -> dict[int, str]:
    """List the rounds that were given up or taken back, with the kind of the event that says so."""
    events = known_events(run / "events.jsonl")
    return {e.round: e.kind for e in events if isinstance(e, RoundGivenUp | RoundTakenBack)}


def unscored_rounds(run: Path) -> dict[int, float | None]:
    """List the rounds of which an event says why they may have no score.

    Each with what it is compared by, as `RoundScore.metric` has it: infinite where a sum of scores
    was refused, None where nobody was to score.
    """
    found: dict[int, float | None] = {}
    for event in known_events(run / "events.jsonl"):
        if isinstance(event, SumRefused) and event.parts == SCORES:
            found[event.round] = math.inf
        if isinstance(event, RoundUnscored):
            found[event.round] = None
    return found

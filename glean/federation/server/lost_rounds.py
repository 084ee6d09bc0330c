"""Events of rounds that don't count, have no score, or are no better than the first model."""

from __future__ import annotations

import math
from pathlib import Path

from glean.federation.server.setbacks import Primaries
from glean.federation.server.training_state import TrainingState
from glean.federation.wire.sum_request import SCORES
from glean.runs.folder import known_events
from glean.runs.setback_events import (
    FirstModelBetter,
    RoundGivenUp,
    RoundTakenBack,
    RoundUnscored,
    SumRefused,
)


def lost_rounds(run: Path) -> dict[int, str]:
    """List the rounds that were given up or taken back, with the kind of the event that says so."""
    events = known_events(run / "events.jsonl")
    return {e.round: e.kind for e in events if isinstance(e, RoundGivenUp | RoundTakenBack)}


def first_model_better(number: int, state: TrainingState) -> FirstModelBetter:
    """Say that the first round left the model before it the best, with what it is compared by."""
    rows = dict(state.best_scores.keys())
    scores = {name: value for (name, _), value in state.best_scores.items()}
    return FirstModelBetter(number, state.best.metric, scores, rows)


def first_model_score(run: Path) -> tuple[float, Primaries]:
    """Give what the first model is compared by, where the first round was no better than it.

    Returns
    -------
    float, mapping of (str, int) to float
        As `TrainingState.scored` takes them; NaN and nothing where the first round was better.
    """
    for event in known_events(run / "events.jsonl"):
        if isinstance(event, FirstModelBetter):
            both = event.scores.keys() & event.rows.keys()
            return event.metric, {(name, event.rows[name]): event.scores[name] for name in both}
    return math.nan, {}


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

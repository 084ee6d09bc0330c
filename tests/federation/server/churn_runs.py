"""Run config of the runs in which bakeries come and go, and what their events tell."""

from __future__ import annotations

from glean.runs.folder import checkpoint_name
from glean.settings import ConfigValue
from tests.federations import Federation, events

TEN = [f"bakery {number}" for number in range(10)]
GROWN: dict[str, ConfigValue] = {
    "aggregation": "histogram",
    "max_depth": 3,
    "subsample": 0.7,
    "colsample": 0.5,
}
REFIT: dict[str, ConfigValue] = {
    "leaf_values": "refit",
    "proposals_per_round": 4,
    "share_scores": "no",
}


def checkpoints(found: Federation) -> list[bytes]:
    """The model of every round."""
    rounds = found.settings.rounds.num_server_rounds
    paths = [found.folder.path / checkpoint_name(n, ".ubj") for n in range(1, rounds + 1)]
    return [path.read_bytes() for path in paths]


def lost(found: Federation) -> list[tuple[int, str]]:
    """Round and reason of every sum that was lost."""
    told = [event for event in events(found.folder) if event["event"] == "sum_lost"]
    return [(event["round"], event["reason"]) for event in told]

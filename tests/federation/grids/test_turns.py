"""A server and its clients at work at once in one process: they take turns, and mix up nothing."""

from __future__ import annotations

import threading
from pathlib import Path

from glean.federation.grids.turns import TurnLock, TurnTakingCarrier
from glean.settings import ConfigValue
from tests.carried_runs import carried_model, own_nodes
from tests.federations import events, federation_of, small_settings
from tests.memory_carrier import MemoryCarrier, MemoryRoad

MASKED: dict[str, ConfigValue] = {
    "leaf_values": "refit",
    "proposals_per_round": 4,
    "secure_sums": True,
    "share_scores": "no",
    "min_contributors": 3,
}
LIMIT_S = 30.0


def test_masked_sums_in_turns_come_to_the_same_model(tmp_path: Path) -> None:
    """Nobody waits for another but by the turn."""
    settings = small_settings("", **MASKED)
    here = federation_of(tmp_path / "here", settings, nodes=[*own_nodes(tmp_path / "own").values()])
    wanted = here.run().model.to_bytes()
    nodes = own_nodes(tmp_path / "carried")
    found, folder, _, road = carried_model(tmp_path / "out", settings, nodes, turn=TurnLock())
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 2
    assert found == wanted
    assert {len(replies) for replies in road.replies.values()} == {1}


def test_others_have_the_turn_while_the_carrier_waits() -> None:
    """And not while the server works; a look that doesn't wait keeps it."""
    turn, road = TurnLock(), MemoryRoad(["Nordbrot"], in_step=False)
    carrier = TurnTakingCarrier(MemoryCarrier(road, 1), turn)
    had, wanted, done = threading.Event(), threading.Event(), threading.Event()

    def take() -> None:
        wanted.set()
        with turn, turn:
            had.set()
            done.wait(LIMIT_S)

    other = threading.Thread(target=take)
    with turn:
        other.start()
        assert wanted.wait(LIMIT_S)
        carrier.receive(0.0)
        assert not had.wait(0.1)
        with turn.given_away():
            assert had.wait(LIMIT_S)
            done.set()
        other.join(LIMIT_S)
        had.clear()
        third = threading.Thread(target=take)
        third.start()
        carrier.receive(0.2)
        assert had.is_set()
        third.join(LIMIT_S)

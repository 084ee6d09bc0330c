"""A run over a carrier has the model of in process, whoever is killed on the way."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.errors import FederationError
from glean.federation.grids.carried_grid import MOST_UNFETCHED, CarriedGrid, node_number
from glean.federation.grids.carrier import Received
from glean.federation.grids.inprocess import as_server
from glean.federation.grids.turns import TurnLock
from glean.settings import ConfigValue, RunSettings
from tests.carried_runs import (
    BEFORE,
    COMMITTED,
    COMPUTED,
    NAMES,
    POINTS,
    RUN_ID,
    carried_model,
    killed_at,
    own_nodes,
)
from tests.federations import events, federation_of, small_settings
from tests.memory_carrier import MemoryCarrier, MemoryRoad
from tests.noised_deployment import noised

REFIT: dict[str, ConfigValue] = {"leaf_values": "refit", "proposals_per_round": 4}


def masked(**changes: ConfigValue) -> RunSettings:
    """Sums under masks, of three bakeries with tables of their own."""
    return small_settings(
        "",
        **{**REFIT, "secure_sums": True, "share_scores": "no", "min_contributors": 3, **changes},
    )


def test_masked_sums_over_a_carrier_come_to_the_same_model(tmp_path: Path) -> None:
    """Three bakeries with tables and keys of their own."""
    settings = masked()
    here = federation_of(tmp_path / "here", settings, nodes=[*own_nodes(tmp_path / "own").values()])
    wanted = here.run().model.to_bytes()
    nodes = own_nodes(tmp_path / "carried")
    found, folder, _, road = carried_model(tmp_path / "out", settings, nodes)
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 2
    assert found == wanted
    assert {len(replies) for replies in road.replies.values()} == {1}


def test_open_sums_over_a_carrier_come_to_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """The same of a simulation's bakeries, without masks."""
    settings = small_settings(three_bakeries, **REFIT, min_contributors=3)
    wanted = federation_of(tmp_path / "here", settings).run().model.to_bytes()
    nodes = {name: {"partition-id": place} for place, name in enumerate(NAMES)}
    found, folder, _, _ = carried_model(tmp_path / "out", settings, nodes)
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 2
    assert found == wanted


@pytest.mark.parametrize("points", [(BEFORE,), (COMPUTED,), (COMMITTED,), POINTS])
def test_a_killed_client_loses_nothing_and_repeats_nothing(
    points: tuple[str, ...], tmp_path: Path
) -> None:
    """Every client is killed again and again, wherever; each message has one effect."""
    settings = masked()
    here = federation_of(tmp_path / "here", settings, nodes=[*own_nodes(tmp_path / "own").values()])
    wanted = here.run().model.to_bytes()
    nodes = own_nodes(tmp_path / "carried")
    found, folder, clients, road = carried_model(
        tmp_path / "out", settings, nodes, kills=killed_at(points, every=3)
    )
    assert len(clients.killed) > 2 * len(NAMES)
    assert set(clients.killed.values()) == set(points)
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 2
    assert found == wanted
    assert {len(replies) for replies in road.replies.values()} == {1}
    for message, times in clients.computed.items():
        assert times == 1 + (clients.killed.get(message) == COMPUTED), message


def test_buffers_fill_over_a_carrier_whoever_is_killed(tmp_path: Path) -> None:
    """A training outlives its client's process, and is in one buffer."""
    settings = noised(mode="async", buffer_size=3, num_server_rounds=3)
    nodes, kills = own_nodes(tmp_path / "carried"), killed_at(POINTS, every=4)
    _, folder, clients, road = carried_model(
        tmp_path / "out", settings, nodes, kills=kills, turn=TurnLock()
    )
    assert set(clients.killed.values()) == {*POINTS}
    assert [event["event"] for event in events(folder)] == ["round_finished"] * 3
    rows = pd.read_csv(folder.path / "participation.csv")
    assert rows.groupby("round").size().to_dict() == dict.fromkeys(range(1, 4), 3)
    assert all(len({*replies}) == 1 for replies in road.replies.values())


def test_node_numbers_follow_from_names() -> None:
    """They are the same everywhere, above the server's, and fit Flower's."""
    found = [node_number(f"bakery {number}") for number in range(1000)]
    assert len(set(found)) == 1000
    assert all(1 < number < 2**63 for number in found)
    assert node_number("Nordbrot") == node_number("Nordbrot")


class _Answers(MemoryCarrier):
    """Members that answer as a test wants."""

    def __init__(self, road: MemoryRoad) -> None:
        super().__init__(road, RUN_ID)
        self.sent: list[str] = []
        self.come: list[Received] = []

    def send(self, node: str, message_id: str, body: bytes) -> None:
        if node == NAMES[2]:
            raise FederationError("the outbox is full")
        assert body
        self.sent.append(message_id)

    def receive(self, timeout_s: float) -> list[Received]:
        del timeout_s
        found, self.come = self.come, []
        return found


def test_what_members_send_unasked_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A reply of another member, to another message, or again; one that is none is an error."""
    from flwr.app import RecordDict

    carrier = _Answers(MemoryRoad(list(NAMES)))
    grid = CarriedGrid(carrier, run_id=RUN_ID)
    nodes = {name: node_number(name) for name in NAMES}
    assert set(grid.get_node_ids()) == {*nodes.values()}
    with as_server(grid):
        sent = grid.push_messages(
            grid.create_message(RecordDict(), "query", number, "0")
            for number in (*nodes.values(), 99)
        )
        assert sent == carrier.sent
        assert "the outbox is full" in caplog.text
        assert "node 99" in caplog.text
        carrier.come = [
            Received(NAMES[1], "a", sent[0], b"\x0a\xff"),
            Received(NAMES[0], "b", "another", b""),
            Received(NAMES[0], "c", sent[0], b"\x0a\xff"),
            Received(NAMES[0], "d", sent[0], b"\x0a\xff"),
        ]
        (reply,) = grid.pull_messages(sent)
        assert reply.has_error()
        assert reply.metadata.reply_to_message_id == sent[0]
        assert reply.metadata.src_node_id == nodes[NAMES[0]]
        assert caplog.text.count("left out") == 3
        assert grid.pull_messages(sent) == []


def test_replies_that_nobody_waits_for_do_not_pile_up() -> None:
    """Of a member that is late in every round; the newest are there, and others' as well."""
    from flwr.app import RecordDict

    carrier = _Answers(MemoryRoad(list(NAMES)))
    grid = CarriedGrid(carrier, run_id=RUN_ID)
    grid.get_node_ids()
    late, other = (node_number(name) for name in NAMES[:2])
    with as_server(grid):

        def asked(node: int) -> str:
            (sent,) = grid.push_messages([grid.create_message(RecordDict(), "query", node, "0")])
            return sent

        first = asked(other)
        carrier.come = [Received(NAMES[1], "first", first, b"")]
        assert grid.pull_messages([]) == []
        sent = [asked(late) for _ in range(3 * MOST_UNFETCHED)]
        for number, message_id in enumerate(sent):
            carrier.come = [Received(NAMES[0], str(number), message_id, b"")]
            assert grid.pull_messages([]) == []
        found = [reply.metadata.reply_to_message_id for reply in grid.pull_messages([first, *sent])]
        assert found == [first, *sent[-MOST_UNFETCHED:]]

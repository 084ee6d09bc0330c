"""A bakery that is slow, falls silent or never answers is named, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from flwr.app import Error, Message, RecordDict

from glean.errors import FederationError
from glean.federation.grids.inprocess import InProcessGrid
from tests.federation.coordination.meddling import BAD, only, run_through
from tests.federations import Honest, MeddledApp, events, federation_of, small_settings


class Silent(InProcessGrid):
    """Loses every reply of its second node."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        replies = super().pull_messages(message_ids)
        return [reply for reply in replies if not self.loses(reply)]

    def loses(self, reply: Message) -> bool:
        return reply.metadata.src_node_id == 3


class FallsSilent(Silent):
    """Loses them once its second node has introduced itself; it doesn't do so again."""

    introduced = False

    def loses(self, reply: Message) -> bool:
        if not super().loses(reply):
            return False
        first = not self.introduced
        self.introduced = True
        return not first


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only pauses move: its one entry is the time, seconds."""
    clock = [0.0]
    place = "glean.federation.coordination.exchange.time"
    monkeypatch.setattr(f"{place}.monotonic", lambda: clock[0])
    monkeypatch.setattr(f"{place}.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return clock


@pytest.mark.usefixtures("hours")
def test_a_node_that_never_answers_is_named(tmp_path: Path, three_bakeries: str) -> None:
    """Silence to the first question is written down as well as any other failure."""
    federation = federation_of(tmp_path, small_settings(three_bakeries), grid_type=Silent)
    assert list(federation.bakeries) == ["bakery 0", "bakery 2"]
    assert federation.failures() == [(0, "node 3", "no introduction within 600 s")]


def test_a_bakery_that_falls_silent_is_missed_once(
    hours: list[float], tmp_path: Path, three_bakeries: str
) -> None:
    """One deadline is all that it costs: it isn't asked again before it says that it is there."""
    settings = small_settings(three_bakeries, num_server_rounds=3)
    federation = federation_of(tmp_path, settings, grid_type=FallsSilent)
    assert set(run_through(federation)) == {"bakery 0", "bakery 2"}
    unheard = (2, "node 3", "no introduction within 30 s")
    assert federation.failures() == [(1, BAD, "no reply to 'train' within 600 s"), unheard]
    assert federation.table("rounds.csv")["bakeries"].tolist() == [3, 2, 2]
    missed = [(e["round"], e["bakery"]) for e in events(federation.folder) if "since" in e]
    assert missed == [(1, BAD), (2, BAD), (3, BAD)]
    assert hours[0] == pytest.approx(600 + 30, abs=10)


def test_a_slow_bakery_costs_the_others_nothing(
    hours: list[float], tmp_path: Path, three_bakeries: str
) -> None:
    """What they answered before the deadline counts, though it passes while the last one learns."""

    def slow(_message: Message, honest: Honest) -> Message:
        hours[0] += 700
        return honest()

    settings = small_settings(three_bakeries, num_server_rounds=2)
    app = MeddledApp(only("train", slow, bakery="bakery 2"))
    federation = federation_of(tmp_path, settings, app=app)
    assert {"bakery 0", "bakery 1"} <= set(run_through(federation))
    late = [name for _, name, reason in federation.failures() if "no reply to 'train'" in reason]
    assert set(late) == {"bakery 2"}
    assert federation.table("rounds.csv")["replies"].tolist() == [2, 2]


class Unasked(InProcessGrid):
    """Adds a stranger's reply that nobody asked for."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        stranger = Message(RecordDict(), 999, "query")
        replies = super().pull_messages(message_ids)
        return [*replies, Message(Error(1, "nobody asked"), reply_to=stranger)]


def test_replies_of_strangers_are_ignored(tmp_path: Path, three_bakeries: str) -> None:
    """Only replies to what was asked are heard."""
    federation = federation_of(tmp_path, small_settings(three_bakeries), grid_type=Unasked)
    run_through(federation)
    assert federation.failures() == []


class Slow(InProcessGrid):
    """Gets its nodes one by one, each time that it is asked for them."""

    asked = 0

    def get_node_ids(self) -> list[int]:
        self.asked += 1
        return list(super().get_node_ids())[: self.asked - 1]


@pytest.mark.parametrize("wanted", [2, 5])
def test_the_server_waits_for_nodes_but_not_for_ever(
    wanted: int, hours: list[float], tmp_path: Path, three_bakeries: str
) -> None:
    """It goes on once enough are connected; after the limit it says how many are missing."""
    settings = small_settings(three_bakeries, min_available_bakeries=wanted, round_timeout_s=20)
    if wanted == 2:
        federation = federation_of(tmp_path, settings, grid_type=Slow)
        assert list(federation.bakeries) == ["bakery 0", "bakery 1"]
    else:
        with pytest.raises(FederationError) as caught:
            federation_of(tmp_path, settings, grid_type=Slow)
        assert str(caught.value) == (
            "3 bakeries can take part after 20 s; min-available-bakeries wants 5"
        )
        assert hours[0] == pytest.approx(20, abs=1)

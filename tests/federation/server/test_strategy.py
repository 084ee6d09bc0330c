"""Rounds while bakeries come and go: who joins learns along, who is back catches up at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from flwr.app import Message, RecordDict

from glean.errors import FederationError
from glean.federation.grids.inprocess import InProcessGrid
from tests.federations import (
    Federation,
    Honest,
    MeddledApp,
    events,
    federation_of,
    small_settings,
)

FIRST, SECOND, THIRD = 2, 3, 4
"""Node ids of "bakery 0", "bakery 1" and "bakery 2"."""


class Comings(InProcessGrid):
    """Which nodes are there depends on which phase was begun last; phases are counted."""

    there: ClassVar[Mapping[str, set[int]]] = {}
    """Like "train 2": who is there from the beginning of that phase on."""

    forgets: ClassVar[set[int]] = {SECOND}
    """Nodes that lose their state whenever they go, as a process that is killed."""

    def __init__(self, *parts: object, **options: object) -> None:
        super().__init__(*parts, **options)  # type: ignore[arg-type]
        self.now_there = set(self.there.get("start", super().get_node_ids()))
        self.asked: list[tuple[str, int]] = []

    def get_node_ids(self) -> list[int]:
        return sorted(self.now_there)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        for message in messages:
            phase = f"{message.metadata.message_type} {message.metadata.group_id}"
            self.asked.append((phase, message.metadata.dst_node_id))
            for node in self.now_there - self.there.get(phase, self.now_there):
                if node in self.forgets:
                    self._hosts[node].context.state = RecordDict()
            self.now_there = self.there.get(phase, self.now_there)
        return super().push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        lost = [i for i in message_ids if self._goes_to_nobody(i)]
        return super().pull_messages(i for i in message_ids if i not in lost)

    def _goes_to_nobody(self, message_id: str) -> bool:
        message = self._unanswered.get(message_id)
        return message is not None and message.metadata.dst_node_id not in self.now_there

    def of(self, node: int) -> list[str]:
        """The phases in which a node was asked."""
        return [phase for phase, asked in self.asked if asked == node]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pauses move the clock."""
    clock = [0.0]
    place = "glean.federation.coordination.exchange.time"
    monkeypatch.setattr(f"{place}.monotonic", lambda: clock[0])
    monkeypatch.setattr(f"{place}.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))


def federation(
    out: Path, sales: str, there: dict[str, set[int]], **changes: object
) -> tuple[Federation, Comings]:
    grid_type = type("Comings", (Comings,), {"there": there})
    settings = small_settings(sales, **{"num_server_rounds": 3, **changes})  # type: ignore[arg-type]
    found = federation_of(out, settings, grid_type=grid_type)
    assert isinstance(found.grid, Comings)
    return found, found.grid


def test_who_joins_trains_from_the_next_round_on(tmp_path: Path, three_bakeries: str) -> None:
    """It comes in the first round, learns from the second on and is judged in the end."""
    there = {"start": {FIRST, SECOND}, "evaluate 1": {FIRST, SECOND, THIRD}}
    found, grid = federation(tmp_path, three_bakeries, there)
    rows = found.test(found.run())
    assert found.table("rounds.csv")["bakeries"].tolist() == [2, 3, 3]
    assert grid.of(THIRD) == [
        *("query 2", "train 2", "evaluate 2", "train 3", "evaluate 3", "evaluate.test 3")
    ]
    assert set(rows) == {"bakery 0", "bakery 1", "bakery 2"}
    assert found.failures() == []


def test_who_is_back_gets_the_whole_model_at_once(tmp_path: Path, three_bakeries: str) -> None:
    """Killed in round 2 it has lost all; back in round 3 it isn't asked twice what it lacks."""
    everybody = {FIRST, SECOND, THIRD}
    there = {"train 2": {FIRST, THIRD}, "evaluate 2": everybody}
    found, grid = federation(tmp_path, three_bakeries, there)
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [3, 2, 3]
    assert found.table("rounds.csv")["failures"].tolist() == [0, 1, 0]
    assert grid.of(SECOND)[-4:] == ["train 2", "query 3", "train 3", "evaluate 3"]
    scored = found.table("bakery_rounds.csv").groupby("round")["bakery"].agg(list)
    assert scored[2] == ["bakery 0", "bakery 2"]
    assert scored[3] == ["bakery 0", "bakery 1", "bakery 2"]


def test_without_a_bakery_the_model_is_that_of_the_others(
    tmp_path: Path, three_bakeries: str
) -> None:
    """One that goes before it has trained leaves no trace, to the byte."""
    there = {"train 1": {FIRST, THIRD}}
    gone, _ = federation(tmp_path / "gone", three_bakeries, there)
    never = federation_of(tmp_path / "never", gone.settings, partitions=[0, 2])
    assert gone.run().model.to_bytes() == never.run().model.to_bytes()


def test_draws_go_by_those_who_are_there(tmp_path: Path, three_bakeries: str) -> None:
    """A share of the bakeries is drawn from the present ones, and no less of them."""
    there = {"train 1": {FIRST, THIRD}}
    found, grid = federation(
        tmp_path, three_bakeries, there, fraction_train=0.5, fraction_evaluate=0.5
    )
    found.run()
    assert found.table("rounds.csv")["replies"].tolist()[1:] == [1, 1]
    assert [phase for phase in grid.of(SECOND) if not phase.endswith(" 1")] == ["query 0"]


@pytest.mark.parametrize("phase", ["train 2", "evaluate 2"])
def test_when_all_are_lost_the_phase_begins_again(
    phase: str, tmp_path: Path, three_bakeries: str
) -> None:
    """As after a cut cable: the run waits for its quorum and ends as if nothing had happened."""
    there: dict[str, set[int]] = {phase: set()}
    found, grid = federation(tmp_path / "a", three_bakeries, there)
    before = grid.get_node_ids

    def back_later() -> list[int]:
        # Half a minute after they were lost they are there again.
        if not grid.now_there and found.clients.gone and found.clients.clock() > 30.0:
            grid.now_there = {FIRST, SECOND, THIRD}
        return before()

    grid.get_node_ids = back_later  # type: ignore[method-assign]
    model = found.run().model.to_bytes()
    assert found.table("rounds.csv")["replies"].tolist() == [3, 3, 3]
    assert found.table("rounds.csv")["failures"].tolist() == [0, 3, 0]
    untouched, _ = federation(tmp_path / "b", three_bakeries, {})
    assert model == untouched.run().model.to_bytes()


def test_in_turn_the_next_one_trains_when_one_is_lost(tmp_path: Path, three_bakeries: str) -> None:
    """Of cyclic training a bakery that is killed in its turn doesn't end the run."""
    there = {"train 2": {FIRST, THIRD}}
    found, _ = federation(tmp_path, three_bakeries, there, aggregation="cyclic")
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("how", ["an error", "no reply"])
def test_in_turn_the_next_one_trains_when_one_has_no_answer(
    tmp_path: Path, three_bakeries: str, how: str
) -> None:
    """Of cyclic training a bakery that fails or hangs in its turn doesn't end the run."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if name == "bakery 1" and message.metadata.message_type == "train":
            if how == "an error":
                raise RuntimeError("the oven is cold")
            clock[0] += 700.0
        return honest()

    clock = [0.0]
    settings = small_settings(three_bakeries, num_server_rounds=4, aggregation="cyclic")
    found = federation_of(tmp_path, settings, app=MeddledApp(meddle))
    found.clients.clock = lambda: clock[0]
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [1, 1, 1, 1]
    assert {name for _, name, _ in found.failures()} == {"bakery 1"}


def test_nobody_left_to_learn_from_is_said(tmp_path: Path, three_bakeries: str) -> None:
    """Those who are there have too few days; those who could train are named."""
    rows = pd.read_csv(three_bakeries)
    last = sorted(rows["date"].unique())[-20:]
    short = rows[(rows["bakery"] != "bakery 0") | rows["date"].isin(last)]
    path = tmp_path / "short.csv"
    short.to_csv(path, index=False)
    there = {"evaluate 1": {FIRST}}
    found, _ = federation(tmp_path / "run", str(path), there)
    with pytest.raises(FederationError) as caught:
        found.run()
    assert str(caught.value) == (
        "round 2: none of the bakeries that are present has enough to learn from; "
        "those that have are bakery 1, bakery 2"
    )
    assert {e["bakery"] for e in events(found.folder) if e["event"] == "bakery_missing"} == {
        "bakery 1",
        "bakery 2",
    }

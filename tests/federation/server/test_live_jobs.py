"""Trainings on the wall clock: whatever clients do, a buffer comes of it, or why there is none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import FederationError, ImpossibleSumError
from glean.federation.server.job_schedule import Buffer
from glean.federation.server.live_jobs import JOB, LiveJobs
from glean.federation.wire.messages import JobReply
from glean.runs.code_version import code_fingerprint
from glean.settings import ConfigValue, RunSettings
from tests.federations import events
from tests.scripted_grid import ScriptedExchange, ScriptedGrid, scripted_exchange

NAMES = "ABCDE"
FLOOR, BOUND, LIMIT_S = 3, 2, 100.0


class TrainingGrid(ScriptedGrid):
    """Nodes from 2 that train; those in `lacking` say that they lack the model."""

    def __init__(self, *, reports_lost: bool = True) -> None:
        super().__init__(reports_lost=reports_lost)
        self.lacking: set[str] = set()
        self.busy: set[int] = set()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        messages = list(messages)
        for message in messages:
            if message.metadata.message_type == JOB:
                node = message.metadata.dst_node_id
                assert node not in self.busy
                self.busy.add(node)
        return super().push_messages(messages)

    def _reply(self, number: str) -> Message | None:
        found = super()._reply(number)
        _, asked = self._sent[number]
        if found is None or found.has_error() or asked.metadata.message_type != JOB:
            return found
        node = asked.metadata.dst_node_id
        self.busy.discard(node)
        name = self.nodes[node].info.bakery
        reply = JobReply(name, code_fingerprint(), lacks_model=name in self.lacking)
        return Message(reply.to_record(), reply_to=asked)


class Manager:
    """Of a manager what trainings need."""

    def __init__(self, exchange: ScriptedExchange) -> None:
        told: dict[str, ConfigValue] = {"mode": "async", "buffer-size": 3, "staleness-bound": BOUND}
        self.settings = RunSettings.from_config(told | {"privacy": "noise"})
        self.clients = exchange.clients
        self.contributors_floor = FLOOR
        self.held: dict[str, str] = {}
        self.whole: list[str] = []

    def present_trainers(self, number: int) -> tuple[str, ...]:
        """As the manager's, which waits for as many as the floor."""
        if len(self.clients.present) < FLOOR:
            self.gather(number, at_least=FLOOR)
        return tuple(sorted(self.clients.present))

    def gather(self, number: int, *, at_least: int = 0) -> None:
        """See who is there; those that came hold no model."""
        for name in self.clients.gather(at_least=at_least, round_number=number):
            self.held.pop(name, None)

    def task(self, name: str, model: Any, number: int, *, whole: bool = False) -> Any:
        """Make a task."""
        self.whole += [name] * whole
        record = RecordDict({"task": ConfigRecord({"round": number, "state": model.state})})
        return SimpleNamespace(to_record=lambda: record)

    def holds_model(self, name: str) -> bool:
        """As the manager's."""
        return name in self.held

    def note_model(self, name: str, state: str) -> None:
        """As the manager's."""
        self.held[name] = state


def met(grid: TrainingGrid, exchange: ScriptedExchange) -> tuple[Manager, LiveJobs]:
    for node, name in enumerate(NAMES, start=2):
        grid.start(node, name)
    exchange.clients.register(at_least=len(NAMES))
    manager = Manager(exchange)
    jobs: Any = LiveJobs
    return manager, jobs(manager)


def filled(jobs: LiveJobs, number: int) -> Buffer:
    model: Any = SimpleNamespace(state=f"model {number - 1}")
    return jobs.filled(number, model)


def test_the_first_who_are_done_fill_a_buffer(tmp_path: Path) -> None:
    """By when they are done; the others go on, and come with their staleness."""
    grid = TrainingGrid()
    with scripted_exchange(grid, tmp_path) as exchange:
        _, jobs = met(grid, exchange)
        for node, seconds in zip(range(2, 7), (9.0, 40.0, 3.0, 5.0, 1.0), strict=True):
            grid.nodes[node].reply_s = seconds
        assert filled(jobs, 1).clients == ("C", "D", "E")
        assert 5.0 <= grid.now < 9.0
        second = filled(jobs, 2)
        assert second.clients == ("A", "C", "E")
        assert [job.staleness(2) for job in second.jobs] == [1, 0, 0]
        jobs.settle(2)
        third = filled(jobs, 3)
        assert {job.client: job.staleness(3) for job in third.jobs}["B"] == 2
        assert grid.now < 60.0


def test_who_lacks_the_model_is_sent_all_of_it_once(tmp_path: Path) -> None:
    """Who says so again is named, and the round goes on."""
    grid = TrainingGrid()
    with scripted_exchange(grid, tmp_path) as exchange:
        manager, jobs = met(grid, exchange)
        grid.lacking = {"A"}
        assert filled(jobs, 1).clients == ("B", "C", "D")
        jobs.settle(1)
        assert manager.whole == ["A"]
        failed = [e for e in events(exchange.clients.folder) if e["event"] == "bakery_failed"]
        assert [(e["bakery"], e["reason"][:29]) for e in failed] == [
            ("A", "the reply says that it lacks ")
        ]


def test_two_are_no_buffer(tmp_path: Path) -> None:
    """Where all others have failed; what they keep is there for the next round."""
    grid = TrainingGrid()
    with scripted_exchange(grid, tmp_path) as exchange:
        _, jobs = met(grid, exchange)
        grid.lacking = {"A", "B", "C"}
        with pytest.raises(ImpossibleSumError, match="found D, E done with their training, and no"):
            filled(jobs, 1)
        grid.lacking = {"A", "B"}
        second = filled(jobs, 2)
        assert {job.client: job.staleness(2) for job in second.jobs} == {"C": 0, "D": 1, "E": 1}


def test_what_a_client_kept_is_gone_with_its_node(tmp_path: Path) -> None:
    """Done or not: whoever comes back has a new node and begins anew."""
    grid = TrainingGrid()
    with scripted_exchange(grid, tmp_path) as exchange:
        manager, jobs = met(grid, exchange)
        grid.nodes[2].reply_s = grid.nodes[3].reply_s = 9.0
        assert filled(jobs, 1).clients == ("C", "D", "E")
        jobs.settle(1)
        grid.leave(2)
        grid.leave(3)
        grid.start(8, "B")
        grid.nodes[8].reply_s = 0.1
        manager.gather(2, at_least=4)
        second = filled(jobs, 2)
        assert "A" not in second.clients
        assert {job.client: job.staleness(2) for job in second.jobs}["B"] == 0


SCRIPT = st.lists(
    st.tuples(
        st.integers(2, 6),
        st.sampled_from(["leave", "come", "fall silent", "speak", "slow", "fast"]),
        st.floats(0.1, 250.0),
    ),
    max_size=10,
)


def happens(grid: TrainingGrid, node: int, what: str) -> None:
    """Let something happen to a node."""
    scripted = grid.nodes[node]
    match what:
        case "leave":
            scripted.online = False
            grid.busy.discard(node)
        case "come":
            scripted.online = True
        case "fall silent" | "speak":
            scripted.silent = what == "fall silent"
        case _:
            scripted.reply_s = 70.0 if what == "slow" else 0.5


@settings(max_examples=30, deadline=None)
@given(SCRIPT, st.lists(st.floats(0.1, 60.0), min_size=5, max_size=5), st.booleans())
def test_buffers_keep_their_promises_whatever_clients_do(
    script: list[tuple[int, str, float]], reply_s: list[float], reports_lost: bool
) -> None:
    """A client once in each, as many as the floor, none too stale, in bounded time; or none."""
    grid = TrainingGrid(reports_lost=reports_lost)
    with tempfile.TemporaryDirectory() as folder, scripted_exchange(grid, Path(folder)) as exchange:
        manager, jobs = met(grid, exchange)
        for node, seconds in enumerate(reply_s, start=2):
            grid.nodes[node].reply_s = seconds
        for node, what, seconds in script:
            grid.at(grid.now + seconds, partial(happens, grid, node, what))
        with suppress(FederationError):  # too few are there for too long
            for number in range(1, 7):
                start = grid.now
                grid.busy.clear()  # of what took too long a node has let go
                manager.gather(number)
                buffer = filled(jobs, number)
                assert len({*buffer.clients}) == len(buffer.clients) == FLOOR
                assert all(0 <= job.staleness(number) <= BOUND for job in buffer.jobs)
                assert all(job.staleness(number) > BOUND for job in buffer.dropped)
                assert grid.now - start <= 4 * LIMIT_S
        start = grid.now
        jobs.settle(7)
        assert grid.now - start <= LIMIT_S + 5.0

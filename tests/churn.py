"""Federations whose bakeries go and come at given moments, and what became of each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from flwr.app import Message, RecordDict

from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.sum_request import HISTOGRAMS
from glean.settings import ConfigValue
from tests.federations import Federation, federation_of, small_settings

Moment = tuple[str, int, int]
"""Type and round of messages that are sent together, and how often there were such before."""


class Vanishing(InProcessGrid):
    """Nodes go and come just as messages are sent; who goes loses its state, as when killed."""

    going: ClassVar[Mapping[int, Moment]] = {}
    """When a node goes, by its id: what it is asked then it doesn't answer any more."""

    coming: ClassVar[Mapping[int, Moment]] = {}
    """When a node comes, or comes back."""

    def __init__(self, *parts: object, **options: object) -> None:
        super().__init__(*parts, **options)  # type: ignore[arg-type]
        self.away = self.coming.keys() - self.going.keys()
        self.moments: list[Moment] = []

    def get_node_ids(self) -> list[int]:
        """Nodes that are there."""
        return [node for node in super().get_node_ids() if node not in self.away]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send, after those have gone and come whose moment it is."""
        messages = list(messages)
        kind, group = messages[0].metadata.message_type, int(messages[0].metadata.group_id)
        earlier = sum(moment[:2] == (kind, group) for moment in self.moments)
        now = (kind, group, earlier)
        self.moments.append(now)
        for node in (node for node, moment in self.going.items() if moment == now):
            self.away.add(node)
            self._hosts[node].context.state = RecordDict()
        self.away -= {node for node, moment in self.coming.items() if moment == now}
        return super().push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Let a node that is there answer."""
        return super().pull_messages(i for i in message_ids if not self._goes_to_nobody(i))

    def _goes_to_nobody(self, message_id: str) -> bool:
        message = self._unanswered.get(message_id)
        return message is not None and message.metadata.dst_node_id in self.away


def node_of(bakery: str) -> int:
    """Node id of "bakery 3"."""
    return 2 + int(bakery.split()[1])


def churned(
    out: Path,
    sales: str,
    changes: Mapping[str, ConfigValue],
    *,
    bakeries: int,
    going: Mapping[str, Moment] | None = None,
    coming: Mapping[str, Moment] | None = None,
    nodes: Sequence[Mapping[str, ConfigValue]] = (),
) -> tuple[Federation, Vanishing]:
    """A masked federation with these settings whose bakeries go and come at these moments."""
    by_node = {
        "going": {node_of(bakery): moment for bakery, moment in (going or {}).items()},
        "coming": {node_of(bakery): moment for bakery, moment in (coming or {}).items()},
    }
    # A deployment wants five of its own accord.
    enough: dict[str, ConfigValue] = {"min_contributors": 3} if nodes else {}
    grid_type = type("Vanishing", (Vanishing,), by_node)
    settings = small_settings(
        sales, **{"num_server_rounds": 3, "secure_sums": True, **enough, **changes}
    )
    found = federation_of(
        out, settings, partitions=range(bakeries), nodes=nodes, grid_type=grid_type
    )
    assert isinstance(found.grid, Vanishing)
    return found, found.grid


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pauses move the clock that a conversation waits by."""
    clock = [0.0]
    place = "glean.federation.coordination.exchange.time"
    monkeypatch.setattr(f"{place}.monotonic", lambda: clock[0])
    monkeypatch.setattr(f"{place}.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))


class StepLog:
    """What came of every step of the federations that run while it listens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.results: list[tuple[int, SumResult]] = []
        honest = SumRounds.run

        def run(steps: SumRounds, number: int, *parts: object, **options: object) -> SumResult:
            result = honest(steps, number, *parts, **options)  # type: ignore[arg-type]
            self.results.append((number, result))
            return result

        monkeypatch.setattr(SumRounds, "run", run)

    def last(self, part: str, number: int) -> SumResult:
        """The last step of a round that had a part."""
        found = [
            result
            for at, result in self.results
            if at == number and any(part in asked.contributes for asked in result.requests.values())
        ]
        return found[-1]

    def counted(self, part: str, number: int) -> frozenset[str]:
        """Bakeries that filled a part in the last step of a round that had it."""
        result = self.last(part, number)
        return frozenset(
            name for name in result.replies if part in result.requests[name].contributes
        )

    def asked(self, part: str, number: int) -> frozenset[str]:
        """Bakeries that were to contribute a part to the last sum of a round that had it."""
        requests = self.last(part, number).requests
        return frozenset(name for name, request in requests.items() if part in request.contributes)

    def learners(self, rounds: int) -> list[frozenset[str]]:
        """Bakeries that each round's trees are grown from."""
        return [self.counted(HISTOGRAMS, number) for number in range(1, rounds + 1)]

"""Small federations in this process, honest or meddled with, for tests of the rounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.aggregation.error_histogram import ErrorDistribution
from glean.client_app import app as glean_app
from glean.demand.error_sums import sum_errors
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.server.conclusion import FinishedRounds
from glean.federation.server.setup import (
    ClientInfos,
    negotiate_spec,
    register_clients,
    training_loop,
)
from glean.federation.server.training_loop import TrainingLoop, TrainingResult
from glean.privacy.members import new_keys, write_members
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue, RunSettings

Honest = Callable[[], Message]
Meddle = Callable[[Message, str, Honest], Message]

SMALL: dict[str, ConfigValue] = {
    "num-server-rounds": 2,
    "learning-rate": 0.3,
    "max-depth": 2,
    "min-child-weight": 1.0,
    "subsample": 1.0,
    "colsample": 1.0,
    "test-days": 14,
    "validation-days": 14,
    "min-available-bakeries": 1,
    "baselines": False,
    "leaf-values": "scaled",
    "secure-sums": False,
    "privacy": "sums",
}


class MeddledApp(ClientApp):
    """Glean's ClientApp, where a test may answer in a bakery's place.

    Parameters
    ----------
    meddle : callable
        Given the message, "bakery k" for the node of partition k, and a function that gives the
        honest reply; returns the reply or raises.
    """

    def __init__(self, meddle: Meddle) -> None:
        super().__init__()
        self._meddle = meddle

    def __call__(self, message: Message, context: Context) -> Message:
        name = f"bakery {context.node_config['partition-id']}"
        return self._meddle(message, name, lambda: glean_app(message, context))


@dataclass(frozen=True)
class Federation:
    """A federation whose bakeries are registered."""

    grid: InProcessGrid
    settings: RunSettings
    folder: RunFolder
    clients: ClientExchange
    bakeries: ClientInfos
    newcomers: tuple[str, ...]
    rounds: TrainingLoop

    def run(self) -> TrainingResult:
        """Run the rounds."""
        with as_server(self.grid):
            return self.rounds.run()

    def test(self, result: TrainingResult, findings: str = "") -> dict[str, str]:
        """Have the final model tested."""
        with as_server(self.grid):
            return self.rounds.test(result, findings=findings)

    def errors(self, result: TrainingResult) -> ErrorDistribution | None:
        """Have it summed up how far the final model is off."""
        finished = FinishedRounds(
            self.settings,
            self.rounds,
            self.clients,
            result,
            self.bakeries,
            frozenset(self.newcomers),
            self.folder,
        )
        with as_server(self.grid):
            return sum_errors(finished)

    def failures(self) -> list[tuple[int, str, str]]:
        """Round, bakery and reason of every `bakery_failed` in `events.jsonl`."""
        found = [e for e in events(self.folder) if e["event"] == "bakery_failed"]
        return [(e["round"], e["bakery"], e["reason"]) for e in found]

    def table(self, name: str) -> pd.DataFrame:
        """A CSV file of the run's folder."""
        return pd.read_csv(self.folder.path / name)


def member_nodes(
    folder: Path, tables: Mapping[str, Path], *, homes: bool = False
) -> list[dict[str, ConfigValue]]:
    """Node configs of bakeries with tables of their own, and the keys of members for sums.

    Three are enough for a sum.
    """
    keys = {bakery: new_keys(bakery) for bakery in tables}
    folder.mkdir(parents=True, exist_ok=True)
    members = folder / "members.json"
    members.write_bytes(write_members(own.member for own in keys.values()))
    nodes: list[dict[str, ConfigValue]] = []
    for bakery, own in keys.items():
        signing = folder / f"{bakery}.pem"
        signing.write_bytes(own.signing_key)
        node = {"sales": tables[bakery], "bakery": bakery, "signing-key": signing}
        node |= {"members": members} | ({"home": folder / bakery} if homes else {})
        told: dict[str, ConfigValue] = {key: str(value) for key, value in node.items()}
        nodes.append(told | {"min-contributors": 3})
    return nodes


class CapturingGrid(InProcessGrid):
    """Keeps every message that is sent and every reply."""

    def __init__(self, *parts: object, **options: object) -> None:
        super().__init__(*parts, **options)  # type: ignore[arg-type]
        self.captured: list[Message] = []

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send, and keep what was sent."""
        sent = list(messages)
        self.captured += sent
        return super().push_messages(sent)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Receive, and keep what was received."""
        received = super().pull_messages(message_ids)
        self.captured += received
        return received


def events(folder: RunFolder) -> list[dict[str, Any]]:
    """Every line of `events.jsonl`; none where there is no such file."""
    path = folder.path / "events.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def small_settings(sales: str, **changes: ConfigValue) -> RunSettings:
    """Two quick rounds on a table; keys with "_" for "-"."""
    config = SMALL | {"sales": sales}
    return RunSettings.from_config(
        config | {key.replace("_", "-"): value for key, value in changes.items()}
    )


def federation_of(
    out: Path,
    settings: RunSettings,
    *,
    partitions: Iterable[int] = range(3),
    nodes: Sequence[Mapping[str, ConfigValue]] = (),
    app: ClientApp = glean_app,
    grid_type: type[InProcessGrid] = InProcessGrid,
    model_key: str = "",
) -> Federation:
    """Let nodes meet, one after the other: those of these partitions, or with these configs."""
    nodes = nodes or [{"partition-id": partition} for partition in partitions]
    grid = grid_type(app, nodes, settings.to_config(), run_id=1)
    folder = RunFolder.create(out, run_id=1)
    with as_server(grid):
        clients, bakeries, newcomers = register_clients(grid, settings, folder, model_key=model_key)
        spec = negotiate_spec(bakeries, newcomers, settings)
        rounds = training_loop(clients, settings, spec, bakeries, newcomers)
    return Federation(grid, settings, folder, clients, bakeries, newcomers, rounds)


def model_bytes(out: Path, settings: RunSettings, partitions: Sequence[int] = range(3)) -> bytes:
    """Bytes of the final model of an honest federation."""
    return federation_of(out, settings, partitions=partitions).run().model.to_bytes()

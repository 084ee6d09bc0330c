"""Federations in this process without a ServerApp's epilogue, for measurements by round."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.metered_grid import MeteredGrid, Spent
from glean.aggregation.error_histogram import ErrorDistribution
from glean.client_app import app
from glean.demand.error_sums import sum_errors
from glean.demand.workload import DEMAND
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.federation.client.client import client_of
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.grids.inprocess import as_server
from glean.federation.server.conclusion import FinishedRounds
from glean.federation.server.setup import (
    ClientInfos,
    negotiate_spec,
    register_clients,
    training_loop,
)
from glean.federation.server.training_loop import TrainingLoop, TrainingResult
from glean.node_settings import NodeSettings
from glean.runs.folder import RunFolder
from glean.settings import RunSettings


class WatchedFolder(RunFolder):
    """A run's folder that notes what had been spent when each round's model was there.

    Parameters
    ----------
    path : Path
        As for `RunFolder`.
    grid : MeteredGrid
        Its meter is read.

    Attributes
    ----------
    milestones : list of Spent
        One a round.
    """

    def __init__(self, path: Path, grid: MeteredGrid) -> None:
        super().__init__(path)
        self._grid = grid
        self.milestones: list[Spent] = []

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file; a checkpoint is the moment at which a round's model is there."""
        if name.startswith("models/"):
            self.milestones.append(self._grid.so_far())
        return super().write_bytes(name, content)


@dataclass(frozen=True)
class Federation:
    """A federation whose bakeries are registered."""

    grid: MeteredGrid
    folder: WatchedFolder
    settings: RunSettings = field(repr=False)
    clients: ClientExchange = field(repr=False)
    infos: ClientInfos = field(repr=False)
    newcomers: tuple[str, ...]
    rounds: TrainingLoop = field(repr=False)

    def run(self) -> TrainingResult:
        """Run the rounds."""
        with as_server(self.grid):
            return self.rounds.run()

    def sum_errors(self, result: TrainingResult) -> ErrorDistribution | None:
        """Sum up how far the final model is off on validation windows, as a run's end does."""
        finished = FinishedRounds(
            self.settings,
            self.rounds,
            self.clients,
            result,
            self.infos,
            frozenset(self.newcomers),
            self.folder,
        )
        with as_server(self.grid):
            return sum_errors(finished)

    def checkpoints(self) -> list[bytes]:
        """Model file of each round, in order."""
        return [path.read_bytes() for path in sorted((self.folder.path / "models").iterdir())]

    def validation_curve(self) -> list[float]:
        """Read the validation WAPE of each round; NaN of one that wasn't scored."""
        with (self.folder.path / "rounds.csv").open(encoding="utf-8") as file:
            return [float(row["wape"] or "nan") for row in csv.DictReader(file)]


def federation_of(
    settings: RunSettings, bakeries: int | Sequence[int], scratch: Path
) -> Federation:
    """Register so many bakeries, or those with these numbers; the run's folder is in `scratch`."""
    numbers = range(bakeries) if isinstance(bakeries, int) else bakeries
    nodes = [{"partition-id": k, "num-partitions": len(numbers)} for k in numbers]
    grid = MeteredGrid(app, nodes, settings.to_config())
    # Runs that begin in the same second need folders of their own.
    runs = len(list(scratch.iterdir())) if scratch.exists() else 0
    folder = WatchedFolder(RunFolder.create(scratch, run_id=runs + 1).path, grid)
    with as_server(grid):
        clients, infos, newcomers = register_clients(grid, settings, folder)
        spec = negotiate_spec(infos, newcomers, settings)
        rounds = training_loop(clients, settings, spec, infos, newcomers)
    return Federation(grid, folder, settings, clients, infos, newcomers, rounds)


def open_bakeries(settings: RunSettings, bakeries: int) -> list[BakeryRows]:
    """Open the bakeries of a simulation where its apps find them, so that rows are made once."""
    found = []
    for partition in range(bakeries):
        # As the demand workload asks, or the cache takes it for another question.
        rows = bakery_rows_of(NodeSettings(partition=partition), settings, newcomer=False)
        assert rows is not None, "there is a bakery for every partition"
        found.append(rows)
    return found


def feature_definition(bakeries: Sequence[BakeryRows], settings: RunSettings) -> FeatureDefinition:
    """Agree on the features of these bakeries, as a federation of them does."""
    facts = [{"knows_season": bakery.windows.knows_season} for bakery in bakeries]
    return FeatureDefinition.from_json(DEMAND.negotiate(facts, settings))


def clear_caches() -> None:
    """Forget every bakery that this process has opened, with its rows and what it has learned."""
    client_of.cache_clear()
    bakery_rows_of.cache_clear()


def validation_curve(settings: RunSettings, bakeries: int, scratch: Path) -> list[float]:
    """Run the rounds and return the federation's validation WAPE by round."""
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    return federation.validation_curve()

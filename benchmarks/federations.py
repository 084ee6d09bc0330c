"""Federations in this process without a ServerApp's epilogue, for measurements by round."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.metered_grid import MeteredGrid, Spent
from glean.client_app import app
from glean.federation.grids.inprocess import as_server
from glean.federation.server.setup import negotiate_features, register_clients, training_loop
from glean.federation.server.training_loop import TrainingLoop, TrainingResult
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
    """A federation whose bakeries have met."""

    grid: MeteredGrid
    folder: WatchedFolder
    rounds: TrainingLoop = field(repr=False)

    def run(self) -> TrainingResult:
        """Run the rounds."""
        with as_server(self.grid):
            return self.rounds.run()

    def checkpoints(self) -> list[bytes]:
        """Model file of each round, in order."""
        return [path.read_bytes() for path in sorted((self.folder.path / "models").iterdir())]

    def validation_curve(self) -> list[float]:
        """Read the validation WAPE of each round."""
        with (self.folder.path / "rounds.csv").open(encoding="utf-8") as file:
            return [float(row["wape"]) for row in csv.DictReader(file)]


def federation_of(
    settings: RunSettings, bakeries: int | Sequence[int], scratch: Path
) -> Federation:
    """Let so many bakeries meet, or those with these numbers; the run's folder is in `scratch`."""
    numbers = range(bakeries) if isinstance(bakeries, int) else bakeries
    nodes = [{"partition-id": k, "num-partitions": len(numbers)} for k in numbers]
    grid = MeteredGrid(app, nodes, settings.to_config())
    # Runs that begin in the same second need folders of their own.
    runs = len(list(scratch.iterdir())) if scratch.exists() else 0
    folder = WatchedFolder(RunFolder.create(scratch, run_id=runs + 1).path, grid)
    with as_server(grid):
        clients, met, newcomers = register_clients(grid, settings, folder)
        definition = negotiate_features(met, newcomers, settings)
        rounds = training_loop(clients, settings, definition, met, newcomers)
    return Federation(grid, folder, rounds)


def validation_curve(settings: RunSettings, bakeries: int, scratch: Path) -> list[float]:
    """Run the rounds and return the federation's validation WAPE by round."""
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    return federation.validation_curve()

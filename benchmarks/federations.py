"""Federations in this process without a ServerApp's epilogue, for measurements by round."""

from __future__ import annotations

import csv
from pathlib import Path

from glean.client_app import app
from glean.federation.inprocess import InProcessGrid, as_server
from glean.federation.lead import agree, meet, rounds_of
from glean.federation.run_folder import RunFolder
from glean.settings import RunSettings


def validation_curve(settings: RunSettings, bakeries: int, scratch: Path) -> list[float]:
    """Run the rounds and return the federation's validation WAPE by round."""
    nodes = [{"partition-id": k, "num-partitions": bakeries} for k in range(bakeries)]
    grid = InProcessGrid(app, nodes, settings.to_config(), run_id=1)
    folder = RunFolder.create(scratch, run_id=1)
    with as_server(grid):
        talk, met, newcomers = meet(grid, settings, folder)
        definition = agree(met, newcomers, settings)
        rounds_of(talk, settings, definition, met, newcomers).run()
    with (folder.path / "rounds.csv").open(encoding="utf-8") as file:
        return [float(row["wape"]) for row in csv.DictReader(file)]

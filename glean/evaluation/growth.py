"""Does it get better as more bakeries join? Federations of 1, 2, 5, ... out of the same bakeries.

For each size the bakeries are split into federations of that size, and all of them are judged by
their own federation's model: so every point of the curve is the WAPE of the same bakeries.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from flwr.clientapp import ClientApp

from glean.errors import GleanError
from glean.evaluation.backtest import rows_from_json
from glean.evaluation.scores import BakeryScore
from glean.federation.inprocess import InProcessGrid, as_server
from glean.federation.lead import agree, meet, rounds_of
from glean.federation.run_folder import RunFolder, write_whole
from glean.sales.partitions import bakeries_of_run
from glean.settings import RunSettings

SIZES = (1, 2, 5, 10, 20, 40)
METHODS = {
    "wape_federated": "federated",
    "wape_local": "local",
    "wape_weekday_mean": "weekday-mean",
}


def measure_growth(run: Path, client_app: ClientApp) -> Iterator[int]:
    """Write `growth.csv` into a run's folder, with the run's settings.

    Parameters
    ----------
    run : Path
        Folder of a completed simulation.
    client_app : ClientApp
        The app that plays the bakeries, in this process.

    Yields
    ------
    int
        Each size once it is measured.

    Raises
    ------
    GleanError
        The run is a deployment, whose tables aren't here, or its table has gone.
    """
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if facts.get("engine") == "deployment":
        raise GleanError("a deployment's tables aren't here: use `glean report RUN --no-growth`")
    settings = RunSettings.from_config(facts["settings"])
    rounds = replace(settings.rounds, min_available_bakeries=1, early_stopping_rounds=0)
    settings = replace(settings, rounds=rounds)
    count = len(bakeries_of_run(settings.table, SIZES[-1]))
    rivals: dict[str, float] = {}
    rows = []
    for size in (size for size in SIZES if size <= count):
        # The rivals don't depend on the size: they are measured once.
        asked = replace(settings, baselines=not rivals)
        scores = [
            s for nodes in _groups(count, size) for s in _federation(asked, nodes, client_app)
        ]
        found = {name: _wape(scores, method) for name, method in METHODS.items()}
        rivals = rivals or {n: v for n, v in found.items() if n != "wape_federated"}
        rows.append({"bakeries": size, "wape_federated": found["wape_federated"], **rivals})
        yield size
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_whole(run / "growth.csv", text.encode())


def _groups(count: int, size: int) -> list[range]:
    """Split 0..count into runs of `size`; a rest too small for a run joins the last one."""
    starts = [start for start in range(0, count, size) if count - start >= size]
    ends = [*starts[1:], count]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)]


def _federation(
    settings: RunSettings, nodes: Sequence[int], client_app: ClientApp
) -> list[BakeryScore]:
    config = settings.to_config()
    grid = InProcessGrid(client_app, [{"partition-id": n} for n in nodes], config, run_id=1)
    with tempfile.TemporaryDirectory(prefix="glean-growth-") as scratch, as_server(grid):
        folder = RunFolder.create(Path(scratch), run_id=1)
        talk, bakeries, newcomers = meet(grid, settings, folder)
        definition = agree(bakeries, newcomers, settings)
        rounds = rounds_of(talk, settings, definition, bakeries, newcomers)
        replies = rounds.test(rounds.run())
    return [score for name, text in replies.items() for score in rows_from_json(text, bakery=name)]


def _wape(scores: Sequence[BakeryScore], method: str) -> float:
    mine = [score for score in scores if score.method == method]
    units = sum(score.units for score in mine)
    return sum(score.abs_error for score in mine) / units if units > 0 else float("nan")

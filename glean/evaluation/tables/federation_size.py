"""Does it get better as more bakeries join? Federations of 1, 2, 5, ... out of the same bakeries.

For each size the bakeries are split into federations of that size, and all of them are judged by
their own federation's model: so every point of the curve is the WAPE of the same bakeries. Those
with too few days to learn from take no part, since a federation of one of them couldn't begin. Each
begins from nothing, also where the run started from a model: a smaller one wouldn't have had it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from glean.errors import GleanError
from glean.evaluation.tables.backtest import rows_from_json
from glean.evaluation.tables.inprocess_federation import inprocess_federation
from glean.evaluation.tables.scores import BakeryScore
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.server.setup import draw_newcomers
from glean.node_settings import NodeSettings
from glean.runs.folder import write_whole
from glean.runs.index import read_run
from glean.sales.partitions import bakeries_of_run
from glean.settings import RunSettings

SIZES = (1, 2, 5, 10, 20, 40)
METHODS = {
    "wape_federated": "federated",
    "wape_local": "local",
    "wape_weekday_mean": "weekday-mean",
}


def measure_sizes(run: Path, client_app: BakeryApp) -> Iterator[int]:
    """Write `growth.csv` into a run's folder, with the run's settings.

    Parameters
    ----------
    run : Path
        Folder of a completed simulation.
    client_app : BakeryApp
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
    stored = read_run(run)
    if stored.engine == "deployment":
        raise GleanError("a deployment's tables aren't here: use `glean report RUN --no-growth`")
    settings = RunSettings.from_config(stored.settings)
    rounds = replace(settings.rounds, min_available_bakeries=1, early_stopping_rounds=0)
    # Masks change no number, and one or two bakeries can't hide each other.
    settings = replace(settings, rounds=rounds, secure_sums=False)
    nodes, newcomers = _learners(settings)
    baselines: dict[str, float] = {}
    rows = []
    for size in (size for size in SIZES if size <= len(nodes)):
        # The baselines don't depend on the size: they are measured once.
        asked = replace(settings, baselines=not baselines)
        scores = [
            score
            for group in _groups(nodes, size)
            for score in _federation(asked, group, newcomers, client_app)
        ]
        found = {name: _wape(scores, method) for name, method in METHODS.items()}
        baselines = baselines or {n: v for n, v in found.items() if n != "wape_federated"}
        rows.append({"bakeries": size, "wape_federated": found["wape_federated"], **baselines})
        yield size
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_whole(run / "growth.csv", text.encode())


def _learners(settings: RunSettings) -> tuple[list[int], tuple[str, ...]]:
    """Nodes of the first bakeries with enough days to learn from, and who plays a newcomer."""
    bakeries = bakeries_of_run(settings.table, SIZES[-1])
    newcomers = draw_newcomers([bakery.name for bakery in bakeries], settings)
    nodes = []
    for node, bakery in enumerate(bakeries):
        bakery_rows = bakery_rows_of(
            NodeSettings(node), settings, newcomer=bakery.name in newcomers
        )
        if bakery_rows is not None and bakery_rows.trains:
            nodes.append(node)
    return nodes, newcomers


def _groups(nodes: Sequence[int], size: int) -> list[Sequence[int]]:
    """Split nodes into groups of `size`; a rest too small for a group joins the last one."""
    starts = range(0, len(nodes) - size + 1, size)
    ends = [*starts[1:], len(nodes)]
    return [nodes[start:end] for start, end in zip(starts, ends, strict=True)]


def _federation(
    settings: RunSettings, nodes: Sequence[int], newcomers: Sequence[str], client_app: BakeryApp
) -> list[BakeryScore]:
    with inprocess_federation(settings, nodes, newcomers, client_app) as rounds:
        replies = rounds.test(rounds.run())
    return [score for name, text in replies.items() for score in rows_from_json(text, bakery=name)]


def _wape(scores: Sequence[BakeryScore], method: str) -> float:
    mine = [score for score in scores if score.method == method]
    units = sum(score.units for score in mine)
    return sum(score.abs_error for score in mine) / units if units > 0 else float("nan")

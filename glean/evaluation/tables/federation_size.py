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
from glean.evaluation.tables.client_tables import train_local_model
from glean.evaluation.tables.inprocess_federation import inprocess_federation
from glean.evaluation.tables.scores import BakeryScore, naive_scale, score_methods
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.server.setup import draw_newcomers
from glean.federation.workload.registry import load
from glean.forecasting.baselines import baselines
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import read_model
from glean.learning.learning_rates import learning_rate_of
from glean.node_settings import NodeSettings
from glean.process_pool import Job, shared_out
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


def measure_sizes(run: Path, client_app: str, *, workers: int = 1) -> Iterator[int]:
    """Write `growth.csv` into a run's folder, with the run's settings.

    Parameters
    ----------
    run : Path
        Folder of a completed simulation.
    client_app : str
        Where the app is that plays the bakeries, like "glean.client_app:app".
    workers : int
        How many processes share the federations; the table is the same at any number.

    Yields
    ------
    int
        Each size once it is measured; the largest first, since its federation takes longest.

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
    # Masks change no number, and one or two bakeries can't hide each other. The rivals don't depend
    # on the size: they are measured once, and of all that a bakery makes only those shown.
    settings = replace(settings, rounds=rounds, secure_sums=False, baselines=False)
    nodes, newcomers = _learners(settings)
    found = _Scores([size for size in reversed(SIZES) if size <= len(nodes)])
    groups = [(size, group) for size in found.sizes for group in _groups(nodes, size)]
    jobs = [
        Job(_title(group), _federation, (settings, group, newcomers, client_app, size == SIZES[0]))
        for size, group in groups
    ]
    for place, scores in shared_out(jobs, workers=workers):
        size = groups[place][0]
        found.take(place, size, scores)
        if found.count(size) == sum(size == other for other, _ in groups):
            yield size
    write_whole(run / "growth.csv", found.table().encode())


class _Scores:
    """What is measured so far, by size."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self._found: dict[int, dict[int, list[BakeryScore]]] = {size: {} for size in sizes}

    def take(self, place: int, size: int, scores: list[BakeryScore]) -> None:
        """Keep the scores of a federation; its place says where, whenever it comes."""
        self._found[size][place] = scores

    def count(self, size: int) -> int:
        """How many federations of a size are measured."""
        return len(self._found[size])

    def table(self) -> str:
        """Write `growth.csv`."""
        rows = []
        usual: dict[str, float] = {}
        for size in reversed(self.sizes):
            scores = [score for _, each in sorted(self._found[size].items()) for score in each]
            found = {name: _wape(scores, method) for name, method in METHODS.items()}
            usual = usual or {n: v for n, v in found.items() if n != "wape_federated"}
            rows.append({"bakeries": size, "wape_federated": found["wape_federated"], **usual})
        return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


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


def _title(nodes: Sequence[int]) -> str:
    """Name a federation, for an error."""
    return f"the federation of the bakeries {', '.join(str(node + 1) for node in nodes)}"


def _federation(
    settings: RunSettings,
    nodes: Sequence[int],
    newcomers: Sequence[str],
    client_app: str,
    baselines_too: bool,
) -> list[BakeryScore]:
    """Run a federation and test it; with `baselines_too` also what there is without it."""
    with inprocess_federation(settings, nodes, newcomers, load(client_app)) as rounds:
        result = rounds.run()
        replies = rounds.test(result)
    scores = [
        score for name, text in replies.items() for score in rows_from_json(text, bakery=name)
    ]
    if baselines_too:
        model = read_model(result.model.to_bytes())
        scores += [
            score for node in nodes for score in _baseline_scores(settings, node, newcomers, model)
        ]
    return scores


def _baseline_scores(
    settings: RunSettings, node: int, newcomers: Sequence[str], model: ForecastModel
) -> list[BakeryScore]:
    """Score a bakery's own model, of the same kind as the federation's, and its habit."""
    bakery = bakery_rows_of(NodeSettings(node), settings, newcomer=False)
    if bakery is not None and bakery.sales.name in newcomers:
        bakery = bakery_rows_of(NodeSettings(node), settings, newcomer=True)
    assert bakery is not None, "it took part"
    training, test = bakery.training(model.definition), bakery.test(model.definition)
    local = train_local_model(bakery, model, learning_rate=learning_rate_of(settings.rounds))
    forecasts = {
        "local": local.predict(test),
        "weekday-mean": baselines(test)["weekday-mean"],
    }
    return score_methods(
        test,
        forecasts,
        bakery=bakery.sales.name,
        cohort=bakery.windows.cohort,
        scale=naive_scale(training, test),
    )


def _wape(scores: Sequence[BakeryScore], method: str) -> float:
    mine = [score for score in scores if score.method == method]
    units = sum(score.units for score in mine)
    return sum(score.abs_error for score in mine) / units if units > 0 else float("nan")

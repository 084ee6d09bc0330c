"""Does it get better as more bakeries join? Federations of 1, 2, 5, ... out of the same bakeries.

For each size the bakeries are split into federations of that size, and all of them are judged by
their own federation's model: so every point of the curve is the WAPE of the same bakeries. Those
with too few days to learn from take no part, since a federation of one of them couldn't begin. Each
begins from nothing, also where the run started from a model: a smaller one wouldn't have had it.
What the run's own final test has found out isn't trained for again (`run_scores.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from glean.errors import GleanError
from glean.evaluation.tables.backtest import rows_from_json
from glean.evaluation.tables.client_tables import train_local_model
from glean.evaluation.tables.inprocess_federation import inprocess_federation
from glean.evaluation.tables.run_scores import RunScores
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
    learners, newcomers = _learners(settings)
    known = _run_scores(run, settings, learners, newcomers)
    nodes = list(learners)
    sizes = [size for size in reversed(SIZES) if size <= len(nodes)]
    groups = [(size, group) for size in sizes for group in _groups(nodes, size)]
    found = _Scores(sizes, [size for size, _ in groups])
    jobs, places = [], []
    for place, (size, group) in enumerate(groups):
        federated = known.federation([learners[node].name for node in group])
        alone: list[int] = []
        for node in group if size == SIZES[0] else ():
            mine = known.baselines(learners[node].name, season=learners[node].season)
            found.take(place, mine or ())
            alone += [] if mine else [node]
        if federated is not None and not alone:
            found.take(place, federated)
            yield from found.done(place)
        else:
            told = (settings, group, newcomers, client_app, alone)
            jobs.append(Job(_title(group), _federation, told))
            places.append(place)
    for done, scores in shared_out(jobs, workers=workers):
        found.take(places[done], scores)
        yield from found.done(places[done])
    write_whole(run / "growth.csv", found.table().encode())


class _Scores:
    """What is measured so far, by size."""

    def __init__(self, sizes: Sequence[int], by_place: Sequence[int]) -> None:
        self.sizes = sizes
        self._by_place = by_place
        self._missing = Counter(by_place)
        self._found: dict[int, list[BakeryScore]] = {}

    def take(self, place: int, scores: Sequence[BakeryScore]) -> None:
        """Keep scores of a federation; its place says where, whenever they come."""
        self._found.setdefault(place, []).extend(scores)

    def done(self, place: int) -> Iterator[int]:
        """Note that a federation is measured; its size, if it was the last one of it."""
        size = self._by_place[place]
        self._missing[size] -= 1
        if not self._missing[size]:
            yield size

    def table(self) -> str:
        """Write `growth.csv`."""
        rows = []
        usual: dict[str, float] = {}
        for size in reversed(self.sizes):
            mine = [place for place, other in enumerate(self._by_place) if other == size]
            scores = [score for place in mine for score in self._found[place]]
            found = {name: _wape(scores, method) for name, method in METHODS.items()}
            usual = usual or {n: v for n, v in found.items() if n != "wape_federated"}
            rows.append({"bakeries": size, "wape_federated": found["wape_federated"], **usual})
        return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


@dataclass(frozen=True)
class _Learner:
    """A bakery with enough days to learn from; `season`: alone it would know the season."""

    name: str
    season: bool


def _learners(settings: RunSettings) -> tuple[dict[int, _Learner], tuple[str, ...]]:
    """Learners among the first bakeries, by their nodes, and who plays a newcomer."""
    bakeries = bakeries_of_run(settings.table, SIZES[-1])
    newcomers = draw_newcomers([bakery.name for bakery in bakeries], settings)
    found = {}
    for node, bakery in enumerate(bakeries):
        cut = bakery.name in newcomers
        rows = bakery_rows_of(NodeSettings(node), settings, newcomer=cut)
        if rows is not None and rows.trains:
            found[node] = _Learner(bakery.name, season=rows.windows.knows_season and not cut)
    return found, newcomers


def _run_scores(
    run: Path, settings: RunSettings, learners: Mapping[int, _Learner], newcomers: Sequence[str]
) -> RunScores:
    """Take over what the run has found out, where the same bakeries were newcomers in it."""
    facts = read_run(run).facts
    took_part = facts.get("bakeries") or []
    mine = [each for each in learners.values() if each.name in took_part]
    if {*newcomers} & {*took_part} != {*(facts.get("newcomers") or [])}:
        return RunScores({}, season=False, whole=False)
    return RunScores.of(run, settings, season=any(each.season for each in mine))


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
    alone: Sequence[int],
) -> list[BakeryScore]:
    """Run a federation and test it, and measure what some of its nodes have without it."""
    with inprocess_federation(settings, nodes, newcomers, load(client_app)) as rounds:
        result = rounds.run()
        replies = rounds.test(result)
    scores = [
        score for name, text in replies.items() for score in rows_from_json(text, bakery=name)
    ]
    model = read_model(result.model.to_bytes())
    return scores + [
        score for node in alone for score in _baseline_scores(settings, node, newcomers, model)
    ]


def _baseline_scores(
    settings: RunSettings, node: int, newcomers: Sequence[str], model: ForecastModel
) -> list[BakeryScore]:
    """Score a bakery's own model, of the same kind as the federation's, and its habit."""
    bakery = bakery_rows_of(NodeSettings(node), settings, newcomer=False)
    if bakery is not None and bakery.name in newcomers:
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
        bakery=bakery.name,
        cohort=bakery.windows.cohort,
        scale=naive_scale(training, test),
    )


def _wape(scores: Sequence[BakeryScore], method: str) -> float:
    mine = [score for score in scores if score.method == method]
    units = sum(score.units for score in mine)
    return sum(score.abs_error for score in mine) / units if units > 0 else float("nan")

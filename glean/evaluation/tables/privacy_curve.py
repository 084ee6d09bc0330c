"""What noise costs: WAPE on the test windows by epsilon, beside open sums and the baselines.

The shared model is judged, and `chosen`, what bakeries bake by. Each federation is trained twice:
as it is, and with a fifth of its bakeries cut to a short history, on whom alone the figures of
newcomers are. A bakery's rows and its own model are made once, with the settings' seed, and serve
all models that it is given; seeds draw trees, rows and noise of the shared model anew.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import add

import pandas as pd

from glean.evaluation.tables.client_tables import WindowedRows
from glean.evaluation.tables.inprocess_federation import inprocess_federation
from glean.evaluation.tables.noised_training import NoisedTraining
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.federation.client.client import client_of
from glean.federation.coordination.groups import Groups
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.server.setup import draw_newcomers
from glean.federation.wire.noised_parts import budget_of
from glean.federation.workload.registry import load, workload_of
from glean.forecasting.client_model import fit_client_model
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.forecasters import TreeForecaster, read_model
from glean.learning.forest import Forest
from glean.learning.learning_rates import learning_rate_of
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.process_pool import Job, shared_out
from glean.seeds import derived_seed
from glean.settings import RunSettings

EPSILONS = (math.inf, 8.0, 4.0, 2.0, 1.0, 0.5)
"""Infinite: random trees without noise."""

NEWCOMER_FRACTION = 0.2
"""Of the bakeries that are cut short where newcomers are judged, unless the settings say it."""

SUMS, NO_NOISE, NOISE = "sums", "no noise", "noise"
METHODS = ("federated", "chosen", "local", "weekday-mean")
_SHARES = ("local_share", "local_alone")
COLUMNS = (
    "bakeries",
    "privacy",
    "epsilon",
    "epsilon_of_a_days_sales",
    "seed",
    *(f"wape_{method.replace('-', '_')}" for method in METHODS),
    *_SHARES,
    *(f"newcomers_{method.replace('-', '_')}" for method in METHODS),
)
"""Of the curve: one row for each number of bakeries, kind of privacy, epsilon and seed."""


@dataclass(frozen=True, eq=False)
class _CountedBakery:
    """A bakery with what all models that it is given have in common."""

    rows: WindowedRows
    local: ForecastModel
    how: LocalTraining

    @classmethod
    def of(cls, bakery: BakeryRows, definition: FeatureDefinition) -> _CountedBakery:
        """Train the own model, as a run with the bakery's settings does."""
        rows, settings = WindowedRows.of(bakery, definition), bakery.settings
        seed = derived_seed(settings.seed, "local", rows.name)
        how = LocalTraining(settings.boosting, learning_rate_of(settings.rounds), seed)
        trees = TreeForecaster(Forest.empty(definition, objective=settings.boosting.objective))
        return cls(rows, trees.train_local(rows.training, rows.validation, how), how)

    def evaluate(
        self, model: ForecastModel, *, noised: bool
    ) -> tuple[dict[str, ErrorSums], dict[str, float]]:
        """Errors by method on the test window; how much of the chosen forecast is the own model."""
        own = fit_client_model(
            model,
            self.rows.training,
            self.rows.validation,
            boosting=self.how.boosting,
            learning_rate=self.how.learning_rate,
            seed=self.how.seed,
            local=self.local,
            noised=noised,
        )
        units, found = self.rows.test.units, own.forecasts(self.rows.test)
        share = own.selection.weights.get("local", 0.0)
        shares = {"local_share": share, "local_alone": float(share == 1.0)}
        return {method: ErrorSums.of(units, found[method]) for method in METHODS}, shares


class _Federation:
    """Bakeries that train together, and those of them that count."""

    def __init__(
        self,
        bakeries: Sequence[BakeryRows],
        newcomers: Sequence[str],
        settings: RunSettings,
        client_app: BakeryApp,
    ) -> None:
        self._newcomers = newcomers
        self._client_app = client_app
        self._nodes = range(len(bakeries))
        facts = [
            {"knows_season": each.windows.knows_season}
            for each in bakeries
            if each.name not in newcomers
        ]
        definition = FeatureDefinition.from_json(workload_of(settings).negotiate(facts, settings))
        learning = {each.name: each for each in bakeries if each.trains}
        training = [each.training(definition) for each in learning.values()]
        groups = Groups.of_roster(
            list(learning),
            [each.name for each in bakeries if not each.trains],
            floor=settings.min_contributors,
        )
        places = {name: place for place, name in enumerate(learning)}
        self._noised = NoisedTraining(
            training,
            definition,
            settings,
            [[places[name] for name in names if name in places] for names in groups.members]
            if groups
            else (),
        )
        self._counted = [
            _CountedBakery.of(each, definition)
            for each in bakeries
            if not newcomers or each.name in newcomers
        ]

    def evaluate(self, privacy: str, settings: RunSettings) -> dict[str, float]:
        """Train with these settings; WAPE by method, and the mean shares of own models."""
        model = self._sums(settings) if privacy == SUMS else self._random_trees(settings)
        noised = settings.noise.wanted
        found = [each.evaluate(model, noised=noised) for each in self._counted]
        sums = {m: reduce(add, [errors[m] for errors, _ in found], ErrorSums()) for m in METHODS}
        shares = sum((Counter(shares) for _, shares in found), Counter())
        return {method: sums[method].wape for method in METHODS} | {
            name: shares[name] / len(found) for name in _SHARES
        }

    def _sums(self, settings: RunSettings) -> ForecastModel:
        with inprocess_federation(
            settings, self._nodes, self._newcomers, self._client_app
        ) as rounds:
            content = rounds.run().model.to_bytes()
        # Another seed makes its rows anew: these aren't asked for again.
        client_of.cache_clear()
        bakery_rows_of.cache_clear()
        return read_model(content)

    def _random_trees(self, settings: RunSettings) -> ForecastModel:
        return TreeForecaster(self._noised.train(settings))


def measure_curve(
    settings: RunSettings, bakeries: int, client_app: str, *, seeds: int, workers: int = 1
) -> Iterator[pd.DataFrame]:
    """Measure the curve of the first so many bakeries of a simulation.

    Parameters
    ----------
    settings : RunSettings
        A run's in mode "sums", with an aggregation of trees.
    bakeries : int
        How many.
    client_app : str
        Where the app is that plays the bakeries where sums are opened as they are, like
        "glean.client_app:app".
    seeds : int
        How many seeds, from the settings' on.
    workers : int
        How many processes share the seeds; each makes the bakeries' rows and own models for itself.

    Yields
    ------
    DataFrame
        One more row with `COLUMNS`, in the order of the seeds, as soon as it is measured; of
        several processes once its seed is.
    """
    jobs = [
        Job(f"seed {seed}", _rows_of_seed, (settings, bakeries, client_app, seed))
        for seed in range(settings.seed, settings.seed + seeds)
    ]
    if min(workers, seeds) < 2:
        for job in jobs:
            yield from _measured(*job.arguments)
        return
    ahead: dict[int, list[pd.DataFrame]] = {}
    told = 0
    for place, rows in shared_out(jobs, workers=workers):
        ahead[place] = rows
        while told in ahead:
            yield from ahead.pop(told)
            told += 1


def _rows_of_seed(
    settings: RunSettings, bakeries: int, client_app: str, seed: int
) -> list[pd.DataFrame]:
    """Measure the rows of a seed."""
    return list(_measured(settings, bakeries, client_app, seed))


def _measured(
    settings: RunSettings, bakeries: int, client_app: str, seed: int
) -> Iterator[pd.DataFrame]:
    """Measure the rows of a seed, one after the other."""
    whole, young = _federations(settings, bakeries, client_app)
    for privacy, changed in _variants(replace(settings, seed=seed)):
        found = whole.evaluate(privacy, changed)
        row = {
            "bakeries": bakeries,
            "privacy": privacy,
            **_promised(changed),
            "seed": seed,
            **{f"wape_{method.replace('-', '_')}": found[method] for method in METHODS},
            **{name: found[name] for name in _SHARES},
        }
        if young:
            found = young.evaluate(privacy, changed)
            row |= {f"newcomers_{m.replace('-', '_')}": found[m] for m in METHODS}
        yield pd.DataFrame([row], columns=list(COLUMNS))


@lru_cache(maxsize=1)
def _federations(
    settings: RunSettings, count: int, client_app: str
) -> tuple[_Federation, _Federation | None]:
    """Make the federation as it is and, where it has newcomers then, the one with a fifth cut.

    Once a process for all seeds.
    """
    app = load(client_app)
    rows = _rows_of(settings, count, ())
    fraction = settings.rounds.newcomer_fraction or NEWCOMER_FRACTION
    cut = replace(settings.rounds, newcomer_fraction=fraction)
    names = [each.name for each in rows]
    newcomers = draw_newcomers(names, replace(settings, rounds=cut))
    whole = _Federation(rows, (), settings, app)
    if not newcomers:
        return whole, None
    young = _rows_of(settings, count, newcomers)
    return whole, _Federation(young, newcomers, settings, app)


def _rows_of(settings: RunSettings, count: int, newcomers: Sequence[str]) -> list[BakeryRows]:
    nodes = [NodeSettings(node) for node in range(count)]
    whole = [bakery_rows_of(node, settings) for node in nodes]
    found = [
        bakery_rows_of(each.node, settings, newcomer=True)
        if each is not None and each.name in newcomers
        else each
        for each in whole
    ]
    return [each for each in found if each is not None]


def _variants(settings: RunSettings) -> Iterator[tuple[str, RunSettings]]:
    """Give the settings of sums as they are, then of random trees with ever more noise."""
    # Masks change no number, and one or two bakeries can't hide each other.
    rounds = replace(settings.rounds, min_available_bakeries=1, early_stopping_rounds=0)
    yield SUMS, replace(settings, rounds=rounds, secure_sums=False)
    random_trees = replace(settings, rounds=replace(rounds, aggregation="oblivious"))
    for epsilon in EPSILONS:
        if math.isinf(epsilon):
            yield NO_NOISE, random_trees
        else:
            noise = replace(settings.noise, privacy="noise", epsilon=epsilon)
            yield NOISE, replace(random_trees, noise=noise)


def _promised(settings: RunSettings) -> dict[str, float]:
    """Give the epsilon of a day of records, and of a day's sales; nothing without noise."""
    if not settings.noise.wanted:
        return {}
    return {
        "epsilon": settings.noise.epsilon,
        "epsilon_of_a_days_sales": budget_of(settings).spent_of_a_days_sales,
    }

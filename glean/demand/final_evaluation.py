"""The final test at a bakery: refine the model and choose, score all methods, keep it at home."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from glean.aggregation.error_histogram import ErrorDistribution
from glean.demand.spec_check import checked_definition
from glean.errors import FederationError, GleanError
from glean.evaluation.tables import backtest
from glean.evaluation.tables.backtest import (
    CLIENT_METHODS,
    NOISED_METHODS,
    START,
    evaluate_start,
    rows_to_json,
)
from glean.evaluation.tables.client_tables import (
    client_model_of,
    tables_of_client,
    to_texts,
)
from glean.evaluation.tables.scores import BakeryScore, score_frame
from glean.evaluation.tables.summed_scores import sums_of, wapes_of
from glean.features.bakery_rows import BakeryRows
from glean.federation.wire.messages import FinalTask, Task
from glean.federation.workload.protocols import FinalScores
from glean.forecasting.client_model import ClientModel
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import read_model
from glean.forecasting.model_store import StoredModel, to_files
from glean.forecasting.rolling_origin import residuals
from glean.runs.client_home import NOBODY, Vouched, keep_files, keep_model
from glean.runs.spreadsheet_cells import to_spreadsheet_csv

LOG = logging.getLogger("glean")


def final_test(
    bakery: BakeryRows, task: FinalTask, *, run_id: int, vouched: Vouched = NOBODY
) -> FinalScores:
    """Score the final model and its baselines on the test window, and keep all at home.

    Raises
    ------
    ModelError
        The model can't be read.
    RefusalError
        It forecasts from other features than the settings say.
    """
    model = read_model(task.model)
    checked_definition(model.definition, bakery.settings)
    own = _client_model(bakery, task)
    rows = _scored(bakery, model, own)
    _keep(task.model, bakery, own, rows, run_id=run_id, vouched=vouched)
    return FinalScores(
        rows_to_json(rows),
        sums_of(rows, CLIENT_METHODS),
        wapes_of(rows, NOISED_METHODS),
        _simulated_tables(bakery, own),
    )


def start_test(bakery: BakeryRows, task: Task) -> FinalScores:
    """Score the model that the run started from on the same test window, without the baselines.

    Raises
    ------
    ModelError
        The model can't be read.
    RefusalError
        It forecasts from other features than the settings say.
    """
    model = read_model(task.model)
    definition = checked_definition(model.definition, bakery.settings)
    row = evaluate_start(
        model,
        bakery=bakery.name,
        cohort=bakery.windows.cohort,
        training=bakery.training(definition),
        test=bakery.test(definition),
    )
    return FinalScores(rows_to_json([row]), sums_of([row], (START,)), wapes_of([row], (START,)))


def _client_model(bakery: BakeryRows, task: FinalTask) -> ClientModel | None:
    """Refine the model and choose, where somebody is to forecast by it or to compare."""
    if not bakery.settings.baselines and not bakery.node.home:
        return None
    errors = ErrorDistribution.from_json(task.findings) if task.findings else None
    return client_model_of(bakery, task.model, learning_rate=task.learning_rate, errors=errors)


def _simulated_tables(bakery: BakeryRows, own: ClientModel | None) -> dict[str, str]:
    """Make the tables that a simulation's server wants of a bakery, while its models are here.

    Where that can't be, the server says why: it makes them itself then.
    """
    if own is None or not bakery.settings.baselines or bakery.sales.own_table:
        return {}
    try:
        return to_texts(tables_of_client(bakery, own))
    except GleanError:
        return {}


def _scored(bakery: BakeryRows, model: ForecastModel, own: ClientModel | None) -> list[BakeryScore]:
    definition = model.definition
    return backtest.evaluate(
        model,
        client_model=own if bakery.settings.baselines else None,
        bakery=bakery.name,
        cohort=bakery.windows.cohort,
        training=bakery.training(definition),
        test=bakery.test(definition),
    )


def _keep(
    model: bytes,
    bakery: BakeryRows,
    own: ClientModel | None,
    rows: Sequence[BakeryScore],
    *,
    run_id: int,
    vouched: Vouched,
) -> None:
    """Keep the model at home, if there is one, what the bakery made of it, and how good that was.

    Where that fails, the scores are sent all the same.
    """
    if not bakery.node.home:
        return
    home = Path(bakery.node.home)
    try:
        path = keep_model(home, model, bakery=bakery.name, run_id=run_id, vouched=vouched)
        scores = to_spreadsheet_csv(score_frame(rows))
        keep_files(home, {"bakeries.csv": scores.encode()})
        if own is not None:
            keep_files(home, to_files(_kept(bakery, own)))
            tables = to_texts(tables_of_client(bakery, own))
            keep_files(home, {name: text.encode() for name, text in tables.items()})
        LOG.info("kept at home: %s, which this bakery forecasts from now on", path)
    except FederationError as error:
        LOG.error("%s", error)  # noqa: TRY400 - the words say it all


def _kept(bakery: BakeryRows, own: ClientModel) -> StoredModel:
    definition = own.shared.definition
    windows = bakery.training(definition), bakery.validation(definition)
    past = own.residuals(*windows)["chosen"].plus(
        residuals(
            bakery.test(definition),
            own.forecasts(bakery.test(definition))["chosen"],
            fitted=False,
        )
    )
    last = int(past.days.max(initial=0))
    return StoredModel(own, past.until(last), bakery.sales.region)

"""The final test of one bakery: every method forecasts the same rows of the test window."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from glean.errors import ModelError
from glean.evaluation.tables.scores import BakeryScore, naive_scale, score_methods
from glean.features.matrix import FeatureMatrix
from glean.forecasting.client_model import ClientModel
from glean.forecasting.forecast_model import ForecastModel

CLIENT_METHODS = ("federated", "personalised", "chosen", "local", "weekday-mean", "last-week")
"""Methods that a bakery judges by itself."""

NOISED_METHODS = ("federated", "weekday-mean")
"""Those that a run with noise scores at the server: they forecast a test row by that row and the
model. The others learn from training rows, whose privacy the model has spent."""

START = "start-from"
"""Method: the model that the run started from, before it learned from the newer rows."""

COHORTS = ("newcomer", "established")

MAY_BE_UNKNOWN = ("wape", "mae", "rmse", "mape", "mase", "bias")
"""NaN where nothing was sold, or no row was there."""


def evaluate(
    model: ForecastModel,
    *,
    client_model: ClientModel | None,
    bakery: str,
    cohort: str,
    training: FeatureMatrix,
    test: FeatureMatrix,
) -> list[BakeryScore]:
    """Score the federation's model and, with `client_model`, what the bakery has besides.

    Parameters
    ----------
    model : ForecastModel
        The federation's final model.
    client_model : ClientModel or None
        What the bakery forecasts from; None leaves all but the federation's model out.
    bakery, cohort : str
        As they shall stand in the rows.
    training, test : FeatureMatrix
        The bakery's rows before the validation window, and in the test window.

    Returns
    -------
    list of BakeryScore
        By `CLIENT_METHODS`, in their order.
    """
    forecasts = client_model.forecasts(test) if client_model else {"federated": model.predict(test)}
    scale = naive_scale(training, test)
    return score_methods(test, forecasts, bakery=bakery, cohort=cohort, scale=scale)


def evaluate_start(
    model: ForecastModel,
    *,
    bakery: str,
    cohort: str,
    training: FeatureMatrix,
    test: FeatureMatrix,
) -> BakeryScore:
    """Score the model that the run started from, on the same rows as `evaluate`.

    Parameters
    ----------
    model : ForecastModel
        The model that the run started from.
    bakery, cohort, training, test
        As for `evaluate`.
    """
    forecasts = {START: model.predict(test)}
    scale = naive_scale(training, test)
    (score,) = score_methods(test, forecasts, bakery=bakery, cohort=cohort, scale=scale)
    return score


def rows_to_json(scores: Sequence[BakeryScore]) -> str:
    """Write rows of `bakeries.csv` for a message; NaN becomes null."""
    rows = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in s.to_row().items()}
        for s in scores
    ]
    return json.dumps(rows)


def rows_from_json(text: str, *, bakery: str) -> list[BakeryScore]:
    """Read rows that a bakery sent.

    Parameters
    ----------
    text : str
        What `rows_to_json` wrote, if the bakery is honest.
    bakery : str
        The bakery that sent them: it speaks of no other.

    Raises
    ------
    ModelError
        They aren't rows of `bakeries.csv` for this bakery, one of them "federated", each of
        another method, with finite numbers.
    """
    scores = _read_rows(text)
    methods = [score.method for score in scores]
    if sorted({*methods, "federated"}) != sorted(methods) or not set(methods) <= set(
        CLIENT_METHODS
    ):
        raise ModelError(
            f"the final scores are of {', '.join(methods)!r:.200}; wanted federated, and at most "
            f"once each of {', '.join(CLIENT_METHODS[1:])}"
        )
    _check_scores(scores, bakery)
    return scores


def start_row_from_json(text: str, *, final: Sequence[BakeryScore]) -> BakeryScore:
    """Read the row that a bakery sent on the model that the run started from.

    Parameters
    ----------
    text : str
        What `rows_to_json` wrote, if the bakery is honest.
    final : sequence of BakeryScore
        Its rows from `rows_from_json`.

    Raises
    ------
    ModelError
        It isn't one row of method "start-from", for the same rows of the same bakery.
    """
    scores = _read_rows(text)
    methods = [score.method for score in scores]
    if methods != [START]:
        raise ModelError(f"the scores are of {', '.join(methods)!r:.200}; wanted {START} once")
    _check_scores([*final, *scores], final[0].bakery)
    return scores[0]


def _read_rows(text: str) -> list[BakeryScore]:
    try:
        rows = json.loads(text, parse_constant=_refuse_constant)
        return [
            BakeryScore.from_row({k: math.nan if v is None else v for k, v in row.items()})
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as e:
        raise ModelError(f"the final scores can't be read: {e!r:.200}") from e


def _check_scores(scores: Sequence[BakeryScore], bakery: str) -> None:
    for score in scores:
        _check_score(score, bakery)
    if len({(score.n_days, score.n_rows, score.units) for score in scores}) > 1:
        raise ModelError("the final scores aren't of the same rows for every method")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"found {name}; wanted a number or null")


def _check_score(score: BakeryScore, bakery: str) -> None:
    row = score.to_row()
    if score.bakery != bakery or score.cohort not in COHORTS:
        found = f"{score.bakery!r:.80}, {score.cohort!r:.80}"
        raise ModelError(f"the final scores are of {found}; wanted {bakery!r} and its cohort")
    for name, value in row.items():
        if not isinstance(value, str) and not _possible(name, value):
            raise ModelError(f"the final scores have {name} {value}, which can't be")


def _possible(name: str, value: float) -> bool:
    if math.isnan(value):
        return name in MAY_BE_UNKNOWN
    return math.isfinite(value) and (value >= 0 or name == "bias")

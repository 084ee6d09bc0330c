"""A bakery's sales and a model, opened to forecast from: a home, a run's folder or a model file.

A home holds what the bakery made of the model after a run; from a run's folder or a bare model file
the same is made here, on the sales at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glean.aggregation.error_histogram import ErrorDistribution
from glean.errors import GleanError, ModelError, SettingsError
from glean.features.matrix import FeatureMatrix, build_features
from glean.forecasting.client_model import ClientModel, fit_client_model
from glean.forecasting.cold_start import weekday_profile, with_stated_history
from glean.forecasting.model_store import NAMES_OF_FILES, from_files
from glean.forecasting.predict import read_model
from glean.forecasting.prior import ERRORS_FILE, prior_calibration
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import residuals
from glean.learning.forest import Forest
from glean.runs.client_home import ABOUT as HOME
from glean.sales.products import Product
from glean.sales.stock_outs import with_demand
from glean.sales.table import SalesTable
from glean.sales.windows import windows_of
from glean.settings import BoostingSettings, WindowSettings

MODEL_NAMES = ("model.ubj", "model.npz")
SEED = 42
"""Of row sampling where own trees are grown here."""


@dataclass(frozen=True, eq=False)
class ForecastContext:
    """What a forecast needs.

    Parameters
    ----------
    name : str
        The bakery.
    table : SalesTable
        Its sales, with made-up days of young products.
    own : ClientModel
        What it forecasts from.
    past : Residuals
        Errors of the chosen forecast up to the last day of the table.
    region : str
        Region of the public holidays.
    unsold : frozenset of str
        Products without a day of sales.
    today : Timestamp
        Last day of sales; the day before the first forecast.
    units_label : str
        What the table counts: "units", or money.
    whole : bool
        Whether all that was sold are whole numbers: pieces.
    """

    name: str
    table: SalesTable
    own: ClientModel
    past: Residuals
    region: str
    unsold: frozenset[str]
    today: pd.Timestamp
    units_label: str
    whole: bool


@dataclass(frozen=True)
class _Found:
    """Files of a model's folder: the model, what is said of it, and what a bakery made of it.

    `widths` is how far the model is off at the bakeries of its run, where that is known.
    """

    model: bytes
    settings: Mapping[str, Any]
    files: Mapping[str, bytes]
    widths: ErrorDistribution | None = None


def open_bakery(
    model: Path,
    sales: SalesTable,
    *,
    bakery: str,
    products: Mapping[str, Product],
    region: str = "",
    today: pd.Timestamp | None = None,
    open_weekdays: tuple[int, ...] = tuple(range(7)),
) -> ForecastContext:
    """Open a bakery to forecast.

    Parameters
    ----------
    model : Path
        Home folder, run folder or model file.
    sales : SalesTable
        The bakery's sales; without rows where it has none yet.
    bakery : str
        Its name.
    products : mapping of str to Product
        Its product list; those that it has few sales of need `expected_units`.
    region : str
        Region of the public holidays; "" takes the run's.
    today : Timestamp, optional
        Last day before the forecast, where there are no sales to tell it.
    open_weekdays : tuple of int
        Weekdays on which it is open, 0 is Monday; read from the sales where there are any.

    Raises
    ------
    GleanError
        There is no model, or it can't be read; or nothing says how much is sold.
    """
    found = _find(model)
    shared = read_model(found.model)
    whole = bool((sales.rows["units"] == sales.rows["units"].round()).all())
    # A plan is for what will be asked for, whatever the run took the sales of sold-out days for.
    sales = with_demand(sales)
    rows = sales.rows
    if today is None and rows.empty:
        raise SettingsError("there are no sales yet: wanted the day to plan for, like --date")
    last = rows["date"].max() if len(rows) else today
    assert last is not None
    weekdays = _weekdays(rows, open_weekdays)
    table = with_stated_history(
        sales,
        products,
        profile=weekday_profile(shared),
        open_weekdays=weekdays,
        today=last,
        bakery=bakery,
    )
    region = region or str(found.settings.get("holiday-region") or "")
    own, past = _own(found, sales, table, region)
    unsold = frozenset(table.rows["product"]) - frozenset(rows["product"])
    return ForecastContext(
        name=bakery,
        table=table,
        own=own,
        past=past,
        region=region,
        unsold=unsold,
        today=last,
        units_label=str(found.settings.get("units-label") or "units"),
        whole=whole,
    )


def _find(path: Path) -> _Found:
    if path.is_file():
        return _Found(path.read_bytes(), {}, {})
    model = next((path / name for name in MODEL_NAMES if (path / name).is_file()), None)
    if model is None:
        raise GleanError(
            f"{path}: found no model ({' or '.join(MODEL_NAMES)}); wanted the folder of a run that "
            "completed, a bakery's home, or a model file"
        )
    if (path / HOME).is_file() and all((path / name).is_file() for name in NAMES_OF_FILES):
        files = {name: (path / name).read_bytes() for name in NAMES_OF_FILES}
        return _Found(model.read_bytes(), {}, files)
    facts = path / "run.json"
    settings: Mapping[str, Any] = {}
    if facts.is_file():
        settings = json.loads(facts.read_text(encoding="utf-8")).get("settings") or {}
    widths = path / ERRORS_FILE
    known = (
        ErrorDistribution.from_json(widths.read_text(encoding="utf-8"))
        if widths.is_file()
        else None
    )
    return _Found(model.read_bytes(), settings, {}, known)


def _weekdays(rows: pd.DataFrame, stated: tuple[int, ...]) -> tuple[int, ...]:
    if rows.empty:
        return stated
    seen = rows["date"].dt.day_of_week.unique().tolist()
    # A week of sales shows which days are open; fewer days don't.
    return tuple(sorted(seen if rows["date"].nunique() > 7 else {*seen, *stated}))


def _own(
    found: _Found, sales: SalesTable, table: SalesTable, region: str
) -> tuple[ClientModel, Residuals]:
    """Take what the home holds, brought up to date with newer sales; or make it of the sales."""
    shared = read_model(found.model)
    features = build_features(table, shared.definition, region=region)
    real = _real(features, sales)
    if found.files:
        try:
            kept = from_files(found.model, found.files)
        except ModelError as error:
            raise GleanError(f"this home can't be forecast from: {error}") from error
        errors = residuals(real, kept.own.forecasts(real)["chosen"], fitted=False)
        fresh = errors.rows(errors.days > kept.residuals.days.max(initial=0))
        return kept.own, kept.residuals.plus(fresh)
    return _made_here(found, sales, real)


def _real(features: FeatureMatrix, sales: SalesTable) -> FeatureMatrix:
    """Rows of days that were sold, without those made up."""
    sold = pd.MultiIndex.from_frame(sales.rows[["product", "date"]])
    return features.rows(pd.MultiIndex.from_frame(features.keys[["product", "date"]]).isin(sold))


def _made_here(
    found: _Found, sales: SalesTable, real: FeatureMatrix
) -> tuple[ClientModel, Residuals]:
    shared = read_model(found.model)
    boosting = BoostingSettings()
    if isinstance(shared, Forest):
        boosting = replace(boosting, objective=shared.objective)
    windows = sales.rows
    training, validation = real, real.rows(np.zeros(len(real), dtype=bool))
    if len(windows):
        end = windows["date"].max() + pd.Timedelta(days=1)
        laid = windows_of(sales, WindowSettings(test_start=str(end.date())))
        validation = real.between(laid.validation_start)
        training = (
            real.between(end=laid.validation_start)
            if laid.trains
            else real.between(end=laid.first_day)
        )
    own = fit_client_model(
        shared,
        training,
        validation,
        boosting=boosting,
        learning_rate=0.1,
        seed=SEED,
        prior=None if found.widths is None else prior_calibration(found.widths),
    )
    return own, own.residuals(training, validation)["chosen"]

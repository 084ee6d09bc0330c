"""The context of a bakery's forecast: its sales, the federation's model and its own.

`read_context` reads and trains nothing. `with_client_model` adds what the bakery forecasts from: a
home holds it, made after a run; for a run's folder or a bare model file it is trained on the sales
at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import GleanError, ModelError, SettingsError
from glean.features.matrix import FeatureMatrix, build_features
from glean.forecasting.client_model import ClientModel, fit_client_model
from glean.forecasting.cold_start import weekday_profile, with_cold_start
from glean.forecasting.model_source import ModelSource, find_model
from glean.forecasting.model_store import from_files
from glean.forecasting.prior import prior_calibration
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import residuals
from glean.privacy.model_key import ModelKey
from glean.sales.assortment import Offer, offers_of
from glean.sales.products import Product
from glean.sales.stock_outs import with_demand
from glean.sales.table import SalesTable
from glean.sales.windows import windows_of
from glean.settings import BoostingSettings, WindowSettings

SEED = 42
"""Of row sampling where own trees are grown here."""

LEARNING_RATE = 0.1
"""Of own weights where they are trained here."""

EVERY_DAY = tuple(range(7))


@dataclass(frozen=True, eq=False)
class BakeryContext:
    """A bakery's sales and the model that it got, as they were read.

    Parameters
    ----------
    name : str
        The bakery.
    source : ModelSource
        The model and what lies beside it.
    sales : SalesTable
        Its sales; of sold-out days the demand.
    table : SalesTable
        The same, with made-up days of young products.
    region : str
        Region of the public holidays.
    today : Timestamp
        Last day of sales; the day before the first forecast.
    units_label : str
        What the table counts: "units", or money.
    products : mapping of str to Product
        The product list; may be empty.
    pieces : frozenset of str
        Products of which only whole numbers were ever sold.
    offers : tuple of Offer
        When each product of `sales` is on offer.
    offers_ahead : tuple of Offer
        The same of `table`.
    """

    name: str
    source: ModelSource
    sales: SalesTable
    table: SalesTable
    region: str
    today: pd.Timestamp
    units_label: str
    products: Mapping[str, Product]
    pieces: frozenset[str]
    offers: tuple[Offer, ...]
    offers_ahead: tuple[Offer, ...]

    @property
    def unsold(self) -> frozenset[str]:
        """Products without a day of sales."""
        return frozenset(self.table.rows["product"]) - frozenset(self.sales.rows["product"])

    def features(self) -> FeatureMatrix:
        """Features of the days that were sold, without those made up and outlier days."""
        definition = self.source.shared.definition
        features = build_features(self.table, definition, region=self.region)
        sold = pd.MultiIndex.from_frame(self.sales.rows[["product", "date"]])
        days = pd.MultiIndex.from_frame(features.keys[["product", "date"]])
        return features.rows(days.isin(sold)).without_outliers()


@dataclass(frozen=True, eq=False)
class ForecastContext(BakeryContext):
    """What a forecast needs: a bakery's context, with the model that it forecasts from.

    Parameters
    ----------
    client_model : ClientModel
        What it forecasts from.
    residuals : Residuals
        Errors of the chosen forecast up to the last day of the table.
    """

    client_model: ClientModel
    residuals: Residuals


def read_context(
    model: Path,
    sales: SalesTable,
    *,
    bakery: str,
    products: Mapping[str, Product],
    region: str = "",
    today: pd.Timestamp | None = None,
    open_weekdays: tuple[int, ...] = EVERY_DAY,
    model_key: ModelKey | None = None,
) -> BakeryContext:
    """Read what a bakery's forecast goes by; nothing is trained.

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
    model_key : ModelKey, optional
        Whose signature the model must have.

    Raises
    ------
    GleanError
        There is no model, or it can't be read; or nothing says how much is sold.
    """
    return context_of(
        find_model(model, model_key),
        sales,
        bakery=bakery,
        products=products,
        region=region,
        today=today,
        open_weekdays=open_weekdays,
    )


def context_of(
    source: ModelSource,
    sales: SalesTable,
    *,
    bakery: str,
    products: Mapping[str, Product],
    region: str = "",
    today: pd.Timestamp | None = None,
    open_weekdays: tuple[int, ...] = EVERY_DAY,
) -> BakeryContext:
    """Read what a bakery's forecast goes by, with a model that was read already.

    Raises
    ------
    GleanError
        Nothing says how much is sold.
    """
    # A plan is for what will be asked for, whatever the run took the sales of sold-out days for.
    demand = with_demand(sales)
    last_day = _last_day(sales.rows, today)
    profile, days = weekday_profile(source.shared), _open_weekdays(sales.rows, open_weekdays)
    table = with_cold_start(
        demand, products, profile=profile, open_weekdays=days, today=last_day, bakery=bakery
    )
    offers = offers_of(demand)
    return BakeryContext(
        name=bakery,
        source=source,
        sales=demand,
        table=table,
        region=region or str(source.run_settings.get("holiday-region") or ""),
        today=last_day,
        units_label=str(source.run_settings.get("units-label") or "units"),
        products=products,
        pieces=_sold_in_pieces(sales.rows),
        offers=offers,
        offers_ahead=offers if table is demand else offers_of(table),
    )


def with_client_model(context: BakeryContext) -> ForecastContext:
    """Add the model that the bakery forecasts from: the home's, or else one trained here.

    Raises
    ------
    GleanError
        The home's files are damaged, or of another run than its model.
    """
    if context.source.client_files:
        client_model, past = stored_client_model(context)
    else:
        client_model, past = train_client_model(context)
    return ForecastContext(**vars(context), client_model=client_model, residuals=past)


def stored_client_model(context: BakeryContext) -> tuple[ClientModel, Residuals]:
    """Read the model that a home holds; newer sales add their errors, and train nothing.

    Raises
    ------
    GleanError
        The home's files are damaged, or of another run than its model.
    """
    try:
        stored = from_files(context.source.content, context.source.client_files)
    except ModelError as error:
        raise GleanError(f"this home can't be forecast from: {error}") from error
    features = context.features()
    errors = residuals(features, stored.own.forecasts(features)["chosen"], fitted=False)
    newer = errors.rows(errors.days > stored.residuals.days.max(initial=0))
    return stored.own, stored.residuals.plus(newer)


def train_client_model(context: BakeryContext) -> tuple[ClientModel, Residuals]:
    """Train the bakery's own model on its sales and refine the federation's, as after a run."""
    source = context.source
    training, validation = _training_and_validation(context)
    client_model = fit_client_model(
        source.shared,
        training,
        validation,
        boosting=BoostingSettings(),
        learning_rate=LEARNING_RATE,
        seed=SEED,
        prior=None if source.errors is None else prior_calibration(source.errors),
    )
    return client_model, client_model.residuals(training, validation)["chosen"]


def _training_and_validation(context: BakeryContext) -> tuple[FeatureMatrix, FeatureMatrix]:
    """Divide all days that were sold as a run would that tests on the days to come."""
    features, sold = context.features(), context.sales.rows
    if sold.empty:
        return features, features.rows(np.zeros(len(features), dtype=bool))
    test_start = sold["date"].max() + pd.Timedelta(days=1)
    windows = windows_of(context.sales, WindowSettings(test_start=str(test_start.date())))
    end = windows.validation_start if windows.trains else windows.first_day
    return features.between(end=end), features.between(windows.validation_start)


def _sold_in_pieces(rows: pd.DataFrame) -> frozenset[str]:
    whole = (rows["units"] == rows["units"].round()).groupby(rows["product"]).all()
    return frozenset(str(product) for product in whole.index[whole])


def _last_day(rows: pd.DataFrame, today: pd.Timestamp | None) -> pd.Timestamp:
    last = rows["date"].max() if len(rows) else today
    if last is None:
        raise SettingsError("there are no sales yet: wanted the day to plan for, like --date")
    return pd.Timestamp(last)


def _open_weekdays(rows: pd.DataFrame, given: tuple[int, ...]) -> tuple[int, ...]:
    if rows.empty:
        return given
    seen = rows["date"].dt.day_of_week.unique().tolist()
    # A week of sales shows which days are open; fewer days don't.
    return tuple(sorted(seen if rows["date"].nunique() > 7 else {*seen, *given}))

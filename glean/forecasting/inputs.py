"""Inputs of a forecast that can be known of a future day, and which of them are not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from glean.features.definition import FeatureDefinition
from glean.forecasting.forecast_model import ForecastModel
from glean.sales.known_future import KnownFuture

COLUMNS = {
    "promotion": ("promotion",),
    "price": ("price_change",),
    "holiday": ("holiday", "days_to_holiday", "days_since_holiday"),
    "school_holiday": ("school_holiday",),
    "temperature_c": ("temperature_c", "temperature_change"),
    "rain_mm": ("rain_mm",),
}
"""Column of the sales table -> columns of the features that are made of it."""


def inputs_of(definition: FeatureDefinition) -> tuple[str, ...]:
    """Columns of the sales table that can be known of a future day, covariates included."""
    return tuple(dict.fromkeys((*COLUMNS, *definition.covariates)))


def unknown_inputs(
    models: Sequence[ForecastModel], sales: pd.DataFrame, known_future: KnownFuture, *, region: str
) -> tuple[str, ...]:
    """Name the inputs that the models go by and that aren't known of the days to come.

    Parameters
    ----------
    models : sequence of ForecastModel
        What is mixed into the forecast. Trees go by the columns that they split on; of weights it
        can't be seen, they go by what the bakery's sales have.
    sales : DataFrame
        The bakery's rows.
    known_future : KnownFuture
        What the bakery knows of the days to come.
    region : str
        Region of the public holidays, which are known then; "" for none.
    """
    known = {*known_future.inputs, *(("holiday",) if region else ())}
    return tuple(
        dict.fromkeys(
            name for model in models for name in _used_by(model, sales) if name not in known
        )
    )


def _used_by(model: ForecastModel, sales: pd.DataFrame) -> Iterable[str]:
    inputs, used = inputs_of(model.definition), model.columns_used()
    if used is None:
        return [name for name in inputs if name in sales and sales[name].notna().any()]
    return [name for name in inputs if used & {name, *COLUMNS.get(name, ())}]

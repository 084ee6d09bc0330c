"""Inputs of a forecast that can be known of a future day, and which of them are not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from glean.features.definition import FeatureDefinition
from glean.forecasting.predict import Model, definition_of
from glean.learning.forest import Forest
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
    models: Sequence[Model], sales: pd.DataFrame, known_future: KnownFuture, *, region: str
) -> tuple[str, ...]:
    """Name the inputs that the models go by and that aren't known of the days to come.

    Parameters
    ----------
    models : sequence of Forest or Weights
        What is mixed into the forecast. A forest goes by the columns that its trees split on; of
        weights it can't be seen, they go by what the bakery's sales have.
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


def _used_by(model: Model, sales: pd.DataFrame) -> Iterable[str]:
    inputs = inputs_of(definition_of(model))
    if not isinstance(model, Forest):
        return [name for name in inputs if name in sales and sales[name].notna().any()]
    split = {
        model.feature_names[column]
        for tree in model.trees
        for column in set(tree.split_feature[tree.left >= 0].tolist())
    }
    return [name for name in inputs if split & {name, *COLUMNS.get(name, ())}]

"""What a bakery forecasts from before it has a model of the federation: level and own trees.

The level is what a product usually sells on such a weekday; what follows a bakery's own sales
beyond that is trained on these, as beside any model.
"""

from __future__ import annotations

import pandas as pd

from glean.features.definition import FeatureDefinition
from glean.forecasting.forecasters import read_model
from glean.forecasting.model_source import ModelSource
from glean.learning.forest import Forest
from glean.settings import BoostingSettings

SEASON_DAYS = 548
"""A year and a half of sales, from which on a season is learned: with one year every date was seen
once."""


def level_source(rows: pd.DataFrame) -> ModelSource:
    """Give the model without trees, for a bakery's sales.

    Parameters
    ----------
    rows : DataFrame
        Its sales, with a column `date`.
    """
    span = (rows["date"].max() - rows["date"].min()).days if len(rows) else 0
    definition = FeatureDefinition(horizon_days=1, season=span >= SEASON_DAYS)
    content = Forest.empty(definition, objective=BoostingSettings().objective).to_bytes()
    return ModelSource(content, read_model(content))

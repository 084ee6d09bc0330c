"""What is to be known of the weeks ahead as plain values: public holidays, and the weather."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd

from glean.forecasting.context import ForecastContext
from glean.forecasting.inputs import unknown_inputs
from glean.languages.language import LANGUAGES
from glean.operations.shop.kept_weather import KeptWeather
from glean.sales.calendars import holiday_name, holiday_names
from glean.sales.known_future import NOTHING_KNOWN
from glean.sales.weather_columns import WEATHER

LISTED_DAYS = 60
"""Days of which holidays are named."""


def days_ahead_values(
    context: ForecastContext, weather: KeptWeather, *, today: dt.date
) -> dict[str, Any]:
    """Write them.

    Parameters
    ----------
    context : ForecastContext
        The bakery's.
    weather : KeptWeather
        What is known of the weather.
    today : date
        By the clock.

    Returns
    -------
    dict
        `region`; `holidays`, ISO dates with their names by language; `weather`: `counts`, which of
        its columns the forecast goes by, `days` from today on, `heard_at` and `problem`.
    """
    first = pd.Timestamp(today)
    last = first + pd.Timedelta(days=LISTED_DAYS)
    named = holiday_names(context.region, first, last) if context.region else {}
    return {
        "region": context.region,
        "holidays": [
            [
                f"{day:%Y-%m-%d}",
                {code: holiday_name(context.region, day, code) for code in LANGUAGES},
            ]
            for day in named
        ],
        "weather": {
            "counts": weather_that_counts(context),
            "days": [
                [f"{day}", _known(said.temperature_c), _known(said.rain_mm)]
                for day, said in weather.days.items()
                if day >= today
            ],
            "heard_at": None if weather.heard_at is None else weather.heard_at.isoformat(),
            "problem": weather.problem,
        },
    }


def weather_that_counts(context: ForecastContext) -> list[str]:
    """Name the columns of the weather that the models behind the forecast go by."""
    models = [model for _, model in context.client_model.mixture()]
    used = unknown_inputs(models, context.table.rows, NOTHING_KNOWN, region=context.region)
    return [name for name in WEATHER if name in used]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 1)

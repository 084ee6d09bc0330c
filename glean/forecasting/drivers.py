"""Why a forecast is what it is, in plain words: the weekday, the weather, a holiday, recent sales.

In come rows and the models that forecast them; out comes, row by row, what moves the forecast most,
named from the values of the row ("rain", "day before a holiday"). A promotion is named however
little it moves: who planned one wants to see that it was heard. Models of weights give no such
values, and their rows no words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.features.definition import SPECIAL_RATIO
from glean.features.matrix import FeatureMatrix
from glean.forecasting.forecast_model import ForecastModel
from glean.metrics import Floats

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

GROUPS = {
    "weekday": ("weekday", "weekday_", "bakery_weekday_", "profile_"),
    "holiday": (
        "holiday",
        "days_to_holiday",
        "days_since_holiday",
        "school_holiday",
        SPECIAL_RATIO,
    ),
    "closing": ("days_closed_before",),
    "promotion": ("promotion",),
    "price": ("price_change",),
    "weather": ("temperature_", "rain_mm"),
    "season": ("year_",),
    "recent sales": ("lag_", "mean_", "deviation_", "bakery_", "share_of_bakery"),
}
"""Group -> beginnings of its columns; the first group that fits counts, the rest are "other"."""

WORTH_NAMING = 0.03
"""Share of the level that a group has to move a forecast by to be named."""

MOST_NAMED = 3

_OTHER_PRICE = 0.005
"""Change from which on a price isn't what it was; less is rounding."""

SOME, MUCH = 0.1, 0.3
"""Shares of the level from which on an effect isn't called little, and is called much."""


@dataclass(frozen=True)
class Driver:
    """What moves one forecast.

    Parameters
    ----------
    group : str
        One of `GROUPS`, or "other".
    effect : float
        Share of the product's level that it adds or takes.
    words : str
        What it is on that day, like "Saturday" or "rain".
    """

    group: str
    effect: float
    words: str

    def __str__(self) -> str:
        return f"{self.words} ({self.effect:+.0%})"

    def in_words(self) -> str:
        """Say it for the wall of a bakehouse: "Saturday: more", "rain: a little less"."""
        if abs(self.effect) < WORTH_NAMING:
            return f"{self.words}: hardly a difference"
        size = (
            "much " if abs(self.effect) >= MUCH else "a little " if abs(self.effect) < SOME else ""
        )
        return f"{self.words}: {size}{'more' if self.effect > 0 else 'less'}"


def drivers(
    features: FeatureMatrix, models: list[tuple[float, ForecastModel]], *, usual: FeatureMatrix
) -> list[tuple[Driver, ...]]:
    """Find what moves the forecast of every row.

    Parameters
    ----------
    features : FeatureMatrix
        n rows.
    models : list of (float, ForecastModel)
        What is mixed, with its share.
    usual : FeatureMatrix
        The bakery's rows of late, which the rows are compared with.

    Returns
    -------
    list of tuple of Driver
        n, each with at most `MOST_NAMED`, the strongest first.
    """
    asked = [(share, model.contributions(features.x, usual.x)) for share, model in models]
    told = [share * moved for share, moved in asked if moved is not None]
    if models and not told:
        return [()] * len(features)
    effects = _effects(features, told)
    return [
        _named(
            Driver(group, effect, _phrase(group, effect, features, row))
            for group, effect in ((name, float(moved[row])) for name, moved in effects.items())
        )
        for row in range(len(features))
    ]


def _named(found: Iterable[Driver]) -> tuple[Driver, ...]:
    """Keep those that have words and are worth naming, the strongest first."""
    strongest = sorted(
        (driver for driver in found if driver.words), key=lambda driver: -abs(driver.effect)
    )
    promoted = [driver for driver in strongest if driver.group == "promotion"]
    others = [
        driver
        for driver in strongest
        if driver not in promoted and abs(driver.effect) >= WORTH_NAMING
    ]
    kept = [*promoted, *others[: MOST_NAMED - len(promoted)]]
    return tuple(driver for driver in strongest if driver in kept)


def group_of(column: str) -> str:
    """Group of a feature column.

    Examples
    --------
    >>> group_of("weekday_mean_4"), group_of("lag_1"), group_of("temperature_c")
    ('weekday', 'recent sales', 'weather')
    """
    for group, beginnings in GROUPS.items():
        if column.startswith(beginnings):
            return group
    return "other"


def _effects(features: FeatureMatrix, moved: Sequence[Floats]) -> dict[str, Floats]:
    total = sum(moved, start=np.zeros(features.x.shape))
    groups = np.array([group_of(name) for name in features.definition.names])
    effects = {str(group): total[:, groups == group].sum(axis=1) for group in dict.fromkeys(groups)}
    special = features.special_ratio
    effects["holiday"] = np.where(np.isnan(special), effects["holiday"], special - 1)
    return effects


def _phrase(group: str, effect: float, features: FeatureMatrix, row: int) -> str:
    value = {
        name: float(features.x[row, place]) for place, name in enumerate(features.definition.names)
    }
    match group:
        case "weekday":
            return WEEKDAYS[pd.Timestamp(features.keys["date"].iloc[row]).day_of_week]
        case "holiday":
            known = np.isfinite(features.special_ratio[row])
            return "this special day before" if known else _holiday(value)
        case "closing":
            return "after closed days" if value["days_closed_before"] > 0 else ""
        case "promotion":
            return "promotion" if value["promotion"] > 0 else ""
        case "price":
            return _price(value["price_change"])
        case "weather":
            return _weather(value)
        case "season":
            return "time of the year"
        case "recent sales":
            return _recent(value["mean_7"], effect)
        case _:
            return ""


def _price(change: float) -> str:
    """Say which way a price went; `change` is a logarithm, NaN where no price is known."""
    if abs(change) >= _OTHER_PRICE:
        return "price went up" if change > 0 else "price went down"
    return ""


def _recent(week: float, effect: float) -> str:
    """Say how last week was (a share of the level, or NaN), where that explains the effect."""
    if week > 1 and effect > 0:
        return "recent days above usual"
    return "recent days below usual" if week < 1 and effect < 0 else "recent sales"


def _holiday(value: dict[str, float]) -> str:
    if value["holiday"] > 0:
        return "public holiday"
    if value["days_to_holiday"] <= 1:
        return "day before a holiday"
    if value["days_since_holiday"] <= 1:
        return "day after a holiday"
    if value["days_to_holiday"] <= 6:
        return f"{value['days_to_holiday']:.0f} days before a holiday"
    return "school holidays" if value["school_holiday"] > 0 else ""


def _weather(value: dict[str, float]) -> str:
    if value["rain_mm"] >= 1:
        return "rain"
    if np.isnan(value["temperature_c"]):
        return ""
    return f"{value['temperature_c']:.0f} °C"

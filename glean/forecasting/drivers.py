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
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.metrics import Floats

WEEKDAYS = (
    translatable("Monday"),
    translatable("Tuesday"),
    translatable("Wednesday"),
    translatable("Thursday"),
    translatable("Friday"),
    translatable("Saturday"),
    translatable("Sunday"),
)

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

_STRENGTHS = (
    (MUCH, translatable("{what}: much more"), translatable("{what}: much less")),
    (SOME, translatable("{what}: more"), translatable("{what}: less")),
    (WORTH_NAMING, translatable("{what}: a little more"), translatable("{what}: a little less")),
)


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
        What it is on that day, in English, like "Saturday" or "rain"; with `value` in braces.
    value : int
        The number that the words need, if any: days, or degrees.
    """

    group: str
    effect: float
    words: str
    value: int = 0

    def in_numbers(self, language: Language) -> str:
        """Say it with its share: "Saturday (+22%)"."""
        return f"{self._said(language)} ({language.change(self.effect)})"

    def in_words(self, language: Language) -> str:
        """Say it for the wall of a bakehouse: "Saturday: more", "rain: a little less"."""
        return language.translate(_size(self.effect), what=self._said(language))

    def _said(self, language: Language) -> str:
        return language.translate(self.words, value=self.value)


def _size(effect: float) -> str:
    """Say how much an effect is, with what has it as `what`."""
    if abs(effect) < WORTH_NAMING:
        return translatable("{what}: hardly a difference")
    more, less = next(words for strength, *words in _STRENGTHS if abs(effect) >= strength)
    return more if effect > 0 else less


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
            Driver(group, effect, *_phrase(group, effect, features, row))
            for group, effect in ((name, float(moved[row])) for name, moved in effects.items())
        )
        for row in range(len(features))
    ]


def foremost(found: Sequence[Driver], most: int) -> tuple[Driver, ...]:
    """Keep the strongest in their order; what was planned, a promotion, before all others."""
    promoted = [driver for driver in found if driver.group == "promotion"]
    others = [driver for driver in found if driver.group != "promotion"]
    kept = [*promoted, *others][:most]
    return tuple(driver for driver in found if driver in kept)


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


def _phrase(group: str, effect: float, features: FeatureMatrix, row: int) -> tuple[str, int]:
    """Say what a group is on the day of a row, in English, and the number in it."""
    value = {
        name: float(features.x[row, place]) for place, name in enumerate(features.definition.names)
    }
    match group:
        case "weekday":
            return WEEKDAYS[pd.Timestamp(features.keys["date"].iloc[row]).day_of_week], 0
        case "holiday":
            known = np.isfinite(features.special_ratio[row])
            return (translatable("this special day before"), 0) if known else _holiday(value)
        case "closing":
            return translatable("after closed days") if value["days_closed_before"] > 0 else "", 0
        case "promotion":
            return translatable("promotion") if value["promotion"] > 0 else "", 0
        case "price":
            return _price(value["price_change"]), 0
        case "weather":
            return _weather(value)
        case "season":
            return translatable("time of the year"), 0
        case "recent sales":
            return _recent(value["mean_7"], effect), 0
        case _:
            return "", 0


def _price(change: float) -> str:
    """Say which way a price went; `change` is a logarithm, NaN where no price is known."""
    if abs(change) >= _OTHER_PRICE:
        return translatable("price went up") if change > 0 else translatable("price went down")
    return ""


def _recent(week: float, effect: float) -> str:
    """Say how last week was (a share of the level, or NaN), where that explains the effect."""
    if week > 1 and effect > 0:
        return translatable("recent days above usual")
    if week < 1 and effect < 0:
        return translatable("recent days below usual")
    return translatable("recent sales")


def _holiday(value: dict[str, float]) -> tuple[str, int]:
    if value["holiday"] > 0:
        return translatable("public holiday"), 0
    if value["days_to_holiday"] <= 1:
        return translatable("day before a holiday"), 0
    if value["days_since_holiday"] <= 1:
        return translatable("day after a holiday"), 0
    if value["days_to_holiday"] <= 6:
        return translatable("{value} days before a holiday"), round(value["days_to_holiday"])
    return translatable("school holidays") if value["school_holiday"] > 0 else "", 0


def _weather(value: dict[str, float]) -> tuple[str, int]:
    if value["rain_mm"] >= 1:
        return translatable("rain"), 0
    if np.isnan(value["temperature_c"]):
        return "", 0
    return "{value} °C", round(value["temperature_c"])

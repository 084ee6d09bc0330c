"""The feature definition: which columns a model sees, agreed once for the whole federation.

It travels inside every model file, so that a model is never fed other columns than it learned
from. Nothing in it depends on anyone's sales.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache

from glean.errors import ModelError, SettingsError
from glean.sales.table import FORMAT

LEVEL_DAYS = 28
"""The level is the mean over this many trading days before the forecast origin."""

MIN_LEVEL_DAYS = 7
"""With fewer trading days than this there is no level yet."""

LAGS = (1, 2, 3, 7)
MEAN_DAYS = (3, 7, 14)
WEEKDAY_LAGS = (1, 2)
WEEKDAY_MEANS = (4, 8, 26)
WEEKDAY_SHARE = 0.08
"""What the last same weekday counts for in the exponential mean of all of them."""

RATIO_SHARES = (0.06, 0.15)
"""Likewise in the means of what was sold on this weekday for each unit of the level."""

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOLIDAY_REACH_DAYS = 7
"""Distance at which a public holiday stops mattering."""

HISTORY = (
    *(f"lag_{k}" for k in LAGS),
    *(f"mean_{k}" for k in MEAN_DAYS),
    "deviation_28",
    *(f"weekday_lag_{k}" for k in WEEKDAY_LAGS),
    *(f"weekday_mean_{k}" for k in WEEKDAY_MEANS),
    "weekday_ewm",
    *(f"weekday_ratio_{share:.0%}".rstrip("%") for share in RATIO_SHARES),
    *(f"profile_{name}" for name in WEEKDAY_NAMES),
    "share_of_bakery",
    "bakery_lag_1",
    "bakery_mean_7",
    "bakery_weekday_mean_4",
)
_CALENDAR = (
    "weekday",
    "days_closed_before",
    "holiday",
    "days_to_holiday",
    "days_since_holiday",
    "school_holiday",
)
_OFFER = ("promotion", "price_change")
_WEATHER = ("temperature_c", "temperature_change", "rain_mm")
SPECIAL_RATIO = "special_ratio"
"""What comes back from the same named day of an earlier year, over what is usual."""

_SEASON = ("year_sin", "year_cos", "year_lag", SPECIAL_RATIO)


def check_covariates(names: tuple[str, ...]) -> None:
    """Refuse covariates that the features already use, or that would tell the day's sales.

    Raises
    ------
    SettingsError
        A name is a column of the table's format or of the features, or stands twice.
    """
    built_in = FeatureDefinition(horizon_days=1, season=True).names
    taken = (set(FORMAT) - {"price"}) | set(built_in)
    wrong = [name for name in names if name in taken or names.count(name) > 1]
    if wrong:
        raise SettingsError(
            f"covariates: found {', '.join(dict.fromkeys(wrong))}; wanted further columns, each "
            f"once: what the format has ({', '.join(FORMAT)}) is used as it should be"
        )


@dataclass(frozen=True)
class FeatureDefinition:
    """Columns of a `FeatureMatrix`.

    Parameters
    ----------
    horizon_days : int
        Days between the last known sale and the forecast day.
    season : bool
        Whether the position in the year is among the columns; only where the federation has
        seen a full year.
    covariates : tuple of str
        Further numeric columns of the sales table, known in advance.

    Examples
    --------
    >>> "year_sin" in FeatureDefinition(horizon_days=1, season=False).names
    False
    """

    horizon_days: int
    season: bool
    covariates: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in the order of the matrix."""
        season = _SEASON if self.season else ()
        return (*HISTORY, *_CALENDAR, *_OFFER, *_WEATHER, *season, *self.covariates)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the definition, hex: equal for equal definitions only."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON, names included, so that a change of a built-in column shows."""
        return json.dumps(asdict(self) | {"names": self.names}, sort_keys=True)

    @classmethod
    @lru_cache(maxsize=8)  # every message of a run comes with the same text
    def from_json(cls, text: str) -> FeatureDefinition:
        """Read `to_json`'s text.

        Raises
        ------
        ModelError
            The text isn't a definition, or its columns aren't those that this version makes.
        """
        try:
            found = json.loads(text)
            definition = cls(
                horizon_days=int(found["horizon_days"]),
                season=bool(found["season"]),
                covariates=tuple(str(name) for name in found["covariates"]),
            )
            names = tuple(found["names"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ModelError(f"the model's feature definition can't be read: {error}") from error
        if names != definition.names:
            raise ModelError("the model was made by a version of Glean with other features")
        return definition

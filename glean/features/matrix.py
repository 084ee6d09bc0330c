"""A sales table becomes the matrix that models learn from; scale-free, without a look ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.calendar import day_numbers, holiday_columns, holiday_days, season_columns
from glean.features.definition import HOLIDAY_REACH_DAYS, SPECIAL_RATIO, FeatureDefinition
from glean.features.named_days import named_days, special_ratio
from glean.features.past_sales import PastSales, bakery_history, given, product_history, year_lag
from glean.sales.outlier_days import usual_of_outliers
from glean.sales.table import SalesTable

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = dict[str, Floats]

KEY_BYTES = 60
"""About what a row's date and two short names take."""

ORDINARY_DAY = {
    "holiday": 0.0,
    "days_to_holiday": float(HOLIDAY_REACH_DAYS),
    "days_since_holiday": float(HOLIDAY_REACH_DAYS),
}


@dataclass(frozen=True)
class FeatureMatrix:
    """Rows that a model learns from or forecasts; only rows whose product has a level.

    Parameters
    ----------
    x : float32 array of shape (rows, columns)
        Columns by `definition.names`; NaN where not known.
    y : float32 array of shape (rows,)
        Units divided by the level; NaN for days still to come, and for outlier days, which teach
        nothing (see `without_outliers`).
    level : float64 array of shape (rows,)
        What the product usually sells on such a weekday, by what was known at the forecast origin.
    mean_28 : float64 array of shape (rows,)
        Mean units of its last 28 trading days before the origin, by which features are divided.
    model_share : float64 array of shape (rows,)
        How much of what a model says counts, as a power: 1, and less on days that are better known
        from the same day of an earlier year.
    weight : float64 array of shape (rows,)
        Weight of a row in training, proportional to the level: the error that counts is in units.
    units : float64 array of shape (rows,)
        Units sold; NaN for days still to come.
    keys : DataFrame
        `date`, `bakery`, `product` of each row.
    definition : FeatureDefinition
        What the columns are.
    """

    x: Singles
    y: Singles
    level: Floats
    mean_28: Floats
    model_share: Floats
    weight: Floats
    units: Floats
    keys: pd.DataFrame
    definition: FeatureDefinition

    @property
    def nbytes(self) -> int:
        """Bytes in memory; of the keys about, as pandas takes long to count."""
        arrays = (self.x, self.y, self.level, self.mean_28, self.model_share, self.weight)
        numbers = sum(array.nbytes for array in (*arrays, self.units))
        return numbers + len(self) * KEY_BYTES

    def rows(self, mask: NDArray[np.bool_]) -> FeatureMatrix:
        """Keep the rows where `mask`, shape (rows,), is true."""
        return replace(
            self,
            x=self.x[mask],
            y=self.y[mask],
            level=self.level[mask],
            mean_28=self.mean_28[mask],
            model_share=self.model_share[mask],
            weight=self.weight[mask],
            units=self.units[mask],
            keys=self.keys[mask].reset_index(drop=True),
        )

    def between(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> FeatureMatrix:
        """Keep the days from `start` up to the day before `end`."""
        return self.rows(self._inside(start, end))

    def units_of(self, relative: NDArray[np.floating]) -> Floats:
        """Turn what a model says of the rows, shape (rows,), into units; never below zero."""
        return units_of(relative, level=self.level, model_share=self.model_share)

    def without_outliers(self) -> FeatureMatrix:
        """Keep the days that were sold and aren't outliers."""
        return self.rows(np.isfinite(self.y))

    def learned_between(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> FeatureMatrix:
        """Keep those of `between` that are in `without_outliers`."""
        return self.rows(self._inside(start, end) & np.isfinite(self.y))

    def _inside(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> Flags:
        dates = self.keys["date"]
        mask = np.ones(len(dates), dtype=bool)
        if start is not None:
            mask &= (dates >= start).to_numpy()
        if end is not None:
            mask &= (dates < end).to_numpy()
        return mask

    def column(self, name: str) -> Singles:
        """One column by name, shape (rows,)."""
        found: Singles = self.x[:, self.definition.names.index(name)]
        return found

    @property
    def special_ratio(self) -> Floats:
        """What comes back from the same named day of an earlier year; NaN on other days."""
        if SPECIAL_RATIO not in self.definition.names:
            return np.full(len(self), np.nan)
        return self.column(SPECIAL_RATIO).astype(np.float64)

    def __len__(self) -> int:
        return len(self.level)


def units_of(relative: NDArray[np.floating], *, level: Floats, model_share: Floats) -> Floats:
    """Turn what a model says of rows into units; all arrays of shape (rows,)."""
    found = np.maximum(relative.astype(np.float64), 0.0)
    less = model_share < 1.0
    found[less] **= model_share[less]
    return np.asarray(found * level)


def stack(matrices: list[FeatureMatrix]) -> FeatureMatrix:
    """Put the rows of several bakeries under each other (same definition)."""
    first = matrices[0]
    if len(matrices) == 1:
        return first
    assert all(m.definition == first.definition for m in matrices), "definitions differ"
    return FeatureMatrix(
        x=np.concatenate([m.x for m in matrices]),
        y=np.concatenate([m.y for m in matrices]),
        level=np.concatenate([m.level for m in matrices]),
        mean_28=np.concatenate([m.mean_28 for m in matrices]),
        model_share=np.concatenate([m.model_share for m in matrices]),
        weight=np.concatenate([m.weight for m in matrices]),
        units=np.concatenate([m.units for m in matrices]),
        definition=first.definition,
        keys=pd.concat([m.keys for m in matrices], ignore_index=True),
    )


def build_features(
    table: SalesTable, definition: FeatureDefinition, *, region: str = ""
) -> FeatureMatrix:
    """Make the matrix of one or more bakeries.

    Parameters
    ----------
    table : SalesTable
        Rows with NaN units are days still to come: they get features and teach nothing.
    definition : FeatureDefinition
        The columns that the federation agreed on.
    region : str
        Region of the public holidays, like "DE-SH"; "" takes only the table's own column.
    """
    names = table.rows["bakery"]
    if names.eq(names.iloc[0]).all():
        return _bakery_matrix(SalesTable(table.rows.reset_index(drop=True)), definition, region)
    parts = [
        _bakery_matrix(SalesTable(rows.reset_index(drop=True)), definition, region)
        for _, rows in table.rows.groupby("bakery", sort=True)
    ]
    return stack(parts)


def _bakery_matrix(table: SalesTable, definition: FeatureDefinition, region: str) -> FeatureMatrix:
    rows = table.rows
    days = day_numbers(rows["date"])
    units = rows["units"].to_numpy(dtype=np.float64)
    usual = usual_of_outliers(rows)
    holidays = holiday_days(table, region)
    calendar = _calendar(table, days, holidays)
    taught = np.where(np.isnan(usual) | _around_holidays(calendar), units, np.nan)
    sales = PastSales(
        rows=rows,
        days=days,
        series=pd.factorize(rows["product"])[0].astype(np.int64),
        units=np.where(np.isnan(usual), units, np.nan),
        totals=np.fmin(units, usual),
        origins=days - definition.horizon_days,
        ordinary=~np.isin(days, np.concatenate([holidays, holidays - 1])),
    )
    bakery, bakery_mean = bakery_history(sales)
    columns, mean_28, level = product_history(sales, bakery_mean)
    columns |= calendar | bakery
    model_share = np.ones(len(rows))
    if definition.season:
        named = named_days(pd.DatetimeIndex(rows["date"]), region)
        special = special_ratio(named, sales.series, days, taught, mean=mean_28, level=level)
        columns |= season_columns(rows["date"]) | {"year_lag": year_lag(sales, taught / mean_28)}
        columns |= _as_ordinary(columns, special) | {SPECIAL_RATIO: special}
        known = np.isfinite(special)
        level = np.where(known, level * special, level)
        model_share = np.where(known, named.model_share, 1.0)
    columns |= {name: given(rows, name) for name in definition.covariates}
    with np.errstate(invalid="ignore", divide="ignore"):
        y = (taught / level).astype(np.float32)
    matrix = FeatureMatrix(
        x=np.column_stack([columns[name].astype(np.float32) for name in definition.names]),
        y=y,
        level=level,
        mean_28=mean_28,
        model_share=model_share,
        weight=level,
        units=units,
        keys=rows[["date", "bakery", "product"]],
        definition=definition,
    )
    return matrix.rows(level > 0)


def _as_ordinary(columns: Columns, special: Floats) -> Columns:
    """Take the calendar's holidays off rows of which an earlier year says more."""
    return {
        name: np.where(np.isnan(special), columns[name], value)
        for name, value in ORDINARY_DAY.items()
    }


def _around_holidays(calendar: Columns) -> Flags:
    """Say which days are holidays or next to one: a peak there may come back next year."""
    near = np.fmin(calendar["days_to_holiday"], calendar["days_since_holiday"])
    return (calendar["holiday"] > 0) | (near <= 1)


def _calendar(table: SalesTable, days: Days, holidays: Days) -> Columns:
    rows = table.rows
    columns = {"weekday": rows["date"].dt.day_of_week.to_numpy(dtype=np.float64)}
    columns |= holiday_columns(days, holidays)
    names = ("school_holiday", "promotion", "temperature_c", "rain_mm")
    return columns | {name: given(rows, name) for name in names}

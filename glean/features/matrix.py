"""A sales table becomes the matrix that models learn from; scale-free, without a look ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.calendar import day_numbers, holiday_columns, holiday_days, season_columns
from glean.features.definition import (
    LAGS,
    LEVEL_DAYS,
    MEAN_DAYS,
    MIN_LEVEL_DAYS,
    WEEKDAY_LAGS,
    WEEKDAY_MEANS,
    FeatureDefinition,
)
from glean.features.history import WEEK, History, by_weekday, on_own_weekday
from glean.sales.outlier_days import usual_of_outliers
from glean.sales.table import SalesTable

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = dict[str, Floats]

SAME_DAY_LAST_YEAR = 52 * WEEK


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
        Mean units of the product's last 28 trading days before the forecast origin.
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
    weight: Floats
    units: Floats
    keys: pd.DataFrame
    definition: FeatureDefinition

    def rows(self, mask: NDArray[np.bool_]) -> FeatureMatrix:
        """Keep the rows where `mask`, shape (rows,), is true."""
        return replace(
            self,
            x=self.x[mask],
            y=self.y[mask],
            level=self.level[mask],
            weight=self.weight[mask],
            units=self.units[mask],
            keys=self.keys[mask].reset_index(drop=True),
        )

    def between(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> FeatureMatrix:
        """Keep the days from `start` up to the day before `end`."""
        dates = self.keys["date"]
        mask = np.ones(len(dates), dtype=bool)
        if start is not None:
            mask &= (dates >= start).to_numpy()
        if end is not None:
            mask &= (dates < end).to_numpy()
        return self.rows(mask)

    def without_outliers(self) -> FeatureMatrix:
        """Keep the days that were sold and aren't outliers."""
        return self.rows(np.isfinite(self.y))

    def column(self, name: str) -> Singles:
        """One column by name, shape (rows,)."""
        found: Singles = self.x[:, self.definition.names.index(name)]
        return found

    def __len__(self) -> int:
        return len(self.level)


def stack(matrices: list[FeatureMatrix]) -> FeatureMatrix:
    """Put the rows of several bakeries under each other (same definition)."""
    first = matrices[0]
    assert all(m.definition == first.definition for m in matrices), "definitions differ"
    return FeatureMatrix(
        x=np.concatenate([m.x for m in matrices]),
        y=np.concatenate([m.y for m in matrices]),
        level=np.concatenate([m.level for m in matrices]),
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
    regular = np.isnan(usual) & ~np.isnan(units)
    calendar = _calendar(table, days, region)
    taught = regular | _around_holidays(calendar)
    history = _bakery_history(np.fmin(units, usual), days, definition.horizon_days)
    columns = calendar | history
    if definition.season:
        columns |= season_columns(rows["date"])
    columns |= {name: _given(rows, name) for name in definition.covariates}
    series = [
        _series_columns(
            rows.iloc[start:stop],
            days[start:stop],
            taught[start:stop],
            regular[start:stop],
            definition.horizon_days,
        )
        for start, stop in _series_bounds(rows["product"])
    ]
    columns |= {name: np.concatenate([part[name] for part in series]) for name in series[0]}
    level = columns.pop("level")
    with np.errstate(invalid="ignore", divide="ignore"):
        y = np.where(taught, units / level, np.nan).astype(np.float32)
    matrix = FeatureMatrix(
        x=np.column_stack([columns[name].astype(np.float32) for name in definition.names]),
        y=y,
        level=level,
        weight=level,
        units=units,
        keys=rows[["date", "bakery", "product"]],
        definition=definition,
    )
    return matrix.rows(level > 0)


def _calendar(table: SalesTable, days: Days, region: str) -> Columns:
    rows = table.rows
    columns = {"weekday": rows["date"].dt.day_of_week.to_numpy(dtype=np.float64)}
    columns |= holiday_columns(days, holiday_days(table, region))
    names = ("school_holiday", "promotion", "temperature_c", "rain_mm")
    return columns | {name: _given(rows, name) for name in names}


def _given(rows: pd.DataFrame, name: str) -> Floats:
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=np.float64)


def _series_bounds(products: pd.Series[str]) -> list[tuple[int, int]]:
    """First and last-plus-one row of each product; the table is sorted by product."""
    starts = np.flatnonzero(products.ne(products.shift()).to_numpy())
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(products)], strict=True))


def _around_holidays(calendar: Columns) -> Flags:
    """Say which days are holidays or next to one: a peak there may come back next year."""
    near = np.fmin(calendar["days_to_holiday"], calendar["days_since_holiday"])
    return (calendar["holiday"] > 0) | (near <= 1)


def _bakery_history(units: Floats, days: Days, horizon: int) -> Columns:
    """How the bakery as a whole did, relative to its own level."""
    sold = ~np.isnan(units)
    total_days, place = np.unique(days[sold], return_inverse=True)
    total = np.bincount(place, units[sold]).astype(np.float64)
    asked, position = np.unique(days, return_inverse=True)
    origins = asked - horizon
    history = History.at(total_days, total, origins=origins)
    weekdays = by_weekday(total_days, total, rows=asked, origins=origins)
    last = history.known - 1
    gap = np.where(last >= 0, origins - total_days[np.maximum(last, 0)], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = _positive(history.mean(LEVEL_DAYS, at_least=MIN_LEVEL_DAYS))
        columns = {
            "days_closed_before": np.minimum(gap, LEVEL_DAYS),
            "bakery_lag_1": history.lag(1) / level,
            "bakery_mean_7": history.mean(7) / level,
            "bakery_weekday_mean_4": on_own_weekday([w.mean(4) for w in weekdays]) / level,
        }
    return {name: values[position] for name, values in columns.items()}


def _series_columns(
    rows: pd.DataFrame, days: Days, taught: Flags, regular: Flags, horizon: int
) -> Columns:
    """Lags and means of one product, divided by its level, and what its own past says."""
    units = rows["units"].to_numpy(dtype=np.float64)
    origins = days - horizon
    history = History.at(days[regular], units[regular], origins=origins)
    weekdays = by_weekday(days[regular], units[regular], rows=days, origins=origins)
    level = _positive(history.mean(LEVEL_DAYS, at_least=MIN_LEVEL_DAYS))
    absolute = {f"lag_{k}": history.lag(k) for k in LAGS}
    absolute |= {f"mean_{k}": history.mean(k) for k in MEAN_DAYS}
    absolute["deviation_28"] = history.deviation(LEVEL_DAYS)
    for k in WEEKDAY_LAGS:
        absolute[f"weekday_lag_{k}"] = on_own_weekday([w.lag(k) for w in weekdays])
    for k in WEEKDAY_MEANS:
        absolute[f"weekday_mean_{k}"] = on_own_weekday([w.mean(k) for w in weekdays])
    columns = {name: values / level for name, values in absolute.items()}
    columns["year_lag"] = _year_lag(days, np.where(taught, units / level, np.nan))
    columns |= _changes(rows, days, regular, origins)
    return columns | {"level": level}


def _positive(level: Floats) -> Floats:
    return np.where(level > 0, level, np.nan)


def _year_lag(days: Days, relative: Floats) -> Floats:
    """Units / level on the same weekday 52 weeks ago; NaN where there was no sale."""
    wanted = days - SAME_DAY_LAST_YEAR
    position = np.minimum(np.searchsorted(days, wanted), len(days) - 1)
    return np.where(days[position] == wanted, relative[position], np.nan)


def _changes(rows: pd.DataFrame, days: Days, sold: NDArray[np.bool_], origins: Days) -> Columns:
    """Price and temperature against what they were over the last 28 trading days."""
    price, recent_price = _against_recent(_given(rows, "price"), days, sold, origins)
    warmth, recent_warmth = _against_recent(_given(rows, "temperature_c"), days, sold, origins)
    with np.errstate(invalid="ignore", divide="ignore"):
        price_change = np.log(price / recent_price)
    price_change[~np.isfinite(price_change)] = np.nan
    return {"price_change": price_change, "temperature_change": warmth - recent_warmth}


def _against_recent(
    values: Floats, days: Days, sold: NDArray[np.bool_], origins: Days
) -> tuple[Floats, Floats]:
    usable = sold & ~np.isnan(values)
    recent = History.at(days[usable], values[usable], origins=origins)
    return values, recent.mean(LEVEL_DAYS)

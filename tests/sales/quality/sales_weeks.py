"""Weeks of plain sales, as rows, as a table and as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def weeks(days: int, *, without: tuple[int, ...] = ()) -> pd.Series[pd.Timestamp]:
    dates = pd.Series(pd.date_range("2024-01-01", periods=days))  # a Monday
    return dates[~dates.dt.day_of_week.isin(without)].reset_index(drop=True)


def file_of(folder: Path, rows: pd.DataFrame) -> Path:
    path = folder / "shop.csv"
    rows.to_csv(path, index=False)
    return path


def sales(days: int = 140) -> pd.DataFrame:
    dates = weeks(days)
    units = 50.0 + 20.0 * (dates.dt.day_of_week == 5) + np.arange(days) % 7
    return pd.DataFrame({"date": dates, "bakery": "A", "product": "Rolls", "units": units})

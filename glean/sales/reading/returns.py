"""Negative units are returns: a problem, or netted or dropped if the user says so."""

from __future__ import annotations

import pandas as pd

from glean.errors import Problem, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.sheet import FEW_SHOWN, Sheet
from glean.sales.table import KEYS

RETURNS = ("net", "drop")
"""What can be done with negative units, see `settle_returns`."""

_WANTED = Sentence(
    translatable(
        "0 or more; if these are returns, import the file with `--returns net` (they are taken off "
        "that day's sales, never below 0) or `--returns drop` (such lines are left out)"
    )
)


def settle_returns(
    sheet: Sheet, frame: pd.DataFrame, units_column: str, returns: str | None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Deal with negative units.

    Parameters
    ----------
    sheet : Sheet
        Where the rows come from, for the messages.
    frame : DataFrame
        Typed rows; the index is the position in the sheet.
    units_column : str
        Column of the sheet that holds the units.
    returns : str or None
        None: each is a problem. "drop": such rows are left out. "net": they are taken off the
        same day's other rows of that bakery and product, and what is left below 0 becomes 0; the
        day keeps the other columns of its first row.

    Raises
    ------
    SettingsError
        `returns` is something else.
    """
    if returns not in (None, *RETURNS):
        raise SettingsError(f"returns: found {returns!r}; wanted net or drop")
    negative = frame["units"] < 0
    if not negative.any():
        return frame, []
    if returns is None:
        rows = frame.index[negative].to_numpy()
        return frame, sheet.problems_at(rows, units_column, _WANTED, most=FEW_SHOWN)
    if returns == "drop":
        return frame[~negative], []
    return _netted(frame, negative), []


def _netted(frame: pd.DataFrame, negative: pd.Series[bool]) -> pd.DataFrame:
    keys = [frame[key] for key in KEYS if key in frame]
    days = frame["units"].groupby(keys)
    touched = negative.groupby(keys).transform("any") & frame["date"].notna()
    netted = frame.assign(
        units=frame["units"].where(~touched, days.transform("sum").clip(lower=0.0))
    )
    return netted[~(touched & netted.duplicated([key for key in KEYS if key in frame]))]

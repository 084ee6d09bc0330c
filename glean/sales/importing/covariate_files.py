"""Weather and other things known by day, from a file of their own, joined to sales by date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError
from glean.sales.importing.exports import (
    Notation,
    Note,
    forms_of,
    missing_from,
    open_export,
    together_with,
)
from glean.sales.importing.notation import DATE_ORDERS
from glean.sales.reading.checks import typed_rows
from glean.sales.reading.dates import read_dates
from glean.sales.reading.sheet import Sheet
from glean.sales.reading.values import Fault, NumberFormat, read_flags, read_numbers
from glean.sales.table import FLAGS, KEYS


@dataclass(frozen=True)
class CovariateFile:
    """Where covariates stand.

    Parameters
    ----------
    path : Path
        The file.
    date : str
        Its column of dates; "" to find it out.
    columns : mapping of str to str
        Column -> name in the sales table; empty for all columns of numbers.
    notation : Notation
        How the file is written.
    """

    path: Path
    date: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    notation: Notation = field(default_factory=partial(Notation, options="--covariate-"))


def read_covariates(file: CovariateFile) -> tuple[pd.DataFrame, list[Note]]:
    """Read covariates by day.

    Returns
    -------
    DataFrame
        `date` and a column a covariate, each day once; NaN where nothing is known.
    list of Note
        How the file was read.

    Raises
    ------
    SalesError
        With everything that is wrong with the file.
    """
    sheet, notes, ragged = open_export(file.path, file.notation)
    with together_with(ragged):
        frame, found = _typed_covariates(sheet, file)
    if ragged:
        raise SalesError(ragged)
    return frame, [*notes, *found]


def _typed_covariates(sheet: Sheet, file: CovariateFile) -> tuple[pd.DataFrame, list[Note]]:
    named = [("--covariate-columns", column) for column in file.columns]
    named += [("--covariate-date", file.date)] if file.date else []
    named += [("--covariate-decimal", column) for column in file.notation.decimals]
    problems = missing_from(sheet, named)
    if problems:
        raise SalesError(problems)
    date = file.date or _date_column(sheet)
    columns = file.columns or {name: name for name in _number_columns(sheet, date)}
    _refuse_names(sheet, columns)
    forms, written = forms_of(sheet, date, list(columns), file.notation)
    renamed = {name: column for column, name in columns.items()}
    frame, problems = typed_rows(sheet, {"date": date} | renamed, forms)
    problems += _days_twice(sheet, frame, date)
    if problems:
        raise SalesError(problems)
    joined = ", ".join(
        name if name == column else f"{column} as {name}" for column, name in columns.items()
    )
    return frame, [*written, ("covariates", joined)]


def join_covariates(
    rows: pd.DataFrame, covariates: pd.DataFrame, source: str
) -> tuple[pd.DataFrame, list[Note]]:
    """Put the covariates of its day beside each row of sales; flags of unknown days are 0.

    Raises
    ------
    SalesError
        A covariate has the name of a column that is there already.
    """
    names = [name for name in covariates if name != "date"]
    wanted = "another name, by --covariate-columns COLUMN=NAME"
    both = [
        Problem(source, None, str(n), "a column of the sales too", wanted)
        for n in names
        if n in rows
    ]
    if both:
        raise SalesError(both)
    joined = rows.merge(covariates, on="date", how="left")
    known = rows["date"].isin(covariates["date"])
    days, unknown = rows["date"].nunique(), rows["date"][~known].nunique()
    flags = [name for name in names if name in FLAGS]
    joined[flags] = joined[flags].fillna(0.0)
    words = f"{days - unknown} of {days} days are in {Path(source).name}"
    if unknown:
        words += "; the others stay empty" + (f", {', '.join(flags)} 0" if flags else "")
    return joined, [("covariates", words)]


def _date_column(sheet: Sheet) -> str:
    for name, texts in sheet.cells.items():
        for order in DATE_ORDERS:
            # A column of numbers isn't taken for Excel's days unless it is named.
            if order != "serial" and len(texts) and np.isnat(read_dates(texts, order)).mean() < 0.1:
                return name
    wanted = "a column of dates; name it by --covariate-date"
    raise SalesError([Problem(sheet.source, None, "", "no column of dates", wanted)])


def _number_columns(sheet: Sheet, date: str) -> list[str]:
    """Columns of numbers, and of flags in words if they are named for flags."""
    form = NumberFormat(lenient=True)
    numeric = (Fault.FINE, Fault.EMPTY, Fault.DECIMAL_COMMA)
    return [
        name
        for name, texts in sheet.cells.items()
        if name != date
        and (
            np.isin(read_numbers(texts, form)[1], numeric).all()
            or (name in FLAGS and not np.isnan(read_flags(texts, form)).any())
        )
    ]


def _refuse_names(sheet: Sheet, columns: Mapping[str, str]) -> None:
    taken = [name for name in columns.values() if name in (*KEYS, "units")]
    wanted = "a name that the format doesn't use; rename it by --covariate-columns COLUMN=NAME"
    if taken:
        raise SalesError(
            [
                Problem(sheet.source, None, name, "a covariate of this name", wanted)
                for name in taken
            ]
        )


def _days_twice(sheet: Sheet, frame: pd.DataFrame, date: str) -> list[Problem]:
    rows = np.flatnonzero(frame["date"].duplicated() & frame["date"].notna())
    return sheet.problems_at(rows, date, "each day once")

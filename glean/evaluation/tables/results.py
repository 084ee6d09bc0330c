"""What a run of the demand's left behind: its tables, read once and checked, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glean.evaluation.tables.choices import CHOICE_COLUMNS
from glean.evaluation.tables.client_tables import TABLES
from glean.evaluation.tables.run_outline import RunOutline, read_outline
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.metrics import ErrorSums
from glean.runs.results import Columns, read_table

_TEXT_COLUMNS = ("bakery", "product", "cohort", "method", "date", "policy", "reason")
_WANTED = {
    "bakeries.csv": SCORE_COLUMNS,
    "forecasts.csv": ("date", "bakery", "product", "units", "federated"),
    "truth.csv": ("bakery", "units", "abs_error", "wape"),
    "growth.csv": ("bakeries", "wape_federated", "wape_local", "wape_weekday_mean"),
    **TABLES,
    "choice.csv": CHOICE_COLUMNS,  # runs of an earlier version have no further ones
}
_WITH_DATES = ("forecasts.csv", "days.csv")
_COLUMNS = {
    name: Columns(wanted, _TEXT_COLUMNS, dates=("date",) if name in _WITH_DATES else ())
    for name, wanted in _WANTED.items()
}


@dataclass(frozen=True)
class RunResults(RunOutline):
    """Contents of a run folder; None stands for a file that isn't there or lacks rows.

    Parameters
    ----------
    scores : DataFrame or None
        `bakeries.csv`.
    forecasts : DataFrame or None
        `forecasts.csv` with `date` as datetime: `date`, `bakery`, `product`, `units` and a column
        a method, units.
    truth, growth : DataFrame or None
        `truth.csv`, `growth.csv`.
    days, plans, alone, coverage, choices : DataFrame or None
        `days.csv` with `date` as datetime, `plan.csv`, `alone.csv`, `coverage.csv`, `choice.csv`.
    """

    scores: pd.DataFrame | None = None
    forecasts: pd.DataFrame | None = None
    truth: pd.DataFrame | None = None
    growth: pd.DataFrame | None = None
    days: pd.DataFrame | None = None
    plans: pd.DataFrame | None = None
    alone: pd.DataFrame | None = None
    coverage: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None

    @property
    def score_noise(self) -> float:
        """Standard deviation of the noise in the run's scores; 0 where they have none."""
        found = self.run.facts.get("score_noise")
        return found if isinstance(found, float) else 0.0

    @property
    def units_label(self) -> str:
        """What is counted: "units", or money."""
        return str(self.run.settings.get("units-label") or "units")


def read_results(folder: Path) -> RunResults:
    """Read a run folder.

    Raises
    ------
    GleanError
        The folder or its `run.json` is missing, or a file is damaged or lacks a column.
    """
    outline = read_outline(folder, metric=ErrorSums.COLUMNS[0])
    tables = read_tables(folder, _COLUMNS)
    return RunResults(
        **vars(outline),
        scores=tables["bakeries.csv"],
        forecasts=with_rows(tables["forecasts.csv"]),
        truth=with_rows(tables["truth.csv"]),
        growth=with_rows(tables["growth.csv"]),
        days=with_rows(tables["days.csv"]),
        plans=with_rows(tables["plan.csv"]),
        alone=with_rows(tables["alone.csv"]),
        coverage=with_rows(tables["coverage.csv"]),
        choices=with_rows(tables["choice.csv"]),
    )


def read_tables(folder: Path, names: Iterable[str]) -> dict[str, pd.DataFrame | None]:
    """Read tables of a run's folder or a bakery's home, by file name; None where there is none.

    Raises
    ------
    GleanError
        One is damaged or lacks a column.
    """
    return {name: read_table(folder / name, _COLUMNS[name]) for name in names}


def with_rows(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Take a table of column names only for none."""
    return None if table is None or table.empty else table

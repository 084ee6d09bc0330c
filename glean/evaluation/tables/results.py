"""What a run left behind: the files of a run folder, read once and checked, for the report.

Names of bakeries and products are the users' own: "007" stays text and "NA" is no missing value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from glean.errors import GleanError
from glean.evaluation.tables.client_tables import TABLES
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.runs.folder import read_events

_TEXT_COLUMNS = ("bakery", "product", "cohort", "method", "date", "policy", "reason")
_WANTED = {
    "rounds.csv": ("round", "wape"),
    "bakery_rounds.csv": ("round", "bakery", "wape"),
    "bakeries.csv": SCORE_COLUMNS,
    "forecasts.csv": ("date", "bakery", "product", "units", "federated"),
    "truth.csv": ("bakery", "units", "abs_error", "wape"),
    "growth.csv": ("bakeries", "wape_federated", "wape_local", "wape_weekday_mean"),
    **TABLES,
}


@dataclass(frozen=True)
class RunResults:
    """Contents of a run folder; None stands for a file that isn't there.

    Parameters
    ----------
    folder : Path
        The run folder.
    facts : dict
        `run.json`.
    failures : tuple of dict
        The `bakery_failed` events of `events.jsonl`.
    left_out : tuple of dict
        Its `bakery_not_trained` events: bakeries that are forecast and judged, but not trained on.
    rounds, bakery_rounds, scores : DataFrame or None
        `rounds.csv`, `bakery_rounds.csv`, `bakeries.csv`.
    forecasts : DataFrame or None
        `forecasts.csv` with `date` as datetime: `date`, `bakery`, `product`, `units` and a column
        a method, units.
    truth, growth : DataFrame or None
        `truth.csv`, `growth.csv`.
    days, plans, alone, coverage, choices : DataFrame or None
        `days.csv` with `date` as datetime, `plan.csv`, `alone.csv`, `coverage.csv`, `choice.csv`.
    """

    folder: Path
    facts: dict[str, Any]
    failures: tuple[dict[str, Any], ...]
    left_out: tuple[dict[str, Any], ...]
    rounds: pd.DataFrame | None
    bakery_rounds: pd.DataFrame | None
    scores: pd.DataFrame | None
    forecasts: pd.DataFrame | None
    truth: pd.DataFrame | None
    growth: pd.DataFrame | None
    days: pd.DataFrame | None = None
    plans: pd.DataFrame | None = None
    alone: pd.DataFrame | None = None
    coverage: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Run config of the run, kebab-case."""
        found = self.facts.get("settings")
        return found if isinstance(found, dict) else {}

    @property
    def status(self) -> str:
        """Either "completed", "failed" or "" while the run goes on."""
        return str(self.facts.get("status") or "")

    @property
    def units_label(self) -> str:
        """What is counted: "units", or money."""
        return str(self.settings.get("units-label") or "units")


def read_results(folder: Path) -> RunResults:
    """Read a run folder.

    Raises
    ------
    GleanError
        The folder or its `run.json` is missing, or a file is damaged or lacks a column.
    """
    facts = _read_facts(folder)
    events = read_events(folder / "events.jsonl")
    return RunResults(
        folder=folder,
        facts=facts,
        failures=tuple(e for e in events if e.get("event") == "bakery_failed"),
        left_out=tuple(e for e in events if e.get("event") == "bakery_not_trained"),
        rounds=_read_table(folder / "rounds.csv"),
        bakery_rounds=_read_table(folder / "bakery_rounds.csv"),
        scores=_read_table(folder / "bakeries.csv"),
        forecasts=_with_dates(folder / "forecasts.csv"),
        truth=_read_table(folder / "truth.csv"),
        growth=_read_table(folder / "growth.csv"),
        days=_with_dates(folder / "days.csv"),
        plans=_read_table(folder / "plan.csv"),
        alone=_read_table(folder / "alone.csv"),
        coverage=_read_table(folder / "coverage.csv"),
        choices=_read_table(folder / "choice.csv"),
    )


def _read_facts(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        raise GleanError(
            f"{folder}: found no run.json; wanted the folder of a run, like results/latest"
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise GleanError(f"{path}: can't be read as JSON ({error}); run again") from error
    if not isinstance(facts, dict):
        raise GleanError(f"{path}: found a {type(facts).__name__}; wanted a JSON object; run again")
    return facts


def _read_table(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        # Read as text first: pandas would turn names into numbers or missing values.
        text = pd.read_csv(path, dtype=str, na_filter=False)
        columns = {str(name): _typed(str(name), text[name]) for name in text}
    except (ValueError, UnicodeDecodeError) as error:
        raise GleanError(f"{path}: can't be read as a table ({error}); run again") from error
    table = pd.DataFrame(columns)
    missing = [name for name in _WANTED[path.name] if name not in table]
    if missing:
        raise GleanError(
            f"{path}: found no column {', '.join(missing)}; was it written by another version of "
            "Glean? Run again with this one"
        )
    return table


def _typed(name: str, column: pd.Series[str]) -> pd.Series[Any]:
    if name in _TEXT_COLUMNS:
        return column
    return column.where(column != "", "nan").astype("float64")


def _with_dates(path: Path) -> pd.DataFrame | None:
    table = _read_table(path)
    if table is None:
        return None
    try:
        dates = pd.to_datetime(table["date"], format="%Y-%m-%d")
    except ValueError as error:
        raise GleanError(f"{path}: a date isn't like 2019-07-01 ({error}); run again") from error
    dated: pd.DataFrame = table.assign(date=dates)
    return dated

"""What one bakery knows of its final test, out of a run's folder or its own home, for its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from glean.errors import GleanError
from glean.evaluation.tables.results import RunResults, read_tables, with_rows
from glean.regular_files import read_regular
from glean.runs.client_home import bakery_of
from glean.runs.model_card import CARD_FILE, ModelCard

_NAMED = 20
"""Bakeries that a message lists."""


@dataclass(frozen=True, eq=False)
class OwnResults:
    """The tables of one bakery.

    Parameters
    ----------
    bakery : str
        Its name.
    days, plans : DataFrame
        Its rows of `days.csv`, with `date` as datetime, and `plan.csv`.
    alone, choices : DataFrame or None
        Its rows of `alone.csv` and `choice.csv`, where there are any.
    members : int
        Bakeries that the model learned from; 0 where that isn't known.
    units_label : str
        What is counted: "units", or money.
    privacy : mapping
        Section `privacy` of the model's card; empty of a simulation and where there is no card.
    deployed : bool
        Whether the bakery took part from a machine of its own.
    """

    bakery: str
    days: pd.DataFrame
    plans: pd.DataFrame
    alone: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None
    members: int = 0
    units_label: str = "units"
    privacy: Mapping[str, Any] = field(default_factory=dict)
    deployed: bool = False

    @property
    def joined(self) -> bool:
        """Whether there is more than one bakery: in a federation of one there is none to join."""
        return self.members != 1


def own_results_of_run(results: RunResults, bakery: str) -> OwnResults:
    """Take one bakery's rows out of a run's.

    Raises
    ------
    GleanError
        The run has no such bakery, or no single days (it was run without baselines, or each bakery
        keeps its own at home).
    """
    days, plans = _own(results.days, bakery), _own(results.plans, bakery)
    if days is None or plans is None:
        known = [] if results.days is None else sorted(results.days["bakery"].unique())
        raise GleanError(
            f"{results.run.folder}: no single days and plans of {bakery!r}; wanted a simulation "
            f"with baselines that had it, or the bakery's home. Its bakeries: "
            f"{', '.join(known[:_NAMED]) or 'none'}"
        )
    return OwnResults(
        bakery,
        days,
        plans,
        alone=_own(results.alone, bakery),
        choices=_own(results.choices, bakery),
        members=len(results.run.facts.get("bakeries") or ()),
        units_label=results.units_label,
    )


def own_results_of_home(home: Path) -> OwnResults:
    """Read what a deployment left in a bakery's home.

    Raises
    ------
    GleanError
        It is no home, a file is damaged, or no final test has left its tables there yet.
    """
    bakery = bakery_of(home)
    tables = read_tables(home, ("days.csv", "plan.csv", "alone.csv", "choice.csv"))
    days, plans = with_rows(tables["days.csv"]), with_rows(tables["plan.csv"])
    if days is None or plans is None:
        raise GleanError(
            f"{home}: found no days.csv and plan.csv with rows; a bakery that forecasts its sales "
            "has them once it has taken part in a run to its end"
        )
    card = _card(home)
    return OwnResults(
        bakery,
        days,
        plans,
        alone=with_rows(tables["alone.csv"]),
        choices=with_rows(tables["choice.csv"]),
        members=len(card.get("members") or ()),
        units_label=str(card.get("settings", {}).get("units-label") or "units"),
        privacy=card.get("privacy") or {},
        deployed=True,
    )


def _card(home: Path) -> Mapping[str, Any]:
    path = home / CARD_FILE
    return ModelCard.from_bytes(read_regular(path)).content if path.is_file() else {}


def _own(table: pd.DataFrame | None, bakery: str) -> pd.DataFrame | None:
    return None if table is None else with_rows(table[table["bakery"] == bakery])

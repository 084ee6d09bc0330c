"""Who was in which rounds of a run in which not all are in each, and how evenly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glean.errors import GleanError
from glean.runs.folder import PARTICIPATION
from glean.runs.results import Columns, read_table


@dataclass(frozen=True)
class Participation:
    """What `participation.csv` comes to.

    Parameters
    ----------
    clients : DataFrame
        A row for each client, those in no round too, by name: `rounds` that its updates are in, and
        the mean and largest `staleness` of these, NaN where there are none.
    rounds : int
        Rounds whose model has updates.
    """

    clients: pd.DataFrame
    rounds: int

    @property
    def updates(self) -> int:
        """Updates in all rounds together."""
        return int(self.clients["rounds"].sum())

    @property
    def jain(self) -> float:
        """How even it was, as `jain_index` says."""
        return jain_index(self.clients["rounds"].tolist())

    @property
    def mean_staleness(self) -> float:
        """Rounds that an update began before the one that it is in, on average."""
        weighted = self.clients["rounds"] * self.clients["mean_staleness"]
        return float(weighted.sum()) / max(1, self.updates)


def read_participation(folder: Path, clients: Iterable[str]) -> Participation | None:
    """Read who took part; None where the run has no such table, as all were in each round.

    Parameters
    ----------
    folder : Path
        The run's.
    clients : iterable of str
        Who could have.

    Raises
    ------
    GleanError
        The table is damaged.
    """
    name, columns = PARTICIPATION
    rows = read_table(folder / name, Columns(columns, ("bakery",)))
    if rows is None or rows.empty:
        return None
    try:
        rows = rows.astype({"round": "int64", "staleness": "int64"})
    except (ValueError, TypeError) as error:
        raise GleanError(
            f"{folder / name}: found a cell that is no whole number; run again"
        ) from error
    found = rows.groupby("bakery")["staleness"].agg(["size", "mean", "max"])
    found.columns = pd.Index(["rounds", "mean_staleness", "max_staleness"])
    names = sorted({*clients, *found.index})
    found = found.reindex(names).fillna({"rounds": 0}).astype({"rounds": "int64"})
    return Participation(found, int(rows["round"].nunique()))


def jain_index(counts: Sequence[float]) -> float:
    """Say how evenly clients took part: 1 where all did as often, 1 / n where one alone did.

    (Jain, Chiu and Hawe, "A Quantitative Measure of Fairness", 1984.)

    Examples
    --------
    >>> jain_index([4, 4, 4]), jain_index([1, 0, 0, 0])
    (1.0, 0.25)
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 1.0

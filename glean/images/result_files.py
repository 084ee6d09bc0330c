"""The tables that a run on pictures leaves: scores by client, of all, who was taken for whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glean.class_scores import METRICS, ClassScores
from glean.errors import GleanError, ModelError
from glean.evaluation.plain_conclusion import FEDERATED
from glean.runs.folder import RunFolder
from glean.runs.results import Columns, read_table
from glean.runs.spreadsheet_cells import to_spreadsheet_csv

BY_CLIENT, OF_ALL = "bakeries.csv", "scores.csv"
CONFUSION, CALIBRATION, LABELS = "confusion.csv", "calibration.csv", "labels.csv"
SKIPPED = "skipped.csv"

ALL, NEWCOMERS = "all", "newcomers"
"""Groups of `scores.csv`."""

ByMethod = Mapping[str, ClassScores]


def written_scores(by_method: ByMethod) -> str:
    """Write a client's scores by method as JSON."""
    return json.dumps({name: scores.to_vector().tolist() for name, scores in by_method.items()})


def read_scores(text: str, classes: int, methods: Sequence[str]) -> dict[str, ClassScores]:
    """Read them again; they may come from anyone.

    Raises
    ------
    ModelError
        They can't be read, or no pictures can have them.
    """
    try:
        found = json.loads(text)
        vectors = {name: np.array(found[name], dtype=np.float64) for name in methods}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ModelError(f"the final scores can't be read: {error!r:.200}") from error
    return {name: ClassScores.from_vector(vector, classes) for name, vector in vectors.items()}


@dataclass(frozen=True)
class FinalResult:
    """What a run came to.

    Parameters
    ----------
    by_client : mapping of str to mapping of str to ClassScores
        Client -> method -> its scores on its own test pictures.
    of_all : mapping of str to mapping of str to ClassScores
        Group -> method -> scores on the test pictures of all in the group.
    classes : tuple of str
        Names of the classes.
    """

    by_client: Mapping[str, ByMethod]
    of_all: Mapping[str, ByMethod]
    classes: tuple[str, ...]

    def write(self, folder: RunFolder) -> None:
        """Write the tables."""
        rows = [
            {"bakery": name, **row}
            for name, found in self.by_client.items()
            for row in _rows(found)
        ]
        groups = [
            {"group": name, **row} for name, found in self.of_all.items() for row in _rows(found)
        ]
        write_rows(folder, BY_CLIENT, rows)
        write_rows(folder, OF_ALL, groups)
        federated = self.of_all[ALL][FEDERATED]
        write_rows(folder, CONFUSION, self._confusion(federated))
        names = ("rows", "confidence_sum", "hits")
        bins = [dict(zip(names, row, strict=True)) for row in federated.confidence.tolist()]
        write_rows(folder, CALIBRATION, bins)

    def _confusion(self, scores: ClassScores) -> list[dict[str, Any]]:
        counts = np.rint(scores.confusion).astype(int)
        return [
            {"class": true, "taken_for": taken, "rows": int(counts[i, j])}
            for i, true in enumerate(self.classes)
            for j, taken in enumerate(self.classes)
        ]


def read_of_all(folder: Path) -> pd.DataFrame:
    """Read the scores of all clients together.

    Raises
    ------
    GleanError
        The run has none, or the file is damaged.
    """
    columns = ("group", "method", "rows", *METRICS)
    table = read_table(folder / OF_ALL, Columns(columns, ("group", "method")))
    if table is None:
        raise GleanError(f"{folder} has no {OF_ALL}: the run ended before its final test")
    if FEDERATED not in table["method"].to_numpy():
        raise GleanError(f"{folder / OF_ALL}: found no row of {FEDERATED}; run again")
    return table


def _rows(by_method: ByMethod) -> list[dict[str, Any]]:
    return [
        {"method": name, "rows": round(scores.rows), **scores.metrics()}
        for name, scores in by_method.items()
        if scores.rows
    ]


def write_rows(folder: RunFolder, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table of the run's folder."""
    folder.write_bytes(name, to_spreadsheet_csv(pd.DataFrame(rows)).encode())

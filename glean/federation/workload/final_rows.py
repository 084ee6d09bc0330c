"""Final scores of a workload that scores test rows by the same sums as its validation rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from glean.errors import ModelError
from glean.federation.workload.protocols import FinalScores
from glean.metric_sums import MetricSums

Kind = TypeVar("Kind", bound=MetricSums)


def final_scores(by_method: Mapping[str, MetricSums]) -> FinalScores:
    """Write a client's sums on its test rows, by method in the order of `final_methods`."""
    rows = {method: sums.as_tuple for method, sums in by_method.items()}
    return FinalScores(json.dumps(rows), np.array([*rows.values()], dtype=np.float64))


def read_final_rows(kind: type[Kind], text: str, methods: Sequence[str]) -> dict[str, Kind]:
    """Read a client's sums by method.

    Raises
    ------
    ModelError
        A method is missing, or what is there for it are no sums of this kind.
    """
    try:
        found = json.loads(text)
        values = {str(name): tuple(float(value) for value in found[name]) for name in methods}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ModelError(f"the final scores can't be read: {error!r:.200}") from error
    if not all(np.isfinite(row).all() for row in values.values()):
        raise ModelError(f"found final scores {values!r:.200}; wanted finite numbers")
    return {name: kind.from_values(row) for name, row in values.items()}

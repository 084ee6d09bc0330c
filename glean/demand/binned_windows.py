"""What a trainer of trees keeps of a bakery's rows: their bins, and where the model stands on them.

Feature matrices come in once and aren't kept: they are ten times as large. Out come sums, rows to
learn from and forecasts of the validation rows. What can't stay in memory lies on disk as arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glean.demand.error_parts import training_totals
from glean.demand.margin_cache import MarginCache
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, units_of
from glean.learning.bin_layout import BinLayout
from glean.learning.booster import inverse_link
from glean.learning.day_sums import DaySums
from glean.learning.gradient_histograms import GradientHistograms
from glean.metrics import Floats
from glean.settings import BoostingSettings
from glean.spill_file import Arrays

Rows = Callable[[], FeatureMatrix]
"""Gives a bakery's rows of a window, the same each time."""

_SCORED = ("units", "level", "model_share")
_TRAINING, _VALIDATION, _DAYS = "training ", "validation ", "days "


@dataclass(frozen=True)
class OnEdges:
    """Rows that trees are grown on, each value on the lower edge of its bin; see `LearnedRows`."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    weight: Floats
    definition: FeatureDefinition

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.x.nbytes + self.y.nbytes + self.weight.nbytes


@dataclass
class BinnedWindows:
    """Training and validation rows of one bakery.

    Parameters
    ----------
    layout : BinLayout
        The public bins.
    training, validation : GradientHistograms
        Its rows by window.
    numbers : dict of str to float64 arrays
        Units, level and model share of the validation rows; under "totals" the number of training
        rows and the sum of their weights.
    day_sums : DaySums or None
        The training rows, ready for sums with noise, where the run has some.
    margins : MarginCache or None
        Where the model stands, as long as it is known here.
    """

    layout: BinLayout
    training: GradientHistograms
    validation: GradientHistograms
    numbers: Arrays
    day_sums: DaySums | None
    margins: MarginCache | None = None

    @classmethod
    def of(
        cls,
        rows: Rows,
        validation_rows: Rows,
        layout: BinLayout,
        boosting: BoostingSettings,
        *,
        noised: bool,
    ) -> Self:
        """Make the bins."""
        features, scored = rows(), validation_rows()
        training = GradientHistograms(features, layout, boosting, names=lambda: rows().keys)
        numbers = {name: vars(scored)[name] for name in _SCORED}
        return cls(
            layout,
            training,
            GradientHistograms(scored, layout, boosting, names=lambda: validation_rows().keys),
            numbers | {"totals": np.array(training_totals(features), dtype=np.float64)},
            DaySums(features, layout, training.bins) if noised else None,
        )

    @classmethod
    def of_arrays(
        cls, arrays: Arrays, rows: Rows, layout: BinLayout, boosting: BoostingSettings
    ) -> Self:
        """Take what `arrays` gave."""
        training, validation = (
            GradientHistograms.restored(part, layout, boosting, names=lambda: rows().keys)
            for part in (_part(arrays, _TRAINING), _part(arrays, _VALIDATION))
        )
        days = _part(arrays, _DAYS)
        return cls(
            layout,
            training,
            validation,
            {name: arrays[name] for name in (*_SCORED, "totals")},
            DaySums.of_arrays(days, layout, training.bins) if days else None,
        )

    def arrays(self) -> Arrays:
        """Give what all follows from; where the model stands, the bakery's own state says."""
        found: dict[str, NDArray[Any]] = dict(self.numbers)
        parts = {_TRAINING: self.training.arrays(), _VALIDATION: self.validation.arrays()}
        if self.day_sums is not None:
            parts[_DAYS] = self.day_sums.arrays()
        for start, part in parts.items():
            found |= {start + name: array for name, array in part.items()}
        return found

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        held = [self.training.nbytes, self.validation.nbytes]
        held += [array.nbytes for array in self.numbers.values()]
        if self.day_sums is not None:
            held.append(self.day_sums.nbytes)
        if self.margins is not None:
            held += [self.margins.training.nbytes, self.margins.validation.nbytes]
        return sum(held)

    @property
    def totals(self) -> tuple[int, float]:
        """Number of rows to learn from, and the sum of their weights."""
        rows, weight = self.numbers["totals"].tolist()
        return int(rows), weight

    @property
    def units(self) -> Floats:
        """Units of the validation rows."""
        return self._floats("units")

    def learned(self) -> OnEdges:
        """Give the training rows to XGBoost, which sees the edges of bins only."""
        y, weight = self.training.learned()
        x = self.layout.on_edges(self.training.bins)
        return OnEdges(x, y, weight, self.layout.definition)

    def predict(self, margins: MarginCache, *, objective: str) -> Floats:
        """Forecast the validation rows, units."""
        return units_of(
            inverse_link(margins.validation, objective=objective),
            level=self._floats("level"),
            model_share=self._floats("model_share"),
        )

    def _floats(self, name: str) -> Floats:
        return np.asarray(self.numbers[name], dtype=np.float64)


def _part(arrays: Arrays, start: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }

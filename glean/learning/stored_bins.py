"""A bakery's rows as plain arrays: bins and what is learned, to be written and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.row_sample import row_keys

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


class StoredBins:
    """Rows as bins.

    Parameters
    ----------
    features : FeatureMatrix
        Rows with NaN `y` are days still to come.
    layout : BinLayout
        The public bins.
    names : callable, optional
        Gives `features.keys` when a sample is drawn for the first time; without it they are kept.

    Attributes
    ----------
    bins : uint8 array of shape (rows, columns)
        Bins of all rows.
    sold_rows : int
        Rows that count: what a bakery declares.
    """

    def __init__(
        self,
        features: FeatureMatrix,
        layout: BinLayout,
        names: Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        assert features.definition == layout.definition, "the bins are of other columns"
        keys, sold = features.keys, np.isfinite(features.y)
        self._layout = layout
        self._names = names or (lambda: keys)
        self.bins = layout.binned(features.x)
        self._y = np.where(sold, features.y, np.float32(0.0))
        self._weight = np.where(sold, features.weight, 0.0)
        self.sold_rows = int(sold.sum())

    @classmethod
    def of_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        layout: BinLayout,
        names: Callable[[], pd.DataFrame],
        **more: object,
    ) -> Self:
        """Take what `arrays` gave, and more attributes of the class."""
        found = cls.__new__(cls)
        kept = {name: array for name, array in arrays.items() if name != "sold_rows"}
        vars(found).update(kept | more, _layout=layout, _names=names)
        found.sold_rows = int(arrays["sold_rows"][0])
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the arrays from which all follows."""
        sold_rows = np.array([self.sold_rows])
        found = {"bins": self.bins, "_y": self._y, "_weight": self._weight, "sold_rows": sold_rows}
        # Keys take longer to make than to read.
        return found | ({"_keys": self._keys} if "_keys" in vars(self) else {})

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(each.nbytes for each in vars(self).values() if isinstance(each, np.ndarray))

    def learned(self) -> tuple[Singles, Floats]:
        """Give `y` of all rows, NaN where there is none, and their weights; shape (rows,)."""
        # Whatever sold has a level, and so a weight.
        return np.where(self._weighs, self._y, np.float32(np.nan)), self._weight

    @cached_property
    def _keys(self) -> NDArray[np.uint64]:
        return row_keys(self._names())

    @cached_property
    def _columns(self) -> NDArray[np.uint8]:
        """The bins once more, column by column: a split looks at one, which fits into a cache."""
        return np.asfortranarray(self.bins)

    @cached_property
    def _weighs(self) -> NDArray[np.bool_]:
        return self._weight > 0.0

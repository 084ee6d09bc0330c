"""Where every value of a column falls: the matrix as bytes, and the slots of a histogram.

A feature definition and a number of bins come in; out go the edges of each column, the bin matrix
of a bakery's rows, and the places of all bins in one flat histogram. Bakeries and server derive the
same layout from public constants, so that sums by slot can be added up without further words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.bins import bin_edges
from glean.features.definition import FeatureDefinition

Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]

BEYOND = np.float32(np.finfo(np.float32).max)
"""Threshold that sends every known value to the left: it parts known values from missing ones."""


@dataclass(frozen=True)
class BinLayout:
    """Edges of all columns and the slots of their bins.

    A column with n edges has the value bins 0..n and, behind them, one for missing values. A tree
    that splits at edge e sends the bins 0..e to the left; edge n (`BEYOND`) parts known values
    from missing ones, and edge -1 (`-BEYOND`) does so with the sides swapped.

    Parameters
    ----------
    definition : FeatureDefinition
        The columns.
    bins : int
        Bins of a column, at most; 2 to 256, the one for missing values not counted below 256.

    Examples
    --------
    >>> BinLayout(FeatureDefinition(horizon_days=1, season=True), 32).slots
    1199
    """

    definition: FeatureDefinition
    bins: int

    def __hash__(self) -> int:
        """Hash the bins alone: one layout or two are in use, and each message looks for one."""
        return hash(self.bins)

    @cached_property
    def edges(self) -> tuple[Singles, ...]:
        """Edges of each column, ascending."""
        names = self.definition.names
        return tuple(bin_edges(name, self.definition, bins=self.bins) for name in names)

    @cached_property
    def edge_counts(self) -> Indices:
        """Number of edges of each column, shape (columns,): its last value bin."""
        return np.array([len(edges) for edges in self.edges], dtype=np.int64)

    @cached_property
    def missing_bins(self) -> Indices:
        """Bin of missing values in each column, shape (columns,)."""
        return self.edge_counts + 1

    @cached_property
    def widths(self) -> Indices:
        """Slots of each column, shape (columns,), the one for missing values included."""
        return self.edge_counts + 2

    @cached_property
    def starts(self) -> Indices:
        """First slot of each column in a flat histogram, shape (columns,)."""
        return np.cumsum(self.widths) - self.widths

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.edges)

    @property
    def slots(self) -> int:
        """Length of a flat histogram over all columns."""
        return int(self.widths.sum())

    def binned(self, x: Singles) -> Bytes:
        """Give the bin of every value, uint8 of shape (rows, columns).

        Parameters
        ----------
        x : float32 array of shape (rows, columns)
            A feature matrix, NaN where not known.
        """
        found = np.empty(x.shape, dtype=np.uint8)
        for column, edges in enumerate(self.edges):
            values = x[:, column]
            bins = np.searchsorted(edges, values, side="right")
            found[:, column] = np.where(np.isnan(values), len(edges) + 1, bins)
        return found

    def on_edges(self, bins: Bytes) -> Singles:
        """Give `in_bins` of the matrix that `binned` had these bins from, shape (rows, columns)."""
        found = np.empty(bins.shape, dtype=np.float32)
        for column, edges in enumerate(self.edges):
            places = np.concatenate([edges[:1] - 1, edges, np.array([np.nan], dtype=np.float32)])
            found[:, column] = places[bins[:, column]]
        return found

    def thresholds(self, columns: Indices, edges: Indices) -> Singles:
        """Values at which edges lie; rows below go left.

        Parameters
        ----------
        columns, edges : int64 arrays of shape (splits,)
            Column of each split, and its edge from -1 to the column's number of edges.
        """
        found = self._padded[columns, np.maximum(edges, 0)]
        found = np.where(edges < 0, -BEYOND, found)
        return np.where(np.isinf(found), BEYOND, found).astype(np.float32)

    def edges_at(self, columns: Indices, thresholds: Singles) -> Indices:
        """Give the edge of each threshold, shape (splits,): `thresholds` the other way round.

        Raises
        ------
        ModelError
            A threshold isn't a public edge, nor `BEYOND` or its negative.
        """
        found = self.nearest_edges(columns, thresholds)
        wrong = self.thresholds(columns, found) != thresholds
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ModelError(
                f"a tree splits {self.definition.names[columns[first]]} at {thresholds[first]:g}; "
                f"wanted one of the public edges of {self.bins} bins"
            )
        return found

    def nearest_edges(self, columns: Indices, thresholds: Singles) -> Indices:
        """Give the edges that part the rows of `in_bins` as the thresholds do, shape (splits,).

        XGBoost, which meets the values of `in_bins` only, also splits above the largest and below
        the smallest of them that a bakery has, at numbers of its own making.
        """
        found = np.empty(len(columns), dtype=np.int64)
        for column in np.unique(columns):
            mine = columns == column
            found[mine] = np.searchsorted(self.edges[column], thresholds[mine], side="left")
        # `in_bins` puts what lies below the first edge one place below it.
        return np.where(thresholds <= self._padded[columns, 0] - 1, -1, found)

    @cached_property
    def _padded(self) -> Singles:
        """Edges as one matrix, shape (columns, most edges + 1), infinity behind the last."""
        padded = np.full((self.columns, self.widths.max() - 1), np.inf, dtype=np.float32)
        for column, edges in enumerate(self.edges):
            padded[column, : len(edges)] = edges
        return padded

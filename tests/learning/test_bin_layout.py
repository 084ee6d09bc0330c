"""Bins as bytes, and where they stand in a flat histogram."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.features.bins import bin_edges, in_bins
from glean.features.definition import FeatureDefinition
from glean.learning.bin_layout import BEYOND, BinLayout

DEFINITION = FeatureDefinition(horizon_days=1, season=True, covariates=("wind",))
LAYOUTS = {bins: BinLayout(DEFINITION, bins) for bins in (2, 3, 32, 255, 256)}


@pytest.mark.parametrize("bins", LAYOUTS)
def test_every_bin_has_one_slot_and_a_column_at_most_256(bins: int) -> None:
    """Columns follow each other without gap or overlap, and bins fit into a byte."""
    layout = LAYOUTS[bins]
    assert layout.widths.max() <= 256
    assert layout.starts.tolist() == [0, *np.cumsum(layout.widths)[:-1].tolist()]
    assert layout.slots == layout.widths.sum()
    assert (layout.widths == [len(edges) + 2 for edges in layout.edges]).all()


def test_256_bins_are_255_and_one_for_missing_values() -> None:
    """The most that was ever asked for still fits; fewer bins are as they were."""
    for name in DEFINITION.names:
        most = bin_edges(name, DEFINITION, bins=256)
        assert len(most) <= 254
        assert most.tobytes() == bin_edges(name, DEFINITION, bins=255).tobytes()


@given(
    value=st.one_of(st.floats(-1e5, 1e5, width=32), st.just(float("nan"))),
    bins=st.sampled_from(list(LAYOUTS)),
)
def test_a_bin_lies_on_the_value_side_of_every_edge(value: float, bins: int) -> None:
    """`bin <= edge` says what `value < threshold` says, and missing values have the last bin."""
    layout = LAYOUTS[bins]
    binned = layout.binned(np.full((1, layout.columns), value, dtype=np.float32))[0]
    assert binned.dtype == np.uint8
    for column, edges in enumerate(layout.edges):
        if np.isnan(value):
            assert binned[column] == layout.widths[column] - 1
        else:
            below = np.float32(value) < np.append(edges, BEYOND)
            assert (below == (binned[column] <= np.arange(len(edges) + 1))).all()


@pytest.mark.parametrize("bins", LAYOUTS)
def test_thresholds_and_edges_are_each_other_s_inverse(bins: int) -> None:
    """Every edge of every column, and those that part known values from missing ones."""
    layout = LAYOUTS[bins]
    for column, edges in enumerate(layout.edges):
        every = np.arange(-1, len(edges) + 1)
        columns = np.full(len(every), column)
        thresholds = layout.thresholds(columns, every)
        assert thresholds.tolist() == [-BEYOND, *edges.tolist(), BEYOND]
        assert layout.edges_at(columns, thresholds).tolist() == every.tolist()


def test_a_threshold_between_edges_is_refused_by_name() -> None:
    """It would be a value of someone's data."""
    layout = LAYOUTS[32]
    edge = layout.edges[0][5]
    for wrong in (
        np.nextafter(edge, np.float32(9)),
        layout.edges[0][0] - 1,
        layout.edges[0][-1] + 1,
    ):
        with pytest.raises(ModelError, match=r"splits lag_1 at .* public edges of 32 bins"):
            layout.edges_at(np.array([0]), np.array([wrong], dtype=np.float32))


@given(threshold=st.floats(-1e6, 1e6, width=32), column=st.integers(0, len(DEFINITION.names) - 1))
def test_the_nearest_edge_parts_binned_rows_alike(threshold: float, column: int) -> None:
    """Whatever the threshold, values of `in_bins` fall on the same sides of its edge."""
    layout = LAYOUTS[32]
    values = np.append(layout.edges[column], layout.edges[column][0] - 5)
    x = np.full((len(values), layout.columns), np.nan, dtype=np.float32)
    x[:, column] = values
    seen = in_bins(x, DEFINITION, bins=32)[:, column]
    edge = layout.nearest_edges(np.array([column]), np.array([threshold], dtype=np.float32))
    public = layout.thresholds(np.array([column]), edge)
    assert ((seen < np.float32(threshold)) == (values < public)).all()
    layout.edges_at(np.array([column]), public)

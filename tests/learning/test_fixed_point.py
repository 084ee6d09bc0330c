"""Rounding to the ring: fine enough, and never so fine that sums wrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.learning.fixed_point import GRADIENT_BOUND, MOST_ROWS, SUM_BITS, FixedPoint


@given(rows=st.integers(1, MOST_ROWS))
def test_no_sum_reaches_the_bound_and_the_scale_is_no_coarser_than_need_be(rows: int) -> None:
    """Largest sum: all weight on the largest gradient, each row rounded up."""
    scale = FixedPoint.for_rows(rows)
    largest = rows * (GRADIENT_BOUND * 2**scale.bits + 0.5)
    assert largest < 2**SUM_BITS
    assert largest * 4 > 2**SUM_BITS
    assert scale.bits >= 7


def test_rounding_is_to_the_nearest_and_exact_on_the_scale() -> None:
    """Half a place at most is lost, and what has been rounded stays what it is."""
    scale = FixedPoint.for_rows(100_000)
    values = np.random.default_rng(0).normal(0, 20, 5000)
    rounded = scale.encode(values)
    assert rounded.dtype == np.int64
    assert np.abs(scale.decode(rounded) - values).max() <= 2.0 ** -(scale.bits + 1)
    assert (scale.encode(scale.decode(rounded)) == rounded).all()


@pytest.mark.parametrize("rows", [0, -3, MOST_ROWS + 1])
def test_a_federation_without_rows_or_with_too_many_is_refused(rows: int) -> None:
    """There is no scale for it."""
    with pytest.raises(FederationError, match=f"declares {rows} rows"):
        FixedPoint.for_rows(rows)


@pytest.mark.parametrize("weights", [[60.0, 41.0], [np.inf], [np.nan]])
def test_rows_that_weigh_more_than_declared_are_said_and_no_error(
    weights: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that a sum could wrap; an error would tell who declared the rows."""
    scale = FixedPoint.for_rows(100)
    scale.note_weights(np.array([60.0, 40.0]))
    assert not caplog.text
    scale.note_weights(np.array(weights))
    assert "the federation declared 100" in caplog.text


def test_what_does_not_fit_the_scale_is_cut() -> None:
    """Nothing wraps, nothing fails; and what fits is as it was."""
    scale = FixedPoint.for_rows(100)
    values = np.array([1e300, -np.inf, np.nan, 1.0])
    largest = 2**SUM_BITS
    assert scale.encode(values).tolist() == [largest, -largest, 0, 2**scale.bits]

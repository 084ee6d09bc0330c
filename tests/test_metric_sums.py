"""Sums that metrics are ratios of: they add up, and numbers from elsewhere are checked."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.classification import ClassificationSums
from glean.errors import ModelError
from glean.metric_sums import MetricSums, metric_label
from glean.metrics import ErrorSums

KINDS = (ErrorSums, ClassificationSums)
"""Every kind that a workload of the package has."""

COUNTS = st.integers(0, 2**40).map(float)
"""Whole numbers, whose sums are exact."""


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_sums_add_up_field_by_field(kind: type[MetricSums], data: st.DataObject) -> None:
    """In any order, with the empty sum changing nothing; the kind stays."""
    values = st.tuples(*[COUNTS] * kind.length())
    one, other, third = (kind(*data.draw(values)) for _ in range(3))
    total = one + other
    assert type(total) is kind
    assert total.as_tuple == tuple(a + b for a, b in zip(astuple(one), astuple(other), strict=True))
    assert total == other + one
    assert total + third == one + (other + third)
    assert one + kind() == one
    assert kind.from_values(kind().as_tuple) == kind()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_the_federation_has_to_know(kind: type[MetricSums]) -> None:
    """A power for each field, a value for each column, the first of which is primary."""
    names = list(vars(kind()))
    assert names[0] == "rows"
    assert kind.length() == len(names) == len(kind.UNIT_POWERS)
    assert set(names) >= kind.SIGNED
    assert "rows" not in kind.SIGNED
    sums = kind(*[2.0] * len(names))
    assert tuple(sums.metrics()) == kind.COLUMNS
    assert sums.primary == sums.metrics()[kind.COLUMNS[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_without_rows_there_is_no_metric(kind: type[MetricSums]) -> None:
    """NaN, and no division by zero."""
    assert all(math.isnan(value) for value in kind().metrics().values())
    assert math.isnan(kind().primary)


@pytest.mark.parametrize("kind", KINDS)
def test_another_number_of_sums_is_refused(kind: type[MetricSums]) -> None:
    """With the number found and the one wanted."""
    for count in (0, kind.length() - 1, kind.length() + 1):
        with pytest.raises(ModelError, match=f"found {count} sums of .*wanted {kind.length()}"):
            kind.from_values((1.0,) * count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_sum_is_refused_where_it_can_t_be(kind: type[MetricSums]) -> None:
    """A signed field may be below zero, no other."""
    for number, name in enumerate(vars(kind())):
        values = tuple(-1.0 if k == number else 1.0 for k in range(kind.length()))
        if name in kind.SIGNED:
            assert kind.from_values(values).as_tuple == values
        else:
            with pytest.raises(ModelError, match=f"found a negative sum .*{name}=-1.0"):
                kind.from_values(values)


@pytest.mark.parametrize(
    ("column", "label"),
    [("wape", "WAPE"), ("mae", "MAE"), ("log_loss", "log loss"), ("accuracy", "accuracy")],
)
def test_a_metric_is_written_for_people(column: str, label: str) -> None:
    """Short names are acronyms."""
    assert metric_label(column) == label

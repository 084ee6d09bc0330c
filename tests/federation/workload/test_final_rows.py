"""Sums on test rows as text: what a client writes the server reads, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.classification import ClassificationSums
from glean.errors import ModelError
from glean.federation.workload.final_rows import final_scores, read_final_rows

METHODS = ("federated", "local")
SHARES = st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 1.0))
SUMS = st.builds(
    lambda rows, each: ClassificationSums(rows, each[0] * rows, each[1] * rows),
    st.floats(0.0, 1e12),
    SHARES,
)


@given(SUMS, SUMS)
def test_what_is_written_is_read(one: ClassificationSums, other: ClassificationSums) -> None:
    """To the last bit; the sums are the same numbers as an array, method by method."""
    by_method = dict(zip(METHODS, (one, other), strict=True))
    scores = final_scores(by_method)
    assert read_final_rows(ClassificationSums, scores.rows, METHODS) == by_method
    assert scores.sums.dtype == np.float64
    assert scores.sums.tolist() == [list(one.as_tuple), list(other.as_tuple)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "can't be read"),
        ("[]", "can't be read"),
        ("null", "can't be read"),
        ("[" * 100_000, "can't be read"),
        ('{"local": [1, 1, 1]}', "can't be read: KeyError"),
        ('{"federated": 3}', "can't be read: TypeError"),
        ('{"federated": [null, 1, 1]}', "can't be read: TypeError"),
        ('{"federated": ["many", 1, 1]}', "can't be read: ValueError"),
        ('{"federated": [1' + "0" * 400 + ", 1, 1]}", "can't be read: OverflowError"),
        ('{"federated": [NaN, 1, 1]}', "wanted finite numbers"),
        ('{"federated": [1e999, 1, 1]}', "wanted finite numbers"),
        ('{"federated": []}', "found 0 sums"),
        ('{"federated": [1, 1]}', "found 2 sums"),
        ('{"federated": [1, -1, 1]}', "found a negative sum"),
        ('{"federated": [1, 1, 3]}', "found more hits than rows"),
        ('{"federated": [1, 99, 1]}', "found log losses beyond"),
    ],
)
def test_what_no_client_writes_is_refused(text: str, told: str) -> None:
    """With what is wrong, shortly."""
    with pytest.raises(ModelError, match=told) as refused:
        read_final_rows(ClassificationSums, text, ("federated",))
    assert len(str(refused.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
)


@given(st.text(max_size=30) | st.builds(lambda value: json.dumps({"federated": value}), JSON))
def test_any_text_is_sums_or_a_model_error(text: str) -> None:
    """Nothing else comes out, whatever goes in."""
    with suppress(ModelError):
        found = read_final_rows(ClassificationSums, text, ("federated",))
        assert np.isfinite(found["federated"].as_tuple).all()

"""Which cohorts may be opened after which, against the words of the rule."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.federation.wire.opened_cohorts import TRAINING, OpenedCohorts, rows_told
from glean.federation.wire.sum_request import DAY_GRADIENTS, LEAF_GRADIENTS, LEAVES, SCORES

COHORTS = st.frozensets(st.sampled_from("abcdefgh"), min_size=1)


@given(st.lists(COHORTS, max_size=6), COHORTS, st.integers(0, 6))
def test_a_cohort_differs_from_every_opened_one_by_nobody_or_by_enough(
    opened: list[frozenset[str]], wanted: frozenset[str], floor: int
) -> None:
    """Counted name by name: who is in one of the two and not in the other."""
    found = OpenedCohorts()
    for cohort in opened:
        found = found.plus(TRAINING, cohort)
    differences = [sum((name in one) != (name in wanted) for name in "abcdefgh") for one in opened]
    allowed = all(difference == 0 or difference >= floor for difference in differences)
    assert (found.too_like(TRAINING, wanted, floor=floor) is None) == allowed
    assert found.too_like("other rows", wanted, floor=floor) is None
    assert OpenedCohorts.from_lists(json.loads(json.dumps(found.to_lists()))) == found
    first = next((one for one in opened if one <= wanted), None)
    assert found.within(TRAINING, wanted) == first


@given(st.lists(st.tuples(st.sampled_from("mno"), COHORTS), max_size=6), st.integers(0, 6))
def test_what_was_learned_of_whom_is_known_by_model(
    learned: list[tuple[str, frozenset[str]]], floor: int
) -> None:
    """The rule is the same, for each model by itself; and it is written and read."""
    found = OpenedCohorts().plus(TRAINING, "ab")
    for model, cohort in learned:
        found = found.plus_learned(model, cohort)
    assert OpenedCohorts.from_lists(json.loads(json.dumps(found.to_lists()))) == found
    for model in "mno":
        cohorts = {cohort for name, cohort in learned if name == model}
        assert found.learned_from(model) == cohorts
        allowed = all(one == {*"abc"} or len(one ^ {*"abc"}) >= floor for one in cohorts)
        assert (found.learned_too_like(model, "abc", floor=floor) is None) == allowed


@pytest.mark.parametrize("part", [LEAF_GRADIENTS, DAY_GRADIENTS])
def test_gradient_sums_go_on(part: str) -> None:
    """Whatever has hessians, counts or scores in it doesn't."""
    assert not rows_told(part)
    assert rows_told(LEAVES)
    assert rows_told(SCORES) == rows_told("a part of some workload") != rows_told(LEAVES)

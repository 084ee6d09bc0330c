"""Cyclic: one bakery a round, in turn; its trees join as they are."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.aggregation.cyclic import merge, whose_turn
from glean.aggregation.update import Update
from glean.errors import ModelError
from tests.matrices import random_forest, same_trees


@given(
    st.lists(st.text(max_size=4), min_size=1, max_size=6, unique=True),
    st.integers(1, 50),
    st.randoms(),
)
def test_all_take_turns_whatever_their_order(
    bakeries: list[str], first: int, chance: random.Random
) -> None:
    """As many rounds as bakeries give each one turn, however the bakeries are listed."""
    rounds = range(first, first + len(bakeries))
    turns = [whose_turn(bakeries, number) for number in rounds]
    assert Counter(turns) == Counter(bakeries)
    chance.shuffle(bakeries)
    assert turns == [whose_turn(bakeries, number) for number in rounds]


def test_the_trees_join_unscaled_behind_the_model() -> None:
    """The model keeps its trees in front, and the new ones follow to the byte."""
    before, new = random_forest(3), random_forest(2, seed=1)
    model, news = merge(before, [Update("north", 7.0, new)])
    assert same_trees(model.first(3), before)
    assert same_trees(news, new)
    assert same_trees(model, before.plus(new.trees))


@pytest.mark.parametrize("count", [0, 2])
def test_a_round_has_one_update(count: int) -> None:
    """None or two at once are refused: their trees would correct the same error twice."""
    updates = [Update(str(k), 1.0, random_forest(1, seed=k)) for k in range(count)]
    with pytest.raises(ModelError, match=f"found {count} updates; wanted one"):
        merge(random_forest(1), updates)

"""The global model at the server, and what of it a bakery lacks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.learning.forest import Forest
from glean.learning.weight_models import initial_weights
from tests.matrices import DEFINITION, random_forest, same_trees

EMPTY = random_forest(0)


def model_after(counts: list[int], *, seed: int = 0) -> list[TreeModel]:
    """The model before and after each round; round k brings `counts[k]` trees."""
    trees = random_forest(sum(counts), seed=seed).trees
    models = [TreeModel.of(EMPTY)]
    for count in counts:
        forest = models[-1].forest
        start = forest.tree_count
        models.append(models[-1].grown(forest.plus(trees[start : start + count])))
    return models


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.data())
def test_what_is_held_and_what_is_lacking_make_the_model(
    counts: list[int], data: st.DataObject
) -> None:
    """From whichever round's state a bakery comes, the missing trees complete the model."""
    models = model_after(counts)
    held = data.draw(st.sampled_from(models))
    base, content = models[-1].since(held.state)
    assert base == held.state
    lacking = Forest.from_bytes(content)
    assert same_trees(held.forest.plus(lacking.trees), models[-1].forest)


def test_a_stranger_gets_the_whole_model() -> None:
    """An unknown state, or none, is answered with everything, which continues nothing."""
    model = model_after([2, 3])[-1]
    other = model_after([2, 3], seed=9)[-1]
    for held in ("", "never heard of", other.state):
        base, content = model.since(held)
        assert base == ""
        assert content == model.to_bytes() == model.forest.to_bytes()


def test_every_state_has_a_name_of_its_own() -> None:
    """Rounds, other trees and other features don't share names; equal trees do."""
    seasonal = Forest.empty(
        type(DEFINITION)(horizon_days=1, season=True), objective="reg:squarederror"
    )
    models = [*model_after([2, 1, 1]), *model_after([2, 1, 1], seed=5)[1:], TreeModel.of(seasonal)]
    assert len({model.state for model in models}) == len(models)
    assert model_after([2, 1, 0, 1])[-1].state == models[3].state
    assert TreeModel.of(models[3].forest).state == models[3].state


def test_growing_leaves_the_model_before_as_it_was() -> None:
    """The best round's model is kept while the rounds go on: nothing may change it."""
    before = model_after([2])[-1]
    content, states = before.to_bytes(), dict(before.states)
    after = before.grown(random_forest(6, seed=4))
    assert (before.to_bytes(), before.states) == (content, states)
    assert list(after.states)[:-1] == list(states)
    assert after.states[after.state] == 6


def test_weights_are_sent_whole() -> None:
    """Averaged weights change altogether in a round: a state held is of no use."""
    model = WeightModel(initial_weights("poisson", DEFINITION, seed=1))
    assert model.since(model.state) == ("", model.to_bytes())
    assert model.since("") == ("", model.to_bytes())


def test_other_weights_have_another_state() -> None:
    """The state names the bytes, so that a bakery could tell."""
    one, two = (WeightModel(initial_weights("neural", DEFINITION, seed=k)) for k in (1, 2))
    again = WeightModel(initial_weights("neural", DEFINITION, seed=1))
    assert one.state == again.state
    assert one.state != two.state

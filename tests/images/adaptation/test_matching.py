"""Layers matched by name and shape: what is taken, padded, cut and given back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn_arrays

from glean.images.adaptation.matching import CUT, OWN, PADDED, PADDED_AND_CUT, TAKEN, Matching
from glean.learning.model_weights import Weights

NAMES = ("a", "b", "c")

SHAPES = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
)


def weights_of(shapes: dict[str, tuple[int, ...]], *, seed: int, kind: str = "run") -> Weights:
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return Weights(kind, "{}", drawn)


def matching(run: Weights, own: Weights, *, reshape: bool) -> Matching:
    run_shapes, own_shapes = (
        {name: values.shape for name, values in one.arrays.items()} for one in (run, own)
    )
    return Matching.of(run_shapes, own_shapes, reshape=reshape)


def assert_same(one: Weights, other: Weights) -> None:
    assert one.kind == other.kind
    assert {*one.arrays} == {*other.arrays}
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, other.arrays[name])


@given(SHAPES, st.booleans())
def test_the_same_network_is_taken_and_given_back_as_it_is(
    shapes: dict[str, tuple[int, ...]], reshape: bool
) -> None:
    """Identity both ways, and nothing of it is its own."""
    run, fresh = weights_of(shapes, seed=0), weights_of(shapes, seed=1)
    found = matching(run, fresh, reshape=reshape)
    assert {layer.how for layer in found.layers} <= {TAKEN}
    assert found.whole
    assert_same(found.down(run, fresh), run)
    assert_same(found.up(fresh, run), fresh)


@given(SHAPES, SHAPES, st.booleans())
def test_what_was_not_trained_is_given_back_to_the_bit(
    run_shapes: dict[str, tuple[int, ...]], own_shapes: dict[str, tuple[int, ...]], reshape: bool
) -> None:
    """Down and up again: whatever is padded, cut or the client's own."""
    run, fresh = weights_of(run_shapes, seed=0), weights_of(own_shapes, seed=1, kind="own")
    found = matching(run, fresh, reshape=reshape)
    begun = found.down(run, fresh)
    assert begun.kind == "own"
    assert {n: v.shape for n, v in begun.arrays.items()} == own_shapes
    assert_same(found.up(begun, run), run)


@given(SHAPES, st.integers(1, 3))
def test_padding_and_cutting_is_the_identity(
    own_shapes: dict[str, tuple[int, ...]], more: int
) -> None:
    """A larger network that takes a smaller one has its values; and gives them back."""
    run = weights_of(own_shapes, seed=0)
    larger = {name: tuple(n + more for n in shape) for name, shape in own_shapes.items()}
    fresh = weights_of(larger, seed=1)
    found = matching(run, fresh, reshape=True)
    assert {layer.how for layer in found.layers} <= {PADDED}
    padded = found.down(run, found.silenced(fresh))
    for name, values in run.arrays.items():
        inside = tuple(slice(0, n) for n in values.shape)
        np.testing.assert_array_equal(padded.arrays[name][inside], values)
        # New outputs are fresh, whatever else is new is zero.
        np.testing.assert_array_equal(
            padded.arrays[name][len(values) :], fresh.arrays[name][len(values) :]
        )
        old = padded.arrays[name][: len(values)].copy()
        old[inside] = 0.0
        assert not old.any()
    assert_same(found.up(padded, run), run)


@given(st.data())
def test_only_what_both_have_is_changed(data: st.DataObject) -> None:
    """And all of that is, by what training changed."""
    run = weights_of({"a": (4, 6), "b": (3,), "c": (2, 2)}, seed=0)
    fresh = weights_of({"a": (2, 3), "b": (3,), "d": (5,)}, seed=1, kind="own")
    found = matching(run, fresh, reshape=True)
    begun = found.down(run, fresh)
    fitted = Weights(
        "own",
        "{}",
        {
            name: values
            + data.draw(drawn_arrays(np.float32, values.shape, elements=st.floats(1, 2, width=32)))
            for name, values in begun.arrays.items()
        },
    )
    given_back = found.up(fitted, run).arrays
    np.testing.assert_array_equal(given_back["b"], fitted.arrays["b"])
    np.testing.assert_array_equal(given_back["c"], run.arrays["c"])
    changed = given_back["a"] != run.arrays["a"]
    assert changed[:2, :3].all()
    assert changed.sum() == 6
    # Of six inputs three are there: each counts double there, and half of what it learns here.
    np.testing.assert_array_equal(begun.arrays["a"], 2 * run.arrays["a"][:2, :3])
    np.testing.assert_allclose(given_back["a"][:2, :3], fitted.arrays["a"] / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("theirs", "mine", "reshape", "how", "taken"),
    [
        ((4, 3), (4, 3), False, TAKEN, 12),
        ((4, 3), (2, 3), False, OWN, 0),
        ((4, 3), (2, 3), True, CUT, 6),
        ((2, 3), (4, 3), True, PADDED, 6),
        ((2, 3), (4, 1), True, PADDED_AND_CUT, 2),
        ((4, 3), (4, 3, 1), True, OWN, 0),
        ((), (), True, TAKEN, 1),
        (None, (4, 3), True, OWN, 0),
    ],
)
def test_a_layer_is_what_its_shapes_say(
    theirs: tuple[int, ...] | None, mine: tuple[int, ...], reshape: bool, how: str, taken: int
) -> None:
    """By name, then by shape; other shapes only where that is asked for."""
    found = Matching.of({} if theirs is None else {"a": theirs}, {"a": mine}, reshape=reshape)
    (layer,) = found.layers
    assert (layer.how, layer.taken, layer.size) == (how, taken, int(np.prod(mine)))
    assert found.share == taken / layer.size
    assert found.whole == (taken == layer.size)
    assert ("a" in found.shared) == (taken > 0)

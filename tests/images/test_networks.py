"""Networks: sizes, draws, what is refused; steps beside NumPy's."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from glean.errors import ModelError, SettingsError
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset, Pixels
from glean.images.networks import architectures
from glean.images.networks.network import initial_weights, network_with, shapes_of, weights_of
from glean.images.networks.training import SGDOptions, batches, fit, probabilities
from glean.learning.model_weights import Weights
from glean.local_training_settings import LocalTrainingSettings

SPEC = ImageSpec(("a", "b", "c"), 12, 1, 0.5, 0.5)
TEN = ImageSpec(tuple("abcdefghij"), 28, 1, 0.5, 0.5)


def image_subset(
    count: int = 24, *, side: int = 12, seed: int = 0, dtype: type = np.uint8
) -> ImageSubset:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, np.iinfo(dtype).max, (count, side, side, 1))
    pixels: Pixels = drawn.astype(dtype)
    return ImageSubset.whole(pixels, rng.integers(0, 3, count), SPEC.classes)


def size_of(name: str, spec: ImageSpec) -> int:
    return sum(int(np.prod(shape)) for shape in shapes_of(name, spec.to_json()).values())


def test_networks_are_as_large_as_they_say() -> None:
    """Of ten classes of grey pictures of 28 pixels."""
    assert 100_000 < size_of("cnn", TEN) < 500_000
    assert size_of("cnn-small", TEN) < 30_000
    assert size_of("linear", TEN) == 28 * 28 * 10 + 10


@pytest.mark.parametrize("name", architectures.NETWORKS)
@pytest.mark.parametrize("size", [4, 20, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_network_takes_pictures_of_any_side(name: str, size: int, channels: int) -> None:
    """And gives a probability of each class."""
    spec = ImageSpec(("a", "b"), size, channels, 0.5, 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, channels), dtype=np.uint8)
    found = probabilities(
        initial_weights(name, spec, seed=1), ImageSubset.whole(pixels, np.zeros(3, int), ("a", "b"))
    )
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_first_weights_go_by_the_seed_and_leave_others_draws_alone() -> None:
    """The same bytes again; and what PyTorch draws next elsewhere doesn't change."""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    one, same, other = (initial_weights("cnn-small", SPEC, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert one.to_npz() == same.to_npz() != other.to_npz()


def test_weights_go_into_a_network_and_come_out() -> None:
    """Whatever was in it before."""
    one, other = (initial_weights("cnn-small", SPEC, seed=seed) for seed in (1, 2))
    network_with(other)
    assert weights_of(network_with(one), one.kind, one.spec).to_npz() == one.to_npz()
    read = Weights.from_npz(one.to_npz(), shapes_of=shapes_of)
    assert read.to_npz() == one.to_npz()


def test_a_network_that_there_is_not_is_refused() -> None:
    """By name, with those that there are; in a model file too."""
    with pytest.raises(
        SettingsError, match="found 'vgg'; known are cnn, cnn-half, cnn-small, linear"
    ):
        architectures.build_of("vgg")
    with pytest.raises(ModelError, match="'vgg'"):
        shapes_of("vgg", SPEC.to_json())


def normalised(classes: int, channels: int, size: int) -> nn.Module:
    """A network with statistics of batches."""
    return nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(channels * size**2), nn.Linear(channels * size**2, classes)
    )


def doubled(classes: int, channels: int, size: int) -> nn.Module:
    """A network of double precision."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes)).double()


def brought(**networks: str) -> list[EntryPoint]:
    return [EntryPoint(name, place, architectures.GROUP) for name, place in networks.items()]


def test_an_installed_package_brings_a_network() -> None:
    """One that can't be averaged is refused with the reason, as is one that can't be imported."""
    points = brought(
        own="glean.images.networks.architectures:linear",
        normalised=f"{__name__}:normalised",
        doubled=f"{__name__}:doubled",
        gone="no.such.module:network",
    )
    with mock.patch.object(architectures, "entry_points", return_value=points):
        assert initial_weights("own", SPEC, seed=0).kind == "own"
        with pytest.raises(SettingsError, match="running"):
            initial_weights("normalised", SPEC, seed=0)
        with pytest.raises(SettingsError, match="another type than float32"):
            initial_weights("doubled", SPEC, seed=0)
        with pytest.raises(SettingsError, match="gone can't be imported"):
            architectures.build_of("gone")


def softmax_step(
    weights: Weights, mine: ImageSubset, *, rate: float, mu: float, begun: Weights
) -> dict[str, np.ndarray]:
    """One step of the linear network on all pictures, by NumPy."""
    held = {name: values.astype(np.float64) for name, values in weights.arrays.items()}
    start = {name: values.astype(np.float64) for name, values in begun.arrays.items()}
    x = (mine.pixels[mine.places] / 255 - 0.5) / 0.5
    x = x.transpose(0, 3, 1, 2).reshape(len(mine), -1)
    scores = x @ held["1.weight"].T + held["1.bias"]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = (odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[mine.own_labels]) / len(mine)
    gradients = {"1.weight": error.T @ x, "1.bias": error.sum(axis=0)}
    return {k: held[k] - rate * (gradients[k] + mu * (held[k] - start[k])) for k in held}


@pytest.mark.parametrize("mu", [0.0, 0.5])
def test_steps_are_those_of_numpy(mu: float) -> None:
    """Two steps on the whole batch, of which the second is held to where the round began."""
    local = LocalTrainingSettings(local_steps=2, batch_size=24, momentum=0.0)
    begun = initial_weights("linear", SPEC, seed=4)
    mine = image_subset()
    expected = begun
    for _ in range(2):
        arrays = softmax_step(expected, mine, rate=0.3, mu=mu, begun=begun)
        expected = Weights(
            begun.kind, begun.spec, {k: v.astype(np.float32) for k, v in arrays.items()}
        )
    found = fit(begun, mine, SGDOptions(local, 0.3, mu), seed=0)
    for name, values in expected.arrays.items():
        np.testing.assert_allclose(found.arrays[name], values, atol=2e-6)


def test_the_same_seed_trains_to_the_same_bytes() -> None:
    """And leaves the weights that it began with as they are."""
    begun = initial_weights("cnn-small", SPEC, seed=4)
    kept = begun.to_npz()
    steps = SGDOptions(LocalTrainingSettings(batch_size=7), 0.1)
    one, same, other = (fit(begun, image_subset(), steps, seed=seed) for seed in (1, 1, 2))
    assert one.to_npz() == same.to_npz() != other.to_npz()
    assert begun.to_npz() == kept != one.to_npz()


def test_sixteen_bits_are_the_same_brightness() -> None:
    """As eight, to the step of the coarser."""
    coarse = image_subset()
    fine = ImageSubset.whole(coarse.pixels.astype(np.uint16) * 257, coarse.labels, coarse.classes)
    weights = initial_weights("cnn-small", SPEC, seed=4)
    np.testing.assert_allclose(
        probabilities(weights, fine), probabilities(weights, coarse), atol=1e-6
    )


def test_an_epoch_takes_each_picture_once() -> None:
    """In another order each time; steps beyond an epoch begin a further one."""
    found = [*batches(10, LocalTrainingSettings(batch_size=4, local_epochs=2), seed=0)]
    assert [len(places) for places in found] == [4, 4, 2, 4, 4, 2]
    first, second = np.concatenate(found[:3]), np.concatenate(found[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert (first != second).any()
    local = LocalTrainingSettings(batch_size=4, local_steps=7)
    assert [len(places) for places in batches(10, local, seed=0)] == [4, 4, 2, 4, 4, 2, 4]

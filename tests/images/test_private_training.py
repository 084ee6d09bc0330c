"""Steps with noise, beside a loop over single pictures; what noise is like; what comes again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from glean.errors import SettingsError
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.images.networks.network import initial_weights, network_with
from glean.images.networks.training import SGDOptions, fit, tensors
from glean.images.privacy import private_training
from glean.images.privacy.noise_plan import NoisePlan
from glean.images.privacy.private_training import check_network, fit_privately
from glean.learning.model_weights import Weights
from glean.local_training_settings import LocalTrainingSettings
from glean.privacy.keyed_noise import KeyedNoise

SPEC = ImageSpec(("a", "b", "c"), 12, 1, 0.5, 0.5)
KEY = bytes(range(32))
STEPS = SGDOptions(LocalTrainingSettings(momentum=0.0), 0.1)

Floats = NDArray[np.float64]


def pictures_of(count: int, seed: int = 0) -> ImageSubset:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 12, 12, 1), dtype=np.uint8)
    return ImageSubset.whole(pixels, rng.integers(0, 3, count), SPEC.classes)


def plan_of(
    *,
    sample_rate: float = 1.0,
    steps: int = 1,
    clip_norm: float = 0.5,
    noise_multiplier: float = 0.0,
) -> NoisePlan:
    return NoisePlan(4.0, 1e-6, sample_rate, steps, 1, clip_norm, noise_multiplier)


def key_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def moved(before: Weights, after: Weights) -> Floats:
    """How far all weights went, in one vector."""
    steps = [after.arrays[k].astype(float) - before.arrays[k] for k in before.arrays]
    return np.concatenate([step.ravel() for step in steps])


def gradient_of(weights: Weights, pictures: ImageSubset, place: int) -> Floats:
    """Gradient of one picture's loss, over all weights."""
    network = network_with(weights)
    network.zero_grad()
    inputs, labels = tensors(pictures, np.array([place]), SPEC, "cpu")
    nn.functional.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    found = torch.cat([grad.flatten() for grad in grads]).double().numpy()
    network.zero_grad(set_to_none=True)
    return np.asarray(found)


@pytest.mark.parametrize("name", ["linear", "cnn-small"])
@pytest.mark.parametrize("clip", [0.5, 1e6])
def test_gradients_are_clipped_picture_by_picture(name: str, clip: float) -> None:
    """Without noise a step is the sum of the clipped gradients of what was drawn, by the mean."""
    count, rate = 150, 0.8  # more than are in memory at once
    pictures, weights = pictures_of(count), initial_weights(name, SPEC, seed=1)
    plan = plan_of(sample_rate=rate, clip_norm=clip)
    found = moved(weights, fit_privately(weights, pictures, STEPS, plan, key=KEY))
    drawn = np.flatnonzero(KeyedNoise(KEY).uniforms(count) < rate)
    assert 64 < len(drawn) < count
    total = np.zeros(len(found))
    lengths = []
    for place in drawn.tolist():
        gradient = gradient_of(weights, pictures, place)
        lengths.append(float(np.linalg.norm(gradient)))
        total += gradient * min(1.0, clip / lengths[-1])
    assert (min(lengths) > clip) == (clip == 0.5)
    expected = -STEPS.learning_rate * total / (rate * count)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_picture_moves_a_sum_by_the_clip_norm_at_most() -> None:
    """However much larger its own gradient is."""
    pictures, weights = pictures_of(40), initial_weights("cnn-small", SPEC, seed=1)
    plan = plan_of(clip_norm=0.01)
    scale = STEPS.learning_rate / 40
    one = moved(weights, fit_privately(weights, pictures, STEPS, plan, key=KEY))
    fewer = replace(pictures, places=pictures.places[1:])
    plan = replace(plan, sample_rate=40 / 39)  # the divisor of both
    other = moved(weights, fit_privately(weights, fewer, STEPS, plan, key=KEY))
    assert np.linalg.norm(one - other) / scale == pytest.approx(0.01, rel=1e-3)


def test_a_gradient_without_a_length_is_left_out() -> None:
    """No factor makes infinity small."""
    values = nn.Parameter(torch.zeros(2, 3))
    optimiser = private_training._Optimiser(
        torch.optim.SGD([values], lr=1.0),
        noise=KeyedNoise(KEY),
        noise_multiplier=0.0,
        max_grad_norm=1.0,
        expected_batch_size=1,
    )
    grads = torch.full((4, 2, 3), 0.1)
    grads[1, 0, 0], grads[2, 1, 1], grads[3] = math.inf, math.nan, 1e30
    values.grad_sample = grads  # type: ignore[attr-defined]
    optimiser.step()
    np.testing.assert_allclose(values.detach().numpy(), -0.1, rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_noise_has_the_standard_deviation_that_is_accounted(momentum: float) -> None:
    """Empty draws are steps of noise alone, which add up as momentum has it."""
    weights, steps = initial_weights("cnn-small", SPEC, seed=1), 3
    plan = plan_of(sample_rate=1e-12, steps=steps, noise_multiplier=1.7)
    options = SGDOptions(LocalTrainingSettings(momentum=momentum), 1e-12)
    went = moved(weights, fit_privately(weights, pictures_of(20), options, plan, key=KEY))
    one_step = options.learning_rate * 1.7 * plan.clip_norm / (plan.sample_rate * 20)
    shares = [sum(momentum**k for k in range(steps - first)) for first in range(steps)]
    found = went / (one_step * math.sqrt(sum(share**2 for share in shares)))
    count = len(found)
    assert count > 15_000
    assert abs(found.mean()) < 4 / math.sqrt(count)
    assert abs(found.std() - 1.0) < 4 / math.sqrt(2 * count)
    assert abs((found**4).mean() - 3.0) < 4 * math.sqrt(96 / count)
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 4 / math.sqrt(count)


def test_pictures_are_drawn_at_the_planned_rate() -> None:
    """By themselves, each step anew."""
    noise = KeyedNoise(KEY)
    drawn = np.stack([noise.uniforms(500) < 0.3 for _ in range(200)])
    assert abs(drawn.mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / drawn.size)
    assert drawn.sum(axis=1).std() == pytest.approx(math.sqrt(500 * 0.21), rel=0.25)


def test_the_pull_of_fedprox_carries_no_noise_and_is_not_clipped() -> None:
    """It goes by the weights alone."""
    weights = initial_weights("linear", SPEC, seed=1)
    plan = plan_of(sample_rate=1e-12, steps=2, noise_multiplier=1.0)
    options = SGDOptions(LocalTrainingSettings(momentum=0.0), 1e-12)
    free = moved(weights, fit_privately(weights, pictures_of(9), options, plan, key=KEY))
    held = replace(options, proximal_mu=0.5 / options.learning_rate)
    pulled = moved(weights, fit_privately(weights, pictures_of(9), held, plan, key=KEY))
    first = moved(
        weights, fit_privately(weights, pictures_of(9), options, replace(plan, steps=1), key=KEY)
    )
    np.testing.assert_allclose(pulled, free - 0.5 * first, atol=1e-5)


def test_the_same_key_gives_the_same_bytes_and_another_one_others() -> None:
    """Whatever PyTorch's own generator is at."""
    weights, plan = initial_weights("cnn-small", SPEC, seed=1), plan_of(noise_multiplier=1.0)
    options, pictures = replace(STEPS, learning_rate=0.01), pictures_of(70)
    one = fit_privately(weights, pictures, options, plan, key=KEY)
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    same = fit_privately(weights, pictures, options, plan, key=KEY)
    assert torch.equal(torch.random.get_rng_state(), before)
    other = fit_privately(weights, pictures, options, plan, key=key_of(1))
    assert one.to_npz() == same.to_npz() != other.to_npz()
    assert {*one.arrays} == {*weights.arrays}


def test_a_network_is_left_as_it_was() -> None:
    """Without hooks, and without what they left: steps without noise go as before."""
    weights, pictures = initial_weights("cnn-small", SPEC, seed=1), pictures_of(40)
    expected = fit(weights, pictures, STEPS, seed=1).to_npz()
    fit_privately(weights, pictures, STEPS, plan_of(noise_multiplier=1.0), key=KEY)
    network = network_with(weights)
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._backward_hooks
    for values in network.parameters():
        left = [name for name in ("grad_sample", "summed_grad") if hasattr(values, name)]
        assert (values.grad, left) == (None, [])
    assert fit(weights, pictures, STEPS, seed=1).to_npz() == expected


def test_a_network_that_mixes_pictures_is_refused() -> None:
    """Also where it keeps no running statistics."""
    with pytest.raises(SettingsError, match="may depend on other pictures"):
        check_network(nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False)))


def told_apart(multiplier: float, epsilon: float, delta: float) -> float:
    """By how much one picture is told from its absence beyond what epsilon and delta allow.

    An adversary knows all weights, all other pictures and the picture itself, and looks along its
    gradient; half of the draws choose the threshold, the other half are judged.
    """
    pictures, weights = pictures_of(4), initial_weights("linear", SPEC, seed=1)
    fewer = replace(pictures, places=pictures.places[1:])
    plan = plan_of(noise_multiplier=multiplier)
    aim = gradient_of(weights, pictures, 0)
    aim *= -plan.clip_norm / np.linalg.norm(aim)
    draws = 400

    def looked(subset: ImageSubset, first: int) -> Floats:
        fair = replace(plan, sample_rate=4 / len(subset))  # one divisor; all are drawn
        went = (
            moved(weights, fit_privately(weights, subset, STEPS, fair, key=key_of(first + k)))
            for k in range(draws)
        )
        return np.array([step @ aim for step in went])

    there, gone = looked(pictures, 0), looked(fewer, draws)
    half = draws // 2

    def excess(threshold: float, part: slice) -> float:
        hit, false = (there[part] > threshold).mean(), (gone[part] > threshold).mean()
        return float(hit - math.exp(epsilon) * false - delta)

    best = max(there[:half], key=lambda value: excess(value, slice(half)))
    return excess(float(best), slice(half, None))


@pytest.mark.slow
def test_who_looks_for_one_picture_sees_no_more_than_epsilon_allows() -> None:
    """And would, with a fortieth of the noise: the look isn't blind."""
    from glean.images.privacy.noise_plan import noise_multiplier

    epsilon, delta = 0.5, 1e-6
    needed = noise_multiplier(epsilon, delta, 1.0, 1)
    chance = 3 * math.sqrt(0.25 * (1 + math.exp(epsilon)) / 200)
    assert told_apart(needed, epsilon, delta) < chance
    assert told_apart(needed / 40, epsilon, delta) > 2 * chance

"""The measure of what an attack recovered: right of pictures themselves, wrong of look-alikes."""

from __future__ import annotations

import numpy as np
import pytest

from glean.images.inversion.resemblance import (
    Floats,
    Labelled,
    Pairs,
    Recovery,
    correlations,
    paired,
)
from glean.images.shapes import drawn_shapes

PICTURES = 8


def shapes() -> tuple[Labelled, Labelled]:
    """Eight pictures that were trained on, and the others."""
    pixels, labels = drawn_shapes(1)
    all_of_them = Labelled(pixels / 255.0, labels)
    places = np.arange(len(labels))
    return all_of_them.at(places[:PICTURES]), all_of_them.at(places[PICTURES:])


def recovery_of(out: Floats) -> Recovery:
    truth, untrained = shapes()
    return Recovery.of(out, truth, untrained, seed=3)


def test_the_pictures_themselves_are_recovered() -> None:
    """In any order, darker and with less contrast; not so pictures that nobody trained on."""
    truth, _ = shapes()
    found = recovery_of(0.3 * truth.brightness[::-1] + 0.2)
    assert (found.recovered, found.tried) == (PICTURES, PICTURES)
    assert found.likeness == pytest.approx(1.0)
    assert found.pairs.places.tolist() == list(range(PICTURES))[::-1]
    assert found.chance < 1.0
    assert found.chance_likeness < 0.6
    assert found.significant


def test_a_class_s_mean_is_no_picture() -> None:
    """Neither that of all others, nor one of few of them."""
    truth, untrained = shapes()
    for count in (10_000, 100, 3):
        means = np.stack(
            [untrained.brightness[untrained.labels == k][:count].mean(0) for k in truth.labels]
        )
        assert recovery_of(means).recovered == 0, count


def test_the_most_alike_picture_of_others_is_not_it() -> None:
    """Whichever of the others it is: what came out has to be more like it than any other is."""
    truth, untrained = shapes()
    likeness = correlations(truth.brightness, untrained.brightness)
    likeness[truth.labels[:, None] != untrained.labels[None, :]] = -1.0
    found = recovery_of(untrained.brightness[likeness.argmax(axis=1)])
    assert found.recovered <= 1  # where the one most like it isn't among those that it is told from
    assert not found.significant


def test_noise_is_no_picture() -> None:
    """And is like none."""
    truth, _ = shapes()
    found = recovery_of(np.random.default_rng(0).random(truth.brightness.shape))
    assert found.recovered == 0
    assert abs(found.likeness) < 0.2


def test_a_picture_beneath_noise_is_not_seen() -> None:
    """Though what came out is more like it than like all others: these are more like it."""
    truth, _ = shapes()
    noise = np.random.default_rng(0).normal(0.0, 0.7, truth.brightness.shape)
    found = recovery_of(truth.brightness + noise)
    assert 0.2 < found.likeness < found.other_likeness
    assert (found.pairs.places == found.pairs.out).all()
    assert found.recovered == 0


def test_a_blurred_picture_is_still_that_picture() -> None:
    """Half of it and half of the class's mean is more than anybody else has."""
    truth, untrained = shapes()
    means = np.stack([untrained.brightness[untrained.labels == k].mean(0) for k in truth.labels])
    assert recovery_of(0.5 * truth.brightness + 0.5 * means).recovered == PICTURES


def test_without_others_of_its_class_nothing_counts() -> None:
    """There is nothing to tell it from."""
    truth, untrained = shapes()
    bar = untrained.at(np.flatnonzero(untrained.labels != truth.labels[0]))
    pairs = paired(truth.brightness, truth, bar)
    assert not pairs.recovered[truth.labels == truth.labels[0]].any()
    assert pairs.recovered[truth.labels != truth.labels[0]].all()


@pytest.mark.parametrize(
    ("recovered", "tried", "chance", "more"),
    [(1, 8, 0.0, False), (2, 8, 0.0, True), (8, 8, 0.6, True), (3, 16, 2.0, False)],
)
def test_more_than_chance_is_told_by_a_test(
    recovered: int, tried: int, chance: float, more: bool
) -> None:
    """One in a hundred is right by chance where no draw shows any."""
    mask = np.arange(tried) < recovered
    pairs = Pairs(np.arange(tried), np.arange(tried), np.zeros(tried), mask)
    assert Recovery(pairs, chance, 0.0, 0.0, 0.0, 0.0).significant is more

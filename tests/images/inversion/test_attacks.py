"""Attacks on updates of shapes: pictures come out of plain single steps, and none with noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glean.images.inversion.first_round import Arrays, FirstRound, labelled, mean_update
from glean.images.inversion.gradient_matching import Search, reconstruct
from glean.images.inversion.resemblance import Labelled, Recovery
from glean.runs.index import StoredRun
from glean.settings import ConfigValue, RunSettings

PICTURES = 4


def first_round(**changes: ConfigValue) -> FirstRound:
    """Begin a run of three clients with shapes that are alike."""
    given = {key.replace("_", "-"): value for key, value in changes.items()}
    config: dict[str, ConfigValue] = {"workload": "images", "partitioner": "iid", "epsilon": 8.0}
    settings = RunSettings.from_config(config | given)
    return FirstRound.of(StoredRun(Path("nowhere"), {"nodes": 3}), settings)


def one_by_one(first: FirstRound, *, noised: bool) -> tuple[list[Arrays], Labelled]:
    """Take single steps on one picture each; their updates, and the pictures."""
    victim = first.victim
    places = first.first_places(victim, PICTURES)
    updates = [first.step(victim, places[k : k + 1], noised=noised) for k in range(PICTURES)]
    return updates, labelled(victim.training.at(victim.training.places[places]))


def attacked(first: FirstRound, *, noised: bool, search: Search | None = None) -> Recovery:
    """Attack each of the steps by itself."""
    updates, truth = one_by_one(first, noised=noised)
    named = [truth.labels[k : k + 1] for k in range(PICTURES)]
    out = reconstruct(first.weights, updates, named, seed=1, search=search)
    return Recovery.of(np.concatenate(out), truth, first.untrained, seed=1)


def test_a_linear_model_gives_a_picture_away_exactly() -> None:
    """From a plain step; with noise what comes out is like nothing."""
    first = first_round(image_model="linear")
    plain = attacked(first, noised=False)
    assert plain.recovered == PICTURES
    assert plain.pairs.likeness.min() > 0.999
    noise = attacked(first, noised=True)
    assert noise.recovered == 0
    assert noise.likeness < 0.3


def test_a_linear_model_gives_away_a_sum_of_few() -> None:
    """Of three clients' single pictures, of different classes, all come out of the mean."""
    first = first_round(image_model="linear")
    chosen, seen = [], set[int]()
    for learner in first.learners:
        labels = learner.training.own_labels
        place = next(k for k, label in enumerate(labels.tolist()) if label not in seen)
        seen.add(int(labels[place]))
        chosen.append((learner, np.array([place])))
    whole = mean_update((1.0, first.step(one, at, noised=False)) for one, at in chosen)
    parts = [labelled(one.training.at(one.training.places[at])) for one, at in chosen]
    truth = Labelled(
        np.concatenate([one.brightness for one in parts]),
        np.concatenate([one.labels for one in parts]),
    )
    (out,) = reconstruct(first.weights, [whole], [truth.labels], seed=1)
    found = Recovery.of(out, truth, first.untrained, seed=1)
    assert found.recovered == 3
    assert found.likeness > 0.9


@pytest.mark.slow
def test_a_network_s_gradient_gives_pictures_away() -> None:
    """More like them than any other is; not so with noise, and the same seed gives the same."""
    first = first_round(image_model="cnn")
    search = Search(steps=250)
    plain = attacked(first, noised=False, search=search)
    noise = attacked(first, noised=True, search=search)
    assert plain.significant
    assert plain.likeness > plain.chance_likeness + 0.15
    assert noise.recovered == 0
    assert noise.likeness < 0.3


def test_the_same_seed_gives_the_same_pictures() -> None:
    """To the bit, and another seed others."""
    first = first_round(image_model="cnn-small")
    updates, truth = one_by_one(first, noised=False)
    found = [
        reconstruct(
            first.weights, updates[:1], [truth.labels[:1]], seed=seed, search=Search(steps=3)
        )[0].tobytes()
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


def test_noise_in_a_step_is_drawn_once() -> None:
    """The same step has the same bytes; another picture's other noise."""
    first = first_round(image_model="linear")
    places = first.first_places(first.victim, 2)
    one, again, other = (
        first.step(first.victim, at, noised=True)["1.weight"].tobytes()
        for at in (places[:1], places[:1], places[1:])
    )
    assert one == again != other

"""What is attacked: a client's update as it is, the sum of all alone, and the update with noise.

Each of them of the first round as the run went, and of a single step on one picture and on eight,
which is the hardest that settings allow a client: the fewer pictures and steps are behind an
update, the more it tells of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.images.inversion.first_round import (
    Arrays,
    FirstRound,
    Learner,
    labelled,
    mean_update,
)
from glean.images.inversion.resemblance import Labelled, Labels, Recovery
from glean.seeds import derived_seed

Floats = NDArray[np.float64]
Said = Callable[[str], None]

PLAIN, SUM, NOISE = "plain", "sum", "noise"

FEW = 8
"""Pictures of a client that are attacked."""

MOST_IN_SUM = 16
"""Pictures that an attack on a sum looks for at most: each takes as long as one of a client's."""

MOST_COMPARED = 5_000
"""Pictures behind an update with which what came out is compared; of more so many are drawn."""


@dataclass(frozen=True, eq=False)
class Case:
    """An update that was attacked.

    Parameters
    ----------
    update : str
        `PLAIN`, `SUM` or `NOISE`.
    clients : int
        Those that it is of.
    behind : int
        Pictures that an update was learned from.
    recovery : Recovery
        What came of it.
    originals, out : float64 arrays of shape (pairs, height, width, channels)
        Pictures behind it, and what came out beside each.
    seconds : float
        Wall clock.
    """

    update: str
    clients: int
    behind: int
    recovery: Recovery
    originals: Floats
    out: Floats
    seconds: float


@dataclass(frozen=True, eq=False)
class Experiment:
    """The three updates of one way to train.

    Parameters
    ----------
    pictures : int
        In the single step; 0: the round as the run went.
    cases : tuple of Case
        Plain, the sum, with noise.
    """

    pictures: int
    cases: tuple[Case, ...]


def experiments(first: FirstRound, whole: Arrays, said: Said) -> Iterator[Experiment]:
    """Make all attacks.

    Parameters
    ----------
    first : FirstRound
        The run's.
    whole : mapping of str to float32 array
        From `whole_round`.
    said : callable
        Told what is done next.
    """
    said("attacks on the first round as it went")
    yield _as_it_went(first, whole)
    for count in (1, FEW):
        said(f"attacks on single steps, batch-size={count}")
        yield _single_step(first, count)


def whole_round(first: FirstRound) -> Arrays:
    """Give what the round changed in the mean over all clients, without noise."""
    return mean_update((one.weight, first.update(one, noised=False)) for one in first.learners)


def _as_it_went(first: FirstRound, whole: Arrays) -> Experiment:
    """Attack a whole round; nobody knows how many pictures to look for where steps are many."""
    victim = first.victim
    behind = _behind(first, [victim])
    of_all = _behind(first, first.learners)
    plain, noise = (first.update(victim, noised=noised) for noised in (False, True))
    looked, more = min(FEW, len(behind)), min(FEW, len(of_all))
    cases = (
        _attacked(first, PLAIN, [plain], [behind], looked, clients=1),
        _attacked(first, SUM, [whole], [of_all], more, clients=len(first.learners)),
        _attacked(first, NOISE, [noise], [behind], looked, clients=1),
    )
    return Experiment(0, cases)


def _behind(first: FirstRound, learners: Sequence[Learner]) -> Labelled:
    """Give the pictures that clients learn from in the round."""
    found = []
    for learner in learners:
        places = np.arange(len(learner.training))
        if first.single_step:
            size = first.settings.local_training.batch_size
            places = first.first_places(learner, min(size, len(places)))
        found.append(learner.training.at(learner.training.places[places]))
    return Labelled.joined([labelled(one) for one in found])


def _single_step(first: FirstRound, count: int) -> Experiment:
    """Attack a step on so many pictures; of one picture, as many such steps one by one."""
    victim = first.victim
    mine = first.first_places(victim, min(FEW, len(victim.training)))
    batches = [mine[start : start + count] for start in range(0, len(mine), count)]
    truths = [labelled(victim.training.at(victim.training.places[batch])) for batch in batches]
    steps = {
        update: [first.step(victim, batch, noised=update == NOISE) for batch in batches]
        for update in (PLAIN, NOISE)
    }
    each = len(truths[0])
    parts = [
        (one, first.first_places(one, min(count, len(one.training)))) for one in first.learners
    ]
    whole = mean_update((one.weight, first.step(one, at, noised=False)) for one, at in parts)
    of_all = Labelled.joined(
        [labelled(one.training.at(one.training.places[at])) for one, at in parts]
    )
    more = min(MOST_IN_SUM, len(of_all))
    cases = (
        _attacked(first, PLAIN, steps[PLAIN], truths, each, clients=1),
        _attacked(first, SUM, [whole], [of_all], more, clients=len(parts)),
        _attacked(first, NOISE, steps[NOISE], truths, each, clients=1),
    )
    return Experiment(count, cases)


def _attacked(
    first: FirstRound,
    update: str,
    updates: Sequence[Arrays],
    truths: Sequence[Labelled],
    looked_for: int,
    *,
    clients: int,
) -> Case:
    """Attack updates one by one, looking for so many pictures in each; measure all together."""
    from glean.images.inversion.gradient_matching import reconstruct

    begin = time.perf_counter()
    seed = derived_seed(first.settings.seed, "inversion")
    named = [likeliest_labels(truth.labels, looked_for) for truth in truths]
    out = np.concatenate(reconstruct(first.weights, updates, named, seed=seed))
    truth = Labelled.joined(truths)
    if len(truth) > MOST_COMPARED:
        rng = np.random.default_rng(seed)
        truth = truth.at(np.sort(rng.choice(len(truth), MOST_COMPARED, replace=False)))
    recovery = Recovery.of(out, truth, first.untrained, seed=seed)
    pairs = recovery.pairs
    seconds = time.perf_counter() - begin
    behind = len(truths[0])
    originals = truth.brightness[pairs.places]
    return Case(update, clients, behind, recovery, originals, out[pairs.out], seconds)


def likeliest_labels(labels: Labels, count: int) -> Labels:
    """Give so many labels in the shares of all, by largest remainders.

    Examples
    --------
    >>> likeliest_labels(np.array([3, 3, 3, 7]), 4).tolist()
    [3, 3, 3, 7]
    >>> likeliest_labels(np.array([3] * 90 + [7] * 30 + [9]), 4).tolist()
    [3, 3, 3, 7]
    """
    classes, found = np.unique(labels, return_counts=True)
    quotas = found * count / found.sum()
    whole = np.floor(quotas).astype(np.int64)
    rest = np.argsort(whole - quotas, kind="stable")[: count - whole.sum()]
    whole[rest] += 1
    return np.repeat(classes, whole)

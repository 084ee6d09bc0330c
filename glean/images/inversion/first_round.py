"""The first round of a simulation on pictures, made again: what each client's training changed.

With the same settings clients train to the same bytes again, also with noise, which follows from
the run's seed in a simulation. So what the server was sent is known without its messages; that it
is so, the model after the round in the run's folder says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.server_optimizers import first_moments, stepped
from glean.aggregation.update import share_weight
from glean.errors import GleanError
from glean.federation.workload.run_audit import log_kept_back
from glean.images.client_images import ClientImages, simulated_images
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset
from glean.images.inversion.resemblance import Labelled
from glean.images.partition import ImagePartition
from glean.images.privacy.noise_plan import NoisePlan
from glean.images.reading_weights import read_weights
from glean.images.workload import IMAGES
from glean.learning.model_weights import Weights
from glean.learning.step_sizes import step_size_in
from glean.node_settings import NodeSettings
from glean.noise_settings import DP_SGD
from glean.privacy.keyed_noise import derived_key
from glean.runs.index import StoredRun
from glean.seeds import derived_seed
from glean.settings import RunSettings

Arrays = Mapping[str, NDArray[np.float32]]
Places = NDArray[np.int64]

_TOLERANCE = 1e-5
"""By which a weight may differ from the run's, which sums in fixed point."""

_ROUND = 1


@dataclass(frozen=True, eq=False)
class Learner:
    """A client that trains.

    Parameters
    ----------
    place : int
        Of its partition.
    name : str
        The client's.
    training : ImageSubset
        What it learns from, among the classes of all.
    """

    place: int
    name: str
    training: ImageSubset

    @property
    def weight(self) -> float:
        """Its weight in the mean, as it travels."""
        return share_weight(float(len(self.training)))


@dataclass(frozen=True, eq=False)
class FirstRound:
    """What clients begin with, and what they have.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    weights : Weights
        Before the round.
    learners : tuple of Learner
        Those that train, the fewest pictures first.
    untrained : Labelled
        Pictures of all clients that nobody trains on.
    count : int
        Clients of the simulation, those that don't train with them.
    """

    settings: RunSettings
    weights: Weights
    learners: tuple[Learner, ...]
    untrained: Labelled
    count: int

    @classmethod
    def of(cls, stored: StoredRun, settings: RunSettings) -> FirstRound:
        """Open a simulation's pictures again.

        Raises
        ------
        GleanError
            They aren't there any more.
        """
        count = int(stored.facts["nodes"])
        newcomers = set(stored.facts.get("newcomers") or ())
        shares = simulated_images(settings.image, settings.seed, count)
        partitions = [_partition_of(place, count, settings) for place in range(count)]
        spec = IMAGES.negotiate([one.facts() for one in partitions], settings)
        classes = ImageSpec.from_json(spec).classes
        learners = [
            Learner(place, partitions[place].name, share.training.named_as(classes))
            for place, share in enumerate(shares)
            if partitions[place].name not in newcomers and len(share.training)
        ]
        learners.sort(key=lambda one: (len(one.training), one.place))
        weights = IMAGES.first_model(spec, settings)
        return cls(settings, weights, tuple(learners), _untrained(shares, classes), count)

    @property
    def victim(self) -> Learner:
        """The client that is attacked: the one with the fewest pictures, which its update is of."""
        return self.learners[0]

    @cached_property
    def with_noise(self) -> RunSettings:
        """The run's settings, with the noise of its epsilon where it has none."""
        return replace(self.settings, noise=replace(self.settings.noise, privacy=DP_SGD))

    @cached_property
    def without_noise(self) -> RunSettings:
        """The run's settings without noise."""
        return replace(self.settings, noise=replace(self.settings.noise, privacy="sums"))

    def fitted(self, learner: Learner, settings: RunSettings) -> Weights:
        """Train a client for the round, as settings say."""
        partition = _partition_of(learner.place, self.count, settings)
        seed = derived_seed(settings.seed, "train", _ROUND, learner.name)
        rate = settings.rounds.learning_rate
        with log_kept_back():
            return partition.fit(self.weights, learning_rate=rate, seed=seed, number=_ROUND)

    def update(self, learner: Learner, *, noised: bool) -> Arrays:
        """Give what the round changed at a client."""
        settings = self.with_noise if noised else self.without_noise
        return changed(self.weights, self.fitted(learner, settings))

    def step(self, learner: Learner, places: Places, *, noised: bool) -> Arrays:
        """Give what a single step on some of a client's pictures changes.

        With noise it is as much as a run of one such step a round takes for its epsilon, and the
        step drew these very pictures.
        """
        from glean.images.networks.training import SGDOptions, fit
        from glean.images.privacy.private_training import fit_privately

        local = replace(self.settings.local_training, local_steps=1, batch_size=len(places))
        steps = SGDOptions(local, self.step_size)
        chosen = learner.training.at(learner.training.places[places])
        if not noised:
            return changed(self.weights, fit(self.weights, chosen, steps, seed=0))
        plan = NoisePlan.of(replace(self.with_noise, local_training=local), len(learner.training))
        plan = replace(plan, sample_rate=1.0, steps=1)
        secret = derived_key(str(self.settings.seed).encode(), b"audit")
        key = derived_key(secret, f"{learner.name} {places.tolist()}".encode())
        return changed(self.weights, fit_privately(self.weights, chosen, steps, plan, key=key))

    def first_places(self, learner: Learner, count: int) -> Places:
        """Give the pictures that a client's first step is on, by the order of its first epoch."""
        from glean.images.networks.training import batches

        local = replace(self.settings.local_training, local_steps=1, batch_size=count)
        seed = derived_seed(self.settings.seed, "train", _ROUND, learner.name)
        return next(batches(len(learner.training), local, seed=seed))

    @property
    def step_size(self) -> float:
        """Of the round."""
        return step_size_in(_ROUND, self.settings.rounds.learning_rate, self.settings)

    @property
    def single_step(self) -> bool:
        """Whether a client takes one step a round, as far as the victim shows."""
        local, count = self.settings.local_training, len(self.victim.training)
        a_pass = -(-count // local.batch_size)
        return (local.local_steps or local.local_epochs * a_pass) == 1

    def check_same(self, stored: StoredRun, mean: Arrays) -> None:
        """Compare the model after the round with the one in the run's folder.

        Parameters
        ----------
        stored : StoredRun
            The run.
        mean : mapping of str to array
            What the round changed, in the mean over clients, as the run trained.

        Raises
        ------
        GleanError
            It is another: then the attacks would be on another run's updates.
        """
        path = stored.folder / "models" / f"round_{_ROUND:03d}.npz"
        if not path.is_file():
            raise GleanError(f"{stored.folder}: found no models/{path.name}; simulate anew")
        found, weights = read_weights(path.read_bytes()), self.weights
        arrays = {name: values + mean[name] for name, values in weights.arrays.items()}
        expected = Weights(weights.kind, weights.spec, arrays)
        if optimizer := self.settings.rounds.kind.server_optimizer:
            rate = self.settings.rounds.server_learning_rate
            moments = first_moments(weights)
            expected, _ = stepped(optimizer, weights, expected, moments, learning_rate=rate)
        for name, values in expected.arrays.items():
            if values.shape != found.arrays[name].shape or not np.allclose(
                values, found.arrays[name], rtol=_TOLERANCE, atol=_TOLERANCE
            ):
                raise GleanError(
                    f"{stored.folder}: found another model after the first round than the same "
                    "settings give now: the pictures or Glean have changed since, or it was taken "
                    "back; simulate anew and audit that run"
                )


def mean_update(updates: Iterator[tuple[float, Arrays]]) -> Arrays:
    """Give the weighted mean of clients' updates, which their sum opens."""
    total: dict[str, NDArray[np.float64]] = {}
    weights = 0.0
    for weight, update in updates:
        weights += weight
        for name, values in update.items():
            total[name] = total.get(name, 0.0) + weight * values.astype(np.float64)
    return {name: (values / weights).astype(np.float32) for name, values in total.items()}


def changed(before: Weights, after: Weights) -> Arrays:
    """Subtract weights."""
    return {name: values - before.arrays[name] for name, values in after.arrays.items()}


def labelled(pictures: ImageSubset) -> Labelled:
    """Give pictures as brightness between 0 and 1."""
    pixels = pictures.pixels[pictures.places]
    return Labelled(pixels / float(np.iinfo(pixels.dtype).max), pictures.own_labels)


def _partition_of(place: int, count: int, settings: RunSettings) -> ImagePartition:
    node = NodeSettings(partition=place, partitions=count)
    return IMAGES.open_partition(node, settings, newcomer=False)


def _untrained(shares: tuple[ClientImages, ...], classes: tuple[str, ...]) -> Labelled:
    held = [labelled(w.named_as(classes)) for s in shares for w in (s.validation, s.test)]
    return Labelled.joined(held)

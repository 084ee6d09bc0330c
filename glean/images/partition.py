"""One client's pictures as the federation sees them, and its trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glean.class_scores import ClassScores
from glean.classification import ClassificationSums, Floats
from glean.federation.wire.messages import OWN_NETWORK, Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import SumRequest
from glean.federation.workload.client_state import ClientState
from glean.federation.workload.protocols import FinalScores
from glean.federation.workload.weight_trainer import Encoded, WeightTrainer
from glean.images.adaptation.layer_report import keep_network
from glean.images.adaptation.own_network import OwnNetwork
from glean.images.adaptation.resumed_models import earlier_models
from glean.images.client_images import ClientImages
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import ImageSubset, Labels
from glean.images.networks.safetensors_file import write_beside
from glean.images.privacy.private_client import PrivateClient
from glean.images.reading_weights import read_weights
from glean.images.result_files import ByMethod, written_scores
from glean.learning.model_weights import Weights
from glean.learning.step_sizes import step_size_in
from glean.privacy.privacy_ledger import Days
from glean.runs.client_home import NOBODY, Vouched, keep_model
from glean.seeds import derived_seed
from glean.settings import RunSettings

NEWCOMERS_PICTURES = 30
"""Training pictures that a newcomer has, for a network of its own."""

METHODS = ("federated", "local", "local-on-all")
"""What a client scores in the final test; the last one in a simulation only, on all test pictures:
those of one client have its own mixture of classes, which a network of its own learned."""

NOISED_METHODS = METHODS[:2]
"""Those whose scores may be opened with noise; each is paid for."""


class ImagePartition(WeightTrainer):
    """Learns from one client's pictures.

    Parameters
    ----------
    name : str
        The client's.
    pictures : ClientImages
        Its own.
    settings : RunSettings
        The run's.
    own_table : bool
        Whether they are its own, and no share of a simulation's.
    newcomer : bool
        Whether it comes once the model is trained, with few pictures.
    home : str
        Folder in which it keeps the final model; "" for none.
    private : PrivateClient or None
        What trains with noise; None where a run wants none.
    device : str
        Where it learns and scores, by PyTorch's name.
    own : OwnNetwork or None
        Its network, where that isn't the run's.
    test_of_all : ImageSubset or None
        Test pictures of all clients, which a simulation's client can look at too.
    """

    def __init__(
        self,
        name: str,
        pictures: ClientImages,
        settings: RunSettings,
        *,
        own_table: bool,
        newcomer: bool = False,
        home: str = "",
        private: PrivateClient | None = None,
        device: str = "cpu",
        own: OwnNetwork | None = None,
        test_of_all: ImageSubset | None = None,
    ) -> None:
        super().__init__()
        self.device_used = device
        self.update_clip_norm = settings.local_training.update_clip_norm
        self.name = name
        self.own_table = own_table
        self._pictures = pictures.cut_short(NEWCOMERS_PICTURES) if newcomer else pictures
        self._newcomer = newcomer
        self._home = home
        self._settings = settings
        self._private = private
        self._own = own
        self._test_of_all = test_of_all

    @property
    def why_untrained(self) -> str:
        """Why there is nothing to learn from; "" where there is."""
        if self._newcomer:
            return "it comes once the model is trained"
        if not len(self._pictures.training):
            return "it has no training pictures; wanted one"
        return self._own.why_afresh(self._alike()) if self._own else ""

    def days(self, _window: str) -> Days:
        """Have no dates."""
        return frozenset()

    def facts(self) -> dict[str, Any]:
        """Say what the pictures are like, and which classes there are."""
        facts = self._alike()
        if self._private is not None and self._own:
            self._own.check_private(facts)
        if self._private is not None and not self.why_untrained:
            self._private.check(len(self._pictures.training))
        return facts | ({OWN_NETWORK: "its own"} if self._own else {})

    def _alike(self) -> dict[str, Any]:
        _, height, _, channels = self._pictures.training.pixels.shape
        classes = list(self._pictures.training.classes)
        return {"size": height, "channels": channels, "classes": classes}

    def trainer(self, spec: str) -> ImagePartition:
        """Learn here."""
        if self._own and self.own_table:
            self._own.tell(spec)
        return self

    def weight(self, _spec: str) -> float:
        """Every picture weighs the same."""
        return float(len(self._pictures.training))

    def totals(self) -> tuple[int, float]:
        """Count the training pictures."""
        count = len(self._pictures.training)
        return count, float(count)

    def read(self, content: bytes) -> Weights:
        """Read a file of weights."""
        return read_weights(content)

    def fit(self, weights: Weights, *, learning_rate: float, seed: int, number: int) -> Weights:
        """Train weights further on the training pictures for one round."""
        from glean.images.networks.training import SGDOptions, fit

        settings = self._settings
        steps = SGDOptions(
            settings.local_training,
            step_size_in(number, learning_rate, settings),
            settings.local_training.proximal_mu if settings.rounds.kind.proximal else 0.0,
        )
        mine = self._among(weights, self._pictures.training)
        begun = self._own.begun(weights) if self._own else weights
        if self._private is not None:
            fitted = self._private.fit(begun, mine, steps, number=number, device=self.device_used)
        else:
            fitted = fit(begun, mine, steps, seed=seed, device=self.device_used)
        if self._own is None:
            return fitted
        self._own.keep(weights, begun, fitted)
        return self._own.given(fitted, weights)

    def catch_up(self, task: Task, state: ClientState) -> bool:
        """Take the weights of a task, and what was kept of this client's own layers."""
        if self._own and not self.why_untrained:
            found = self._own.take(state, first=task.round <= 1)
            if not found and self._settings.resume and not self.own_table:
                self._replay(task)
        return super().catch_up(task, state)

    def _replay(self, task: Task) -> None:
        """Train own layers again through the rounds of a simulation that is resumed.

        States of a simulation's clients end with it; its models are in its folder.
        """
        for number, weights in earlier_models(task, self._settings):
            seed = derived_seed(self._settings.seed, "train", number, self.name)
            self.fit(weights, learning_rate=task.learning_rate, seed=seed, number=number)

    def contribute(
        self,
        part: str,
        task: SumTask,
        request: SumRequest,
        *,
        weight: float,
        seed: int,
        days: Days | None = None,
        discount: float | None = None,
    ) -> Encoded:
        """Train the task's weights, or those of them that this client's network has."""
        if self._own:
            self._own.check_counted(request)
        return super().contribute(
            part, task, request, weight=weight, seed=seed, days=days, discount=discount
        )

    def score(self, weights: Weights) -> ClassificationSums:
        """Score weights on the validation pictures; none where the network is trained alone."""
        if self._afresh:
            return ClassificationSums()
        return ClassificationSums.of(*self._answers(weights, self._pictures.validation))

    def final_test(self, task: Task, *, run_id: int, vouched: Vouched = NOBODY) -> FinalScores:
        """Keep the final model; score it, and the same network trained here alone, on the test."""
        weights = self.read(task.model)
        if self._home:
            home = Path(self._home).expanduser()
            path = keep_model(home, task.model, bakery=self.name, run_id=run_id, vouched=vouched)
            write_beside(path, weights)
        if self._home and self._own:
            keep_network(self._home, self._played(weights), self._own.matching(weights.spec))
        none = ClassScores.none(len(ImageSpec.from_json(weights.spec).classes))
        # Scores of a rival that trained without noise would tell of own pictures what noise hides.
        scored = self._settings.baselines and not (self._private and self.own_table)
        local = self.local_weights(weights.spec, task.learning_rate) if scored else None
        found = {"federated": self._tested(weights), **dict.fromkeys(METHODS[1:], none)}
        if local is not None:
            found["local"] = self._tested(local)
        if local is not None and self._test_of_all is not None:
            found["local-on-all"] = ClassScores.of(*self._answers(local, self._test_of_all))
        # Each score with noise is paid for, and there are as many at all clients.
        noised = NOISED_METHODS if self._settings.baselines else NOISED_METHODS[:1]
        return _final_scores(found, noised)

    def start_test(self, task: Task) -> FinalScores:
        """Score a model on the test pictures."""
        return _final_scores({"federated": self._tested(self.read(task.model))}, METHODS[:1])

    def _tested(self, weights: Weights) -> ClassScores:
        return ClassScores.of(*self._answers(weights, self._pictures.test))

    def _answers(self, weights: Weights, pictures: ImageSubset) -> tuple[Labels, Floats]:
        """Give the labels of pictures, and the probability of each class."""
        from glean.images.networks.training import probabilities

        mine = self._among(weights, pictures)
        return mine.own_labels, probabilities(self._played(weights), mine, device=self.device_used)

    def _played(self, weights: Weights) -> Weights:
        """Give what this client tells pictures by: weights as they are, or its own network."""
        if self._own is None or weights.kind == self._own.network:
            return weights
        mine = self._among(weights, self._pictures.training)
        return self._own.played(weights, mine, afresh=self._afresh, device=self.device_used)

    @property
    def _afresh(self) -> bool:
        return self._own is not None and bool(self._own.why_afresh(self._alike()))

    def local_weights(self, spec_text: str, learning_rate: float) -> Weights | None:
        """Train the network on this client's pictures alone; None where it has none."""
        from glean.images.networks.baselines import trained_alone

        spec, mine = ImageSpec.from_json(spec_text), self._pictures.training
        if not len(mine):
            return None
        pictures = mine.named_as(spec.classes)
        return trained_alone(
            pictures,
            spec,
            self._settings,
            learning_rate=learning_rate,
            name=self.name,
            device=self.device_used,
            network=self._own.network if self._own else "",
        )

    def _among(self, weights: Weights, pictures: ImageSubset) -> ImageSubset:
        """Count labels among the classes of all clients."""
        return pictures.named_as(ImageSpec.from_json(weights.spec).classes)


def _final_scores(by_method: ByMethod, noised: Sequence[str]) -> FinalScores:
    vectors = np.stack([scores.to_vector() for scores in by_method.values()])
    misses = np.array([1.0 - by_method[name].accuracy for name in noised])
    return FinalScores(written_scores(by_method), vectors, primary=misses)

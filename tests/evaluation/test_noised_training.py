"""Random trees without messages and masks: the models that a federation trains with both."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glean.evaluation.tables import noised_training
from glean.evaluation.tables.noised_training import NoisedTraining
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.client import noised_vector
from glean.federation.coordination.global_model import TreeModel
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.forest import Forest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings

OPEN: dict[str, ConfigValue] = {
    "aggregation": "oblivious",
    "secure_sums": True,
    "learning_rate": 0.0,
    "num_server_rounds": 3,
}
NOISED = OPEN | {"aggregation": "auto", "privacy": "noise"}


def federated(tmp_path: Path, settings: RunSettings) -> Forest:
    """The model of a federation over messages and masks."""
    model = federation_of(tmp_path, settings).run().model
    assert isinstance(model, TreeModel)
    return model.forest


def training_of(forest: Forest, settings: RunSettings) -> NoisedTraining:
    """The same three bakeries, without any message."""
    found = [bakery_rows_of(NodeSettings(partition=k), settings) for k in range(3)]
    rows = [each.training(forest.definition) for each in found if each is not None]
    return NoisedTraining(rows, forest.definition, settings)


def test_without_noise_it_is_the_federation_s_model(tmp_path: Path, three_bakeries: str) -> None:
    """To the byte; also of a second seed, for which nothing of the first's is taken."""
    settings = small_settings(three_bakeries, **OPEN)
    first = federated(tmp_path / "first", settings)
    training = training_of(first, settings)
    for seed, name in ((settings.seed, "same"), (7, "other")):
        told = small_settings(three_bakeries, **OPEN, seed=seed)
        # The federation keeps the round that validates best.
        wanted = federated(tmp_path / name, told)
        assert training.train(told).first(wanted.tree_count).to_bytes() == wanted.to_bytes()


def test_with_the_same_noise_it_is_the_federation_s_model_too(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise that three bakeries add in parts, here added as a whole: each number, where it goes."""

    def part(deviation: int, size: int, **_: object) -> NDArray[np.int64]:
        return np.arange(size) % 7 * deviation

    def whole(deviation: int, size: int) -> NDArray[np.int64]:
        each = round(deviation / math.sqrt(3))
        return 3 * part(each, size)

    settings = small_settings(three_bakeries, **NOISED)
    for name in (DAY_GRADIENTS, DAY_HESSIANS):
        each = part_deviation(name, settings, parties=3)
        assert round(math.ceil(each * math.sqrt(3)) / math.sqrt(3)) == each
    monkeypatch.setattr(noised_vector, "sample", part)
    monkeypatch.setattr(noised_training, "sample", whole)
    wanted = federated(tmp_path, settings)
    assert training_of(wanted, settings).train(settings).to_bytes() == wanted.to_bytes()


def test_the_noise_of_all_has_the_variance_of_their_parts(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Of 3,200 numbers: within 6 standard errors, and never twice the same."""
    settings = small_settings(three_bakeries, **NOISED)
    training = training_of(federated(tmp_path, settings), settings)
    size = 20 * LEAVES_PER_ROUND
    drawn, again = (training._noise(DAY_GRADIENTS, size, settings, 3) for _ in range(2))
    assert not np.array_equal(drawn, again)
    variance = 3 * part_deviation(DAY_GRADIENTS, settings, parties=3) ** 2
    assert abs(drawn.var() / variance - 1) < 6 * math.sqrt(2 / size)

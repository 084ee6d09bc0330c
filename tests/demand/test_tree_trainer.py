"""A bakery follows the model by what is new, and says so when it lost its place."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message, RecordDict

from glean.demand.histogram_limits import histogram_request
from glean.demand.margin_cache import MarginCache
from glean.demand.tree_trainer import TreeTrainer
from glean.errors import ModelError, RefusalError
from glean.features.matrix import FeatureMatrix
from glean.federation.coordination.global_model import TreeModel
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.messages import Task
from glean.federation.workload.client_state import ClientState
from glean.learning.bin_layout import BinLayout
from glean.learning.booster import predict
from glean.learning.boosting import TreeLearner
from glean.learning.forest import Forest
from glean.learning.structure import check_public_edges
from glean.metrics import ErrorSums
from glean.settings import BoostingSettings
from tests.federations import federation_of, small_settings
from tests.matrices import DEFINITION, random_matrix

BOOSTING = BoostingSettings(
    max_depth=3, min_child_weight=1.0, trees_per_round=2, subsample=0.7, colsample=1.0
)
TRAINING, VALIDATION = random_matrix(80, seed=1), random_matrix(30, seed=2)


def work() -> TreeTrainer:
    return trainer_on(TRAINING)


def trainer_on(training: FeatureMatrix, boosting: BoostingSettings = BOOSTING) -> TreeTrainer:
    return TreeTrainer(
        lambda: training,
        lambda: VALIDATION,
        definition=training.definition,
        boosting=boosting,
        device="cpu",
    )


def train(trainer: TreeTrainer, task: Task, record: RecordDict, *, seed: int) -> bytes | None:
    """A round's trees; None where the trainer lost its place."""
    held = trainer.catch_up(task, ClientState(record))
    return trainer.train(task, seed=seed) if held else None


def validated(trainer: TreeTrainer, task: Task, record: RecordDict) -> ErrorSums | None:
    """The errors on validation rows; None where the trainer lost its place."""
    return trainer.validate() if trainer.catch_up(task, ClientState(record)) else None


def task_of(model: TreeModel, held: str, *, number: int = 1) -> Task:
    base, content = model.since(held)
    return Task(
        round=number,
        spec=DEFINITION.to_json(),
        base=base,
        state=model.state,
        learning_rate=0.3,
        newcomer=False,
        model=content,
    )


def first_model() -> TreeModel:
    return TreeModel.of(Forest.empty(DEFINITION, objective=BOOSTING.objective))


def grown(model: TreeModel, seed: int) -> TreeModel:
    """The model after a round in which a stranger's trees were merged, scaled."""
    stranger = trainer_on(random_matrix(50, seed=seed))
    content = train(stranger, task_of(model, ""), RecordDict(), seed=seed)
    assert content is not None
    trees = Forest.from_bytes(content).scaled(0.37).trees
    return model.grown(model.forest.plus(trees))


def held_by(record: RecordDict) -> MarginCache:
    progress = MarginCache.load(ClientState(record))
    assert progress is not None
    return progress


def test_following_what_is_new_gives_the_bits_of_the_whole_model() -> None:
    """Margins, forecasts and new trees of both ways are the same, round after round."""
    model, follower = first_model(), RecordDict()
    work_of_follower = work()
    state = ""
    for number in range(1, 6):
        model = grown(model, seed=number)
        delta, whole = task_of(model, state, number=number), task_of(model, "", number=number)
        anew = RecordDict()
        one = train(work_of_follower, delta, follower, seed=number)
        two = train(work(), whole, anew, seed=number)
        assert one is not None
        assert one == two
        for window in ("training", "validation"):
            left, right = getattr(held_by(follower), window), getattr(held_by(anew), window)
            assert left.tobytes() == right.tobytes()
        state = model.state
    assert len(delta.model) < len(whole.model) / 2


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:absoluteerror"])
def test_what_is_sent_splits_at_public_edges(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XGBoost makes up thresholds near a bakery's largest values: they don't leave it."""
    boosting = replace(BOOSTING, objective=objective, min_child_weight=0.5, max_depth=6)
    training = random_matrix(500, seed=8)
    mine = trainer_on(training, boosting)
    model = TreeModel.of(Forest.empty(DEFINITION, objective=objective))
    monkeypatch.setattr(TreeLearner, "add", None)  # followed on the bins, from the first tree on
    raw = TreeLearner(training, boosting=boosting)
    grown_here = raw.grow(raw.start(), learning_rate=0.3, steps=8, seed=1)
    layout = BinLayout(DEFINITION, boosting.bins)
    with pytest.raises(ModelError, match="public edges"):
        check_public_edges(grown_here, layout)
    record = RecordDict()
    for number in (1, 2):
        content = train(mine, task_of(model, ""), record, seed=number)
        assert content is not None
        sent = Forest.from_bytes(content)
        check_public_edges(sent, layout)
        model = model.grown(model.forest.plus(sent.trees))


def test_the_forecast_is_the_model_s() -> None:
    """What is scored in a round is what the model's file forecasts."""
    model = grown(grown(first_model(), seed=1), seed=2)
    found = validated(work(), task_of(model, ""), RecordDict())
    assert found is not None
    forecast = np.maximum(predict(model.forest, VALIDATION.x), 0.0) * VALIDATION.level
    assert found.as_tuple == pytest.approx(
        ErrorSums.of(VALIDATION.units, forecast).as_tuple, rel=1e-5
    )


def test_as_many_trees_as_asked_for() -> None:
    """A round's contribution holds the new trees only, on the agreed features."""
    model = grown(first_model(), seed=1)
    content = train(work(), task_of(model, ""), RecordDict(), seed=1)
    assert content is not None
    new = Forest.from_bytes(content)
    assert (new.tree_count, new.definition) == (2, DEFINITION)


def test_the_same_state_is_not_added_twice() -> None:
    """Scored and then trained on the same model, a bakery stands where it stood."""
    model, record, worker = grown(first_model(), seed=1), RecordDict(), work()
    task = task_of(model, "")
    first = validated(worker, task, record)
    before = held_by(record).training.tobytes()
    again = validated(worker, task, record)
    assert first is not None
    assert first == again
    assert held_by(record).training.tobytes() == before


@pytest.mark.parametrize("lost", ["state", "another"])
def test_a_lost_place_is_said_and_nothing_is_changed(lost: str) -> None:
    """A task that continues what isn't held here gets no trees and leaves the state alone."""
    model = grown(first_model(), seed=1)
    later = grown(model, seed=2)
    record = RecordDict()
    if lost == "another":
        validated(work(), task_of(grown(first_model(), seed=7), ""), record)
    before = copy.deepcopy(record)
    task = task_of(later, model.state)
    assert train(work(), task, record, seed=1) is None
    assert validated(work(), task, record) is None
    assert record == before


def test_the_place_is_kept_in_the_node_s_own_state() -> None:
    """What is saved is read again, bit for bit."""
    training, validation = np.array([1.5, np.nan], np.float32), np.zeros(0, np.float32)
    record = RecordDict()
    assert MarginCache.load(ClientState(record)) is None
    MarginCache("s", training, validation).save(ClientState(record))
    found = held_by(record)
    assert found.state == "s"
    assert found.training.tobytes() == training.tobytes()
    assert (found.validation.shape, str(found.validation.dtype)) == ((0,), "float32")


class Forgetting(InProcessGrid):
    """Its second node has forgotten everything each time that it is asked."""

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        second = list(self._hosts)[1]
        self._hosts[second].context.state = RecordDict()
        return super().push_messages(messages)


class Counting(InProcessGrid):
    """Counts the messages of each kind."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.counts: Counter[str] = Counter()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        listed = list(messages)
        self.counts.update(message.metadata.message_type for message in listed)
        return super().push_messages(listed)


class ForgettingAndCounting(Counting, Forgetting):
    """Both."""


def test_a_bakery_that_forgets_gets_the_whole_model_in_the_same_round(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Nobody fails, the model's bytes are the same; it only takes more traffic."""
    settings = small_settings(three_bakeries, num_server_rounds=3)
    well = federation_of(tmp_path / "well", settings, grid_type=Counting)
    forgetful = federation_of(tmp_path / "bad", settings, grid_type=ForgettingAndCounting)
    assert well.run().model.to_bytes() == forgetful.run().model.to_bytes()
    assert forgetful.failures() == []
    one, two = well.table("rounds.csv"), forgetful.table("rounds.csv")
    same = ["round", "replies", "failures", "wape", "mae", "rmse", "mape"]
    pd.testing.assert_frame_equal(one[same], two[same])
    assert (two["bytes_down"] > one["bytes_down"]).all()
    # In the first train phase everyone is sent the whole model anyhow.
    grids = well.grid, forgetful.grid
    asked, again = [grid.counts for grid in grids if isinstance(grid, Counting)]
    assert (asked["train"], asked["evaluate"]) == (9, 9)
    assert (again["train"], again["evaluate"]) == (9 + 2, 9 + 3)


@pytest.mark.parametrize(("trees", "levels"), [(2, 1), (1, 3)])
def test_histograms_beyond_the_settings_are_refused(trees: int, levels: int) -> None:
    """A server's own splits, with a row a node: the settings say one tree of two levels."""
    node = list(range(0, 2 * levels, 2))
    zeros = [0] * levels
    tree = {"seed": 1, "columns": [0], "wanted": [2 * levels], "node": node}
    tree |= {"column": zeros, "edge": zeros, "default_left": zeros}
    text = json.dumps({"subsample": 1.0, "trees": [tree] * trees})
    boosting = BoostingSettings(max_depth=2)
    layout = BinLayout(DEFINITION, boosting.bins)
    with pytest.raises(RefusalError, match=f"{trees} trees, {levels} levels deep"):
        histogram_request(text, layout, boosting)

"""The plain case of a workload: arrays that are split over clients, weights that are averaged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from flwr.app import RecordDict

from glean.aggregation import fedavg
from glean.classification import ClassificationSums
from glean.errors import ModelError, SettingsError
from glean.federation.wire.messages import FinalTask
from glean.federation.wire.sum_request import SCORES, WEIGHTS, SumRequest
from glean.federation.workload.client_state import ClientState
from glean.federation.workload.plain import PlainPartition, PlainWorkload, Rows
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.settings import RunSettings
from tests.federation.workload.made_tasks import request_of, sum_task, whole_task


class Shares(PlainWorkload):
    """The share of the second of two classes: one weight, moved towards the mean label."""

    metrics = ClassificationSums
    kind = "share"
    shapes: ClassVar = {"share": (1,)}

    def split(self, clients: int, settings: RunSettings) -> Sequence[tuple[Rows, Rows, Rows]]:
        """Client k has k rows to learn from, one to choose by and two to be tested on."""
        del settings
        return [(_rows(k), _rows(1), _rows(2)) for k in range(clients)]

    def fit(self, weights: Weights, rows: Rows, *, learning_rate: float, seed: int) -> Weights:
        """Move the share towards that of the rows."""
        del seed
        held = weights.arrays["share"]
        moved = held + learning_rate * (rows[1].mean() - held)
        return replace(weights, arrays={"share": moved.astype(np.float32)})

    def score(self, weights: Weights, rows: Rows) -> ClassificationSums:
        """Give every row the share as its probability."""
        share = np.clip(float(weights.arrays["share"][0]), 0.0, 1.0)
        return ClassificationSums.of(rows[1], np.tile([1 - share, share], (len(rows[1]), 1)))


def _rows(count: int) -> Rows:
    return np.zeros((count, 1)), np.arange(count) % 2


WORKLOAD = Shares()
SETTINGS = RunSettings(workload="iris")


def partition(number: int, *, clients: int = 4) -> PlainPartition:
    return WORKLOAD.open_partition(NodeSettings(number, clients), SETTINGS, newcomer=False)


def weights(share: float) -> Weights:
    return Weights("share", "{}", {"share": np.array([share], dtype=np.float32)})


def test_a_node_gets_its_share() -> None:
    """Named by its place, counted from one; the number of rows is its weight."""
    third = partition(2)
    assert (third.name, third.own_table, third.why_untrained) == ("client 3", False, "")
    assert third.totals() == (2, 2.0)
    assert third.weight("{}") == 2.0
    assert third.facts() == {}
    assert third.trainer("{}") is third


def test_without_training_rows_there_is_nothing_to_learn_from() -> None:
    """It says so, weighs nothing, and scores all the same."""
    first = partition(0)
    assert first.why_untrained == "it has no training rows; wanted one at least"
    assert first.weight("{}") == 0.0
    assert first.score(weights(0.5)).rows == 1.0


@pytest.mark.parametrize("clients", [0, 1, 2])
def test_a_node_beyond_the_split_is_refused(clients: int) -> None:
    """Two nodes that know of different numbers of clients would have the same rows."""
    with pytest.raises(SettingsError, match=f"num-partitions: found {clients}.*partition-id=2"):
        partition(2, clients=clients)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"sales": "/a.csv"}, "sales: found '/a.csv'; workload=iris brings its own data"),
        ({"newcomer-fraction": 0.25}, "newcomer-fraction: found 0.25; .*wanted 0"),
    ],
)
def test_what_it_has_none_of_is_refused(config: dict[str, str | float], told: str) -> None:
    """Before anything starts, and by every client."""
    settings = RunSettings.from_config({"workload": "iris", **config})
    with pytest.raises(SettingsError, match=told):
        WORKLOAD.check(settings)
    with pytest.raises(SettingsError, match=told):
        WORKLOAD.open_partition(NodeSettings(0, 1), settings, newcomer=False)


def test_a_node_with_a_table_of_its_own_is_refused() -> None:
    """Its rows would not be looked at."""
    node = NodeSettings(0, 1, sales="/mine.csv")
    with pytest.raises(SettingsError, match=r"node config sales: found '/mine\.csv'"):
        WORKLOAD.open_partition(node, SETTINGS, newcomer=False)
    assert WORKLOAD.count_clients(SETTINGS, None) == 5
    assert WORKLOAD.count_clients(SETTINGS, 7) == 7


def test_the_first_model_is_zero_and_can_be_read() -> None:
    """As a file, and as the start of another run."""
    first = WORKLOAD.first_model(WORKLOAD.negotiate([], SETTINGS), SETTINGS)
    assert first.arrays["share"].tolist() == [0.0]
    for read in (WORKLOAD.read(first.to_npz()), WORKLOAD.read_model(first.to_npz(), SETTINGS)):
        assert read.to_npz() == first.to_npz()


def test_weights_that_are_none_of_its_own_are_refused() -> None:
    """Another kind, other shapes, values that aren't sane, a file that isn't as Glean writes it."""
    good = weights(0.25)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("glean_kind.npy", b"\0" * 1_000_000)
    for data, told in (
        (replace(good, kind="logistic").to_npz(), "found weights of the kind 'logistic'"),
        (replace(good, arrays={"share": np.zeros(2, np.float32)}).to_npz(), "damaged weights"),
        (replace(good, arrays={"part": np.zeros(1, np.float32)}).to_npz(), "can't be read"),
        (weights(np.nan).to_npz(), "isn't finite"),
        (good.to_npz() + b" ", "weights"),
        (packed.getvalue(), "compressed"),
        (b"", "can't be read"),
    ):
        with pytest.raises(ModelError, match=told):
            WORKLOAD.read(data)


def test_training_gives_a_summand_of_the_mean() -> None:
    """Each client's weights count by its rows; two that are added up make their mean."""
    request, start = request_of(WEIGHTS), weights(0.5)
    total = np.zeros(2, dtype=np.int64)
    for number in (1, 3):
        mine = partition(number)
        task = sum_task(start.to_npz(), request, learning_rate=1.0)
        assert mine.length(WEIGHTS, task, request) == 2
        total += mine.contribute(WEIGHTS, task, request, weight=float(number), seed=0)
    mean = fedavg.mean(total, like=start, rows=request.rows)
    assert mean.arrays["share"][0] == pytest.approx((1 * 0.0 + 3 * 1 / 3) / 4)
    assert start.arrays["share"][0] == 0.5


def test_the_model_of_a_task_is_scored_on_the_validation_rows() -> None:
    """Weights come whole, so that no client ever lacks one."""
    mine, state = partition(1), ClientState(RecordDict())
    for share in (0.25, 0.75):
        task = whole_task(weights(share).to_npz())
        assert mine.catch_up(task, state)
        assert mine.validate().primary == pytest.approx(-np.log(1 - share))
        assert mine.weights.to_npz() == task.model


@pytest.mark.parametrize("part", [SCORES, "", "leaves"])
def test_a_part_that_weights_have_none_of_is_refused(part: str) -> None:
    """It is the server's slip, or a lie."""
    request = SumRequest((part,), (part,))
    task = sum_task(weights(0.5).to_npz(), request)
    with pytest.raises(ModelError, match=f"found the part '{part}'"):
        partition(1).length(part, task, request)
    with pytest.raises(ModelError, match=f"found the part '{part}'"):
        partition(1).contribute(part, task, request, weight=1.0, seed=0)


def test_a_task_for_trees_is_refused() -> None:
    """Weights have no structures."""
    with pytest.raises(ModelError, match="round 3: found a task for trees"):
        partition(1).train(whole_task(weights(0.5).to_npz()), seed=0)


def test_the_final_test_scores_the_test_rows() -> None:
    """As rows for a server that may see them, and as the same numbers to be added up."""
    task = whole_task(weights(0.25).to_npz())
    final = FinalTask(**vars(task), findings="")
    for scores in (partition(1).final_test(final, run_id=1), partition(1).start_test(task)):
        rows = json.loads(scores.rows)
        assert list(rows) == list(WORKLOAD.final_methods)
        assert scores.sums.tolist() == [rows["federated"]]
        losses = -np.log(0.75) - np.log(0.25)
        assert rows["federated"] == pytest.approx([2.0, losses, 1.0])
    assert len(WORKLOAD.final_unit_powers("{}")) == len(rows["federated"])

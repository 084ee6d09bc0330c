"""Buffers of updates with noise that hides whole clients, in a simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from glean.aggregation.clipped_updates import mean_update
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import CLIENT_STEPS, CLIPPED_SCORE, SumRequest
from glean.images import conclusion
from glean.images.privacy.privacy_terms import few_clients, privacy_terms
from glean.learning.model_weights import Weights
from glean.settings import ConfigValue, RunSettings
from tests.federations import CapturingGrid, federation_of
from tests.images.test_client_noise import noised
from tests.images.test_runs import assert_same, nodes_of
from tests.inprocess_runs import cut_off, facts_of, run


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures."""
    with mock.patch.object(conclusion.ImageConclusion, "write_report"):
        yield


def buffered(**changes: ConfigValue) -> dict[str, ConfigValue]:
    given: dict[str, ConfigValue] = {
        "mode": "async",
        "buffer_size": 3,
        "speed_spread": 20.0,
        "share_scores": "no",
        "num_server_rounds": 5,
    }
    return noised(**{**given, **changes})


def test_sums_are_over_buffers_and_each_has_all_of_the_noise(tmp_path: Path) -> None:
    """No share of it is left out as if buffers were a draw; scores are of all."""
    settings = RunSettings.from_config(buffered(update_clip_norm=1e-6, local_steps=1))
    nodes = nodes_of(5)
    federation = federation_of(tmp_path, settings, nodes=nodes, grid_type=CapturingGrid)
    opened: list[NDArray[np.int64]] = []

    def keep(total: NDArray[np.int64], **given: Any) -> Weights:
        opened.append(total)
        assert given["clients"] == 3
        return mean_update(total, **given)

    with mock.patch("glean.federation.server.fedavg.mean_update", keep):
        federation.run()
    took_part = federation.table("participation.csv")
    assert (took_part.groupby("round").size() == 3).all()
    assert took_part["staleness"].max() > 0
    grid = federation.grid
    assert isinstance(grid, CapturingGrid)
    asked = [m for m in grid.captured if m.metadata.message_type == SUM]
    requests = [
        SumRequest.from_json(SumTask.from_record(message.content).request)
        for message in asked
        if not message.metadata.reply_to_message_id
    ]
    rosters = {(one.parts, one.num_clients, one.masked) for one in requests}
    assert rosters == {((CLIENT_STEPS,), 3, True), ((CLIPPED_SCORE,), 5, True)}
    # Updates are a unit long at most, which is next to nothing beside the noise of all weights.
    each = part_deviation(CLIENT_STEPS, settings, parties=3)
    for total in opened:
        low, high = stats.chi2.ppf([1e-7, 1 - 1e-7], len(total))
        assert low < float(((total / each) ** 2).sum() / 3) < high
    assert len(opened) == 5


def test_a_buffer_of_all_at_one_speed_is_a_synchronous_round(tmp_path: Path) -> None:
    """The same bytes: the same updates, cut to the same length, with the same noise of the seed."""
    told: dict[str, ConfigValue] = {"num_server_rounds": 2, "speed_spread": 1.0, "buffer_size": 4}
    one = run(tmp_path / "1", buffered(**told), nodes=nodes_of(4))
    other = run(tmp_path / "2", buffered(mode="sync", **told), nodes=nodes_of(4))
    assert_same(one, other)


@pytest.mark.parametrize("aggregation", ["fedavg", "fedadam"])
def test_a_run_that_goes_on_ends_in_the_same_bytes(tmp_path: Path, aggregation: str) -> None:
    """Who trained since when, and the noise, follow from checkpoint and seed."""
    config = buffered(aggregation=aggregation)
    whole = run(tmp_path / "whole", config, nodes=nodes_of(4))
    old = cut_off(tmp_path / "out", config, round_number=4, nodes=nodes_of(4))
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(4))
    assert 0 < facts_of(new)["resumed_round"] < 5
    assert_same(whole, new)
    name = "participation.csv"
    assert (whole / name).read_bytes() == (new / name).read_bytes()


def test_a_small_buffer_of_many_clients_is_said_to_be_few() -> None:
    """Noise is shared by a buffer; and what it doesn't hide is said."""
    buffers, rounds = (
        RunSettings.from_config(buffered(mode=mode, epsilon=8.0, buffer_size=10))
        for mode in ("async", "sync")
    )
    assert few_clients(rounds, 1000) == ""
    assert few_clients(buffers, 1000).startswith("10 clients are few for noise")
    assert "shared by a buffer, and below" in few_clients(buffers, 1000)
    assert "when each is done with its training" in privacy_terms(buffers)["not_covered"]
    assert "when each is done" not in privacy_terms(rounds)["not_covered"]

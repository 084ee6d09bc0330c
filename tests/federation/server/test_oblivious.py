"""Random trees over messages and masks: with noise equal in structure and never in bytes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from flwr.app import Message
from numpy.typing import NDArray
from scipy import stats

from glean.errors import FederationError
from glean.federation.client import sum_responder
from glean.federation.client.client import client_of
from glean.federation.client.noised_vector import check_noised
from glean.federation.coordination.global_model import TreeModel
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.server.oblivious import ObliviousStrategy
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import (
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
    SCORES,
    TOTALS,
    SumRequest,
)
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import UNIT
from glean.learning.forest import Forest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND, TREES_PER_ROUND
from glean.learning.structure import structure_of
from glean.node_settings import NodeSettings
from glean.runs.events import RunStarted
from glean.runs.folder import known_events
from glean.settings import ConfigValue, RunSettings
from tests.federations import (
    CapturingGrid,
    Federation,
    Honest,
    MeddledApp,
    events,
    federation_of,
    small_settings,
)
from tests.inprocess_runs import config_of, cut_off, facts_of, run

OPEN: dict[str, ConfigValue] = {
    "aggregation": "oblivious",
    "secure_sums": True,
    "learning_rate": 0.0,
    "num_server_rounds": 3,
}
NOISED = OPEN | {"aggregation": "auto", "privacy": "noise"}


class CountingGrid(InProcessGrid):
    """Counts by part what bakeries are asked for."""

    asked: Counter[str]

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        CountingGrid.asked = Counter()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send, and count."""
        sent = list(messages)
        for message in sent:
            if message.metadata.message_type == SUM:
                request = SumRequest.from_json(SumTask.from_record(message.content).request)
                CountingGrid.asked.update(request.parts)
        return super().push_messages(sent)


def hessians_of(federation: Federation) -> NDArray[np.float64]:
    """What the server opens before the first round."""
    strategy = ObliviousStrategy(federation.rounds.manager, federation.rounds.sum_rounds)
    with as_server(federation.grid):
        return np.frombuffer(strategy.init(strategy.first_model()))


def structure(forest: Forest) -> bytes:
    return structure_of(forest, BinLayout(forest.definition, 32)).to_bytes()


def test_twice_with_noise_the_trees_are_equal_and_no_byte_of_the_leaves_is(
    tmp_path: Path, three_bakeries: str
) -> None:
    """The same cohort, the same questions; other leaves, by noise that no seed leads to."""
    settings = small_settings(three_bakeries, **NOISED)
    assert settings.rounds.aggregation == "oblivious"
    found = [federation_of(tmp_path / name, settings) for name in ("one", "two")]
    models = [each.run().model for each in found]
    assert all(isinstance(model, TreeModel) for model in models)
    forests = [model.forest for model in models if isinstance(model, TreeModel)]
    assert [forest.tree_count for forest in forests] == [3 * TREES_PER_ROUND] * 2
    assert structure(forests[0]) == structure(forests[1])
    assert forests[0].to_bytes() != forests[1].to_bytes()
    for each in found:
        assert each.table("rounds.csv")["replies"].tolist() == [3, 3, 3]


def test_a_run_says_what_it_spends_and_of_what(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The unit beside the epsilon, and what the same run promises a day's sales."""
    config = config_of(three_bakeries, **(NOISED | {"epsilon": 2.0, "num_server_rounds": 1}))
    with caplog.at_level("INFO"):
        folder = run(tmp_path, config)
    (told,) = [line for line in caplog.messages if "carries noise" in line]
    assert "epsilon 2 (delta 1e-06) for a bakery's day of training records" in told
    assert "up to 300 days, " in told
    settings = facts_of(folder)["settings"]
    assert (settings["privacy"], settings["epsilon"], settings["aggregation"]) == (
        "noise",
        2.0,
        "oblivious",
    )
    assert "round 1: validation WAPE" in caplog.text
    (few,) = [line for line in caplog.messages if "3 bakeries are few for noise" in line]
    (started,) = [e for e in known_events(folder / "events.jsonl") if isinstance(e, RunStarted)]
    assert started.caution == few
    said = [line for line in caplog.messages if line.startswith("round ") or line == few]
    assert said[0] == few  # before the first round


def test_only_the_last_model_is_scored_and_that_with_noise(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Rounds can't be compared, so the last one is kept; no bakery's own score is in a file."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, **NOISED))
    result = federation.run()
    assert (result.best_round, result.last_round) == (3, 3)
    rounds = federation.table("rounds.csv")
    assert rounds["wape"].isna().tolist() == [True, True, False]
    assert rounds["mae"].isna().all()
    by_bakery = federation.table("bakery_rounds.csv")
    assert by_bakery["bakery"].tolist() == ["(all)"]
    assert by_bakery["n_examples"].isna().all()


def test_what_the_server_opens_has_the_accounted_noise(tmp_path: Path, three_bakeries: str) -> None:
    """Over real messages and masks: the noised sum less the exact one; a false alarm in 1e6."""
    noised = small_settings(three_bakeries, **NOISED)
    exact = hessians_of(federation_of(tmp_path / "exact", small_settings(three_bakeries, **OPEN)))
    opened = hessians_of(federation_of(tmp_path / "noised", noised))
    assert len(opened) == 3 * LEAVES_PER_ROUND
    deviation = part_deviation(DAY_HESSIANS, noised, parties=3) * math.sqrt(3) / UNIT
    statistic = float((((opened - exact) / deviation) ** 2).sum())
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], len(opened))
    assert low < statistic < high


def test_no_message_of_a_noised_run_asks_for_an_exact_sum(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Hessians once, gradients once a round, one score; all masked, nothing else."""
    settings = small_settings(three_bakeries, **NOISED)
    federation = federation_of(tmp_path, settings, grid_type=CapturingGrid)
    federation.run()
    assert isinstance(federation.grid, CapturingGrid)
    tasks = [
        SumTask.from_record(message.content)
        for message in federation.grid.captured
        if message.metadata.message_type == SUM and not message.metadata.reply_to_message_id
    ]
    requests = [SumRequest.from_json(task.request) for task in tasks]
    assert all(request.masked and request.num_clients == 3 for request in requests)
    parts = sorted(request.parts for request in requests)
    assert parts == sorted([(DAY_HESSIANS,)] * 3 + [(DAY_GRADIENTS,)] * 9 + [(CLIPPED_SCORE,)] * 3)


@pytest.mark.parametrize(
    "request_",
    [
        SumRequest((TOTALS,), (TOTALS,), masked=True),
        SumRequest((DAY_GRADIENTS, SCORES), (DAY_GRADIENTS,), masked=True),
        SumRequest((DAY_GRADIENTS,), (DAY_GRADIENTS,)),
        SumRequest(with_scores=True),
        SumRequest(proposes=True),
    ],
)
def test_a_bakery_refuses_what_carries_no_noise(request_: SumRequest) -> None:
    """Whatever the server asks for: exact sums, scores or trees as they are, an unmasked vector."""
    settings = RunSettings.from_config({"privacy": "noise"})
    with pytest.raises(FederationError, match="privacy=noise doesn't open"):
        check_noised(request_, settings, participants=3, number=20)
    check_noised(request_, RunSettings(), participants=0, number=20)
    fine = SumRequest((DAY_GRADIENTS,), (DAY_GRADIENTS,), num_clients=3, masked=True)
    check_noised(fine, settings, participants=3, number=20)


def test_a_roster_made_larger_is_noticed_by_who_is_in_the_masks() -> None:
    """Else a server would have each add the small part of one in thousands."""
    settings = RunSettings.from_config({"privacy": "noise"})
    request = SumRequest((DAY_GRADIENTS,), (DAY_GRADIENTS,), num_clients=4, masked=True)
    check_noised(request, settings, participants=3, number=20)
    with pytest.raises(FederationError, match=r"found 3 contributors .* relies on 4 of 5"):
        check_noised(replace(request, num_clients=5), settings, participants=3, number=20)


def test_who_is_told_to_add_nothing_adds_noise(three_bakeries: str) -> None:
    """So the server gets no bakery's sum bare by letting the others fill in zeros."""
    settings = small_settings(three_bakeries, **NOISED)
    client = client_of(NodeSettings(), settings)
    assert client is not None
    responder = object.__new__(sum_responder.SumResponder)
    responder._client, responder._task = client, mock.Mock(round=20)
    responder.request = SumRequest((CLIPPED_SCORE,), (), num_clients=3, masked=True)
    drawn = [int(responder._noised(CLIPPED_SCORE, None)[0]) for _ in range(5)]
    assert len(set(drawn)) == 5


def test_without_noise_a_run_that_was_cut_off_ends_with_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Its state, the hessians, goes on from the checkpoint; nobody is asked for them again."""
    config = config_of(three_bakeries, **(OPEN | {"num_server_rounds": 5}))
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=4)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] > 0
    assert (new / "model.ubj").read_bytes() == (whole / "model.ubj").read_bytes()


def test_with_noise_a_run_that_was_cut_off_goes_on_from_its_last_round(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The hessians come from the checkpoint, the last model is kept, and the log says the cost."""
    changes = NOISED | {"num_server_rounds": 4, "validation_scores": 4}
    config = config_of(three_bakeries, **changes)
    old = cut_off(tmp_path / "out", config, round_number=3)
    with caplog.at_level("INFO"):
        new = run(tmp_path / "out", config | {"resume": str(old)}, grid_type=CountingGrid)
    facts = facts_of(new)
    assert (facts["resumed_round"], facts["best_round"], facts["last_round"]) == (2, 4, 4)
    assert "(up to 4.76 with the interrupted round, opened twice)" in caplog.text
    assert CountingGrid.asked[DAY_HESSIANS] == 0
    assert CountingGrid.asked[DAY_GRADIENTS] == 3 * 2
    kept = [
        Forest.from_bytes((folder / "models/round_002.ubj").read_bytes()) for folder in (old, new)
    ]
    whole = Forest.from_bytes((new / "model.ubj").read_bytes())
    assert whole.first(kept[0].tree_count).to_bytes() == kept[0].to_bytes() == kept[1].to_bytes()


def gone_from(bakeries: int, kind: str) -> Callable[[Message, str, Honest], Message]:
    """Have so many bakeries fail at every message of a kind."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == kind and int(name.split()[1]) < bakeries:
            raise RuntimeError("gone")
        return honest()

    return meddle


def test_fewer_vectors_than_the_noise_relies_on_are_not_opened(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Of three bakeries two must have sent; of one vector nobody is asked to take off the masks."""
    settings = small_settings(three_bakeries, **NOISED)
    app = MeddledApp(gone_from(2, SUM))
    federation = federation_of(tmp_path, settings, app=app, grid_type=CapturingGrid)
    with pytest.raises(FederationError, match=r"found 1 vectors .* with 2 or more only"):
        federation.run()
    assert isinstance(federation.grid, CapturingGrid)
    kinds = {message.metadata.message_type for message in federation.grid.captured}
    assert UNMASK not in kinds
    assert events(federation.folder)

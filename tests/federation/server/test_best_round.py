"""Of all rounds the best one by validation is kept, and training may stop early."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message

from glean.features.bakery_rows import bakery_rows_of
from glean.federation.coordination.global_model import TreeModel
from glean.federation.server.training_loop import TrainingResult
from glean.federation.wire.messages import EvaluateReply
from glean.learning.booster import predict
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue
from tests.federations import Federation, Honest, MeddledApp, federation_of, small_settings


def scripted(
    out: Path, sales: str, wapes: Sequence[float], **changes: ConfigValue
) -> tuple[Federation, TrainingResult]:
    """Run rounds whose validation WAPE is told by the test; NaN is a round without rows."""
    calls = {"round": 0}

    def meddle(message: Message, _name: str, honest: Honest) -> Message:
        reply = honest()
        if message.metadata.message_type != "evaluate":
            return reply
        number = int(message.metadata.group_id)
        calls["round"] = max(calls["round"], number)
        wape = wapes[number - 1]
        sums = (
            ErrorSums()
            if math.isnan(wape)
            else ErrorSums(rows=1.0, units=1.0, abs_error=wape, squared_error=wape**2)
        )
        score = replace(EvaluateReply.from_record(reply.content), sums=astuple(sums))
        return Message(score.to_record(), reply_to=message)

    settings = small_settings(sales, num_server_rounds=len(wapes), **changes)
    federation = federation_of(out, settings, app=MeddledApp(meddle))
    result = federation.run()
    assert calls["round"] == result.last_round
    return federation, result


NAN = math.nan


@pytest.mark.parametrize(
    ("wapes", "best"),
    [
        ([0.3, 0.2, 0.1], 3),
        ([0.1, 0.2, 0.3], 1),
        ([0.3, 0.1, 0.2], 2),
        ([0.2, 0.2, 0.2], 1),
        ([NAN, NAN, NAN], 3),
        ([NAN, 0.5, 0.9], 2),
        ([0.1, NAN, 0.9], 1),
        ([0.5, NAN, 0.1], 3),
    ],
)
def test_the_best_round_is_kept(
    wapes: list[float], best: int, tmp_path: Path, three_bakeries: str
) -> None:
    """The first of the best scored rounds; where none was scored, the last."""
    federation, result = scripted(tmp_path, three_bakeries, wapes)
    assert (result.best_round, result.last_round) == (best, 3)
    kept = federation.folder.path / "models" / f"round_{best:03d}.ubj"
    assert result.model.to_bytes() == kept.read_bytes()


@pytest.mark.parametrize(
    ("patience", "wapes", "best", "last"),
    [
        (0, [0.1, 0.104, 0.108, 0.112, 0.116], 1, 5),
        (1, [0.3, 0.2, 0.3, 0.1, 0.1], 2, 3),
        (2, [0.3, 0.2, 0.3, 0.1, 0.4], 4, 5),
        (2, [0.3, 0.2, 0.3, 0.25, 0.1], 2, 4),
        (2, [0.3, NAN, NAN, 0.1, 0.1], 1, 3),
        (2, [NAN, NAN, NAN, NAN, NAN], 5, 5),
    ],
)
def test_early_stopping_waits_as_long_as_it_is_told(
    patience: int,
    wapes: list[float],
    best: int,
    last: int,
    tmp_path: Path,
    three_bakeries: str,
) -> None:
    """It stops after that many rounds without a better score, and keeps the best."""
    federation, result = scripted(tmp_path, three_bakeries, wapes, early_stopping_rounds=patience)
    assert (result.best_round, result.last_round) == (best, last)
    assert len(federation.table("rounds.csv")) == last


def test_an_unscored_round_is_empty_in_the_files(tmp_path: Path, three_bakeries: str) -> None:
    """No NaN in the events, which other programs read as JSON; an empty score in the table."""
    federation, _ = scripted(tmp_path, three_bakeries, [NAN])

    def refuse(name: str) -> float:
        raise AssertionError(f"found {name}, which is no JSON")

    lines = (federation.folder.path / "events.jsonl").read_text().splitlines()
    (event,) = [json.loads(line, parse_constant=refuse) for line in lines]
    assert (event["event"], event["wape"]) == ("round_finished", None)
    assert federation.table("rounds.csv")["wape"].isna().all()


def test_the_final_test_is_of_the_best_model(tmp_path: Path, three_bakeries: str) -> None:
    """Every bakery judges the kept round's model on its test rows, not the last round's."""
    federation, result = scripted(tmp_path, three_bakeries, [0.1, 0.3])
    replies = federation.test(result)
    assert isinstance(result.model, TreeModel)
    forest = result.model.forest
    assert forest.tree_count == 3
    for partition in range(3):
        bakery_rows = bakery_rows_of(NodeSettings(partition), federation.settings)
        assert bakery_rows is not None
        rows = bakery_rows.test(forest.definition)
        sums = ErrorSums.of(rows.units, np.maximum(predict(forest, rows.x), 0) * rows.level)
        (score,) = json.loads(replies[f"bakery {partition}"])
        assert score["method"] == "federated"
        assert score["wape"] == pytest.approx(sums.wape, rel=1e-9)

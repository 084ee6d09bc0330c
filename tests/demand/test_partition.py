"""One bakery as a client: its windows, its facts, its answers."""

from __future__ import annotations

import re
from dataclasses import astuple, replace
from pathlib import Path

import pandas as pd
import pytest
from flwr.app import RecordDict

from glean.errors import FederationError
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.federation.client.client import Client, client_of
from glean.federation.coordination.global_model import TreeModel
from glean.federation.server.setup import negotiate_spec
from glean.federation.wire.messages import ClientInfo, Task
from glean.learning.forest import Forest
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.runs.code_version import code_fingerprint
from glean.settings import RunSettings
from tests.federations import small_settings
from tests.tables import random_table

DEFINITION = FeatureDefinition(horizon_days=1, season=False)


def bakery(settings: RunSettings, *, newcomer: bool = False) -> Client:
    found = client_of(NodeSettings(partition=1), settings, newcomer=newcomer)
    assert found is not None
    return found


def rows_of(settings: RunSettings) -> BakeryRows:
    found = bakery_rows_of(NodeSettings(partition=1), settings)
    assert found is not None
    return found


def first_task(model: Forest | None = None) -> Task:
    """The task of a first round: the whole model."""
    whole = TreeModel.of(model or Forest.empty(DEFINITION, objective="reg:squarederror"))
    base, content = whole.since("")
    return Task(
        round=1,
        spec=DEFINITION.to_json(),
        base=base,
        state=whole.state,
        learning_rate=0.3,
        newcomer=False,
        model=content,
    )


def test_every_row_is_in_one_window(three_bakeries: str) -> None:
    """Training, validation and test follow each other without overlap or gap."""
    participant = rows_of(small_settings(three_bakeries))
    parts = [
        window(DEFINITION)
        for window in (participant.training, participant.validation, participant.test)
    ]
    whole = build_features(participant.sales.table, DEFINITION)
    assert sum(len(part) for part in parts) == len(whole)
    bounds = [(part.keys["date"].min(), part.keys["date"].max()) for part in parts]
    last = participant.sales.table.rows["date"].max()
    day = pd.Timedelta(days=1)
    assert bounds[0][1] < participant.windows.validation_start <= bounds[1][0]
    assert bounds[1][1] < participant.windows.test_start <= bounds[2][0]
    assert participant.windows.test_start == last - 13 * day
    assert participant.windows.validation_start == last - 27 * day


def test_a_newcomer_does_not_bring_the_season(three_bakeries: str) -> None:
    """Season features need one who knows it and isn't cut to a short history."""
    settings = small_settings(three_bakeries)
    young = replace(bakery(settings).info(), bakery="young")
    old = replace(young, bakery="old", facts='{"knows_season": true}')
    met = {"old": old, "young": young}

    def season(*newcomers: str) -> bool:
        return FeatureDefinition.from_json(negotiate_spec(met, newcomers, settings)).season

    assert season()
    assert season("young")
    assert not season("old")


@pytest.mark.parametrize("facts", ["", "[]", "{", '{"knows_season": "yes"}', "null"])
def test_facts_that_say_nothing_bring_no_season(facts: str, three_bakeries: str) -> None:
    """They come from another machine: what isn't the fact itself is none."""
    settings = small_settings(three_bakeries)
    met = {"odd": replace(bakery(settings).info(), facts=facts)}
    assert not FeatureDefinition.from_json(negotiate_spec(met, (), settings)).season


def test_it_introduces_itself(three_bakeries: str) -> None:
    """Name, code and partition; no note where all is well."""
    assert bakery(small_settings(three_bakeries)).info() == ClientInfo(
        bakery="bakery 1",
        code=code_fingerprint(),
        partition=1,
        trains=True,
        own_table=False,
        note="",
        facts='{"knows_season": false}',
    )


def test_too_short_a_history_is_said_and_not_trained_on(three_bakeries: str) -> None:
    """The note names days and wish; asked to train all the same, it declines in those words."""
    settings = small_settings(three_bakeries, newcomer_days=10)
    participant = bakery(settings, newcomer=True)
    introduction = participant.info()
    assert not introduction.trains
    assert introduction.note.endswith("; wanted at least 14")
    with pytest.raises(FederationError, match=r"bakery 1 isn't trained on: \d+ trading days"):
        participant.train(first_task(), RecordDict())


def test_a_bakery_that_never_sold_is_told_so_and_not_trained_on(tmp_path: Path) -> None:
    """It trades long enough, and there is no level to compare a day with."""
    rows = random_table(bakeries=2).rows
    rows.loc[rows["bakery"] == "bakery 1", "units"] = 0.0
    rows.to_csv(tmp_path / "sales.csv", index=False)
    participant = bakery(small_settings(str(tmp_path / "sales.csv")))
    introduction = participant.info()
    assert not introduction.trains
    assert re.fullmatch(r"nothing sold before \d{4}-\d\d-\d\d; wanted sales", introduction.note)
    with pytest.raises(FederationError, match="isn't trained on: nothing sold"):
        participant.train(first_task(), RecordDict())


def test_its_weight_is_told_to_two_digits(three_bakeries: str) -> None:
    """The sum of its training weights; the exact one would tell its turnover."""
    settings = small_settings(three_bakeries)
    participant = bakery(settings)
    exact = float(rows_of(settings).training(DEFINITION).weight.sum())
    found = participant.train(first_task(), RecordDict()).weight
    assert found == pytest.approx(exact, rel=0.05)
    assert found == float(f"{found:.1e}")
    assert found != exact


def test_its_score_is_of_the_validation_rows(three_bakeries: str) -> None:
    """The model without trees forecasts the level, whose errors are easily summed."""
    settings = small_settings(three_bakeries)
    rows = rows_of(settings).validation(DEFINITION)
    score = bakery(settings).evaluate(first_task(), RecordDict())
    assert score.sums == pytest.approx(astuple(ErrorSums.of(rows.units, rows.level)))
    assert not score.lacks_model


def test_a_spare_node_plays_nobody(three_bakeries: str) -> None:
    """More nodes than bakeries: those left over have no participant."""
    assert client_of(NodeSettings(partition=3), small_settings(three_bakeries)) is None

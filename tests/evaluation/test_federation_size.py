"""Federations of growing size out of the same bakeries."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from glean.errors import GleanError
from glean.evaluation.tables import federation_size
from glean.evaluation.tables.backtest import rows_from_json
from glean.evaluation.tables.federation_size import measure_sizes
from glean.evaluation.tables.run_scores import RunScores
from glean.evaluation.tables.scores import BakeryScore
from glean.federation.server.training_loop import TrainingLoop, TrainingResult
from glean.runs.events import BakeryFailed
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings
from tests.inprocess_runs import config_of
from tests.inprocess_runs import run as completed_run
from tests.tables import random_table

LOG = logging.getLogger("glean")

APP = "glean.client_app:app"

THREE_WEEKS = pd.Timedelta(days=21)


@pytest.fixture
def run(tmp_path: Path, three_bakeries: str) -> Path:
    """Folder of a run that needs no more than its settings."""
    settings = small_settings(three_bakeries, num_server_rounds=1, baselines=True)
    folder = tmp_path / "run"
    folder.mkdir()
    facts = {"engine": "inprocess", "settings": settings.to_config()}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize(
    ("count", "size", "groups"),
    [
        (5, 1, [[0], [1], [2], [3], [4]]),
        (5, 2, [[0, 1], [2, 3, 4]]),
        (5, 5, [[0, 1, 2, 3, 4]]),
        (4, 2, [[0, 1], [2, 3]]),
        (7, 5, [[0, 1, 2, 3, 4, 5, 6]]),
    ],
)
def test_every_bakery_is_in_one_federation(count: int, size: int, groups: list[list[int]]) -> None:
    """Federations of the size or, with a rest too small for its own, a little larger."""
    assert [list(nodes) for nodes in federation_size._groups(range(count), size)] == groups


def test_each_size_is_measured_over_the_same_bakeries(
    run: Path, three_bakeries: str, tmp_path: Path
) -> None:
    """Sizes up to the table's; the baselines don't move; the last is the whole federation."""
    assert list(measure_sizes(run, APP)) == [2, 1]
    table = pd.read_csv(run / "growth.csv")
    assert list(table) == ["bakeries", "wape_federated", "wape_local", "wape_weekday_mean"]
    assert table["bakeries"].tolist() == [1, 2]
    (alone,), (habit,) = set(table["wape_local"]), set(table["wape_weekday_mean"])
    assert len({*table["wape_federated"], alone, habit}) == 4
    # Three bakeries in groups of two are one federation of all three.
    settings = small_settings(three_bakeries, num_server_rounds=1, baselines=True)
    whole = federation_of(tmp_path / "whole", settings)
    replies = whole.test(whole.run())
    scores = [s for name, text in replies.items() for s in rows_from_json(text, bakery=name)]
    for column, method in federation_size.METHODS.items():
        mine = [score for score in scores if score.method == method]
        wape = sum(s.abs_error for s in mine) / sum(s.units for s in mine)
        assert table[column].iloc[-1] == pytest.approx(wape)


def test_any_number_of_processes_writes_the_same_bytes(run: Path) -> None:
    """Also where the bakeries, and what they are trained on, are made anew in each."""
    assert list(measure_sizes(run, APP)) == [2, 1]
    alone = (run / "growth.csv").read_bytes()
    (run / "growth.csv").unlink()
    assert sorted(measure_sizes(run, APP, workers=3)) == [1, 2]
    assert (run / "growth.csv").read_bytes() == alone


def test_a_deployment_s_tables_are_not_here(run: Path) -> None:
    """It says so and what to type instead, and writes nothing."""
    (run / "run.json").write_text(json.dumps({"engine": "deployment", "settings": {}}))
    with pytest.raises(GleanError, match="use `glean report RUN --no-growth`"):
        list(measure_sizes(run, APP))
    assert not (run / "growth.csv").exists()


def settings_in(run: Path, **changes: object) -> None:
    facts = json.loads((run / "run.json").read_text())
    facts["settings"] |= {key.replace("_", "-"): value for key, value in changes.items()}
    (run / "run.json").write_text(json.dumps(facts))


def test_a_bakery_that_can_not_learn_takes_no_part(run: Path, tmp_path: Path) -> None:
    """A federation of it alone couldn't begin: the curve is of the two others."""
    table = random_table(bakeries=3).rows
    short = (table["bakery"] == "bakery 1") & (table["date"] < table["date"].max() - THREE_WEEKS)
    table[~short].to_csv(tmp_path / "short.csv", index=False)
    settings_in(run, sales=str(tmp_path / "short.csv"))
    assert list(measure_sizes(run, APP)) == [2, 1]


def test_newcomers_are_the_same_at_every_size(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn once of all: in a federation of one, too, the newcomer is cut, and for every method."""
    settings_in(run, newcomer_fraction=0.34, newcomer_days=20)
    cohorts: list[list[str]] = []

    def noted(scores: list[BakeryScore], method: str) -> float:
        cohorts.append(sorted(s.cohort for s in scores if s.method == "federated"))
        return float(len(method))

    monkeypatch.setattr(federation_size, "_wape", noted)
    assert list(measure_sizes(run, APP)) == [2, 1]
    assert cohorts == [["established", "established", "newcomer"]] * 6


def test_one_bakery_s_part_of_a_histogram_is_measured_too(run: Path) -> None:
    """Alone or as two they couldn't hide each other, and here nobody has to be hidden from."""
    settings_in(run, aggregation="histogram", secure_sums=True)
    assert list(measure_sizes(run, APP)) == [2, 1]
    assert pd.read_csv(run / "growth.csv")["wape_federated"].notna().all()


def test_what_happens_in_their_rounds_is_not_told(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are nobody's run; afterwards the log is as before."""
    trained = TrainingLoop.run

    def warned(loop: TrainingLoop) -> TrainingResult:
        LOG.warning("a round is taken back")
        return trained(loop)

    monkeypatch.setattr(TrainingLoop, "run", warned)
    assert list(measure_sizes(run, APP)) == [2, 1]
    LOG.warning("of a run")
    assert caplog.messages == ["of a run"]


def test_what_the_run_found_out_is_not_trained_for_again(
    three_bakeries: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own federation and its bakeries' own models; the curve has the same bytes without it."""
    folder = completed_run(tmp_path, config_of(three_bakeries, baselines=True, num_server_rounds=1))
    federations: list[list[int]] = []
    alone: list[int] = []
    made, own = federation_size._federation, federation_size._baseline_scores

    def federation(settings: RunSettings, nodes: list[int], *told: Any) -> list[BakeryScore]:
        federations.append(nodes)
        return made(settings, nodes, *told)

    def baselines(settings: RunSettings, node: int, *told: Any) -> list[BakeryScore]:
        alone.append(node)
        return own(settings, node, *told)

    monkeypatch.setattr(federation_size, "_federation", federation)
    monkeypatch.setattr(federation_size, "_baseline_scores", baselines)
    assert list(measure_sizes(folder, APP)) == [2, 1]
    known = (folder / "growth.csv").read_bytes()
    # Three bakeries in groups of two are one federation of all three: the run's.
    assert (federations, alone) == ([[0], [1], [2]], [])
    federations.clear()
    (folder / "bakeries.csv").unlink()
    assert list(measure_sizes(folder, APP)) == [2, 1]
    assert (folder / "growth.csv").read_bytes() == known
    assert (federations, alone) == ([[0, 1, 2], [0], [1], [2]], [0, 1, 2])


@pytest.mark.parametrize(
    "changes", [{"early-stopping-rounds": 3}, {"start-from": "model.ubj"}, {"min-contributors": 3}]
)
def test_a_run_of_another_kind_does_not_stand_for_its_federation(
    changes: dict[str, ConfigValue], three_bakeries: str, tmp_path: Path
) -> None:
    folder = completed_run(tmp_path, config_of(three_bakeries, baselines=True))
    names = [f"bakery {k}" for k in range(3)]
    settings = small_settings(three_bakeries, baselines=True)
    scores = RunScores.of(folder, settings, season=False)
    assert len(scores.federation(names) or ()) == 3
    assert scores.federation(names[:2]) is None
    assert scores.baselines("bakery 0", season=True) is None
    assert [s.method for s in scores.baselines("bakery 0", season=False) or ()] == [
        "local",
        "weekday-mean",
    ]
    other = RunSettings.from_config(settings.to_config() | changes)
    assert RunScores.of(folder, other, season=False).federation(names) is None
    RunFolder(folder).append_event(BakeryFailed(1, "bakery 1", "no flour"))
    assert RunScores.of(folder, settings, season=False).federation(names) is None

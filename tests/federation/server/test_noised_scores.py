"""Scores with noise: few, of all bakeries alike, and nothing else in a run's files."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.demand.conclusion import CONCLUSION
from glean.errors import FederationError
from glean.evaluation.tables.backtest import NOISED_METHODS, rows_from_json
from glean.federation.client import sum_responder
from glean.federation.client.noised_vector import check_noised
from glean.federation.coordination.noised_scores import NoisedScores
from glean.federation.grids.inprocess import as_server
from glean.federation.server import round_scores
from glean.federation.wire.noised_parts import budget_of, score_deviation, scored_rounds
from glean.federation.wire.sum_request import CLIPPED_SCORE, SumRequest
from glean.metric_sums import ALL_CLIENTS
from glean.runs.events import RoundFinished
from glean.runs.folder import known_events
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings
from tests.inprocess_runs import config_of, facts_of, run

HIDDEN: dict[str, ConfigValue] = {
    "privacy": "noise",
    "aggregation": "auto",
    "secure_sums": True,
    "share_scores": "no",
    "learning_rate": 0.0,
    "num_server_rounds": 3,
    "validation_scores": 2,
    "baselines": True,
}


def noised(**changes: ConfigValue) -> RunSettings:
    given = {key.replace("_", "-"): value for key, value in changes.items()}
    return RunSettings.from_config({"privacy": "noise", **given})


@given(rounds=st.integers(1, 60), scores=st.integers(1, 5))
def test_scored_rounds_are_few_and_spread_and_the_last_is_one(rounds: int, scores: int) -> None:
    """Against the definition: gaps between them differ by one at most."""
    found = sorted(
        scored_rounds(noised(num_server_rounds=rounds, validation_scores=scores)),
    )
    assert found[-1] == rounds
    assert len(found) == min(rounds, scores)
    gaps = np.diff([0, *found])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("start_from", ["", "/a/model.ubj"])
def test_all_scores_of_a_run_are_accounted_for(start_from: str) -> None:
    """Every one is a release: those of the rounds, of both final methods, of the model before."""
    settings = noised(validation_scores=4, start_from=start_from)
    assert budget_of(settings).scores == 4 + len(NOISED_METHODS) + bool(start_from)
    assert budget_of(settings).spent_on_scores == pytest.approx(settings.noise.epsilon)


def test_the_noise_of_a_score_is_as_the_docs_say() -> None:
    """The table of `docs/privacy.md`: more scores make each noisier, more bakeries less so."""
    text = Path(__file__).parents[3].joinpath("docs", "privacy.md").read_text(encoding="utf-8")
    for label, scores in (("one validation score", 1), ("five", 5)):
        settings = noised(validation_scores=scores)
        found = [
            f"{score_deviation(settings, parties=n, senders=n):.3f}"
            for n in (3, 5, 10, 20, 40, 100, 400)
        ]
        assert f"| {label} | {' | '.join(found)} |" in text


def test_a_bakery_gives_no_score_of_another_round() -> None:
    """Else a server could have more of them than the noise is accounted for."""
    request = SumRequest((CLIPPED_SCORE,), (CLIPPED_SCORE,), num_clients=3, masked=True)
    settings = noised(num_server_rounds=20, validation_scores=2)
    check_noised(request, settings, participants=3, number=10)
    with pytest.raises(FederationError, match="a score of round 11; this run scores 10, 20"):
        check_noised(request, settings, participants=3, number=11)


def test_files_hold_no_number_of_all_together_but_noised_scores(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Cells of units, rows and errors are empty; the terminal and the report cope, and say ±."""
    folder = run(tmp_path, config_of(three_bakeries, **(HIDDEN | {"baselines": False})))
    told = {"bakery", "cohort", "method", "wape", "round"}
    for name in ("bakeries.csv", "bakery_rounds.csv"):
        with (folder / name).open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["bakery"] == ALL_CLIENTS]
        assert rows
        for row in rows:
            assert {key for key, value in row.items() if value} <= told
            assert 0.0 <= float(row["wape"]) <= 1.0
    with (folder / "rounds.csv").open(newline="") as file:
        rounds = [*csv.DictReader(file)]
    assert [bool(row["wape"]) for row in rounds] == [False, True, True]
    assert {row[key] for row in rounds for key in ("mae", "rmse", "mape")} == {""}
    noise = facts_of(folder)["score_noise"]
    settings = RunSettings.from_config(facts_of(folder)["settings"])
    assert noise == score_deviation(settings, parties=3, senders=3)
    table = CONCLUSION.result_table(folder)
    federated = next(row for row in table.rows if row[0] == "federated")
    assert f"± {100 * noise:.1f}%" in federated[1]
    assert "whose standard deviation is behind the ±" in table.sentences[0]
    page = CONCLUSION.write_report(folder).read_text(encoding="utf-8")
    assert f"± {100 * noise:.1f}%" in page
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", page))  # not of a picture's
    scored = [e for e in known_events(folder / "events.jsonl") if isinstance(e, RoundFinished)]
    assert [event.noise for event in scored] == [None, noise, noise]
    assert f"± {noise:.3f}" in scored[-1].sentence


def test_without_its_noise_a_score_is_the_mean_of_the_bakeries_own(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Each weighs the same, whatever it sells, and counts 1 at most."""
    settings = small_settings(three_bakeries, **HIDDEN)
    federation = federation_of(tmp_path / "hidden", settings)
    silent = mock.patch.object(
        sum_responder, "noise_on", lambda _part, length, *_, **__: np.zeros(length, dtype=np.int64)
    )
    with silent:
        result = federation.run()
        federation.test(result)
        with as_server(federation.grid):
            found = federation.rounds.noised_test(result, methods=2)
    shown = federation_of(
        tmp_path / "shown", small_settings(three_bakeries, **(HIDDEN | {"share_scores": "auto"}))
    )
    rows = [rows_from_json(text, bakery=n) for n, text in shown.test(result).items()]
    for place, method in enumerate(NOISED_METHODS):
        own = [min(score.wape, 1.0) for each in rows for score in each if score.method == method]
        assert len(own) == 3
        assert found.means[place] == pytest.approx(np.mean(own), abs=1e-5)


def test_scores_with_noise_choose_no_round(tmp_path: Path, three_bakeries: str) -> None:
    """Whatever they say, the last model is the run's."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, **HIDDEN))
    means = iter([0.1, 0.9])

    def told(*_: object, **__: object) -> NoisedScores:
        return NoisedScores((next(means),), 0.01)

    with mock.patch.object(round_scores, "sum_noised_scores", told):
        result = federation.run()
    assert (result.best_round, result.last_round) == (3, 3)
    assert federation.table("rounds.csv")["wape"].tolist()[1:] == [0.1, 0.9]

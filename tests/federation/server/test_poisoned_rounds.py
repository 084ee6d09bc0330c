"""A bakery that poisons masked vectors: the run ends, and its files hold nothing that can't be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.bad_members import FORGED, lying
from glean.demand import error_sums
from glean.demand.conclusion import CONCLUSION
from glean.errors import ImpossibleSumError
from glean.federation.client.sum_responder import SumResponder
from glean.federation.wire.sum_request import FINAL
from glean.learning.forest import Forest
from glean.metric_sums import MetricSums
from glean.runs.folder import read_events
from glean.settings import ConfigValue
from tests.federations import Federation, events, federation_of, small_settings
from tests.inprocess_runs import config_of, cut_off, facts_of, run

pytestmark = pytest.mark.slow

BAD = "bakery 1"

KINDS: dict[str, dict[str, ConfigValue]] = {
    "refit": {"leaf_values": "refit"},
    "histogram": {"aggregation": "histogram"},
    "fedavg": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    "oblivious": {"aggregation": "oblivious"},
}


def masked(out: Path, sales: str, kind: str, **changes: ConfigValue) -> Federation:
    config = {**KINDS[kind], "secure_sums": True, **changes}
    return federation_of(out, small_settings(sales, **config), partitions=range(5))


def kinds_of(found: Federation) -> list[str]:
    return [event["event"] for event in events(found.folder)]


@pytest.mark.parametrize("kind", KINDS)
def test_random_words_give_rounds_up_and_the_run_ends(
    kind: str, tmp_path: Path, five_bakeries: str
) -> None:
    """Every round's sum is refused, each as often as a phase is begun; the model stays."""
    found = masked(tmp_path, five_bakeries, kind)
    with lying({BAD}, "random words"):
        result = found.run()
    assert kinds_of(found).count("round_given_up") == 2
    assert kinds_of(found).count("sum_refused") >= 6
    first = found.rounds._strategy.first_model()
    assert result.model.to_bytes() == first.to_bytes()
    assert found.table("rounds.csv")["replies"].tolist() == [0, 0]
    assert np.isfinite(found.table("rounds.csv")["wape"]).all()
    assert found.test(result)


def test_training_ends_once_three_rounds_in_a_row_are_lost(
    tmp_path: Path, five_bakeries: str
) -> None:
    """Further ones would be lost too."""
    found = masked(tmp_path, five_bakeries, "fedavg", num_server_rounds=20)
    with lying({BAD}, "random words"):
        assert found.run().last_round == 3


@pytest.mark.parametrize("shared", ["yes", "no"])
def test_a_round_that_made_the_model_worse_is_taken_back(
    shared: str, tmp_path: Path, five_bakeries: str
) -> None:
    """Also the first one, and where only the sum of scores is there; others go on from before."""
    found = masked(
        tmp_path, five_bakeries, "refit", share_scores=shared, num_server_rounds=8, subsample=0.5
    )
    with lying({BAD, "bakery 2", "bakery 3"}, "scaled gradient"):
        result = found.run()
    assert kinds_of(found).count("round_taken_back") == 3
    assert result.last_round == 3
    assert Forest.from_bytes(result.model.to_bytes()).tree_count == 0


@pytest.mark.parametrize("kind", ["refit", "histogram"])
def test_rounds_that_are_worse_within_chance_leave_the_first_model(
    kind: str, tmp_path: Path, five_bakeries: str
) -> None:
    """Each is a little worse than the one before; it is said that none is better than the first."""
    found = masked(
        tmp_path, five_bakeries, kind, num_server_rounds=3, share_scores="no", learning_rate=0.7
    )
    with lying({BAD, "bakery 2", "bakery 3"}, "flipped gradient"):
        result = found.run()
    (said,) = (e for e in events(found.folder) if e["event"] == "first_model_better")
    wapes = found.table("rounds.csv")["wape"]
    assert said["metric"] < wapes.min() < wapes.max() < 1.5 * said["metric"]
    assert (result.best_round, result.last_round) == (0, 3)
    assert Forest.from_bytes(result.model.to_bytes()).tree_count == 0
    assert "round_taken_back" not in kinds_of(found)


LOST: dict[str, tuple[str, float, int, str]] = {
    "taken back": ("scaled gradient", 0.0, 3, "yes"),
    "taken back, by the sum": ("scaled gradient", 0.0, 3, "no"),
    "given up": ("random words", 0.0, 1, "yes"),
    "scores refused": (FORGED, -30.0, 1, "no"),
    "none better than the first model": ("flipped gradient", 0.0, 3, "no"),
}
"""How rounds are lost: attack, boast, how many are bad, `share-scores`."""


@pytest.mark.parametrize(("attack", "boast", "bad", "shared"), LOST.values(), ids=LOST)
def test_a_resumed_run_ends_as_if_it_had_not_been_cut_off(
    attack: str, boast: float, bad: int, shared: str, tmp_path: Path, five_bakeries: str
) -> None:
    """It goes on from the model before the lost rounds, and counts them; none is run again."""
    config = config_of(
        five_bakeries,
        leaf_values="refit",
        secure_sums=True,
        share_scores=shared,
        subsample=0.5,
        num_server_rounds=4,
    )
    nodes = [{"partition-id": k, "num-partitions": 5} for k in range(5)]

    with lying({f"bakery {k}" for k in range(1, bad + 1)}, attack, boast=boast):
        whole = run(tmp_path / "whole", config, nodes=nodes)
        old = cut_off(tmp_path / "out", config, round_number=3, nodes=nodes)
        new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes)
    assert facts_of(new)["resumed_round"] == 1
    for fact in ("best_round", "last_round"):
        assert facts_of(whole)[fact] == facts_of(new)[fact], fact
    assert (new / "model.ubj").read_bytes() == (whole / "model.ubj").read_bytes()
    told = [
        [(e["round"], e["event"]) for e in read_events(folder / "events.jsonl") if is_lost(e)]
        for folder in (whole, new)
    ]
    assert told[0] == told[1]
    assert len(told[0]) == (0 if attack in (FORGED, "flipped gradient") else 3)


def is_lost(event: Mapping[str, object]) -> bool:
    return event["event"] in ("round_given_up", "round_taken_back")


def test_scores_that_can_not_be_leave_no_number(tmp_path: Path, five_bakeries: str) -> None:
    """A bakery whose scores are shown is left out; of a sum nothing is left, and it is said."""
    open_scores = masked(tmp_path / "open", five_bakeries, "refit", share_scores="yes")
    with lying({BAD}, FORGED, boast=math.nan):
        open_scores.run()
    assert {name for _, name, _ in open_scores.failures()} == {BAD}
    hidden = masked(tmp_path / "hidden", five_bakeries, "refit", share_scores="no")
    with lying({BAD}, FORGED, boast=-30.0):
        hidden.run()
    assert "sum_refused" in kinds_of(hidden)
    for found in (open_scores, hidden):
        for name in ("rounds.csv", "bakery_rounds.csv"):
            if (path := found.folder.path / name).exists():
                text = path.read_text(encoding="utf-8")
                assert "nan" not in text
                assert "-" not in text


def test_final_scores_that_can_not_be_end_no_run(
    tmp_path: Path, five_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only their sum is opened there are none then, and that is said."""
    honest = SumResponder._part

    def forged(who: SumResponder, part: str, sums: MetricSums | None) -> NDArray[np.int64]:
        found = honest(who, part, sums)
        return -9 * found if part == FINAL and who._client.name == BAD else found

    monkeypatch.setattr(SumResponder, "_part", forged)
    config = config_of(five_bakeries, leaf_values="refit", secure_sums=True, share_scores="no")
    nodes = [{"partition-id": k, "num-partitions": 5} for k in range(5)]
    folder = run(tmp_path, config, nodes=nodes)
    assert facts_of(folder)["status"] == "completed"
    refused = [e["parts"] for e in read_events(folder / "events.jsonl") if "parts" in e]
    assert refused == [FINAL]
    text = (folder / "bakeries.csv").read_text(encoding="utf-8")
    assert "federated" not in text
    assert CONCLUSION.write_report(folder).exists()


@pytest.mark.parametrize("spoilt", [[-1, 0, 5], [3, 3, 5]])
def test_counts_of_errors_are_of_rows(spoilt: list[int]) -> None:
    """None below zero, and no more than there are rows."""
    error_sums._check_possible(np.array([3, 2, 5]), most=10.0)
    with pytest.raises(ImpossibleSumError):
        error_sums._check_possible(np.array(spoilt), most=10.0)

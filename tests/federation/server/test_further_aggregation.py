"""One file and one row are a further aggregation: here FedAdam, whose optimiser has a state.

Federated averaging, after which the server takes the mean change as a gradient for Adam (Reddi et
al., "Adaptive Federated Optimization", ICLR 2021, algorithm 2).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glean import aggregation_kinds
from glean.aggregation_kinds import AggregationKind
from glean.errors import FederationError, SettingsError
from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.server.fedavg import FedAvgStrategy
from glean.federation.server.interrupted_run import read_interrupted
from glean.federation.server.pipelined import PiggybackedEvaluation
from glean.federation.server.round_result import RoundResult
from glean.federation.server.state_file import read_state, write_state
from glean.federation.wire.sum_request import WEIGHT_STEPS, WEIGHTS
from glean.learning.model_weights import Weights
from glean.runs.folder import RunFolder, checkpoint_name, read_events
from glean.settings import ConfigValue, RunSettings, parse_text
from tests.inprocess_runs import config_of, cut_off, facts_of, run

pytestmark = pytest.mark.slow

SERVER_RATE, BETA_1, BETA_2, TAU = 0.02, 0.9, 0.99, 1e-3

FEDADAM = AggregationKind(
    "adam-example",
    "weights",
    f"{__name__}:FedAdamStrategy",
    cpu_only=True,
    has_state=True,
    parts=(WEIGHTS, WEIGHT_STEPS),
)


class FedAdamStrategy(FedAvgStrategy):
    """Both moments of each weight are the state, float64, one behind the other."""

    def init(self, model: GlobalModel) -> bytes:
        """Begin with moments of zero."""
        assert isinstance(model, WeightModel)
        return np.zeros(2 * len(flat(model.weights))).tobytes()

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        result = super()._train(number, model, state, evaluation)
        assert isinstance(model, WeightModel)
        assert isinstance(result.model, WeightModel)
        before = flat(model.weights)
        change = flat(result.model.weights) - before
        first, second = np.frombuffer(state).reshape(2, -1)
        first = BETA_1 * first + (1 - BETA_1) * change
        second = BETA_2 * second + (1 - BETA_2) * change**2
        after = before + SERVER_RATE * first / (np.sqrt(second) + TAU)
        weights = WeightModel(shaped(after, like=model.weights))
        return replace(result, model=weights, state=np.concatenate([first, second]).tobytes())


def flat(weights: Weights) -> NDArray[np.float64]:
    return np.concatenate([values.ravel() for values in weights.arrays.values()]).astype(float)


def shaped(values: NDArray[np.float64], *, like: Weights) -> Weights:
    ends = np.cumsum([held.size for held in like.arrays.values()])[:-1]
    parts = zip(like.arrays.items(), np.split(values.astype(np.float32), ends), strict=True)
    return replace(like, arrays={name: part.reshape(held.shape) for (name, held), part in parts})


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the aggregation's row into the table."""
    monkeypatch.setattr(aggregation_kinds, "KINDS", (*aggregation_kinds.KINDS, FEDADAM))


ROUNDS: dict[str, ConfigValue] = {
    "aggregation": "adam-example",
    "fedavg_model": "poisson",
    "num_server_rounds": 6,
}


def test_the_row_is_a_choice_of_the_settings() -> None:
    """By `--set`, with what the row says: another rate than trees have, and no GPU."""
    assert parse_text("aggregation", "adam-example") == "adam-example"
    assert RunSettings.from_config({"aggregation": "adam-example"}).rounds.kind is FEDADAM
    with pytest.raises(SettingsError, match="adam-example learns on the CPU"):
        RunSettings.from_config({"aggregation": "adam-example", "device": "gpu"})
    with pytest.raises(SettingsError, match="'histogram', 'adam-example'"):
        RunSettings.from_config({"aggregation": "adamant"})


@pytest.mark.parametrize("secure", [False, True])
def test_cut_off_and_resumed_it_ends_with_the_same_model(
    secure: bool, tmp_path: Path, three_bakeries: str
) -> None:
    """Its moments go on from the checkpoint: the model has the same bytes, and so has the state."""
    config = config_of(three_bakeries, secure_sums=secure, **ROUNDS)
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=4)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    resumed = facts_of(new)["resumed_round"]
    assert 0 < resumed < 6
    assert (new / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()
    for number in range(1, 7):
        for suffix in (".npz", ".state"):
            name = checkpoint_name(number, suffix)
            assert (new / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_lost_state_would_lead_to_another_model(tmp_path: Path, three_bakeries: str) -> None:
    """Else the test above would say nothing; and an aggregation without a state writes none."""
    config = config_of(three_bakeries, **ROUNDS)
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=4)
    done = len((old / "rounds.csv").read_text().splitlines()) - 1
    write_state(RunFolder(old), done, bytes(len(read_state(old, done))))
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] == done
    last = checkpoint_name(6, ".npz")
    assert (new / last).read_bytes() != (whole / last).read_bytes()
    plain = run(tmp_path / "plain", config | {"aggregation": "fedavg"})
    assert not list((plain / "models").glob("*.state"))


@pytest.mark.parametrize("damage", ["deleted", "cut short", "one bit flipped"])
def test_without_the_last_state_resume_goes_back_a_round(
    damage: str, tmp_path: Path, three_bakeries: str
) -> None:
    """As with a model that can't be read; the rounds that are run again end the same."""
    config = config_of(three_bakeries, **ROUNDS)
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=5)
    done = len((old / "rounds.csv").read_text().splitlines()) - 1
    last = old / checkpoint_name(done, ".state")
    content = last.read_bytes()
    if damage == "deleted":
        last.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        last.write_bytes(content[:-8] if damage == "cut short" else flipped)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] == done - 1
    (resumed,) = [e for e in read_events(new / "events.jsonl") if e["event"] == "run_resumed"]
    (sentence,) = resumed["passed_over"]
    assert sentence.startswith(f"round {done} can't be continued: ")
    assert last.name in sentence
    assert (new / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()


def test_a_run_that_starts_from_a_model_begins_with_the_first_state(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Cut off in its first round, it resumes from round 0 with the state of then."""
    config = config_of(three_bakeries, **ROUNDS)
    start = run(tmp_path / "start", config) / "model.npz"
    config |= {"start-from": str(start)}
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=2)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] == 0
    assert (new / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()


def test_the_newest_model_is_named_and_not_its_state(tmp_path: Path, three_bakeries: str) -> None:
    """What `start-from` is to be given, where a run can't be resumed, is a model."""
    config = config_of(three_bakeries, **ROUNDS)
    old = cut_off(tmp_path, config, round_number=4)
    facts = (old / "run.json").read_text().replace(facts_of(old)["code"], "other")
    (old / "run.json").write_text(facts)
    with pytest.raises(FederationError, match=r"start-from=.*round_\d+\.npz"):
        read_interrupted(old)

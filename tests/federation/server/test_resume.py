"""A run that was cut off goes on to the very end that it would have had."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from glean.errors import FederationError, SettingsError
from glean.evaluation.figures.curves import learning_curve
from glean.evaluation.figures.plot_style import Picture
from glean.evaluation.tables.results import read_results
from glean.federation.grids.inprocess import InProcessGrid
from glean.languages.language import ENGLISH
from glean.runs.folder import read_events
from glean.settings import ConfigValue
from tests.inprocess_runs import config_of, cut_off, facts_of, run

pytestmark = pytest.mark.slow

OVERSHOT: dict[str, ConfigValue] = {"learning_rate": 1.0, "max_depth": 6}
"""An early round is the best."""

KINDS: dict[str, dict[str, ConfigValue]] = {
    "bagging": {},
    "sampled": {"subsample": 0.6, "colsample": 0.7},
    "several trees": {"trees_per_round": 2, "num_parallel_tree": 3, "subsample": 0.8},
    "logarithmic": {"objective": "count:poisson", "subsample": 0.7},
    "cyclic": {"aggregation": "cyclic", "fraction_evaluate": 0.5},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural", "learning_rate": 0.05},
    "linear": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    "histogram": {"aggregation": "histogram", "subsample": 0.7, "colsample": 0.6},
    "masked histogram": {
        "aggregation": "histogram",
        "trees_per_round": 2,
        "subsample": 0.7,
        "secure_sums": True,
    },
    "refit": {"leaf_values": "refit", "proposals_per_round": 2, "subsample": 0.7},
    "masked refit": {"leaf_values": "refit", "secure_sums": True, "share_scores": "no"},
    "masked network": {"aggregation": "fedavg", "secure_sums": True},
    "some of them": {"fraction_train": 0.67, "fraction_evaluate": 0.67},
    "newcomers": {"newcomer_fraction": 0.34, "newcomer_days": 20},
    "overshot": {**OVERSHOT, "baselines": True},
}

NOT_TIME = ["round", "bakeries", "replies", "failures", "wape", "mae", "rmse", "mape"]


def model_of(folder: Path) -> bytes:
    (path,) = folder.glob("model.*")
    return path.read_bytes()


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_a_run_cut_off_and_resumed_ends_as_if_it_had_not_been(
    changes: dict[str, ConfigValue], tmp_path: Path, three_bakeries: str
) -> None:
    """Model, scores and tables have the same bytes, whatever is averaged, drawn or kept."""
    config = config_of(three_bakeries, num_server_rounds=4, **changes)
    whole = run(tmp_path / "whole", config)
    out = tmp_path / "out"
    old = cut_off(out, config, round_number=3)
    new = run(out, config | {"resume": str(old)})
    assert new != old
    assert model_of(new) == model_of(whole)
    for name in ("bakeries.csv", "bakery_rounds.csv", "forecasts.csv"):
        assert (new / name).read_bytes() == (whole / name).read_bytes(), name
    rounds, wanted = (pd.read_csv(folder / "rounds.csv") for folder in (new, whole))
    pd.testing.assert_frame_equal(rounds[NOT_TIME], wanted[NOT_TIME], check_exact=True)
    models = [sorted(path.name for path in (run / "models").iterdir()) for run in (new, whole)]
    assert models[0] == models[1]
    facts = facts_of(new)
    assert facts["best_round"] == facts_of(whole)["best_round"]
    assert (facts["resumed_from"], facts["resumed_round"]) == (str(old), rounds_done(old))


def rounds_done(folder: Path) -> int:
    return len(pd.read_csv(folder / "rounds.csv"))


def test_the_best_round_may_lie_before_the_interruption(
    tmp_path: Path, three_bakeries: str
) -> None:
    """The model that is kept is then one that the run which goes on never trained itself."""
    config = config_of(three_bakeries, num_server_rounds=7, **OVERSHOT)
    old = cut_off(tmp_path, config, round_number=6)
    new = run(tmp_path, config | {"resume": str(old)})
    best = facts_of(new)["best_round"]
    assert best < 5
    assert model_of(new) == (old / "models" / f"round_{best:03d}.ubj").read_bytes()


@pytest.fixture(scope="module")
def four_rounds(
    three_bakeries: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, ConfigValue], Path]:
    """The config of a run of four rounds, and the folder of one that nothing interrupted."""
    config = config_of(three_bakeries, num_server_rounds=4, subsample=0.6)
    return config, run(tmp_path_factory.mktemp("whole"), config)


@pytest.mark.parametrize("kind", ["train", "evaluate"])
@pytest.mark.parametrize("round_number", [1, 3])
def test_a_round_counts_once_it_is_scored(
    kind: str,
    round_number: int,
    tmp_path: Path,
    four_rounds: tuple[dict[str, ConfigValue], Path],
) -> None:
    """A model that was written but not scored is trained anew, and it is the same again."""
    config, whole = four_rounds
    old = cut_off(tmp_path, config, round_number=round_number, kind=kind)
    unscored = old / "models" / f"round_{round_number:03d}.ubj"
    assert unscored.exists() == (kind == "evaluate")
    new = run(tmp_path, config | {"resume": str(old)})
    assert facts_of(new)["resumed_round"] == (round_number - 1 or None)
    assert model_of(new) == model_of(whole)
    (resumed,) = [e for e in read_events(new / "events.jsonl") if e["event"] == "run_resumed"]
    assert resumed["round"] == (round_number - 1 or None)


@pytest.mark.parametrize("patience", [0, 2])
def test_a_run_cut_off_in_its_final_test_trains_no_more(
    patience: int, tmp_path: Path, three_bakeries: str
) -> None:
    """All rounds were run, or it had stopped early: only the final test is left to do."""
    config = config_of(
        three_bakeries, num_server_rounds=6, early_stopping_rounds=patience, **OVERSHOT
    )
    whole = run(tmp_path / "whole", config)
    last = facts_of(whole)["last_round"]
    assert (last < 6) == bool(patience)
    old = cut_off(tmp_path, config, round_number=last, kind="evaluate.test")
    new = run(tmp_path, config | {"resume": str(old)})
    assert (new / "rounds.csv").read_bytes() == (old / "rounds.csv").read_bytes()
    assert facts_of(new)["last_round"] == last
    assert model_of(new) == model_of(whole)


def test_patience_remembers_the_rounds_before(tmp_path: Path, three_bakeries: str) -> None:
    """Two rounds without progress before the interruption and one after it make three."""
    config = config_of(three_bakeries, num_server_rounds=30, early_stopping_rounds=4, **OVERSHOT)
    whole = run(tmp_path / "whole", config)
    last = facts_of(whole)["last_round"]
    assert last < 30
    old = cut_off(tmp_path, config, round_number=last - 1)
    new = run(tmp_path, config | {"resume": str(old)})
    assert facts_of(new)["last_round"] == last
    assert model_of(new) == model_of(whole)


def test_a_resumed_run_can_be_resumed(
    tmp_path: Path, four_rounds: tuple[dict[str, ConfigValue], Path]
) -> None:
    """Cut off twice, the second time the folder of the run that went on is what is continued."""
    config, whole = four_rounds
    first = cut_off(tmp_path, config, round_number=2)
    second = cut_off(tmp_path, config | {"resume": str(first)}, round_number=4)
    shutil.rmtree(first)
    third = run(tmp_path, config | {"resume": str(second)})
    assert facts_of(third)["resumed_round"] == 3
    assert model_of(third) == model_of(whole)
    resumed = [
        e["round"] for e in read_events(third / "events.jsonl") if e["event"] == "run_resumed"
    ]
    assert resumed == [1, 3]


def test_a_run_killed_before_it_had_taken_over_points_on(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Its own folder holds no round yet, but says whose rounds it was to continue."""
    config = config_of(three_bakeries, num_server_rounds=4)
    first = cut_off(tmp_path, config, round_number=3)
    second = cut_off(tmp_path, config | {"resume": str(first)}, round_number=4)
    for path in (second / "rounds.csv", second / "bakery_rounds.csv"):
        path.unlink()
    third = run(tmp_path, config | {"resume": str(second)})
    assert facts_of(third)["resumed_round"] == 2


def test_latest_is_the_run_before(tmp_path: Path, three_bakeries: str) -> None:
    """`resume = results/latest` means the newest run so far, not the one that begins."""
    config = config_of(three_bakeries, num_server_rounds=3)
    old = cut_off(tmp_path, config, round_number=3)
    new = run(tmp_path, config | {"resume": str(tmp_path / "latest")})
    assert facts_of(new)["resumed_from"] == str(old)
    assert facts_of(new)["settings"]["resume"] == str(old)


def test_what_failed_before_is_still_told(tmp_path: Path, three_bakeries: str) -> None:
    """Events of the rounds that count are kept, those of a round that is run again aren't."""
    config = config_of(three_bakeries, num_server_rounds=4)
    old = cut_off(tmp_path, config, round_number=3)
    lines = (old / "events.jsonl").read_text().splitlines()
    failed = {"time": "2024-01-01T00:00:00+00:00", "event": "bakery_failed", "bakery": "bakery 2"}
    at = next(k for k, line in enumerate(lines) if '"round": 2' in line)
    lines.insert(at, json.dumps(failed | {"round": 2, "reason": "the oven is cold"}))
    lines.append(json.dumps(failed | {"round": 3, "reason": "the server is gone"}))
    (old / "events.jsonl").write_text("\n".join(lines) + "\n")
    new = run(tmp_path, config | {"resume": str(old)})
    (failure,) = read_results(new).failures
    assert failure.reason == "the oven is cold"
    finished = [
        e["round"] for e in read_events(new / "events.jsonl") if e["event"] == "round_finished"
    ]
    assert finished == [1, 2, 3, 4]


def test_the_report_shows_the_whole_curve(tmp_path: Path, three_bakeries: str) -> None:
    """From the first round on, though the run that is reported began with the third."""
    config = config_of(three_bakeries, num_server_rounds=4)
    old = cut_off(tmp_path, config, round_number=3)
    new = run(tmp_path, config | {"resume": str(old)})
    curve = learning_curve(read_results(new), ENGLISH, metric="wape", axis="WAPE", share=True)
    assert isinstance(curve, Picture)
    assert "in round 1, " in curve.alt
    assert "in round 4, " in curve.alt


class OneByOne(InProcessGrid):
    """Nodes come back to a server that was started again every half second."""

    since: float | None = None
    last = 3

    def get_node_ids(self) -> list[int]:
        self.since = self.since or time.monotonic()
        come = 1 + int(2 * (time.monotonic() - self.since))
        return list(super().get_node_ids())[: min(come, self.last)]


class OneNeverComes(OneByOne):
    last = 2


def test_the_nodes_of_the_old_run_are_waited_for(tmp_path: Path, three_bakeries: str) -> None:
    """The first to be back don't go on alone, though they would be bakeries enough."""
    config = config_of(three_bakeries, num_server_rounds=3, subsample=0.6)
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path, config, round_number=2)
    new = run(tmp_path, config | {"resume": str(old)}, grid_type=OneByOne)
    assert model_of(new) == model_of(whole)


def test_a_node_that_stays_away_is_waited_for_no_longer_than_it_may(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the run goes on with the others, and says so."""
    config = config_of(three_bakeries, num_server_rounds=3) | {"round-timeout-s": 1}
    old = cut_off(tmp_path, config, round_number=2)
    new = run(tmp_path, config | {"resume": str(old)}, grid_type=OneNeverComes)
    assert "goes on with 2 nodes; the interrupted run had 3" in caplog.text
    assert facts_of(new)["bakeries"] == ["bakery 0", "bakery 1"]
    assert pd.read_csv(new / "rounds.csv")["bakeries"].tolist() == [3, 2, 2]


def test_other_settings_are_refused_by_name(tmp_path: Path, three_bakeries: str) -> None:
    """Each one that would change the model, with both values; the others may change."""
    config = config_of(three_bakeries, num_server_rounds=3)
    old = cut_off(tmp_path, config, round_number=2)
    other = config | {"max-depth": 3, "aggregation": "fedavg", "resume": str(old)}
    with pytest.raises(SettingsError) as refused:
        run(tmp_path, other)
    first, second, hint = str(refused.value).splitlines()
    assert first.startswith("aggregation: found 'fedavg'; the run to resume has 'bagging'")
    assert second.startswith("max-depth: found 3; the run to resume has 2")
    assert "--resume" in hint
    free: dict[str, ConfigValue] = {"round-timeout-s": 77, "min-available-bakeries": 2}
    assert facts_of(run(tmp_path, config | free | {"resume": str(old)}))["status"] == "completed"


def test_a_completed_run_is_not_resumed(tmp_path: Path, three_bakeries: str) -> None:
    """The message says so, and how to go on from its model."""
    config = config_of(three_bakeries, num_server_rounds=1)
    old = run(tmp_path, config)
    with pytest.raises(FederationError, match="is completed") as refused:
        run(tmp_path, config | {"resume": str(old)})
    assert f"start-from={old / 'model.ubj'}" in str(refused.value)

"""Masks change nothing, and a federation learns what one bakery holding all rows would learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.features.bakery_rows import bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, stack
from glean.learning.forest import Forest
from glean.learning.learning_rates import learning_rate_of
from glean.learning.pooled_histogram import train_pooled_histogram
from glean.node_settings import NodeSettings
from glean.runs.folder import checkpoint_name, read_events
from glean.sales.table import ALL_BAKERIES
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings
from tests.inprocess_runs import config_of, run
from tests.tables import random_table

pytestmark = pytest.mark.slow

NAMES = ("bakery 0", "bakery 1", "bakery 2")
SUMMED: dict[str, dict[str, ConfigValue]] = {
    "histogram": {"aggregation": "histogram", "trees_per_round": 2, "subsample": 0.7},
    "refit": {"leaf_values": "refit", "num_parallel_tree": 2, "proposals_per_round": 2},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural"},
    "linear": {"aggregation": "fedavg", "fedavg_model": "poisson"},
}
ACCURACY = ["wape", "mae", "rmse", "mape"]


def run_of(out: Path, sales: str, kind: str, **changes: ConfigValue) -> Path:
    return run(out, config_of(sales, **SUMMED[kind], **changes))


def tables_of(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rounds as a whole and by bakery, without time and bytes, which differ from run to run."""
    rounds = pd.read_csv(folder / "rounds.csv")
    return rounds[["round", "bakeries", "replies", "failures", *ACCURACY]], pd.read_csv(
        folder / "bakery_rounds.csv"
    )


def model_of(folder: Path) -> bytes:
    (path,) = folder.glob("model.*")
    return path.read_bytes()


@pytest.mark.parametrize("kind", SUMMED)
def test_masks_change_no_byte_of_the_model_and_no_score(
    kind: str, tmp_path: Path, three_bakeries: str
) -> None:
    """Every round's model, and every bakery's scores where they may be seen."""
    plain = run_of(tmp_path / "plain", three_bakeries, kind)
    masked = run_of(tmp_path / "masked", three_bakeries, kind, secure_sums=True)
    assert model_of(masked) == model_of(plain)
    for path in (plain / "models").iterdir():
        assert (masked / "models" / path.name).read_bytes() == path.read_bytes()
    for found, wanted in zip(tables_of(masked), tables_of(plain), strict=True):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    assert pd.read_csv(masked / "bakery_rounds.csv")["bakery"].nunique() == len(NAMES)


SIX = tuple({"partition-id": k} for k in range(6))
FEW_LEARN: dict[str, dict[str, ConfigValue]] = {
    "drawn, few judge": {"fraction_train": 0.5, "fraction_evaluate": 0.6},
    "too young": {"newcomer_fraction": 0.5, "newcomer_days": 10},
}


@pytest.mark.parametrize("few", FEW_LEARN.values(), ids=FEW_LEARN)
@pytest.mark.parametrize("kind", SUMMED)
def test_half_of_the_bakeries_can_hide_each_other(
    kind: str, few: dict[str, ConfigValue], tmp_path: Path
) -> None:
    """Those who learn are three of six, less than a majority of each one's neighbours."""
    sales = str(tmp_path / "six.csv")
    random_table(bakeries=6).rows.to_csv(sales, index=False)
    plain, masked = (
        run(
            tmp_path / str(masks),
            config_of(sales, **SUMMED[kind], **few, secure_sums=masks),
            nodes=SIX,
        )
        for masks in (False, True)
    )
    assert model_of(masked) == model_of(plain)
    for found, wanted in zip(tables_of(masked), tables_of(plain), strict=True):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    found_events = read_events(masked / "events.jsonl")
    assert not {"sum_lost", "bakery_failed"} & {event["event"] for event in found_events}


@pytest.mark.parametrize("kind", SUMMED)
def test_hidden_scores_are_one_row_for_all(kind: str, tmp_path: Path, three_bakeries: str) -> None:
    """The scores of the rounds are the same to fixed point; no bakery has a row of its own."""
    plain = run_of(tmp_path / "plain", three_bakeries, kind)
    hidden = run_of(tmp_path / "hidden", three_bakeries, kind, secure_sums=True, share_scores="no")
    assert model_of(hidden) == model_of(plain)
    (found, rows), (wanted, bakery_rows) = tables_of(hidden), tables_of(plain)
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-6)
    assert rows["bakery"].tolist() == [ALL_BAKERIES] * 2
    together = bakery_rows.groupby("round")["n_examples"].sum()
    assert rows["n_examples"].tolist() == together.tolist()
    np.testing.assert_allclose(rows["wape"], found["wape"])


def test_scaled_trees_are_scored_by_a_hidden_sum_too(tmp_path: Path, three_bakeries: str) -> None:
    """Nothing else of `bagging` with scaled leaves is a sum, and its scores can still be hidden."""
    plain = run(tmp_path / "plain", config_of(three_bakeries))
    config = config_of(three_bakeries, secure_sums=True, share_scores="no")
    hidden = run(tmp_path / "hidden", config)
    assert model_of(hidden) == model_of(plain)
    (found, rows), (wanted, _) = tables_of(hidden), tables_of(plain)
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-6)
    assert rows["bakery"].tolist() == [ALL_BAKERIES] * 2


def stacked(settings: RunSettings, definition: FeatureDefinition) -> FeatureMatrix:
    """The training rows of three bakeries, as one bakery that holds them all."""
    bakeries = [bakery_rows_of(NodeSettings(k), settings) for k in range(len(NAMES))]
    return stack([bakery.training(definition) for bakery in bakeries if bakery is not None])


ONE_BAKERY: dict[str, dict[str, ConfigValue]] = {
    "whole": {},
    "drawn": {"subsample": 0.6, "colsample": 0.5},
    "several trees": {"subsample": 0.6, "trees_per_round": 2, "num_parallel_tree": 2},
    "deep": {"max_depth": 5, "reg_alpha": 0.5, "gamma": 0.2, "bins": 64},
    "counts": {"objective": "count:poisson", "colsample": 0.5},
}


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("changes", ONE_BAKERY.values(), ids=ONE_BAKERY)
def test_a_federation_is_one_bakery_that_holds_all_rows(
    changes: dict[str, ConfigValue],
    masked: bool,
    tmp_path: Path,
    three_bakeries: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tree by tree, to the byte: the trainer of one table with the seeds of the federation."""
    more: dict[str, ConfigValue] = {"aggregation": "histogram", "num_server_rounds": 3}
    settings = small_settings(three_bakeries, secure_sums=masked, **more, **changes)
    federation = federation_of(tmp_path, settings)
    federation.run()
    # Not the best round's model, which may be an earlier one.
    content = (federation.folder.path / checkpoint_name(3, ".ubj")).read_bytes()
    place = "glean.learning.pooled_histogram.boosting_step_seed"
    monkeypatch.setattr(place, lambda seed, step: derived_seed(seed, "growth", step + 1, *NAMES))
    wanted = train_pooled_histogram(
        stacked(settings, Forest.from_bytes(content).definition),
        boosting=settings.boosting,
        learning_rate=learning_rate_of(settings.rounds),
        steps=3,
        seed=settings.seed,
    )
    assert wanted.tree_count >= 3
    assert content == wanted.to_bytes()

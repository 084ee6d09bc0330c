"""The curve of what noise costs: columns, figures that agree with single runs, words, picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.evaluation.figures.privacy_curve import privacy_picture
from glean.evaluation.tables import privacy_curve
from glean.evaluation.tables.backtest import rows_from_json
from glean.evaluation.tables.privacy_curve import COLUMNS, METHODS, measure_curve
from glean.evaluation.tables.privacy_summary import curve_table, means_and_worst
from glean.federation.coordination.global_model import read_global_model
from glean.federation.wire.noised_parts import budget_of
from glean.operations.reports.privacy_curve import prepare_curve, run_curve
from glean.runs.folder import checkpoint_name
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, small_settings

APP = "glean.client_app:app"

MEASURED: dict[str, ConfigValue] = {
    "aggregation": "bagging",
    "leaf_values": "refit",
    "newcomer_fraction": 0.34,
    "newcomer_days": 40,
    "learning_rate": 0.0,
    "num_server_rounds": 1,
}


def settings_of(sales: str, **changes: ConfigValue) -> RunSettings:
    """Of a small run whose bakeries also make own models."""
    return small_settings(sales, **(MEASURED | {"baselines": True} | changes))


@pytest.fixture(scope="module")
def curve(three_bakeries: str) -> pd.DataFrame:
    """Of three bakeries, one seed and few epsilons."""
    with mock.patch.object(privacy_curve, "EPSILONS", (math.inf, 4.0, 1.0)):
        rows = measure_curve(settings_of(three_bakeries), 3, APP, seeds=1)
        return pd.concat(list(rows), ignore_index=True)


@pytest.mark.slow
def test_there_is_a_row_for_sums_and_for_each_epsilon(curve: pd.DataFrame) -> None:
    """By epsilon from no noise on, each with what it promises a day's sales."""
    assert tuple(curve) == COLUMNS
    assert curve["privacy"].tolist() == ["sums", "no noise", "noise", "noise"]
    noised = curve[curve["privacy"] == "noise"]
    assert noised["epsilon"].tolist() == [4.0, 1.0]
    settings = RunSettings.from_config({"privacy": "noise", "num-server-rounds": 1})
    promised = dict(zip(noised["epsilon"], noised["epsilon_of_a_days_sales"], strict=True))
    assert promised[4.0] == budget_of(settings).spent_of_a_days_sales
    measures = curve.drop(columns=["epsilon", "epsilon_of_a_days_sales"])
    assert measures.notna().all(axis=None)
    assert curve["wape_local"].nunique() == curve["newcomers_local"].nunique() == 1
    assert noised["wape_federated"].nunique() == len(noised)


@pytest.mark.slow
def test_processes_measure_the_same_rows_in_the_same_order(three_bakeries: str) -> None:
    """All that isn't drawn anew: noise is."""
    settings = settings_of(three_bakeries)
    alone, shared = (
        pd.concat(measure_curve(settings, 3, APP, seeds=2, workers=workers), ignore_index=True)
        for workers in (1, 2)
    )
    assert shared["seed"].tolist() == alone["seed"].tolist() == sorted(alone["seed"])
    keys = ["privacy", "epsilon", "seed", "wape_local", "newcomers_local"]
    pd.testing.assert_frame_equal(shared[keys], alone[keys])
    drawn = alone["privacy"] == "noise"
    pd.testing.assert_frame_equal(shared[~drawn], alone[~drawn])


@pytest.mark.slow
@pytest.mark.parametrize("aggregation", ["bagging", "oblivious"])
@pytest.mark.parametrize("newcomers", [False, True])
def test_what_is_shared_gives_the_figures_of_a_run_by_itself(
    curve: pd.DataFrame,
    newcomers: bool,
    aggregation: str,
    three_bakeries: str,
    tmp_path: Path,
) -> None:
    """Sums as they are and random trees without noise, of all bakeries and of newcomers alone."""
    told = {} if newcomers else {"newcomer_fraction": 0.0}
    settings = settings_of(three_bakeries, aggregation=aggregation, **told)
    federation = federation_of(tmp_path, settings)
    result = federation.run()
    if aggregation == "oblivious":  # the curve has the last model, as with noise, and not the best
        last = (federation.folder.path / checkpoint_name(result.last_round, ".ubj")).read_bytes()
        result = replace(result, model=read_global_model(last, settings))
    replies = federation.test(result)
    scores = [s for name, text in replies.items() for s in rows_from_json(text, bakery=name)]
    if newcomers:
        scores = [score for score in scores if score.cohort == "newcomer"]
        assert len({score.bakery for score in scores}) == 1
    row = curve[curve["privacy"] == ("sums" if aggregation == "bagging" else "no noise")].iloc[0]
    for method in METHODS:
        mine = [score for score in scores if score.method == method]
        wape = sum(score.abs_error for score in mine) / sum(score.units for score in mine)
        column = f"{'newcomers' if newcomers else 'wape'}_{method.replace('-', '_')}"
        assert row[column] == pytest.approx(wape), method


def made_up(**noised: float) -> pd.DataFrame:
    """Two seeds of sums and of the default epsilon."""
    base = dict.fromkeys(COLUMNS, 0.2) | {"bakeries": 9, "epsilon_of_a_days_sales": 1595.2}
    sums = base | {"privacy": "sums", "epsilon": np.nan, "epsilon_of_a_days_sales": np.nan}
    noise = base | {"privacy": "noise", "epsilon": 4.0} | noised
    rows = [row | {"seed": seed} for row in (sums, noise) for seed in (1, 2)]
    rows[3]["wape_federated"] = noised.get("wape_federated", 0.2) - 0.02
    return pd.DataFrame(rows)[list(COLUMNS)]


def test_seeds_are_summed_up_by_mean_and_worst() -> None:
    """And counted."""
    means = means_and_worst(made_up(wape_federated=0.24))
    noised = means.iloc[1]
    assert means["seeds"].tolist() == [2, 2]
    assert noised["wape_federated"] == pytest.approx(0.23)
    assert noised["wape_federated_worst"] == pytest.approx(0.24)


def test_the_table_says_what_the_default_costs_and_where_it_harms() -> None:
    """In words, with both units of privacy; a model worse than the habit is told."""
    table = curve_table(made_up(wape_federated=0.24, newcomers_local=0.25), 9)
    assert table.rows[1][:2] == ("4 / 1,595", "23.00% (24.00%)")
    assert table.best == {1}
    text = " ".join(table.sentences)
    assert "mean of 2 seeds" in table.title
    assert "shared model is off by 15.0% more than with sums as they are" in text
    assert "by 15.0% more than the weekday-mean" in text
    assert "Of newcomers it is off by 20.0% less than each alone" in text
    assert "worse than the weekday-mean at: 4 / 1,595" in text
    assert "worse" not in " ".join(curve_table(made_up(wape_federated=0.21), 9).sentences)


def test_the_picture_has_the_figures_in_words() -> None:
    """For those who don't see it; all that is drawn is in the table."""
    picture = privacy_picture(made_up(wape_federated=0.24), 9, units_label="units")
    assert picture.alt.endswith(": epsilon 4: 23.00%, 20.00%.")
    assert picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"epsilon": 2.0}, {}, "epsilon: found"),
        ({"privacy": "noise"}, {}, "privacy: found"),
        ({"start-from": "/model.ubj"}, {}, "start-from: found"),
        ({"aggregation": "fedavg"}, {}, "wanted 'demand' and an aggregation of trees"),
        ({"workload": "iris"}, {}, "wanted 'demand' and an aggregation of trees"),
        ({"fraction-train": 0.5}, {}, "fraction-train: found 0.5 with privacy=noise"),
        ({}, {"bakeries": [2]}, "--bakeries: found 2; wanted at least 3"),
        ({}, {"bakeries": [4]}, "--bakeries: found 4; the table has 3"),
    ],
)
def test_what_can_not_be_measured_is_refused_before_anything_is(
    changes: dict[str, ConfigValue], options: dict[str, list[int]], words: str, three_bakeries: str
) -> None:
    """With what was found and what is wanted."""
    with pytest.raises(SettingsError) as refused:
        prepare_curve({"sales": three_bakeries, **changes}, **options)  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_what_has_been_measured_is_on_disk_when_the_rest_is_cut_off(
    three_bakeries: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve takes long: a Ctrl-C leaves the rows so far."""

    def rows(*_: object, **__: object) -> Iterator[pd.DataFrame]:
        yield made_up(wape_federated=0.2)[:1]
        raise KeyboardInterrupt

    monkeypatch.setattr("glean.operations.reports.privacy_curve.measure_curve", rows)
    prepared = prepare_curve({"sales": three_bakeries}, results=tmp_path)
    assert prepared.bakeries == (3,)
    with pytest.raises(KeyboardInterrupt):
        run_curve(prepared, lambda _: None)
    assert len(pd.read_csv(tmp_path / "privacy-curve" / "privacy_curve.csv")) == 1

"""The backtest of plans: added up by hand, baselines inside the curve, the files of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.evaluation.figures.plan_curve import plan_curve
from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.tables.choices import CHOICE_COLUMNS, reason_of
from glean.evaluation.tables.client_tables import TABLES, WindowedRows, client_tables, to_texts
from glean.evaluation.tables.coverage import coverage_row
from glean.evaluation.tables.plan_backtest import (
    CRITICAL_RATIOS,
    MARGINS,
    curve,
    plan_rows,
    savings,
)
from glean.evaluation.tables.plan_savings import lead_sentences
from glean.evaluation.tables.results import RunResults
from glean.forecasting.baselines import baselines
from glean.forecasting.calibration import UNKNOWN
from glean.forecasting.client_model import fit_client_model
from glean.forecasting.forecasters import TreeForecaster
from glean.forecasting.rolling_origin import RollingQuantiles
from glean.languages.language import ENGLISH, language
from glean.metrics import Floats
from glean.runs.index import StoredRun
from glean.runs.results import Columns, read_table
from glean.sales.products import Product
from glean.settings import BoostingSettings
from tests.evaluation.test_backtest import TEST, TRAINING, VALIDATION
from tests.matrices import random_forest, random_matrix

BAKERY = WindowedRows("north", "established", TRAINING, VALIDATION, TEST)
OWN = fit_client_model(
    TreeForecaster(random_forest(2)),
    TRAINING,
    VALIDATION,
    boosting=BoostingSettings(max_depth=2, min_child_weight=1.0),
    learning_rate=0.1,
    seed=3,
)
DETAILS = client_tables(
    BAKERY, OWN, products={"product 0": Product("product 0", price=2, cost=1)}, seed=1
)
PLANS = DETAILS["plan.csv"]


def test_the_critical_ratios_are_those_of_the_design() -> None:
    """From 0.20 to 0.99, in steps of 0.05 or less below 0.90 and 0.01 above."""
    steps = np.diff(CRITICAL_RATIOS)
    assert (CRITICAL_RATIOS[0], CRITICAL_RATIOS[-1]) == (0.2, 0.99)
    below = np.array(CRITICAL_RATIOS[1:]) <= 0.9
    assert steps[below].max() <= 0.05 + 1e-9
    assert steps[~below].max() <= 0.01 + 1e-9


def test_a_habit_s_outcome_is_added_up_by_hand() -> None:
    """Day by day: baked in whole pieces, what is over, what is missing, in units and money."""
    mine = (TEST.keys["product"] == "product 0").to_numpy()
    sold, usual = TEST.units[mine], baselines(TEST)["weekday-mean"][mine]
    baked = [float(np.ceil(round(units * 1.1, 9))) for units in usual]
    over = sum(max(b - s, 0) for b, s in zip(baked, sold, strict=True))
    unmet = sum(max(s - b, 0) for b, s in zip(baked, sold, strict=True))
    row = PLANS.query("product == 'product 0' and policy == 'weekday-mean' and margin == 0.1").iloc[
        0
    ]
    assert (row["baked"], row["units"]) == (sum(baked), sold.sum())
    assert (row["overproduced"], row["unmet"]) == pytest.approx((over, unmet))
    assert row["sold_out_days"] == sum(s > b for b, s in zip(baked, sold, strict=True))
    assert row["cost"] == pytest.approx(over + unmet)


def test_every_product_has_every_policy_and_a_cost_only_with_prices() -> None:
    """Six rows of baselines and the plan at every ratio."""
    assert len(PLANS) == 2 * (2 * len(MARGINS) + len(CRITICAL_RATIOS))
    assert PLANS.query("product == 'product 0'")["cost"].notna().all()
    assert PLANS.query("product == 'product 1'")["cost"].isna().all()
    identity = PLANS["baked"] - PLANS["units"] - PLANS["overproduced"] + PLANS["unmet"]
    assert identity.abs().max() < 1e-6


def test_a_higher_ratio_bakes_more_and_misses_less() -> None:
    """The plan's curve goes one way."""
    plan = curve(PLANS).query("policy == 'plan'").sort_values("margin")
    assert plan["overproduced"].is_monotonic_increasing
    assert plan["unmet"].is_monotonic_decreasing


def quantiles_of(units: Floats, spread: float) -> RollingQuantiles:
    levels = np.array(sorted({*CRITICAL_RATIOS, 0.025, 0.1, 0.975}))
    return RollingQuantiles(levels, np.outer(units, 1 + spread * (levels - 0.5)), levels[:1])


def test_savings_are_read_off_the_curve() -> None:
    """A plan that knows the day bakes nothing too much where a baseline does."""
    rows = random_matrix(56)
    rows = replace(rows, units=np.round(rows.units))
    knowing = quantiles_of(rows.units, 1.6)
    usual = {"last-week": rows.units[::-1].copy(), "weekday-mean": np.full(56, rows.units.mean())}
    table = savings(plan_rows(rows, usual, knowing, bakery="north", products={}))
    assert list(table["policy"].unique()) == ["last-week", "weekday-mean"]
    known = table.dropna()
    assert len(known)
    assert (known["plan_overproduced"] < known["overproduced"]).all()


def test_the_curve_is_drawn_with_its_habits() -> None:
    """What it saves stands beneath in numbers; without plans it says why there is none."""
    nothing = RunResults(StoredRun(Path("run"), {}))
    results = replace(nothing, plans=PLANS)
    drawn = plan_curve(results, ENGLISH)
    assert isinstance(drawn, Picture)
    assert drawn.alt == " ".join(lead_sentences(results, ENGLISH))
    left_out = plan_curve(nothing, ENGLISH)
    assert isinstance(left_out, LeftOut)
    assert "no plan.csv" in left_out.reason


def test_coverage_is_counted() -> None:
    """Half of the rows above the interval: half inside, and widths relative to the sales."""
    rows = random_matrix(40)
    low, high = np.full(40, 0.0), np.where(np.arange(40) % 2, 1e9, 0.0)
    levels = np.array([0.025, 0.1, 0.9, 0.975])
    made = RollingQuantiles(levels, np.column_stack([low, low, high, high]), np.linspace(0, 1, 40))
    row = coverage_row(rows, made, bakery="north", cohort="established").iloc[0]
    assert row["coverage_80"] == row["coverage_95"] == 0.5
    assert row["width_80"] == pytest.approx(high.mean() / rows.units.mean())
    assert sum(row[f"pit_{k}"] for k in range(1, 11)) == pytest.approx(1.0)


def test_tables_have_the_columns_that_are_promised() -> None:
    """As text too; numbers to six digits."""
    texts = to_texts(DETAILS)
    heads = {name: tuple(text.partition("\n")[0].split(",")) for name, text in texts.items()}
    assert heads == TABLES
    assert texts["plan.csv"].count("\n") == len(PLANS) + 1


def test_single_days_hold_every_method_and_interval() -> None:
    """Ordered intervals around what the bakery would bake by."""
    days = DETAILS["days.csv"]
    assert len(days) == len(TEST)
    ends = days[["lower_95", "lower_80", "upper_80", "upper_95"]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0).all()
    chosen = OWN.forecasts(TEST)["chosen"]
    assert days["chosen"].to_numpy() == pytest.approx(chosen)
    assert pd.api.types.is_datetime64_any_dtype(days["date"])


def test_alone_is_planned_from_the_own_model_s_own_errors() -> None:
    """What the federation sends changes the plan, and leaves the one made without it as it was."""
    alone = DETAILS["alone.csv"]
    assert set(alone["policy"]) == {"alone"}
    assert sorted(alone["margin"].unique()) == list(CRITICAL_RATIOS)
    narrow = replace(UNKNOWN, by_share=0.01**2)
    other = client_tables(
        BAKERY,
        replace(OWN, prior=narrow),
        products={"product 0": Product("product 0", price=2, cost=1)},
        seed=1,
    )
    assert other["alone.csv"].equals(alone)
    assert not other["plan.csv"].equals(PLANS)


def test_why_a_bakery_bakes_by_what_it_does_is_said_again_from_the_file(tmp_path: Path) -> None:
    """In any language, from numbers; a file of an earlier version says it as it was written."""
    path = tmp_path / "choice.csv"
    path.write_text(to_texts(DETAILS)["choice.csv"], encoding="utf-8")
    table = read_table(path, Columns(CHOICE_COLUMNS, ("bakery", "reason")))
    assert table is not None
    row = {str(name): value for name, value in table.iloc[0].items()}
    assert reason_of(row, ENGLISH) == OWN.selection.reason(ENGLISH) == row["reason"]
    german = language("de")
    assert reason_of(row, german) == OWN.selection.reason(german) != row["reason"]
    before = {name: row[name] for name in CHOICE_COLUMNS}
    assert reason_of(before, german) == row["reason"]
    assert reason_of(row | {"validation_days": np.nan}, german) == row["reason"]

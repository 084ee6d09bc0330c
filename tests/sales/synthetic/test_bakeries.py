"""Synthetic bakeries: their truth, their variety, and the files of `data/`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SettingsError
from glean.sales.calendars import public_holidays
from glean.sales.reading.sales_file import read_sales
from glean.sales.synthetic import parameters
from glean.sales.synthetic.bakeries import (
    SyntheticBakery,
    synthetic_bakery,
    synthetic_table,
)
from glean.sales.synthetic.catalogue import REGIONS
from glean.sales.synthetic.demand import draw_demand, sold_out_minutes
from glean.sales.synthetic.files import write_synthetic
from glean.sales.synthetic.surroundings import surroundings_of
from glean.sales.synthetic.traits import draw_traits, name_of
from glean.sales.windows import windows_of
from glean.settings import WindowSettings

DATA = Path(__file__).parents[3] / "data"


@pytest.fixture(scope="module")
def forty() -> list[SyntheticBakery]:
    return [synthetic_bakery(index) for index in range(40)]


def test_redrawn_demand_has_the_expected_mean_and_variance() -> None:
    """Over many days of the same expectation, mean and variance are what the docs promise."""
    expected = np.tile([4.0, 60.0, 900.0], (40_000, 1))
    dispersion = np.array([0.02, 0.05, 0.01])
    demand = draw_demand(expected, dispersion, np.random.default_rng(7))
    shock = parameters.DAY_SHOCK_SD**2
    variance = expected[0] + (dispersion + shock + dispersion * shock) * expected[0] ** 2
    standard_error = np.sqrt(variance / len(expected))
    assert np.all(np.abs(demand.mean(axis=0) - expected[0]) < 5 * standard_error)
    assert demand.var(axis=0) == pytest.approx(variance, rel=0.05)


def test_demand_of_the_bakeries_is_centred_on_the_truth(forty: list[SyntheticBakery]) -> None:
    """Row by row the expected demand is the mean: sums over rows agree to chance alone."""
    scores = [
        (bakery.demand - bakery.expected).sum() / bakery.expected.sum()
        for bakery in forty
        if len(bakery.expected) > 1000
    ]
    spread = float(np.std(scores))
    assert spread < 0.006
    assert abs(float(np.mean(scores))) < 4 * spread / np.sqrt(len(scores))


@pytest.mark.parametrize("scenario", ["related", "unrelated"])
def test_truth_beats_any_other_forecast(scenario: str) -> None:
    """No constant multiple of the truth, and not last week's truth, comes nearer to demand."""
    for index in range(4):
        bakery = synthetic_bakery(index, scenario=scenario)
        demand, expected = bakery.demand, bakery.expected

        def squares(forecast: np.ndarray, demand: np.ndarray = demand) -> float:
            return float(((demand - forecast) ** 2).sum())

        rows = bakery.table.rows.assign(expected=expected)
        before = rows.groupby("product")["expected"].shift(6).fillna(rows["expected"])
        best = squares(expected)
        assert best < squares(1.05 * expected)
        assert best < squares(0.95 * expected)
        assert best < squares(before.to_numpy())


def test_counts_are_over_dispersed(forty: list[SyntheticBakery]) -> None:
    """Around the truth the variance exceeds the mean, as a Poisson's wouldn't."""
    for bakery in forty:
        index = float(((bakery.demand - bakery.expected) ** 2).sum() / bakery.expected.sum())
        assert index > 1.1, bakery.name


def test_sizes_differ_by_a_factor_of_twenty_within_the_first_five(
    forty: list[SyntheticBakery],
) -> None:
    """Small and large bakeries are there from the start, with different assortments."""
    sizes = [b.table.rows.groupby("date")["units"].sum().mean() for b in forty[:5]]
    assert max(sizes) / min(sizes) >= 20
    assortments = {tuple(b.table.rows["product"].unique()) for b in forty}
    assert len(assortments) == 40
    assert {len(products) for products in assortments} == set(range(3, 9))


def test_the_fifth_bakery_is_young() -> None:
    """Exactly one of the first five has a short history, 45 days before the test window."""
    windows = [windows_of(synthetic_bakery(i).table, WindowSettings()) for i in range(5)]
    assert [window.cohort for window in windows] == ["established"] * 4 + ["newcomer"]
    assert windows[4].days_before_test == 45
    assert windows[4].trains


@settings(max_examples=20)
@given(st.integers(0, 3000), st.sampled_from(["related", "unrelated"]))
def test_any_bakery_keeps_the_contract_of_the_table(index: int, scenario: str) -> None:
    """Sorted rows without repeats, whole finite numbers, zero-one flags, truth row by row."""
    bakery = synthetic_bakery(index, scenario=scenario)
    rows = bakery.table.rows
    assert bakery.table.bakeries == (bakery.name,)
    keys = rows[["bakery", "product", "date"]]
    pd.testing.assert_frame_equal(keys, keys.sort_values(["bakery", "product", "date"]))
    assert not keys.duplicated().any()
    assert isinstance(rows.index, pd.RangeIndex)
    assert len(bakery.expected) == len(bakery.demand) == len(rows)
    assert bakery.expected.dtype == bakery.demand.dtype == np.float64
    assert np.isfinite(bakery.expected).all()
    assert (bakery.expected > 0).all()
    assert (rows["units"] >= 0).all()
    assert (rows["units"] % 1 == 0).all()
    assert (rows["units"] <= bakery.demand).all()
    assert (rows["price"] > 0).all()
    assert rows[["promotion", "holiday", "school_holiday"]].isin([0.0, 1.0]).all().all()
    assert rows["date"].max() <= parameters.LAST_DAY
    assert 3 <= rows["product"].nunique() <= 8


def test_rows_sell_out_exactly_where_demand_is_hidden(forty: list[SyntheticBakery]) -> None:
    """Units are below demand if and only if a time of selling out is given, within the hours."""
    shares = []
    for bakery in forty:
        rows = bakery.table.rows
        sold_out = (rows["sold_out_at"] != "").to_numpy()
        assert (sold_out == (rows["units"].to_numpy() < bakery.demand)).all()
        times = rows.loc[sold_out, "sold_out_at"]
        assert times.between("06:30", "17:59").all()
        shares.append(sold_out.mean())
    assert 0.05 < float(np.mean(shares)) < 0.15


def test_the_more_is_missing_the_earlier_it_sells_out() -> None:
    """Half of the demand gone unserved means out by noon; nothing missing means no time."""
    demand = np.array([100, 100, 100, 100])
    minutes = sold_out_minutes(demand, np.array([50.0, 80.0, 99.0, 100.0]))
    assert list(minutes[:3]) == sorted(minutes[:3])
    assert minutes[0] < 12 * 60
    assert minutes[3] == -1


def test_closed_days_are_missing_and_differ_between_bakeries(
    forty: list[SyntheticBakery],
) -> None:
    """Closed weekdays and holidays have no rows at all, nor has 25 December anywhere."""
    weekdays, on_holidays = set(), set()
    for bakery in forty:
        dates = pd.DatetimeIndex(bakery.table.rows["date"].unique())
        weekdays.add(tuple(sorted(set(dates.day_of_week))))
        free = public_holidays(bakery.region, dates.min(), dates.max())
        on_holidays.add(bool(dates.isin(free).any()))
        assert "12-25" not in set(dates.strftime("%m-%d"))
        flagged = bakery.table.rows.groupby("date")["holiday"].max()
        assert (flagged.to_numpy() == flagged.index.isin(free)).all()
    assert weekdays == {(0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6)}
    assert on_holidays == {True, False}


def test_neighbours_share_their_weather(forty: list[SyntheticBakery]) -> None:
    """Bakeries of one region see the same weather and holidays, those of another don't."""
    columns = ["temperature_c", "rain_mm", "holiday", "school_holiday"]
    by_region: dict[str, pd.DataFrame] = {}
    for bakery in forty:
        days = bakery.table.rows.groupby("date")[columns].first()
        other = by_region.setdefault(bakery.region, days)
        both = days.index.intersection(other.index)
        pd.testing.assert_frame_equal(days.loc[both], other.loc[both])
    assert len(by_region) >= 6
    north, south = by_region["DE-SH"], by_region["DE-BY"]
    both = north.index.intersection(south.index)
    assert not north.loc[both, "temperature_c"].equals(south.loc[both, "temperature_c"])


@pytest.mark.parametrize("region", [region.code for region in REGIONS])
def test_weather_keeps_to_the_climate_of_the_region(region: str) -> None:
    """Three years' mean temperature, wet days and rain lie near the region's parameters."""
    around = surroundings_of(region)
    climate = next(entry for entry in REGIONS if entry.code == region)
    assert around.temperature_c.mean() == pytest.approx(climate.temperature_c, abs=1.0)
    assert around.anomaly_c.std() == pytest.approx(parameters.ANOMALY_SD_C, rel=0.15)
    assert (around.rain_mm > 0).mean() == pytest.approx(climate.wet_share, abs=0.08)
    rain = climate.wet_share * climate.rain_mm
    assert around.rain_mm.mean() == pytest.approx(rain, rel=0.25)
    assert len(around.dates) == len(around.rain_mm) == len(around.school_holiday)


def test_related_bakeries_agree_and_unrelated_ones_do_not() -> None:
    """A promotion helps (nearly) every related bakery; of the unrelated it harms about half."""

    def promotions(population: parameters.Population) -> np.ndarray:
        streams = (np.random.default_rng(index) for index in range(200))
        return np.array([draw_traits(0, population, stream).promotion.mean() for stream in streams])

    assert (promotions(parameters.RELATED) > 0).mean() > 0.98
    assert 0.35 < (promotions(parameters.UNRELATED) > 0).mean() < 0.65


def test_scenarios_differ_in_the_sales_of_the_same_bakery() -> None:
    """Same number, same name, other sales."""
    related, unrelated = synthetic_bakery(0), synthetic_bakery(0, scenario="unrelated")
    assert related.name == unrelated.name
    assert not related.table.rows.equals(unrelated.table.rows)


def test_names_are_never_used_twice() -> None:
    """A thousand bakeries have a thousand names."""
    assert len({name_of(index) for index in range(1000)}) == 1000


def test_a_bakery_is_the_same_whatever_their_number() -> None:
    """Bakery 2 of three, of six and on its own: the same rows."""
    alone = synthetic_bakery(2)
    for count in (3, 6):
        within = synthetic_table(count).of(alone.name)
        pd.testing.assert_frame_equal(within.rows, alone.table.rows)


def test_the_table_of_several_is_sorted() -> None:
    """One table of several bakeries is sorted by bakery, product and date."""
    rows = synthetic_table(3).rows
    keys = rows[["bakery", "product", "date"]]
    pd.testing.assert_frame_equal(keys, keys.sort_values(["bakery", "product", "date"]))
    assert rows["bakery"].nunique() == 3


def test_files_of_data_are_made_again_to_the_byte(tmp_path: Path) -> None:
    """`write_synthetic` gives exactly the files that are committed, small and with LF ends."""
    paths = write_synthetic(tmp_path / "new")
    assert [path.name for path in paths] == [f"bakery_{number}.csv" for number in range(1, 6)]
    assert sorted(path.name for path in DATA.glob("*.csv")) == [path.name for path in paths]
    for path in paths:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name
        assert b"\r" not in path.read_bytes()
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 3_000_000


def test_another_process_makes_the_same_file(tmp_path: Path) -> None:
    """Nothing depends on hash seeds or on what this process has made before."""
    code = (
        "import sys, pathlib; from glean.sales.synthetic.files import write_synthetic; "
        "write_synthetic(pathlib.Path(sys.argv[1]), 1, scenario='unrelated')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True)
    (here,) = write_synthetic(tmp_path / "here", 1, scenario="unrelated")
    there = tmp_path / "there" / here.name
    assert hashlib.sha256(here.read_bytes()).digest() == hashlib.sha256(there.read_bytes()).digest()


def test_files_read_back_as_the_table() -> None:
    """What is written is in Glean's own format, and nothing is lost on the way."""
    for number in (1, 5):
        read = read_sales(DATA / f"bakery_{number}.csv").rows
        pd.testing.assert_frame_equal(read, synthetic_bakery(number - 1).table.rows)


@pytest.mark.parametrize(
    ("index", "scenario", "words"),
    [
        (0, "alike", "'alike' isn't known; wanted 'related' or 'unrelated'"),
        (-1, "related", "-1 is below 0"),
    ],
)
def test_wrong_requests_are_refused(index: int, scenario: str, words: str) -> None:
    """An unknown scenario or number is named, with what was wanted."""
    with pytest.raises(SettingsError, match=words):
        synthetic_bakery(index, scenario=scenario)

"""Plans go by what is on offer: weekdays, seasons, what was dropped, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.forecasting import context, future_rows
from glean.operations.planning.bakery_context import make_context
from glean.operations.planning.plan import DayPlan, make_plan
from glean.sales.assortment import Offer, offers_of
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.products import Product
from glean.sales.table import SalesTable
from tests.forecasting.test_future_rows import MODEL, known

DAYS = pd.date_range("2023-06-01", "2024-11-08", freq="D")
LAST = DAYS[-1]
SUNDAY, TUESDAY = pd.Timestamp("2024-11-10"), pd.Timestamp("2024-11-12")
"""Two days after the last one, and four."""


def sold(product: str, mean: float, days: pd.DatetimeIndex) -> pd.DataFrame:
    rng = np.random.default_rng(int(mean))
    units = rng.poisson(mean, len(days)).astype(float)
    return pd.DataFrame({"date": days, "bakery": "b", "product": product, "units": units})


def bakery() -> SalesTable:
    """Rolls every day, plaits on weekends, Stollen to Christmas; and baguettes were dropped."""
    day = DAYS.month * 100 + DAYS.day
    parts = [
        sold("baguette", 33.0, DAYS[:-40]),
        sold("plait", 24.0, DAYS[DAYS.day_of_week >= 5]),
        sold("roll", 210.0, DAYS),
        sold("stollen", 40.0, DAYS[(day >= 1110) & (day <= 1224)]),
    ]
    return SalesTable(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return path


def planned(
    model: Path,
    day: pd.Timestamp,
    *,
    known_future: KnownFuture = NOTHING_KNOWN,
    products: Mapping[str, Product] | None = None,
    table: SalesTable | None = None,
) -> DayPlan:
    listed = products or {}
    made_of = make_context(model, table or bakery(), products=listed)
    return make_plan(made_of, listed, date=day, known_future=known_future)


def bakes(made: DayPlan) -> dict[str, float]:
    return dict(zip(made.table["product"], made.table["bake"], strict=True))


def test_what_is_on_offer_is_read_once_a_plan(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a while for a bakery of many products; remarks and rows go by the same."""
    read: list[SalesTable] = []

    def counted(table: SalesTable) -> tuple[Offer, ...]:
        read.append(table)
        return offers_of(table)

    for module in (context, future_rows):
        monkeypatch.setattr(module, "offers_of", counted)
    planned(model, TUESDAY)
    assert len(read) == 1


def test_a_day_without_anything_on_offer_is_not_called_closed(model: Path) -> None:
    """The bakery opens every day, and the plait, its only product, is for weekends."""
    alone = sold("plait", 24.0, DAYS[DAYS.day_of_week >= 5])
    other = sold("baguette", 33.0, DAYS[:-60])
    table = SalesTable(pd.concat([other, alone], ignore_index=True))
    with pytest.raises(SettingsError, match="no product that is on offer on a Tuesday"):
        planned(model, TUESDAY, table=table)


def test_what_is_not_on_offer_is_not_planned_and_named(model: Path) -> None:
    on_tuesday, on_sunday = planned(model, TUESDAY), planned(model, SUNDAY)
    assert bakes(on_tuesday).keys() == {"roll"}
    assert bakes(on_sunday).keys() == {"roll", "plait"}
    (weekday, dropped, season) = on_tuesday.remarks
    assert weekday == "Not sold on Tuesdays, so not planned: plait."
    assert dropped.startswith("baguette: left out, as it hasn't been sold since")
    assert "(40 open days)" in dropped
    assert season.startswith("stollen: sold at this time last year, about 4")
    assert [text.split(",")[0] for text in on_sunday.remarks] == [
        text.split(",")[0] for text in (dropped, season)
    ]
    assert all(remark.replace("'", "&#x27;") in on_tuesday.page for remark in on_tuesday.remarks)


def test_what_is_told_as_on_offer_is_planned_by_last_season_or_by_the_list(model: Path) -> None:
    """Near to what it sold at this time last year, or near to what is expected."""
    told = known({"date": SUNDAY, "product": "stollen", "open": 1.0})
    made = planned(model, SUNDAY, known_future=told)
    expected = made.table.set_index("product")["expected"]
    assert expected["stollen"] == pytest.approx(40.0, rel=0.2)
    assert not any("stollen" in remark for remark in made.remarks)
    listed = {"stollen": Product("stollen", expected_units=90.0)}
    more = planned(model, SUNDAY, known_future=told, products=listed)
    assert more.table.set_index("product")["expected"]["stollen"] == pytest.approx(90.0, rel=0.2)
    for name in ("roll", "plait"):
        found = more.table.set_index("product")["expected"][name]
        assert found == pytest.approx(expected[name], rel=0.05)


def test_a_season_that_should_be_over_is_asked_about(model: Path) -> None:
    """From the day on on which it was as long as the last one."""
    season = pd.date_range("2024-11-10", "2024-12-22")
    rows = [bakery().rows, sold("roll", 210.0, season), sold("stollen", 40.0, season)]
    table = pd.concat(rows).sort_values(["product", "date"], ignore_index=True)
    for day, there in (("2024-12-24", True), ("2024-12-27", False)):
        made = planned(model, pd.Timestamp(day), table=SalesTable(table))
        assert ("stollen" in bakes(made)) == there
        said = [remark for remark in made.remarks if "stollen" in remark]
        assert [("season ends on Tuesday 24 December" in text) for text in said] == (
            [] if there else [True]
        )


def test_a_bakery_that_was_shut_for_months_plans_its_reopening(model: Path) -> None:
    """By last spring, when half as much was sold; with wider ranges, and so it says."""
    spring = DAYS.isin(pd.date_range("2024-03-20", "2024-04-30"))
    rolls = sold("roll", 200.0, DAYS)
    table = SalesTable(rolls.assign(units=np.where(spring, rolls["units"] // 2, rolls["units"])))
    day = pd.Timestamp("2025-04-03")
    made = planned(model, day, table=table)
    (line,) = made.plan.products
    assert line.expected == pytest.approx(100.0, rel=0.15)
    (remark,) = made.remarks
    assert remark.startswith("Thursday 3 April 2025 is 146 days after the last sales, on Friday 8")
    near = planned(model, TUESDAY, table=table).plan.products[0]
    assert (line.high - line.low) / line.expected > 1.5 * (near.high - near.low) / near.expected
    with pytest.raises(SettingsError, match=r"found 2025-11-10 .* one up to 2025-11-09"):
        planned(model, LAST + pd.Timedelta(days=367), table=table)


def test_a_product_of_which_nothing_is_usual_is_named(model: Path) -> None:
    """Sold now and then, and on none of its last 28 days; planned once it is told."""
    days = DAYS[-200:]
    rare = sold("cake", 12.0, days)
    rare["units"] = rare["units"].where(np.arange(200) % 40 == 5, 0.0)
    table = SalesTable(pd.concat([rare, sold("roll", 210.0, DAYS)], ignore_index=True))
    made = planned(model, TUESDAY, table=table)
    assert bakes(made).keys() == {"roll"}
    (remark,) = made.remarks
    assert remark.startswith("cake: left out, as it was last sold on")
    told = known({"date": TUESDAY, "product": "cake", "open": 1.0})
    again = planned(model, TUESDAY, table=table, known_future=told)
    assert bakes(again).keys() == {"cake", "roll"}
    assert again.remarks == ()


def test_pieces_stay_whole_beside_kilograms(model: Path) -> None:
    """By product: whole where it always was, else a tenth, from a hundred on a whole."""
    rows = bakery().rows
    kilograms = rows["product"] == "plait"
    table = SalesTable(rows.assign(units=rows["units"].where(~kilograms, rows["units"] / 3 + 0.25)))
    made = bakes(planned(model, SUNDAY, table=table))
    assert made["roll"] == round(made["roll"])
    assert made["plait"] == round(made["plait"], 1)
    tons = table.rows.assign(units=table.rows["units"] * 100 + 0.5)
    large = bakes(planned(model, SUNDAY, table=SalesTable(tons)))
    assert all(units > 100 and units == round(units) for units in large.values())

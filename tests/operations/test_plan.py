"""Plans and forecasts without a command line: tables in, tables out, and what is unknown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.forecasting.context import ForecastContext, read_context, train_client_model
from glean.operations.planning.bakery_context import make_context, no_sales, read_bakery
from glean.operations.planning.forecast import QUANTILES, make_forecast
from glean.operations.planning.known_future import UnknownInput, missing_inputs, read_known_future
from glean.operations.planning.plan import make_plan
from glean.sales.known_future import NOTHING_KNOWN
from glean.sales.products import Product
from glean.sales.table import SalesTable
from tests.forecasting.test_future_rows import LAST, MODEL, TABLE, TOMORROW


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return path


@pytest.fixture(scope="module")
def context(model: Path) -> ForecastContext:
    return make_context(model, TABLE, products={})


def test_a_forecast_is_a_table_a_row_a_day_and_product(context: ForecastContext) -> None:
    """Of the days asked for; its rows are the same, with all quantiles."""
    made = make_forecast(context, days=3)
    assert len(made.table) == len(made.rows) == 4  # two products; the third day is a Sunday
    assert list(made.table.columns[:3]) == ["date", "product", "expected"]
    assert [f"q_{level:g}" for level in QUANTILES] == list(made.table.columns[3:-1])
    for row, line in zip(made.rows, made.table.itertuples(), strict=True):
        assert (f"{row.date:%Y-%m-%d}", row.product) == (line.date, line.product)
        assert line.expected == round(row.units, 3)


def test_a_plan_is_values_a_table_and_a_page(context: ForecastContext) -> None:
    """For the next open day, by the product list's prices."""
    dear = {"product 0": Product("product 0", price=9.0, cost=1.0, batch_size=6)}
    made = make_plan(context, dear)
    assert made.plan.date == TOMORROW
    assert list(made.table["product"]) == [line.product for line in made.plan.products]
    bakes = made.table.set_index("product")["bake"]
    assert bakes["product 0"] % 6 == 0
    assert f"Sales known up to {LAST.day} {LAST:%B %Y}." in made.page


def test_what_is_known_of_a_day_is_planned(context: ForecastContext, tmp_path: Path) -> None:
    """A day known as closed is passed over; what is left unknown is named."""
    path = tmp_path / "days.csv"
    path.write_text(f"date,open,promotion\n{TOMORROW.date()},no,1\n", encoding="utf-8")
    known = read_known_future(path, context)
    assert make_plan(context, {}, known_future=known).plan.date == TOMORROW + pd.Timedelta(days=1)
    with pytest.raises(SettingsError, match="closed"):
        make_plan(context, {}, date=TOMORROW, known_future=known)
    before = missing_inputs(context, NOTHING_KNOWN)
    assert UnknownInput("promotion", "none") in before
    assert set(before) - set(missing_inputs(context, known)) == {UnknownInput("promotion", "none")}


def test_a_bakery_without_sales_needs_a_size_and_a_day(model: Path) -> None:
    """The day before the first one is its today; it is open on the weekdays given."""
    bun = {"bun": Product("bun", expected_units=60.0)}
    monday = pd.Timestamp("2024-05-06")
    young = make_context(
        model, no_sales(), products=bun, bakery="Anna", first_day=monday, open_weekdays=(0, 4)
    )
    made = make_forecast(young)
    assert set(made.table["date"]) == {"2024-05-06", "2024-05-10"}
    assert young.name == "Anna"
    with pytest.raises(SettingsError, match="wanted the day to plan for"):
        make_context(model, no_sales(), products=bun)


def test_reading_a_context_trains_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is a step of its own."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr("glean.forecasting.context.fit_client_model", refuse)
    context = read_context(model, TABLE, bakery="bakery 0", products={})
    assert context.today == LAST
    with pytest.raises(AssertionError, match="trained"):
        train_client_model(context)


def test_whose_sales_are_meant_must_be_clear(tmp_path: Path) -> None:
    """One bakery needs no name; of two the name is wanted."""
    path = tmp_path / "sales.csv"
    rows = TABLE.rows[["date", "bakery", "product", "units"]]
    rows.to_csv(path, index=False)
    assert len(read_bakery(path).rows) == len(rows)
    both = pd.concat([rows, rows.assign(bakery="other")])
    both.to_csv(path, index=False)
    assert read_bakery(path, "other").bakeries == ("other",)
    for wrong in ("", "nobody"):
        with pytest.raises(SettingsError, match=r"wanted a bakery of .*: bakery 0, other"):
            read_bakery(path, wrong)


def test_a_context_takes_its_name_from_the_sales(context: ForecastContext) -> None:
    """And its unit: pieces."""
    assert (context.name, context.units_label) == ("bakery 0", "units")
    assert context.pieces == {"product 0", "product 1"}
    assert isinstance(context.table, SalesTable)

"""What people told, the weather and a file together, as the forecast takes it."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd

from glean.forecasting.future_rows import days_ahead
from glean.operations.shop.shop_future import known_future_of, school_days
from glean.outgoing.weather import DayWeather
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.told_day import ToldDay

DAYS = days_ahead(pd.Timestamp("2026-11-29"))
DAY = dt.date(2026, 11, 30)


def known(
    *told: ToldDay,
    weather: dict[dt.date, DayWeather] | None = None,
    also: KnownFuture = NOTHING_KNOWN,
) -> KnownFuture:
    return known_future_of(told, weather or {}, days=DAYS, products=["roll", "loaf"], also=also)


def value(found: KnownFuture, name: str, product: str = "roll") -> float:
    asked = pd.DataFrame({"date": [pd.Timestamp(DAY)], "product": [product]})
    return float(found.values_of(asked)[name].iloc[0])


def test_of_two_the_later_one_counts() -> None:
    found = known(ToldDay(DAY, open=0.0), ToldDay(DAY, open=1.0), ToldDay(DAY, promotion=1.0))
    assert value(found, "open") == 1.0
    assert value(found, "promotion", "loaf") == 1.0
    assert math.isnan(value(known(ToldDay(DAY, promotion=1.0)), "open"))


def test_a_product_s_own_word_beats_that_of_its_day() -> None:
    found = known(ToldDay(DAY, "roll", promotion=1.0), ToldDay(DAY, promotion=0.0))
    assert (value(found, "promotion"), value(found, "promotion", "loaf")) == (1.0, 0.0)


def test_what_does_not_fit_is_left_out() -> None:
    """A plan is made every morning, whatever was once entered."""
    late = DAY + dt.timedelta(days=40)
    assert known(ToldDay(DAY, "gone", promotion=1.0), ToldDay(late, open=0.0)) is NOTHING_KNOWN


def test_people_count_before_a_file_and_the_weather_beside_it() -> None:
    rows = {"date": [pd.Timestamp(DAY)], "product": [""], "open": [1.0], "temperature_c": [30.0]}
    file = KnownFuture(pd.DataFrame({**rows, "price": [2.5]}))
    weather = {DAY: DayWeather(4.0, math.nan)}
    found = known(ToldDay(DAY, open=0.0), weather=weather, also=file)
    said = [value(found, name) for name in ("open", "temperature_c", "price")]
    assert said == [0.0, 4.0, 2.5]
    assert found.inputs == ("temperature_c", "price")


def test_people_count_before_the_list_of_school_holidays() -> None:
    """On their days; on the others the list does."""
    days = pd.date_range("2026-12-21", periods=5)
    listed = school_days("DE-HH", days)
    assert [one.school_holiday for one in listed] == [1.0, 1.0, 1.0, 1.0, 1.0]
    said = ToldDay(days[1].date(), school_holiday=0.0)
    found = known_future_of((*listed, said), {}, days=days, products=["roll"], also=NOTHING_KNOWN)
    asked = pd.DataFrame({"date": days, "product": "roll"})
    assert found.values_of(asked)["school_holiday"].tolist() == [1.0, 0.0, 1.0, 1.0, 1.0]
    assert school_days("", days) == []

"""Coming days and orders: entered, shown, and baked by."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from starlette.testclient import TestClient

from glean.sales.firm_orders import FirmOrder
from glean.sales.told_day import ToldDay
from glean.shop.parts import Shop
from glean.shop.plans.planner import each_told_day
from glean.shop.store.coming import ComingDays
from tests.shop.conftest import NOW, PRODUCTS
from tests.shop.test_bake_page import baked

TODAY = NOW.date()
TOMORROW = TODAY + dt.timedelta(days=1)
ORDER = {"product": "Brötchen", "units": "60", "first": f"{TODAY}", "note": "Hotel"}


def test_an_order_is_baked_on_top_of_the_plan(client: TestClient, shop: Shop) -> None:
    """On its day only, and shown with whom it is for."""
    client.post("/orders", data=ORDER)
    assert baked(client)["Brötchen"] == "260"
    assert "60 of them ordered" in client.get("/").text
    text = client.get("/orders").text
    assert "Hotel" in text
    assert "60 Brötchen on Monday 30 November" in text
    assert shop.orders.firm() == (FirmOrder("Brötchen", 60.0, TODAY, TODAY),)


def test_what_nobody_is_expected_to_ask_for_is_baked_if_ordered(client: TestClient) -> None:
    """A line of its own, without costs."""
    before = re.search(r"About .*?\.", client.get("/").text)
    client.post("/orders", data={**ORDER, "product": "Hochzeitstorte", "units": "1"})
    after = re.search(r"About .*?\.", client.get("/").text)
    assert baked(client)["Hochzeitstorte"] == "1"
    assert before is not None
    assert after is not None
    assert before[0] == after[0]


def test_a_standing_order_counts_on_its_weekdays(client: TestClient, shop: Shop) -> None:
    """From its first day on; ended, the past keeps it."""
    client.post("/orders", data={**ORDER, "weekday": ["1", "3"], "rung_up": "1"})
    (order,) = shop.orders.firm()
    assert (order.weekdays, order.last, order.rung_up) == (frozenset({1, 3}), None, True)
    assert baked(client)["Brötchen"] == "200"
    assert "every Tue and Thu" in client.get("/orders").text
    assert shop.planner.request().orders == (order,)
    (kept,) = shop.orders.all()
    shop.orders.remove(kept.id, TODAY + dt.timedelta(days=7))
    assert [one.last for one in shop.orders.firm()] == [TODAY + dt.timedelta(days=6)]
    shop.orders.remove(kept.id, TODAY)
    assert shop.orders.firm() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": "many"},
        {"units": "0"},
        {"product": ""},
        {"first": "soon"},
        {"first": "2026-11-29"},
        {"weekday": "1", "last": "2026-11-29"},
    ],
)
def test_an_order_that_can_not_be_meant_is_refused_in_words(
    client: TestClient, shop: Shop, wrong: dict[str, str]
) -> None:
    answer = client.post("/orders", data={**ORDER, **wrong})
    assert 'role="alert"' in answer.text
    assert shop.orders.all() == []


def test_an_event_scales_the_list_and_is_named(client: TestClient) -> None:
    """By the owner's word, on its days and products."""
    said = {"kind": "event", "first": f"{TODAY}", "percent": "+50", "note": "Stadtfest"}
    client.post("/coming", data={**said, "product": "Brötchen"})
    assert baked(client) == {"Roggenbrot": "40", "Brötchen": "300"}
    assert "event Brötchen +50%: Stadtfest" in client.get("/").text
    client.post("/coming", data={**said, "percent": "-50"})
    assert baked(client) == {"Roggenbrot": "20", "Brötchen": "150"}
    assert "Roggenbrot" in client.get(f"/day/{TOMORROW}").text
    assert "Stadtfest" not in client.get(f"/day/{TOMORROW}").text


def test_a_closed_day_has_no_list_and_the_plan_is_told(client: TestClient, shop: Shop) -> None:
    """Forgotten, it is there again."""
    client.post("/coming", data={"kind": "closed", "first": f"{TODAY}", "note": "Inventur"})
    assert "Tuesday 1 December" in client.get("/").text
    assert "closed: Inventur" in client.get("/coming").text
    assert shop.planner.request().told == (ToldDay(TODAY, open=0.0),)
    (one,) = shop.coming.since(TODAY)
    client.post("/coming", data={"remove": f"{one.id}"})
    assert "Monday 30 November" in client.get("/").text


def test_where_school_is_out_is_told_of_all_days_until_then() -> None:
    """What comes after the last holidays that were entered isn't known."""
    last = TODAY + dt.timedelta(days=3)
    told = list(each_told_day([ComingDays("school", TOMORROW, last)], TODAY))
    final = {one.day: one.school_holiday for one in told}
    assert [final[TODAY + dt.timedelta(days=k)] for k in range(4)] == [0.0, 1.0, 1.0, 1.0]
    assert max(final) == last


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "party"},
        {"first": ""},
        {"first": "2026-11-29"},
        {"last": "2026-11-29"},
        {"last": "2028-01-01"},
        {"kind": "event", "percent": "lots"},
        {"kind": "event", "percent": "-101"},
        {"kind": "event", "percent": "nan"},
    ],
)
def test_what_can_not_be_meant_of_a_day_is_refused_in_words(
    client: TestClient, shop: Shop, wrong: dict[str, str]
) -> None:
    answer = client.post("/coming", data={"kind": "closed", "first": f"{TODAY}", **wrong})
    assert 'role="alert"' in answer.text
    assert shop.coming.since(dt.date(2000, 1, 1)) == []


def test_a_region_is_kept_if_its_holidays_are_known(client: TestClient, shop: Shop) -> None:
    """Else near ones are named; and plans name the holidays ahead in all languages."""
    assert "Near ones" in client.post("/coming", data={"region": "DE-XX"}).text
    assert shop.choices.get("region") is None
    client.post("/coming", data={"region": "DE-HH"})
    assert shop.choices.get("region") == "DE-HH"
    assert shop.planner.make().failed == ()
    text = client.get("/coming").text
    assert "Friday 25 December" in text
    assert "Christmas Day" in text


def test_the_plan_goes_by_closed_days_promotions_and_orders(client: TestClient, shop: Shop) -> None:
    """By the worker, over a real table: the next open day is another one."""
    client.post("/orders", data={**ORDER, "product": "Stollen", "rung_up": "1"})
    client.post("/coming", data={"kind": "closed", "first": f"{TODAY}"})
    client.post("/coming", data={"kind": "promotion", "first": f"{TOMORROW}", "product": "gone"})
    assert shop.planner.make().failed == ()
    made = [day for day in shop.plans.days() if day >= TOMORROW]
    assert made[:2] == [TOMORROW, TOMORROW + dt.timedelta(days=1)]
    (plan,) = (shop.plans.of(day) for day in made[1:2])
    assert plan is not None
    assert len(plan.products) == len(PRODUCTS)


def test_school_holidays_come_from_a_list_where_there_is_one(
    client: TestClient, shop: Shop
) -> None:
    """Off until a region is named; one without a list is refused; the plan is made with it."""
    assert shop.planner.request().school_region == ""
    text = client.post("/coming", data={"school-region": "GB-SCT"}).text
    assert "school holidays of &#39;GB-SCT&#39; aren&#39;t known" in text
    client.post("/coming", data={"school-region": "DE-HH"})
    assert shop.planner.request().school_region == "DE-HH"
    assert shop.planner.make().failed == ()

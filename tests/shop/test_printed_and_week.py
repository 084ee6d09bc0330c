"""The sheet for the wall, the table for other programs, and the week ahead."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
from starlette.testclient import TestClient

from glean.sales.firm_orders import FirmOrder
from glean.shop.parts import Shop
from glean.shop.store.coming import ComingDays
from tests.shop.conftest import NOW, plan_values

TODAY = NOW.date()
DAYS = [TODAY + dt.timedelta(days=k) for k in range(4)]


@pytest.fixture(autouse=True)
def entered(shop: Shop) -> None:
    """A correction, an order, a product of which nothing is baked, and days ahead."""
    plan = plan_values(TODAY, Roggenbrot=40.0, Brötchen=200.0, **{"=1+1": 0.0})
    ahead = [[f"{day}", 100.0 * (k + 1)] for k, day in enumerate(DAYS)]
    shop.plans.keep([plan | {"days": ahead, "known_until": "2026-11-29"}], NOW)
    shop.orders.add(FirmOrder("Brötchen", 60.0, TODAY, TODAY))
    shop.baking.correct(TODAY, "Roggenbrot", planned=40.0, units=45.0, at=NOW)


def test_the_sheet_has_what_the_list_has(client: TestClient) -> None:
    """With corrections and orders, the day's reason first, nothing of what isn't baked."""
    text = client.get(f"/print/{TODAY}").text
    assert re.findall(r'class="bake">([^<]*)<', text) == ["45", "260"]
    assert "rain: 10% less" in text
    assert "60 of them ordered" in text
    assert "Nothing of: =1+1." in text
    assert re.search(r"About \d+ left over", text)
    assert text.count("<li class=") == len(DAYS)
    assert '<html lang="en">' in text


def test_the_table_is_for_programs(client: TestClient) -> None:
    """Numbers with points; a name that a spreadsheet would compute is escaped."""
    answer = client.get(f"/csv/{TODAY}")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = {row["product"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert set(rows) == {"Roggenbrot", "Brötchen", "'=1+1"}
    assert (rows["Roggenbrot"]["bake"], rows["Roggenbrot"]["planned"]) == ("45", "40")
    assert (rows["Brötchen"]["bake"], rows["Brötchen"]["ordered"]) == ("260", "60")


@pytest.mark.parametrize("path", ["/print/2020-01-01", "/csv/2020-01-01", "/print/soon"])
def test_of_a_day_without_a_plan_there_is_nothing(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_week_has_all_days_and_what_is_known_of_them(client: TestClient, shop: Shop) -> None:
    """A closed one expects nothing, orders stand beside."""
    shop.coming.add(ComingDays("closed", DAYS[1], DAYS[1]))
    shop.coming.add(ComingDays("event", DAYS[2], DAYS[2], percent=20.0, note="Markt"))
    rows = re.findall(r"<tr>(.*?)</tr>", client.get("/week").text, re.S)[1:]
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    dash = "\N{EN DASH}"
    assert cells == [["100", "60"], [dash, dash], ["360", dash], ["400", dash]]
    assert "closed" in rows[1]
    assert "event +20%: Markt" in rows[2]


def test_without_a_plan_the_week_says_so(client: TestClient, shop: Shop) -> None:
    shop.plans.keep([plan_values(day) for day in (TODAY, DAYS[1])], NOW)
    assert "There is no plan yet." in client.get("/week").text

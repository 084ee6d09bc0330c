"""What it brings: asked for the habit once, by week, against a plan alone, and what left for it."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from glean.shop.parts import Shop
from tests.evaluation.test_owner_page import NOISE, home_of
from tests.shop.conftest import NOW, PRODUCTS, plan_values

SOLD = dt.date(2026, 11, 28)
"""The last day of the table."""


@pytest.fixture
def planned(shop: Shop) -> None:
    """Plans of two days that are over, made before them, and one made in hindsight."""
    units = {name: mean for name, mean in PRODUCTS.items() if name != "Cappuccino"}
    plans = [
        plan_values(day, **units) | {"known_until": f"{day - dt.timedelta(days=early)}"}
        for day, early in ((SOLD, 1), (SOLD - dt.timedelta(days=1), 2), (dt.date(2026, 11, 24), 0))
    ]
    shop.plans.keep(plans, NOW)


@pytest.mark.usefixtures("planned")
def test_the_habit_is_asked_once_and_all_is_compared_with_it(
    client: TestClient, shop: Shop
) -> None:
    """A plan that was made after its day counts for nothing."""
    assert shop.savings.look()
    assert not shop.savings.look()
    assert "It is asked once" in client.get("/savings").text
    client.post("/savings", data={"habit": "last-week"})
    text = client.get("/savings").text
    assert "It is asked once" not in text
    assert re.search(r"the plan left \d+ (fewer|more) units over than your habit", text)
    assert "2 days" in text
    assert re.search(r"In money that is about [\d.,]+\s€ (saved|lost)", text)
    client.post("/savings", data={"habit": "nonsense"})
    assert shop.choices.get("habit") == "last-week"


@pytest.mark.usefixtures("planned")
def test_what_was_really_baked_counts_where_it_was_entered(client: TestClient, shop: Shop) -> None:
    """With what was left over it is known what was baked: sold and left."""
    client.post("/savings", data={"habit": "baked"})
    shop.savings.look()
    assert "Nothing to compare yet" in client.get("/savings").text
    shop.closing.enter(SOLD, "Brötchen", left=17.0, time="", at=NOW)
    assert shop.savings.look()
    (week,) = shop.savings.values()["weeks"]["baked"]
    assert (week["days"], week["over"], week["unmet"]) == (1, 17.0, 0.0)


def test_without_a_run_nothing_has_left(client: TestClient, shop: Shop) -> None:
    shop.savings.look()
    text = client.get("/savings").text
    assert "nothing has left the shop" in text
    assert client.get("/report").status_code == 404


def test_after_a_run_it_says_what_joining_adds_and_what_left(
    client: TestClient, shop: Shop, tmp_path: Path
) -> None:
    """From the home; and the whole report is there in the reader's language."""
    for path in home_of(tmp_path / "deployed", privacy=NOISE).iterdir():
        (shop.settings.home / path.name).write_bytes(path.read_bytes())
    assert shop.savings.look()
    client.post("/savings", data={"habit": "weekday-mean"})
    text = client.get("/savings").text
    assert "than by a plan made alone" in text
    assert "with noise added at your shop" in text
    assert "What stayed" in text
    client.post("/language", data={"language": "de"})
    report = client.get("/report").text
    assert '<html lang="de">' in report
    assert "Ihre Gewohnheit, wie Sie angegeben haben" in report

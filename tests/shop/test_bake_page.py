"""The page of a day: what it shows, and what a tap does, with a script and without one."""

from __future__ import annotations

import datetime as dt
import html
import re
import time

import pytest
from starlette.testclient import TestClient

from glean.shop.parts import Shop
from tests.shop.conftest import NOW, PRODUCTS

DAY = f"/day/{NOW:%Y-%m-%d}"
JSON = {"Accept": "application/json"}


def baked(client: TestClient) -> dict[str, str]:
    """Product -> number to bake, as the page says."""
    found = re.findall(
        r'<li id="([^"]*)".*?<output class="bake[^"]*">([^<]*)<', client.get("/").text, re.S
    )
    return dict(found)


def pressed(client: TestClient, label: str) -> dict[str, str]:
    """What the page's form sends without a script when the button of this label is pressed."""
    text = client.get("/").text
    found = re.search(
        rf'<button [^>]*name="([^"]*)" value="([^"]*)"[^>]*aria-label="{label}"', text
    )
    assert found is not None, label
    return {html.unescape(found[1]): html.unescape(found[2])}


def test_today_comes_first_with_its_special_reason(client: TestClient) -> None:
    text = client.get("/").text
    assert "Monday 30 November" in text
    assert text.index("rain: 10% less") < text.index("to bake") < text.index("Roggenbrot")
    assert baked(client) == {"Roggenbrot": "40", "Brötchen": "200"}
    assert "expected 36," in text
    assert "mostly 28 to 44" in text


def test_what_a_day_costs_stands_above_the_list(client: TestClient) -> None:
    text = client.get("/").text
    assert re.search(r"About \d+ left over, \d+ missed\.", text)
    assert re.search(r"That costs about [\d.,]+\s€\.", text)
    assert "of 10 days." not in text.partition("</form>")[0]


def test_a_tap_ticks_and_another_one_takes_it_back(client: TestClient, shop: Shop) -> None:
    for expected in (frozenset({"Brötchen"}), frozenset()):
        tap = pressed(client, "Brötchen is done")
        answer = client.post(DAY, data=tap, follow_redirects=False)
        assert answer.status_code == 303
        assert shop.baking.ticked(NOW.date()) == expected


@pytest.mark.parametrize("headers", [{}, JSON], ids=["no-script", "script"])
@pytest.mark.parametrize("label", ["Brötchen is done", "more Brötchen", "less Brötchen"])
def test_the_same_request_twice_does_what_one_does(
    client: TestClient, shop: Shop, label: str, headers: dict[str, str]
) -> None:
    """A browser sends it again over a weak connection; a tap back is another request."""
    for _ in range(2):
        tap, states = pressed(client, label), []
        for _ in range(2):
            client.post(DAY, data=tap, headers=headers)
            states.append((shop.baking.ticked(NOW.date()), shop.baking.corrections(NOW.date())))
        assert states[0] == states[1]
        assert pressed(client, label) != tap


def test_a_number_is_corrected_kept_and_given_back(client: TestClient, shop: Shop) -> None:
    """One tap more is ten rolls; the plan's own number is no correction."""
    for _ in range(2):
        client.post(DAY, data=pressed(client, "more Brötchen"))
    assert baked(client)["Brötchen"] == "220"
    assert shop.baking.corrections(NOW.date()) == {"Brötchen": 220.0}
    assert "plan: 200" in client.get("/").text
    for _ in range(2):
        client.post(DAY, data=pressed(client, "less Brötchen"))
    assert shop.baking.corrections(NOW.date()) == {}


def test_a_script_gets_what_changes(client: TestClient) -> None:
    tap = pressed(client, "less Roggenbrot")
    answer = client.post(DAY, data=tap, headers=JSON).json()
    assert (answer["bake"], answer["planned"], answer["corrected"]) == ("35", "40", True)
    assert answer["total"] == "235"
    assert "left over" in answer["summary"][0]
    for name in ("more", "less"):
        assert pressed(client, f"{name} Roggenbrot") == {"bake": answer[name]}


@pytest.mark.parametrize(
    ("typed", "kept"), [("37", 37.0), ("37,5", 37.5), ("-3", None), ("x", None), ("", None)]
)
def test_a_typed_number_counts_if_it_can_be_one(
    client: TestClient, shop: Shop, typed: str, kept: float | None
) -> None:
    client.post(DAY, data={"bake": f"{typed} Roggenbrot"})
    assert shop.baking.corrections(NOW.date()).get("Roggenbrot") == kept


@pytest.mark.parametrize("path", ["/day/2020-01-01", "/day/nonsense", "/nowhere"])
def test_a_page_that_there_isn_t_says_so(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Glean" not in answer.text or "To the plan" in answer.text


def test_names_are_shown_as_they_are(client: TestClient, shop: Shop) -> None:
    from tests.shop.conftest import plan_values

    shop.plans.keep([plan_values(NOW.date(), **{"<b>&roll": 4.0})], NOW)
    text = client.get("/").text
    assert "<b>&roll" not in text
    assert "&lt;b&gt;&amp;roll" in text
    client.post(DAY, data={"tick": "<b>&roll"})
    assert shop.baking.ticked(NOW.date()) == {"<b>&roll"}


def test_plans_are_made_of_the_sales(client: TestClient, shop: Shop) -> None:
    """By the worker, without a model in the home; only once as long as nothing changes."""
    assert shop.planner.look()
    assert not shop.planner.look()
    assert shop.planner.state.failed == ()
    assert baked(client).keys() == PRODUCTS.keys()
    assert 150 < float(baked(client)["Brötchen"]) < 260
    assert {item["name"] for item in shop.planner.products()} == PRODUCTS.keys()
    shop.choices.put(**{"least-units": 100.0})
    assert shop.planner.look()
    assert baked(client).keys() == {"Brötchen"}


def test_a_list_that_was_begun_stays(client: TestClient, shop: Shop) -> None:
    """Once something is ticked off; tomorrow's is made anew, and what isn't baked goes."""
    client.post(DAY, data={"tick": "Roggenbrot"})
    shop.planner.make()
    assert baked(client) == {"Roggenbrot": "40", "Brötchen": "200"}
    tomorrow = client.get(f"/day/{NOW + dt.timedelta(days=1):%Y-%m-%d}").text
    assert "Croissant" in tomorrow
    shop.assortment.choose({"Brötchen": False})
    assert baked(client) == {"Roggenbrot": "40"}


def test_a_plan_that_fails_is_told_and_the_old_one_stays(client: TestClient, shop: Shop) -> None:
    shop.settings.sales.write_text("date,product,units\n2026-13-45,Roll,3\n", "utf-8")
    assert shop.planner.look()
    text = client.get("/").text
    assert "No new plan could be made." in text
    assert "sales.csv, line 2" in text
    assert str(shop.settings.sales.parent) not in text
    assert baked(client) == {"Roggenbrot": "40", "Brötchen": "200"}


def test_a_large_page_is_small_and_quick(client: TestClient, shop: Shop) -> None:
    """120 products: under 100 KB and 0.3 s."""
    from tests.shop.conftest import plan_values

    many = {f"Kürbiskernbrötchen Nummer {k}": 20.0 + k for k in range(120)}
    shop.plans.keep([plan_values(NOW.date(), **many)], NOW)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        answer = client.get("/")
        seconds.append(time.perf_counter() - began)
        assert len(answer.content) < 100_000
    # The quickest: others may be at work on the machine.
    assert min(seconds) < 0.3

"""Weather is off until a place is entered, rounded, shown, and does what is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from glean.errors import SettingsError
from glean.shop.app import create_app
from glean.shop.parts import Shop, open_shop
from glean.shop.settings import ShopSettings, shop_settings
from tests.outgoing.answering_server import AnsweringServer, answering, open_meteo
from tests.shop.conftest import NOW, ORIGIN

KIEL = {"latitude": "54,3233", "longitude": "10.1228"}
FIRST = NOW.date() - dt.timedelta(days=60)


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    warmth: list[float | None] = [float(k % 20) for k in range(76)]
    with answering(open_meteo(FIRST, warmth, [0.5] * 76)) as found:
        yield found


@pytest.fixture
def shop(settings: ShopSettings, server: AnsweringServer) -> Iterator[Shop]:
    found = open_shop(replace(settings, weather=server.url), clock=lambda: NOW)
    yield found
    found.close()


@pytest.fixture
def client(shop: Shop) -> TestClient:
    app = create_app(shop, origins=[ORIGIN])
    return TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN})


def test_nobody_is_asked_until_a_place_is_entered(
    client: TestClient, shop: Shop, server: AnsweringServer
) -> None:
    assert shop.planner.make().failed == ()
    assert server.asked == []
    text = client.get("/weather").text
    assert "Off: nobody is asked" in text
    assert "go to 127.0.0.1 when a plan is made" in text


def test_only_the_rounded_place_is_kept_and_leaves(
    client: TestClient, shop: Shop, server: AnsweringServer
) -> None:
    """What comes is shown, and whether the forecast goes by it."""
    client.post("/weather", data=KIEL)
    assert shop.choices.get("place") == [54.3, 10.1]
    assert shop.planner.make().failed == ()
    (asked,) = server.asked
    query = parse_qs(urlsplit(asked).query)
    assert (query["latitude"], query["longitude"]) == (["54.3"], ["10.1"])
    text = client.get("/weather").text
    counts = shop.planner.ahead()["weather"]["counts"]
    assert ("The forecast goes by the weather" in text) == bool(counts)
    assert ("changes no plan" in text) == (not counts)
    assert "<td>0</td><td>0.5</td>" in text
    assert b"54.32" not in shop.settings.database.read_bytes()


def test_without_the_provider_there_is_a_plan_and_it_is_said(
    client: TestClient, shop: Shop, server: AnsweringServer
) -> None:
    client.post("/weather", data=KIEL)
    server.content = b"nonsense"
    assert shop.planner.make().failed == ()
    assert shop.plans.of(NOW.date()) is not None
    text = client.get("/weather").text
    assert "The weather isn&#39;t there:" in text
    assert "127.0.0.1 answered what isn&#39;t JSON" in text


def test_it_is_switched_off_again(client: TestClient, shop: Shop, server: AnsweringServer) -> None:
    client.post("/weather", data=KIEL)
    client.post("/weather", data={"off": "1"})
    assert shop.planner.make().failed == ()
    assert server.asked == []
    assert shop.choices.get("place") is None


@pytest.mark.parametrize(("latitude", "longitude"), [("north", "1"), ("91", "1"), ("nan", "1")])
def test_what_is_no_place_is_refused_in_words(
    client: TestClient, shop: Shop, latitude: str, longitude: str
) -> None:
    data = {"latitude": latitude, "longitude": longitude}
    assert "A place is a latitude" in client.post("/weather", data=data).text
    assert shop.choices.get("place") is None


def test_a_provider_in_the_clear_is_refused_at_the_start(tmp_path: Path) -> None:
    """A private one may be listed by its address."""
    sales = tmp_path / "sales.csv"
    sales.write_text("date,product,units\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="--weather: found"):
        shop_settings(tmp_path, sales=sales, weather="http://example.org/")
    local = "http://127.0.0.1:9/x"
    assert shop_settings(tmp_path, sales=sales, weather=local).weather == local

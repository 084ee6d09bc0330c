"""A shop in this process, over a home and a small table, at a clock that stands still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from glean.languages.language import language
from glean.shop.app import create_app
from glean.shop.parts import Shop, open_shop
from glean.shop.settings import ShopSettings

ORIGIN = "http://127.0.0.1:8701"
NOW = dt.datetime(2026, 11, 30, 5, 0, tzinfo=dt.UTC)
"""A Monday, five in the morning."""

LEVELS = np.arange(1, 20) / 20

PRODUCTS = {"Brötchen": 200.0, "Roggenbrot": 40.0, "Croissant": 25.0, "Cappuccino": 60.0}


def sales_rows(last: dt.date = dt.date(2026, 11, 28), days: int = 120) -> pd.DataFrame:
    """Sales of four products, Sundays closed."""
    rng = np.random.default_rng(5)
    dates = pd.date_range(end=pd.Timestamp(last), periods=days)
    rows = [
        {"date": f"{day:%Y-%m-%d}", "bakery": "Hansen", "product": name, "units": rng.poisson(mean)}
        for name, mean in PRODUCTS.items()
        for day in dates
        if day.day_of_week < 6
    ]
    return pd.DataFrame(rows)


def plan_values(day: dt.date, **bake: float) -> dict[str, Any]:
    """A plan as the worker makes it, of products with prices unless the name begins with "no"."""
    products = [
        {
            "product": name,
            "category": "Brot" if "brot" in name.lower() else "",
            "bake": units,
            "expected": 0.9 * units,
            "low": 0.7 * units,
            "high": 1.1 * units,
            "ratio": 0.8,
            "enough": 0.8,
            "quantiles": [float(x) for x in units * (0.6 + 0.5 * LEVELS)],
            "margin": None if name.startswith("no") else 2.0,
            "loss": None if name.startswith("no") else 0.5,
            "shelf_life_days": 2.0 if "brot" in name.lower() else 1.0,
            "batch": None,
            "minimum": None,
            "why": {"en": "", "de": "", "fr": ""},
        }
        for name, units in bake.items()
    ]
    return {
        "version": 1,
        "date": f"{day}",
        "bakery": "Hansen",
        "known_until": "2026-11-28",
        "units_label": "units",
        "federation": False,
        "usual": None,
        "headline": {"en": "rain: 10% less", "de": "Regen: 10 % weniger", "fr": "pluie"},
        "remarks": {"en": [], "de": [], "fr": []},
        "unknown": {"en": [], "de": [], "fr": []},
        "days": [],
        "products": products,
    }


@pytest.fixture
def settings(tmp_path: Path) -> ShopSettings:
    home = tmp_path / "home"
    home.mkdir()
    sales = tmp_path / "sales.csv"
    sales_rows().to_csv(sales, index=False)
    return ShopSettings(home=home, sales=sales, bakery="Hansen", language=language("en"))


@pytest.fixture
def shop(settings: ShopSettings) -> Iterator[Shop]:
    """Its parts, with a plan for today and one for tomorrow."""
    found = open_shop(settings, clock=lambda: NOW)
    found.plans.keep(
        [
            plan_values(NOW.date(), Roggenbrot=40.0, Brötchen=200.0),
            plan_values(NOW.date() + dt.timedelta(days=1), Roggenbrot=50.0),
        ],
        NOW,
    )
    yield found
    found.close()


@pytest.fixture
def client(shop: Shop) -> TestClient:
    """A browser on this machine, on our own page."""
    return TestClient(
        create_app(shop, origins=[ORIGIN]), base_url=ORIGIN, headers={"Origin": ORIGIN}
    )

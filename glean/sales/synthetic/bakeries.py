"""Synthetic bakeries with a known truth: tables and expected demand.

Parameters and their sources are in `docs/synthetic-bakeries.md`. Bakery k is the same on any
machine and whatever the number of bakeries: each has random streams of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from glean.errors import SettingsError
from glean.sales.synthetic import parameters
from glean.sales.synthetic.demand import (
    draw_baked,
    draw_demand,
    draw_drift,
    draw_offers,
    expected_demand,
    open_days,
    sold_out_minutes,
)
from glean.sales.synthetic.surroundings import Surroundings, surroundings_of
from glean.sales.synthetic.traits import Traits, draw_traits
from glean.sales.table import SalesTable

_SCENARIOS = {"related": parameters.RELATED, "unrelated": parameters.UNRELATED}
_CODES = {"related": 1, "unrelated": 2}
_COLUMNS = (
    "date", "bakery", "product", "units", "price", "promotion", "holiday", "school_holiday",
    "temperature_c", "rain_mm", "sold_out_at",
)  # fmt: skip


@dataclass(frozen=True)
class SyntheticBakery:
    """One bakery and the truth behind its sales; n rows.

    Parameters
    ----------
    name, region : str
        Unique name; region as `public_holidays` takes it ("DE-SH").
    table : SalesTable
        What the bakery knows: units sold, not demanded.
    expected : ndarray of float64, shape (n,)
        Expected demand of each row of `table` (units): the best possible forecast of demand.
    demand : ndarray of float64, shape (n,)
        What customers asked for; above the units sold where the product sold out.
    """

    name: str
    region: str
    table: SalesTable
    expected: np.ndarray
    demand: np.ndarray


def synthetic_bakery(index: int, *, scenario: str = "related") -> SyntheticBakery:
    """Make bakery `index`.

    Parameters
    ----------
    index : int
        0 or more; the first five are those of `data/`.
    scenario : str
        "related": bakeries alike in kind. "unrelated": bakeries that have nothing in common.

    Raises
    ------
    SettingsError
        If there is no such scenario, or `index` is below 0.

    Examples
    --------
    >>> bakery = synthetic_bakery(0)
    >>> bakery.table.bakeries == (bakery.name,)
    True
    """
    if scenario not in _SCENARIOS:
        known = " or ".join(repr(name) for name in _SCENARIOS)
        raise SettingsError(f"scenario {scenario!r} isn't known; wanted {known}")
    if index < 0:
        raise SettingsError(f"bakery number {index} is below 0; bakeries are numbered from 0")
    streams = _Streams(scenario, index)
    traits = draw_traits(index, _SCENARIOS[scenario], streams.of(0))
    around = surroundings_of(traits.region)
    offers = draw_offers(traits, around, streams.of(1))
    drift = draw_drift(traits, len(around.dates), streams.of(2))
    expected = expected_demand(traits, around, offers, drift)
    demand = draw_demand(expected, traits.dispersion, streams.of(3))
    baked = draw_baked(expected, traits.safety, streams.of(4))

    flat = _Flattened(open_days(traits, around))
    sales = {
        "units": flat.table(np.minimum(demand, baked)),
        "price": flat.table(offers.price),
        "promotion": flat.table(offers.promotion),
        "sold_out_at": _clock(flat.table(sold_out_minutes(demand, baked))),
    }
    columns = _keys_and_calendar(traits, around, flat) | sales
    return SyntheticBakery(
        name=traits.name,
        region=traits.region,
        table=SalesTable(pd.DataFrame(columns, columns=list(_COLUMNS))),
        expected=flat.table(expected),
        demand=flat.table(demand),
    )


def synthetic_table(bakeries: int = 5, *, scenario: str = "related") -> SalesTable:
    """Put the first `bakeries` bakeries into one table, sorted by name, product and date."""
    tables = [synthetic_bakery(index, scenario=scenario).table for index in range(bakeries)]
    tables.sort(key=lambda table: table.bakeries)
    return SalesTable(pd.concat([table.rows for table in tables], ignore_index=True))


def _keys_and_calendar(
    traits: Traits, around: Surroundings, flat: _Flattened
) -> dict[str, np.ndarray | ExtensionArray]:
    """Columns that don't depend on what was sold."""
    count = len(traits.products)
    return {
        "date": np.tile(around.dates[flat.is_open], count),
        "bakery": _texts([traits.name], np.zeros(flat.days * count, dtype=np.int64)),
        "product": _texts(
            [product.name for product in traits.products], np.repeat(np.arange(count), flat.days)
        ),
        "holiday": flat.calendar(around.holiday, count),
        "school_holiday": flat.calendar(around.school_holiday, count),
        "temperature_c": flat.calendar(around.temperature_c, count),
        "rain_mm": flat.calendar(around.rain_mm, count),
    }


@dataclass(frozen=True)
class _Streams:
    """Random streams of one bakery, one a purpose: a further draw in one moves no other."""

    scenario: str
    index: int

    def of(self, purpose: int) -> np.random.Generator:
        entropy = (parameters.SEED, _CODES[self.scenario], self.index, purpose)
        return np.random.default_rng(np.random.SeedSequence(entropy))


@dataclass(frozen=True)
class _Flattened:
    """Turn arrays by day and product into columns sorted by product, then date."""

    is_open: np.ndarray

    @property
    def days(self) -> int:
        return int(self.is_open.sum())

    def table(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(values[self.is_open].T.ravel(), dtype=np.float64)

    def calendar(self, values: np.ndarray, products: int) -> np.ndarray:
        return np.tile(values[self.is_open], products)


def _clock(minutes: np.ndarray) -> ExtensionArray:
    known, places = np.unique(minutes, return_inverse=True)
    return _texts(
        [f"{int(m) // 60:02d}:{int(m) % 60:02d}" if m >= 0 else "" for m in known], places
    )


def _texts(of: Sequence[str], places: np.ndarray) -> ExtensionArray:
    """Make a column of few texts that come back often."""
    return pd.array(of, dtype="str").take(places)

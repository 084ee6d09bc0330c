"""Future rows: the days still to come, for which a forecast is asked.

In come a bakery's sales, the days asked and what is known of them; out comes the table with a row
for each product on each open day after the last sale up to the last day asked, without units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from glean.errors import SettingsError
from glean.sales.assortment import Offer, offers_of
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.quality.opening_days import WEEKDAYS, opening_days
from glean.sales.table import SalesTable

MOST_DAYS = 28
"""Days ahead that a forecast can be asked for, one after the other."""

FARTHEST_DAYS = 366
"""Days ahead that a single day can be asked for, as that on which the bakery opens again."""

RECENT_DAYS = 182
"""Days whose weekdays say when the bakery is open."""


def with_future_rows(
    table: SalesTable,
    *,
    today: pd.Timestamp,
    until: pd.Timestamp,
    asked: tuple[pd.Timestamp, ...] = (),
    known_future: KnownFuture = NOTHING_KNOWN,
    offers: Iterable[Offer] | None = None,
) -> SalesTable:
    """Add the days to come to one bakery's table.

    Parameters
    ----------
    table : SalesTable
        Sales of one bakery.
    today : Timestamp
        Last day of sales; the day before the first one to come.
    until : Timestamp
        Last day to forecast.
    asked : tuple of Timestamp
        Days that count as open whatever the weekday, because they were asked for. One that is more
        than `MOST_DAYS` ahead is taken for that on which the bakery opens again: no day before it
        gets rows.
    known_future : KnownFuture
        What the bakery knows of the days to come; it beats what is taken for granted of them, and
        the weekdays on which the bakery is open.
    offers : iterable of Offer, optional
        When the products of `table` are on offer, where that has been read already.

    Returns
    -------
    SalesTable
        Sorted as ever; new rows have NaN units and hold what is known of them. Else a price is the
        last one and there is no promotion; what else isn't known stays empty. A product has a row
        on the days on which it is on offer (see `glean/sales/assortment.py`), or told as open.

    Raises
    ------
    SettingsError
        `until` isn't after the last sale, or more than `MOST_DAYS` after it, and of a day asked for
        more than `FARTHEST_DAYS`; or no product has been sold of late.
    """
    days = _days_to(until, today, asked)
    read = offers_of(table) if offers is None else offers
    offer_of = {offer.product: offer for offer in read}
    products = _products_ahead(offer_of.values(), known_future, today)
    added = _usual_rows(table, products, days)
    values = known_future.values_of(added)
    usually_open = ~added["date"].dt.day_of_week.isin(_closed_weekdays(table.rows))
    usually_open |= added["date"].isin(list(asked))
    is_open = values.pop("open").fillna(usually_open.astype(np.float64)) > 0
    keys = zip(added["product"], added["date"], strict=True)
    is_open &= np.array([offer_of[name].absence(day) is None for name, day in keys], dtype=bool)
    is_open |= known_future.of_products.values_of(added)["open"] > 0
    for name in values:
        added[name] = values[name].fillna(added[name]) if name in added else values[name]
    whole = pd.concat([table.rows, added[is_open]], ignore_index=True)
    return SalesTable(whole.sort_values(["product", "date"], ignore_index=True))


def day_to_plan(
    table: SalesTable,
    *,
    today: pd.Timestamp,
    asked: pd.Timestamp | None,
    known_future: KnownFuture,
    offers: Iterable[Offer] | None = None,
) -> pd.Timestamp:
    """Find the day to plan: the one asked for, or else the next on which the bakery is open.

    Parameters
    ----------
    table, today, known_future, offers
        As in `with_future_rows`.
    asked : Timestamp or None
        The day asked for.

    Raises
    ------
    SettingsError
        The day can't be forecast, or the bakery says that it is closed then.
    """
    until = asked or days_ahead(today)[-1]
    marked = () if asked is None else (asked,)
    rows = with_future_rows(
        table,
        today=today,
        until=until,
        asked=marked,
        known_future=known_future,
        offers=offers,
    ).rows
    days = rows.loc[rows["units"].isna(), "date"]
    if asked is None and len(days):
        return pd.Timestamp(days.min())
    if asked is not None and (days == asked).any():
        return asked
    raise _nothing_to_plan(asked, known_future)


def _nothing_to_plan(asked: pd.Timestamp | None, known_future: KnownFuture) -> SettingsError:
    """Say why there is nothing to plan: told as closed, or nothing on offer then."""
    if asked is None:
        return SettingsError(
            f"found no day of the {MOST_DAYS} ahead on which the bakery is open and anything is on "
            "offer; wanted one, as told in --coming by open = 1"
        )
    told = known_future.values_of(pd.DataFrame({"date": [asked], "product": [""]}))["open"]
    if (told == 0).any():
        return SettingsError(
            f"found {asked.date()} told as closed; wanted a day to plan on which it is open"
        )
    return SettingsError(
        f"found {asked.date()} as the day to plan, and no product that is on offer on a {asked:%A} "
        "then; wanted another day, or the products of that day told in --coming by open = 1"
    )


def days_ahead(today: pd.Timestamp) -> pd.DatetimeIndex:
    """List the days that can be forecast, `MOST_DAYS` from tomorrow on."""
    return pd.date_range(today + pd.Timedelta(days=1), periods=MOST_DAYS, freq="D")


def _days_to(
    until: pd.Timestamp, today: pd.Timestamp, asked: tuple[pd.Timestamp, ...]
) -> pd.DatetimeIndex:
    days = days_ahead(today)
    if until in days:
        return days[days <= until]
    farthest = today + pd.Timedelta(days=FARTHEST_DAYS)
    if until in asked and today < until <= farthest:
        return pd.DatetimeIndex([until])
    raise SettingsError(
        f"found {until.date()} as the day to forecast; the sales end on {today.date()}: wanted one "
        f"of the {MOST_DAYS} days after that, or as the day to plan one up to {farthest.date()}. "
        "Newer sales make it possible and better"
    )


def _closed_weekdays(sold: pd.DataFrame) -> list[int]:
    recent = sold.loc[sold["date"] > sold["date"].max() - pd.Timedelta(days=RECENT_DAYS), "date"]
    opening = opening_days(recent)
    return [WEEKDAYS.index(day) for day in (*opening.days_off, *opening.mostly_off)]


def _products_ahead(
    offers: Iterable[Offer], known_future: KnownFuture, today: pd.Timestamp
) -> list[str]:
    offered = known_future.offered
    found = [one.product for one in offers if one.product in offered or not one.dropped]
    if not found:
        raise SettingsError(
            f"found no product that was sold of late, up to {today.date()}; wanted newer sales, or "
            "products told as on offer in --coming"
        )
    return found


def _usual_rows(table: SalesTable, products: Sequence[str], days: pd.DatetimeIndex) -> pd.DataFrame:
    """Make a row for every product and day, with what is taken for granted of it."""
    rows = table.rows
    added = [
        {"date": day, "bakery": group["bakery"].iloc[0], "product": product, "units": np.nan}
        | _usual(group)
        for product, group in rows[rows["product"].isin(products)].groupby("product", sort=True)
        for day in days
    ]
    return pd.DataFrame(added)


def _usual(rows: pd.DataFrame) -> dict[str, object]:
    """Say what is taken for granted of a future day: the last price, and no promotion."""
    found: dict[str, object] = {"price": rows["price"].iloc[-1]} if "price" in rows else {}
    found |= {"promotion": 0.0} if "promotion" in rows else {}
    return found | ({"sold_out_at": ""} if "sold_out_at" in rows else {})

"""Words and numbers of a plan on the wall, whoever made it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from html import escape

from glean.languages.language import Language

MOST_LISTED = 8
"""Products of which nothing is baked that are named."""


def plan_heads(language: Language) -> tuple[str, str, str, str]:
    """Name the columns of a plan."""
    return (
        language.translate("product"),
        language.translate("bake"),
        language.translate("likely asked for"),
        language.translate("why"),
    )


def number(value: float, language: Language) -> str:
    """Write units for a baker: whole, or to one digit where there are few.

    Examples
    --------
    >>> from glean.languages.language import ENGLISH
    >>> number(120.0, ENGLISH), number(3.26, ENGLISH)
    ('120', '3.3')
    """
    return language.number(value, 0 if value >= 10 or value == round(value) else 1)


def likely(low: float, high: float, language: Language) -> str:
    """Write a likely range in whole units, none of it cut off."""
    return language.translate(
        "{low} to {high}",
        low=language.number(math.floor(low)),
        high=language.number(math.ceil(high)),
    )


def not_baked(names: Sequence[str], language: Language) -> str:
    """Say of which products nothing is to be baked, by name where they are few; "" for none."""
    if not names:
        return ""
    if len(names) > MOST_LISTED:
        return language.translate_count(
            "Nothing of {count} further product.",
            "Nothing of {count} further products.",
            len(names),
        )
    return language.translate("Nothing of: {products}.", products=language.listed(list(names)))


def week_bars(
    days: Sequence[tuple[dt.date, float]], today: dt.date, language: Language, units_label: str
) -> str:
    """Draw the days ahead as HTML; "" where there is but one.

    Parameters
    ----------
    days : sequence of (date, float)
        Days, and units expected of all products.
    today : date
        The one that the sheet is for.
    language : Language
        Of its words.
    units_label : str
        What is counted: "units", or money.
    """
    if len(days) < 2:
        return ""
    most = max(units for _, units in days) or 1.0
    bars = "".join(
        f'<li class="{"today" if day == today else "other"}">'
        f'<span class="units">{number(round(units), language)}</span>'
        f'<span class="bar" style="height:{2 + 18 * units / most:.1f}mm"></span>'
        f'<span class="day">{language.weekday(day, short=True)}<br>'
        f"{language.short_day(day)}</span></li>"
        for day, units in days
    )
    # A label that a federation chose itself, like EUR, stays as it is.
    label = language.translate("units") if units_label == "units" else units_label
    head = language.translate("The days ahead: {units} expected, all products", units=label)
    return f'<section><h2>{escape(head)}</h2><ol class="week">{bars}</ol></section>'

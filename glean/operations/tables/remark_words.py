"""Words that remarks on a sales table have in common: days, gaps, weekdays, some of many things."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from glean.languages.language import Language
from glean.sales.quality.opening_days import WEEKDAYS, Gap, OpeningDays

MOST_NAMED = 3
"""Days, months, products or bakeries in one remark."""

A_MONDAY = dt.date(2024, 1, 1)


def day_in(day: dt.date, language: Language) -> str:
    """Write a day with its year, as short as one reads it."""
    return language.day(day.isoformat())


def gap_in(gap: Gap, language: Language) -> str:
    """Write a gap with its length."""
    return language.translate(
        "from {first} to {last} ({days} days)",
        first=day_in(gap.first, language),
        last=day_in(gap.last, language),
        days=language.number(gap.days),
    )


def weekdays_off(opening: OpeningDays, language: Language) -> str:
    """Abbreviate the weekdays without rows, like "Sun; mostly Mon"; "" where there are none."""
    off, mostly = (
        ", ".join(_short_weekday(day, language) for day in days)
        for days in (opening.days_off, opening.mostly_off)
    )
    mostly = language.translate("mostly {weekdays}", weekdays=mostly) if mostly else ""
    return language.gettext("; ").join(filter(None, [off, mostly]))


def some_of(
    texts: Sequence[str], language: Language, mark: str = ", ", *, most: int = MOST_NAMED
) -> str:
    """List a few texts and count the rest."""
    listed = mark.join(texts[:most])
    rest = len(texts) - most
    if rest <= 0:
        return listed
    return language.translate("{some} and {count} more", some=listed, count=language.number(rest))


def named_products(count: int, language: Language) -> str:
    """Say of how many products something is, which are all that are compared."""
    if count == 1:
        return language.translate("of one product")
    if count == 2:
        return language.translate("of both products")
    return language.translate("of all {count} products", count=language.number(count))


def _short_weekday(name: str, language: Language) -> str:
    return language.weekday(A_MONDAY + dt.timedelta(days=WEEKDAYS.index(name)), short=True)

"""What the data check tells of a table: values only, from an outlier up to the whole report."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from statistics import median_low

from glean.errors import Problem
from glean.sales.quality.odd_days import OddDay
from glean.sales.quality.opening_days import OpeningDays
from glean.sales.quality.region_fit import RegionFit
from glean.sales.quality.renamed import Renamed
from glean.sales.windows import MIN_TRADING_DAYS
from glean.settings import WindowSettings

DEFAULT_TEST_DAYS = WindowSettings().test_days
"""Days at the end of each bakery's rows that a run keeps for the test, unless told otherwise."""


@dataclass(frozen=True)
class Outlier:
    """A day that sold far more or less than usual.

    Parameters
    ----------
    date : date
        The day.
    units, usual : float
        What was sold, and what the same weekday around it sells.
    left_out : bool
        Whether Glean takes it for a single order and leaves it out of what it learns from
        (`usual_of_outliers`).
    comes_again : bool
        Whether it is a holiday by the table, 24 or 31 December, or the day before or after one.
    """

    date: dt.date
    units: float
    usual: float
    left_out: bool = False
    comes_again: bool = False


@dataclass(frozen=True)
class ProductHealth:
    """One product of one bakery.

    Parameters
    ----------
    product : str
        Its name.
    opening : OpeningDays
        Its span, days with a row, and which of the days with a row of the bakery it has none on.
    mean_units : float
        Mean of the units on its days.
    returns : int
        Rows with negative units.
    sold_out_share : float
        Share of the days on which it sold out; NaN where the file doesn't say.
    never_sold : bool
        No row has units above 0.
    outliers : tuple of Outlier
        Farthest from usual first.
    """

    product: str
    opening: OpeningDays
    mean_units: float
    returns: int
    sold_out_share: float
    never_sold: bool
    outliers: tuple[Outlier, ...]

    @property
    def is_short(self) -> bool:
        """Whether it has fewer days than a bakery needs to be learned from."""
        return self.opening.trading_days < MIN_TRADING_DAYS


@dataclass(frozen=True)
class BakeryHealth:
    """One bakery.

    Parameters
    ----------
    bakery : str
        Its name.
    opening : OpeningDays
        Span, trading days, days off, gaps.
    products : tuple of ProductHealth
        Those that sell most first.
    days_to_come : int
        Days with a row after today, lone ones aside.
    selling : OpeningDays or None
        On which of its days with a row it sold anything; None if it never did.
    longest_test : int
        The most days that a test can take and leave enough to learn from; 0 for none.
    odd_days : tuple of OddDay
        Days on which all products are far off the usual, in order.
    empty_months : tuple of date
        First days of the whole months without a sale, between the first and the last sale.
    renamed : tuple of Renamed
        Products that look renamed.
    """

    bakery: str
    opening: OpeningDays
    products: tuple[ProductHealth, ...]
    days_to_come: int
    selling: OpeningDays | None
    longest_test: int
    odd_days: tuple[OddDay, ...] = ()
    empty_months: tuple[dt.date, ...] = ()
    renamed: tuple[Renamed, ...] = ()

    @property
    def learns(self) -> bool:
        """Whether a run with the default test window is trained on it."""
        return self.longest_test >= DEFAULT_TEST_DAYS

    @property
    def is_short(self) -> bool:
        """Whether there are too few trading days to learn from."""
        return self.opening.trading_days < MIN_TRADING_DAYS

    @property
    def weekdays_off(self) -> frozenset[int]:
        """Weekdays on which it sells nothing, always or mostly; Monday is 0."""
        return frozenset.union(*(days.weekdays_off for days in self._without_sales))

    @property
    def single_closed(self) -> tuple[dt.date, ...]:
        """Single days without a sale on which it is usually open."""
        return tuple(day for days in self._without_sales for day in days.single_days)

    @property
    def _without_sales(self) -> tuple[OpeningDays, ...]:
        """Days without rows, and those with rows of zeros."""
        return (self.opening,) if self.selling is None else (self.opening, self.selling)

    @property
    def never_sold(self) -> tuple[str, ...]:
        """Names of the products that never sold a unit."""
        return tuple(product.product for product in self.products if product.never_sold)


@dataclass(frozen=True)
class Report:
    """What the data check found.

    Parameters
    ----------
    source : str
        The file.
    problems : tuple of Problem
        What must be mended before the file can be used.
    ignored : tuple of str
        Columns that aren't used.
    bakeries : tuple of BakeryHealth
        In text order; of the rows that can be read.
    like_bakeries, like_products : tuple of (str, str)
        Pairs of names that probably mean the same.
    regions : tuple of RegionFit
        Regions whose public holidays fit the holiday column and the closed days.
    """

    source: str
    problems: tuple[Problem, ...]
    ignored: tuple[str, ...] = ()
    bakeries: tuple[BakeryHealth, ...] = ()
    like_bakeries: tuple[tuple[str, str], ...] = ()
    like_products: tuple[tuple[str, str], ...] = ()
    regions: tuple[RegionFit, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the file can be read as it is, and has a sale in it."""
        return not self.problems and self.has_sales

    @property
    def has_sales(self) -> bool:
        """Whether anything at all was sold."""
        return any(len(at.never_sold) < len(at.products) for at in self.bakeries)

    @property
    def learns(self) -> bool:
        """Whether a run with the default test window has a bakery to be trained on."""
        return any(bakery.learns for bakery in self.bakeries)

    @property
    def fitting_test_days(self) -> int:
        """The longest test that leaves half of the bakeries enough to learn from; 0 for none."""
        possible = [bakery.longest_test for bakery in self.bakeries if bakery.longest_test]
        return median_low(possible) if possible else 0

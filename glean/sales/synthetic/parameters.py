"""Parameters of the synthetic bakeries; `docs/synthetic-bakeries.md` gives each one's source."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SEED = 20_220_627
"""Root of every random stream of the synthetic bakeries."""

FIRST_DAY = pd.Timestamp("2022-06-27")
LAST_DAY = pd.Timestamp("2025-06-28")  # a Saturday: every bakery is open, so all windows agree
TEST_DAYS = 56
YOUNG_DAYS = 45  # days a young bakery has before the test window
YOUNG_EVERY = 10  # every tenth bakery is young ...
YOUNG_OFFSET = 4  # ... the fifth among the first five
LATE_START_SHARE = 0.3
LATE_START_MIN_DAYS = 200

SMALLEST_UNITS_A_DAY = 60.0
SIZE_RANGE = 50.0  # largest over smallest bakery

FEWEST_PRODUCTS, MOST_PRODUCTS = 3, 8
SHARE_SD = 0.35  # log units, between bakeries

WARMEST_DAY = 203
ANOMALY_SD_C = 3.4
ANOMALY_MEMORY = 0.70  # correlation of the anomalies of two days in a row
WET_MEMORY = 0.35  # how much likelier rain is after a wet day than after a dry one
RAIN_SHAPE = 0.7  # of the gamma distribution of a wet day's rain


@dataclass(frozen=True)
class Spread:
    """A normal distribution in log units: mean, sd between bakeries, sd between products."""

    mean: float
    bakery_sd: float
    product_sd: float


@dataclass(frozen=True)
class Population:
    """What the bakeries of a scenario share, and how far each one lies from it.

    Parameters
    ----------
    kinds : float
        1.0: products of a kind behave alike everywhere; 0.0: the kind says nothing.
    weekday_sd : tuple of float
        Sd between bakeries of the log weekday factors, Monday to Sunday.
    weekday_product_sd : float
        Sd between the products of a bakery.
    season : Spread
        Of both harmonic coefficients, around the kind's.
    holiday, eve, after, school : Spread
        Public holiday (on top of the Sunday factor), day before, day after, school holidays.
    temperature, heat, rain : Spread
        Per 10 °C of anomaly, per 5 °C above 22 °C (both around the kind's), per 10 mm.
    promotion, elasticity : Spread
        Whole effect of a promotion; elasticity to the price on the shelf.
    """

    kinds: float
    weekday_sd: tuple[float, float, float, float, float, float, float]
    weekday_product_sd: float
    season: Spread
    holiday: Spread
    eve: Spread
    after: Spread
    school: Spread
    temperature: Spread
    heat: Spread
    rain: Spread
    promotion: Spread
    elasticity: Spread


RELATED = Population(
    kinds=1.0,
    weekday_sd=(0.08, 0.08, 0.08, 0.08, 0.08, 0.12, 0.25),
    weekday_product_sd=0.05,
    season=Spread(0.0, 0.04, 0.015),
    holiday=Spread(0.0, 0.10, 0.03),
    eve=Spread(0.20, 0.08, 0.03),
    after=Spread(0.05, 0.05, 0.03),
    school=Spread(-0.04, 0.08, 0.02),
    temperature=Spread(0.0, 0.03, 0.01),
    heat=Spread(0.0, 0.03, 0.01),
    rain=Spread(-0.08, 0.05, 0.02),
    promotion=Spread(0.25, 0.08, 0.06),
    elasticity=Spread(-0.60, 0.15, 0.10),
)
"""Bakeries that are alike in kind."""

UNRELATED = Population(
    kinds=0.0,
    weekday_sd=(0.45,) * 7,
    weekday_product_sd=0.10,
    season=Spread(0.0, 0.20, 0.03),
    holiday=Spread(0.0, 0.50, 0.05),
    eve=Spread(0.0, 0.40, 0.05),
    after=Spread(0.0, 0.30, 0.05),
    school=Spread(0.0, 0.30, 0.03),
    temperature=Spread(0.0, 0.20, 0.02),
    heat=Spread(0.0, 0.15, 0.02),
    rain=Spread(0.0, 0.25, 0.03),
    promotion=Spread(0.0, 0.40, 0.05),
    elasticity=Spread(0.0, 0.80, 0.10),
)
"""Bakeries that have nothing in common: wide, centred on no effect, either sign."""

SUNDAY_OPEN_SHARE = 0.6
MONDAY_REST_SHARE = 0.3  # of those open on Sundays
HOLIDAY_OPEN_SHARE = 0.6  # of those open on Sundays
SUMMER_BREAK_SHARE = 0.5
SUMMER_BREAK_DAYS = 14

PRICE_SD = 0.10  # log units, between bakeries
RAISE_MIN, RAISE_MAX = 0.03, 0.08
RAISE_MIN_DAYS, RAISE_MAX_DAYS = 270, 450
INFLATION = 0.03  # of everything else, a year
PROMOTION_SHARE = 0.05  # of the weeks of a product
PROMOTION_CUTS = (0.10, 0.15, 0.20, 0.25)

DRIFT_BAKERY_SD, DRIFT_PRODUCT_SD = 0.06, 0.06  # log units over a year
DISPERSION_MEDIAN, DISPERSION_LOG_SD = 0.02, 0.4
DAY_SHOCK_SD = 0.05
SAFETY_MEAN, SAFETY_SD = 0.30, 0.10  # log units baked above the baker's guess
GUESS_SD = 0.12  # log units, the baker's own error
MORNING = 1.6  # exponent of the day's arrival curve; 1.0: as many customers at any hour
OPENS_MINUTE, CLOSES_MINUTE = 6 * 60 + 30, 18 * 60

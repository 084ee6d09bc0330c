"""Products, regions and names that synthetic bakeries are made of; see `parameters`.

`docs/synthetic-bakeries.md` gives the source of every figure.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What products of one kind have in common, in every bakery of the population.

    Parameters
    ----------
    weekday : tuple of float
        Factors Monday to Sunday, mean near 1.
    season : tuple of float
        Amplitude (log units) and day of the year of the peak.
    temperature, heat : float
        Log effect of 10 °C above the normal of the day, and of 5 °C above 22 °C.
    """

    weekday: tuple[float, float, float, float, float, float, float]
    season: tuple[float, float]
    temperature: float
    heat: float


LOAF = Kind((1.08, 1.02, 1.00, 1.08, 0.97, 0.98, 0.79), (0.04, 30), -0.02, -0.03)
SPECIAL_LOAF = Kind((0.95, 0.91, 0.91, 1.03, 1.15, 1.15, 0.86), (0.08, 270), -0.02, -0.02)
BAGUETTE = Kind((0.90, 0.90, 0.91, 1.01, 0.99, 1.06, 1.29), (0.22, 200), 0.01, 0.02)
ROLL = Kind((0.89, 0.85, 0.83, 0.92, 0.89, 1.13, 1.51), (0.12, 210), 0.02, 0.0)
SWEET_ROLL = Kind((0.88, 0.84, 0.84, 0.89, 0.86, 1.09, 1.65), (0.10, 215), 0.0, -0.02)
SAVOURY = Kind((0.97, 0.94, 0.94, 0.99, 0.96, 1.01, 1.09), (0.14, 215), 0.02, 0.0)
PASTRY = Kind((0.98, 0.96, 0.95, 1.12, 1.00, 1.00, 0.92), (0.18, 10), -0.09, -0.08)
TART = Kind((0.92, 0.93, 0.95, 0.97, 0.95, 0.96, 1.41), (0.06, 285), -0.05, -0.08)
SHEET_CAKE = Kind((0.86, 0.87, 0.88, 0.95, 1.00, 0.97, 1.61), (0.30, 205), -0.05, -0.06)


@dataclass(frozen=True)
class CatalogueEntry:
    """An entry of the public catalogue: kind, price (euros) and usual share of the units."""

    name: str
    kind: Kind
    price: float
    share: float


CATALOGUE = (
    CatalogueEntry("wheat roll", ROLL, 0.40, 10.0),
    CatalogueEntry("seeded roll", ROLL, 0.65, 5.0),
    CatalogueEntry("rye roll", ROLL, 0.55, 3.0),
    CatalogueEntry("milk roll", SWEET_ROLL, 0.70, 2.5),
    CatalogueEntry("raisin bun", SWEET_ROLL, 0.95, 1.5),
    CatalogueEntry("croissant", SWEET_ROLL, 1.40, 4.0),
    CatalogueEntry("pretzel", SAVOURY, 0.85, 4.0),
    CatalogueEntry("cheese roll", SAVOURY, 1.30, 2.0),
    CatalogueEntry("filled baguette", SAVOURY, 3.60, 2.0),
    CatalogueEntry("baguette", BAGUETTE, 1.90, 1.5),
    CatalogueEntry("ciabatta", BAGUETTE, 2.20, 0.8),
    CatalogueEntry("wheat loaf", LOAF, 3.20, 1.5),
    CatalogueEntry("mixed rye loaf", LOAF, 3.60, 2.0),
    CatalogueEntry("wholemeal loaf", LOAF, 3.90, 1.5),
    CatalogueEntry("sourdough loaf", LOAF, 4.40, 1.2),
    CatalogueEntry("spelt loaf", SPECIAL_LOAF, 4.60, 0.8),
    CatalogueEntry("walnut loaf", SPECIAL_LOAF, 4.90, 0.5),
    CatalogueEntry("cinnamon bun", PASTRY, 1.70, 2.0),
    CatalogueEntry("doughnut", PASTRY, 1.40, 2.5),
    CatalogueEntry("apple turnover", PASTRY, 2.00, 1.5),
    CatalogueEntry("cheesecake slice", TART, 2.90, 0.8),
    CatalogueEntry("fruit tart", TART, 2.80, 0.7),
    CatalogueEntry("plum cake", SHEET_CAKE, 2.20, 0.9),
    CatalogueEntry("butter cake", SHEET_CAKE, 1.90, 1.0),
)


@dataclass(frozen=True)
class Region:
    """Climate and school summer of a region.

    Parameters
    ----------
    code : str
        As `public_holidays` takes it.
    temperature_c, amplitude_c : float
        Mean of the year, and half the distance from the coldest to the warmest time.
    wet_share, rain_mm : float
        Share of days with rain, and mean rain of such a day.
    summer_start : int
        Day of the year on which the six weeks of school summer begin.
    weight : int
        How often bakeries lie there, relative to the other regions.
    """

    code: str
    temperature_c: float
    amplitude_c: float
    wet_share: float
    rain_mm: float
    summer_start: int
    weight: int


REGIONS = (
    Region("DE-SH", 9.5, 8.5, 0.52, 3.8, 200, 2),
    Region("DE-HE", 10.5, 9.4, 0.47, 3.9, 198, 2),
    Region("DE-BY", 8.7, 9.8, 0.47, 5.6, 211, 2),
    Region("DE-NW", 10.8, 7.9, 0.54, 4.0, 188, 2),
    Region("DE-SN", 9.9, 9.6, 0.43, 3.9, 176, 2),
    Region("DE-BE", 10.3, 9.5, 0.43, 3.7, 200, 2),
    Region("DE-BW", 10.5, 9.3, 0.43, 4.3, 207, 2),
    Region("AT-9", 11.2, 10.2, 0.37, 4.8, 183, 1),
    Region("CH-ZH", 9.8, 9.4, 0.47, 6.2, 197, 1),
    Region("FR", 12.5, 8.0, 0.45, 3.9, 188, 1),
    Region("GB-SCT", 9.4, 5.8, 0.50, 3.9, 180, 1),
    Region("NL", 10.5, 7.7, 0.50, 4.7, 197, 1),
)

FIRST_WORDS = (
    "Mill Lane", "Old Market", "Harbour", "Linden", "Station", "Green Door", "Riverside",
    "Chestnut", "Bell Tower", "Sunny Side", "Copper Kettle", "Golden Ear", "North Gate",
    "Bridge Street", "Swallow", "Quayside", "Oak Tree", "Fountain", "Windmill", "Red Brick",
    "Orchard", "Lighthouse", "Castle Hill", "Blackbird", "Corner", "Juniper", "Town Hall",
    "Weaver", "Meadow", "Foundry", "Kingfisher",
)  # fmt: skip
LAST_WORDS = (
    "Bakery", "Bakehouse", "Bread", "Oven", "Loaf", "Bread & Cake", "Bakers", "Crust",
)  # fmt: skip

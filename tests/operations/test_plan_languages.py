"""A plan in other languages: its page, its table, and all that it says of the sales behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.languages.language import ENGLISH, LanguageCode, language
from glean.operations.planning.baked_products import ALL_PRODUCTS, BakedProducts
from glean.operations.planning.bakery_context import make_context, no_sales
from glean.operations.planning.forecast import make_forecast
from glean.operations.planning.known_future import UnknownInput
from glean.operations.planning.plan import DayPlan, make_plan
from glean.sales.product_choice import OnlyThese
from glean.sales.products import Product
from glean.sales.table import SalesTable
from tests.forecasting.test_future_rows import LAST, MODEL, TABLE
from tests.operations.test_plan_assortment import DAYS, SUNDAY, TUESDAY, bakery
from tests.operations.test_plan_assortment import sold as sold_on
from tests.operations.test_plan_remarks import sold

FRENCH_COLON = "\u00a0:"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return path


def planned(
    model: Path,
    table: SalesTable,
    code: LanguageCode,
    *,
    day: pd.Timestamp | None = None,
    region: str = "",
    now: pd.Timestamp | None = None,
    baked: BakedProducts = ALL_PRODUCTS,
    products: Mapping[str, Product] | None = None,
) -> DayPlan:
    context = make_context(model, table, products=products or {}, region=region)
    return make_plan(
        context, products or {}, date=day, now=now, baked=baked, language=language(code)
    )


def rolls(peak: tuple[int, int], *, last: str, first: str = "2023-01-01") -> SalesTable:
    """About a hundred a day, and 80 more on one day of each year."""
    days = pd.date_range(first, last, freq="D")
    rows = pd.DataFrame({"date": days, "bakery": "b", "product": "roll"})
    special = (days.month == peak[0]) & (days.day == peak[1])
    return SalesTable(rows.assign(units=100.0 + days.day_of_week + 80.0 * special))


class _Texts(HTMLParser):
    """What a page says, piece by piece, and the language that it claims."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.claimed: str | None = None
        self.feed(page.partition("<style>")[0] + page.partition("</style>")[2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "html":
            self.claimed = dict(attrs)["lang"]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.found.append(data.strip())


@pytest.mark.parametrize("code", ["de", "fr"])
def test_a_page_says_nothing_in_english(code: LanguageCode, model: Path) -> None:
    """Piece by piece it differs from the English page, but for names and numbers."""
    products = {"product 0": Product("product 0", price=2.0, cost=0.5, weight_kg=0.06)}
    late = LAST + pd.Timedelta(days=9)
    english, other = (
        planned(model, sold(9, 2100.0), each, now=late, products=products) for each in ("en", code)
    )
    pages = [_Texts(made.page) for made in (english, other)]
    assert [page.claimed for page in pages] == ["en", code]
    assert len(pages[0].found) == len(pages[1].found) > 30
    same = {a for a, b in zip(*(page.found for page in pages), strict=True) if a == b}
    assert {text for text in same if re.search(r"[^\W\d]", text)} == {
        "bakery 0", "product 0", "product 1",
    }  # fmt: skip
    reasons = [", ".join(filter(None, made.table["why"])).split(", ") for made in (english, other)]
    assert all(a != b for a, b in zip(*reasons, strict=True))
    numbers = [made.table.drop(columns="why") for made in (english, other)]
    pd.testing.assert_frame_equal(numbers[0], numbers[1])


def test_numbers_weekdays_and_days_are_those_of_the_language(model: Path) -> None:
    """In the head, the table, the days ahead and the foot."""
    many = SalesTable(TABLE.rows.assign(units=TABLE.rows["units"] * 1000 + 0.5))
    page = planned(model, many, "de").page
    day = LAST + pd.Timedelta(days=1)
    german = language("de")
    assert f"<h1>{german.weekday(day)}</h1>" in page
    assert f"<p>{german.date(day)}</p>" in page
    assert re.search(r'<td class="likely">\d+\.\d{3} bis \d+\.\d{3}</td>', page)
    assert f"{german.weekday(day, short=True)}<br>{german.short_day(day)}" in page
    assert f"Verkäufe bis zum {german.date(LAST)} sind bekannt." in page


def test_a_forecast_s_reasons_are_in_the_language(model: Path) -> None:
    """With the same numbers, whose columns keep their names."""
    context = make_context(model, TABLE, products={})
    english, german = (
        make_forecast(context, language=each).table for each in (ENGLISH, language("de"))
    )
    pd.testing.assert_frame_equal(english.drop(columns="why"), german.drop(columns="why"))
    words = "; ".join(german["why"])
    assert re.search(
        r"(Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag) \([+-]\d+\u00a0%\)", words
    )
    assert not re.search(r"day \(|recent", words)


def test_a_bakery_without_sales_is_spoken_to_alike(model: Path) -> None:
    """Made-up days need no other words."""
    bun = {"bun": Product("bun", expected_units=60.0)}
    monday = pd.Timestamp("2024-05-06")
    context = make_context(model, no_sales(), products=bun, bakery="Anna", first_day=monday)
    made = make_plan(context, bun, date=monday, language=language("fr"))
    assert "<h1>lundi</h1>" in made.page
    assert "<p>6 mai 2024</p>" in made.page
    reason = context.client_model.selection.reason(language("fr"))
    assert reason.startswith("à 100\u00a0% le modèle de la fédération affiné sur vos ventes")
    assert "pas encore de jours" in reason


@pytest.mark.parametrize(
    ("code", "peak", "region", "last", "said"),
    [
        ("de", (12, 24), "DE-SH", "2024-12-20",
         "Dienstag, 24. Dezember: ein besonderer Tag. 2023 verkaufte die Bäckerei da das 1,8-Fache "
         "des Üblichen."),
        ("fr", (12, 24), "DE-SH", "2024-12-20",
         "Le mardi 24 décembre est un jour particulier. En 2023, la boulangerie y a vendu 1,8 fois "
         "la quantité habituelle."),
        ("de", (10, 2), "DE", "2024-09-30",
         "Mittwoch, 2. Oktober (vor Tag der Deutschen Einheit): ein besonderer Tag. 2023"),
        ("fr", (7, 14), "FR", "2024-07-12",
         "Le dimanche 14 juillet (Fête nationale) est un jour particulier. En 2023"),
        ("fr", (12, 26), "GB-SCT", "2024-12-22", "Le jeudi 26 décembre (Boxing Day) est"),
    ],
)  # fmt: skip
def test_a_special_day_is_named_as_in_the_language(
    code: LanguageCode, peak: tuple[int, int], region: str, last: str, said: str, model: Path
) -> None:
    """By the region's own name for it where that is in the language, else in English."""
    day = pd.Timestamp(2024, *peak)
    made = planned(model, rolls(peak, last=last), code, day=day, region=region)
    assert made.remarks[0].startswith(said)


def test_a_special_day_without_an_earlier_year_says_so(model: Path) -> None:
    table = rolls((12, 24), first="2024-06-01", last="2024-12-20")
    made = planned(model, table, "de", day=pd.Timestamp("2024-12-24"), region="DE-SH")
    assert made.remarks[0].endswith(
        " Aus einem früheren Jahr kennen die Verkäufe keinen solchen Tag."
    )


def test_what_is_not_on_offer_is_named_in_the_language(model: Path) -> None:
    """Not on that weekday, dropped, and sold a year ago."""
    weekday, dropped, season = planned(model, bakery(), "de", day=TUESDAY).remarks
    assert weekday == "Dienstags nicht im Verkauf, darum nicht im Plan: plait."
    assert dropped == (
        "baguette: nicht im Plan, da seit Sonntag, 29. September, nicht mehr verkauft "
        "(40 Öffnungstage). Ist es im Angebot, geben Sie es in --coming an: seinen Namen und "
        "open = 1."
    )
    assert re.match(r"stollen: letztes Jahr um diese Zeit verkauft, etwa 4\d am Tag, und", season)


def test_the_end_of_a_season_is_named_in_the_language(model: Path) -> None:
    season = pd.date_range("2024-11-10", "2024-12-22")
    rows = [bakery().rows, sold_on("roll", 210.0, season), sold_on("stollen", 40.0, season)]
    table = SalesTable(pd.concat(rows, ignore_index=True))
    remarks = planned(model, table, "fr", day=pd.Timestamp("2024-12-27")).remarks
    (found,) = [text for text in remarks if text.startswith("stollen")]
    assert found.startswith(
        f"stollen{FRENCH_COLON} hors du plan, car sa saison finit le mardi 24 décembre si elle "
        "dure autant que la dernière. S\u2019il est proposé, indiquez-le dans --coming"
    )


def test_a_product_of_which_nothing_is_usual_is_named_in_the_language(model: Path) -> None:
    days = DAYS[-200:]
    rare = sold_on("cake", 12.0, days)
    rare["units"] = rare["units"].where(np.arange(200) % 40 == 5, 0.0)
    table = SalesTable(pd.concat([rare, sold_on("roll", 210.0, DAYS)], ignore_index=True))
    (remark,) = planned(model, table, "de", day=TUESDAY).remarks
    assert re.match(
        r"cake: nicht im Plan, da zuletzt am \w+, \d+\. \w+, verkauft und an den letzten 28 ",
        remark,
    )


def test_a_reopening_is_explained_in_the_language(model: Path) -> None:
    table = SalesTable(sold_on("roll", 200.0, DAYS))
    (remark,) = planned(model, table, "de", day=pd.Timestamp("2025-04-03")).remarks
    assert remark.startswith(
        "Donnerstag, 3. April 2025, liegt 146 Tage nach den letzten Verkäufen am Freitag, 8. Nov"
    )


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (400, "s\u2019arrêtent au {last}, il y a 400 jours."),
        (-1, "Les ventes contiennent des jours à venir, jusqu\u2019au"),
    ],
)
def test_the_age_of_sales_is_told_in_the_language(days: int, said: str, model: Path) -> None:
    (remark,) = planned(model, TABLE, "fr", now=LAST + pd.Timedelta(days=days)).remarks
    assert said.format(last=language("fr").long_day(LAST)) in remark


def test_half_a_last_day_is_named_in_the_language(model: Path) -> None:
    last = TABLE.rows["date"] == LAST
    half = SalesTable(TABLE.rows.assign(units=TABLE.rows["units"].where(~last, 3.0)))
    (remark,) = planned(model, half, "de").remarks
    weekday = language("de").weekday(LAST)
    assert re.search(rf"^{weekday}, .* hat \d+\u00a0% eines üblichen {weekday}s: War", remark)


def test_a_large_order_is_named_in_the_language(model: Path) -> None:
    (remark,) = planned(model, sold(9, 2100.0), "de").remarks
    day = language("de").long_day(LAST - pd.Timedelta(days=9), year=False)
    assert remark.startswith(f"{day}: 2.100 von product 0, wo etwa ")


def test_what_a_baker_left_out_is_counted_in_the_language(model: Path) -> None:
    """What a list doesn't have, and what sells too little."""
    one = BakedProducts(OnlyThese("only.txt", (("product 0", 1),)))
    assert planned(model, TABLE, "fr", baked=one).remarks == (
        f"Hors du plan{FRENCH_COLON} 1 produit absent de only.txt.",
    )
    few = BakedProducts(min_units_a_day=30.5)
    remarks = planned(model, bakery(), "de", day=SUNDAY, baked=few).remarks
    assert remarks[-1] == "Nicht im Plan, da unter 30,5 Stück am Tag: plait."


def test_what_is_unknown_is_named_in_the_language() -> None:
    """Among others, and in a sentence; columns of the table keep their names."""
    french = language("fr")
    taken, open_ = UnknownInput("promotion", "none"), UnknownInput("rain_mm", "")
    assert taken.in_list(french) == f"promotion (supposé{FRENCH_COLON} aucune)"
    assert open_.in_list(french) == "rain_mm"
    assert taken.in_words(french).endswith(f"; supposé{FRENCH_COLON} aucune")
    assert open_.in_words(french).startswith(
        "rain_mm n\u2019est pas indiqué pour les jours à venir"
    )

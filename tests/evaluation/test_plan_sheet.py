"""A printed plan stays on one sheet of A4, in languages of long words too."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from glean.evaluation.pages.bake_plan_page import bake_page
from glean.evaluation.pages.plan_sheet import (
    SHEET_MM,
    SIZES_PT,
    WIDTH_MM,
    SheetLayout,
    SheetRow,
    sheet_layout,
)
from glean.forecasting.drivers import Driver, foremost
from glean.forecasting.plan import BakePlan, PlannedProduct
from glean.languages.language import LanguageCode, language
from tests.service.browsers import FLAGS, chromium

HEADS = ("Produkt", "backen", "wahrscheinlich gefragt", "warum", "fertig")
NAMES = {
    "en": "wholemeal sourdough loaf",
    "de": "Sonnenblumenkernbrot",
    "fr": "Baguette de tradition française",
}
WHY = (
    Driver("holiday", 0.4, "this special day before"),
    Driver("recent sales", -0.05, "recent days below usual"),
    Driver("weekday", 0.05, "Wednesday"),
)


def row(name: str = "Roggenbrot", why: str = "Montag: mehr") -> SheetRow:
    return SheetRow(name, "1.250", "1.049 bis 3.091", why)


def laid_out(rows: list[SheetRow], **given: list[str]) -> SheetLayout:
    told = {"remarks": [], "foot": [], **given}
    title = ("Bäckerei Grün", "Mittwoch", "23. Dezember 2026")
    return sheet_layout(rows, HEADS, title=title, with_week=True, **told)


def test_few_products_are_in_the_largest_type() -> None:
    """And more of them, more remarks or longer reasons never in larger type."""
    sizes = [laid_out([row()] * count).bake for count in (3, 14, 20, 30, 80)]
    assert sizes[0] == SIZES_PT[0]
    assert sizes[-1] == SIZES_PT[-1]
    assert sizes == sorted(sizes, reverse=True)
    some = laid_out([row()] * 14).bake
    assert laid_out([row()] * 14, remarks=["Ein Satz von achtzig Zeichen. " * 3] * 9).bake < some
    assert laid_out([row(why="Mittwoch: etwas mehr, " * 4)] * 14).bake < some


def test_columns_fill_the_sheet_and_names_stay_in_one_piece() -> None:
    """A long word makes the type smaller rather than being broken."""
    long, short = laid_out([row("Sonnenblumenkernbrot")] * 3), laid_out([row("Brot")] * 3)
    for layout in (long, short):
        assert sum(layout.columns_mm) == pytest.approx(WIDTH_MM)
    assert not long.breaks_a_word([row("Sonnenblumenkernbrot")])
    assert long.bake < short.bake
    assert short.breaks_a_word([row("Sonnenblumenkernbrotscheiben" * 3)])


def test_lines_are_counted_word_by_word() -> None:
    """Three words that fit beside each other are a line, and one more is two."""
    layout = laid_out([row()])
    one, two = (layout.height_mm([row(why="a " * words)]) for words in (3, 90))
    assert one < two
    assert layout.height_mm([row()] * 4) == pytest.approx(4 * layout.height_mm([row()]))
    assert layout.height_mm([row()]) < SHEET_MM


def plan_of(count: int, code: LanguageCode, *, days: int = 7) -> BakePlan:
    day = pd.Timestamp("2026-12-23")
    line = (1250.0, 1200.0, 1049.0, 3091.0, 0.8, 30.0, 4.0, 15.0, 3.0, 2.0, WHY)
    products = tuple(PlannedProduct(f"{NAMES[code]} {k}", *line) for k in range(count))
    week = tuple((day + pd.Timedelta(days=k), 9000.0 + k) for k in range(days))
    return BakePlan("Bäckerei Grünwälder & Söhne", day, products, week)


def test_a_crowded_page_names_fewer_reasons() -> None:
    """The strongest, and a promotion, however weak; a page with room names them all."""
    promotion = Driver("promotion", 0.01, "promotion")
    assert foremost((*WHY, promotion), 2) == (WHY[0], promotion)
    assert foremost(WHY, 3) == WHY
    pages = [
        bake_page(
            plan_of(count, "en"),
            language("en"),
            units_label="units",
            known_until=dt.date(2026, 12, 22),
        )
        for count in (3, 30)
    ]
    assert [page.count("Wednesday: a little more") for page in pages] == [3, 0]
    assert [page.count("this special day before: much more") for page in pages] == [3, 30]


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
@pytest.mark.parametrize("code", ["en", "de", "fr"])
def test_fourteen_products_print_on_one_sheet(code: LanguageCode, tmp_path: Path) -> None:
    """With long names, three reasons each, remarks and the days ahead; by a real browser."""
    html = bake_page(
        plan_of(14, code),
        language(code),
        units_label="units",
        known_until=dt.date(2026, 12, 22),
        remarks=["Mittwoch, 23. Dezember: ein besonderer Tag. " * 3] * 2,
    )
    page, printed = tmp_path / "plan.html", tmp_path / "plan.pdf"
    page.write_text(html, encoding="utf-8")
    words = [str(chromium()), "--headless", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [*words, "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed.read_bytes())) == 1

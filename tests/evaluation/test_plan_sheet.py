"""A printed plan stays on one sheet of A4, in languages of long words too."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.evaluation.pages.bake_plan_page import bake_page
from glean.evaluation.pages.plan_sheet import (
    SHEET_MM,
    SIZES_PT,
    WIDTH_MM,
    SheetLayout,
    SheetRow,
    name_size,
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


def laid_out(rows: list[SheetRow], remarks: Sequence[str] = ()) -> SheetLayout:
    title = ("Bäckerei Grün", "Mittwoch", "23. Dezember 2026")
    return sheet_layout(rows, HEADS, title=title, remarks=remarks, foot=(), with_week=True)


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
    """The strongest, and a promotion, however weak; one with room names two, columns none."""
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
        for count in (3, 14, 80)
    ]
    words = ("this special day before: much more", "recent days", "Wednesday: a little more")
    found = [[page.count(text) for text in words] for page in pages]
    assert found == [[3, 3, 0], [14, 0, 0], [0, 0, 0]]


LONG = "Sonnenblumenkernvollkornbrotscheibenverpackung"


def lines_of(count: int) -> tuple[PlannedProduct, ...]:
    return plan_of(count, "de").products


def page_of(products: Sequence[PlannedProduct], groups: Mapping[str, str] | None = None) -> str:
    plan = replace(plan_of(1, "en"), products=tuple(products))
    day = dt.date(2026, 12, 22)
    return bake_page(plan, language("en"), units_label="units", known_until=day, groups=groups)


@pytest.mark.parametrize("count", [3, 14, 40, 90])
def test_no_word_of_a_name_is_wider_than_its_place(count: int) -> None:
    """Its type is made smaller, of that name only; and nothing on the page may break a word."""
    named = [replace(line, product=f"{LONG} {k}") for k, line in enumerate(lines_of(count))]
    page = page_of([replace(named[0], product="Brot"), *named])
    sizes = [float(size) for size in re.findall(r'font-size:([0-9.]+)pt">Sonnen', page)]
    assert len(sizes) == count
    assert max(sizes) < float(re.findall(r"--name:([0-9.]+)pt", page)[0])
    assert "break-word" not in page
    assert re.search(r'scope="row">Brot<|class="name">Brot<', page)


@given(st.text("abc -", min_size=1, max_size=80), st.floats(5, 40), st.floats(10, 120))
def test_a_name_s_size_lets_its_longest_word_fit(name: str, usual: float, width_mm: float) -> None:
    """And is never larger than usual."""
    size = name_size(name, usual, width_mm)
    assert 0 < size <= usual
    longest = max(len(word) for word in name.replace("-", "- ").split(" "))
    assert longest * 0.69 * size * 0.3528 <= width_mm - 4.0 + 1e-6


def test_products_stand_in_groups_the_largest_first() -> None:
    """Each with its heading; without a category at the end, and no headings where all are one."""
    lines = zip(lines_of(4), "abcd", strict=True)
    products = [replace(line, product=name) for line, name in lines]
    page = page_of(products, {"a": "Rolls", "b": "Loaves", "d": "Rolls"})
    order = re.findall(r'scope="row(?:group)?">([A-Za-z]+)<', page)
    assert order == ["Rolls", "a", "d", "Loaves", "b", "c"]
    assert "rowgroup" not in page_of(products, dict.fromkeys("abcd", "Rolls"))


@pytest.mark.parametrize("count", [2, 30])
def test_what_is_not_baked_has_no_line(count: int) -> None:
    """Few are named below, many are counted."""
    named = [replace(line, product=f"name {k}") for k, line in enumerate(lines_of(count))]
    page = page_of([*(replace(line, bake=0.0) for line in named), *lines_of(1)])
    assert page.count('class="bake"') == 1
    words = "Nothing of: name 0 and name 1." if count == 2 else "Nothing of 30 further products."
    assert words in page


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
@pytest.mark.parametrize(
    ("code", "count"), [("en", 14), ("de", 14), ("fr", 14), ("de", 60), ("fr", 150)]
)
def test_any_number_of_products_prints_on_one_sheet(
    code: LanguageCode, count: int, tmp_path: Path
) -> None:
    """With long names, reasons, groups, remarks and the days ahead; by a real browser."""
    plan = plan_of(count, code)
    html = bake_page(
        plan,
        language(code),
        units_label="units",
        known_until=dt.date(2026, 12, 22),
        remarks=["Mittwoch, 23. Dezember: ein besonderer Tag. " * 3] * 2,
        groups={line.product: f"Gruppe {k % 4}" for k, line in enumerate(plan.products)},
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

"""Totals and parts of the date aren't products; price and promotion of a day go by its units."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import SalesError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.tills import with_day_values
from tests.sales.importing.exports import file_of

WIDE = (
    "Datum;KW;{}\n"
    "13.05.2024;20;5;1;0;2;8\n"
    "14.05.2024;20;4;2;1;3;10\n"
    "15.05.2024;20;6;3;2;;11\n"
    "16.05.2024;20;7;4;3;1;15\n"
)


def wide(folder: Path, heads: str, totals: str = "") -> ImportRequest:
    path = file_of(folder, WIDE.format(heads))
    return ImportRequest(path, Columns(date="Datum"), wide=True, totals=totals)


@pytest.mark.parametrize("name", ["Gesamt", "Summe", "Total", "SUMME:", "Umsatz gesamt", "Alles"])
def test_total_columns_of_a_wide_file_are_asked_about(name: str, tmp_path: Path) -> None:
    """By their name, or since they add the others up; left out or taken as told."""
    heads = f"Semmel;Brot;Torte;Kuchen;{name}"
    with pytest.raises(SalesError, match="found the columns 'KW'") as caught:
        import_sales(wide(tmp_path, heads))
    assert f"'KW', '{name}', totals or parts of the date beside products" in str(caught.value)
    assert "--totals drop" in str(caught.value)
    products = ["Brot", "Kuchen", "Semmel", "Torte"]
    dropped = import_sales(wide(tmp_path, heads, "drop"))
    assert sorted(set(dropped.table.rows["product"])) == products
    assert "not used" not in dict(dropped.notes)
    kept = import_sales(wide(tmp_path, heads, "keep")).table.rows
    assert len(set(kept["product"])) == 6
    named = replace(wide(tmp_path, heads), products=("Semmel", name))
    assert len(set(import_sales(named).table.rows["product"])) == 2


def test_products_are_not_taken_for_totals(tmp_path: Path) -> None:
    """One that sells as much as two others on some days, or has such a word in its name."""
    text = (
        WIDE.replace("KW;", "").replace(";20;", ";").format("Semmel;Brot;Kw-Brot;Total lokal;Torte")
    )
    path = file_of(tmp_path, text.replace(";11\n", ";99\n").replace(";15\n", ";3\n"))
    rows = import_sales(ImportRequest(path, Columns(date="Datum"), wide=True)).table.rows
    assert len(set(rows["product"])) == 5


LINES = "d;p;u\n2024-05-01;Roll;3\n2024-05-01;Loaf;2\n2024-05-01;{};5\n{};;5\n"


@pytest.mark.parametrize("item", ["Summe", "Total 1.5.", "Gesamtsumme"])
@pytest.mark.parametrize("till_lines", [True, False])
def test_total_lines_are_asked_about(item: str, till_lines: bool, tmp_path: Path) -> None:
    """As items and in place of a date; an item that is ignored isn't asked about."""
    columns = Columns(date="d", product="p", units="u")
    path = file_of(tmp_path, LINES.format(item, "Summe"))
    request = ImportRequest(path, columns, till_lines=till_lines)
    with pytest.raises(SalesError, match="line 4: found 2 lines called") as caught:
        import_sales(request)
    assert ": totals among the products" in str(caught.value)
    rows = import_sales(replace(request, totals="drop")).table.rows
    assert rows["units"].tolist() == [2.0, 3.0]
    path = file_of(tmp_path, LINES.format(item, "2024-05-02").replace(";;5", ";Roll;5"))
    ignored = replace(request, path=path, ignored_items=(item,))
    assert import_sales(ignored).table.rows["units"].sum() == 10.0


@pytest.mark.parametrize("item", ["Rabatt", "Discount 10%", "STORNO", "refund"])
def test_discounts_and_voids_among_the_items_are_asked_about(item: str, tmp_path: Path) -> None:
    """They are no products, while a product of such a word beside another one is."""
    text = LINES.format(item, "2024-05-02").replace(";;5", ";Rabattbrot;5")
    columns = Columns(date="d", product="p", units="u")
    request = ImportRequest(file_of(tmp_path, text), columns)
    with pytest.raises(SalesError, match="discounts, voids or returns among the products"):
        import_sales(request)
    found = import_sales(replace(request, totals="drop"))
    assert found.table.rows["units"].tolist() == [2.0, 5.0, 3.0]
    words = f"1 line of discounts, voids or returns: {item!r}"
    assert ("dropped", words) in found.notes


def test_price_and_flags_of_a_day_are_those_of_a_plain_loop() -> None:
    """Mean by units and majority of units; returns, unknown prices and single values aside."""
    draw = np.random.default_rng(3)
    size = 400
    frame = pd.DataFrame(
        {
            "date": pd.Timestamp("2024-05-01") + pd.to_timedelta(draw.integers(0, 20, size), "D"),
            "product": draw.choice(["a", "b"], size),
            "units": draw.integers(-2, 9, size).astype(float),
            "price": draw.choice([0.4, 0.5, np.nan], size, p=[0.4, 0.4, 0.2]),
            "promotion": draw.integers(0, 2, size).astype(float),
        }
    )
    sums: dict[tuple[object, object], list[float]] = defaultdict(lambda: [0.0] * 4)
    for day, product, sold, price, promoted in frame.to_numpy().tolist():
        units, of_day = max(sold, 0.0), sums[day, product]
        if not np.isnan(price):
            of_day[0] += units * price
            of_day[1] += units
        of_day[2] += units * promoted
        of_day[3] += units
    found, differing = with_day_values(frame)
    assert differing == ("price", "promotion")
    for day, product, _, price, promoted in found.to_numpy().tolist():
        paid, units, with_promotion, every = sums[day, product]
        assert price == pytest.approx(paid / units, abs=1e-4)
        assert promoted == (1.0 if with_promotion > every / 2 else 0.0)


@pytest.mark.parametrize("returned", ["", "2024-05-01;roll;-1;0.90;1\n"])
def test_a_day_of_till_lines_has_its_mean_price_and_most_of_its_promotion(
    returned: str, tmp_path: Path
) -> None:
    """Whatever its first line is; a return moves neither."""
    lines = "2024-05-01;roll;1;0.50;1\n2024-05-01;roll;4;0.25;0\n"
    lines += "2024-05-02;roll;1;;1\n2024-05-02;roll;1;0.50;1\n2024-05-03;roll;2;;0\n"
    kept = {"price": "price", "promotion": "promotion"}
    columns = Columns(date="d", product="p", units="u", kept=kept)
    path = file_of(tmp_path, "d;p;u;price;promotion\n" + returned + lines)
    imported = import_sales(ImportRequest(path, columns, till_lines=True, returns="net"))
    assert imported.table.rows["price"].fillna(-1.0).tolist() == [0.3, 0.5, -1.0]
    assert imported.table.rows["promotion"].tolist() == [0.0, 1.0, 0.0]
    assert "price as the mean" in dict(imported.notes)["price, promotion"]

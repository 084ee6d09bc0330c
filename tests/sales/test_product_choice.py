"""Only what is baked: a list of products or categories, on import."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SalesError, SettingsError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection
from glean.sales.product_choice import read_only_these
from tests.sales.importing.exports import file_of

TILL = (
    "d;p;k;u\n2024-05-01;Roll;Bread;30\n2024-05-01;Loaf;Bread;8\n2024-05-01;Mug;Other;1\n"
    "2024-05-02;Roll;Bread;20\n2024-05-02;Cake;Sweet;2\n2024-05-02;Mug;Other;2\n"
)


def request(folder: Path, only: str = "", *, category: str = "k") -> ImportRequest:
    columns = Columns(date="d", product="p", units="u", category=category)
    listed = read_only_these(file_of(folder, only, "only.csv")) if only else None
    return ImportRequest(file_of(folder, TILL), columns, only=listed)


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        ("Roll\n", {"Roll"}),
        ("Roll\nCake\n\n", {"Roll", "Cake"}),
        ("product\nroll\n Cake \n", {"Roll", "Cake"}),
        ("category\nBread\n", {"Roll", "Loaf"}),
        ("bread\nCake\n", {"Roll", "Loaf", "Cake"}),
        ("product;category;price\nMug;;1,5\n;Sweet;\n", {"Mug", "Cake"}),
    ],
)
def test_only_what_is_listed_is_imported(only: str, kept: set[str], tmp_path: Path) -> None:
    """By name or category, whatever its case; a product list will do."""
    imported = import_sales(request(tmp_path, only))
    assert set(imported.table.rows["product"]) == kept
    left = f"{4 - len(kept)} of 4 products, which {tmp_path / 'only.csv'} doesn't list"
    assert ("dropped", left) in imported.notes


def test_names_that_match_nothing_are_refused_with_near_ones(tmp_path: Path) -> None:
    """By line, all at once; a category without its column is one."""
    with pytest.raises(SalesError, match="line 2: found 'Rol'; wanted a product") as caught:
        import_sales(request(tmp_path, "Cake\nRol\nBread\nqqq\n", category=""))
    assert "line 2: found 'Rol'; wanted a product or category that is there, like Roll" in str(
        caught.value
    )
    assert "line 3: found 'Bread'" in str(caught.value)
    assert "one of Cake, Loaf, Mug, Roll" in str(caught.value)
    with pytest.raises(SalesError, match="a column 'product' or 'category', or one name a line"):
        request(tmp_path, "name;price\nRoll;1\n")


def test_products_that_hardly_sell_are_left_out(tmp_path: Path) -> None:
    """By the mean of their days in the table, and named."""
    columns = Columns(date="d", product="p", units="u")
    chosen = Selection(min_units_a_day=2)
    imported = import_sales(ImportRequest(file_of(tmp_path, TILL), columns, selection=chosen))
    assert set(imported.table.rows["product"]) == {"Roll", "Loaf", "Cake"}
    assert ("dropped", "products below 2 units a day: Mug") in imported.notes
    none = ImportRequest(file_of(tmp_path, TILL), columns, selection=Selection(min_units_a_day=50))
    with pytest.raises(SalesError, match="no rows that are kept"):
        import_sales(none)
    with pytest.raises(SettingsError, match="--min-units-a-day: found -1"):
        Selection(min_units_a_day=-1)

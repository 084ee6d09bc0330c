"""A product list: read as bakers write it, refused with every problem named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.products import read_products


def written(folder: Path, text: str) -> Path:
    path = folder / "products.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "product,price,cost,batch_size\nroll,0.5,0.1,24\nloaf,3.9,,\n",
        "product;price;cost;batch_size\nroll;0,5;0,1;24\nloaf;3,9;;\n",
        "\ufeffproduct\tprice\tcost\tbatch_size\nroll\t0.5\t0.1\t24\n\nloaf\t3.9\n",
    ],
)
def test_lists_are_read_in_any_writing(tmp_path: Path, text: str) -> None:
    """Comma, semicolon, tab; decimal comma; a BOM, empty lines and cells that are missing."""
    found = read_products(written(tmp_path, text))
    assert list(found) == ["roll", "loaf"]
    assert (found["roll"].price, found["roll"].batch_size) == (0.5, 24.0)
    assert found["roll"].critical_ratio == pytest.approx(0.8)
    assert found["loaf"].price == 3.9
    assert math.isnan(found["loaf"].cost)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,price\nroll,1\n", "no such column"),
        ("product,colour\nroll,red\n", "'colour'"),
        ("product,price\nroll,dear\n", "line 2, column 'price': found 'dear'"),
        ("product,price\nroll,-1\n", "found '-1'"),
        ("product,batch_size\nroll,0\n", "a number above 0"),
        ("product,service_level\nroll,95\n", "a share from 0.01 to 0.99"),
        ("product,price,cost\nroll,1,2\n", "a price above the cost"),
        ("product,price\nroll,1\nroll,2\n", "line 3, column 'product': found 'roll'"),
        ("product,price\n,1\n", "each product once, with its name"),
        ("", "no such column"),
    ],
)
def test_a_bad_list_is_refused_by_place(tmp_path: Path, text: str, said: str) -> None:
    """With the line, the column, what was found and what was wanted."""
    with pytest.raises(SalesError, match=said.replace("'", "'")):
        read_products(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """By its name, without a traceback."""
    with pytest.raises(SalesError, match="nothing-there"):
        read_products(tmp_path / "nothing-there.csv")

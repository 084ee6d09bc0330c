"""A product list: read as bakers write it, refused with every problem named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from glean.errors import SalesError
from glean.sales.products import Product, read_products, unsold_products


def written(folder: Path, text: str) -> Path:
    path = folder / "products.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "product,price,cost,batch_size\nroll,0.5,0.1,24\nloaf,3.9,,\n",
        "product;price;cost;batch_size\nroll;0,5;0,1;24\nloaf;3,9;;\n",
        "sep=;\nproduct;price;cost;batch_size\n"
        "roll;0,50 \u20ac;0,10 \u20ac;24\nloaf;3,90 \u20ac;;\n",
        'product,price,cost,batch_size\nroll,$.5,"0,1",24\n lo\u00adaf ,$3.9,-,\n',
        "\ufeffproduct\tprice\tcost\tbatch_size\nroll\t0.5\t0.1\t24\n\nloaf\t3.9\t\t\n",
    ],
)
def test_lists_are_read_in_any_writing(tmp_path: Path, text: str) -> None:
    """Any delimiter, decimal mark by column, sep=, currency, a BOM, empty lines and cells."""
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
        ("product,price,price\nroll,1,2\n", "found this column twice"),
        ("product,weight_kg,batch_size\nroll,0,055,12\n", "line 2: found 4 values"),
        ("product,weight_kg,batch_size\nroll,0,055\n", "a comma inside a number goes in quotes"),
        ("product,price,cost\nroll,1\n", "line 2: found 2 values"),
        ('product,price,expected_units\nroll,0.5,"1,200"\n', "wanted a thousand without a mark"),
        ("product,price,cost\nroll,$1,0.5\nloaf,\u20ac2,1\n", "one currency in a column"),
        ("product,price\nRye roll,1\nRye  roll,2\n", "found 'Rye roll'"),
        ("", "an empty file"),
    ],
)
def test_a_bad_list_is_refused_by_place(tmp_path: Path, text: str, said: str) -> None:
    """With the line, the column, what was found and what was wanted."""
    with pytest.raises(SalesError, match=said.replace("'", "'")):
        read_products(written(tmp_path, text))


@pytest.mark.parametrize("code", ["utf-8", "cp1252", "utf-16"])
def test_the_encoding_is_found_out(tmp_path: Path, code: str) -> None:
    """As an import finds it."""
    path = tmp_path / "products.csv"
    path.write_bytes("product;price;cost\nBr\u00f6tchen;0,50;0,10\n".encode(code))
    assert read_products(path)["Br\u00f6tchen"].price == 0.5


def test_an_open_mark_is_settled_by_the_list_itself(tmp_path: Path) -> None:
    """1,200 beside 30 and prices with a point is a thousand."""
    path = written(tmp_path, 'product,price,expected_units\nroll,.5,"1,200"\nbun,.5,30\n')
    assert read_products(path)["roll"].expected_units == 1200.0


def test_names_that_match_nothing_sold_are_found() -> None:
    """With near names; what is new has expected units, and no name near it."""
    sold = ["Roll", "Croissant", "Rye loaf"]
    listed = {
        name: Product(name, expected_units=20.0 if name in ("Stollen", "croissant") else math.nan)
        for name in ("Rye loaf", "roll", "Croisant", "croissant", "Stollen", "Pretzel")
    }
    assert unsold_products(listed, sold) == {
        "roll": ["Roll"],
        "Croisant": ["Croissant"],
        "croissant": ["Croissant"],
        "Pretzel": [],
    }


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """By its name, without a traceback."""
    with pytest.raises(SalesError, match="nothing-there"):
        read_products(tmp_path / "nothing-there.csv")

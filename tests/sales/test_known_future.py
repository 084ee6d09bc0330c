"""A file of coming days: read as bakers write it, looked up by product, refused by place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SalesError
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture, read_future_file

DAYS = pd.date_range("2026-12-01", periods=28)
PRODUCTS = ("Rye bread", "Rolls")
INPUTS = ("promotion", "price", "holiday", "school_holiday", "temperature_c", "rain_mm", "market")


def read(folder: Path, text: str) -> KnownFuture:
    path = folder / "coming.csv"
    path.write_text(text, encoding="utf-8")
    return read_future_file(path, days=DAYS, products=PRODUCTS, inputs=INPUTS)


def problems(folder: Path, text: str) -> str:
    with pytest.raises(SalesError) as caught:
        read(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "date,product,promotion,price,open\n2026-12-24,Rolls,1,0.45,\n2026-12-26,,,,0\n",
        "date;product;promotion;price;open\n24.12.2026;Rolls;yes;0,45;\n26.12.2026;;;;No\n",
        "sep=;\ndate;product;promotion;price;open\n"
        "24. Dez. 26;Rolls;ja;0,45 \u20ac;\nSa 26.12.26;;;;nein\n",
        "date,product,promotion,price,open\n12/24/2026,Rolls,oui,0.45,-\n26/12/2026,,,,non\n",
        "\ufeffopen\tprice\tproduct\tpromotion\tdate\n\t.45\t Rolls \t1.0\t24.12.26\n\n"
        "0\t\t\t\t2026-12-26\n",
    ],
)
def test_a_file_is_read_in_any_writing(tmp_path: Path, text: str) -> None:
    """Any delimiter, decimal mark and currency; dates in any order; flags in three languages."""
    rows = read(tmp_path, text).rows
    assert rows["date"].tolist() == [pd.Timestamp("2026-12-24"), pd.Timestamp("2026-12-26")]
    assert rows["product"].tolist() == ["Rolls", ""]
    for name, wanted in (("promotion", 1.0), ("price", 0.45), ("open", np.nan)):
        assert rows[name].iloc[0] == pytest.approx(wanted, nan_ok=True)
    assert rows["open"].iloc[1] == 0
    assert np.isnan(rows["promotion"].iloc[1])


@pytest.mark.parametrize("text", ["date,promotion,open\n", "date,promotion\n2026-12-24,\n"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    """A header alone, or empty cells: nothing is planned."""
    told = read(tmp_path, text)
    assert told.inputs == ()
    asked = pd.DataFrame({"date": DAYS[:2], "product": "Rolls"})
    assert told.values_of(asked).isna().all(axis=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day,promotion\n2026-12-24,1\n", "wanted a column 'date'"),
        ("Date,promotion\n2026-12-24,1\n", "'date' is nearly it"),
        ("date,promotoin\n2026-12-24,1\n", "'promotion' is nearly it"),
        ("date,units\n2026-12-24,1\n", "column 'units': found a column that the forecast doesn't"),
        ("date,open\nXmas,1\n", "wanted a date like 2026-12-01 or 01.12.2026"),
        ("date,open\nMon 24.12.2026,1\n", "wanted a date like 2026-12-01 or 01.12.2026"),
        ("date,open\n2026-11-30,1\n", "one of the 28 days that can be forecast: 2026-12-01 to"),
        ("date,open\n2026-12-29,1\n", "found '2026-12-29'"),
        ("date,product\n2026-12-24,Rols\n", "a product that is sold, like Rolls"),
        ("date,product\n2026-12-24,Xyz\n", "(Rye bread, Rolls), or nothing for all of them"),
        ("date,price\n2026-12-24,cheap\n", "line 2, column 'price': found 'cheap'"),
        ("date,price\n2026-12-24,0\n", "a price above 0"),
        ("date,market\n2026-12-24,inf\n", "a finite number, or nothing"),
        ('date,market,price\n2026-12-24,"1,200",.5\n', "wanted a thousand without a mark"),
        ("date,promotion\n2026-12-24,2\n", "0 or 1 (no or yes)"),
        ("date,open\n2026-12-24,maybe\n", "found 'maybe'"),
        ("date,open\n2026-12-24,1\n2026-12-24,0\n", "line 2 has it already"),
        ("date,open\n2026-12-24,1,1\n", "found 3 values"),
        ("date,open,open\n2026-12-24,1,1\n", "this column twice"),
        ("", "an empty file"),
    ],
)
def test_a_bad_file_is_refused_by_place(tmp_path: Path, text: str, said: str) -> None:
    """With the line, the column, what was found and what was wanted."""
    assert said in problems(tmp_path, text)


def test_a_date_that_may_be_two_of_the_days_is_asked_for(tmp_path: Path) -> None:
    """3 February and 2 March both lie ahead; with dots, or elsewhere, only one reading does."""
    days = pd.date_range("2026-02-03", periods=28)
    path = tmp_path / "coming.csv"
    for text, found in (("03/02/2026", None), ("03.02.2026", 3), ("02/05/2026", 5), ("6/2/26", 6)):
        path.write_text(f"date,open\n{text},0\n", encoding="utf-8")
        if found is None:
            with pytest.raises(SalesError, match="may be two of the days"):
                read_future_file(path, days=days, products=(), inputs=())
        else:
            told = read_future_file(path, days=days, products=(), inputs=()).rows
            assert told["date"].tolist() == [pd.Timestamp(2026, 2, found)]


def test_all_problems_come_at_once_in_file_order(tmp_path: Path) -> None:
    """Of all kinds; each with its line."""
    text = "date,product,price,sun\n2026-11-01,Rolls,1,\n2026-12-24,Cake,1,\n2026-12-25,,x,\n"
    lines = problems(tmp_path, text).splitlines()
    assert [line.partition(":")[0].partition(", ")[2] for line in lines] == [
        "column 'sun'",
        "line 2, column 'date'",
        "line 3, column 'product'",
        "line 4, column 'price'",
    ]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(SalesError, match="nothing-there"):
        read_future_file(tmp_path / "nothing-there.csv", days=DAYS, products=(), inputs=())


CELLS = st.dictionaries(
    st.tuples(st.integers(0, 2), st.sampled_from(["", *PRODUCTS])),
    st.tuples(*[st.sampled_from([0.0, 1.0, np.nan])] * 2),
    max_size=9,
)


@settings(max_examples=40)
@given(cells=CELLS)
def test_a_product_s_own_cell_beats_the_day_s(
    cells: dict[tuple[int, str], tuple[float, float]],
) -> None:
    """Cell by cell, as a plain loop looks it up; in whatever order the rows stand."""
    told = NOTHING_KNOWN
    if cells:
        rows = [
            {"date": DAYS[day], "product": product, "open": is_open, "promotion": promotion}
            for (day, product), (is_open, promotion) in cells.items()
        ]
        told = KnownFuture(pd.DataFrame(rows))
    asked = pd.DataFrame(
        [{"date": DAYS[day], "product": product} for product in PRODUCTS for day in range(3)]
    )
    found = told.values_of(asked)
    for row, (day, product) in enumerate((d, p) for p in PRODUCTS for d in range(3)):
        for place, name in enumerate(("open", "promotion")):
            nothing = (np.nan, np.nan)
            own = cells.get((day, product), nothing)[place]
            wanted = cells.get((day, ""), nothing)[place] if np.isnan(own) else own
            value = found[name].iloc[row] if name in found else np.nan
            assert value == pytest.approx(wanted, nan_ok=True)

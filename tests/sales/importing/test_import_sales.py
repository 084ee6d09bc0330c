"""From an export to a sales table: columns, sums by day, zeros, selection."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import SalesError
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection
from glean.sales.importing.tills import LONGEST_GAP_DAYS, with_zero_days
from tests.sales.importing.exports import EXPORT, LONG, file_of, units_of


def test_kept_columns_get_their_new_names(tmp_path: Path) -> None:
    """Further columns come along, read with the same decimal mark."""
    columns = Columns(**{**vars(LONG), "kept": {"Preis": "price"}})
    rows = import_sales(ImportRequest(file_of(tmp_path, EXPORT), columns)).table.rows
    assert list(rows["price"]) == [0.45, 0.45, 0.5]


@pytest.mark.parametrize("till_lines", [False, True])
def test_columns_that_do_not_come_along_are_named(till_lines: bool, tmp_path: Path) -> None:
    """Glean's own columns too are only kept if asked for, and the report says how."""
    text = "date,units,note,price,promotion\n2024-05-01,3,dull,0.45,1\n"
    columns = Columns(date="date", units="units", kept={"promotion": "promotion"})
    path = file_of(tmp_path, text)
    notes = import_sales(ImportRequest(path, columns, till_lines=till_lines)).notes
    assert ("not used", "the columns note, price") in notes
    assert any(words.startswith("--keep price would keep it") for _, words in notes)
    kept = {name: name for name in ("promotion", "price")}
    path = file_of(tmp_path, text.replace(",note", "").replace(",dull", ""))
    all_used = import_sales(ImportRequest(path, Columns("date", "units", kept=kept)))
    assert "not used" not in dict(all_used.notes)


def test_names_lose_stray_spaces(tmp_path: Path) -> None:
    """Names that differ in spaces only become one, and the report says so."""
    text = "d,p,u\n2024-05-01, Rye  bread ,1\n2024-05-02,Rye bread,2\n"
    columns = Columns(date="d", product="p", units="u")
    imported = import_sales(ImportRequest(file_of(tmp_path, text), columns, bakery_name="North"))
    assert set(imported.table.rows["product"]) == {"Rye bread"}
    assert imported.table.bakeries == ("North",)
    assert ("tidied", "1 names in 'p': stray spaces, invisible signs") in imported.notes


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Br\u00f6tchen", "Bro\u0308tchen", True),
        ("Rye bread", "Rye\u00a0bread", True),
        ("Rye bread", "Ryebread", True),
        ("Rolls", "Ro\u00adlls\u200b", True),
        ("Rolls", "\ufeffRolls", True),
        ("Box 1 2", "Box 12", False),
        ("Rolls", "rolls", False),
    ],
)
def test_names_that_look_the_same_are_one(one: str, other: str, same: bool, tmp_path: Path) -> None:
    """Composed or not, with invisible characters, blanks only apart: the commonest spelling."""
    text = f"d,p,u\n2024-05-01,{one},1\n2024-05-02,{one},2\n2024-05-03,{other},4\n"
    path = file_of(tmp_path, text)
    columns = Columns(date="d", product="p", units="u")
    products = import_sales(ImportRequest(path, columns)).table.rows["product"]
    assert set(products) == ({one} if same else {one, other})


@pytest.mark.parametrize("returns", ["net", "drop", None])
def test_returns(returns: str | None, tmp_path: Path) -> None:
    """Returns are netted within the day, dropped, or an error that offers both."""
    text = "Datum,Menge\n2024-05-01,5\n2024-05-01,-2\n2024-05-02,-2\n"
    request = ImportRequest(
        file_of(tmp_path, text),
        Columns(date="Datum", units="Menge"),
        returns=returns,
        bakery_name="A",
    )
    if returns is None:
        with pytest.raises(SalesError, match="--returns net"):
            import_sales(request)
        return
    expected = {"net": {1: 3.0, 2: 0.0}, "drop": {1: 5.0}}[returns]
    found = units_of(import_sales(request))
    assert found == {(f"2024-05-0{day}", "A", "all"): units for day, units in expected.items()}


def test_till_lines_are_summed_as_by_hand(tmp_path: Path) -> None:
    """Random till lines give the sums of a plain loop; ignored items and times don't count."""
    draw = np.random.default_rng(7)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    lines = ["When,Item,Qty"]
    for _ in range(400):
        day, item = (
            f"2024-05-{draw.integers(1, 10):02d}",
            str(draw.choice(["Roll", "Cake", "NONE"])),
        )
        quantity = int(draw.integers(1, 4))
        lines.append(f"{day} {draw.integers(6, 19)}:30:00,{item},{quantity}")
        if item != "NONE":
            expected[day, item] += quantity
    path = file_of(tmp_path, "\n".join(lines))
    columns = Columns(date="When", product="Item", units="Qty")
    request = ImportRequest(path, columns, till_lines=True, ignored_items=("NONE",), zeros=False)
    found = {
        (day, item): units for (day, _, item), units in units_of(import_sales(request)).items()
    }
    assert found == dict(expected)
    ones = ImportRequest(path, Columns(date="When"), till_lines=True)
    assert sum(units_of(import_sales(ones)).values()) == 400.0


SALES = st.lists(st.tuples(st.integers(0, 90), st.sampled_from("ab")), min_size=1, unique=True)


@given(sold=SALES)
def test_zero_days_are_those_of_a_plain_loop(sold: list[tuple[int, str]]) -> None:
    """A zero stands where the shop was open and the product's gap between sales is short."""
    start = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame(sold, columns=["date", "product"]).assign(bakery="A", units=1.0)
    frame["date"] = start + pd.to_timedelta(frame["date"], unit="D")
    filled, count = with_zero_days(frame)
    zeros = filled[filled["units"] == 0.0]
    expected = set()
    for day in {day for day, _ in sold}:
        for product in "ab":
            days = [at for at, of in sold if of == product]
            before = max((at for at in days if at < day), default=-1000)
            after = min((at for at in days if at > day), default=1000)
            if day not in days and after - before <= LONGEST_GAP_DAYS:
                expected.add((day, product))
    days_found = (zeros["date"] - start).dt.days
    assert set(zip(days_found, zeros["product"], strict=True)) == expected
    assert count == len(expected) == len(filled) - len(sold)


def test_zero_days_carry_the_flags_of_the_day(tmp_path: Path) -> None:
    """A row added for an unsold product knows that the day was a holiday."""
    text = "d,p,h\n2024-05-01,a,0\n2024-05-02,b,1\n2024-05-03,a,0\n2024-05-03,b,0\n"
    columns = Columns(date="d", product="p", kept={"h": "holiday"})
    rows = import_sales(ImportRequest(file_of(tmp_path, text), columns, till_lines=True)).table.rows
    added = rows[rows["units"] == 0]
    assert added[["product", "holiday"]].to_numpy().tolist() == [["a", 1.0]]


def test_wide_files_are_melted(tmp_path: Path) -> None:
    """Each number column becomes a product; empty cells are left out, zeros stay."""
    text = "day,weekday,roll,cake\n2024-05-01,Wed,5,0\n2024-05-02,Thu,,2\n"
    path = file_of(tmp_path, text)
    imported = import_sales(ImportRequest(path, Columns(date="day"), wide=True, bakery_name="A"))
    assert units_of(imported) == {
        ("2024-05-01", "A", "roll"): 5.0,
        ("2024-05-01", "A", "cake"): 0.0,
        ("2024-05-02", "A", "cake"): 2.0,
    }
    assert ("not used", "the column weekday") in imported.notes
    one = ImportRequest(path, Columns(date="day"), wide=True, products=("cake",))
    assert set(import_sales(one).table.rows["product"]) == {"cake"}


def test_rows_are_aligned_and_closed_days_left_out(tmp_path: Path) -> None:
    """Dates and closing days of a second file stand beside the sales, line by line."""
    path = file_of(tmp_path, "roll\n5\n0\n6\n")
    days = file_of(tmp_path, "d;shut;t\n01.05.24;0;9,5\n02.05.24;1;8\n03.05.24;0;7\n", "days.csv")
    columns = Columns(date="d", closed="shut", kept={"t": "temperature_c"})
    request = ImportRequest(path, columns, wide=True, aligned=days, bakery_name="A")
    imported = import_sales(request)
    assert units_of(imported) == {
        ("2024-05-01", "A", "roll"): 5.0,
        ("2024-05-03", "A", "roll"): 6.0,
    }
    assert list(imported.table.rows["temperature_c"]) == [9.5, 7.0]
    file_of(tmp_path, "d,roll\n2024-05-01,1\n", "days.csv")
    with pytest.raises(SalesError) as caught:
        import_sales(request)
    assert "found 1 lines; wanted 3" in str(caught.value)
    assert "a column of both files" in str(caught.value)


def test_selection_of_days_and_bakeries(tmp_path: Path) -> None:
    """Days are cut first, then short bakeries left out, then the first by name kept."""
    lines = [
        f"{bakery},2024-05-{day:02d},1"
        for bakery, days in {"a": 9, "b": 3, "c": 9, "d": 9}.items()
        for day in range(1, days + 1)
    ]
    path = file_of(tmp_path, "\n".join(["b,d,u", *lines]))
    selection = Selection(dt.date(2024, 5, 2), dt.date(2024, 5, 8), min_days=7, first=2)
    request = ImportRequest(path, Columns(date="d", units="u", bakery="b"), selection=selection)
    table = import_sales(request).table
    assert table.bakeries == ("a", "c")
    assert table.rows["date"].min() == pd.Timestamp("2024-05-02")
    assert len(table.rows) == 14
    nothing = ImportRequest(path, request.columns, selection=Selection(min_days=10))
    with pytest.raises(SalesError, match="no rows that are kept"):
        import_sales(nothing)


def test_lines_outside_the_days_asked_for_may_be_odd(tmp_path: Path) -> None:
    """A return after --until is no problem, since the line isn't wanted."""
    path = file_of(tmp_path, "d,u\n2024-05-01,1\n2024-05-02,-1\n")
    selection = Selection(until=dt.date(2024, 5, 1))
    request = ImportRequest(path, Columns(date="d", units="u"), selection=selection)
    assert len(import_sales(request).table.rows) == 1

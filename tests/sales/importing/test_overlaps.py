"""Till lines that stand twice: blocks are asked about, single ones count; voided ones don't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SalesError
from glean.sales.importing.import_sales import Imported, import_sales
from glean.sales.importing.overlaps import standing_twice
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.reading.sheet import Sheet, texts_of
from tests.sales.importing.exports import file_of

TILL = Columns(date="d", product="p", units="u")
HEADER = "t,d,p,u\n"


def lines_of(days: range) -> list[str]:
    """Three tickets a day, one of which has the same line twice."""
    items = ("roll,2", "roll,2", "loaf,1", "bun,3")
    return [
        f"{day * 10 + max(place - 1, 0)},2024-05-{day:02d},{item}\n"
        for day in days
        for place, item in enumerate(items)
    ]


def imported(folder: Path, lines: list[str], overlap: str = "") -> Imported:
    path = file_of(folder, HEADER + "".join(lines))
    return import_sales(ImportRequest(path, TILL, till_lines=True, overlap=overlap))


def test_overlapping_exports_are_asked_about(tmp_path: Path) -> None:
    """Three days stand twice: refused with their number, counted once or twice as told."""
    lines = lines_of(range(1, 9)) + lines_of(range(6, 12))
    with pytest.raises(SalesError, match="line 34: found 3 days") as caught:
        imported(tmp_path, lines)
    assert "3 days (2024-05-06 to 2024-05-08) that stand twice, 12 lines" in str(caught.value)
    assert "--overlap drop" in str(caught.value)
    once = imported(tmp_path, lines_of(range(1, 12))).table.rows
    assert imported(tmp_path, lines, "drop").table.rows.equals(once)
    kept = imported(tmp_path, lines, "keep").table.rows
    assert kept["units"].sum() == once["units"].sum() + 3 * 8


def test_the_second_file_may_overlap_the_first(tmp_path: Path) -> None:
    """As two lines of a month that ends where the next begins."""
    paths = [
        file_of(tmp_path, HEADER + "".join(lines_of(days)), name)
        for days, name in ((range(1, 5), "one.csv"), (range(4, 9), "two.csv"))
    ]
    request = ImportRequest(
        paths[0], TILL, till_lines=True, further=(paths[1],), bakery_name="North"
    )
    with pytest.raises(SalesError, match="line 2: found 1 day"):
        import_sales(request)


def test_single_repeated_lines_count_and_are_told(tmp_path: Path) -> None:
    """Two rolls on a ticket are two sales; how many lines are so is said."""
    found = imported(tmp_path, lines_of(range(1, 9)))
    rows = found.table.rows
    assert set(rows.loc[rows["product"] == "roll", "units"]) == {4.0}
    assert ("till lines", "32 lines summed to days; 8 repeat a line and count too") in found.notes


def test_a_day_merged_line_by_line_stands_twice(tmp_path: Path) -> None:
    """Sorted after merging: each of its many different lines is there twice."""
    day = [f"{ticket},2024-05-01,roll,1\n" for ticket in range(20)]
    other = [f"{ticket},2024-05-02,roll,1\n" for ticket in range(20)]
    with pytest.raises(SalesError, match="found 1 day \\(2024-05-01\\) that stand"):
        imported(tmp_path, sorted(day * 2) + other)
    assert len(imported(tmp_path, sorted(day * 2)[1:] + other).table.rows) == 2


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    days=st.integers(1, 40),
    kinds=st.integers(1, 6),
    shuffled=st.booleans(),
)
def test_chance_is_no_overlap(seed: int, days: int, kinds: int, shuffled: bool) -> None:
    """Lines without times or tickets, in order of the days or in none: nothing stands twice."""
    draw = np.random.default_rng(seed)
    day = draw.integers(0, days, 300)
    item = draw.integers(0, kinds, 300)
    order = np.arange(300) if shuffled else np.argsort(day, kind="stable")
    cells = {
        "d": texts_of([f"{n}" for n in day[order]]),
        "p": texts_of([f"{n}" for n in item[order]]),
    }
    sheet = Sheet("f.csv", cells, np.arange(300))
    found = standing_twice(sheet, day[order].astype("datetime64[D]"))
    # Where a few lines are all there is, a shuffled one says nothing.
    assert not found.any() or (shuffled and days * kinds < 12)


def test_two_days_in_turn_are_no_overlap() -> None:
    """A pattern that goes on isn't a block that comes again after its end."""
    days = np.tile(np.array(["2024-05-01", "2024-05-02"], dtype="datetime64[D]"), 6)
    sheet = Sheet("f.csv", {"d": texts_of([str(day) for day in days])}, np.arange(12))
    assert not standing_twice(sheet, days).any()
    again = np.concatenate([np.arange("2024-05-01", "2024-05-06", dtype="datetime64[D]")] * 2)
    sheet = Sheet("f.csv", {"d": texts_of([str(day) for day in again])}, np.arange(10))
    assert standing_twice(sheet, again).tolist() == [False] * 5 + [True] * 5


VOIDS = "d,p,u,{name}\n2024-05-01,roll,2,{no}\n2024-05-01,roll,3,{yes}\n2024-05-02,roll,4,{no}\n"


@pytest.mark.parametrize(
    "name", ["Void?", "voided", "is_void", "Storno", "STORNIERT", "annul\u00e9"]
)
@pytest.mark.parametrize(("no", "yes"), [("false", "true"), ("", "x"), ("0", "1"), ("nein", "ja")])
def test_voided_lines_are_found_by_the_name_of_their_column(
    name: str, no: str, yes: str, tmp_path: Path
) -> None:
    """And left out, which is said; unless told that every line counts."""
    path = file_of(tmp_path, VOIDS.format(name=name, no=no, yes=yes))
    found = import_sales(ImportRequest(path, TILL, till_lines=True))
    assert found.table.rows["units"].tolist() == [2.0, 4.0]
    assert ("dropped", "1 voided line") in found.notes
    assert f"the column {name!r}" in dict(found.notes)["voids"]
    every = Columns(date="d", product="p", units="u", void="none")
    assert import_sales(ImportRequest(path, every, till_lines=True)).table.rows["units"][0] == 5.0


def test_a_column_of_voids_can_be_told(tmp_path: Path) -> None:
    """Under any name; what is no flag there is refused by line."""
    told = Columns(date="d", product="p", units="u", void="S")
    path = file_of(tmp_path, VOIDS.format(name="S", no="0", yes="1"))
    rows = import_sales(ImportRequest(path, told, till_lines=True)).table.rows
    assert rows["units"].tolist() == [2.0, 4.0]
    path = file_of(tmp_path, VOIDS.format(name="S", no="0", yes="4711"))
    with pytest.raises(SalesError, match="line 3, column 'S': found '4711'; wanted 0 or 1"):
        import_sales(ImportRequest(path, told, till_lines=True))


def test_a_column_of_void_receipts_is_no_flag(tmp_path: Path) -> None:
    """It isn't taken, and the import says why."""
    path = file_of(tmp_path, VOIDS.format(name="Storno", no="", yes="4711"))
    found = import_sales(ImportRequest(path, TILL, till_lines=True))
    assert found.table.rows["units"].tolist() == [5.0, 4.0]
    assert "has no flags; not used" in dict(found.notes)["voids"]

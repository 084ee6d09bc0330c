"""Products that look renamed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.operations.tables.remarks import remarks_of
from glean.sales.quality.data_check import examine
from glean.sales.quality.renamed import renamed_products
from tests.sales.quality.sales_weeks import file_of, sales

CHANGE = "2024-03-15"


def changed(
    *, to: str = "Kaiser", times: float = 1.0, days_off: tuple[int, ...] = ()
) -> pd.DataFrame:
    """Rolls until a day, from the next on another name, beside a loaf that stays."""
    rows = sales(200)
    before, after = rows[rows["date"] <= CHANGE], rows[rows["date"] > CHANGE]
    after = after[~after["date"].dt.day_of_week.isin(list(days_off))]
    after = pd.DataFrame(after.assign(product=to, units=after["units"] * times))
    return pd.concat([before, after, sales(200).assign(product="Loaf")])


def test_a_new_name_at_a_like_level_is_asked_about(tmp_path: Path) -> None:
    """One ends where the other begins: both are named, with days and levels."""
    report = examine(file_of(tmp_path, changed()))
    (pair,) = report.bakeries[0].renamed
    assert (pair.before, pair.after) == ("Rolls", "Kaiser")
    assert (f"{pair.ended}", f"{pair.began}") == (CHANGE, "2024-03-16")
    (remark,) = [text for text in remarks_of(report) if "renamed?" in text]
    assert remark.startswith("A: 'Rolls' ends on 15 Mar 2024 (55.")


@pytest.mark.parametrize(
    ("to", "times", "days_off", "found"),
    [
        ("Kaiser", 1.6, (), False),
        ("Rolls.", 1.6, (), True),
        ("Kaiser", 1.0, (0, 1), False),
        ("Kaiser", 1.2, (), True),
    ],
)
def test_levels_weekdays_and_names_count(
    to: str, times: float, days_off: tuple[int, ...], found: bool
) -> None:
    """Another level or week is another product, unless the names are near."""
    assert bool(renamed_products(changed(to=to, times=times, days_off=days_off))) == found


def test_products_that_go_on_or_come_much_later_are_none() -> None:
    """Nothing is renamed while the old name still sells, nor after a month, nor at the edges."""
    rows = changed()
    assert renamed_products(pd.concat([rows, sales(200).tail(30)])) == {}
    late = rows[(rows["product"] != "Kaiser") | (rows["date"] > "2024-04-20")]
    assert renamed_products(late) == {}
    assert renamed_products(rows[rows["product"] != "Loaf"].head(95)) == {}

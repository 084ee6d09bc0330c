"""Test windows that fit: how long a test a table bears, and who is trained on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.operations.tables.remarks import remarks_of
from glean.operations.tables.table_check import next_step, verdict
from glean.sales.quality.data_check import examine
from glean.sales.quality.histories import longest_test
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable
from glean.sales.windows import windows_of
from glean.settings import WindowSettings
from tests.sales.quality.sales_weeks import file_of, sales

TEST_DAYS = WindowSettings().test_days


def test_a_table_too_short_for_the_default_test_is_told_a_shorter_one(tmp_path: Path) -> None:
    """With 35 days there is no run as it is; with the test that is named half of them train."""
    short = [sales(days).assign(bakery=name) for name, days in (("A", 20), ("B", 35), ("C", 40))]
    path = file_of(tmp_path, pd.concat(short))
    report = examine(path)
    assert report.usable
    words = verdict(report)
    assert f"by default the last {TEST_DAYS} days are kept" in words
    assert "no bakery has 14 trading days with sales before them" in words
    assert words.endswith("The setting test-days=21 leaves them.")
    assert next_step(report) == f"Next: glean simulate --sales {path} --set test-days=21"
    table = read_sales(path)
    laid = [windows_of(table.of(name), WindowSettings(test_days=21)) for name in "ABC"]
    assert [windows.trains for windows in laid] == [False, True, True]
    assert laid[1].trading_days == 14


def test_one_bakery_s_short_table_is_told_a_shorter_test(tmp_path: Path) -> None:
    """Its table is for its own machine, so that no simulation comes next."""
    report = examine(file_of(tmp_path, sales(35)))
    assert verdict(report).endswith("before them. The setting test-days=21 leaves them.")
    assert next_step(report) == ""


@pytest.mark.parametrize("days", [14 + TEST_DAYS, 13 + TEST_DAYS])
def test_the_longest_test_is_that_of_the_windows(days: int) -> None:
    """A bakery learns by the data check if it does by the windows of a run, holes or not."""
    for gone in ([], [3, 4], [13, 14, 15], [-3, -2]):
        rows = sales(days).drop(index=[at % days for at in gone]).reset_index(drop=True)
        longest = longest_test(rows)
        laid = [
            windows_of(SalesTable(rows), WindowSettings(test_days=longest + more)).trains
            for more in (0, 1)
        ]
        assert laid == [True, False]
    assert (longest_test(sales(days)) >= TEST_DAYS) == (days == 14 + TEST_DAYS)


def test_a_history_that_is_no_history_has_no_test() -> None:
    """Fourteen days leave none for a test, and zeros before the first sale teach nothing."""
    assert longest_test(sales(14)) == 0
    assert longest_test(sales(15)) == 1
    late = sales(100)
    late.loc[:69, "units"] = 0.0
    assert longest_test(late) == 16
    assert longest_test(late.assign(units=0.0)) == 0


def test_who_isn_t_trained_on_is_named(tmp_path: Path) -> None:
    """Among bakeries that learn, one with all of its days in the test window is told why."""
    report = examine(file_of(tmp_path, pd.concat([sales(), sales(30).assign(bakery="Young")])))
    assert verdict(report) == f"{report.source} can be used as it is."
    assert next_step(report) == f"Next: glean simulate --sales {report.source}"
    (remark,) = remarks_of(report)
    assert remark == (
        "Young: not trained on, for fewer than 14 trading days with sales stand before the last "
        f"{TEST_DAYS} days, which are kept for the test. The setting test-days=16 leaves enough."
    )


def test_too_little_for_any_test_is_said(tmp_path: Path) -> None:
    """Ten days are in the format and can be forecast, and no setting makes them a run."""
    report = examine(file_of(tmp_path, pd.concat([sales(10), sales(10).assign(bakery="B")])))
    assert report.usable
    assert "can be used as it is, but not to learn from" in verdict(report)
    assert next_step(report) == ""

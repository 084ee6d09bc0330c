"""The data check: what it finds in a table, and how it says so."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from glean.cli.checked import print_check
from glean.languages.language import LANGUAGES, LanguageCode, language
from glean.operations.tables.remarks import remarks_of
from glean.operations.tables.table_check import check_table, next_step, verdict
from glean.sales.quality.data_check import examine
from glean.sales.quality.outliers import usual_units
from tests.sales.quality.sales_weeks import file_of, sales


def test_outliers_are_the_planted_days() -> None:
    """A day of ten times the usual and a day of nearly nothing are found, Saturdays aren't."""
    rows = sales()
    rows.loc[[40, 80], "units"] = [600.0, 1.0]
    usual, outliers = usual_units(rows)
    assert np.flatnonzero(outliers).tolist() == [40, 80]
    np.testing.assert_allclose(usual[[40, 80]], sales()["units"][[40, 80]], rtol=0.1)


def test_counts_of_a_slow_product_aren_t_outliers() -> None:
    """Chance alone (Poisson counts around 1 and around 30) is hardly ever an outlier."""
    rng = np.random.default_rng(5)
    rows = pd.concat([sales(700).assign(units=rng.poisson(mean, 700) * 1.0) for mean in (1, 30)])
    rows["product"] = np.repeat(["slow", "fast"], 700)
    _, outliers = usual_units(rows)
    assert outliers.mean() < 0.002


def test_usual_units_against_a_plain_loop() -> None:
    """The usual is the squared median of the roots of nine same weekdays around the day."""
    rng = np.random.default_rng(6)
    rows = sales(100).assign(units=rng.integers(0, 40, 100) * 1.0)
    usual, _ = usual_units(rows)
    at = 50
    same = [at + 7 * week for week in range(-4, 5)]
    expected = np.median(np.sqrt(rows["units"].to_numpy()[same])) ** 2
    assert usual[at] == pytest.approx(expected)


def test_report_of_a_sound_file(tmp_path: Path) -> None:
    """Span, days, size and stock-outs of a product are those of the file; it can be used."""
    rows = sales().assign(sold_out_at=["15:00"] * 35 + [""] * 105, note="x")
    report = examine(file_of(tmp_path, rows))
    (bakery,) = report.bakeries
    (product,) = bakery.products
    assert (product.opening.trading_days, product.returns) == (140, 0)
    assert product.opening.first == dt.date(2024, 1, 1)
    assert product.mean_units == pytest.approx(rows["units"].mean())
    assert product.sold_out_share == pytest.approx(0.25)
    assert report.usable
    assert report.ignored == ("note",)
    remarks = " ".join(remarks_of(report))
    assert "Rolls sold out on 25% of its days" in remarks
    assert "aren't used: note" in remarks
    assert verdict(report).endswith("can be used as it is.")


def test_remarks_name_what_is_worth_a_look(tmp_path: Path) -> None:
    """Gaps, like names, outliers and short histories each get a sentence."""
    rows = sales()
    rows.loc[60, "units"] = 900.0
    rows = rows.drop(index=range(80, 90))
    like = pd.concat([sales(20).assign(product="rols"), sales(5).assign(bakery="Young")])
    remarks = "\n".join(remarks_of(examine(file_of(tmp_path, pd.concat([rows, like])))))
    assert "Young: a short history of 5 trading days; from 14 on" in remarks
    assert "Products 'Rolls' and 'rols': are these the same?" in remarks
    assert "A: no rows from 21 Mar 2024 to 30 Mar 2024 (10 days)" in remarks
    assert "A: 1 outlier by size: Rolls on 1 Mar 2024, 900 where about" in remarks
    assert "An outlier is more than six times" in remarks


def test_dates_that_can_t_be_are_asked_about(tmp_path: Path) -> None:
    """A lone date far off and days after today each get a question; the lone one only its own."""
    rows = sales(100)
    rows.loc[99, "date"] = pd.Timestamp("2042-07-19")
    path = file_of(tmp_path, pd.concat([rows, sales(100).assign(bakery="B")]))
    remarks = "\n".join(remarks_of(examine(path, today=dt.date(2024, 4, 1))))
    assert "A: 19 Jul 2042 stands 18 years after the day before it: a typing error?" in remarks
    assert "A: 7 days after today have rows; sales are of the past" in remarks
    assert "B: 8 days after today have rows; sales are of the past" in remarks
    remarks = "\n".join(remarks_of(examine(path, today=dt.date(2024, 4, 9))))
    assert "after today" not in remarks


def test_products_that_differ_from_their_bakery_are_named(tmp_path: Path) -> None:
    """A hole of 70 days, weekdays without rows and two days in all are remarked by product."""
    rows, cake, bun = (sales(280).assign(product=name) for name in ("Rolls", "Cake", "Bun"))
    cake = cake[~cake["date"].between("2024-03-01", "2024-05-09")]
    bun = bun[~bun["date"].dt.day_of_week.isin([0, 1])]
    tart = sales(2).assign(product="Tart")
    report = examine(file_of(tmp_path, pd.concat([rows, cake, bun, tart])))
    (bakery,) = report.bakeries
    assert (bakery.opening.gaps, bakery.opening.days_off) == ((), ())
    assert list(remarks_of(report)) == [
        "A: fewer than 14 days of Tart (2); a product is forecast from its 7th day on.",
        "A: open, but no rows of Cake from 1 Mar 2024 to 9 May 2024 (70 days); not on offer, "
        "or rows lost? Glean takes it for not on offer.",
        "A: open, but these have no rows on some weekdays: Bun (Mon, Tue). Glean plans nothing on "
        "a weekday on which it hardly ever sold.",
    ]


def test_closed_days_filled_with_zeros_are_named(tmp_path: Path) -> None:
    """Five months and Sundays of nothing but zeros look like trading days to a model."""
    rows = sales(280)
    zeros = rows["date"].between("2024-04-01", "2024-07-31") | (rows["date"].dt.day_of_week == 6)
    rows.loc[zeros, "units"] = 0.0
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert (
        "A: rows, but no sale from 1 Apr 2024 to 31 Jul 2024 (122 days), on Sun; a closed day has "
        "no row. Glean takes these for open days on which nobody came. 4 whole months are without "
        "a sale (April 2024 to July 2024)."
    ) in remarks


def test_the_longest_gaps_are_told_first(tmp_path: Path) -> None:
    """Of many bakeries with gaps the one with lost months isn't among those only counted."""
    dates = sales(280)["date"]
    short = sales(280)[~dates.between("2024-03-04", "2024-03-08")]
    long = sales(280)[~dates.between("2024-03-01", "2024-06-30")].assign(bakery="Z")
    rows = pd.concat([*(short.assign(bakery=name) for name in "ABCDEFG"), long])
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert remarks[0].startswith("Z: no rows from 1 Mar 2024 to 30 Jun 2024 (122 days)")
    assert remarks[-1] == "... and 3 more like this."


def test_products_as_closed_as_their_bakery_get_no_word(tmp_path: Path) -> None:
    """A day off or a gap of the bakery isn't one of its products."""
    rows = sales(280)
    gone = rows["date"].between("2024-03-01", "2024-05-09") | (rows["date"].dt.day_of_week == 6)
    rows = pd.concat([rows[~gone], rows[~gone].assign(product="Cake")])
    (remark,) = remarks_of(examine(file_of(tmp_path, rows)))
    assert remark.startswith("A: no rows from 1 Mar 2024 to 9 May 2024")


def test_many_products_make_no_flood(tmp_path: Path) -> None:
    """Of three hundred products that pause, three are named and the rest is counted."""
    rows = sales(280)
    paused = rows[~rows["date"].between("2024-03-01", "2024-05-09")]
    cakes = [paused.assign(product=f"Cake {number}") for number in range(300)]
    report = examine(file_of(tmp_path, pd.concat([rows, *cakes])))
    (remark,) = remarks_of(report)
    assert remark.count("(70 days)") == 3
    assert "and 297 more" in remark


def test_what_never_sold_is_named(tmp_path: Path) -> None:
    """A product of zeros and a bakery of zeros can't be learned from, one sale changes that."""
    once = sales(20).assign(product="Cake", units=0.0)
    once.loc[7, "units"] = 1.0
    idle = sales(20).assign(product="Tart", units=0.0)
    rows = pd.concat([sales(20), once, idle, sales(20).assign(bakery="B", units=0.0)])
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert [remark for remark in remarks if "never sold" in remark] == [
        "A: Tart never sold; it can't be learned from.",
        "B: never sold anything; it can't be learned from.",
    ]


def test_the_next_step_can_be_pasted(tmp_path: Path) -> None:
    """A path with blanks stands in quotes in the command that comes next."""
    folder = tmp_path / "my sales"
    folder.mkdir()
    path = file_of(folder, pd.concat([sales(80), sales(80).assign(bakery="B")]))
    assert next_step(examine(path)) == f"Next: glean simulate --sales '{path}'"


def test_a_table_without_a_sale_can_t_be_used(tmp_path: Path) -> None:
    """All zeros are in the format, and nothing can be learned from them."""
    rows = sales().assign(units=0.0)
    report = examine(file_of(tmp_path, pd.concat([rows, rows.assign(bakery="B")])))
    assert not report.usable
    assert report.problems == ()
    assert verdict(report).endswith("can't be used: nothing is sold in it, all units are 0.")


def test_files_not_yet_in_the_format_are_still_looked_over(tmp_path: Path) -> None:
    """Negative units, days twice and a bad date are problems; the rest is reported anyway."""
    rows = sales(30).astype({"date": "str"})
    rows.loc[3, "units"] = -4.0
    rows.loc[9, "date"] = "yesterday"
    report = examine(file_of(tmp_path, pd.concat([rows, rows.iloc[[20]]])))
    assert not report.usable
    assert [problem.line for problem in report.problems] == [5, 11, 32]
    (product,) = report.bakeries[0].products
    assert (product.opening.trading_days, product.returns) == (29, 1)
    remarks = " ".join(remarks_of(report))
    assert "A: 1 negative value, probably a return" in remarks
    assert "can't be used yet" in verdict(report)


def test_unreadable_files_give_their_problems(tmp_path: Path) -> None:
    """Where nothing can be read, the report consists of problems."""
    report = examine(tmp_path / "none.csv")
    assert not report.usable
    assert "no such file" in str(report.problems[0])
    (tmp_path / "x.csv").write_text("a;b\n1;2\n")
    report = examine(tmp_path / "x.csv")
    assert len(report.problems) == 3
    assert report.bakeries == ()


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_tables_fit_a_terminal_of_80_characters(tmp_path: Path, code: LanguageCode) -> None:
    """Days and numbers stand whole in a narrow terminal, also with returns and stock-outs."""
    rows = sales().assign(sold_out_at="15:00", product="A very long name of a product indeed")
    rows.loc[3, "units"] = -1.0
    console = Console(width=80, record=True, file=io.StringIO())
    print_check(check_table(file_of(tmp_path, rows)), language(code), console)
    text = console.export_text()
    table = text[: text.index("- A:")]
    assert table.count("2024-01-01") == table.count("2024-05-19") == 2
    assert language(code).percent(1.0, 0) in table
    assert max(len(line) for line in table.splitlines()) <= 80


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_tables_of_two_bakeries_fit_a_terminal_too(tmp_path: Path, code: LanguageCode) -> None:
    """Long names give way before days and numbers, also where every column is shown."""
    rows = sales(280).assign(sold_out_at="15:00", product="A very long name of a product indeed")
    rows.loc[3, "units"] = -1.0
    paused = rows[~rows["date"].between("2024-03-01", "2024-05-09")].assign(product="Another cake")
    both = [pd.concat([rows, paused]).assign(bakery=f"Bakery at the corner {n}") for n in (1, 2)]
    console = Console(width=80, record=True, file=io.StringIO())
    print_check(check_table(file_of(tmp_path, pd.concat(both))), language(code), console)
    text = console.export_text()
    table = text[: text.index("- Bakery")]
    assert table.count("2024-01-01") == table.count("2024-10-06") == 6
    assert language(code).percent(1.0, 0) in table
    assert max(len(line) for line in table.splitlines()) <= 80

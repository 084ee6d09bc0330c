from __future__ import annotations

import datetime as dt
import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from glean.cli.checked import print_check
from glean.operations.remarks import remarks_of
from glean.operations.table_check import check_table, verdict
from glean.sales.quality.data_check import examine
from glean.sales.quality.histories import longest_test
from glean.sales.quality.like_names import like_names
from glean.sales.quality.opening_days import LoneDay, opening_days
from glean.sales.quality.outliers import usual_units
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable
from glean.sales.windows import windows_of
from glean.settings import WindowSettings


def weeks(days: int, *, without: tuple[int, ...] = ()) -> pd.Series[pd.Timestamp]:
    dates = pd.Series(pd.date_range("2024-01-01", periods=days))  # a Monday
    return dates[~dates.dt.day_of_week.isin(without)].reset_index(drop=True)


def file_of(folder: Path, rows: pd.DataFrame) -> Path:
    path = folder / "shop.csv"
    rows.to_csv(path, index=False)
    return path


def test_days_off_aren_t_gaps() -> None:
    """A shop closed on Sundays and Mondays has days off, and nothing is missing."""
    opening = opening_days(weeks(70, without=(0, 6)))
    assert opening.days_off == ("Mondays", "Sundays")
    assert (opening.gaps, opening.single_days) == ((), 0)
    assert opening.trading_days == 50
    assert (opening.first, opening.last) == (dt.date(2024, 1, 2), dt.date(2024, 3, 9))


def test_gaps_and_single_missing_days() -> None:
    """A fortnight without rows is a gap by its first and last day; a lone day is counted."""
    dates = weeks(100)
    gone = dates.between("2024-02-05", "2024-02-18") | (dates == "2024-03-10")
    opening = opening_days(dates[~gone])
    (gap,) = opening.gaps
    assert str(gap) == "2024-02-05 to 2024-02-18 (14 days)"
    assert (opening.single_days, opening.missing_days) == (1, 15)


def test_weekday_that_is_mostly_closed() -> None:
    """A weekday open now and then is told apart from a day off."""
    dates = weeks(140)
    sundays = dates[dates.dt.day_of_week == 6]
    opening = opening_days(dates[~dates.isin(sundays.iloc[4:])])
    assert opening.days_off == ()
    assert opening.mostly_off == ("Sundays",)


def test_short_histories_have_no_days_off() -> None:
    """Two weeks say nothing about weekdays: missing Sundays are missing days."""
    opening = opening_days(weeks(15, without=(6,)))
    assert opening.days_off == ()
    assert opening.single_days == 2


def test_a_long_gap_hides_no_weekday() -> None:
    """Five months without rows are a gap; the weekdays are those of the months with rows."""
    dates = weeks(274, without=(6,))
    opening = opening_days(dates[~dates.between("2024-04-01", "2024-07-31")])
    assert [str(gap) for gap in opening.gaps] == ["2024-04-01 to 2024-07-31 (122 days)"]
    assert opening.pauses == opening.gaps
    assert (opening.days_off, opening.mostly_off) == (("Sundays",), ())
    assert (opening.single_days, opening.missing_days) == (0, 105)


@pytest.mark.parametrize(
    ("typed", "after", "before"),
    [("2042-07-19", 6575, 0), ("2014-03-01", 0, 3593), ("2025-02-01", 198, 0)],
)
def test_lone_days(typed: str, after: int, before: int) -> None:
    """A year or month mistyped is one day far from the others, and no day of the week is off."""
    dates = pd.concat([weeks(200), pd.Series([pd.Timestamp(typed)])])
    opening = opening_days(dates)
    assert opening.lone_days == (LoneDay(dt.date.fromisoformat(typed), after, before),)
    assert (opening.days_off, opening.mostly_off) == ((), ())
    assert len(opening.gaps) == 1


@pytest.mark.parametrize("step", [3, 7, 14, 30, 100])
def test_rare_days_are_neither_lone_nor_pauses(step: int) -> None:
    """A market stall has its rhythm, and not all weekdays are days off; a year's hole shows."""
    dates = weeks(step * 60)[::step].reset_index(drop=True)
    opening = opening_days(dates)
    assert (opening.lone_days, opening.pauses) == ((), ())
    assert len(opening.days_off + opening.mostly_off) < 7
    hole = opening_days(dates[(dates.index < 20) | (dates.index >= 40)])
    assert len(hole.pauses) == 1


def test_two_days_far_apart_are_a_gap() -> None:
    """Of two days neither is the odd one; the weekdays aren't all days off."""
    opening = opening_days(pd.Series(pd.to_datetime(["2024-01-01", "2024-12-31"])))
    assert opening.lone_days == ()
    assert len(opening.gaps) == 1
    assert len(opening.days_off + opening.mostly_off) < 7


def sales(days: int = 140) -> pd.DataFrame:
    dates = weeks(days)
    units = 50.0 + 20.0 * (dates.dt.day_of_week == 5) + np.arange(days) % 7
    return pd.DataFrame({"date": dates, "bakery": "A", "product": "Rolls", "units": units})


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


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Croissant", "croisant ", True),
        ("Rye bread", "rye-bread", True),
        ("Brötchen", "Broetchen", True),
        ("Bread 1", "Bread 2", False),
        ("Roll", "Rolls", True),
        ("Tea", "Pea", False),
        ("Cheese roll", "Wheat roll", False),
        ("Latte", "Lattice", False),
    ],
)
def test_like_names(one: str, other: str, alike: bool) -> None:
    """Slips of the keyboard are alike; numbers, short words and other things aren't."""
    assert bool(like_names([one, other])) == alike


WORDS = ["roll", "rye", "wheat", "cheese", "apple", "cherry", "brötchen", "tart", "1", "500g"]


def random_names(count: int) -> list[str]:
    """Draw names of a few words, every fifth with a slip of the keyboard in the one before it."""
    rng = np.random.default_rng(8)
    names: list[str] = []
    for number in range(count):
        name = " ".join(rng.choice(WORDS, rng.integers(1, 5), replace=False))
        if number % 5 == 4:
            at = rng.integers(len(names[-1]))
            name = names[-1][:at] + "aZ -"[rng.integers(4)] + names[-1][at + 1 :]
        names.append(name)
    return names


def test_like_names_against_every_pair() -> None:
    """Counting letters first loses no pair that comparing all of them finds."""
    names = sorted(set(random_names(150)))
    every = [pair for pair in combinations(names, 2) if like_names(pair)]
    assert len(every) > 10
    assert like_names(names) == every


def test_thousands_of_names_are_compared() -> None:
    """A twin among three thousand names is found."""
    names = random_names(3000)
    assert ("Sourdough loaf", "sourdogh loaf") in like_names(
        [*names, "Sourdough loaf", "sourdogh loaf"]
    )


def test_names_too_many_to_compare_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes silence for a clean bill."""
    monkeypatch.setattr("glean.sales.quality.like_names.MOST_NAMES", 2)
    monkeypatch.setattr("glean.operations.remarks.MOST_NAMES", 2)
    rows = pd.concat([sales(20).assign(product=name) for name in ("Roll", "Rolls", "Cake")])
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert remarks == [
        "3 names of products weren't compared to find some that mean the same; up to 2 are."
    ]


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
    assert "A: no rows from 2024-03-21 to 2024-03-30 (10 days)" in remarks
    assert "such as Rolls on 2024-03-01: 900 where about" in remarks
    assert "An outlier is more than six times" in remarks


def test_dates_that_can_t_be_are_asked_about(tmp_path: Path) -> None:
    """A lone date far off and days after today each get a question; the lone one only its own."""
    rows = sales(100)
    rows.loc[99, "date"] = pd.Timestamp("2042-07-19")
    path = file_of(tmp_path, pd.concat([rows, sales(100).assign(bakery="B")]))
    remarks = "\n".join(remarks_of(examine(path, today=dt.date(2024, 4, 1))))
    assert "A: 2042-07-19 stands 18 years after the day before it: a typing error?" in remarks
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
        "A: open, but no rows of Cake from 2024-03-01 to 2024-05-09 (70 days); not on offer, "
        "or rows lost?",
        "A: open, but these have no rows on some weekdays: Bun (Mon, Tue).",
    ]


def test_closed_days_filled_with_zeros_are_named(tmp_path: Path) -> None:
    """Five months and Sundays of nothing but zeros look like trading days to a model."""
    rows = sales(280)
    zeros = rows["date"].between("2024-04-01", "2024-07-31") | (rows["date"].dt.day_of_week == 6)
    rows.loc[zeros, "units"] = 0.0
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert (
        "A: rows, but no sale from 2024-04-01 to 2024-07-31 (122 days), on Sun; a closed day has "
        "no row."
    ) in remarks


def test_the_longest_gaps_are_told_first(tmp_path: Path) -> None:
    """Of many bakeries with gaps the one with lost months isn't among those only counted."""
    dates = sales(280)["date"]
    short = sales(280)[~dates.between("2024-03-04", "2024-03-08")]
    long = sales(280)[~dates.between("2024-03-01", "2024-06-30")].assign(bakery="Z")
    rows = pd.concat([*(short.assign(bakery=name) for name in "ABCDEFG"), long])
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert remarks[0].startswith("Z: no rows from 2024-03-01 to 2024-06-30 (122 days)")
    assert remarks[-1] == "... and 3 more like this."


def test_products_as_closed_as_their_bakery_get_no_word(tmp_path: Path) -> None:
    """A day off or a gap of the bakery isn't one of its products."""
    rows = sales(280)
    gone = rows["date"].between("2024-03-01", "2024-05-09") | (rows["date"].dt.day_of_week == 6)
    rows = pd.concat([rows[~gone], rows[~gone].assign(product="Cake")])
    (remark,) = remarks_of(examine(file_of(tmp_path, rows)))
    assert remark.startswith("A: no rows from 2024-03-01 to 2024-05-09")


def test_many_products_make_no_flood(tmp_path: Path) -> None:
    """Of three hundred products that pause, three are named and the rest is counted."""
    rows = sales(280)
    paused = rows[~rows["date"].between("2024-03-01", "2024-05-09")]
    cakes = [paused.assign(product=f"Cake {number}") for number in range(300)]
    report = examine(file_of(tmp_path, pd.concat([rows, *cakes])))
    (remark,) = remarks_of(report)
    assert remark.count("(70 days)") == 3
    assert "and 297 more" in remark


def test_names_of_bakeries_are_compared(tmp_path: Path) -> None:
    """Bakeries that differ in a blank or a capital are asked about; the others aren't."""
    rows = pd.concat([sales(20).assign(bakery=name) for name in ("North", "North ", "north", "A")])
    report = examine(file_of(tmp_path, rows))
    assert report.like_bakeries == (("North", "North "), ("North", "north"), ("North ", "north"))
    assert report.like_products == ()
    assert "Bakeries 'North' and 'North ': are these the same?" in "\n".join(remarks_of(report))


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
    assert verdict(examine(path)).endswith(f"Next: glean simulate --sales '{path}'")


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
    assert words.endswith(f"Next: glean simulate --sales {path} --set test-days=21")
    table = read_sales(path)
    laid = [windows_of(table.of(name), WindowSettings(test_days=21)) for name in "ABC"]
    assert [windows.trains for windows in laid] == [False, True, True]
    assert laid[1].trading_days == 14


def test_one_bakery_s_short_table_is_told_a_shorter_test(tmp_path: Path) -> None:
    """Its table is for its own machine, so that no simulation comes next."""
    words = verdict(examine(file_of(tmp_path, sales(35))))
    assert words.endswith("before them. `--set test-days=21` leaves them.")


@pytest.mark.parametrize("days", [14 + TEST_DAYS, 13 + TEST_DAYS])
def test_the_longest_test_is_that_of_the_windows(days: int) -> None:
    """A bakery learns by the doctor if it does by the windows of a run, holes or not."""
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
    assert verdict(report).startswith(f"{report.source} can be used as it is. Next:")
    (remark,) = remarks_of(report)
    assert remark == (
        "Young: not trained on, for fewer than 14 trading days with sales stand before the last "
        f"{TEST_DAYS} days, which are kept for the test; `--set test-days=16` leaves enough."
    )


def test_too_little_for_any_test_is_said(tmp_path: Path) -> None:
    """Ten days are in the format and can be forecast, and no setting makes them a run."""
    report = examine(file_of(tmp_path, pd.concat([sales(10), sales(10).assign(bakery="B")])))
    assert report.usable
    assert "can be used as it is, but not to learn from" in verdict(report)
    assert "simulate" not in verdict(report)


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


def test_tables_fit_a_terminal_of_80_characters(tmp_path: Path) -> None:
    """Days and numbers stand whole in a narrow terminal, also with returns and stock-outs."""
    rows = sales().assign(sold_out_at="15:00", product="A very long name of a product indeed")
    rows.loc[3, "units"] = -1.0
    console = Console(width=80, record=True, file=io.StringIO())
    print_check(check_table(file_of(tmp_path, rows)), console)
    text = console.export_text()
    table = text[: text.index("- A:")]
    assert table.count("2024-01-01") == table.count("2024-05-19") == 2
    assert "100%" in table
    assert max(len(line) for line in table.splitlines()) <= 80


def test_tables_of_two_bakeries_fit_a_terminal_too(tmp_path: Path) -> None:
    """Long names give way before days and numbers, also where every column is shown."""
    rows = sales(280).assign(sold_out_at="15:00", product="A very long name of a product indeed")
    rows.loc[3, "units"] = -1.0
    paused = rows[~rows["date"].between("2024-03-01", "2024-05-09")].assign(product="Another cake")
    both = [pd.concat([rows, paused]).assign(bakery=f"Bakery at the corner {n}") for n in (1, 2)]
    console = Console(width=80, record=True, file=io.StringIO())
    print_check(check_table(file_of(tmp_path, pd.concat(both))), console)
    text = console.export_text()
    table = text[: text.index("- Bakery")]
    assert table.count("2024-01-01") == table.count("2024-10-06") == 6
    assert "100%" in table
    assert max(len(line) for line in table.splitlines()) <= 80

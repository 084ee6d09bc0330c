"""The report: from nothing but the files of a run folder to a page that a person can read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from glean.cli.tables import final_result
from glean.errors import GleanError
from glean.evaluation.figures.plot_style import Canvas
from glean.evaluation.pages.report import make_report, write_report
from glean.evaluation.tables.client_tables import TABLES
from glean.evaluation.tables.result_table import summary_result
from glean.evaluation.tables.results import read_results
from glean.languages.catalogues import read_catalogue
from glean.languages.language import ENGLISH, LanguageCode, language
from glean.operations.reports.report import rewrite_report
from tests.evaluation.made_runs import (
    FIGURES,
    METHODS,
    NAMES,
    Page,
    made_run,
    report_of,
    score_file,
    summary_of,
)


def test_the_page_needs_nothing_from_outside(five: Path) -> None:
    """Offline and without script: pictures are inside, and no address is fetched."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(addresses) == len(FIGURES)
    assert all(address.startswith("data:image/png;base64,") for address in addresses)


def test_names_are_text_never_markup(five: Path) -> None:
    """A bakery's name with markup is shown as typed; "007" and "NA" stay names."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    assert "b" not in page.tags
    assert "Corner $hop & <b>Sons</b>" in page.text
    assert "Round 3, 007: no <reply> in time" in page.text
    assert set(read_results(five).scores["bakery"]) == set(NAMES)  # type: ignore[index]


def test_the_page_names_the_model_s_card_where_there_is_one(five: Path, run: Path) -> None:
    """Runs of an earlier version, and failed ones, have none."""
    words = "model_card.md, beside this page"
    assert words not in Page((five / "report.html").read_text(encoding="utf-8")).text
    (run / "model_card.md").write_text("# The card of model.ubj", encoding="utf-8")
    assert words in report_of(run).text


def test_the_headline_says_the_result(five: Path) -> None:
    """The first sentence has the errors of the federation and its baselines, as in the files."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    scores = score_file(five)
    sums = scores.groupby("method")[["abs_error", "units"]].sum()
    share = {method: f"{row['abs_error'] / row['units']:.1%}" for method, row in sums.iterrows()}
    assert (
        f"With the federation the 5 bakeries would have been off by {share['federated']} of "
        f"the units sold on the test days; alone by {share['local']}, with the mean of the "
        f"last four same weekdays by {share['weekday-mean']}, with the sales of the last same "
        f"weekday by {share['last-week']}."
    ) in page.text
    assert "the bakeries are better off with the federation" in page.text


def test_a_federation_that_loses_is_said_to_lose(run: Path) -> None:
    """Where local and weekday mean are better, the page says so in plain words."""
    scores = score_file(run)
    lost = scores["method"] == "federated"
    scores.loc[lost, "abs_error"] *= 3
    scores.loc[lost, "wape"] *= 3
    scores.to_csv(run / "bakeries.csv", index=False)
    text = report_of(run).text
    assert "the bakeries are better off alone than with the federation" in text
    assert "don't bake by this model" in text
    assert "Better off with the shared model than alone: 0 of 5 bakeries" in text


@pytest.mark.parametrize(
    ("missing", "figures", "said"),
    [
        ("growth.csv", {"growth"}, "there is no growth.csv"),
        ("truth.csv", {"best-possible"}, "known for synthetic bakeries only"),
        ("forecasts.csv", {"forecast", "weekdays"}, "those of its first 40 bakeries"),
        ("rounds.csv", {"learning-curve"}, "has a validation score"),
        ("bakery_rounds.csv", set(), "the model of round 11 was kept.\n"),
        ("events.jsonl", set(), "None."),
    ],
)
def test_what_wasnt_measured_is_left_out_with_a_reason(
    run: Path, missing: str, figures: set[str], said: str
) -> None:
    """A file that isn't there costs its figures only, older copies included, and is explained."""
    (run / missing).unlink()
    text = report_of(run).text
    assert {path.stem for path in (run / "figures").iterdir()} == FIGURES - figures
    assert said in text


def test_a_kept_round_that_nobody_could_score_is_said_to_be_one(run: Path) -> None:
    """Its cells are empty; the lowest of the others is marked."""
    rounds = pd.read_csv(run / "rounds.csv")
    rounds.loc[rounds["round"] == 11, "wape"] = None
    rounds.to_csv(run / "rounds.csv", index=False)
    said = "the model of round 11 was kept, which nobody could score."
    assert said in " ".join(report_of(run).text.split())


def without_local(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["method"] != "local"]


def kept_at_home(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["bakery"] == "007"].assign(bakery="(all)")


@pytest.mark.parametrize(
    ("change", "said"),
    [(without_local, "the setting baselines was off"), (kept_at_home, "keep their own scores")],
)
def test_without_single_rivals_no_bakery_is_compared(
    run: Path, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    """Nothing to compare bakery by bakery: the figure is left out and the reason is given."""
    scores = score_file(run)
    change(scores).to_csv(run / "bakeries.csv", index=False)
    text = report_of(run).text
    assert said in text
    assert "Better off with the shared model than alone" not in text
    assert not (run / "figures" / "federated-or-alone.png").exists()


def only_federated(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["method"] == "federated"]


def nothing_tested(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(units=0.0, abs_error=0.0, wape="", rmse="", n_rows=0, n_days=0)


def no_rows(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.head(0)


@pytest.mark.parametrize("change", [only_federated, nothing_tested, no_rows])
def test_thin_runs_have_a_page(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """One bakery, one week, hardly any scores: a page with what there is, and no warning."""
    folder = made_run(tmp_path / "thin", 1, days=7)
    change(score_file(folder)).to_csv(folder / "bakeries.csv", index=False)
    for name in ("forecasts.csv", "rounds.csv", "growth.csv"):
        table = pd.read_csv(folder / name)
        for column in ("units", "wape", "wape_federated"):
            if column in table:
                table[column] = 0.0
        table.head(1).to_csv(folder / name, index=False)
    assert "What the federation did" in report_of(folder, drawn=True).text
    Console(file=io.StringIO()).print(
        final_result(summary_result(summary_of(folder), ENGLISH, units_label="units"))
    )


def test_a_bakery_left_out_of_training_is_named(run: Path) -> None:
    """Too few days is no failure, yet the page says who, why, and that nothing was judged."""
    event = {"event": "bakery_not_trained", "bakery": "NA", "reason": "7 trading days <of> 28"}
    (run / "events.jsonl").write_text(json.dumps(event) + "\n")
    scores = score_file(run)
    nothing = {"units": 0.0, "abs_error": 0.0, "n_rows": 0, "n_days": 0}
    scores.loc[scores["bakery"] == "NA", list(nothing)] = list(nothing.values())
    scores.loc[scores["bakery"] == "NA", ["wape", "rmse"]] = np.nan
    scores.to_csv(run / "bakeries.csv", index=False)
    text = report_of(run).text
    assert "Left out of training: NA: 7 trading days <of> 28" in text
    assert "sold on judged days" in text
    assert text.count("no judged day") == 1


def test_lost_sums_and_given_up_trees_are_told(run: Path) -> None:
    """A section names the round and the reason of each; without any there is no section."""
    before = report_of(run).text
    rows = [
        {"event": "sum_lost", "round": 2, "reason": "2 <of> 5 are left"},
        {"event": "trees_given_up", "round": 4, "reason": "counts don't add up"},
    ]
    (run / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = report_of(run).text
    title = "Sums and trees that were given up"
    assert title in text
    assert title not in before
    lost = "Round 2: a secure sum is lost, those who are left go on: 2 <of> 5 are left"
    assert lost in text
    assert "Round 4: trees are given up and grown anew: counts don't add up" in text


def test_nobody_left_out_is_not_talked_about(five: Path) -> None:
    """Where every bakery was trained on, the page has no word about it."""
    text = Page((five / "report.html").read_text(encoding="utf-8")).text
    assert "Left out of training" not in text
    assert "too few days" not in text
    assert "no judged day" not in text


def test_the_best_possible_is_no_absolute_bound(five: Path) -> None:
    """The line is the expected demand's own error; a method may by chance be just below it."""
    text = Page((five / "report.html").read_text(encoding="utf-8")).text
    assert "the true expected demand's own error" in text
    assert "next to nothing can be below it" in text
    assert "nobody can avoid" not in text


def test_a_failed_run_has_a_report_too(run: Path) -> None:
    """The page of a failed run leads with the reason and shows what there is."""
    facts = json.loads((run / "run.json").read_text())
    facts |= {"status": "failed", "reason": "no bakery gave a valid reply in round 4"}
    (run / "run.json").write_text(json.dumps(facts))
    for name in ("bakeries.csv", "forecasts.csv", "truth.csv", "growth.csv"):
        (run / name).unlink()
    text = report_of(run).text
    assert "This run failed" in text
    assert "no bakery gave a valid reply in round 4" in text
    assert (run / "figures" / "learning-curve.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", None, "found no run.json; wanted the folder of a run"),
        ("run.json", "{", "can't be read as JSON"),
        ("run.json", "[]", "found a list; wanted a JSON object"),
        ("bakeries.csv", None, "found no bakeries.csv, though the run completed"),
        ("bakeries.csv", "bakery,method\n", "found no column cohort"),
        ("rounds.csv", "", "can't be read as a table"),
        ("forecasts.csv", "date,bakery,product,units,federated\n1.2.24,a,b,1,1\n", "a date isn't"),
    ],
)
def test_damaged_folders_are_named(run: Path, name: str, content: str | None, said: str) -> None:
    """A missing or damaged file is an error that names it and says what to do, no traceback."""
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises(GleanError, match=name) as caught:
        write_report(run)
    assert said in str(caught.value)


def test_tables_of_column_names_only_are_as_good_as_none(run: Path) -> None:
    """As a bakery leaves them that had no day to plan; the page says what wasn't measured."""
    for name, columns in TABLES.items():
        (run / name).write_text(",".join(columns) + "\n", encoding="utf-8")
    for name in ("forecasts.csv", "truth.csv", "growth.csv", "rounds.csv", "bakery_rounds.csv"):
        header, *_ = (run / name).read_text(encoding="utf-8").splitlines()
        (run / name).write_text(header + "\n", encoding="utf-8")
    text = report_of(run).text
    assert "What the federation did" in text
    assert "there is no plan.csv" in text
    results = read_results(run)
    assert (results.plans, results.days, results.choices, results.growth) == (None,) * 4


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    """Making the report again changes no byte, so that two reports can be compared."""
    before = (run / "report.html").read_bytes()
    write_report(run)
    assert (run / "report.html").read_bytes() == before


def test_the_terminal_shows_the_same_numbers(five: Path) -> None:
    """The terminal's table has a row a method and the lines on joining and the best possible."""
    console = Console(width=100, color_system=None, record=True)
    with console.capture() as capture:
        console.print(final_result(summary_result(summary_of(five), ENGLISH, units_label="[EUR]")))
    shown = capture.get()
    assert all(method in shown for method in METHODS)
    assert "of 5 bakeries" in shown
    assert "The best possible forecast" in shown
    assert "[EUR]" in shown
    assert "newcomers" in shown


def test_a_damaged_table_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    """What more bakeries bring takes minutes."""
    folder = made_run(tmp_path / "run")
    (folder / "growth.csv").unlink(missing_ok=True)
    (folder / "bakeries.csv").write_text("", encoding="utf-8")

    def measured(bakeries: int) -> None:
        pytest.fail(f"measured {bakeries} bakeries first")

    with pytest.raises(GleanError, match=r"bakeries\.csv"):
        rewrite_report(folder, growth=True, measured=measured)


class Said(HTMLParser):
    """What a page says, piece by piece, alternative texts among it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found.add(dict(attrs).get("alt") or "")

    def handle_data(self, data: str) -> None:
        self.found.add(data.strip())


def fixed_parts(code: str) -> list[str]:
    """The longest piece of each English sentence that reads otherwise in a language."""
    parts = []
    for message in read_catalogue(code):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        for text in ids:
            part = max(re.split(r"{\w+}", str(text)), key=len).strip(" .;:,()")
            if len(part) > 20:
                parts.append(part)
    return parts


@pytest.mark.parametrize("code", ["de", "fr"])
def test_a_report_says_nothing_in_english(five: Path, code: LanguageCode) -> None:
    """No piece of a sentence that the catalogue translates, in text, captions or alternatives."""
    with mock.patch.object(Canvas, "png", return_value=b""):
        page = make_report(five, language(code)).html
        english = make_report(five, ENGLISH).html
    said = "\n".join(Said(page).found)
    assert f'<html lang="{code}">' in page
    parts = fixed_parts(code)
    assert [part for part in parts if part in said] == []
    assert len([part for part in parts if part in "\n".join(Said(english).found)]) > 40


@pytest.mark.parametrize(("code", "day"), [("de", "Mo"), ("fr", "lun.")])
def test_numbers_and_days_of_pictures_are_written_by_language(
    five: Path, code: LanguageCode, day: str
) -> None:
    """Alternative texts have the numbers that the page has, as one writes them there."""
    with mock.patch.object(Canvas, "png", return_value=b""):
        alts = [text for text in Said(make_report(five, language(code)).html).found if day in text]
    assert any(
        re.search(rf"{re.escape(day)}\S* \d+,\d\N{{NO-BREAK SPACE}}%", text) for text in alts
    )

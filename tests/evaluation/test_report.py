"""The report: from nothing but the files of a run folder to a page that a person can read."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from glean.cli.tables import final_result
from glean.errors import GleanError
from glean.evaluation.figures.days import wape_by_weekday
from glean.evaluation.figures.plot_style import Canvas, plain
from glean.evaluation.pages.report import run_summary, write_report
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.summary import Summary
from glean.metrics import ErrorSums

FIGURES = {
    "best-possible",
    "federated-or-alone",
    "forecast",
    "growth",
    "learning-curve",
    "weekdays",
}
NAMES = ("Bäckerei Müller", "007", "NA", "Corner $hop & <b>Sons</b>", "young\nbakery with a name")
METHODS = ("federated", "local", "pooled", "weekday-mean", "last-week")
NOISE = dict(zip(METHODS, (0.10, 0.12, 0.09, 0.16, 0.22), strict=True))
ROUNDS = 12


def made_run(folder: Path, bakeries: int = 5, *, days: int = 56, best: bool = True) -> Path:
    """Write the files of a made-up run: a truth, chance around it, and noisier forecasts of it."""
    rng = np.random.default_rng(11)
    names = [NAMES[k] if k < len(NAMES) else f"bakery {k:03d}" for k in range(bakeries)]
    forecasts = pd.concat(
        [made_forecasts(name, rng, days=days) for name in names], ignore_index=True
    )
    folder.mkdir(parents=True)
    facts = {
        "status": "completed",
        "engine": "inprocess",
        "start": "2025-03-01T10:00:00+00:00",
        "end": "2025-03-01T10:00:07.500000+00:00",
        "seed": 42,
        "versions": {"glean": "0.1.0", "xgboost": "3.2.0"},
        "learning_rate": 0.3,
        "best_round": 11,
        "bakeries": names,
        "newcomers": names[-1:],
        "synthetic": True,
        "settings": {"aggregation": "bagging", "units-label": "units", "sales": "", "seed": 42},
    }
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    write_rounds(folder, names, rng)
    score_rows(forecasts).to_csv(folder / "bakeries.csv", index=False)
    truth = score_rows(forecasts.rename(columns={"best_possible": "truth"}), ("truth",))
    kept = [name for name in forecasts if name != "local" and (best or name != "best_possible")]
    forecasts[kept].to_csv(folder / "forecasts.csv", index=False, date_format="%Y-%m-%d")
    if best:
        columns = ["bakery", "units", "abs_error", "wape"]
        truth[columns].to_csv(folder / "truth.csv", index=False)
    growth = pd.DataFrame({"bakeries": [1, 2, 5, 10, 20, 40]})
    growth["wape_federated"] = 0.18 + 0.06 / growth["bakeries"]
    growth["wape_local"] = 0.235
    growth["wape_weekday_mean"] = 0.26
    growth.to_csv(folder / "growth.csv", index=False)
    event = {"event": "bakery_failed", "round": 3, "bakery": "007", "reason": "no <reply> in time"}
    (folder / "events.jsonl").write_text(
        json.dumps({"event": "run_started"}) + "\n" + json.dumps(event) + '\n{"event": "bak'
    )
    return folder


def made_forecasts(name: str, rng: np.random.Generator, *, days: int) -> pd.DataFrame:
    dates = pd.date_range("2024-11-04", periods=days, freq="D")
    dates = dates[dates.day_of_week != 6]
    size = float(np.exp(rng.normal(3.5, 0.8)))
    parts = []
    for product, share in (("rolls", 3.0), ("rye bread", 1.0)):
        expected = share * size * (1.0 + 0.12 * dates.day_of_week.to_numpy())
        table = pd.DataFrame({"date": dates, "bakery": name, "product": product})
        table["units"] = rng.poisson(expected).astype(float)
        for method in METHODS:
            table[method] = expected * np.exp(rng.normal(0.0, NOISE[method], len(dates)))
        parts.append(table.assign(best_possible=expected))
    return pd.concat(parts, ignore_index=True)


def score_rows(forecasts: pd.DataFrame, methods: tuple[str, ...] = METHODS) -> pd.DataFrame:
    names = list(dict.fromkeys(forecasts["bakery"]))
    rows = []
    for name, own in forecasts.groupby("bakery"):
        for method in methods:
            sums = ErrorSums.of(own["units"], own[method])
            rows.append(
                {
                    "bakery": name,
                    "cohort": "newcomer" if name == names[-1] else "established",
                    "method": method,
                    "n_days": own["date"].nunique(),
                    "units": sums.units,
                    "abs_error": sums.abs_error,
                    "wape": sums.wape,
                    "mae": sums.mae,
                    "rmse": sums.rmse,
                    "mape": sums.mape,
                    "mase": 0.8,
                    "bias": sums.bias,
                    "n_rows": int(sums.rows),
                }
            )
    return pd.DataFrame(rows)


def write_rounds(folder: Path, names: list[str], rng: np.random.Generator) -> None:
    numbers = np.arange(1, ROUNDS + 1)
    wape = 0.19 + 0.15 * np.exp(-numbers / 3) + 0.002 * np.maximum(numbers - 11, 0)
    rounds = pd.DataFrame({"round": numbers, "bakeries": len(names), "wape": wape})
    rounds = rounds.assign(bytes_down=250_000, bytes_up=90_000, seconds=0.3)
    rounds.to_csv(folder / "rounds.csv", index=False)
    parts = [
        pd.DataFrame({"round": numbers, "bakery": name, "wape": wape * rng.uniform(0.7, 1.5)})
        for name in names
    ]
    pd.concat(parts).to_csv(folder / "bakery_rounds.csv", index=False)


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def report_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made_run(tmp_path_factory.mktemp("runs") / "five")
    write_report(folder)
    return folder


@pytest.fixture
def run(five: Path, tmp_path: Path) -> Path:
    """A copy of the made-up run to damage."""
    return Path(shutil.copytree(five, tmp_path / "run"))


def summary_of(folder: Path) -> Summary:
    summary = run_summary(read_results(folder))
    assert summary is not None
    return summary


def score_file(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "bakeries.csv", dtype={"bakery": str}, keep_default_na=False)


def png_size(path: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return int(width), int(height)


def test_a_complete_run_has_all_figures(five: Path) -> None:
    """All six pictures lie beside the page, large enough for a browser, and nothing else does."""
    drawn = {path.stem: png_size(path) for path in (five / "figures").iterdir()}
    assert set(drawn) == FIGURES
    assert all(width == 880 and height >= 300 for width, height in drawn.values())
    assert sorted(path.name for path in five.glob(".*")) == []


def test_the_page_needs_nothing_from_outside(five: Path) -> None:
    """Offline and without script: pictures are inside, and no address is fetched."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(addresses) == len(FIGURES)
    assert all(address.startswith("data:image/png;base64,") for address in addresses)


def test_pictures_are_told_in_words_too(five: Path) -> None:
    """Every picture has an alt text with numbers for those who can't see it."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    texts = [value for name, value in page.attributes if name == "alt"]
    assert len(texts) == len(FIGURES)
    assert all(any(letter.isdigit() for letter in text) for text in texts)
    assert "1: 24.0%, 2: 21.0%, 5: 19.2%" in "".join(texts)


def test_names_are_text_never_markup(five: Path) -> None:
    """A bakery's name with markup is shown as typed; "007" and "NA" stay names."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    assert "b" not in page.tags
    assert "Corner $hop & <b>Sons</b>" in page.text
    assert "Round 3, 007: no <reply> in time" in page.text
    assert set(read_results(five).scores["bakery"]) == set(NAMES)  # type: ignore[index]


def test_the_headline_says_the_result(five: Path) -> None:
    """The first sentence has the errors of the federation and its baselines, as in the files."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    scores = score_file(five)
    sums = scores.groupby("method")[["abs_error", "units"]].sum()
    share = {method: f"{row['abs_error'] / row['units']:.1%}" for method, row in sums.iterrows()}
    assert (
        f"With the federation the five bakeries would have been off by {share['federated']} of "
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
    assert "Better off in the federation than alone: 0 of 5 bakeries" in text


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
    assert "Better off in the federation than alone" not in text
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
    assert "What the federation did" in report_of(folder).text
    Console(file=io.StringIO()).print(final_result(summary_of(folder), units_label="units"))


def test_many_bakeries_are_a_scatter(tmp_path: Path) -> None:
    """Beyond forty bakeries each is a point, one with a huge error included, and the page holds."""
    folder = made_run(tmp_path / "many", 60, days=14, best=False)
    scores = score_file(folder)
    scores.loc[scores["bakery"] == "007", "wape"] *= 20
    scores.to_csv(folder / "bakeries.csv", index=False)
    text = report_of(folder).text
    assert "One point a bakery" in text
    assert "1 with a larger error stand at the edge" in text


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
    assert "Left out of training: NA (7 trading days <of> 28)" in text
    assert "sold on judged days" in text
    assert text.count("no judged day") == 1


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


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    """Making the report again changes no byte, so that two reports can be compared."""
    before = (run / "report.html").read_bytes()
    write_report(run)
    assert (run / "report.html").read_bytes() == before


def test_weekday_errors_agree_with_a_plain_loop(five: Path) -> None:
    """WAPE by weekday equals the sum over that weekday's rows; a closed Sunday isn't there."""
    forecasts = read_results(five).forecasts
    assert forecasts is not None
    table = wape_by_weekday(forecasts)
    assert table.index.tolist() == [0, 1, 2, 3, 4, 5]
    for day in table.index.tolist():
        error, units = 0.0, 0.0
        for row in forecasts.to_dict("records"):
            if row["date"].day_of_week == day:
                error += abs(row["pooled"] - row["units"])
                units += row["units"]
        assert table.loc[day, "pooled"] == pytest.approx(error / units)


@pytest.mark.parametrize("name", ["50 $ each $", "面包 🥐", "x" * 500, "a_{b}^c", "two\nlines\t!"])
def test_any_name_can_be_drawn(name: str) -> None:
    """No name of a user is read as a formula, warns about the font or bursts the picture."""
    canvas = Canvas(name)
    canvas.axes.set_yticks([0], labels=[plain(name)])
    canvas.label(x=name, y="units")
    assert canvas.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("highest", [0.003, 0.02, 0.09, 0.18, 0.3, 1.4])
def test_the_numbers_on_an_axis_are_where_its_ticks_are(highest: float) -> None:
    """None is rounded, so that equal steps on paper are equal in numbers."""
    canvas = Canvas("error")
    canvas.axes.plot([0, 1], [highest / 2, highest])
    canvas.percent("y")
    canvas.from_zero()
    canvas.png()
    ticks = canvas.axes.get_yticks()
    shown = [float(label.get_text().removesuffix("%")) for label in canvas.axes.get_yticklabels()]
    assert shown == pytest.approx((100 * ticks).tolist())
    assert len(ticks) > 3
    assert canvas.axes.get_ylim()[0] == 0
    assert canvas.axes.get_ylim()[1] > highest


def test_the_terminal_shows_the_same_numbers(five: Path) -> None:
    """The terminal's table has a row a method and the lines on joining and the best possible."""
    console = Console(width=100, color_system=None, record=True)
    with console.capture() as capture:
        console.print(final_result(summary_of(five), units_label="[EUR]"))
    shown = capture.get()
    assert all(method in shown for method in METHODS)
    assert "of 5 bakeries" in shown
    assert "The best possible forecast" in shown
    assert "[EUR]" in shown
    assert "newcomers" in shown

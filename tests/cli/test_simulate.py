"""`glean simulate` and `glean report` as typed, in this process: words, files and exit codes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from glean.evaluation.figures.plot_style import Canvas
from glean.evaluation.tables.client_tables import TABLES
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.federation.launch import flower_app
from glean.metrics import ErrorSums
from glean.runs.folder import round_tables
from tests.cli.typed_commands import facts_of, glean, simulate
from tests.demand_words import demand_words, words_of
from tests.tables import random_table

pytestmark = pytest.mark.usefixtures("elsewhere")

METHODS = (
    "federated",
    "personalised",
    "chosen",
    "local",
    "pooled",
    "weekday-mean",
    "last-week",
)


@pytest.fixture(scope="module")
def completed(three_bakeries: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run with every method and a report, and what the terminal showed of it."""
    out = tmp_path_factory.mktemp("completed") / "mine"
    words = ("--sales", three_bakeries, "--out", out)
    result = simulate(*words, baselines="true", test_start="2023-04-10", units_label="kg = 1")
    assert result.exit_code == 0, result.output
    return result, (out / "latest").resolve()


def test_the_terminal_shows_the_table_and_where_the_report_is(
    completed: tuple[Result, Path],
) -> None:
    """Every method has a line, the rounds are told on stderr, the report's path is absolute."""
    result, folder = completed
    for method in METHODS:
        assert f"│ {method} " in result.stdout
    assert f"report: {folder / 'report.html'}" in result.stdout
    assert "round 1: validation WAPE 0." in result.stderr
    assert "round 2: validation WAPE 0." in result.stderr
    assert "round" not in result.stdout


def test_all_that_it_says_is_in_the_words_of_bakeries(
    completed: tuple[Result, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the runs of other workloads have none of, by the same search."""
    monkeypatch.setenv("GLEAN_WORKERS", "1")
    monkeypatch.setattr(Canvas, "png", lambda _: b"")  # what is drawn isn't read
    result, folder = completed
    assert demand_words(result.output) >= {"bakeries", "sales", "days"}
    found = words_of(folder)
    for source, words in found.items():
        assert words, f"the search finds nothing in {source}"
    assert found["events de"] >= {"bäcke", "verkäuf"}
    assert found["events fr"] >= {"boulang", "ventes"}


def test_a_run_leaves_the_files_and_columns_of_the_design(completed: tuple[Result, Path]) -> None:
    """Names and columns that others rely on, and a picture in the report."""
    _, folder = completed
    assert {path.name for path in folder.iterdir()} == {
        "run.json", "events.jsonl", "rounds.csv", "bakery_rounds.csv", "bakeries.csv",
        "forecasts.csv", "models", "model.ubj", "model_card.json", "model_card.md", "report.html",
        "figures", "days.csv", "plan.csv", "alone.csv", "widths.json", "coverage.csv", "choice.csv",
    }  # fmt: skip
    columns = {
        **round_tables(ErrorSums.COLUMNS),
        "bakeries.csv": SCORE_COLUMNS,
        **TABLES,
    }
    for name, wanted in columns.items():
        assert tuple(pd.read_csv(folder / name)) == wanted
    assert sorted(path.name for path in (folder / "models").iterdir()) == [
        "round_001.ubj",
        "round_002.ubj",
    ]
    assert (folder / "report.html").stat().st_size > 10_000
    assert list((folder / "figures").glob("*.png"))


def test_words_of_set_become_the_type_of_their_key(completed: tuple[Result, Path]) -> None:
    """A date needs no quotes, a text may hold an equals sign, numbers and booleans are such."""
    settings = facts_of(completed[1])["settings"]
    assert settings["test-start"] == "2023-04-10"
    assert settings["units-label"] == "kg = 1"
    assert settings["num-server-rounds"] == 2
    assert settings["baselines"] is True


def test_a_report_can_be_made_again(completed: tuple[Result, Path]) -> None:
    """`glean report` through `latest` writes it anew and shows the very same table."""
    result, folder = completed
    (folder / "report.html").unlink()
    again = glean("report", folder.parent / "latest", "--no-growth")
    assert again.exit_code == 0, again.output
    assert again.stdout == result.stdout
    assert (folder / "report.html").is_file()


def test_results_go_where_the_command_was_typed(elsewhere: Path) -> None:
    """Without further words five synthetic bakeries run, into `results` of this folder."""
    result = simulate(num_server_rounds="1")
    assert result.exit_code == 0, result.output
    folder = (elsewhere / "results" / "latest").resolve()
    facts = facts_of(folder)
    assert (facts["status"], facts["engine"], len(facts["bakeries"])) == (
        "completed",
        "inprocess",
        5,
    )
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", folder.name)
    assert str(folder / "report.html") in result.stdout


@pytest.mark.usefixtures("undrawn")
def test_one_bakery_is_a_run_too(elsewhere: Path, three_bakeries: str) -> None:
    """The first by name; `output-dir` says where results go; `latest` is the newest run."""
    words = ("--sales", three_bakeries, "--bakeries", "1")
    for rounds in ("2", "1"):
        result = simulate(*words, output_dir="by-key", num_server_rounds=rounds)
        assert result.exit_code == 0, result.output
    assert len(list((elsewhere / "by-key").glob("2*"))) == 2
    facts = facts_of(elsewhere / "by-key" / "latest")
    assert facts["bakeries"] == ["bakery 0"]
    assert facts["settings"]["num-server-rounds"] == 1
    assert not (elsewhere / "results").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_table_may_be_named_from_here(elsewhere: Path, three_bakeries: str) -> None:
    """A relative path is made absolute: on Ray the bakeries' processes run elsewhere."""
    shutil.copy(three_bakeries, elsewhere / "mine.csv")
    for key in ("--sales", "--set"):
        word = "mine.csv" if key == "--sales" else "sales=mine.csv"
        result = simulate(key, word, "--bakeries", "2", num_server_rounds="1")
        assert result.exit_code == 0, result.output
        facts = facts_of(elsewhere / "results" / "latest")
        assert facts["settings"]["sales"] == str(elsewhere / "mine.csv")
        assert facts["bakeries"] == ["bakery 0", "bakery 1"]


@pytest.mark.usefixtures("undrawn")
def test_a_young_bakery_is_named_and_left_out_of_training(elsewhere: Path) -> None:
    """The terminal says which and why; it is forecast all the same."""
    table = random_table(bakeries=3).rows
    last = table["date"].max()
    old = (table["bakery"] == "bakery 1") & (table["date"] < last - pd.Timedelta(days=21))
    table[~old].to_csv(elsewhere / "young.csv", index=False)
    result = simulate("--sales", "young.csv")
    assert result.exit_code == 0, result.output
    assert "bakery 1: 7 trading days before" in result.stderr
    folder = elsewhere / "results" / "latest"
    assert pd.read_csv(folder / "rounds.csv")["bakeries"].tolist() == [2, 2]
    assert set(pd.read_csv(folder / "bakeries.csv")["bakery"]) == {f"bakery {k}" for k in range(3)}


@pytest.fixture
def edit_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Edit the checkout's `pyproject.toml`, or rather a copy of it."""

    def edit(old: str, new: str) -> None:
        text = flower_app._project_file().read_text(encoding="utf-8")
        assert old in text
        copy = tmp_path / "pyproject.toml"
        copy.write_text(text.replace(old, new), encoding="utf-8")
        monkeypatch.setattr(flower_app, "_CHECKOUT", copy)

    return edit


@pytest.mark.usefixtures("undrawn")
def test_the_edited_config_counts(
    edit_config: Callable[[str, str], None], elsewhere: Path, three_bakeries: str
) -> None:
    """A table, a folder and a seed in `[tool.flwr.app.config]` are those of the run."""
    edit_config('\nsales = ""', f'\nsales = "{three_bakeries}"')
    edit_config('\noutput-dir = ""', '\noutput-dir = "there"')
    edit_config("\nseed = 42", "\nseed = 7")
    result = simulate(num_server_rounds="1")
    assert result.exit_code == 0, result.output
    facts = facts_of(elsewhere / "there" / "latest")
    assert (len(facts["bakeries"]), facts["seed"]) == (3, 7)


EDITS = [
    ("\nseed = 42", '\nseed = "x"', "seed: found 'x'; wanted a whole number"),
    ("\nseed = 42", "\nsede = 42", "unknown key 'sede'"),
    ("\nseed = 42", "\nseed 42", "isn't valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "told"), EDITS)
def test_a_slip_in_the_edited_config_is_told(
    old: str, new: str, told: str, edit_config: Callable[[str, str], None], elsewhere: Path
) -> None:
    """Exit code 2 with the key, before anything starts."""
    edit_config(old, new)
    result = glean("simulate")
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert told in result.stderr
    assert list(elsewhere.iterdir()) == []

"""`glean simulate --set workload=iris` and `glean report` as typed, in process and on Ray."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.settings import ConfigValue, RunSettings
from tests.demand_words import demand_words, words_of
from tests.inprocess_runs import cut_off, facts_of
from tests.processes import environment

LEFT = {
    "bakeries.csv",
    "bakery_rounds.csv",
    "events.jsonl",
    "figures",
    "model.npz",
    "model_card.json",
    "model_card.md",
    "models",
    "report.html",
    "rounds.csv",
    "run.json",
}


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def simulate(out: Path, *words: str, engine: str = "inprocess", **changes: ConfigValue) -> Result:
    """Simulate three clients for two rounds; keys with "_" for "-"."""
    config = {"workload": "iris", "num_server_rounds": 2} | changes
    pairs = (f"{key.replace('_', '-')}={value}" for key, value in config.items())
    settings = [word for pair in pairs for word in ("--set", pair)]
    return glean("simulate", "--engine", engine, "--bakeries", "3", *settings, *words, "--out", out)


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run in process, and what the terminal showed of it."""
    out = tmp_path_factory.mktemp("iris")
    return simulate(out), (out / "latest").resolve()


def text_of(folder: Path) -> str:
    """The report without its pictures' bytes."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r'src="data:[^"]*"', "", page)


def test_a_run_leaves_what_every_run_leaves(completed: tuple[Result, Path]) -> None:
    """Facts, events, tables by round and client with the workload's metrics, models, a report."""
    result, folder = completed
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == LEFT
    assert {path.name for path in (folder / "figures").iterdir()} == {"learning-curve.png"}
    names = [path.name for path in sorted((folder / "models").iterdir())]
    assert names == ["round_001.npz", "round_002.npz"]
    facts = facts_of(folder)
    assert (facts["status"], facts["engine"]) == ("completed", "inprocess")
    assert facts["bakeries"] == ["client 1", "client 2", "client 3"]
    assert facts["settings"]["workload"] == "iris"
    assert facts["settings"]["aggregation"] == "fedavg"
    assert facts["learning_rate"] == 0.1
    assert "synthetic" not in facts
    rounds = pd.read_csv(folder / "rounds.csv")
    columns = ["round", "bakeries", "replies", "failures", "log_loss", "accuracy"]
    assert list(rounds) == [*columns, "bytes_down", "bytes_up", "seconds", "virtual_seconds"]
    assert rounds["log_loss"].is_monotonic_decreasing
    by_client = pd.read_csv(folder / "bakery_rounds.csv")
    assert list(by_client) == ["round", "bakery", "n_examples", "log_loss", "accuracy"]
    scores = pd.read_csv(folder / "bakeries.csv")
    fields = ["bakery", "method", "rows", "log_losses", "hits", "log_loss", "accuracy"]
    assert list(scores) == fields
    assert (scores["accuracy"] == scores["hits"] / scores["rows"]).all()
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = [json.loads(line)["event"] for line in lines]
    assert kinds == [
        "phase_started",
        "run_started",
        "phase_started",
        "round_finished",
        "round_finished",
        "phase_started",
        "phase_started",
        "run_finished",
    ]


def test_the_terminal_and_the_page_say_what_came_of_it(completed: tuple[Result, Path]) -> None:
    """Metrics by their names."""
    result, folder = completed
    assert "round 2: validation log loss" in result.output
    scores = pd.read_csv(folder / "bakeries.csv")
    accuracy = scores["hits"].sum() / scores["rows"].sum()
    loss = scores["log_losses"].sum() / scores["rows"].sum()
    sentence = (
        f"The federation's model on {scores['rows'].sum():.0f} test rows: log loss {loss:.4f}, "
        f"accuracy {accuracy:.4f}."
    )
    page = text_of(folder)
    assert sentence in result.output
    assert sentence in page.replace("&#x27;", "'")
    assert "validation rows, which no model was fitted to" in page.replace("&#x27;", "'")


def test_nothing_is_said_in_the_words_of_bakeries(completed: tuple[Result, Path]) -> None:
    """By the terminal, the report and the events in each language, and the model's card."""
    result, folder = completed
    assert "3 clients, round" in result.output
    assert demand_words(result.output) == set()
    found = words_of(folder)
    assert not any(found.values()), found


def test_the_report_of_a_run_can_be_made_again(completed: tuple[Result, Path]) -> None:
    """The same page, with `glean report`, which has nothing to measure first."""
    _, folder = completed
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    again = glean("report", folder)
    assert again.exit_code == 0, again.output
    assert (folder / "report.html").read_bytes() == before
    assert "│ federated │" in again.output
    assert {path.name for path in folder.iterdir()} == LEFT


def test_a_report_is_written_in_the_language_that_is_asked_for(
    completed: tuple[Result, Path],
) -> None:
    """Numbers too, on the page and in the terminal; English again without the word."""
    _, folder = completed
    before = (folder / "report.html").read_bytes()
    german = glean("report", folder, "--language", "de")
    assert german.exit_code == 0, german.output
    page = text_of(folder)
    assert '<html lang="de">' in page
    assert "Testzeilen aller Clients" in page
    assert "Testzeilen aller Clients" in german.output
    assert re.search(r"Log-Verlust \d,\d{4}, Trefferquote \d,\d{4}", page)
    assert glean("report", folder, "--language", "it").exit_code == 2
    assert glean("report", folder).exit_code == 0
    assert (folder / "report.html").read_bytes() == before


def test_there_is_no_page_by_client(completed: tuple[Result, Path]) -> None:
    """It is refused in words that say where the results are."""
    result = glean("report", completed[1], "--bakery", "client 1")
    assert result.exit_code != 0
    assert "found no page for 'client 1'" in " ".join(result.output.split())


def test_one_word_continues_a_run_that_was_cut_off(tmp_path: Path) -> None:
    """Number of clients and settings are taken over; the end is the same to the byte."""
    assert simulate(tmp_path / "whole", num_server_rounds=4).exit_code == 0
    whole = (tmp_path / "whole" / "latest").resolve()
    old = cut_off(tmp_path / "out", facts_of(whole)["settings"], round_number=4)
    result = glean("simulate", "--engine", "inprocess", "--resume", old, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    new = (tmp_path / "out" / "latest").resolve()
    assert (facts_of(new)["resumed_from"], facts_of(new)["resumed_round"]) == (str(old), 2)
    for name in ("model.npz", "bakeries.csv", "bakery_rounds.csv"):
        assert (new / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bakery,method,rows\nclient 1,federated,3\n", "found no column log_losses, hits"),
        ("bakery,method,rows,log_losses,hits\na,other,1,1,1\n", "no row of the method federated"),
        ("bakery,method,rows,log_losses,hits\na,federated,x,1,1\n", "can't be read as a table"),
    ],
)
def test_a_damaged_table_is_named(
    text: str, told: str, completed: tuple[Result, Path], tmp_path: Path
) -> None:
    """And what is wrong with it."""
    _, folder = completed
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    (tmp_path / "bakeries.csv").write_text(text, encoding="utf-8")
    again = glean("report", tmp_path)
    assert again.exit_code == 2
    assert told in again.output


def test_a_run_that_failed_has_a_report_too(tmp_path: Path) -> None:
    """Nobody is there for the first round; the page says so, and has no final scores."""
    settings = RunSettings(workload="iris").to_config()
    facts = {"status": "failed", "reason": "the greenhouse burnt down", "settings": settings}
    (tmp_path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    again = glean("report", tmp_path)
    assert again.exit_code == 1
    page = text_of(tmp_path)
    assert "the greenhouse burnt down" in page
    assert "There are no final scores." in page
    assert "No round of this run has a validation score." in page


def test_bad_input_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """A sales table, newcomers, a workload that there isn't: the value, and what is wanted."""
    table = tmp_path / "sales.csv"
    table.write_text("date,units\n2024-01-01,3\n", encoding="utf-8")
    for words, changes, told in (
        (("--sales", str(table)), {}, "workload=iris brings its own data: wanted no sales table"),
        ((), {"newcomer_fraction": "0.5"}, "newcomer-fraction: found 0.5"),
        (
            (),
            {"workload": "tulips"},
            "workload: found 'tulips'; wanted one of 'demand', 'images', 'iris'",
        ),
        ((), {"device": "gpu"}, "device: found 'gpu'; fedavg learns on the CPU"),
    ):
        result = simulate(tmp_path / "out", *words, **changes)
        assert result.exit_code == 2
        assert told in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.long
@pytest.mark.usefixtures("nothing_left")
def test_ray_makes_the_same_bytes(
    completed: tuple[Result, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, checkpoints and scores, under masks, through Flower's own simulation."""
    _, here = completed
    for name, value in environment(tmp_path / "flower").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.chdir(tmp_path)
    result = simulate(tmp_path / "ray", engine="ray")
    assert result.exit_code == 0, result.output
    ray = (tmp_path / "ray" / "latest").resolve()
    assert facts_of(ray)["engine"] == "ray"
    assert {path.name for path in ray.iterdir()} == LEFT
    models = [f"models/round_{number:03d}.npz" for number in (1, 2)]
    for name in ("model.npz", *models, "bakeries.csv", "bakery_rounds.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name

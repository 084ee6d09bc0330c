"""`glean simulate` and `glean report` as typed, in this process: words, files and exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
from click.testing import Result
from flwr.app import Message
from typer.testing import CliRunner

from glean.cli.app import app
from glean.evaluation.tables.client_tables import TABLES
from glean.evaluation.tables.scores import SCORE_COLUMNS
from glean.federation.launch import flower_app
from glean.metrics import ErrorSums
from glean.runs.folder import round_tables
from tests.federations import Honest, MeddledApp
from tests.tables import random_table

METHODS = (
    "federated",
    "personalised",
    "chosen",
    "local",
    "pooled",
    "weekday-mean",
    "last-week",
)
QUICK = {
    "leaf-values": "scaled",
    "num-server-rounds": "2",
    "max-depth": "2",
    "test-days": "14",
    "validation-days": "14",
    "baselines": "false",
}


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def simulate(*words: str | Path, **changes: str) -> Result:
    """Simulate in this process, quickly unless a key says otherwise ("_" for "-")."""
    config = QUICK | {key.replace("_", "-"): value for key, value in changes.items()}
    settings = [word for key, value in config.items() for word in ("--set", f"{key}={value}")]
    return glean("simulate", "--engine", "inprocess", *settings, *words)


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def events_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every command is typed in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is drawn, which takes longer than a small run."""
    monkeypatch.setattr("glean.demand.conclusion.write_report", lambda _folder: None)


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


def test_a_run_leaves_the_files_and_columns_of_the_design(completed: tuple[Result, Path]) -> None:
    """Names and columns that others rely on, and a picture in the report."""
    _, folder = completed
    assert {path.name for path in folder.iterdir()} == {
        "run.json", "events.jsonl", "rounds.csv", "bakery_rounds.csv", "bakeries.csv",
        "forecasts.csv", "models", "model.ubj", "report.html", "figures",
        "days.csv", "plan.csv", "alone.csv", "widths.json", "coverage.csv", "choice.csv",
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


REFUSED = [
    (("--set", "num-rounds=3"), "unknown key 'num-rounds'; known are aggregation, "),
    (("--set", "num-server-rounds=many"), "num-server-rounds: found 'many'; wanted a whole number"),
    (("--set", "num-server-rounds=0"), "num-server-rounds: found 0; wanted a whole number from 1"),
    (("--set", "baselines=yes"), "baselines: found 'yes'; wanted true or false"),
    (("--set", "test-start=01.07.2019"), "test-start: found '01.07.2019'; wanted a date like"),
    (("--set", "seed"), "--set: found 'seed'; wanted KEY=VALUE"),
    (("--set", "min-available-bakeries=6"), "found 6; wanted at most 5, the number of bakeries"),
    (("--set", "resume=old"), "resume: found no folder "),
    (("--resume", "old"), "resume: found no folder "),
    (("--set", "start-from=none.ubj"), "none.ubj can't be read (No such file"),
    (("--set", "start-from=none.ubj"), "none.ubj can't be read (No such file"),
    (("--profile", "none.toml"), "none.toml"),
    (("--sales", "none.csv"), "none.csv"),
    (("--bakeries", "0"), "--bakeries"),
    (("--engine", "abacus"), "abacus"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    words: tuple[str, ...], told: str, elsewhere: Path
) -> None:
    """Exit code 2 and the key, the value and what was wanted; no folder is left."""
    result = glean("simulate", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert list(elsewhere.iterdir()) == []


def test_every_wrong_setting_is_told_at_once() -> None:
    """Three slips, three lines."""
    result = glean("simulate", "--set", "speed=3", "--set", "seed=x", "--set", "bins")
    assert result.exit_code == 2
    assert [line[:12] for line in result.stderr.splitlines()] == [
        "unknown key ",
        "seed: found ",
        "--set: found",
    ]


BROKEN = "date,bakery,units\n2023-01-02,a,5\n2023-01-02,a,7\n31/01/2023,a,x\n2023-02-01,b,-3\n"


def test_every_problem_of_a_table_is_told(elsewhere: Path) -> None:
    """A date twice, a date and a number that can't be read, a return: four lines, exit code 2."""
    (elsewhere / "broken.csv").write_text(BROKEN)
    result = simulate("--sales", "broken.csv")
    assert result.exit_code == 2
    told = result.stderr.splitlines()
    assert [line.split(",")[1].strip() for line in told] == ["line 3", "line 4", "line 4", "line 5"]
    assert "'-3'" in told[3]
    assert not (elsewhere / "results").exists()


def test_no_more_bakeries_than_the_table_has(three_bakeries: str) -> None:
    """The number asked for and the number there is."""
    result = simulate("--sales", three_bakeries, "--bakeries", "4")
    assert result.exit_code == 2
    assert "--bakeries: found 4; the table has 3" in result.stderr


PROFILES = [
    ("not toml", "--profile bad.toml: "),
    ("[client]\nnum-cpus = 1\n", "found the table [client]; wanted flat keys"),
]


@pytest.mark.parametrize(("text", "told"), PROFILES)
def test_a_profile_that_flower_would_refuse(text: str, told: str, elsewhere: Path) -> None:
    """The file is named, and what's wrong with it."""
    (elsewhere / "bad.toml").write_text(text)
    result = simulate("--profile", "bad.toml")
    assert result.exit_code == 2
    assert told in result.stderr


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


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("failing", [1, 3])
def test_bakeries_that_always_fail_don_t_end_the_others_sums(
    failing: int, elsewhere: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the defaults: two of three go on, without masks; of none the run says so."""

    def answer(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == "train.sum" and int(name.split()[1]) < failing:
            raise RuntimeError("the oven is cold")
        return honest()

    monkeypatch.setattr("glean.client_app.app", MeddledApp(answer))
    result = simulate("--sales", three_bakeries, leaf_values="refit")
    assert result.exit_code == int(failing == 3), result.output
    failed = [e for e in events_of(elsewhere / "results/latest") if e["event"] == "bakery_failed"]
    assert {e["bakery"] for e in failed} == {f"bakery {k}" for k in range(failing)}
    assert all("the oven is cold" in e["reason"] for e in failed)


def meddled(monkeypatch: pytest.MonkeyPatch, meddle: Callable[[str, Message], Any]) -> None:
    """Let `meddle` be called with a bakery's name before it trains; it may raise."""

    def answer(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == "train":
            meddle(name, message)
        return honest()

    monkeypatch.setattr("glean.client_app.app", MeddledApp(answer))


def fail(*_: Any) -> NoReturn:
    raise RuntimeError("the oven is cold")


def test_a_run_in_which_every_bakery_fails_has_failed(
    elsewhere: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 with the reason and the folder; each bakery is named with its own reason."""
    meddled(monkeypatch, fail)
    result = simulate("--sales", three_bakeries)
    assert result.exit_code == 1
    folder = (elsewhere / "results" / "latest").resolve()
    assert "the run failed: no bakery gave a valid reply in the train phase" in result.stderr
    assert "The last reason: " in result.stderr
    assert str(folder) in result.stderr
    assert "bakery 2: " in result.stderr
    assert "the oven is cold" in result.stderr
    assert "│" not in result.stdout


@pytest.mark.usefixtures("undrawn")
def test_one_bakery_that_fails_is_named_and_the_run_completes(
    elsewhere: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0; the bakery stands on stderr and in `events.jsonl`, once a round."""
    meddled(monkeypatch, lambda name, _: fail() if name == "bakery 1" else None)
    result = simulate("--sales", three_bakeries)
    assert result.exit_code == 0, result.output
    failed = [e for e in events_of(elsewhere / "results/latest") if e["event"] == "bakery_failed"]
    assert [(e["round"], e["bakery"]) for e in failed] == [(1, "bakery 1"), (2, "bakery 1")]
    assert "bakery 1: RuntimeError: the oven is cold" in result.stderr


@pytest.mark.usefixtures("ctrl_c_heard")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_run_and_its_folder_says_so(
    name: str, code: int, elsewhere: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second round; the exit code is 128 and the signal's number."""
    before = signal.getsignal(getattr(signal, name))

    def interrupt(_name: str, message: Message) -> None:
        if message.metadata.group_id == "2":
            os.kill(os.getpid(), getattr(signal, name))

    meddled(monkeypatch, interrupt)
    result = simulate("--sales", three_bakeries)
    assert result.exit_code == code
    assert f"ended by {name}" in result.stderr
    folder = elsewhere / "results" / "latest"
    assert (facts_of(folder)["status"], facts_of(folder)["reason"]) == ("failed", "interrupted")
    assert len(pd.read_csv(folder / "rounds.csv")) == 1
    assert signal.getsignal(getattr(signal, name)) == before


def test_the_report_of_a_failed_run_says_that_it_failed(
    elsewhere: Path, three_bakeries: str
) -> None:
    """Exit code 1 and the reason, on the page too; growth isn't measured for it."""
    result = simulate("--sales", three_bakeries, newcomer_fraction="1.0", newcomer_days="5")
    assert result.exit_code == 1
    reason = "no bakery has enough to learn from"
    assert f"the run failed: {reason}" in result.stderr
    report = glean("report", "results/latest")
    assert report.exit_code == 1
    assert f"this run failed: {reason}" in report.stderr
    assert "measured" not in report.stderr
    page = (elsewhere / "results" / "latest" / "report.html").read_text(encoding="utf-8")
    assert reason in page


def test_a_folder_that_is_no_run_has_no_report(elsewhere: Path) -> None:
    """Exit code 2 and what such a folder looks like."""
    result = glean("report", elsewhere)
    assert result.exit_code == 2
    assert "found no run.json; wanted the folder of a run, like results/latest" in result.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"test_start": "2033-01-01"}, "test-start: found 2033-01-01; the table ends on"),
        ({"holiday_region": "XX"}, "XX"),
        ({"covariates": "units"}, "covariates: found units"),
        ({"products": "none.csv"}, "none.csv: found No such file or directory; wanted a CSV file"),
    ],
)
def test_what_every_bakery_would_refuse_is_refused_at_the_door(
    setting: dict[str, str], words: str, elsewhere: Path, three_bakeries: str
) -> None:
    """Exit code 2 before anything starts, so that no run folder is left."""
    result = simulate("--sales", three_bakeries, **setting)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (elsewhere / "results").exists()

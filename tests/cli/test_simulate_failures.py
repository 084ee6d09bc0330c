"""`glean simulate` where bakeries fail or a signal comes: exit codes, reasons, the folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
from flwr.app import Message

from tests.cli.typed_commands import events_of, facts_of, glean, simulate
from tests.federations import Honest, MeddledApp

pytestmark = pytest.mark.usefixtures("elsewhere")


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
    assert "found neither run.json nor home.json; wanted the folder of a run" in result.stderr

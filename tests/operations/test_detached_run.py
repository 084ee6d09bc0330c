"""Requests and their processes, by the files that they leave beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from glean.errors import FederationError
from glean.federation.launch.deployment_run import RunOutcome
from glean.operations.running import detached_worker
from glean.operations.running.detached_run import (
    ERROR,
    PROCESS,
    RUN_ID,
    ProcessState,
    log_of,
    read_detached,
    stop_detached,
)
from glean.operations.running.run_request import RunRequest
from glean.operations.running.superlink_run import PreparedDeployment, prepare_deployment
from glean.runs.process_tree import this_process

RUN = 77


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Folder of a request for a run on a deployment."""
    folder = tmp_path / "r1"
    RunRequest(
        engine="deployment",
        results=str(tmp_path),
        settings={"num-server-rounds": 3},
        connection="bakeries",
    ).write(folder)
    return folder


def ending(outcome: Callable[[RunOutcome], None]) -> Any:
    """Stand in for `run_deployment`: the run begins and ends so."""

    def run(*_: object, started: Callable[[int], None], outcome: RunOutcome, **__: object) -> None:
        started(RUN)
        end(outcome)

    end = outcome
    return run


@pytest.fixture(autouse=True)
def _prepared() -> Iterator[None]:
    """Nothing is reached for."""
    prepared = PreparedDeployment("bakeries", {})
    with mock.patch.object(detached_worker, "prepare_request", return_value=prepared):
        yield


def test_a_request_comes_out_of_its_file_as_it_went_in(asked: Path) -> None:
    """And a damaged one is named."""
    request = RunRequest.read(asked)
    assert (request.engine, request.connection, dict(request.settings)) == (
        "deployment",
        "bakeries",
        {"num-server-rounds": 3},
    )
    for content in ("{", "[]", '{"engine": "ray"}', '{"more": 1}'):
        (asked / "request.json").write_text(content)
        with pytest.raises(FederationError, match=r"request\.json: damaged"):
            RunRequest.read(asked)


def test_a_deployment_s_run_that_completed_says_what_it_brought(asked: Path) -> None:
    """Its folder may lie on another machine."""

    def complete(outcome: RunOutcome) -> None:
        outcome.completed, outcome.summary = True, "off by 12%"

    with mock.patch.object(detached_worker, "run_deployment", ending(complete)):
        assert detached_worker.main(asked) == 0
    found = read_detached(asked)
    assert (found.run_id, found.summary, found.error) == (RUN, "off by 12%", "")


def test_a_deployment_s_run_that_failed_says_why(asked: Path) -> None:
    """As the server told it."""

    def fail(outcome: RunOutcome) -> None:
        outcome.reason = "too few bakeries"

    with mock.patch.object(detached_worker, "run_deployment", ending(fail)):
        assert detached_worker.main(asked) == 1
    found = read_detached(asked)
    assert (found.summary, found.error) == (None, "too few bakeries")


def test_stopping_ends_the_run_at_its_superlink(asked: Path) -> None:
    """Not only the watching, as Ctrl-C of `glean run` does."""

    def interrupt(_: RunOutcome) -> None:
        raise KeyboardInterrupt

    with (
        mock.patch.object(detached_worker, "run_deployment", ending(interrupt)),
        mock.patch.object(detached_worker, "stop_deployment") as stop,
    ):
        assert detached_worker.main(asked) == 1
    assert stop.call_args.args[:2] == ("bakeries", RUN)
    assert read_detached(asked).error == "interrupted"


def test_a_request_is_worked_on_once(asked: Path) -> None:
    """A second process finds the first one's file and goes."""
    (asked / PROCESS).write_text(json.dumps(this_process()))
    with mock.patch.object(detached_worker, "run_deployment") as run:
        assert detached_worker.main(asked) == 0
    run.assert_not_called()
    assert read_detached(asked).state is ProcessState.RUNNING


def test_a_process_that_has_gone_has_ended(asked: Path) -> None:
    """Also where its number is another's by now; stopping it does nothing."""
    gone = this_process() | {"began": 1.0}
    (asked / PROCESS).write_text(json.dumps(gone))
    (asked / RUN_ID).write_text("12")
    (asked / ERROR).write_text("why")
    found = read_detached(asked)
    assert (found.state, found.run_id, found.error) == (ProcessState.ENDED, 12, "why")
    stop_detached(asked)


def test_what_is_stopped_before_it_begins_never_begins(asked: Path) -> None:
    """Its process, which takes a second to get there, finds the request taken."""
    stop_detached(asked)
    with mock.patch.object(detached_worker, "run_deployment") as run:
        assert detached_worker.main(asked) == 0
    run.assert_not_called()
    found = read_detached(asked)
    assert (found.state, found.error) == (ProcessState.ENDED, "interrupted")


def test_what_was_not_started_says_so(asked: Path) -> None:
    """A file that is damaged says nothing either; there is no log yet."""
    assert read_detached(asked).state is ProcessState.NOT_STARTED
    (asked / PROCESS).write_text("{")
    assert read_detached(asked).state is ProcessState.NOT_STARTED
    assert log_of(asked, most_bytes=10) == ""


def test_of_a_log_the_end_is_shown(asked: Path) -> None:
    """Also where it begins within a letter."""
    (asked / "log").write_text("x" * 100 + "é the end")
    assert log_of(asked, most_bytes=9).endswith(" the end")


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:9093", True),
        ("localhost:9093", True),
        ("[::1]:9093", True),
        ("https://localhost:9093", True),
        ("glean.example.org:9093", False),
        ("192.0.2.1:9093", False),
    ],
)
def test_results_go_where_the_service_looks_if_the_superlink_is_here(
    tmp_path: Path, address: str, here: bool
) -> None:
    """On another machine such a folder means nothing."""
    there = "glean.operations.running.superlink_run"
    with (
        mock.patch(f"{there}.find_connection", return_value={"address": address}),
        mock.patch(f"{there}.check_reachable"),
    ):
        found = prepare_deployment("bakeries", {}, results=tmp_path)
        chosen = prepare_deployment("bakeries", {"output-dir": "/srv"}, results=tmp_path)
    assert found.overrides.get("output-dir") == (str(tmp_path) if here else None)
    assert chosen.overrides["output-dir"] == "/srv"

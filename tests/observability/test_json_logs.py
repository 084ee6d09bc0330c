"""Logs for machines: each line is a JSON object, whoever logs, and none holds a secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import warnings
from typing import get_args

import pytest

from glean.errors import GleanError
from glean.observability import json_logs
from glean.observability.json_logs import log_as_json, log_as_told, logs_json
from glean.observability.log_context import FIELDS, add_log_fields, log_fields
from glean.runs import events, phase_events, setback_events
from glean.runs.event_row import Event
from tests.cli.typed_commands import glean
from tests.observability.conftest import Lines
from tests.processes import REPOSITORY

LOG = logging.getLogger("glean.test")


def test_a_line_says_when_how_bad_who_and_what(lines: Lines) -> None:
    """In this order, then the fields; a number stays a number."""
    LOG.warning("round %d: %s", 3, "lost", extra={"round": 3})
    (line,) = lines()
    assert list(line) == ["time", "level", "logger", "event", "round"]
    assert line["time"].endswith("Z")
    wanted = {"level": "warning", "logger": "glean.test", "event": "round 3: lost", "round": 3}
    assert {name: line[name] for name in wanted} == wanted


def test_lines_carry_what_they_are_about(lines: Lines) -> None:
    """Fields from around, the innermost counts; those of a process whichever thread logs."""
    with log_fields(run="8001", round=1):
        with log_fields(round=2):
            LOG.warning("within")
        LOG.warning("around", extra={"run": "7"})
    LOG.warning("after")
    assert [(line.get("run"), line.get("round")) for line in lines()] == [
        ("8001", 2), ("7", 1), (None, None),
    ]  # fmt: skip


def test_fields_of_a_process_are_its_threads_too(lines: Lines) -> None:
    """As a node's heartbeats."""
    add_log_fields(bakery="Nord")
    thread = threading.Thread(target=LOG.warning, args=("tick",))
    thread.start()
    thread.join()
    assert [line["bakery"] for line in lines()] == ["Nord"]


def test_a_traceback_is_one_line_without_secrets(lines: Lines) -> None:
    """Of an error's cause too."""
    cause = ConnectionError("amqp://glean:hunter2@broker/ is away\nfor good")
    error = ValueError("no broker")
    error.__cause__ = cause
    LOG.error("can't send", exc_info=error)
    (line,) = lines()
    assert "hunter2" not in line["exception"]
    assert "amqp://glean:***@broker/" in line["exception"]
    assert "ValueError: no broker" in line["exception"]


def test_libraries_warnings_and_loose_ends_are_lines_too(lines: Lines) -> None:
    """Also what another library has its own handler for, and words that don't fit together."""
    logging.getLogger("alembic.runtime.migration").info("Running upgrade")
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[1m"})
    flower = logging.getLogger("flwr")
    stray = logging.StreamHandler(sys.stderr)
    flower.addHandler(stray)
    flower.error("flower")
    flower.removeHandler(stray)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    LOG.error("%d rounds", "no number")
    thread = threading.Thread(target=_fail)
    thread.start()
    thread.join()
    found = lines()
    assert [line["level"] for line in found] == [
        "info", "info", "error", "warning", "error", "critical",
    ]  # fmt: skip
    assert found[2]["event"] == "flower"
    assert "DeprecationWarning: old" in found[3]["event"]
    assert "no number" in found[4]["event"]
    assert "ZeroDivisionError" in found[5]["exception"]
    assert not any("color_message" in line for line in found)


def _fail() -> None:
    raise ZeroDivisionError


def test_what_is_no_json_is_written_all_the_same(lines: Lines) -> None:
    """No NaN, which JSON doesn't have; what a terminal would obey; a path; a mapping in a field."""
    LOG.warning(
        "\x1b[1m\u2028ü", extra={"score": float("nan"), "path": REPOSITORY, "of": {1: [2.5]}}
    )
    (line,) = lines()
    assert (line["score"], line["of"]) == (None, {"1": [2.5]})
    assert line["path"] == str(REPOSITORY)
    assert line["event"] == "\x1b[1m\u2028ü"


def test_secrets_are_taken_out_of_every_field(lines: Lines) -> None:
    """Wherever they stand."""
    url = "postgresql://glean:hunter2@db/glean"
    LOG.warning("%s", url, extra={"database": url, "all": [{"url": url}]})
    text = json.dumps(lines())
    assert "hunter2" not in text
    assert text.count("glean:***@db") == 3


def test_what_is_named_a_secret_is_taken_out(lines: Lines) -> None:
    """Whatever it looks like; but for the field that holds a token's prefix, and numbers."""
    prefix = "k3m9xqzt"
    fields = {"api_key": "hunter2", "of": {"Password": "hunter2", "tokens": 3}, "token": prefix}
    LOG.warning("said", extra=fields)
    (line,) = lines()
    assert (line["api_key"], line["of"]) == ("***", {"Password": "***", "tokens": 3})
    assert line["token"] == prefix


def test_an_error_that_nobody_caught_is_a_line() -> None:
    """Of a whole process, whose error stream has nothing else."""
    pytest.importorskip("structlog")
    code = "from glean.observability.json_logs import log_as_json; log_as_json(); 1 / 0"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert line["level"] == "critical"
    assert "ZeroDivisionError" in line["exception"]


def test_a_process_does_as_the_one_that_started_it(lines: Lines) -> None:
    """By a variable of the environment; without it nothing changes."""
    root = logging.getLogger()
    root.handlers.clear()
    log_as_told({})
    assert not logs_json()
    log_as_told({json_logs.VARIABLE: "json"})
    assert logs_json()
    assert lines() == []


def test_without_structlog_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything else happens."""
    monkeypatch.setattr("glean.installed_packages.find_spec", lambda _: None)
    with pytest.raises(GleanError, match=r"found no structlog.*pip install 'glean\[observability"):
        log_as_json()


def test_no_field_hides_one_of_logging_s_own() -> None:
    """Python refuses such a line: of the shared fields, and of every event's."""
    own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
    kinds = [
        one
        for module in (events, phase_events, setback_events)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Event)
    ]
    assert len(kinds) > len(get_args(setback_events.Setback))
    named = {name for kind in kinds for name in kind.__dataclass_fields__}
    assert not (named | set(FIELDS)) & own


def test_a_command_refuses_json_without_structlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, and what to install."""
    monkeypatch.setattr("glean.installed_packages.find_spec", lambda _: None)
    result = glean("simulate", "--log-format", "json")
    assert result.exit_code == 2
    assert "--log-format: found no structlog" in result.stderr
    assert "glean[observability]" in result.stderr

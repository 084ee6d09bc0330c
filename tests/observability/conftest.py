"""A process that logs as JSON for the length of a test."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glean.observability import json_logs, log_context
from glean.observability.json_logs import log_as_json

Lines = Callable[[], list[dict[str, Any]]]

NAMES = ("", "glean", "glean.cli", "alembic.runtime.migration", "uvicorn", "flwr", "py.warnings")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Has this process log as JSON for a while; gives what was logged since the last time."""
    pytest.importorskip("structlog")
    loggers = [logging.getLogger(name) for name in NAMES]
    kept = [(one, one.handlers[:], one.level, one.filters[:]) for one in loggers]
    monkeypatch.setattr(log_context, "_of_process", {})
    monkeypatch.setenv(json_logs.VARIABLE, "")
    monkeypatch.setenv("MLFLOW_CONFIGURE_LOGGING", "")
    alembic = logging.getLogger("alembic")  # which a test before may have had MLflow set up
    monkeypatch.setattr(alembic, "handlers", [])
    monkeypatch.setattr(alembic, "propagate", True)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    log_as_json()
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logging.captureWarnings(capture=False)
    for one, handlers, level, filters in kept:
        one.handlers[:], one.filters[:] = handlers, filters
        one.setLevel(level)

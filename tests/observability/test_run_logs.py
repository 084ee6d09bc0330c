"""What `glean run --log-format json` writes: what its server says, a line each, with the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glean.federation.launch.deployment_run import RunOutcome
from tests.cli.typed_commands import glean
from tests.observability.conftest import Lines

DEPLOYMENT = "glean.operations.running.superlink_run"


class StandIn:
    """Flower's commands, of which only the start of a run is asked for."""

    def submit(self, *_: object, **__: object) -> int:
        return 77


def test_a_run_of_a_deployment_is_told_by_its_server_s_lines(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From its start to why it failed, which is an error; nothing else is on the error stream."""
    monkeypatch.chdir(tmp_path)

    def nothing(*_: object) -> dict[str, Any]:
        return {}

    def failed(
        _cli: object, _run: int, say: Callable[[str], None], *, outcome: RunOutcome
    ) -> RunOutcome:
        say("round 1: 3 of 3 bakeries answered")
        outcome.reason = "too few bakeries"
        return outcome

    monkeypatch.setattr(f"{DEPLOYMENT}.find_connection", nothing)
    monkeypatch.setattr(f"{DEPLOYMENT}.check_reachable", nothing)
    monkeypatch.setattr(f"{DEPLOYMENT}.flwr_cli_of", lambda *_: StandIn())
    monkeypatch.setattr(f"{DEPLOYMENT}.follow_run", failed)
    result = glean("run", "bakeries", "--log-format", "json")
    assert result.exit_code == 1, result.output
    said = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(line["level"], line["event"], line["run"]) for line in said] == [
        ("info", "run 77 started at 'bakeries'", "77"),
        ("info", "round 1: 3 of 3 bakeries answered", "77"),
        ("error", "the run failed: too few bakeries", "77"),
    ]
    assert lines() == []

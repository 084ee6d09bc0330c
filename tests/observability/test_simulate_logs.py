"""What `glean simulate --log-format json` writes: what happens in the run, a line each."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.typed_commands import events_of, simulate
from tests.observability.conftest import Lines


def test_a_run_is_told_by_its_events(lines: Lines, tmp_path: Path) -> None:
    """Each with its sentence and its fields, once, and with the run; the results stay on stdout."""
    assert lines() == []
    words = ("--bakeries", "3", "--out", tmp_path, "--log-format", "json")
    result = simulate(*words, workload="iris")
    assert result.exit_code == 0, result.output
    folder = next(tmp_path.glob("2*"))
    said = [json.loads(line) for line in result.stderr.splitlines()]
    assert [line["kind"] for line in said] == [event["event"] for event in events_of(folder)]
    assert {line["run"] for line in said} == {folder.name.rpartition("-")[2]}
    rounds = [line for line in said if line["kind"] == "round_finished"]
    assert [(line["round"], line["bakeries"]) for line in rounds] == [(1, 3), (2, 3)]
    assert all(line["bytes_up"] > 0 and line["level"] == "info" for line in rounds)
    assert "federated" in result.stdout


def test_what_can_not_be_run_is_a_line(lines: Lines, tmp_path: Path) -> None:
    """With the exit code that it has as text."""
    result = simulate("--sales", tmp_path / "none.csv", "--log-format", "json")
    assert result.exit_code == 2
    (line,) = [json.loads(text) for text in result.stderr.splitlines()]
    assert (line["level"], "found no such file" in line["event"]) == ("error", True)
    assert lines() == []

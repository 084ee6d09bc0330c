"""What a command asks a running peer for, and what it reads of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.mesh.mesh_home import MeshHome
from glean.mesh.runs.run_end import RunEnd
from glean.mesh.runs.run_home import run_home, run_homes
from glean.mesh.runs.run_requests import FOLDER, read_requests, request_cancel, request_run
from glean.mesh.runs.run_status import RunStatus, note_status, read_statuses
from tests.mesh.runs.made_plans import KEY, made_plan


def test_a_peer_takes_up_what_was_asked(tmp_path: Path) -> None:
    """A run before what ends it; nobody else may read what is asked."""
    home = MeshHome(tmp_path)
    key = request_run(home, {"seed": 7, "workload": "demand"}, 5.0)
    request_cancel(home, key)
    proposed, ended = read_requests(home)
    assert (proposed.key, proposed.cancels, proposed.lease_s) == (key, False, 5.0)
    assert proposed.run_config == {"seed": 7, "workload": "demand"}
    assert (ended.key, ended.cancels) == (key, True)
    assert stat.S_IMODE(proposed.path.stat().st_mode) == 0o600
    proposed.path.unlink()
    assert read_requests(home) == [ended]


def test_what_can_t_be_asked_is_refused_at_once(tmp_path: Path) -> None:
    """Where the person still sees it."""
    home = MeshHome(tmp_path)
    with pytest.raises(FederationError, match="wanted 1 to 600 seconds"):
        request_run(home, {}, 0.1)
    with pytest.raises(FederationError, match="32 hexadecimal digits"):
        request_cancel(home, "../x")
    assert read_requests(home) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"run-{KEY}.json", "{"),
        (f"run-{KEY}.json", "[]"),
        (f"run-{KEY}.json", '{"run_config": {}, "lease_s": 0}'),
        (f"stop-{KEY}.json", "{}"),
        ("run-x.json", "{}"),
    ],
)
def test_what_is_no_request_is_cleared_away(tmp_path: Path, name: str, content: str) -> None:
    """And named in the log."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / name).write_text(content)
    assert read_requests(MeshHome(tmp_path)) == []
    assert [*(tmp_path / FOLDER).iterdir()] == []


def test_statuses_are_read_while_no_peer_runs(tmp_path: Path) -> None:
    """The oldest first; what can't be read is left out."""
    home = MeshHome(tmp_path)
    older = RunStatus(KEY, "completed", created=1.0, participants=("Nord", "Ost"), round=3)
    newer = RunStatus("f" * 32, "training", created=2.0, present=("Ost",), term=4)
    for status in (newer, older):
        note_status(run_home(home, status.key), status)
    (tmp_path / "runs" / "else").mkdir()
    run_home(home, "e" * 32).make()
    run_home(home, "e" * 32).status.write_text("[]")
    assert read_statuses(home) == [older, newer]
    assert [status.over for status in (older, newer)] == [True, False]


def test_what_is_known_of_a_run_is_on_disk(tmp_path: Path) -> None:
    """Its plan, its end, and that it is to end."""
    run = run_home(MeshHome(tmp_path), KEY)
    assert (run.plan(), run.ended(), run.cancelled) == (None, None, False)
    run.note_plan(made_plan("Ost", "Nord"))
    run.note_cancelled()
    run.note_end(RunEnd("failed", "x" * 5000))
    assert run.plan() == made_plan("Ost", "Nord")
    assert run.cancelled
    assert run.ended() == RunEnd("failed", "x" * 2000)
    assert run_homes(MeshHome(tmp_path)) == [run]

"""A run that a carrier carries: announced, run, ended, whatever comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from glean.errors import FederationError
from glean.federation.grids.run_announcement import ANNOUNCEMENT_FILE, RunAnnouncement
from glean.federation.launch.run_carried import run_on_carrier
from glean.runs.code_version import code_fingerprint
from glean.runs.index import read_run
from glean.runs.record import RunRecord
from glean.settings import RunSettings
from tests.memory_carrier import MemoryCarrier, MemoryRoad


class Road(MemoryCarrier):
    """Keeps what was announced."""

    def __init__(self) -> None:
        self.road = MemoryRoad([])
        self.told: list[bytes] = []
        super().__init__(self.road, 0)

    def announce(self, run: bytes) -> None:
        self.told.append(run)


def app_that(ends: str) -> ServerApp:
    """A ServerApp that keeps its record, and ends in some way."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        assert grid.run.run_id == context.run_id
        if ends == "early":
            raise ValueError("no folder yet")
        record = RunRecord.begin(context.run_config, run_id=context.run_id, engine="memory")
        if ends == "failed":
            record.end("failed", reason="too few")
            raise FederationError("too few")
        if ends == "interrupted":
            record.end("failed", reason="interrupted")
            raise KeyboardInterrupt
        if ends == "full":
            raise OSError("no space left")
        record.end("completed")

    return app


def test_a_run_is_announced_and_ended(tmp_path: Path) -> None:
    """With its whole run config, but for the server's own folder."""
    road, ids = Road(), list[int]()
    config = RunSettings().to_config() | {"output-dir": str(tmp_path)}
    folder = run_on_carrier(app_that("completed"), road, config, started=ids.append)
    told = RunAnnouncement.from_bytes(road.told[0])
    assert (told.run_id, told.code) == (ids[0], code_fingerprint())
    assert told.run_config == {k: v for k, v in config.items() if k != "output-dir"}
    assert (read_run(folder).status, road.road.ended) == ("completed", "completed")
    assert (folder / ANNOUNCEMENT_FILE).read_bytes() == road.told[0]


def test_clients_hear_how_a_run_ended(tmp_path: Path) -> None:
    """One that failed in its own words has a folder; one without a folder is an error."""
    config = RunSettings().to_config() | {"output-dir": str(tmp_path)}
    road = Road()
    assert read_run(run_on_carrier(app_that("failed"), road, config)).reason == "too few"
    assert road.road.ended == "too few"
    with pytest.raises(FederationError, match="no folder yet"):
        run_on_carrier(app_that("early"), road, config)
    assert "no folder yet" in road.road.ended
    with pytest.raises(KeyboardInterrupt):
        run_on_carrier(app_that("interrupted"), road, config)
    assert road.road.ended == "interrupted"


def test_a_run_that_another_server_goes_on_with_has_no_end(tmp_path: Path) -> None:
    """Nobody is told of one; the error comes as it was raised."""
    config = RunSettings().to_config() | {"output-dir": str(tmp_path)}
    road = Road()
    with pytest.raises(OSError, match="no space left"):
        run_on_carrier(
            app_that("full"), road, config, goes_on=lambda error: isinstance(error, OSError)
        )
    assert road.road.ended == ""
    failed = app_that("failed")
    run_on_carrier(failed, road, config, goes_on=lambda error: isinstance(error, OSError))
    assert road.road.ended == "too few"

"""Runs on a mesh of processes: the coordinator is killed, and the model is that of no kill."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from glean.runs.index import read_run
from glean.settings import ConfigValue, RunSettings
from tests.carried_runs import own_tables
from tests.cli.test_kafka import REFIT, set_options
from tests.cli.typed_commands import events_of
from tests.federations import member_nodes
from tests.inprocess_runs import run as run_here
from tests.mesh_federation import MeshFederation, mesh_federation

pytestmark = pytest.mark.usefixtures("nothing_left")

FOUR = ("Nordbrot", "Ostbrot", "Westbrot", "Südbrot")
LIMIT_S = 180.0


def settings_of_four(rounds: int) -> dict[str, ConfigValue]:
    """Masked sums of all four."""
    return REFIT | {"num-server-rounds": rounds, "min-available-bakeries": 4}


def wanted_model(folder: Path, tables: dict[str, Path], config: dict[str, ConfigValue]) -> bytes:
    """The model that the same bakeries make in one process."""
    nodes = member_nodes(folder / "keys", tables, homes=True)
    done = run_here(folder / "here", RunSettings().to_config() | config, nodes=nodes)
    return (done / "model.ubj").read_bytes()


def check_end(
    mesh: MeshFederation, key: str, wanted: bytes, rounds: int, *, names: tuple[str, ...] = FOUR
) -> None:
    """All know of the same end, of each round once; and every bakery has the model."""
    for name in names:
        status = mesh.ended(name, key, limit_s=LIMIT_S)
        assert status.state == "completed", (name, status, mesh.log(name)[-3000:])
        folder = Path(status.folder)
        assert read_run(folder).status == "completed"
        assert (folder / "model.ubj").read_bytes() == wanted, name
        assert (folder / "report.html").is_file()
        assert (mesh.home(name).path / "bakery" / "model.ubj").read_bytes() == wanted, name
        found = events_of(folder)
        finished = [event["round"] for event in found if event["event"] == "round_finished"]
        assert finished == list(range(1, rounds + 1))
        assert "Traceback" not in mesh.log(name), mesh.log(name)[-3000:]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_run_outlives_its_coordinator(tmp_path: Path) -> None:
    """Killed in round 3 of 10: another peer goes on, and the model is that of no kill at all."""
    tables, config = own_tables(tmp_path / "tables", FOUR), settings_of_four(10)
    wanted = wanted_model(tmp_path / "own", tables, config)
    with mesh_federation(tmp_path / "mesh", tables) as mesh:
        key = mesh.train(FOUR[0], "--lease", "3", *set_options(config))
        killed = mesh.coordinator(key)
        mesh.wait_for_round(killed, key, 2)
        mesh.kill(killed)
        successor = mesh.coordinator(key, besides=killed)
        assert successor != killed
        mesh.start(killed)
        check_end(mesh, key, wanted, 10)
        folder = Path(mesh.ended(successor, key).folder)
        assert [event for event in events_of(folder) if event["event"] == "run_resumed"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_outlives_five_coordinators(tmp_path: Path) -> None:
    """Killed at random moments, or told to end, which they do soon; each comes back."""
    tables, config = own_tables(tmp_path / "tables", FOUR), settings_of_four(20)
    wanted = wanted_model(tmp_path / "own", tables, config)
    draw = random.Random(20)  # noqa: S311 # a test's
    with mesh_federation(tmp_path / "mesh", tables) as mesh:
        key = mesh.train(FOUR[0], "--lease", "2", *set_options(config))
        for place in range(5):
            name = mesh.coordinator(key)
            time.sleep(draw.uniform(0.0, 4.0))  # the moment is what is drawn
            status = mesh.status(name, key)
            assert status is not None
            assert not status.over, "the run had ended before the kill"
            if place % 2:
                mesh.kill(name)
            else:
                # One that has hardly begun hears the signal before Glean does.
                assert mesh.terminate(name) in (128 + signal.SIGTERM, -signal.SIGTERM)
            mesh.start(name)
        check_end(mesh, key, wanted, 20)

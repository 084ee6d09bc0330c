"""Runs on a mesh over lines that lose packets or are cut: slower, and the model is the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from glean.runs.index import read_run
from glean.settings import ConfigValue, RunSettings
from tests.carried_runs import NAMES, own_nodes, own_tables
from tests.cli.test_kafka import REFIT, set_options
from tests.inprocess_runs import run as run_here
from tests.mesh.lossy_network import needs_namespaces
from tests.mesh_federation import MeshFederation
from tests.mesh_on_bad_lines import mesh_on_bad_lines
from tests.processes import wait_until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("nothing_left")]

PARTITION_S = 60.0


def wanted_model(folder: Path, config: dict[str, ConfigValue]) -> bytes:
    """The model that the same bakeries make in one process."""
    nodes = [*own_nodes(folder / "own").values()]
    done = run_here(folder / "here", RunSettings().to_config() | config, nodes=nodes)
    return (done / "model.ubj").read_bytes()


def check_end(mesh: MeshFederation, key: str, wanted: bytes, *, limit_s: float) -> None:
    """All have the model of one process."""
    for name in NAMES:
        status = mesh.ended(name, key, limit_s=limit_s)
        assert status.state == "completed", (name, status, mesh.log(name)[-3000:])
        assert read_run(Path(status.folder)).status == "completed"
        assert (Path(status.folder) / "model.ubj").read_bytes() == wanted, name
        assert "Traceback" not in mesh.log(name), mesh.log(name)[-3000:]


@pytest.mark.timeout(600)
def test_a_coordinator_that_is_cut_off_for_a_minute(tmp_path: Path) -> None:
    """The others go on with another one as soon as the third bakery is there again."""
    needs_namespaces()
    config = REFIT | {"num-server-rounds": 8}
    wanted = wanted_model(tmp_path, config)
    tables = own_tables(tmp_path / "tables")
    with mesh_on_bad_lines(tmp_path / "mesh", tables, loss=0.0, delay_s=0.02) as (mesh, network):
        mesh.connected()
        key = mesh.train(NAMES[0], "--lease", "5", *set_options(config))
        cut_off = mesh.coordinator(key)
        mesh.wait_for_round(cut_off, key, 2)
        others = [name for name in NAMES if name != cut_off]
        network.cut |= {frozenset({cut_off, name}) for name in others}
        since = time.monotonic()

        def another_one() -> bool:
            told = [mesh.status(name, key) for name in others]
            return {one.coordinator for one in told if one is not None} <= set(others)

        wait_until(another_one, "another one coordinates", limit_s=PARTITION_S)
        time.sleep(max(0.0, since + PARTITION_S - time.monotonic()))  # how long it is cut
        assert all(not one.over for name in NAMES if (one := mesh.status(name, key)) is not None)
        network.cut.clear()
        check_end(mesh, key, wanted, limit_s=240.0)


@pytest.mark.timeout(1800)
def test_a_run_over_lines_that_lose_a_third(tmp_path: Path) -> None:
    """Three in ten packets are lost, of either direction, and the others take 200 ms."""
    needs_namespaces()
    config = REFIT | {"num-server-rounds": 2, "round-timeout-s": 1200}
    wanted = wanted_model(tmp_path, config)
    tables = own_tables(tmp_path / "tables")
    with mesh_on_bad_lines(tmp_path / "mesh", tables, loss=0.3, delay_s=0.2) as (mesh, network):
        mesh.connected()
        key = mesh.train(NAMES[0], "--lease", "60", *set_options(config))
        check_end(mesh, key, wanted, limit_s=1500.0)
        lost = network.lost / (network.lost + network.passed)
        assert 0.15 < lost < 0.45

"""Whole runs on a mesh in this process: the model of one process, also at who was away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from glean.demand import conclusion
from glean.mesh.runs.run_requests import request_cancel, request_run
from glean.mesh.runs.run_status import RunStatus, read_statuses
from glean.operations.mesh.plan_config import plan_config
from glean.runs.index import read_run
from glean.settings import ConfigValue, RunSettings
from tests.carried_runs import NAMES, own_nodes, own_tables
from tests.cli.test_kafka import REFIT
from tests.federation.node.test_late_result import OF_THE_ROUNDS
from tests.inprocess_runs import run as run_here
from tests.mesh_peers import WorkingPeer, mesh_peers
from tests.processes import wait_until

LIMIT_S = 120.0
LEASE_S = 5.0
SHORT = REFIT | {"num-server-rounds": 2}


@pytest.fixture(autouse=True)
def _no_figures() -> Iterator[None]:
    """Drawing them takes seconds and has tests of its own."""
    with mock.patch.object(conclusion, "write_report"):
        yield


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a peer sets is forgotten afterwards."""
    monkeypatch.setenv("GLEAN_MEMBERS", "")


def wanted_model(folder: Path, config: dict[str, ConfigValue]) -> bytes:
    """The model that the same bakeries make in one process."""
    nodes = [*own_nodes(folder / "own").values()]
    done = run_here(folder / "here", RunSettings().to_config() | config, nodes=nodes)
    return (done / "model.ubj").read_bytes()


def ended(peer: WorkingPeer, key: str) -> RunStatus:
    """How a run ended, as a peer knows it."""

    def found() -> RunStatus | None:
        known = [one for one in read_statuses(peer.home) if one.key == key and one.over]
        return known[0] if known else None

    wait_until(lambda: found() is not None, "the run is over", limit_s=LIMIT_S)
    status = found()
    assert status is not None
    return status


@pytest.mark.slow
@pytest.mark.parametrize("masked", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_run_on_a_mesh_has_the_model_of_one_process(tmp_path: Path, masked: bool) -> None:
    """To the byte, at every peer and in every bakery's home; with masks and without."""
    config = SHORT | ({} if masked else {"secure-sums": False, "share-scores": "yes"})
    wanted = wanted_model(tmp_path, config)
    with mesh_peers(tmp_path / "mesh", own_tables(tmp_path / "tables")) as peers:
        for peer in peers.values():
            peer.begin(privacy="sums" if masked else "")
        first = peers[NAMES[0]]
        key = request_run(first.home, plan_config(config), LEASE_S)
        for name, peer in peers.items():
            status = ended(peer, key)
            assert status.state == "completed", status
            folder = Path(status.folder)
            assert read_run(folder).status == "completed"
            assert (folder / "model.ubj").read_bytes() == wanted, name
            assert (peer.bakery / "model.ubj").read_bytes() == wanted, name


@pytest.mark.slow
def test_a_bakery_that_was_away_takes_the_model_when_it_is_back(tmp_path: Path) -> None:
    """Of a run that was proposed and over while it was switched off; it lacks nothing then."""
    tables = own_tables(tmp_path / "tables", (*NAMES, "Südbrot"))
    with mesh_peers(tmp_path / "mesh", tables) as peers:
        *there, away = peers.values()
        away.down()
        for peer in there:
            peer.begin(privacy="sums")
        key = request_run(there[0].home, plan_config(SHORT), LEASE_S)
        assert {ended(peer, key).state for peer in there} == {"completed"}
        away.up()
        away.begin(privacy="sums")
        model = away.bakery / "model.ubj"
        wait_until(model.exists, "the model is at home", limit_s=LIMIT_S)
        assert model.read_bytes() == (there[0].bakery / "model.ubj").read_bytes()
        status = ended(away, key)
        assert (status.state, status.participants) == ("completed", tuple(sorted(peers)))
        assert (Path(status.folder) / "model.ubj").read_bytes() == model.read_bytes()
    kept = [{path.name for path in peer.bakery.glob("[!.]*")} for peer in (there[0], away)]
    assert kept[0] - kept[1] <= OF_THE_ROUNDS


@pytest.mark.long
def test_a_run_that_is_cancelled_ends_for_all(tmp_path: Path) -> None:
    """By who proposed it, in the middle of a round; the next one goes through."""
    with mesh_peers(tmp_path / "mesh", own_tables(tmp_path / "tables")) as peers:
        for peer in peers.values():
            peer.begin(privacy="sums")
        first = peers[NAMES[0]].home
        long = plan_config(REFIT | {"num-server-rounds": 500})
        key = request_run(first, long, LEASE_S)
        wait_until(
            lambda: any(one.round for one in read_statuses(first)), "a round", limit_s=LIMIT_S
        )
        request_cancel(first, key)
        assert {ended(peer, key).state for peer in peers.values()} == {"cancelled"}
        again = request_run(first, plan_config(REFIT | {"num-server-rounds": 1}), LEASE_S)
        assert {ended(peer, again).state for peer in peers.values()} == {"completed"}

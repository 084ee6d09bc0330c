"""Runs over real nodes of a mesh, through sockets and a relay; one goes down on the way."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import pytest

from glean.mesh.mesh_home import MeshHome
from glean.mesh.runs.mesh_runs import MeshRuns
from glean.mesh.runs.run_messages import CONSENSUS, REPLY
from tests.mesh.mesh_nodes import Peer, connected, peers
from tests.mesh.runs.run_network import ROUNDS, RunNetwork, RunPeer, answer, final_models
from tests.processes import wait_until

WAYS = {"Nord": ("Ost", "West"), "Ost": ("Nord",), "West": ("Nord",)}
LEASE_S = 2.0


def begin(peer: Peer, trains: RunPeer) -> None:
    """Take part in runs over a peer's node."""
    trains.runs = MeshRuns(
        MeshHome(peer.home),
        peer.running,
        own=peer.name,
        members=lambda: WAYS,
        conduct=trains.train,
    )
    trains.up = True
    trains.runs.start()
    threading.Thread(target=answer, args=(trains, trains.runs), daemon=True).start()


@pytest.mark.slow
def test_a_run_goes_over_a_relay_and_goes_on_without_its_coordinator(tmp_path: Path) -> None:
    """Two of the three reach each other through the third alone."""
    network = RunNetwork()
    held, go_on = threading.Event(), threading.Event()

    def hold(_name: str, number: int) -> None:
        if number == 3 and not held.is_set():
            held.set()
            go_on.wait(30.0)

    with peers(tmp_path, WAYS) as made:
        network.peers = {name: RunPeer(network, tmp_path / "fake", name) for name in made}
        kept = mock.patch.object(made["Nord"].running, "send", wraps=made["Nord"].running.send)
        sent = kept.start()
        connected((made["Nord"], made["Ost"]), (made["Nord"], made["West"]))
        for name, peer in made.items():
            network.peers[name].pause = hold
            begin(peer, network.peers[name])
        plan = network.peers["Ost"].runs.propose({"seed": 1}, lease_s=LEASE_S)
        assert held.wait(30.0)
        kinds = {call.args[1] for call in sent.call_args_list}
        assert REPLY in kinds  # heartbeats, to who is connected, go without a disk between
        assert CONSENSUS not in kinds
        kept.stop()
        ost = network.peers["Ost"]
        assert ost.status(plan.key).coordinator == "Ost"  # who proposes stands first
        ost.up = False
        go_on.set()
        ost.runs.close()
        made["Ost"].down()
        others = [network.peers[name] for name in ("Nord", "West")]
        wait_until(
            lambda: {peer.status(plan.key).state for peer in others} == {"completed"},
            "the end without its first coordinator",
            limit_s=40.0,
        )
        made["Ost"].up()
        made["Ost"].running.start()
        begin(made["Ost"], ost)
        wait_until(
            lambda: ost.status(plan.key).folder != "", "the end where it was away", limit_s=40.0
        )
        assert len(final_models(network, plan.key)) == 1
        assert {peer.status(plan.key).round for peer in network.peers.values()} == {ROUNDS}
        assert [r for peer in network.peers.values() for r in peer.runs.refused] == []
        dead = [d.reason for p in made.values() for d in p.running.status().dead_letters]
        assert [reason for reason in dead if "expired" in reason or "acknowledged" in reason] == []
        for one in network.peers.values():
            one.up = False
            one.runs.close()

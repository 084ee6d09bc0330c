"""Peers that can't coordinate, and requests that can't be met: each says why."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from unittest import mock

import pytest

from glean.errors import FederationError
from glean.mesh.message_store import MeshMessage
from glean.mesh.runs import mesh_runs
from glean.mesh.runs.manifest import MOST_FILE_BYTES
from glean.mesh.runs.run_carrier import RunCarrier
from glean.mesh.runs.run_messages import CONSENSUS, PLAN, TASK, RunMessage
from glean.mesh.runs.run_requests import read_requests, request_cancel, request_run
from glean.mesh.runs.run_status import read_statuses
from glean.runs.folder import RunFolder
from tests.mesh.runs.made_plans import KEY, made_plan
from tests.mesh.runs.run_network import LEASE_S, RunNetwork, all_say, final_models, run_peers
from tests.processes import wait_until

NAMES = ("Nord", "Ost", "West")


def tell(network: RunNetwork, sender: str, receiver: str, kind: str, body: bytes) -> None:
    """Say something to a peer in another one's name, as a node has proved it."""
    network.send(receiver, MeshMessage(sender, kind, secrets.token_hex(8), body), None)


def refused(network: RunNetwork, name: str, words: str) -> None:
    """Wait until a peer names what it has refused."""
    runs = network.peers[name].runs
    wait_until(lambda: any(words in r for r in [*runs.refused]), f"{words!r}", limit_s=20.0)


def test_who_has_no_table_votes_and_stores(tmp_path: Path) -> None:
    """And has the model in the end; who can conducts, though another one has proposed."""
    with run_peers(tmp_path, *NAMES) as network:
        for name in ("Nord", "Ost"):
            network.peers[name].kill()
            network.peers[name].conduct = None
            network.peers[name].begin()
        plan = network.peers["Nord"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed")
        assert len(final_models(network, plan.key)) == 1


def test_who_has_other_code_doesn_t_coordinate(tmp_path: Path) -> None:
    """It would go on to another model; its status says so."""
    with run_peers(tmp_path, *NAMES) as network:
        nord = network.peers["Nord"]
        nord.kill()
        with mock.patch.object(mesh_runs, "code_fingerprint", return_value="00aa"):
            nord.begin()
            tell(network, "Ost", "Nord", PLAN, _planned())
            wait_until(lambda: nord.status(KEY).state == "waiting", "the plan", limit_s=20.0)
            assert "proposed by other code (00) than is installed here (00aa)" in (
                nord.status(KEY).reason
            )


def test_a_request_that_can_t_be_met_is_refused(tmp_path: Path) -> None:
    """Its status says why; one to cancel what isn't known leaves nothing behind."""
    with run_peers(tmp_path, "Nord") as network:
        home = network.peers["Nord"].home
        key = request_run(home, {"seed": "7" * 300_000}, LEASE_S)
        wait_until(lambda: bool(read_statuses(home)), "a status", limit_s=20.0)
        (status,) = read_statuses(home)
        assert (status.key, status.state) == (key, "refused")
        assert "wanted at most 262,144 bytes" in status.reason
        request_cancel(home, KEY)
        wait_until(lambda: not read_requests(home), "the request is done with", limit_s=20.0)
        assert read_statuses(home) == [status]
        with pytest.raises(FederationError, match="found no run"):
            network.peers["Nord"].runs.cancel(KEY)


def test_a_request_is_met_once(tmp_path: Path) -> None:
    """Also where its file was left by a kill."""
    with run_peers(tmp_path, "Nord") as network:
        runs = network.peers["Nord"].runs
        first = runs.propose({"seed": 1}, lease_s=LEASE_S, key=KEY)
        assert runs.propose({"seed": 2}, lease_s=LEASE_S, key=KEY) is first
        all_say(network, KEY, "completed")


def test_what_isn_t_for_this_peer_is_refused_and_named(tmp_path: Path) -> None:
    """Runs of others, of others' names, of another key, and what can't be read."""
    with run_peers(tmp_path, *NAMES) as network:
        tell(network, "Ost", "Nord", PLAN, _planned("Ost", "West"))
        refused(network, "Nord", "Ost: run 0123456789abcdef0123456789abcdef: 'Nord' isn't among")
        tell(network, "West", "Nord", PLAN, _planned("Ost", "Nord"))
        refused(network, "Nord", "West: run-plan: found the plan of another run")
        tell(network, "Ost", "Nord", PLAN, _planned(said="f" * 32))
        refused(network, "Nord", "Ost: run-plan: found the plan of another run")
        tell(network, "Ost", "Nord", CONSENSUS, b"\xff" * 40)
        refused(network, "Nord", "Ost: run-consensus: found a head of")
        assert network.peers["Nord"].runs.statuses() == []
        tell(network, "Ost", "Nord", PLAN, _planned())
        tell(network, "Ost", "Nord", PLAN, _planned(created=time.time() + 5))
        refused(network, "Nord", "found another plan by its key")
        tell(network, "Süd", "Nord", TASK, RunMessage(TASK, KEY).to_bytes())
        refused(network, "Nord", "'Süd' doesn't take part in this run")
        assert network.peers["Nord"].failed == []


def test_so_many_runs_of_one_proposer_are_open(tmp_path: Path) -> None:
    """More aren't taken until some are over."""
    with run_peers(tmp_path, "Nord", "Ost", "West") as network:
        for name in ("Ost", "West"):
            network.peers[name].kill()
        for number in range(65):
            key = f"{number:032x}"
            plan = made_plan("Ost", "Nord", "West", key=key, created=float(number))
            message = RunMessage(PLAN, key, {}, (plan.to_bytes(),)).to_bytes()
            network.peers["Nord"].come.append(MeshMessage("Ost", PLAN, key, message))
        refused(network, "Nord", "found 64 runs of 'Ost' that aren't over")
        assert len(network.peers["Nord"].runs.statuses()) == 64


def _planned(*names: str, said: str = KEY, created: float = 1.0) -> bytes:
    """A message with a plan of Ost's."""
    plan = made_plan(*(names or ("Ost", "Nord", "West")), created=created, lease_s=600.0)
    return RunMessage(PLAN, said, {}, (plan.to_bytes(),)).to_bytes()


def test_a_plan_is_had_from_others_where_its_proposer_has_gone(tmp_path: Path) -> None:
    """Who was away then hears of the run by who stands for election, and asks what it is."""
    with run_peers(tmp_path, *NAMES) as network:
        west, ost = network.peers["West"], network.peers["Ost"]
        reached = threading.Event()

        def note(_name: str, number: int) -> None:
            if number == 2:
                reached.set()

        for peer in network.peers.values():
            peer.pause = note
        west.kill()
        plan = ost.runs.propose({}, lease_s=LEASE_S)
        assert reached.wait(30.0)
        ost.up = False
        ost.kill()
        west.begin()
        all_say(network, plan.key, "completed", "Nord", "West")
        assert west.status(plan.key).proposer == "Ost"


def test_a_file_that_no_message_can_carry_fails_the_run(tmp_path: Path) -> None:
    """For all, with its name: no successor could go on with it."""

    def conduct(carrier: RunCarrier) -> Path:
        carrier.announce(b'{"run_id": 1}')
        folder = RunFolder.create(carrier.results, run_id=1, facts={"status": "running"}).path
        with (folder / "huge.npz").open("wb") as file:
            file.truncate(MOST_FILE_BYTES + 1)
        carrier.send("Ost", "m1", b"train")
        return folder

    with run_peers(tmp_path, *NAMES) as network:
        for peer in network.peers.values():
            peer.kill()
            peer.conduct = conduct
            peer.begin()
        plan = network.peers["Nord"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "failed")
        reasons = {peer.status(plan.key).reason for peer in network.peers.values()}
        assert ["'huge.npz' of the run has more than" in reason for reason in reasons] == [True]

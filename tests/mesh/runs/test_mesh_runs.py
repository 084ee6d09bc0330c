"""Runs of several peers: one model for all, whoever coordinates, whoever is away meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.mesh.runs import run_member
from glean.mesh.runs.run_errors import LocalFailureError
from glean.mesh.runs.run_requests import request_cancel, request_run
from glean.mesh.runs.run_status import read_statuses
from tests.mesh.runs.run_network import (
    LEASE_S,
    ROUNDS,
    RunNetwork,
    all_say,
    final_models,
    run_peers,
)
from tests.processes import wait_until

NAMES = ("Nord", "Ost", "West")


def coordinator_of(network: RunNetwork, key: str) -> str:
    """Who coordinates, once somebody does."""
    found: list[str] = []

    def there() -> bool:
        found[:] = [p.name for p in network.peers.values() if p.status(key).coordinator == p.name]
        return bool(found)

    wait_until(there, "a coordinator", limit_s=30.0)
    return found[0]


def assert_one_history(network: RunNetwork, key: str) -> None:
    """All have one final model, and no client heard of two models of one round."""
    (model,) = final_models(network, key)
    told = {number: models for (run, number), models in network.rounds.items() if run == key}
    assert set(told) == set(range(1, ROUNDS))
    assert {number for number, models in told.items() if len(models) > 1} == set()
    for peer in network.peers.values():
        folder = Path(peer.status(key).folder)
        assert (folder / f"models/round_{ROUNDS:03d}.ubj").read_bytes() == model
        assert json.loads((folder / "run.json").read_bytes())["status"] == "completed"


def test_all_have_the_model_of_a_run(tmp_path: Path) -> None:
    """Also of the rounds in between; nothing of the work is left."""
    with run_peers(tmp_path, *NAMES) as network:
        plan = network.peers["Ost"].runs.propose({"seed": 7}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)
        for peer in network.peers.values():
            status = peer.status(plan.key)
            assert (status.proposer, status.round) == ("Ost", ROUNDS)
            assert not (peer.home.path / "runs" / plan.key / "work").exists()
            assert [*(peer.home.path / "runs" / plan.key / "tasks").iterdir()] == []
            assert (list(peer.runs.refused), peer.failed) == ([], [])


def test_a_peer_alone_trains_by_itself(tmp_path: Path) -> None:
    """It is a majority of one."""
    with run_peers(tmp_path, "Nord") as network:
        plan = network.peers["Nord"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed", limit_s=60.0)


@pytest.mark.parametrize("number", [1, 3, ROUNDS])
def test_another_goes_on_where_a_coordinator_was_killed(tmp_path: Path, number: int) -> None:
    """From the last version that a majority has; who was killed hears of the end later."""
    with run_peers(tmp_path, *NAMES) as network:
        reached, go_on = threading.Event(), threading.Event()

        def hold(_name: str, at: int) -> None:
            if at == number and not reached.is_set():
                reached.set()
                go_on.wait(30.0)

        for peer in network.peers.values():
            peer.pause = hold
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        assert reached.wait(30.0)
        killed = network.peers[coordinator_of(network, plan.key)]
        killed.up = False
        go_on.set()
        killed.kill()
        others = [name for name in NAMES if name != killed.name]
        all_say(network, plan.key, "completed", *others)
        killed.begin()
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)


def test_a_minority_commits_nothing(tmp_path: Path) -> None:
    """A coordinator that is cut off tells nobody of a round, and the others go on without it."""
    with run_peers(tmp_path, *NAMES) as network:
        reached, go_on = threading.Event(), threading.Event()

        def hold(_name: str, at: int) -> None:
            if at == 2 and not reached.is_set():
                reached.set()
                go_on.wait(30.0)

        for peer in network.peers.values():
            peer.pause = hold
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        assert reached.wait(30.0)
        alone = coordinator_of(network, plan.key)
        network.part(alone)
        go_on.set()
        all_say(network, plan.key, "completed", *(name for name in NAMES if name != alone))
        assert network.peers[alone].status(plan.key).state == "waiting"
        network.heal()
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)


def test_who_was_away_all_the_time_hears_of_the_end(tmp_path: Path) -> None:
    """And has the files of the run then, though its proposer is gone by now."""
    with run_peers(tmp_path, *NAMES) as network:
        away = network.peers["West"]
        away.kill()
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed", "Nord", "Ost")
        assert away.asked == 0
        away.begin()
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)


def test_all_at_once_are_killed_and_go_on(tmp_path: Path) -> None:
    """From their homes alone."""
    with run_peers(tmp_path, *NAMES) as network:
        reached = threading.Event()

        def note(_name: str, at: int) -> None:
            if at == 3:
                reached.set()

        for peer in network.peers.values():
            peer.pause = note
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        assert reached.wait(30.0)
        for peer in network.peers.values():
            peer.up = False
        for peer in network.peers.values():
            peer.kill()
        for peer in network.peers.values():
            peer.begin()
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)


def test_two_proposals_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """No peer does tasks of two runs at a time, and both end."""
    with run_peers(tmp_path, *NAMES) as network:
        plans = [
            network.peers[name].runs.propose({"by": name}, lease_s=LEASE_S)
            for name in ("Ost", "West")
        ]
        for plan in plans:
            all_say(network, plan.key, "completed")
            assert_one_history(network, plan.key)


def test_what_fails_at_one_machine_ends_nothing(tmp_path: Path) -> None:
    """It sits out, and another one coordinates."""

    def fails(_carrier: object) -> Path:
        raise LocalFailureError("no room on this machine's disk")

    with run_peers(tmp_path, *NAMES) as network:
        ost = network.peers["Ost"]
        ost.kill()
        ost.conduct = fails
        ost.begin()
        plan = ost.runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed")
        assert_one_history(network, plan.key)


def test_what_fails_for_all_ends_the_run_for_all(tmp_path: Path) -> None:
    """With the reason, at each."""

    def fails(_carrier: object) -> Path:
        raise FederationError("too few bakeries")

    with run_peers(tmp_path, *NAMES) as network:
        for peer in network.peers.values():
            peer.kill()
            peer.conduct = fails
        for peer in network.peers.values():
            peer.begin()
        plan = network.peers["Nord"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "failed")
        assert {p.status(plan.key).reason for p in network.peers.values()} == {"too few bakeries"}


def test_who_proposed_a_run_may_cancel_it(tmp_path: Path) -> None:
    """And nobody else; commands ask for both."""
    with run_peers(tmp_path, *NAMES) as network:
        reached = threading.Event()

        def hold(_name: str, at: int) -> None:
            if at == 2:
                reached.set()
                threading.Event().wait(0.5)

        for peer in network.peers.values():
            peer.pause = hold
        key = request_run(network.peers["Ost"].home, {"seed": 1}, LEASE_S)
        assert reached.wait(30.0)
        with pytest.raises(FederationError, match="'Ost' has proposed it, and alone may cancel"):
            network.peers["Nord"].runs.cancel(key)
        request_cancel(network.peers["Ost"].home, key)
        wait_until(
            lambda: all(
                peer.status(key).state == "cancelled" and peer.status(key).reason
                for peer in network.peers.values()
            ),
            "the end at all",
            limit_s=30.0,
        )
        (status,) = read_statuses(network.peers["Ost"].home)
        assert status.state == "cancelled"
        after = network.peers["West"].runs.propose({}, lease_s=LEASE_S)
        for peer in network.peers.values():
            peer.pause = lambda _name, _at: None
        all_say(network, after.key, "completed")


def test_a_run_without_a_majority_doesn_t_hold_up_others_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who could cancel it may have gone, too; it says why it waits, and goes on once it can."""
    monkeypatch.setattr(run_member, "STALLED_LEASES", 3.0)
    with run_peers(tmp_path, *NAMES, "Süd") as network:
        for gone in ("West", "Süd"):
            network.peers[gone].kill()
        stuck = network.peers["Nord"].runs.propose({}, lease_s=LEASE_S)
        network.members = ("Nord", "Ost")
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        all_say(network, plan.key, "completed", "Nord", "Ost")
        wait_until(
            lambda: "2 of 4 participants" in network.peers["Nord"].status(stuck.key).reason,
            "the reason why it waits",
            limit_s=20.0,
        )
        assert network.peers["Nord"].status(stuck.key).state == "waiting"
        network.peers["West"].begin()
        network.peers["Süd"].begin()
        all_say(network, stuck.key, "completed")

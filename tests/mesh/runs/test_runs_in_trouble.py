"""Peers that are killed, cut off and slow at random: one history of a run, and an end of it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.mesh.runs.run_network import LEASE_S, RunNetwork, all_say, run_peers
from tests.mesh.runs.test_mesh_runs import assert_one_history

NAMES = ("Nord", "Ost", "Süd", "West", "Mitte")
TROUBLE_S = 3.0


def make_trouble(network: RunNetwork, draw: random.Random) -> None:
    """Kill, start, cut off and let back, for some seconds."""
    until = time.monotonic() + TROUBLE_S
    while time.monotonic() < until:
        time.sleep(draw.uniform(0.02, 0.25))
        peer = network.peers[draw.choice(NAMES)]
        what = draw.choice(("kill", "part", "heal"))
        if what == "kill" and peer.up:
            peer.up = False
            peer.kill()
            peer.begin()
        elif what == "part":
            network.part(*draw.sample(NAMES, draw.choice((1, 2))))
        elif what == "heal":
            network.heal()


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(1, marks=pytest.mark.slow),
        *(pytest.param(k, marks=pytest.mark.long) for k in (2, 3)),
    ],
)
def test_a_run_in_trouble_has_one_history(tmp_path: Path, seed: int) -> None:
    """Whoever was killed or cut off when: no round twice, and the same end for all."""
    draw = random.Random(seed)  # noqa: S311

    def slowly(_name: str, _number: int) -> None:
        time.sleep(draw.uniform(0.3, 0.9))

    with run_peers(tmp_path, *NAMES) as network:
        for peer in network.peers.values():
            peer.pause = slowly
        plan = network.peers["Ost"].runs.propose({}, lease_s=LEASE_S)
        make_trouble(network, draw)
        network.heal()
        all_say(network, plan.key, "completed", limit_s=60.0)
        assert_one_history(network, plan.key)
        assert [(p.name, p.failed) for p in network.peers.values() if p.failed] == []

"""What the gateway adds to a bakery's call, beside the same call straight to the SuperLink.

`python -m benchmarks.gateway FOLDER` starts `glean serve --public localhost` there, lets one bakery
in, and sends heartbeats both ways in turn, signed as `glean node` signs them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import psutil

from glean.errors import FederationError
from glean.federation.node.flower_fleet import FlowerFleet
from glean.federation.node.member_auth import MemberAuth
from glean.federation_folder import federation_folder
from glean.privacy.members import new_keys
from glean.privacy.node_key import read_node_key
from glean.privacy.request_signature import RequestSigner
from glean.runs.process_tree import end_tree
from glean.service.membership.members import Members

CALLS, TURNS = 100, 10
LIMIT_S = 40.0


def main(folder: Path) -> None:
    """Measure, and print milliseconds a call."""
    folder.mkdir(parents=True)
    keys = new_keys("Hafen")
    (folder / "node-key").write_bytes(keys.node_key)
    with subprocess.Popen(
        [sys.executable, "-m", "glean", "serve", "--public", "localhost", "--port", "18710"],
        cwd=folder,
        start_new_session=True,
    ) as service:
        try:
            federation = federation_folder(folder / "results")
            _wait((federation.flower_home / "config.toml").exists)
            Members(federation).add(keys.member)
            config = tomllib.loads((federation.flower_home / "config.toml").read_text())
            key = read_node_key(folder / "node-key")
            ways = {
                "straight": config["superlink"]["bakeries"]["address"],
                "gateway": "localhost:18710",
            }
            signer = MemberAuth(RequestSigner(keys.signing_key))
            fleets = {
                name: FlowerFleet(address, federation.authority, key, signer)
                for name, address in ways.items()
            }
            _report(fleets)
            print(f"service: {psutil.Process(service.pid).memory_info().rss / 2**20:.0f} MB")
        finally:
            end_tree(psutil.Process(service.pid))


def _report(fleets: dict[str, FlowerFleet]) -> None:
    node = 0

    def let_in() -> bool:
        nonlocal node
        try:
            node = fleets["gateway"].activate()
        except FederationError:
            return False
        return True

    _wait(let_in)
    taken: dict[str, list[float]] = {name: [] for name in fleets}
    for _ in range(TURNS):
        for name, fleet in fleets.items():
            for _ in range(CALLS):
                begin = time.perf_counter()
                assert fleet.heartbeat(node)
                taken[name].append(1000 * (time.perf_counter() - begin))
    for name, found in taken.items():
        middle, mean = statistics.median(found), statistics.mean(found)
        print(f"{name}: median {middle:.2f} ms, mean {mean:.2f} ms")
    added = statistics.median(taken["gateway"]) - statistics.median(taken["straight"])
    print(f"added: {added:.2f} ms")


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(1.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

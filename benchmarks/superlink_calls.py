"""What a call at a SuperLink costs: with Python's usual garbage collection, and as Glean starts it.

Run `python -m benchmarks.superlink_calls` (options: --calls 1500 --times 3). A node asks for a
message that isn't there; TLS and node authentication as in a deployment, database in memory.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from glean.federation.launch.superlink import script_of
from glean.federation.node.flower_fleet import FlowerFleet
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.node_key import read_node_key
from tests import processes
from tests.processes import free_port, wait_until

WAYS = {
    "flower-superlink": [script_of("flower-superlink")],
    "as Glean starts it": [sys.executable, "-m", "glean.federation.launch.superlink_process"],
}
WARM_UP = 200


def measure(command: list[str], folder: Path, calls: int) -> tuple[float, float]:
    """Start a SuperLink with one node; milliseconds of a call, and of its CPU there."""
    keys = folder / "keys"
    made = make_certificates(keys, hosts=["localhost"], bakeries=["Hafen"])
    port, flower = free_port(), folder / "flower"
    flower.mkdir()
    (flower / "config.toml").write_text(
        f'[superlink.own]\naddress = "127.0.0.1:{port}"\nroot-certificates = "{keys}/ca.crt"\n'
    )
    env = processes.environment(flower, FLWR_TELEMETRY_ENABLED="0")
    words: list[str | Path] = ["--host", "127.0.0.1", "--port", str(port)]
    words += ["--ssl-ca-certfile", keys / "ca.crt"]
    words += ["--ssl-certfile", keys / "server.pem", "--ssl-keyfile", keys / "server.key"]
    words += ["--enable-supernode-auth", "--disable-runtime-dependency-installation"]
    superlink = subprocess.Popen(
        [*command, *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        home = made.bakeries["Hafen"]
        register: list[str | Path] = [script_of("flwr"), "supernode", "register"]
        register += [home / "node-key.pub", "own"]

        def registered() -> bool:
            done = subprocess.run(register, env=env, capture_output=True, check=False)
            return done.returncode == 0

        wait_until(registered, "the SuperLink")
        fleet = FlowerFleet(f"127.0.0.1:{port}", home / "ca.crt", read_node_key(home / "node-key"))
        node = fleet.activate()
        for _ in range(WARM_UP):
            fleet.pull(node)
        process = psutil.Process(superlink.pid)
        cpu, begin = sum(process.cpu_times()[:2]), time.perf_counter()
        for _ in range(calls):
            fleet.pull(node)
        wall = time.perf_counter() - begin
        cpu = sum(process.cpu_times()[:2]) - cpu
        fleet.close()
        return 1000 * wall / calls, 1000 * cpu / calls
    finally:
        superlink.terminate()
        superlink.wait()


def main() -> int:
    """Print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--times", type=int, default=3)
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(args.times):
        for way, command in WAYS.items():
            with tempfile.TemporaryDirectory(prefix="superlink-calls-") as scratch:
                found[way].append(measure(command, Path(scratch), args.calls))
    for way, pairs in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{way:20} a call {wall:6.2f} ms, CPU of the SuperLink {cpu:6.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a synchronous round takes over Kafka and over Flower's SuperLink, by number of clients.

Each client gets a message and gives it back; nothing is computed. Run `python -m
benchmarks.synchronous_rounds` (options: --clients 5 20 50 --size 14000 --rounds 10). Both on this
machine, all clients threads of one process: a SuperLink as Glean starts it, with TLS and its
database in memory, at which nodes look for messages as `glean node` does; and the broker that the
tests use, with signed envelopes and outboxes on disk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.echo_clients import clients, on_kafka, on_superlink
from benchmarks.round_server import LIMIT_S, measured_rounds
from benchmarks.rounds_run import ROOT
from glean.federation.grids.carried_grid import CarriedGrid
from glean.federation.grids.inprocess import as_server
from glean.federation.launch.node_registry import bring_in_line
from glean.kafka.carriers import open_server
from glean.kafka.kafka_url import KafkaUrl
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.members import new_keys
from glean.privacy.model_key import ModelSigner, new_model_key
from tests import processes
from tests.deployment import kill_tree, read_log, started, write_connection
from tests.kafka_broker import kafka_broker
from tests.processes import BIN, free_port, wait_until

RUN_ID = 7

_APP = """\
[project]
name = "rounds"
version = "1.0.0"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "glean"
fab-include = ["benchmarks/**/*.py"]

[tool.flwr.app.components]
serverapp = "benchmarks.round_server:server_app"
clientapp = "benchmarks.round_server:server_app"

[tool.flwr.app.config]
clients = 0
rounds = 0
size = 0
report = ""
"""


def over_kafka(folder: Path, number: int, rounds: int, size: int) -> list[float]:
    """Seconds of each round over a broker."""
    pem, public = new_model_key()
    keys = {f"client-{index}": new_keys(f"client-{index}") for index in range(number)}
    with kafka_broker(folder / "broker") as broker:
        server = open_server(
            KafkaUrl.read(broker.url),
            {},
            signer=ModelSigner(pem, "model-key"),
            members=[own.member for own in keys.values()],
            folder=folder / "server",
        )
        ways = {name: (broker.url, public, own.signing_key) for name, own in keys.items()}
        try:
            server.announce(json.dumps({"run_id": RUN_ID}).encode())
            grid = CarriedGrid(server, run_id=RUN_ID)
            with clients(ways, folder / "clients", on_kafka), as_server(grid):
                return measured_rounds(grid, number, rounds, size)
        finally:
            server.end("completed")
            server.close()


def over_superlink(folder: Path, number: int, rounds: int, size: int) -> list[float]:
    """Seconds of each round at a SuperLink."""
    certificates, port = folder / "certificates", free_port()
    make_certificates(certificates, hosts=["127.0.0.1"])
    write_connection(folder / "flower", "rounds", port, certificates / "ca.crt")
    env = processes.environment(
        folder / "flower",
        FLWR_TELEMETRY_ENABLED="0",
        FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION="1",
        OMP_NUM_THREADS="1",
    )
    log = folder / "superlink.log"
    superlink = started(
        *(sys.executable, "-m", "glean.federation.launch.superlink_process"),
        *("--host", "127.0.0.1", "--port", port),
        *("--ssl-ca-certfile", certificates / "ca.crt"),
        *("--ssl-certfile", certificates / "server.pem"),
        *("--ssl-keyfile", certificates / "server.key"),
        *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
        cwd=folder,
        env=env,
        log=log,
    )
    try:
        wait_until(lambda: processes.takes_connections(port), "a SuperLink")
        keys = [new_keys(f"client-{index}") for index in range(number)]
        address, authority = f"127.0.0.1:{port}", certificates / "ca.crt"
        lines = [own.member.node_key for own in keys]
        bring_in_line(address, authority, lines, environment=env)
        ways = {own.member.bakery: (address, authority, own.node_key) for own in keys}
        report = folder / "report.json"
        with clients(ways, folder / "clients", on_superlink):
            _submit(folder, env, clients=number, rounds=rounds, size=size, report=report)
            wait_until(
                lambda: report.exists() or superlink.poll() is not None,
                "rounds",
                limit_s=3 * LIMIT_S,
            )
        assert report.exists(), read_log(log)[-3000:]
        found = json.loads(report.read_text())
        assert isinstance(found, list), found
        return found
    finally:
        kill_tree(superlink)


def _submit(folder: Path, env: dict[str, str], **config: object) -> None:
    app = folder / "app"
    (app / "benchmarks").mkdir(parents=True)
    for name in ("__init__.py", "round_server.py"):
        (app / "benchmarks" / name).write_bytes((ROOT / "benchmarks" / name).read_bytes())
    (app / "pyproject.toml").write_text(_APP, encoding="utf-8")
    told = " ".join(
        f"{key}={json.dumps(str(v) if isinstance(v, Path) else v)}" for key, v in config.items()
    )
    done = subprocess.run(
        [BIN / "flwr", "run", str(app), "rounds", "--run-config", told],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def main() -> int:
    """Print a row a number of clients and road."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--size", type=int, default=14_000)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    print(f"{args.size:,} bytes to each client and back; of {args.rounds} rounds after the first")
    print(
        f"{'':10} {'clients':>7} {'median, s':>9} {'longest, s':>10} {'messages/s':>10} {'MB/s':>7}"
    )
    for number in args.clients:
        for words, road in (("Kafka", over_kafka), ("SuperLink", over_superlink)):
            with tempfile.TemporaryDirectory(prefix="rounds-") as scratch:
                found = road(Path(scratch), number, args.rounds, args.size)
            a_second = 2 * number * len(found) / sum(found)
            print(
                f"{words:10} {number:7} {statistics.median(found):9.3f} {max(found):10.3f} "
                f"{a_second:10.0f} {a_second * args.size / 1e6:7.2f}",
                flush=True,
            )
            time.sleep(1.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())

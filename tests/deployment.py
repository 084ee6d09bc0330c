"""A federation across machines, on this one: TLS, authenticated nodes, a home and log for each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from glean.privacy.certificate_folder import make_certificates
from glean.runs.process_tree import end_tree
from tests import processes
from tests.processes import BIN, free_port, wait_until

START_LIMIT_S = 90.0
RESTART_S = 2.0
SERVER = "the SuperLink"
ALREADY_THERE = "Failed to activate SuperNode"
CONNECTED = r"SuperNode ID: \d+|connected; the server knows this node"
QUICK = {
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.5",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}


@dataclass
class Deployment:
    """A SuperLink and the nodes of bakeries, on loopback.

    Those of the bakeries that are `lasting` are `glean node`, the others Flower's SuperNodes.
    """

    folder: Path
    bakeries: Mapping[str, Path]
    keys: Mapping[str, Path]
    port: int
    connection: str = "deployed"
    signs: bool = False
    lasting: frozenset[str] = frozenset()
    remembers: bool = True
    data: str = "sales"
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What the operator's `flwr` and `glean` need in their environment."""
        return processes.environment(self.folder / "flower", **QUICK)

    @property
    def certificates(self) -> Path:
        """The operator's folder of certificates."""
        return self.folder / "certificates"

    @property
    def server_keys(self) -> dict[str, str]:
        """Whom the ServerApp lets in and by which key it signs models, in its environment."""
        members = {"GLEAN_MEMBERS": str(self.certificates / "members.json")}
        signs = {"GLEAN_MODEL_KEY": str(self.certificates / "model-key")} if self.signs else {}
        return members | signs

    @property
    def superlink_log(self) -> str:
        """What the SuperLink and the ServerApps have logged so far."""
        return read_log(self.folder / "superlink.log")

    def node_log(self, bakery: str) -> str:
        """What a bakery's SuperNode and its ClientApps have logged so far."""
        return read_log(self.node_folder(bakery) / "supernode.log")

    def node_folder(self, bakery: str) -> Path:
        """All that a bakery has but its keys; its SuperNode runs in it."""
        return self.folder / "nodes" / self.keys[bakery].name

    def home(self, bakery: str) -> Path:
        """Its node config `home`."""
        return self.node_folder(bakery) / "home"

    def start_node(self, bakery: str) -> None:
        """Start a bakery's SuperNode, and wait until the SuperLink has let it in.

        For a minute after `kill_node` the SuperLink takes it for a second one and turns it away;
        it is started again then, as a service would be.
        """
        deadline = time.monotonic() + START_LIMIT_S
        while not self._node_is_in(bakery):
            assert time.monotonic() < deadline, self.node_log(bakery)[-2000:]
            time.sleep(RESTART_S)

    def _node_is_in(self, bakery: str) -> bool:
        folder = self.node_folder(bakery)
        log = folder / "supernode.log"
        self.home(bakery).mkdir(parents=True, exist_ok=True)
        begin = len(read_log(log))
        process = started(
            *self._node_command(bakery),
            cwd=folder,
            env=processes.environment(folder / "flower", **QUICK),
            log=log,
        )
        self.running[bakery] = process
        words = await_words(process, log, CONNECTED, begin=begin)
        if ALREADY_THERE not in words:
            return True
        self.kill_node(bakery)
        return False

    def _node_command(self, bakery: str) -> list[str | Path | int]:
        key = self.keys[bakery]
        authority = key / "ca.crt"
        if bakery not in self.lasting:
            command = node_command(self.port, authority=authority, key=key / "node-key")
            return [*command, "--node-config", self.node_config(bakery)]
        config = self.node_folder(bakery) / "bakery.toml"
        # Texts and numbers of JSON are also TOML's.
        lines = [f"{name} = {json.dumps(value)}" for name, value in self.node_keys(bakery).items()]
        config.write_text("\n".join(lines), encoding="utf-8")
        command = [BIN / "python", "-m", "glean", "node", f"127.0.0.1:{self.port}"]
        command += ["--root-certificates", authority, "--key", key / "node-key"]
        return [*command, "--config", config]

    def kill_node(self, bakery: str) -> None:
        """End a bakery's SuperNode and its ClientApp with SIGKILL."""
        kill_tree(self.running.pop(bakery))

    def kill_server(self) -> None:
        """End the SuperLink and its ServerApps with SIGKILL."""
        kill_tree(self.running.pop(SERVER))

    def restart_server(self) -> None:
        """Start the SuperLink (again, on the same port), which knows who was registered."""
        own = self.certificates
        (self.folder / "server").mkdir(exist_ok=True)
        log = self.folder / "superlink.log"
        begin = len(read_log(log))
        process = started(
            *(BIN / "flower-superlink", "--host", "127.0.0.1", "--port", self.port),
            *("--ssl-ca-certfile", own / "ca.crt"),
            *("--ssl-certfile", own / "server.pem", "--ssl-keyfile", own / "server.key"),
            *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
            *(("--database", self.folder / "superlink.db") if self.remembers else ()),
            cwd=self.folder / "server",
            env={**self.environment, **self.server_keys},
            log=log,
        )
        self.running[SERVER] = process
        await_words(process, log, "Uvicorn running on https", begin=begin)

    def register(self, bakery: str) -> None:
        """Let a bakery in."""
        done = self.flwr(
            "supernode", "register", self.keys[bakery] / "node-key.pub", self.connection
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def flwr(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of the operator's Flower commands to its end."""
        return processes.run(BIN / "flwr", *words, cwd=self.folder, env=self.environment)

    def node_keys(self, bakery: str) -> dict[str, str | int]:
        """Where its table is, who it is, where it keeps the model, and its keys for secure sums."""
        key = self.keys[bakery]
        signed = {"model-key": str(key / "model-key.pub")} if self.signs else {}
        return {
            self.data: str(self.bakeries[bakery]),
            "bakery": bakery,
            "home": str(self.home(bakery)),
            "signing-key": str(key / "signing-key"),
            "members": str(key / "members.json"),
            "min-contributors": 3,
            **signed,
        }

    def node_config(self, bakery: str) -> str:
        """Its node config as Flower's command wants it."""
        return " ".join(f"{name}={value!r}" for name, value in self.node_keys(bakery).items())

    def end(self) -> None:
        """End every process of it."""
        while self.running:
            _, process = self.running.popitem()
            if process.poll() is None:
                end_tree(psutil.Process(process.pid))
            kill_tree(process)


@contextmanager
def deployment(
    folder: Path,
    bakeries: Mapping[str, Path],
    *,
    absent: Iterable[str] = (),
    signs: bool = False,
    lasting: Iterable[str] = (),
    remembers: bool = True,
    data: str = "sales",
) -> Iterator[Deployment]:
    """A SuperLink at which every bakery is registered, and a running SuperNode for each.

    `bakeries` are names and sales tables; the nodes of those `absent` wait for `start_node`. Where
    it `signs`, models are signed, and every bakery wants that. Those `lasting` have `glean node`.
    Where the SuperLink doesn't remember, its database is in memory. `data` is the key of the node
    config by which a node finds its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = make_certificates(
        folder / "certificates", hosts=["127.0.0.1"], bakeries=sorted(bakeries)
    )
    deployed = Deployment(
        folder,
        bakeries,
        made.bakeries,
        free_port(),
        signs=signs,
        lasting=frozenset(lasting),
        remembers=remembers,
        data=data,
    )
    write_connection(
        folder / "flower", deployed.connection, deployed.port, deployed.certificates / "ca.crt"
    )
    try:
        deployed.restart_server()
        for bakery in bakeries:
            deployed.register(bakery)
        for bakery in set(bakeries) - set(absent):
            deployed.start_node(bakery)
        yield deployed
    finally:
        deployed.end()


def write_connection(home: Path, name: str, port: int, authority: Path | None) -> None:
    """Tell Flower's configuration in `home` of a SuperLink on this machine."""
    home.mkdir(parents=True, exist_ok=True)
    stanza = f'[superlink.{name}]\naddress = "127.0.0.1:{port}"\n'
    stanza += f'root-certificates = "{authority}"\n' if authority else ""
    (home / "config.toml").write_text(stanza, encoding="utf-8")


def node_command(port: int, *, authority: Path | None, key: Path) -> list[str | Path | int]:
    """Words that start a SuperNode of the SuperLink on a port of this machine."""
    command: list[str | Path | int] = [BIN / "flower-supernode"]
    command += ["--superlink", f"127.0.0.1:{port}", "--port", free_port()]
    command += ["--root-certificates", authority] if authority else []
    return [*command, "--auth-supernode-private-key", key]


def started(
    *words: str | Path | int, cwd: Path, env: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which appends to a log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def await_words(process: subprocess.Popen[bytes], log: Path, words: str, *, begin: int = 0) -> str:
    """Wait until a process has logged some words (a regex) or has ended; what it logged so far."""

    def logged() -> str:
        return read_log(log)[begin:]

    wait_until(
        lambda: bool(re.search(words, logged())) or process.poll() is not None,
        f"{words} in {log}",
        limit_s=START_LIMIT_S,
    )
    found = logged()
    assert re.search(words, found) or ALREADY_THERE in found, found[-2000:]
    return found


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started with SIGKILL, as a power cut would."""
    family: list[psutil.Process] = []
    if process.poll() is None:
        leader = psutil.Process(process.pid)
        # The leader first: it could start a child anew that ended before it.
        family = [leader, *leader.children(recursive=True)]
    # What a process that is gone has left behind is still in its session.
    family += [other for other in psutil.process_iter() if session_of(other) == process.pid]
    processes.end(family)
    process.wait()


def session_of(process: psutil.Process) -> int | None:
    """Number of the session that a process belongs to."""
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def read_log(path: Path) -> str:
    """A log's text, "" before there is one."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

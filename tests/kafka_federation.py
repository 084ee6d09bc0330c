"""A federation over Kafka on this machine: a node a member, and runs, each a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from glean.privacy.certificate_folder import make_certificates
from glean.settings import ConfigValue
from tests import processes
from tests.deployment import kill_tree, read_log, started
from tests.processes import BIN, REPOSITORY

SERVER = "the server"
GLEAN = (BIN / "python", "-m", "glean")


@dataclass
class KafkaFederation:
    """Members with keys of their own, and whoever of them is at work."""

    folder: Path
    url: str
    tables: Mapping[str, Path]
    keys: Mapping[str, Path]
    data: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The operator's: whom the server lets in, and by which key it signs."""
        own = self.folder / "certificates"
        return processes.environment(
            self.folder / "flower",
            PYTHONPATH=str(REPOSITORY),
            OMP_NUM_THREADS="1",
            GLEAN_MEMBERS=str(own / "members.json"),
            GLEAN_MODEL_KEY=str(own / "model-key"),
        )

    def home(self, name: str) -> Path:
        """Its node config `home`."""
        return self.folder / "nodes" / self.keys[name].name / "home"

    def node_log(self, name: str) -> str:
        """What a node has logged so far."""
        return read_log(self.home(name).parent / "node.log")

    def start_node(self, name: str) -> None:
        """Start a member's node."""
        folder, key = self.home(name).parent, self.keys[name]
        folder.mkdir(parents=True, exist_ok=True)
        told: dict[str, ConfigValue] = {
            self.data: str(self.tables[name]),
            "bakery": name,
            "home": str(self.home(name)),
            "signing-key": str(key / "signing-key"),
            "members": str(key / "members.json"),
            "model-key": str(key / "model-key.pub"),
            "min-contributors": 3,
        }
        config = folder / "bakery.toml"
        # Texts and numbers of JSON are also TOML's.
        lines = [f"{word} = {json.dumps(value)}" for word, value in told.items()]
        config.write_text("\n".join(lines), encoding="utf-8")
        self.running[name] = started(
            *GLEAN, "node", self.url, "--config", config,
            cwd=folder, env=self.environment, log=folder / "node.log",
        )  # fmt: skip

    def kill_node(self, name: str) -> None:
        """End a member's node with SIGKILL."""
        kill_tree(self.running.pop(name))

    def run(self, *words: str | Path, limit_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Have a run done, to its end."""
        return processes.run(
            *GLEAN, "run", self.url, *words,
            cwd=self.folder, env=self.environment, limit_s=limit_s,
        )  # fmt: skip

    def start_run(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start a run."""
        log = self.folder / "run.log"
        process = started(
            *GLEAN, "run", self.url, *words, cwd=self.folder, env=self.environment, log=log
        )
        self.running[SERVER] = process
        return process

    def end(self) -> None:
        """End every process of it."""
        while self.running:
            kill_tree(self.running.popitem()[1])


@contextmanager
def kafka_federation(
    folder: Path, url: str, tables: Mapping[str, Path], *, data: str = "sales"
) -> Iterator[KafkaFederation]:
    """A federation whose nodes are at work; `data` is the key by which a node finds its own."""
    folder.mkdir(parents=True, exist_ok=True)
    made = make_certificates(folder / "certificates", hosts=["127.0.0.1"], bakeries=sorted(tables))
    federation = KafkaFederation(folder, url, tables, made.bakeries, data)
    try:
        for name in tables:
            federation.start_node(name)
        yield federation
    finally:
        federation.end()

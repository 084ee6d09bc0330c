"""A mesh of bakeries on this machine, each a process, by the commands that people type."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from glean.cli.app import app
from glean.mesh.mesh_home import MeshHome
from glean.mesh.runs.run_home import RunHome
from glean.mesh.runs.run_status import RunStatus, read_statuses
from glean.settings import ConfigValue
from tests import processes
from tests.deployment import kill_tree, read_log, started
from tests.processes import BIN, REPOSITORY, free_port, wait_until

GLEAN = (BIN / "python", "-m", "glean")
LIMIT_S = 90.0


@dataclass
class MeshFederation:
    """Bakeries of a mesh, and which of them are at work."""

    folder: Path
    tables: Mapping[str, Path]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """A user's."""
        own = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        return processes.environment(self.folder / "flower", **own)

    def home(self, name: str) -> MeshHome:
        """The home of a peer."""
        return MeshHome(self.folder / name)

    def log(self, name: str) -> str:
        """What a peer has logged so far."""
        return read_log(self.folder / f"{name}.log")

    def start(self, name: str) -> None:
        """Start a peer, with its table."""
        config = self.folder / f"{name}.toml"
        own: dict[str, ConfigValue] = {
            "sales": str(self.tables[name]),
            "privacy": "sums",
            "min-contributors": 3,
        }
        # Texts and numbers of JSON are also TOML's.
        config.write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in own.items()), "utf-8")
        words = (*GLEAN, "mesh", "run", "--home", self.home(name).path, "--config", config)
        self.running[name] = self._started(name, words)

    def _started(self, name: str, words: tuple[str | Path, ...]) -> subprocess.Popen[bytes]:
        return started(
            *words, cwd=self.folder, env=self.environment, log=self.folder / f"{name}.log"
        )

    def kill(self, name: str) -> None:
        """End a peer with SIGKILL."""
        kill_tree(self.running.pop(name))

    def terminate(self, name: str) -> int:
        """Tell a peer to end, and wait until it has; its exit code."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(LIMIT_S)
        finally:
            kill_tree(process)

    def typed(self, *words: str | Path) -> str:
        """Do a command of `glean mesh` in this process; what it says."""
        result = CliRunner().invoke(app, ["mesh", *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.stdout

    def train(self, name: str, *words: str) -> str:
        """Propose a run at a peer, and leave it; its key."""
        said = self.typed("train", "--home", self.home(name).path, "--no-wait", *words)
        found = re.search(r"[0-9a-f]{32}", said)
        assert found is not None, said
        return found[0]

    def status(self, name: str, key: str) -> RunStatus | None:
        """How a run stands at a peer."""
        return next((one for one in read_statuses(self.home(name)) if one.key == key), None)

    def run_home(self, name: str, key: str) -> RunHome:
        """A run's files at a peer."""
        return RunHome(self.home(name).path / "runs" / key)

    def coordinator(self, key: str, *, besides: str = "") -> str:
        """Wait until all who run and know of a run agree on its coordinator; its name."""
        found: list[str] = []

        def same() -> bool:
            told = [self.status(name, key) for name in self.running]
            names = {one.coordinator for one in told if one is not None}
            found[:] = [*names - {"", besides}]
            return len(names) == len(found) == 1

        wait_until(same, "a coordinator", limit_s=LIMIT_S)
        return found[0]

    def wait_for_round(self, name: str, key: str, number: int) -> None:
        """Wait until a coordinator's ServerApp has so many rounds in its work folder."""
        work = self.home(name).path / "runs" / key / "work"

        def done() -> int:
            tables = [path.read_text("utf-8") for path in work.glob("term-*/*/rounds.csv")]
            return max((text.count("\n") - 1 for text in tables), default=0)

        wait_until(lambda: done() >= number, f"round {number}", limit_s=LIMIT_S)

    def ended(self, name: str, key: str, *, limit_s: float = LIMIT_S) -> RunStatus:
        """Wait until a peer knows that a run is over; how it ended."""

        def over() -> bool:
            found = self.status(name, key)
            return found is not None and found.over

        wait_until(over, f"the run is over at {name}", limit_s=limit_s)
        found = self.status(name, key)
        assert found is not None
        return found

    def connected(self) -> None:
        """Wait until all who run are connected with each other."""

        def links(name: str) -> int:
            if not self.home(name).topology.exists():
                return 0
            found: dict[str, Any] = json.loads(
                self.typed("status", "--json", "--home", self.home(name).path)
            )
            return sum(one["state"] == "neighbour" for one in found["peers"])

        wanted = len(self.running) - 1
        wait_until(
            lambda: all(links(name) == wanted for name in self.running),
            "all are connected",
            limit_s=LIMIT_S,
        )

    def end(self) -> None:
        """End every process of it."""
        while self.running:
            kill_tree(self.running.popitem()[1])


@contextmanager
def mesh_federation(folder: Path, tables: Mapping[str, Path]) -> Iterator[MeshFederation]:
    """Found a mesh and have all bakeries join it and run, as people do."""
    folder.mkdir(parents=True, exist_ok=True)
    federation = MeshFederation(folder, tables)
    first, *others = tables
    at_first = ("--home", federation.home(first).path)
    try:
        federation.typed("init", first, *at_first, "--listen", f"127.0.0.1:{free_port()}")
        federation.start(first)
        wait_until(federation.home(first).topology.exists, f"{first} is a peer", limit_s=LIMIT_S)
        for name in others:
            link = link_in(federation.typed("invite", name, *at_first))
            where = ("--home", federation.home(name).path, "--listen", f"127.0.0.1:{free_port()}")
            federation.typed("join", link, *where)
            federation.start(name)
        federation.connected()
        yield federation
    finally:
        federation.end()


def link_in(said: str) -> str:
    """The link of an invitation."""
    link = re.search(r"^glean-mesh://\S+$", said, re.MULTILINE)
    assert link is not None, said
    return link[0]

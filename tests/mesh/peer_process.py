"""A peer in a process of its own, told by lines what to do: see `PeerProcess`."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_node import MeshNode
from glean.mesh.message_store import MeshMessage
from glean.mesh.peer_directory import KnownPeer
from glean.privacy.peer_identity import PeerIdentity, PeerKey
from tests.mesh.mesh_nodes import FixedDirectory
from tests.processes import REPOSITORY, environment, wait_until


class PeerProcess:
    """A peer's process, from `start` to `kill`; its home stays.

    Parameters
    ----------
    name : str
        Its name.
    home : Path
        Its folder, made here, with new keys.
    limits : MeshLimits
        Its bounds.
    """

    def __init__(self, name: str, home: Path, limits: MeshLimits) -> None:
        home.mkdir()
        PeerIdentity.new().write(home)
        self.name, self.home, self.limits = name, home, limits
        self.key = PeerIdentity.read(home).public
        self.taken: list[tuple[str, str, str]] = []
        self.said: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._running.pid

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, f"{self.name} isn't up"
        return self._process

    def prepare(
        self,
        listen: str,
        peers: Mapping[str, KnownPeer],
        ways: Mapping[str, Collection[str]],
        *,
        own_network: bool,
    ) -> None:
        """Start the process, in a network namespace of its own if asked; `go` lets it begin."""
        settings = {
            "name": self.name,
            "home": str(self.home),
            "listen": listen.rsplit(":", 1),
            "peers": {name: [str(p.key), *p.addresses] for name, p in peers.items()},
            "ways": {name: list(others) for name, others in ways.items()},
            "limits": asdict(self.limits),
        }
        words = [sys.executable, "-m", "tests.mesh.peer_process", json.dumps(settings)]
        with (self.home / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                [*(["unshare", "-n"] if own_network else []), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(self.home, PYTHONPATH=str(REPOSITORY)),
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process,))
        self._listener.start()
        # Until Python is there, `unshare` may not have made the namespace yet.
        self._wait_for("prepared")

    def go(self) -> None:
        """Let the node begin."""
        self._tell("go")
        self._wait_for("started")

    def send(self, to: str, message_id: str, size: int) -> None:
        """Let it send a message of so many bytes, which follow from its name."""
        self._tell(f"send {to} {message_id} {size}")

    def status(self) -> dict[str, Any]:
        """How its node stands."""
        self.said.pop("status", None)
        self._tell("status")
        self._wait_for("status")
        found = self.said["status"]
        assert isinstance(found, dict)
        return found

    def kill(self) -> None:
        """End it by SIGKILL, if it is up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._listener is not None
            self._listener.join()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()
            self._process = None
            self.said.clear()

    def _tell(self, line: str) -> None:
        stream = self._running.stdin
        assert stream is not None
        stream.write(line + "\n")
        stream.flush()

    def _wait_for(self, what: str) -> None:
        wait_until(
            lambda: what in self.said or self._running.poll() is not None,
            f"{self.name} says {what}",
            limit_s=60.0,
        )
        assert what in self.said, (self.home / "log.txt").read_text()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            what, value = json.loads(line)
            if what == "taken":
                self.taken.append(tuple(value))
            else:
                self.said[what] = value


def body_of(message_id: str, size: int) -> bytes:
    """What a message of a test says."""
    return (hashlib.sha256(message_id.encode()).digest() * (size // 32 + 1))[:size]


def taken_of(sender: str, message_id: str, size: int) -> tuple[str, str, str]:
    """What its receiver says of it."""
    return sender, message_id, hashlib.sha256(body_of(message_id, size)).hexdigest()


def main(words: str) -> None:
    """Be a peer, by lines from standard input, until it ends."""
    settings = json.loads(words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    peers = {
        name: KnownPeer(name, PeerKey.of(key), tuple(addresses))
        for name, (key, *addresses) in settings["peers"].items()
    }
    home = Path(settings["home"])
    directory = FixedDirectory(settings["name"], peers, settings["ways"])
    host, port = settings["listen"]
    _print("prepared", None)
    sys.stdin.readline()
    with MeshNode(
        home,
        PeerIdentity.read(home),
        directory,
        listen=(host, int(port)),
        limits=MeshLimits(**settings["limits"]),
    ) as node:
        node.on("plan", _taken)
        _print("started", None)
        for line in sys.stdin:
            what, *rest = line.split()
            if what == "send":
                to, message_id, size = rest
                node.send(to, "plan", body_of(message_id, int(size)), message_id)
            else:
                _print("status", asdict(node.status()))


def _taken(message: MeshMessage) -> None:
    digest = hashlib.sha256(message.body).hexdigest()
    _print("taken", [message.sender, message.message_id, digest])


def _print(what: str, value: object) -> None:
    sys.stdout.write(json.dumps([what, value]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])

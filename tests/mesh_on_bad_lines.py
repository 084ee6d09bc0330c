"""A mesh of bakeries whose processes have no network but one that loses, delays and is cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_peer import MeshPeer
from glean.mesh.peer_homes import (
    found_home,
    invite_from,
    join_from,
    listen_at,
    listening_of,
    open_store,
)
from tests.mesh.lossy_network import LossyNetwork
from tests.mesh_federation import MeshFederation
from tests.processes import free_port

PORT = 7700
_GO = 'read -r go && exec "$@"'
"""What a process does in its namespace until that has its device."""


@dataclass
class BadlyConnected(MeshFederation):
    """Bakeries with a network namespace each."""

    network: LossyNetwork | None = None

    def _started(self, name: str, words: tuple[str | Path, ...]) -> subprocess.Popen[bytes]:
        assert self.network is not None
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["unshare", "-n", "sh", "-c", _GO, "sh", *map(str, words)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{process.pid}/ns/net").readlink() == own:
            assert process.poll() is None, self.log(name)
        self.network.attach(name, process.pid)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()
        return process


@contextmanager
def mesh_on_bad_lines(
    folder: Path, tables: Mapping[str, Path], *, loss: float, delay_s: float
) -> Iterator[tuple[BadlyConnected, LossyNetwork]]:
    """Bakeries that know each other, and run from now on where only bad lines lead."""
    folder.mkdir(parents=True)
    with ExitStack() as ended:
        network = ended.enter_context(LossyNetwork(loss=loss, delay_s=delay_s))
        federation = BadlyConnected(folder, tables, network=network)
        ended.callback(federation.end)
        _introduce(federation, network)
        for name in tables:
            federation.start(name)
        yield federation, network


def _introduce(federation: BadlyConnected, network: LossyNetwork) -> None:
    """Let all join over loopback, and know where each is on the network."""
    first, *others = federation.tables
    listening = listening_of(f"127.0.0.1:{free_port()}", ())
    home = found_home(federation.home(first).path, first, "Bread", listening)
    with MeshPeer(home, limits=MeshLimits()):
        for name in others:
            listening = listening_of(f"127.0.0.1:{free_port()}", ())
            join_from(federation.home(name).path, invite_from(home, name, days=1), listening)
    homes = {name: federation.home(name) for name in federation.tables}
    known = open_store(homes[first]).membership.entries.values()
    cards = []
    for name, one in homes.items():
        address = f"{network.address(name)}:{PORT}"
        listen_at(one, listening_of(address, [address]))
        store = open_store(one)
        store.offer(known)
        card = store.sign_card(addresses=[address], neighbours=[])
        assert card is not None
        cards.append(card)
    for one in homes.values():
        one.cards.unlink(missing_ok=True)
        store = open_store(one)
        store.offer_cards(cards)
        store.save_cards()

"""Peers in processes of their own: on a network that loses and delays, and killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_directory import KnownPeer
from tests.mesh.lossy_network import LossyNetwork, needs_namespaces
from tests.mesh.peer_process import PeerProcess, taken_of
from tests.processes import free_port, wait_until

CHAIN = {"a": "b", "b": "ac", "c": "b"}
LIMITS = MeshLimits(heartbeat_s=2.0, idle_s=30.0, first_backoff_s=0.2, longest_backoff_s=2.0)
PORT = 7700


class Mesh:
    """Processes of peers that know each other."""

    def __init__(
        self, folder: Path, ways: Mapping[str, str], network: LossyNetwork | None = None
    ) -> None:
        self.ways, self.network = ways, network
        self.peers = {name: PeerProcess(name, folder / name, LIMITS) for name in ways}
        self._addresses = {
            name: f"{network.address(name)}:{PORT}" if network else f"127.0.0.1:{free_port()}"
            for name in ways
        }

    def up(self, *names: str) -> None:
        """Start processes, all at a time."""
        known = {
            name: KnownPeer(name, peer.key, (self._addresses[name],))
            for name, peer in self.peers.items()
        }
        for name in names:
            peer = self.peers[name]
            peer.prepare(
                self._addresses[name], known, self.ways, own_network=self.network is not None
            )
            if self.network is not None:
                self.network.attach(name, peer.pid)
            peer.go()

    def kill_all(self) -> None:
        for peer in self.peers.values():
            peer.kill()


@contextmanager
def bad_mesh(
    folder: Path, ways: Mapping[str, str], *, loss: float, delay_s: float
) -> Iterator[Mesh]:
    """Peers whose only network is a bad one."""
    with ExitStack() as ended:
        network = ended.enter_context(LossyNetwork(loss=loss, delay_s=delay_s))
        mesh = Mesh(folder, ways, network)
        ended.callback(mesh.kill_all)
        mesh.up(*ways)
        yield mesh


def send(mesh: Mesh, messages: list[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    """Have messages sent: by whom, to whom, by which name and of how many bytes."""
    for by, to, name, size in messages:
        mesh.peers[by].send(to, name, size)
    return messages


def arrive(mesh: Mesh, sent: list[tuple[str, str, str, int]], *, limit_s: float) -> None:
    """Wait until all is taken and acknowledged; nothing came twice, or not as it was."""
    wanted = {
        to: sorted(taken_of(by, name, size) for by, for_whom, name, size in sent if for_whom == to)
        for to in mesh.peers
    }
    wait_until(
        lambda: all(len(set(p.taken)) >= len(wanted[n]) for n, p in mesh.peers.items()),
        "all messages",
        limit_s=limit_s,
    )
    wait_until(
        lambda: not any(p.status()["waiting"] for p in mesh.peers.values()),
        "all acknowledgements",
        limit_s=limit_s,
    )
    for name, peer in mesh.peers.items():
        assert sorted(peer.taken) == wanted[name]


@pytest.mark.slow
def test_messages_arrive_over_a_bad_line(tmp_path: Path) -> None:
    """Three in ten packets are lost, the others take 200 ms."""
    needs_namespaces()
    with bad_mesh(tmp_path, {"a": "b", "b": "a"}, loss=0.3, delay_s=0.2) as mesh:
        sent = send(mesh, [("a", "b", "m1", 2000), ("b", "a", "m2", 10)])
        arrive(mesh, sent, limit_s=120.0)
        assert mesh.network is not None
        lost = mesh.network.lost / (mesh.network.lost + mesh.network.passed)
        assert 0.15 < lost < 0.45


@pytest.mark.long
@pytest.mark.timeout(900)
def test_models_arrive_over_a_bad_line_that_breaks(tmp_path: Path) -> None:
    """Thirty messages of up to 58 kB, while the relay is killed twice and then cut off."""
    needs_namespaces()
    with bad_mesh(tmp_path, CHAIN, loss=0.3, delay_s=0.2) as mesh:
        assert mesh.network is not None
        ways = [("a", "c") if n % 2 else ("c", "a") for n in range(30)]
        sent = send(mesh, [(by, to, f"m{n}", 2000 * n) for n, (by, to) in enumerate(ways)])
        for _ in range(2):
            one_more(mesh)
            mesh.peers["b"].kill()
            mesh.up("b")
        mesh.network.cut.add(frozenset("ab"))
        wait_until(lambda: not mesh.peers["a"].status()["connections"], "the cut", limit_s=120.0)
        mesh.network.cut.clear()
        arrive(mesh, sent, limit_s=600.0)


def one_more(mesh: Mesh) -> None:
    """Wait until somebody takes a message."""
    before = sum(len(peer.taken) for peer in mesh.peers.values())
    wait_until(
        lambda: sum(len(peer.taken) for peer in mesh.peers.values()) > before,
        "a message more",
        limit_s=300.0,
    )


@pytest.mark.slow
def test_a_relay_that_is_killed_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """By SIGKILL, with messages that their sender was told it has; the sender likewise."""
    mesh = Mesh(tmp_path, CHAIN)
    try:
        mesh.up("a", "b")
        sent = send(mesh, [("a", "c", f"m{n}", 20_000) for n in range(20)])
        wait_until(
            lambda: mesh.peers["b"].status()["relayed"] == {"c": 20}, "custody", limit_s=30.0
        )
        mesh.peers["b"].kill()
        mesh.up("c")
        mesh.up("b")
        wait_until(lambda: len(mesh.peers["c"].taken) >= 5, "some messages", limit_s=30.0)
        for name in "ab":
            mesh.peers[name].kill()
            mesh.up(name)
        arrive(mesh, sent, limit_s=90.0)
    finally:
        mesh.kill_all()

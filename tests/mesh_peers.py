"""Peers of a mesh in this process that take part in runs, over loopback, each with its own home."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from glean.federation.grids.turns import TurnLock
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_peer import MeshPeer
from glean.mesh.peer_homes import found_home, invite_from, join_from, listening_of
from glean.operations.mesh.bakery_config import bakery_config
from glean.operations.mesh.peer_at_work import PeerAtWork
from glean.settings import ConfigValue
from tests.processes import free_port, wait_until

LIMIT_S = 60.0
QUICK = MeshLimits(first_backoff_s=0.1, longest_backoff_s=0.5)


class WorkingPeer:
    """A peer of a mesh, and its part in runs while it is up."""

    def __init__(self, home: MeshHome, sales: Path, turn: TurnLock) -> None:
        self.home, self._sales, self._turn = home, sales, turn
        self.peer: MeshPeer | None = None
        self.work: PeerAtWork | None = None
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    @property
    def bakery(self) -> Path:
        """Where its bakery keeps the model."""
        return self.home.path / "bakery"

    @property
    def running(self) -> MeshPeer:
        """Its peer."""
        assert self.peer is not None, "it isn't up"
        return self.peer

    def up(self) -> None:
        """Start it."""
        self.peer = MeshPeer(self.home, limits=QUICK)
        self.peer.start()

    def begin(self, **own: ConfigValue) -> None:
        """Have it take part in runs from now on; with a node config that says besides..."""
        config = bakery_config(self.home, {"sales": str(self._sales), "min-contributors": 3, **own})
        self.work = PeerAtWork(self.home, self.running, config, turn=self._turn)
        self.work.start()
        self._thread = threading.Thread(target=self._serve, args=(self.work,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        """End it."""
        if self.work is not None and self._thread is not None:
            self.work.close()
            self._thread.join(LIMIT_S)
            assert not self._thread.is_alive(), "it doesn't end"
            self.work = self._thread = None
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def _serve(self, work: PeerAtWork) -> None:
        try:
            work.serve()
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            self.failure = error


@contextmanager
def mesh_peers(folder: Path, tables: Mapping[str, Path]) -> Iterator[dict[str, WorkingPeer]]:
    """Found a mesh of these bakeries, of which all know all and none takes part in runs yet."""
    turn = TurnLock()
    found: dict[str, WorkingPeer] = {}
    try:
        for name, sales in tables.items():
            path, listening = folder / name, listening_of(f"127.0.0.1:{free_port()}", ())
            if not found:
                home = found_home(path, name, "Bread", listening)
            else:
                inviter = next(iter(found.values())).home
                home = join_from(path, invite_from(inviter, name, days=1), listening)
            found[name] = WorkingPeer(home, sales, turn)
            found[name].up()
        wait_until(
            lambda: all(
                len(one.running.node.neighbours()) == len(found) - 1 for one in found.values()
            ),
            "all are connected",
            limit_s=LIMIT_S,
        )
        yield found
    finally:
        for one in found.values():
            one.down()
    assert not [one.failure for one in found.values() if one.failure is not None]

"""A peer of a mesh that takes part in runs: it votes, keeps what is committed, trains, conducts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from glean.federation.coordination.member_list import VARIABLE as MEMBERS
from glean.federation.grids.turns import TurnLock
from glean.federation.launch.flower_app import app_name, app_project
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_peer import MeshPeer
from glean.mesh.runs.mesh_runs import MeshRuns
from glean.mesh.runs.run_client_carrier import RunClientCarrier
from glean.operations.joining.bakery_node import home_to_itself
from glean.operations.joining.node_status import NodeStatus
from glean.operations.mesh.bakery_config import home_of
from glean.operations.mesh.conducting import conduct
from glean.operations.mesh.late_results import LateResults
from glean.operations.mesh.members_file import MembersFile, members_in_runs
from glean.regular_files import words_of
from glean.settings import ConfigValue

LOG = logging.getLogger("glean")

LOOK_S = 0.5
END_S = 10.0
"""So long a client that is told to end may take to answer what it has in hand."""


class PeerAtWork:
    """A peer's part in runs, from `start` to `close`.

    Parameters
    ----------
    home : MeshHome
        The peer's home.
    peer : MeshPeer
        The peer, which runs.
    config : mapping or None
        The bakery's node config, from `bakery_config`; None: it has no table, and conducts no run,
        but votes and keeps what is committed.
    turn : TurnLock, optional
        Where others in this process take part in the same run.
    """

    def __init__(
        self,
        home: MeshHome,
        peer: MeshPeer,
        config: Mapping[str, ConfigValue] | None,
        *,
        turn: TurnLock | None = None,
    ) -> None:
        self._peer, self._config = peer, config
        self._turn = turn or TurnLock()
        self._members = MembersFile(home.path)
        self._closed = threading.Event()
        self._carrier: RunClientCarrier | None = None
        self.runs = MeshRuns(
            home,
            peer.node,
            own=peer.directory.name,
            members=self._names,
            conduct=None if config is None else lambda carrier: conduct(carrier, self._turn),
        )

    def start(self) -> None:
        """Begin to vote and to keep.

        Raises
        ------
        OSError
            The home can't be written to.
        """
        self._members.write(self._peer.store.membership)
        # Where a ServerApp looks who may take part.
        os.environ[MEMBERS] = str(self._members.path)
        if self._config is not None:
            # Before others hear of this peer: one that is started anew isn't gone meanwhile.
            self._carrier = self.runs.client()
        self.runs.start()

    def close(self) -> None:
        """End what goes on here, `serve` too; others go on with a run."""
        self._closed.set()
        self.runs.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def serve(self) -> None:
        """Take part until a KeyboardInterrupt, until `close`, or until the peer has left the mesh.

        Raises
        ------
        FederationError
            Another node is at work in the bakery's home, or it can't be written to.
        """
        if self._config is None:
            while not self._ended():
                self._closed.wait(LOOK_S)
            return
        with home_to_itself(home_of(self._config)):
            self._train_apart(self._config, home_of(self._config))

    def _train_apart(self, config: Mapping[str, ConfigValue], home: Path) -> None:
        """Train in a thread of its own: a signal, which is the main one's, leaves no lock held."""
        failures: list[BaseException] = []

        def train() -> None:
            try:
                self._train(config, home)
            except BaseException as error:  # noqa: BLE001 - raised again below
                failures.append(error)

        thread = threading.Thread(target=train, name="mesh bakery", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not self._ended():
                self._closed.wait(LOOK_S)
        finally:
            self._closed.set()
            # What is in hand after that is answered by the next start, as after a kill.
            thread.join(END_S)
        if failures:
            raise failures[0]

    def _train(self, config: Mapping[str, ConfigValue], home: Path) -> None:
        from glean.client_app import app, forget_clients
        from glean.federation.client.journal_undo import JournalUndo
        from glean.federation.grids.client_store import FILE, ClientStore
        from glean.federation.node.carried_client import CarriedClient
        from glean.federation.node.hosted_runs import HostedRuns
        from glean.federation.node.release_check import InstalledApp

        with closing(ClientStore(home / FILE)) as store:
            hosts = HostedRuns(
                app,
                InstalledApp(app_name(), app_project()["project"]["version"]),
                name=self._peer.directory.name,
                node_config=config,
                store=store,
                undo=JournalUndo(home),
                forget=forget_clients,
                turn=self._turn,
            )
            late = LateResults(self.runs.statuses, hosts, self._turn)

            def ended() -> bool:
                late.look()
                return self._closed.is_set()

            carrier = self._carrier or self.runs.client()
            client = CarriedClient(carrier, hosts, report=NodeStatus(home).write)
            client.run(until=ended)

    def _ended(self) -> bool:
        """Whether it is over; and write down who the members are now."""
        try:
            self._members.write(self._peer.store.membership)
        except OSError as error:
            LOG.warning("the list of members can't be written: %s", words_of(error))
        return self._peer.has_left or self._closed.is_set()

    def _names(self) -> list[str]:
        return [member.bakery for member in members_in_runs(self._peer.store.membership)]

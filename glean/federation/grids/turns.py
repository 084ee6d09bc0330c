"""Turns of a server and its own client in one process: Flower has one identity for both.

Where a peer's process runs a ServerApp and hosts its bakery's client besides, each makes messages
in a thread of its own. The server has the turn while it works, and lets go of it while it waits for
replies; a client has it while it answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from glean.federation.grids.carrier import Carrier, ReceivedReply


class TurnLock:
    """What one thread of a process has at a time; who has it may take it again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Let others have it for the time of a `with`; whoever has it took it once."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()


class TurnTakingCarrier:
    """A carrier for a server that has the turn: others have it while the carrier works or waits.

    Parameters
    ----------
    carrier : Carrier
        What carries messages.
    turn : TurnLock
        The turn, which the server's thread has.
    """

    def __init__(self, carrier: Carrier, turn: TurnLock) -> None:
        self._carrier = carrier
        self._turn = turn

    @property
    def engine(self) -> str:
        """The road's name."""
        return self._carrier.engine

    def announce(self, run: bytes) -> None:
        """Tell all clients of a run."""
        with self._turn.given_away():
            self._carrier.announce(run)

    def present(self) -> list[str]:
        """Names of members whose heartbeat was heard of late."""
        return self._carrier.present()

    def send(self, node: str, message_id: str, body: bytes) -> None:
        """Send a message."""
        with self._turn.given_away():
            self._carrier.send(node, message_id, body)

    def receive(self, timeout_s: float) -> Sequence[ReceivedReply]:
        """Give what has come; while it waits, clients of this process answer."""
        if timeout_s <= 0:
            return self._carrier.receive(timeout_s)
        with self._turn.given_away():
            return self._carrier.receive(timeout_s)

    def end(self, reason: str) -> None:
        """Tell all clients that the run is over."""
        with self._turn.given_away():
            self._carrier.end(reason)

    def close(self) -> None:
        """Let go of connections and files."""
        self._carrier.close()

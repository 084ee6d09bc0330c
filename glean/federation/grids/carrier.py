"""What carries messages between a server and its clients, in values of its own.

A road is a `Carrier` on the server's side and a `ClientCarrier` on each client's. It knows members
by their names and bytes by their message's id: nothing of Flower, of models or of rounds.
`carried_grid` and `federation/node/carried_client.py` are what stands on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class ReceivedReply(Protocol):
    """A reply that has come, as a road has it: see `Received`."""

    @property
    def node(self) -> str:
        """Name of the member whom it comes from, already proved."""

    @property
    def message_id(self) -> str:
        """The reply's own id."""

    @property
    def reply_to(self) -> str:
        """Id of the message that it answers."""

    @property
    def body(self) -> bytes:
        """The reply."""


@dataclass(frozen=True)
class Received:
    """A reply that has come.

    Parameters
    ----------
    node : str
        Name of the member whom it comes from, already proved.
    message_id : str
        The reply's own id.
    reply_to : str
        Id of the message that it answers.
    body : bytes
        The reply.
    """

    node: str
    message_id: str
    reply_to: str
    body: bytes


class Carrier(Protocol):
    """The server's side."""

    @property
    def engine(self) -> str:
        """The road's name, as `run.json` has it, like "kafka"."""

    def announce(self, run: bytes) -> None:
        """Tell all clients of a run, those that come later too, until `end`."""

    def present(self) -> list[str]:
        """Names of members whose heartbeat was heard of late."""

    def send(self, node: str, message_id: str, body: bytes) -> None:
        """Send a message, on disk when this returns; waits or raises where too much is on its way.

        Raises
        ------
        FederationError
            It can't be taken.
        """

    def receive(self, timeout_s: float) -> Sequence[ReceivedReply]:
        """Give what has come: proved, checked, each once; waits so long for the first."""

    def end(self, reason: str) -> None:
        """Tell all clients that the run is over."""

    def close(self) -> None:
        """Let go of connections and files."""


Asked = tuple[int, str, bytes]
"""A message that has come to a client: its run, its id, and itself."""


class ClientCarrier(Protocol):
    """A client's side.

    A message that was received and not answered, as its process was killed, has to come again once
    there is another: it is done with when its reply was given to `reply`, and not before.
    """

    @property
    def problem(self) -> str:
        """Why nothing can be carried at this time; "" where it can."""

    def runs(self) -> list[bytes]:
        """Announcements of the runs that go on, each as the server wrote it."""

    def receive(self, timeout_s: float) -> list[Asked]:
        """Give messages that have come; waits so long for the first."""

    def reply(self, run_id: int, message_id: str, body: bytes) -> None:
        """Send a reply; on disk when this returns."""

    def heartbeat(self) -> None:
        """Say that this client is here; called from a thread of its own, every few seconds."""

    def close(self) -> None:
        """Let go of connections and files."""

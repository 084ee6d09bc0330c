"""What runs need of the mesh, and what they give it to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from glean.mesh.live_calls import LiveCall
from glean.mesh.message_store import MeshMessage
from glean.mesh.runs.run_messages import RunMessage


class RunNode(Protocol):
    """A node of a mesh, as runs use it: see `MeshNode`."""

    def send(
        self,
        peer_name: str,
        kind: str,
        body: bytes,
        message_id: str | None = None,
        life_s: float | None = None,
    ) -> str:
        """Send a message, on disk when this returns."""

    def on(self, kind: str, handler: Callable[[MeshMessage], None]) -> None:
        """Say what handles messages of a kind."""

    def tell(self, peer_name: str, kind: str, body: bytes) -> bool:
        """Tell something to a peer that is connected now; nobody keeps it."""

    def on_tell(self, kind: str, handler: Callable[[LiveCall], None]) -> None:
        """Say what handles what is told of a kind."""


@dataclass(frozen=True)
class Outbound:
    """A message to another participant, which is sent once nothing is locked any more.

    Parameters
    ----------
    receiver : str
        For whom.
    message : RunMessage
        What is said.
    life_s : float or None
        How long it is worth sending, seconds; None where it has to come, however late.
    """

    receiver: str
    message: RunMessage
    life_s: float | None = None

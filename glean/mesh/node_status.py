"""How a node stands: what a page or a command shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from glean.mesh.dead_letters import DeadLetter


@dataclass(frozen=True)
class ConnectionStatus:
    """A connection of a node.

    Parameters
    ----------
    peer, address : str
        With whom, and where that is.
    dialed : bool
        Whether this peer connected.
    open_s : float
        For how long it is open.
    sent_bytes, received_bytes : int
        What went over it.
    """

    peer: str
    address: str
    dialed: bool
    open_s: float
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True)
class NodeStatus:
    """How a node stands.

    Parameters
    ----------
    connections : tuple of ConnectionStatus
        With whom it is connected.
    unreached : dict of str to str
        Neighbours that it isn't connected with, and why.
    waiting : dict of str to int
        Messages of its own that aren't acknowledged, and acknowledgements on their way, by
        receiver.
    relayed : dict of str to int
        Messages that it keeps for others, by receiver.
    refused : dict of str to int
        Envelopes that were no good, by who brought them.
    dead_letters : tuple of DeadLetter
        Messages that came to nothing, the oldest first.
    """

    connections: tuple[ConnectionStatus, ...]
    unreached: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    relayed: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    dead_letters: tuple[DeadLetter, ...] = ()

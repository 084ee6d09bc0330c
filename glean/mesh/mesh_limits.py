"""How much and how long: every bound of a node in one place."""

from __future__ import annotations

from dataclasses import dataclass

_MB = 2**20


@dataclass(frozen=True)
class MeshLimits:
    """Bounds of a node; times are in seconds.

    Parameters
    ----------
    most_message_bytes : int
        Of one message, sealed.
    most_outbox_bytes, most_relayed_bytes, most_arrived_bytes : int
        Of what this node sends, of what it passes on for others, and of what came for it and wasn't
        handled yet.
    peer_share : float
        Which part of `most_relayed_bytes`, and of `most_arrived_bytes`, one sender may fill; and
        of `most_outbox_bytes` what is for one receiver.
    most_acknowledging_bytes : int
        Of acknowledgements that wait for one peer.
    message_life_s : float
        How long a message is sent until it is given up; the same at all peers.
    clock_skew_s : float
        By how much peers' clocks may differ.
    most_connections, most_handshakes : int
        Connections at a time, and those of them that haven't said who they are.
    connect_s, handshake_s : float
        For a connection to open, and for both sides to say who they are.
    heartbeat_s, idle_s : float
        After how long without anything to send a connection says that it's there, and after how
        long without hearing anything it is given up.
    first_backoff_s, longest_backoff_s : float
        Between attempts to connect.
    relay_after_s : float
        How long a message waits for its receiver, if that is a neighbour, before a relay gets it.
    resend_s, slowest_bytes_s : float
        When a message is sent again that nobody answered though the connection stayed open: after
        the first, and what it takes over a line of so many bytes a second.
    custody_s, longest_custody_s : float
        When one is that a relay took and whose receiver hasn't acknowledged it: twice as long each
        time, up to the second.
    later_s : float
        When a message is sent again whose taker had no room, or didn't know its sender: twice as
        long each time, up to `custody_s`.
    most_hops : int
        Through how many hands a message may go.
    most_in_flight, most_in_flight_bytes : int
        Messages that were sent over a connection and not answered; a single one may be larger.
    """

    most_message_bytes: int = 64 * _MB
    most_outbox_bytes: int = 512 * _MB
    most_relayed_bytes: int = 256 * _MB
    most_arrived_bytes: int = 512 * _MB
    peer_share: float = 0.5
    most_acknowledging_bytes: int = 8 * _MB
    message_life_s: float = 7 * 86_400.0
    clock_skew_s: float = 300.0
    most_connections: int = 64
    most_handshakes: int = 16
    connect_s: float = 20.0
    handshake_s: float = 30.0
    heartbeat_s: float = 15.0
    idle_s: float = 60.0
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 20.0
    relay_after_s: float = 3.0
    resend_s: float = 30.0
    slowest_bytes_s: float = 1000.0
    custody_s: float = 60.0
    longest_custody_s: float = 3600.0
    later_s: float = 5.0
    most_hops: int = 4
    most_in_flight: int = 8
    most_in_flight_bytes: int = 16 * _MB

"""Where the peers of a mesh stand in its drawing, and what lines go between them.

On an ellipse, in order of their names, the peer that serves the page at its top. Who relays for
whom is a dashed line from one to the other that bends through the relay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from glean.mesh.topology import PeerStanding, Relay, Topology

MOST_RELAY_LINES = 60
"""More of them would hide each other; the table has all."""

_LONGEST_LABEL = 22
_LABEL_BELOW, _LABEL_ABOVE = 28, -20
_ROOM = 130
_FEW = 8


@dataclass(frozen=True)
class GraphPeer:
    """A peer in the drawing.

    Parameters
    ----------
    standing : PeerStanding
        Which one.
    x, y : float
        Its middle.
    label : str
        Its name, shortened where it is long.
    label_y : float
        Where the label stands.
    relays : bool
        Whether it relays for others.
    """

    standing: PeerStanding
    x: float
    y: float
    label: str
    label_y: float
    relays: bool


@dataclass(frozen=True)
class RelayLine:
    """A way through a relay.

    Parameters
    ----------
    relay : Relay
        Which one.
    path : str
        As SVG draws it.
    """

    relay: Relay
    path: str


@dataclass(frozen=True)
class MeshGraph:
    """A drawing.

    Parameters
    ----------
    width, height : float
        Of the whole.
    peers : tuple of GraphPeer
        What stands in it.
    links : tuple of (GraphPeer, GraphPeer)
        Straight lines.
    relays : tuple of RelayLine
        Dashed ones.
    """

    width: float
    height: float
    peers: tuple[GraphPeer, ...]
    links: tuple[tuple[GraphPeer, GraphPeer], ...]
    relays: tuple[RelayLine, ...]


def mesh_graph(topology: Topology) -> MeshGraph:
    """Place the peers of a mesh and the lines between them."""
    others = [one for one in topology.peers if one.state != "own"]
    ordered = [*(one for one in topology.peers if one.state == "own"), *others]
    larger = max(1.0, len(ordered) / _FEW)
    wide, high = 190 * larger, 130 * larger
    width, height = 2 * (wide + _ROOM), 2 * (high + 50)
    relaying = {one.relay for one in topology.relays}
    peers = {}
    for place, standing in enumerate(ordered):
        angle = 2 * math.pi * place / len(ordered) - math.pi / 2
        x = round(width / 2 + wide * math.cos(angle), 1)
        y = round(height / 2 + high * math.sin(angle), 1)
        above = math.sin(angle) < 0
        peers[standing.name] = GraphPeer(
            standing,
            x,
            y,
            _shortened(standing.name),
            round(y + (_LABEL_ABOVE if above else _LABEL_BELOW), 1),
            standing.name in relaying,
        )
    return MeshGraph(
        round(width, 1),
        round(height, 1),
        tuple(peers.values()),
        tuple(
            (peers[one], peers[other])
            for one, other in topology.links
            if {one, other} <= peers.keys()
        ),
        tuple(
            RelayLine(one, _bend(peers[one.one], peers[one.relay], peers[one.other]))
            for one in topology.relays
            if {one.relay, one.one, one.other} <= peers.keys()
        )[:MOST_RELAY_LINES],
    )


def _bend(one: GraphPeer, relay: GraphPeer, other: GraphPeer) -> str:
    """Draw a curve that goes through the relay half way."""
    x = 2 * relay.x - (one.x + other.x) / 2
    y = 2 * relay.y - (one.y + other.y) / 2
    return f"M{one.x:g} {one.y:g} Q{x:g} {y:g} {other.x:g} {other.y:g}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"

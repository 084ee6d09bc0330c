"""How a mesh stands, in lines for a terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.mesh.mesh_status import MeshStatus
    from glean.mesh.topology import PeerStanding


def status_lines(found: MeshStatus, speaks: Language) -> Iterator[str]:
    """Say who is in a mesh and who reaches whom."""
    topology = found.topology
    yield speaks.translate("mesh: {mesh}", mesh=topology.title)
    if found.runs:
        yield speaks.translate("peer: {name}, which runs", name=topology.name)
    else:
        yield speaks.translate("peer: {name}, which doesn't run", name=topology.name)
    if found.facts.left:
        yield speaks.translate(
            "{name} has left the mesh {mesh}.", name=topology.name, mesh=topology.title
        )
    yield from _member_lines(found, speaks)
    if topology.relays:
        yield speaks.translate("relays:")
    for one in topology.relays:
        yield "  " + speaks.translate(
            "{relay} between {one} and {other}", relay=one.relay, one=one.one, other=one.other
        )
    for invitation in found.invitations:
        yield speaks.translate(
            "invited: {bakery}, until {time}",
            bakery=invitation.name,
            time=_moment(invitation.expires_at),
        )
    if topology.left:
        yield speaks.translate("have left: {names}", names=", ".join(topology.left))
    if topology.refused:
        yield speaks.translate("not taken from others:")
    yield from (f"  {text}" for text in topology.refused)


def _member_lines(found: MeshStatus, speaks: Language) -> Iterator[str]:
    peers = found.topology.peers
    yield speaks.translate("members: {count}", count=speaks.number(len(peers)))
    width = max((len(one.name) for one in peers), default=0)
    for one in peers:
        words = f"  {one.name:{width}}  {_state(one, speaks)}"
        heard = (
            speaks.translate("last heard {time}", time=_moment(one.last_heard))
            if one.last_heard is not None and one.state != "own"
            else ""
        )
        yield ", ".join(filter(None, (words, ", ".join(one.addresses), heard)))


def _state(one: PeerStanding, speaks: Language) -> str:
    match one.state:
        case "own":
            return speaks.translate("this peer")
        case "neighbour":
            return speaks.translate("connected")
        case "relayed":
            return speaks.translate("through {name}", name=one.via)
        case _:
            return speaks.translate("away")


def _moment(at: float) -> str:
    """Write a time of day as people here read it."""
    return dt.datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")

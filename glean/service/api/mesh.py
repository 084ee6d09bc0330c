"""The mesh of a peer by REST: who is in it, who reaches whom, who relays for whom."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glean.mesh.mesh_status import MeshStatus
from glean.mesh.topology import PeerState
from glean.service.accounts.access import Reader
from glean.service.mesh_home import MeshStatusOf
from glean.service.problems import responses

router = APIRouter(prefix="/api/v1/mesh", tags=["federation"], responses=responses(422, 503))


class MeshPeer(BaseModel):
    """A member of the mesh."""

    name: str = Field(examples=["Rue Mouffetard"])
    state: PeerState = Field(
        description="Whether it is the peer that answers (own), one that it hears directly "
        "(neighbour), one that others pass messages on to (relayed), or none of these (away)."
    )
    via: str = Field(description="Who passes messages on to it; empty where nobody does.")
    fingerprint: str = Field(description="Of its signing key.")
    addresses: list[str] = Field(description="Where it listens, HOST:PORT.")
    last_heard: str | None = Field(description="When it last said something, UTC.")
    invited_by: str = Field(description="Who let it in; empty of who founded the mesh.")
    joined_at: str = Field(description="When, UTC.")


class MeshRelay(BaseModel):
    """A peer that passes messages on between two that don't reach each other."""

    relay: str
    one: str
    other: str
    seen: bool = Field(
        description="Whether it says that it has done so lately; else messages would go that way."
    )


class MeshStanding(BaseModel):
    """A mesh as one peer sees it."""

    title: str = Field(description="What the mesh is called.")
    mesh: str = Field(description="Its id.")
    name: str = Field(description="The peer that answers.")
    runs: bool = Field(description="Whether that peer runs now.")
    at: str = Field(description="When it was so, UTC.")
    peers: list[MeshPeer]
    links: list[tuple[str, str]] = Field(description="Who is whose neighbour.")
    relays: list[MeshRelay]
    left: list[str] = Field(description="Who has left.")
    refused: list[str] = Field(description="What wasn't taken from others, and why.")

    @classmethod
    def of(cls, found: MeshStatus) -> MeshStanding:
        """Write it down."""
        topology = found.topology
        return cls(
            title=topology.title,
            mesh=topology.mesh,
            name=topology.name,
            runs=found.runs,
            at=_moment(topology.at),
            peers=[
                MeshPeer(
                    name=one.name,
                    state=one.state,
                    via=one.via,
                    fingerprint=one.fingerprint,
                    addresses=list(one.addresses),
                    last_heard=None if one.last_heard is None else _moment(one.last_heard),
                    invited_by=one.invited_by,
                    joined_at=_moment(one.joined_at),
                )
                for one in topology.peers
            ],
            links=list(topology.links),
            relays=[
                MeshRelay(relay=one.relay, one=one.one, other=one.other, seen=one.seen)
                for one in topology.relays
            ],
            left=list(topology.left),
            refused=list(topology.refused),
        )


@router.get("")
def mesh(_: Reader, found: MeshStatusOf) -> MeshStanding:
    """Say who is in the mesh and how each is reached."""
    return MeshStanding.of(found)


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")

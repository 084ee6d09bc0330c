"""How a peer and its mesh stand, read from the peer's home whether it runs or not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from glean.mesh.invitation_list import InvitationList, MadeInvitation
from glean.mesh.membership_files import read_cards, read_membership
from glean.mesh.mesh_home import MeshFacts, MeshHome
from glean.mesh.topology import Topology, read_topology, topology_of


@dataclass(frozen=True)
class MeshStatus:
    """How a peer stands.

    Parameters
    ----------
    facts : MeshFacts
        What it noted when it joined.
    runs : bool
        Whether a process is this peer now.
    topology : Topology
        Who reaches whom: of a peer that doesn't run, as it was known when it ended.
    invitations : tuple of MadeInvitation
        Those of its own that can still be used.
    """

    facts: MeshFacts
    runs: bool
    topology: Topology
    invitations: tuple[MadeInvitation, ...]

    def content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        invitations = [{"name": one.name, "expires_at": one.expires_at} for one in self.invitations]
        return {"runs": self.runs, **self.topology.content(), "invitations": invitations}


def mesh_status(home: MeshHome) -> MeshStatus:
    """Read how a peer stands.

    Raises
    ------
    GleanError
        The home isn't one, or can't be read.
    """
    facts, now = home.facts(), time.time()
    runs = home.runs
    topology = read_topology(home.topology) if runs else None
    if topology is None:
        known = read_membership(home, facts.mesh)
        refused = tuple(one.text for one in known.view.refused)
        topology = topology_of(known, read_cards(home), facts.name, {}, now=now, refused=refused)
    invitations = InvitationList(home.invitations).all()
    return MeshStatus(facts, runs, topology, tuple(one for one in invitations if one.open_at(now)))

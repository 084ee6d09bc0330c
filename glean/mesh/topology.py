"""Who reaches whom in a mesh: neighbours, when each was last heard, who relays for whom.

The peer that runs makes it of the members' cards and of its own connections, and writes it into its
home, where `glean mesh status` and the control room read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from glean.mesh.member_keys import public_key
from glean.mesh.member_view import MeshMember
from glean.mesh.membership import Membership
from glean.mesh.membership_entry import MembershipError
from glean.mesh.mesh_home import write_json
from glean.mesh.peer_card import PeerCard
from glean.mesh.peer_paths import Ways, relays_of, ways_of
from glean.regular_files import read_regular

FRESH_S = 120.0
"""A peer signs where it is several times in that: one that didn't isn't there."""

MOST_RELAYS = 1_000

PeerState = Literal["own", "neighbour", "relayed", "away"]


@dataclass(frozen=True)
class PeerStanding:
    """How a member stands.

    Parameters
    ----------
    name, fingerprint : str
        Its name, and what people compare of its key.
    state : {"own", "neighbour", "relayed", "away"}
        The peer that says this; one that it hears directly; one that others hear; none of these.
    via : str
        Name of the peer that relays for it; "" where none does.
    addresses : tuple of str
        HOST:PORT, where it listens.
    last_heard : float or None
        When it last said something that came here, s since 1970.
    invited_by : str
        Who let it in.
    joined_at : int
        When, s since 1970.
    """

    name: str
    fingerprint: str
    state: PeerState
    via: str
    addresses: tuple[str, ...]
    last_heard: float | None
    invited_by: str
    joined_at: int


@dataclass(frozen=True)
class Relay:
    """A peer that passes messages on between two that don't reach each other.

    Parameters
    ----------
    relay, one, other : str
        Names; the two in order of their names.
    seen : bool
        Whether it says that it has done so lately; else messages would go that way.
    """

    relay: str
    one: str
    other: str
    seen: bool = False


@dataclass(frozen=True)
class Topology:
    """A mesh as one peer sees it.

    Parameters
    ----------
    mesh, title, name : str
        Id of the mesh, what it is called, and the peer's own name.
    at : float
        When, s since 1970.
    peers : tuple of PeerStanding
        All members, by name.
    links : tuple of (str, str)
        Who is whose neighbour.
    relays : tuple of Relay
        Who relays for whom.
    left : tuple of str
        Names of those who have left.
    refused : tuple of str
        Entries and cards that weren't taken, in sentences.
    """

    mesh: str
    title: str
    name: str
    at: float
    peers: tuple[PeerStanding, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    relays: tuple[Relay, ...] = ()
    left: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write it for others to read."""
        write_json(path, self.content(), lasting=False)


def topology_of(
    membership: Membership,
    cards: Iterable[PeerCard],
    own: str,
    heard: Mapping[str, float],
    *,
    now: float,
    refused: tuple[str, ...] = (),
) -> Topology:
    """Work out who reaches whom.

    Parameters
    ----------
    membership : Membership
        Who belongs to the mesh.
    cards : iterable of PeerCard
        Their newest cards.
    own : str
        This peer's name.
    heard : mapping
        Peers that it is connected with, and when each was last heard, s since 1970.
    now : float
        The time, s since 1970.
    refused : tuple of str
        What wasn't taken, in sentences.
    """
    view = membership.view
    names = {member.entry: name for name, member in view.members.items()}
    by_name = {names[card.entry]: card for card in cards if card.entry in names}
    fresh = {name: card for name, card in by_name.items() if now - card.at <= FRESH_S}
    links = tuple(sorted(_links(fresh, own, frozenset(heard) & view.members.keys())))
    paths = ways_of(links)
    return Topology(
        membership.mesh,
        membership.title,
        own,
        now,
        tuple(
            _peer_standing(member, own, heard, by_name.get(name), paths)
            for name, member in view.members.items()
        ),
        links,
        _relays(links, fresh),
        tuple(sorted({member.name for member in view.left} - view.members.keys())),
        refused,
    )


def read_topology(path: Path) -> Topology | None:
    """Read what a peer wrote last; None where there is nothing.

    Raises
    ------
    MembershipError
        It can't be read.
    """
    try:
        found = json.loads(read_regular(path))
        return Topology(
            **{
                **found,
                "peers": tuple(
                    PeerStanding(**{**one, "addresses": tuple(one["addresses"])})
                    for one in found["peers"]
                ),
                "links": tuple((one, other) for one, other in found["links"]),
                "relays": tuple(Relay(**one) for one in found["relays"]),
                "left": tuple(found["left"]),
                "refused": tuple(found["refused"]),
            }
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MembershipError(f"{path} can't be read: {error!r:.200}") from error


def _links(
    fresh: Mapping[str, PeerCard], own: str, connected: frozenset[str]
) -> set[tuple[str, str]]:
    """Name who is whose neighbour: of this peer it knows, of two others both have to say so."""
    links = {_pair(own, name) for name in connected if name != own}
    said = {name: frozenset(card.neighbours) for name, card in fresh.items() if name != own}
    for one, others in said.items():
        links |= {_pair(one, other) for other in others if one in said.get(other, ())}
    return {(one, other) for one, other in links if one != other}


def _peer_standing(
    member: MeshMember,
    own: str,
    heard: Mapping[str, float],
    card: PeerCard | None,
    paths: Ways,
) -> PeerStanding:
    times = [heard.get(member.name), card.at if card is not None else None]
    way = paths.get((own, member.name), ())
    state: PeerState = "away"
    if member.name == own:
        state = "own"
    elif way:
        state = "neighbour" if len(way) == 2 else "relayed"
    return PeerStanding(
        member.name,
        public_key(member.key).fingerprint,
        state,
        way[-2] if state == "relayed" else "",
        card.addresses if card is not None else (),
        max((at for at in times if at is not None), default=None),
        member.invited_by,
        member.joined_at,
    )


def _relays(links: tuple[tuple[str, str], ...], fresh: Mapping[str, PeerCard]) -> tuple[Relay, ...]:
    ways = relays_of(links, MOST_RELAYS)
    seen = {
        (relay, *_pair(sender, receiver))
        for relay, card in fresh.items()
        for sender, receiver in card.relayed
    }
    found = [Relay(*one, seen=one in seen) for one in ways | seen]
    return tuple(sorted(found, key=lambda one: (one.relay, one.one, one.other))[:MOST_RELAYS])


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)

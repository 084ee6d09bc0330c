"""What a peer signs of itself again and again: where it is reached, and whom it hears.

From the cards of all follows who is whose neighbour. Of each peer only the newest counts; which one
that is, all agree on, in whatever order cards come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from glean.errors import CertificateError
from glean.mesh.member_keys import signature_fits
from glean.mesh.membership import CLOCK_ERROR_S, Membership, SeenHead
from glean.mesh.membership_entry import MembershipError, canonical
from glean.privacy.members import folder_name
from glean.privacy.peer_identity import PeerIdentity

MOST_ADDRESSES, MOST_NEIGHBOURS, MOST_RELAYED = 8, 200, 200

_DOMAIN = b"glean: a peer of a mesh says where it is 1\n"
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.%\w]{2,60}\]):\d{1,5}")
_ID_DIGITS = 64
_LATEST_MS = 2**50


@dataclass(frozen=True)
class PeerCard:
    """Where a peer is, and whom it hears.

    Parameters
    ----------
    mesh : str
        Id of the mesh.
    entry : str
        Id of the entry by which the peer belongs to it.
    at_ms : int
        When it was signed, ms since 1970; no two of a peer have the same.
    head : str
        Id of the last entry that the peer had made then.
    addresses : tuple of str
        HOST:PORT, where it listens.
    neighbours : tuple of str
        Names of the peers that it hears directly.
    relayed : tuple of (str, str)
        From whom to whom it passed messages on lately, by name.
    signature : str
        By the peer's key, hexadecimal.
    """

    mesh: str
    entry: str
    at_ms: int
    head: str
    addresses: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()
    relayed: tuple[tuple[str, str], ...] = ()
    signature: str = ""

    @cached_property
    def statement(self) -> bytes:
        """What is signed."""
        content = asdict(self)
        del content["signature"]
        return _DOMAIN + canonical(content)

    @property
    def at(self) -> float:
        """When it was signed, s since 1970."""
        return self.at_ms / 1000

    def content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)

    def signed(self, signer: PeerIdentity) -> PeerCard:
        """Sign it."""
        return replace(self, signature=signer.sign(self.statement).hex())


def read_card(content: Any) -> PeerCard:
    """Read a card as another peer sent it.

    Raises
    ------
    MembershipError
        It isn't one.
    """
    names = {item.name for item in fields(PeerCard)}
    if not isinstance(content, dict) or set(content) != names:
        raise MembershipError(f"a peer's card: found {content!r:.80}; wanted {sorted(names)}")
    for name in ("mesh", "entry", "head", "signature"):
        value, count = content[name], None if name == "signature" else _ID_DIGITS
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{1,2048}", value):
            raise _wrong(name, value)
        if count is not None and len(value) != count:
            raise _wrong(name, value)
    if type(content["at_ms"]) is not int or not 0 <= content["at_ms"] < _LATEST_MS:
        raise _wrong("at_ms", content["at_ms"])
    return PeerCard(
        **{name: content[name] for name in ("mesh", "entry", "head", "signature", "at_ms")},
        addresses=tuple(map(check_address, _listed(content, "addresses", MOST_ADDRESSES))),
        neighbours=tuple(map(_name, _listed(content, "neighbours", MOST_NEIGHBOURS))),
        relayed=tuple(map(_pair, _listed(content, "relayed", MOST_RELAYED))),
    )


def check_address(address: Any) -> str:
    """Give an address that can be one.

    Raises
    ------
    MembershipError
        It can't.
    """
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise MembershipError(f"address: found {address!r:.80}; wanted HOST:PORT")
    if not 0 < int(address.rpartition(":")[2]) < 2**16:
        raise MembershipError(f"address: found {address!r:.80}; wanted a port of 1 to 65535")
    return address


@dataclass(frozen=True)
class PeerCards:
    """The newest card of each peer.

    Parameters
    ----------
    cards : mapping
        By the entries by which peers belong to the mesh.
    """

    cards: Mapping[str, PeerCard]

    def merged(self, others: Iterable[PeerCard]) -> PeerCards:
        """Keep of each peer the newest; of two of the same time that which sorts first."""
        found = dict(self.cards)
        for card in others:
            known = found.get(card.entry)
            if known is None or _newer(card, known):
                found[card.entry] = card
        return PeerCards(found)

    def offered(
        self, membership: Membership, cards: Iterable[PeerCard], *, now: float
    ) -> tuple[PeerCards, list[str]]:
        """Take cards that members signed; of others say what is wrong.

        Parameters
        ----------
        membership : Membership
            Who belongs to the mesh.
        cards : iterable of PeerCard
            As somebody sent them.
        now : float
            The time, s since 1970.
        """
        by_entry = {member.entry: member for member in membership.view.members.values()}
        good, refused = [], []
        for card in cards:
            member = by_entry.get(card.entry)
            known = self.cards.get(card.entry)
            if known is not None and not _newer(card, known):
                continue
            if member is None or card.mesh != membership.mesh:
                refused.append(f"a peer's card: {card.entry[:16]}… isn't a member's")
            elif card.at > now + CLOCK_ERROR_S:
                refused.append(f"card of {member.name!r}: dated {card.at - now:.0f} s from now")
            elif not signature_fits(member.key, card.statement, card.signature):
                refused.append(f"card of {member.name!r}: forged: its key didn't sign it")
            else:
                good.append(card)
        return self.merged(good), refused

    def heads(self) -> dict[str, SeenHead]:
        """Say by author which entry was its last one, and when."""
        return {key: SeenHead(card.head, int(card.at)) for key, card in self.cards.items()}


def _newer(card: PeerCard, known: PeerCard) -> bool:
    if card.at_ms != known.at_ms:
        return card.at_ms > known.at_ms
    return (card.statement, card.signature) < (known.statement, known.signature)


def _listed(content: dict[str, Any], name: str, most: int) -> list[Any]:
    value = content[name]
    if not isinstance(value, list | tuple) or len(value) > most:
        raise _wrong(name, value)
    return list(value)


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("neighbours", value)
    try:
        folder_name(value)
    except CertificateError as error:
        raise MembershipError(f"a peer's card: {error}") from error
    return value


def _pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong("relayed", value)
    return _name(value[0]), _name(value[1])


def _wrong(name: str, value: object) -> MembershipError:
    return MembershipError(f"a peer's card: {name}: found {value!r:.80}, which can't be")

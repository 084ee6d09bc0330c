"""A bakery leaves its federation: it stops, tells the server, and keeps its home."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glean.errors import FederationError
from glean.federation.node.member_client import MemberClient
from glean.operations.joining.joined_home import JoinedHome
from glean.operations.joining.supervision import stop_supervisor
from glean.operations.joining.user_service import UserService
from glean.privacy.request_signature import RequestSigner
from glean.regular_files import read_regular


@dataclass(frozen=True)
class Departure:
    """What came of leaving.

    Parameters
    ----------
    was_service : bool
        Whether a service was ended and removed.
    was_running : bool
        Whether a process was ended.
    objection : str
        Why the server couldn't be told; "" where it was.
    """

    was_service: bool
    was_running: bool
    objection: str


def leave(home: JoinedHome, service: UserService) -> Departure:
    """Leave: nothing in the home is removed, and plans go on being made from it.

    Raises
    ------
    GleanError
        The home isn't that of a bakery that joined, or its processes can't be ended.
    """
    facts = home.facts()
    was_service = service.stop()
    was_running = stop_supervisor(home)
    home.note(replace(facts, left=True))
    signer = RequestSigner(read_regular(home.signing_key))
    objection = ""
    try:
        with MemberClient(facts.address, read_regular(home.authority), signer) as client:
            client.leave()
    except FederationError as error:
        objection = str(error)
    return Departure(was_service, was_running, objection)

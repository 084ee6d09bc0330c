"""What a federation says of itself to those that it invites: its name, address and authority."""

from __future__ import annotations

import json
from dataclasses import dataclass

from glean.errors import CertificateError
from glean.federation_folder import FederationFolder

_AUTHORITY_BYTES = 32


@dataclass(frozen=True)
class FederationFacts:
    """What invitations and answers to them hold.

    Parameters
    ----------
    name : str
        How it is called: the name or address by which bakeries reach it.
    address : str
        HOST:PORT, as bakeries reach it.
    authority : bytes
        SHA-256 of the authority's certificate in DER.
    """

    name: str
    address: str
    authority: bytes


def read_facts(folder: FederationFolder) -> FederationFacts:
    """Read what the service has written down of its federation.

    Raises
    ------
    CertificateError
        There is none, or the file isn't as it was written.
    """
    try:
        found = json.loads(folder.facts.read_bytes())
        facts = FederationFacts(
            str(found["name"]), str(found["address"]), bytes.fromhex(found["authority"])
        )
    except FileNotFoundError:
        raise CertificateError(
            f"found no federation in {folder.path}; wanted one that `glean serve --public NAME` "
            "has begun, with the same --results"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CertificateError(
            f"{folder.facts} can't be read ({error!s:.80}); start `glean serve --public NAME` "
            "anew, which writes it"
        ) from error
    if len(facts.authority) != _AUTHORITY_BYTES:
        raise CertificateError(f"{folder.facts}: found no SHA-256 under authority")
    return facts

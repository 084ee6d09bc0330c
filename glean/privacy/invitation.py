"""An invitation: what a bakery needs to find its federation's server, know it, and be let in once.

It travels as a link. What is secret stands in the link's fragment, which no browser sends to a
server and no messenger's preview asks for.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from glean.errors import CertificateError

SECRET_BYTES = 16
"""128 bits: nobody guesses one."""

PATH = "/join"

_AUTHORITY_BYTES = 32
_VERSION = "1"
_LINK = re.compile(r"https://(?P<address>[^/#?@\s]+)/join#(?P<version>\d+)\.(?P<code>[\w-]+)")
_STORED = b"glean: the secret of an invitation 1\n"
_WANTED = "wanted the whole link as the operator sent it, like https://HOST:PORT/join#1.…"


class InvitationError(CertificateError):
    """A text isn't an invitation."""


@dataclass(frozen=True, repr=False)
class Invitation:
    """What an invitation holds.

    Parameters
    ----------
    address : str
        HOST:PORT of the server, as bakeries reach it.
    authority : bytes
        SHA-256 of the authority's certificate in DER, 32 bytes: by it the server is known.
    secret : bytes
        Lets one bakery in, once; 16 bytes.
    """

    address: str
    authority: bytes
    secret: bytes

    @property
    def link(self) -> str:
        """What is sent, shown as a QR, or typed."""
        code = urlsafe_b64encode(self.authority + self.secret).decode("ascii").rstrip("=")
        return f"https://{self.address}{PATH}#{_VERSION}.{code}"

    @property
    def secret_hash(self) -> str:
        """What the operator's side keeps of it."""
        return secret_hash(self.secret)


def new_invitation(address: str, authority: bytes) -> Invitation:
    """Make an invitation with a new secret.

    Parameters
    ----------
    address : str
        HOST:PORT of the server.
    authority : bytes
        SHA-256 of the authority's certificate in DER.
    """
    return Invitation(address, authority, secrets.token_bytes(SECRET_BYTES))


def read_invitation(text: str) -> Invitation:
    """Read a link; spaces and line ends that a mail put in don't matter.

    Raises
    ------
    InvitationError
        It isn't one.
    """
    found = _LINK.fullmatch("".join(text.split()).strip("<>'\"\u2018\u2019\u201c\u201d"))
    if found is None:
        raise InvitationError(f"the invitation: found {text.strip()[:40]!r}; {_WANTED}")
    if found["version"] != _VERSION:
        raise InvitationError(
            "the invitation is of another version of Glean; wanted one that the operator makes "
            "with the version that is installed here"
        )
    code = found["code"]
    try:
        content = urlsafe_b64decode(code + "=" * (-len(code) % 4))
    except (binascii.Error, ValueError):
        content = b""
    if len(content) != _AUTHORITY_BYTES + SECRET_BYTES:
        raise InvitationError(f"the invitation is cut off or changed; {_WANTED}")
    return Invitation(
        _with_port(found["address"]), content[:_AUTHORITY_BYTES], content[_AUTHORITY_BYTES:]
    )


def secret_hash(secret: bytes) -> str:
    """Hash a secret for keeping: SHA-256 is enough where the secret has 128 random bits."""
    return hashlib.sha256(_STORED + secret).hexdigest()


def _with_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and host and (":" not in host or host.endswith("]")):
        return address
    return f"{address}:443"

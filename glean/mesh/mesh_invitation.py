"""An invitation into a mesh: where a member listens, by which key it is known, and a secret.

It travels as a link or a QR code. Whoever has it may join once, under the name that it holds, until
it expires; what is secret stands in the link's fragment.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from glean.errors import CertificateError
from glean.mesh.membership_entry import MembershipError
from glean.mesh.peer_card import check_address
from glean.privacy.members import folder_name
from glean.privacy.peer_identity import PeerKey

SECRET_BYTES = 16
"""128 bits: nobody guesses one."""

_ID_BYTES, _FINGERPRINT_BYTES, _TIME_BYTES = 32, 16, 5
_VERSION = "1"
_LINK = re.compile(r"glean-mesh://(?P<address>[^/#?@\s]+)/join#(?P<version>\d+)\.(?P<code>[\w-]+)")
_STORED = b"glean: the secret of an invitation into a mesh 1\n"
_WANTED = "wanted the whole link as the member sent it, like glean-mesh://HOST:PORT/join#1.…"


@dataclass(frozen=True, repr=False)
class MeshInvitation:
    """What an invitation holds.

    Parameters
    ----------
    address : str
        HOST:PORT of the member that invites.
    mesh : str
        Id of the mesh, hexadecimal.
    inviter : str
        Fingerprint of the member's signing key: by it the member is known.
    secret : bytes
        Lets one bakery in, once.
    expires_at : int
        Until when, s since 1970.
    name : str
        The bakery's name in the mesh.
    """

    address: str
    mesh: str
    inviter: str
    secret: bytes
    expires_at: int
    name: str

    @property
    def link(self) -> str:
        """What is sent, shown as a QR, or typed."""
        content = (
            bytes.fromhex(self.mesh)
            + bytes.fromhex(self.inviter)  # spaces between its groups don't matter
            + self.secret
            + self.expires_at.to_bytes(_TIME_BYTES, "big")
            + self.name.encode()
        )
        code = urlsafe_b64encode(content).decode("ascii").rstrip("=")
        return f"glean-mesh://{self.address}/join#{_VERSION}.{code}"

    @property
    def secret_hash(self) -> str:
        """What the mesh gets to know of the secret."""
        return secret_hash(self.secret)


def new_mesh_invitation(
    address: str, mesh: str, inviter: PeerKey, name: str, *, expires_at: int
) -> MeshInvitation:
    """Make an invitation with a new secret.

    Raises
    ------
    CertificateError
        The name can't be used.
    MembershipError
        The address can't be one.
    """
    folder_name(name)
    secret = secrets.token_bytes(SECRET_BYTES)
    return MeshInvitation(
        check_address(address), mesh, inviter.fingerprint, secret, expires_at, name
    )


def read_mesh_invitation(text: str) -> MeshInvitation:
    """Read a link; spaces and line ends that a mail put in don't matter.

    Raises
    ------
    MembershipError
        It isn't one.
    """
    found = _LINK.fullmatch("".join(text.split()).strip("<>'\"\u2018\u2019\u201c\u201d"))
    if found is None:
        raise MembershipError(f"the invitation: found {text.strip()[:40]!r}; {_WANTED}")
    if found["version"] != _VERSION:
        raise MembershipError(
            "the invitation is of another version of Glean; wanted one that the member makes with "
            "the version that is installed here"
        )
    cut_off = MembershipError(f"the invitation is cut off or changed; {_WANTED}")
    code = found["code"]
    try:
        content = urlsafe_b64decode(code + "=" * (-len(code) % 4))
        known = _ID_BYTES + _FINGERPRINT_BYTES
        ends = (_ID_BYTES, known, known + SECRET_BYTES)
        fixed = ends[2] + _TIME_BYTES
        name = content[fixed:].decode()
        folder_name(name)
        address = check_address(found["address"])
    except (binascii.Error, ValueError, CertificateError, MembershipError) as error:
        raise cut_off from error
    return MeshInvitation(
        address,
        content[: ends[0]].hex(),
        _grouped(content[ends[0] : ends[1]].hex()),
        content[ends[1] : ends[2]],
        int.from_bytes(content[ends[2] : fixed], "big"),
        name,
    )


def secret_hash(secret: bytes) -> str:
    """Hash a secret for keeping: SHA-256 is enough where the secret has 128 random bits."""
    return hashlib.sha256(_STORED + secret).hexdigest()


def _grouped(digits: str) -> str:
    """Write a fingerprint as people compare it."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))

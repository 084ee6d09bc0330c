"""The operator's list of members, where the server was given one: who proves a name and a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from glean.errors import SettingsError
from glean.privacy.mask_keys import KeyAdvertisement
from glean.privacy.members import Member, read_members
from glean.privacy.signing import claim_fits
from glean.regular_files import read_regular

VARIABLE = "GLEAN_MEMBERS"
"""Environment variable of the ServerApp: path of `members.json`."""


class MemberList:
    """Checks what members sign.

    Parameters
    ----------
    read : callable
        Reads the list. Once more for each name that isn't known and each proof that doesn't fit:
        who joins, or has new keys, while a run goes on is let in.
    """

    def __init__(self, read: Callable[[], Mapping[str, Member]]) -> None:
        self._read = read
        self._members = read()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> MemberList | None:
        """Read the list that the environment names; None where it names none.

        Raises
        ------
        SettingsError, CertificateError
            It can't be read.
        """
        path = environment.get(VARIABLE)
        if not path:
            return None
        return cls(lambda: _read(Path(path).expanduser()))

    def objection(self, bakery: str, proof: str, challenge: str) -> str:
        """Say why a node isn't let in under a name; "" where it proves that it is its own.

        Raises
        ------
        SecureSumError
            The list has no key for it that can be read.
        """
        objection = self._known_objection(bakery, proof, challenge)
        if objection:
            self._members = self._read()
            objection = self._known_objection(bakery, proof, challenge)
        return objection

    def _known_objection(self, bakery: str, proof: str, challenge: str) -> str:
        member = self._members.get(bakery)
        if member is None:
            return "it isn't in the server's members.json"
        if not claim_fits(proof, member, challenge):
            return "it doesn't prove that this is its name (node config signing-key)"
        return ""

    def check(self, advertisement: KeyAdvertisement, *, epoch: str) -> None:
        """Refuse a key for sums that isn't signed as all others will want it.

        Raises
        ------
        SecureSumError
            It isn't.
        """
        member = self._members.get(advertisement.bakery)
        if member is not None:
            advertisement.verify(member, epoch=epoch)


def _read(path: Path) -> dict[str, Member]:
    try:
        listed = read_members(read_regular(path))
    except OSError as error:
        raise SettingsError(
            f"the environment variable {VARIABLE}: {path} can't be read ({error.strerror}); "
            "wanted members.json, as `glean certificates` made it"
        ) from error
    return {member.bakery: member for member in listed}

"""The page's certificate on the shop's network: the home's own root, and what it vouches for."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

from glean.errors import CertificateError
from glean.privacy.certificates import (
    Authority,
    belong_together,
    general_name,
    read_server_certificate,
)
from glean.privacy.key_files import CLOSED_FOLDER, write_new

ROOT_NAME = "Glean, the bakery's own page"
WITHIN = (
    "localhost", "local", "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
    "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""What the root may vouch for besides the hosts of its first day: private networks (RFC 1918, 6598,
3927, 4193), this machine, and names below `.local`. A phone trusts it, so it must reach no further.
"""

RENEW_DAYS = 60
"""Days before its end at which a certificate is made anew; the root stays."""


class HomeCertificate:
    """The files of a home's root and of its page.

    Parameters
    ----------
    folder : Path
        Where they lie; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "ca.crt"
        self._root_key = folder / "ca.key"
        self.certificate = folder / "server.pem"
        self.private_key = folder / "server.key"

    def vouch_for(self, hosts: Sequence[str], today: dt.date) -> None:
        """Make what is missing, and the page's certificate anew where it doesn't do any more.

        A host that the root may not vouch for, like a new name of the computer, is left out.

        Parameters
        ----------
        hosts : sequence of str
            Names and addresses by which the page is reached.
        today : date
            By the shop's clock.

        Raises
        ------
        CertificateError
            The files aren't what they were, or can't be written.
        """
        try:
            self.root.parent.mkdir(mode=CLOSED_FOLDER, parents=True, exist_ok=True)
            authority = self._authority(hosts)
            wanted = [host for host in hosts if authority.may_vouch_for(host)]
            if self._does(wanted, today):
                return
            certificate, key = authority.certify_server(wanted)
            # Cut off between the two, they don't belong together, and are made anew.
            self._replace(self.private_key, key)
            self._replace(self.certificate, certificate)
        except OSError as error:
            raise CertificateError(
                f"{self.root.parent} can't be used for certificates: {error.strerror or error}"
            ) from error

    def _authority(self, hosts: Sequence[str]) -> Authority:
        if self.root.exists() and self._root_key.exists():
            known = Authority.load(
                certificate=self.root.read_bytes(), key=self._root_key.read_bytes()
            )
            if known.within:
                return known
        exact = [str(general_name(host).value) for host in hosts]
        authority = Authority.create(ROOT_NAME, within=dict.fromkeys([*WITHIN, *exact]))
        # Cut off at any moment a half is left at most, which is made anew.
        for path in (self.root, self.certificate):
            path.unlink(missing_ok=True)
        self._replace(self._root_key, authority.key_pem)
        self._replace(self.root, authority.certificate_pem)
        return authority

    def _replace(self, path: Path, content: bytes) -> None:
        """Write a file aside, then put it in its place as a whole."""
        aside = path.parent / "fresh"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=CLOSED_FOLDER)
        write_new(aside / path.name, content)
        (aside / path.name).replace(path)
        aside.rmdir()

    def _does(self, hosts: Sequence[str], today: dt.date) -> bool:
        if not (self.certificate.exists() and self.private_key.exists()):
            return False
        certificate = self.certificate.read_bytes()
        if not belong_together(certificate, self.private_key.read_bytes()):
            return False
        known = read_server_certificate(certificate)
        return set(hosts) <= set(known.hosts) and (known.until - today).days > RENEW_DAYS

"""The page's certificate on the shop's network: the home's own root, and what it vouches for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from glean.errors import CertificateError
from glean.privacy.certificates import Authority, read_server_certificate
from glean.privacy.key_files import CLOSED_FOLDER, write_new

ROOT_NAME = "Glean, the bakery's own page"
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
            authority = self._authority()
            if self._does(hosts, today):
                return
            certificate, key = authority.certify_server(hosts)
            for path, content in ((self.certificate, certificate), (self.private_key, key)):
                path.unlink(missing_ok=True)
                write_new(path, content)
        except OSError as error:
            raise CertificateError(
                f"{self.root.parent} can't be used for certificates: {error.strerror or error}"
            ) from error

    def _authority(self) -> Authority:
        if self.root.exists() and self._root_key.exists():
            return Authority.load(
                certificate=self.root.read_bytes(), key=self._root_key.read_bytes()
            )
        authority = Authority.create(ROOT_NAME)
        # A kill between the two leaves a half, which is made anew with the other one.
        for path, content in (
            (self._root_key, authority.key_pem),
            (self.root, authority.certificate_pem),
            (self.certificate, b""),
        ):
            path.unlink(missing_ok=True)
            if content:
                write_new(path, content)
        return authority

    def _does(self, hosts: Sequence[str], today: dt.date) -> bool:
        if not (self.certificate.exists() and self.private_key.exists()):
            return False
        known = read_server_certificate(self.certificate.read_bytes())
        return set(hosts) <= set(known.hosts) and (known.until - today).days > RENEW_DAYS

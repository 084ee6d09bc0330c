"""Where alerts may go: to addresses that the operator listed, and to nothing private behind a name.

A name on the internet can be made to lead to a machine of this network. So a listed name must lead
to public addresses, whenever it is used; a private address itself may be listed.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from glean.errors import FederationError, SettingsError

_PORTS = {"http": 80, "https": 443}
_WANTED = "wanted one like https://example.org/alerts"


@dataclass(frozen=True)
class WebhookAddress:
    """An address that alerts are sent to.

    Parameters
    ----------
    url : str
        As it was listed.
    scheme, host, path : str
        Its parts; the path with what follows it.
    port : int
        Where it listens.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address.

        Raises
        ------
        SettingsError
            It is none, or would send alerts in the clear over the internet.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"--webhook: found {url!r} ({error}); {_WANTED}") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.username or not url.isascii():
            raise SettingsError(f"--webhook: found {url!r}; {_WANTED}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found = cls(url, parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)
        if parts.scheme == "http" and not found.is_listed_as_private:
            raise SettingsError(f"--webhook: found {url!r}, in the clear; {_WANTED}")
        return found

    @property
    def is_listed_as_private(self) -> bool:
        """Whether it was listed by a private address itself."""
        if self.host == "localhost":
            return True
        try:
            return not ipaddress.ip_address(self.host).is_global
        except ValueError:
            return False

    def resolve(self) -> str:
        """Give the network address to connect to.

        Raises
        ------
        FederationError
            There is none, or a name leads to a private one.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise FederationError(f"{self.host} isn't found: {error}") from error
        addresses = [str(item[4][0]) for item in found]
        if not self.is_listed_as_private:
            private = [one for one in addresses if not ipaddress.ip_address(one).is_global]
            if private:
                raise FederationError(
                    f"{self.host} leads to the private address {private[0]}: list that address "
                    "itself if it is meant"
                )
        return addresses[0]

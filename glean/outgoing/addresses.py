"""Where requests may go: to addresses that a person listed, and to nothing private behind a name.

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


@dataclass(frozen=True)
class OutgoingAddress:
    """An address that something is sent to or read from.

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
    def parse(cls, url: str, *, listed_as: str, like: str) -> Self:
        """Read an address.

        Parameters
        ----------
        url : str
            As it was listed.
        listed_as : str
            Where, like "--webhook", for the words of a refusal.
        like : str
            An address as it is wanted.

        Raises
        ------
        SettingsError
            It is none, or would go over the internet in the clear.
        """
        wanted = f"wanted one like {like}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{listed_as}: found {url!r} ({error}); {wanted}") from None
        if parts.scheme not in _PORTS or not parts.hostname or parts.username or not url.isascii():
            raise SettingsError(f"{listed_as}: found {url!r}; {wanted}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        found = cls(url, parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path)
        if parts.scheme == "http" and not found.is_listed_as_private:
            raise SettingsError(f"{listed_as}: found {url!r}, in the clear; {wanted}")
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

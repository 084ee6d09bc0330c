"""By which name and port bakeries reach a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from glean.errors import CertificateError, SettingsError
from glean.privacy.certificates import general_name


@dataclass(frozen=True)
class PublicName:
    """A name as bakeries type it.

    Parameters
    ----------
    host : str
        A DNS name or an address.
    port : int or None
        The port by which they come; None where it is the one that the service listens at.
    """

    host: str
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read NAME or NAME:PORT; an address of version 6 with a port has brackets.

        Raises
        ------
        SettingsError
            It is neither.
        """
        host, port = text, ""
        if text.startswith("["):
            host, _, port = text[1:].partition("]")
            port = port.removeprefix(":")
        elif text.count(":") == 1:
            host, port = text.split(":")
        try:
            general_name(host)
            number = int(port) if port else None
        except (CertificateError, ValueError):
            number = 0
        if number is not None and not 0 < number < 65536:
            raise SettingsError(
                f"--public: found {text!r}; wanted the name or address by which bakeries reach "
                "this machine, like glean.example.org or 192.0.2.7, or with a port, like "
                "glean.example.org:443"
            )
        return cls(host.lower(), number)

    @property
    def wildcard(self) -> str:
        """The address to listen at, by default all of this machine's."""
        return "::" if ":" in self.host else "0.0.0.0"  # noqa: S104 # nosec B104 # asked for

    def address(self, listening: int) -> str:
        """HOST:PORT of a service that listens at a port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port or listening}"

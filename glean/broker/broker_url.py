"""Where a broker is: an AMQP URL, whose password is told to nobody but the broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from glean.errors import SettingsError

VARIABLE = "GLEAN_BROKER"
"""Has the URL too: others on the machine see the words of a command, but not its environment."""

_SCHEMES = ("amqp", "amqps")
_WANTED = f"wanted amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://..., by --broker or {VARIABLE}"


@dataclass(frozen=True)
class BrokerUrl:
    """Address of a RabbitMQ, checked.

    Parameters
    ----------
    text : str
        Like "amqp://glean:secret@queue.example:5672/"; hidden wherever the value is shown.

    Raises
    ------
    SettingsError
        It's no such address.

    Examples
    --------
    >>> str(BrokerUrl("amqp://glean:secret@queue.example/shops"))
    'amqp://glean:***@queue.example/shops'
    """

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            # Not as the cause either: what couldn't be read may be the password.
            raise _unreadable() from None
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":
            raise _unreadable()  # a password with a "/" in it that isn't escaped
        if parts.scheme not in _SCHEMES:
            found = repr(parts.scheme) if parts.scheme else "no scheme"
            raise SettingsError(f"broker: found {found}; {_WANTED}")
        if not host:
            raise SettingsError(f"broker: found no host in {self}; {_WANTED}")

    def __str__(self) -> str:
        """Give it without its password and options."""
        return _shown(urlsplit(self.text))


def _shown(parts: SplitResult) -> str:
    who, at, where = parts.netloc.rpartition("@")
    name, colon, _ = who.partition(":")
    hidden = f"{name}:***" if colon else name
    return f"{parts.scheme}://{hidden}{at}{where}{parts.path}"


def _unreadable() -> SettingsError:
    return SettingsError(f"broker: found an address that can't be read; {_WANTED}")

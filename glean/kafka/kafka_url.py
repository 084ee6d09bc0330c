"""Where a federation's topics are: brokers and the federation's name in one address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from glean.errors import SettingsError

PLAIN, TLS, SASL = "kafka", "kafka+ssl", "kafka+sasl"
SCHEMES = (PLAIN, TLS, SASL)
DEFAULT_FEDERATION = "bakeries"

_WANTED = (
    "wanted kafka://HOST:PORT[,HOST:PORT]/FEDERATION, kafka+ssl://... or kafka+sasl://USER@..., "
    "with small letters, digits and hyphens for FEDERATION"
)
_PORT = 9092
_FEDERATION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SERVER = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")


@dataclass(frozen=True)
class KafkaUrl:
    """Address of a federation on a Kafka.

    Parameters
    ----------
    servers : tuple of str
        Brokers to begin with, each HOST:PORT.
    federation : str
        Its name, which is in those of its topics.
    tls, sasl : bool
        Whether connections are encrypted; whether a user and a password are asked for.
    user : str
        The user's name; "" without.
    password : str
        Shown nowhere; "" where it comes from the environment.

    Examples
    --------
    >>> url = KafkaUrl.read("kafka+sasl://glean:secret@one.example,two.example:9093/north")
    >>> str(url)
    'kafka+sasl://glean@one.example:9092,two.example:9093/north'
    """

    servers: tuple[str, ...]
    federation: str
    tls: bool = False
    sasl: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read an address.

        Raises
        ------
        SettingsError
            It is none.
        """
        scheme, _, rest = text.partition("://")
        if scheme not in SCHEMES or not rest:
            found = repr(scheme) if rest else "no scheme"
            raise SettingsError(f"Kafka: found {found}; {_WANTED}")
        try:
            parts = urlsplit(f"kafka://{rest}")
        except ValueError:
            raise _unreadable() from None  # not as the cause either: it may have the password
        if "@" in f"{parts.path}{parts.query}{parts.fragment}" or parts.query or parts.fragment:
            raise _unreadable()
        who, _, where = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        if who and scheme != SASL:
            raise SettingsError(f"Kafka: found a user in an address of {scheme}://; {_WANTED}")
        return cls(
            tuple(_server(server) for server in where.split(",")),
            _federation(parts.path.strip("/") or DEFAULT_FEDERATION),
            scheme != PLAIN,
            scheme == SASL,
            unquote(user),
            unquote(password),
        )

    def __str__(self) -> str:
        """Give it without its password."""
        scheme = SASL if self.sasl else TLS if self.tls else PLAIN
        who = f"{self.user}@" if self.user else ""
        return f"{scheme}://{who}{','.join(self.servers)}/{self.federation}"


def is_kafka(text: str) -> bool:
    """Whether a text means an address of a Kafka, right or wrong."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def _server(text: str) -> str:
    match = _SERVER.fullmatch(text)
    if match is None or not 0 < int(match[2] or _PORT) < 2**16:
        raise SettingsError(f"Kafka: found {text!r:.80} for a broker; {_WANTED}")
    return f"{match[1]}:{match[2] or _PORT}"


def _federation(text: str) -> str:
    if _FEDERATION.fullmatch(text) is None:
        raise SettingsError(f"Kafka: found {text!r:.80} for the federation; {_WANTED}")
    return text


def _unreadable() -> SettingsError:
    return SettingsError(f"Kafka: found an address that can't be read; {_WANTED}")

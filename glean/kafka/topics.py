"""Names of a federation's topics, so that rights can be given by one prefix, and who is where."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from glean.errors import SettingsError

PREFIX = "glean"
PARTITIONS = 8
"""Of topics that are made here, for models and updates; one that is there keeps what it has."""

RETENTION_MS = 24 * 3600 * 1000
"""What the broker keeps for longer nobody needs: outboxes keep what wasn't taken."""

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_SLUG = re.compile(r"[^a-zA-Z0-9_-]+")
_PERSON = b"glean partition"


@dataclass(frozen=True)
class Topics:
    """The five topics of a federation.

    Parameters
    ----------
    federation : str
        Its name.
    model, update : str
        Names of the topics of models and of updates, where they are others than usual.

    Raises
    ------
    SettingsError
        A topic can't be called so.

    Examples
    --------
    >>> Topics("north").models
    'glean.north.model'
    """

    federation: str
    model: str = ""
    update: str = ""

    def __post_init__(self) -> None:
        for name in self.all:
            if _NAME.fullmatch(name) is None or name in (".", ".."):
                raise SettingsError(
                    f"Kafka: found {name!r:.80} for a topic; wanted letters, digits, '.', '_' and "
                    "'-', at most 249"
                )
        if len(set(self.all)) < len(self.all):
            raise SettingsError(
                f"Kafka: found one name for two topics, of {', '.join(self.all)}; wanted five names"
            )

    @property
    def runs(self) -> str:
        """Announcements of runs; the server writes."""
        return self._named("runs")

    @property
    def models(self) -> str:
        """What clients are asked, with the model; the server writes."""
        return self.model or self._named("model")

    @property
    def updates(self) -> str:
        """What clients answer; clients write."""
        return self.update or self._named("updates")

    @property
    def heartbeats(self) -> str:
        """Heartbeats; clients write."""
        return self._named("presence")

    @property
    def dead_letters(self) -> str:
        """What was refused, and why; all write, nobody here reads."""
        return self._named("dead-letters")

    @property
    def all(self) -> tuple[str, ...]:
        """All five."""
        return self.runs, self.models, self.updates, self.heartbeats, self.dead_letters

    @property
    def partitions(self) -> dict[str, int]:
        """How many partitions each gets where it is made here."""
        split = (self.models, self.updates)
        return {name: PARTITIONS if name in split else 1 for name in self.all}

    def group(self, member: str) -> str:
        """Name under which a reader's places are kept; "" for the server."""
        return self._named(f"client.{slug(member)}" if member else "server")

    def _named(self, what: str) -> str:
        return f"{PREFIX}.{self.federation}.{what}"


def partition_of(member: str, count: int) -> int:
    """Give the partition of a member's messages, of so many; the same for who writes and who reads.

    Kafka's own choice by key differs between clients of different makes.
    """
    digest = hashlib.blake2b(member.encode(), digest_size=8, person=_PERSON).digest()
    return int.from_bytes(digest, "big") % count


def slug(member: str) -> str:
    """Give a member's name in letters that every tool takes, no two members the same."""
    digest = hashlib.blake2b(member.encode(), digest_size=4, person=_PERSON).hexdigest()
    return f"{_SLUG.sub('-', member).strip('-')[:60]}-{digest}"

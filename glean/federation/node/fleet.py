"""What a node needs of a SuperLink, in values of its own: heads of messages, and runs.

`flower_fleet.py` provides it over Flower's messages; tests bring one without a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flwr.app import Message

from glean.settings import ConfigValue


@dataclass(frozen=True)
class Head:
    """A message that the server has handed to this node, before its content is fetched.

    Parameters
    ----------
    node_id, run_id : int
        To whom it goes, and in which run.
    content : bytes
        The message without content, as it travelled.
    objects : tuple of str
        What its content is made of, by SHA-256; the message itself is the last.
    """

    node_id: int
    run_id: int
    content: bytes
    objects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """A reply as it travels.

    Parameters
    ----------
    node_id, run_id : int
        From whom it comes, and in which run.
    head : bytes
        The message without content.
    tree : bytes
        How the objects of its content belong together.
    objects : mapping of str to bytes
        These, by SHA-256.
    """

    node_id: int
    run_id: int
    head: bytes
    tree: bytes
    objects: Mapping[str, bytes]


@dataclass(frozen=True)
class RunFacts:
    """What the server says of a run.

    Parameters
    ----------
    run_id : int
        Its number.
    app, release : str
        Which app it runs, like "glean/glean", and in which version.
    overrides : mapping
        Run config that differs from the app's.
    """

    run_id: int
    app: str
    release: str
    overrides: Mapping[str, ConfigValue]


class Fleet(Protocol):
    """The SuperLink as a node sees it; every method may raise the errors of `server_errors`."""

    def activate(self) -> int:
        """Say that this node is here; its number."""

    def deactivate(self, node_id: int) -> None:
        """Say that it goes."""

    def heartbeat(self, node_id: int) -> bool:
        """Say that it is still here; whether the server knows it."""

    def pull(self, node_id: int) -> Head | None:
        """Take the next message, which the server hands out once."""

    def run_facts(self, node_id: int, run_id: int) -> RunFacts:
        """Ask which run this is."""

    def fetch(self, head: Head) -> Message:
        """Fetch a message's content, and say that it has come."""

    def bare(self, head: Head) -> Message:
        """Make the message without content, to answer it with an error."""

    def pack(self, reply: Message) -> Reply:
        """Make a reply ready to travel."""

    def send(self, reply: Reply, *, seconds: float, again: bool = False) -> None:
        """Send a reply that took so many seconds to make; again, where a kill cut that off."""

    def close(self) -> None:
        """Close the connection."""

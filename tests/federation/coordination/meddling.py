"""One bakery among three that answers otherwise than Glean does."""

from __future__ import annotations

from collections.abc import Callable

from flwr.app import Message

from tests.federations import Federation, Honest, Meddle

BAD = "bakery 1"


def only(kind: str, reply: Callable[[Message, Honest], Message], bakery: str = BAD) -> Meddle:
    """Answer in one bakery's place, and to one kind of question only."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        meant = name == bakery and message.metadata.message_type == kind
        return reply(message, honest) if meant else honest()

    return meddle


def run_through(federation: Federation) -> dict[str, str]:
    return federation.test(federation.run())

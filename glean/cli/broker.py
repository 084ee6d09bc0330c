"""The option that says where a broker is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glean.broker.broker_url import BrokerUrl

BrokerOption = Annotated[
    str,
    typer.Option(
        "--broker",
        metavar="URL",
        envvar="GLEAN_BROKER",
        help="A RabbitMQ (amqp://...) that hands runs to workers and events to whoever wants them.",
    ),
]


def broker_url(text: str) -> BrokerUrl | None:
    """Check the address of a broker; None where there is none.

    Raises
    ------
    SettingsError
        It's no such address.
    """
    from glean.broker.broker_url import BrokerUrl

    return BrokerUrl(text) if text else None

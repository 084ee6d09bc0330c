"""The addresses that alerts are sent to, as `glean serve --webhook` lists them."""

from __future__ import annotations

from glean.outgoing.addresses import OutgoingAddress


def webhook(url: str) -> OutgoingAddress:
    """Read an address that was listed for alerts.

    Raises
    ------
    SettingsError
        It is none, or would send alerts in the clear over the internet.
    """
    return OutgoingAddress.parse(url, listed_as="--webhook", like="https://example.org/alerts")

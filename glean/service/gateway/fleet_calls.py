"""What of Flower bakeries may ask for, call by call, and which headers go with it.

An exact list: a call is named by its method and its raw path, as it travelled. Registration is not
on it, since the service registers its members itself; of the SuperLink's Control and Runtime sides,
by which runs are started and code is sent, nothing is.
"""

from __future__ import annotations

METHOD = "POST"

NODE_CALLS = frozenset(
    f"/v1/fleet/{name}".encode()
    for name in (
        "activate-node",
        "confirm-message-received",
        "deactivate-node",
        "get-run",
        "pull-messages",
        "pull-object",
        "push-messages",
        "push-object",
        "send-node-heartbeat",
    )
)
"""Calls of a bakery's node."""

CODE_CALL = b"/v1/fleet/get-fab"
"""By this Flower's own SuperNode fetches the app; `glean node` doesn't."""

FLEET_CALLS = NODE_CALLS | {CODE_CALL}

CONTENT_TYPE = b"application/protobuf"

NODE_KEY_HEADER = "flwr-public-key"

_TO_FLOWER = frozenset(
    {
        b"content-type",
        b"accept",
        b"flwr-public-key",
        b"flwr-signature",
        b"flwr-timestamp",
        b"flwr-package-name",
        b"flwr-package-version",
        b"flwr-component-name",
    }
)
_FROM_FLOWER = frozenset({b"content-type", b"retry-after", b"flwr-version-incompatibility-message"})

Headers = list[tuple[bytes, bytes]]


def to_flower(headers: Headers) -> Headers:
    """Choose the headers of a request that Flower needs; their names are in small letters."""
    return [(name, value) for name, value in headers if name in _TO_FLOWER]


def from_flower(headers: Headers) -> Headers:
    """Choose the headers of an answer that a node needs."""
    return [(name.lower(), value) for name, value in headers if name.lower() in _FROM_FLOWER]


def of_batched_call(headers: Headers) -> Headers:
    """Give the headers of a call that came in a batch: its content is Flower's, as alone."""
    own = [(b"content-type", CONTENT_TYPE), (b"accept", CONTENT_TYPE)]
    return own + [(name, value) for name, value in headers if name.startswith(b"flwr-")]

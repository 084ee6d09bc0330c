"""Flower's fleet messages over HTTPS: all that is private in Flower and a node needs.

It stands in this file and in `flower_objects.py`. It is Flower's SuperNode without the part that
fetches an app from the server and starts it: no call here asks for code. `check_flower` compares
what is used with the installed version; `tests/federation/node/test_flower_fleet.py` runs it, and a
SuperLink against it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.constant import TIMESTAMP_HEADER
from flwr.common.serde import message_from_proto, message_to_proto, run_from_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import Message as WireMessage
from flwr.proto.message_pb2 import ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.date import now
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime_version_compatibility import RuntimeVersionMetadata
from flwr.supernode.fleet_http_client import FleetHttpClient

from glean.federation.node.call_batches import CallBatches
from glean.federation.node.fleet import Head, Reply, RunFacts
from glean.federation.node.flower_objects import (
    USED,
    BatchedCalls,
    ObjectTransfer,
    SingleCalls,
)
from glean.federation.node.flower_parts import check_parts
from glean.federation.node.member_auth import MemberAuth
from glean.federation.node.server_errors import MessageLostError, plain_errors
from glean.privacy.node_key import NodeKey

HEARTBEAT_S = 15.0
"""What the server is told: it takes a node for gone that wasn't heard of for twice as long."""

# fmt: off
_CALLS = (
    FleetHttpClient.ActivateNode, FleetHttpClient.DeactivateNode, FleetHttpClient.SendNodeHeartbeat,
    FleetHttpClient.PullMessages, FleetHttpClient.PushMessages, FleetHttpClient.GetRun,
    FleetHttpClient.PullObject, FleetHttpClient.PushObject, FleetHttpClient.ConfirmMessageReceived,
)
_USED: Mapping[Callable[..., Any], str] = {
    FleetHttpClient.from_server_address:
        "server_address insecure root_certificates interceptors retry_invoker",
    **dict.fromkeys(_CALLS, "self request"),
    remove_content_from_message: "message",
    message_from_proto: "message_proto",
    message_to_proto: "message",
    run_from_proto: "run_proto",
    get_all_nested_objects: "obj",
    get_object_tree: "obj",
    iterate_object_tree: "tree",
    no_object_id_recompute: "",
    inflate_object_from_contents: "object_id object_contents keep_object_contents objects",
}
# fmt: on


def check_flower() -> None:
    """Refuse a version of Flower whose inner parts aren't those that this file was written for.

    Raises
    ------
    FederationError
        Names the part, and what to install.
    """
    check_parts({**_USED, **USED})


class _Signing:
    """Signs the time of each request, by which the SuperLink knows the node.

    Where the server is Glean's own, the bakery signs the request itself too.
    """

    def __init__(self, key: NodeKey, member: MemberAuth | None) -> None:
        self._key = key
        self._member = member
        self._versions = dict(
            RuntimeVersionMetadata.from_local_component("SuperNode").as_metadata()
        )

    def headers(self) -> dict[str, str]:
        """Make the headers that say who asks, and with which Flower."""
        stamp = now().isoformat()
        return {
            **self._versions,
            FLEET_HTTP_PUBLIC_KEY_HEADER: b64encode(self._key.public).decode("ascii"),
            TIMESTAMP_HEADER: stamp,
            FLEET_HTTP_SIGNATURE_HEADER: b64encode(self._key.sign(stamp.encode())).decode(),
        }

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Add them."""
        context.request.headers.update(self.headers())
        if self._member is not None:
            self._member.sign(context.request)
        return call_next(context)


class FlowerFleet:
    """A SuperLink's fleet side, as `Fleet` has it.

    Parameters
    ----------
    address : str
        HOST:PORT.
    authority : Path
        Certificate by which the server is known.
    key : NodeKey
        By this the server knows the node.
    member : MemberAuth, optional
        By this Glean's own server knows each request; None at a plain SuperLink.
    """

    def __init__(
        self, address: str, authority: Path, key: NodeKey, member: MemberAuth | None = None
    ) -> None:
        self._address = address
        self._key = key
        signing = _Signing(key, member)
        self._client = FleetHttpClient.from_server_address(
            address, False, authority.read_bytes(), interceptors=[signing]
        )
        single = SingleCalls(self._client)
        self._batches: CallBatches | None = None
        self._objects: ObjectTransfer = single
        if member is not None:
            self._batches = CallBatches(
                address, authority, node_headers=signing.headers, member=member
            )
            self._objects = BatchedCalls(single, self._batches)

    def activate(self) -> int:
        """Say that this node is here; its number."""
        request = ActivateNodeRequest(public_key=self._key.public, heartbeat_interval=HEARTBEAT_S)
        with plain_errors(self._address):
            return int(self._client.ActivateNode(request).node_id)

    def deactivate(self, node_id: int) -> None:
        """Say that it goes."""
        with plain_errors(self._address):
            self._client.DeactivateNode(DeactivateNodeRequest(node_id=node_id))

    def heartbeat(self, node_id: int) -> bool:
        """Say that it is still here; whether the server knows it."""
        request = SendNodeHeartbeatRequest(
            node=Node(node_id=node_id), heartbeat_interval=HEARTBEAT_S
        )
        with plain_errors(self._address):
            return bool(self._client.SendNodeHeartbeat(request).success)

    def pull(self, node_id: int) -> Head | None:
        """Take the next message, which the server hands out once."""
        with plain_errors(self._address):
            found = self._client.PullMessages(PullMessagesRequest(node=Node(node_id=node_id)))
        if not found.messages_list:
            return None
        wire, tree = found.messages_list[0], found.message_object_trees[0]
        objects = tuple(part.object_id for part in iterate_object_tree(tree))
        return Head(node_id, wire.metadata.run_id, wire.SerializeToString(), objects)

    def run_facts(self, node_id: int, run_id: int) -> RunFacts:
        """Ask which run this is."""
        request = GetRunRequest(node=Node(node_id=node_id), run_id=run_id)
        with plain_errors(self._address):
            run = run_from_proto(self._client.GetRun(request).run)
        return RunFacts(run_id, run.fab_id, run.fab_version, dict(run.override_config))

    def fetch(self, head: Head) -> Message:
        """Fetch a message's content, and say that it has come, which frees it at the server."""
        node, number = Node(node_id=head.node_id), head.objects[-1]
        with plain_errors(self._address):
            contents = self._objects.fetch(node, head.run_id, head.objects)
            self._objects.confirm(node, head.run_id, number)
        return _numbered(_inflated(number, contents), number)

    def bare(self, head: Head) -> Message:
        """Make the message without content, to answer it with an error."""
        wire = WireMessage.FromString(head.content)
        return _numbered(message_from_proto(wire), wire.metadata.message_id)

    def pack(self, reply: Message) -> Reply:
        """Make a reply ready to travel."""
        with no_object_id_recompute():
            _numbered(reply, reply.object_id)
            bare = remove_content_from_message(reply) if reply.has_content() else reply
            return Reply(
                reply.metadata.src_node_id,
                reply.metadata.run_id,
                message_to_proto(bare).SerializeToString(),
                get_object_tree(reply).SerializeToString(),
                {number: part.deflate() for number, part in get_all_nested_objects(reply).items()},
            )

    def send(self, reply: Reply, *, seconds: float, again: bool = False) -> None:
        """Send a reply that took so many seconds to make; again, where a kill cut that off.

        A server that has its head already refuses that, and what it has of its content; neither
        keeps the rest from being sent. What no upload is named for, it takes for the one it awaits.
        """
        node = Node(node_id=reply.node_id)
        request = PushMessagesRequest(
            node=node,
            messages_list=[WireMessage.FromString(reply.head)],
            message_object_trees=[ObjectTree.FromString(reply.tree)],
            clientapp_runtime_list=[seconds],
        )
        with plain_errors(self._address):
            taken = self._objects.push_head(request)
            wanted, session = set(taken.objects_to_push), taken.session_id
            if again and not wanted:
                wanted, session = set(reply.objects), ""
            sent = {number: part for number, part in reply.objects.items() if number in wanted}
            refused = self._objects.push(node, reply.run_id, session, sent)
        if refused and not again:
            raise MessageLostError(f"{len(refused)} of {len(sent)} parts weren't wanted")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        if self._batches is not None:
            self._batches.close()


def _inflated(number: str, contents: dict[str, bytes]) -> Message:
    try:
        message = inflate_object_from_contents(number, contents)
    except Exception as error:  # whatever a server sends, a node answers and goes on
        raise MessageLostError(f"{type(error).__name__}: {error}") from error
    if not isinstance(message, Message):
        raise MessageLostError(f"found a {type(message).__name__}; wanted a message")
    return message


def _numbered(message: Message, number: str) -> Message:
    # Flower has no setter; it writes the metadata's dict too.
    vars(message.metadata)["_message_id"] = number
    return message

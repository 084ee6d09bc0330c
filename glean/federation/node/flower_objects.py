"""Contents of Flower's messages over HTTPS: call by call, or several calls in one request.

A message is made of objects, each of which Flower fetches and stores by a call of its own. At a
plain SuperLink that is done as Flower's own node does it; the gateway of `glean serve --public`
takes the same calls in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from flwr.proto.fleet_pb2 import PushMessagesRequest, PushMessagesResponse
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    PullObjectRequest,
    PullObjectResponse,
    PushObjectRequest,
    PushObjectResponse,
)
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
    make_push_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    pull_objects,
    push_object_contents_from_iterable,
)
from flwr.supernode.fleet_http_client import FleetHttpClient

from glean.federation.node.call_batch import FleetCall
from glean.federation.node.call_batches import CallBatches
from glean.federation.node.server_errors import MessageLostError

FIRST_LOOK_S, LONGEST_LOOK_S = 0.03, 1.0
"""Pauses between looks for an object that isn't stored yet. The server shows a message before its
objects; Flower's own node waits a second then."""

PULL_OBJECT, PUSH_OBJECT = "/v1/fleet/pull-object", "/v1/fleet/push-object"
PUSH_MESSAGES, CONFIRM = "/v1/fleet/push-messages", "/v1/fleet/confirm-message-received"

# fmt: off
USED: Mapping[Callable[..., Any], str] = {
    make_confirm_message_received_fn_protobuf: "confirm_message_received_protobuf node run_id",
    make_pull_object_fn_protobuf: "pull_object_protobuf node run_id",
    make_push_object_fn_protobuf: "push_object_protobuf node run_id session_id",
    pull_objects:
        "object_ids pull_object_fn max_concurrent_pulls max_time max_tries_per_object "
        "initial_backoff backoff_cap",
    push_object_contents_from_iterable: "object_contents push_object_fn max_concurrent_pushes",
}
# fmt: on


class ObjectTransfer(Protocol):
    """How contents come and go; every method may raise the errors of `server_errors`."""

    def fetch(self, node: Node, run_id: int, numbers: Iterable[str]) -> dict[str, bytes]:
        """Fetch objects by their numbers; waits for those that aren't stored yet."""

    def confirm(self, node: Node, run_id: int, number: str) -> None:
        """Say that a message has come, which frees it at the server; at the latest with a reply."""

    def push_head(self, request: PushMessagesRequest) -> PushMessagesResponse:
        """Send a reply's head."""

    def push(
        self, node: Node, run_id: int, session: str, objects: Mapping[str, bytes]
    ) -> list[str]:
        """Store objects; the numbers of those that the server doesn't want."""


class SingleCalls:
    """A call for each object, as Flower's own node makes them.

    Parameters
    ----------
    client : FleetHttpClient
        Flower's.
    """

    def __init__(self, client: FleetHttpClient) -> None:
        self._client = client

    def fetch(self, node: Node, run_id: int, numbers: Iterable[str]) -> dict[str, bytes]:
        """Fetch objects by their numbers; waits for those that aren't stored yet."""
        pull = make_pull_object_fn_protobuf(self._client.PullObject, node, run_id)
        try:
            found: dict[str, bytes] = pull_objects(
                list(numbers), pull, initial_backoff=FIRST_LOOK_S, backoff_cap=LONGEST_LOOK_S
            )
        except ObjectPullError as error:
            raise MessageLostError(str(error)) from error
        return found

    def confirm(self, node: Node, run_id: int, number: str) -> None:
        """Say that a message has come, which frees it at the server."""
        make_confirm_message_received_fn_protobuf(
            self._client.ConfirmMessageReceived, node, run_id
        )(number)

    def push_head(self, request: PushMessagesRequest) -> PushMessagesResponse:
        """Send a reply's head."""
        return self._client.PushMessages(request)

    def push(
        self, node: Node, run_id: int, session: str, objects: Mapping[str, bytes]
    ) -> list[str]:
        """Store objects; the numbers of those that the server doesn't want."""
        push = make_push_object_fn_protobuf(self._client.PushObject, node, run_id, session)
        refused: list[str] = []

        def push_or_note(number: str, content: bytes) -> None:
            try:
                push(number, content)
            except ObjectPushError:
                refused.append(number)

        push_object_contents_from_iterable(list(objects.items()), push_or_note)
        return refused


class BatchedCalls:
    """The same calls, those that belong together in one request.

    Parameters
    ----------
    single : SingleCalls
        For what a batch didn't bring.
    batches : CallBatches
        The gateway.
    """

    def __init__(self, single: SingleCalls, batches: CallBatches) -> None:
        self._single = single
        self._batches = batches
        self._waiting: list[FleetCall] = []

    def fetch(self, node: Node, run_id: int, numbers: Iterable[str]) -> dict[str, bytes]:
        """Fetch objects by their numbers; what isn't stored yet is asked for by itself."""
        wanted = list(numbers)
        requests = (PullObjectRequest(node=node, run_id=run_id, object_id=n) for n in wanted)
        bodies = self._batches.bodies(
            [FleetCall(PULL_OBJECT, request.SerializeToString()) for request in requests]
        )
        responses = zip(wanted, map(PullObjectResponse.FromString, bodies), strict=True)
        found = {n: r.object_content for n, r in responses if r.object_available}
        missing = [number for number in wanted if number not in found]
        return found | self._single.fetch(node, run_id, missing) if missing else found

    def confirm(self, node: Node, run_id: int, number: str) -> None:
        """Note that a message has come; that goes with the head of its reply."""
        request = ConfirmMessageReceivedRequest(node=node, run_id=run_id, message_object_id=number)
        self._waiting.append(FleetCall(CONFIRM, request.SerializeToString()))

    def push_head(self, request: PushMessagesRequest) -> PushMessagesResponse:
        """Send a reply's head, and what was noted."""
        waiting, self._waiting = self._waiting, []
        head = FleetCall(PUSH_MESSAGES, request.SerializeToString())
        *_, body = self._batches.bodies([*waiting, head])
        response: PushMessagesResponse = PushMessagesResponse.FromString(body)
        return response

    def push(
        self, node: Node, run_id: int, session: str, objects: Mapping[str, bytes]
    ) -> list[str]:
        """Store objects; the numbers of those that the server doesn't want."""
        requests = (
            PushObjectRequest(
                node=node, run_id=run_id, session_id=session, object_id=n, object_content=content
            )
            for n, content in objects.items()
        )
        bodies = self._batches.bodies(
            [FleetCall(PUSH_OBJECT, request.SerializeToString()) for request in requests]
        )
        stored = zip(objects, map(PushObjectResponse.FromString, bodies), strict=True)
        return [number for number, response in stored if not response.stored]

"""The bakeries' way to the SuperLink: what members ask for passes, everything else is refused."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE
from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES

from glean.federation.node import call_batch, member_paths
from glean.federation.node.call_batch import FleetCall, read_results, write_calls
from glean.privacy.members import new_keys
from glean.privacy.request_signature import (
    KEY_HEADER,
    NONCE_HEADER,
    SIGNATURE_HEADER,
    sign_request,
)
from glean.service.gateway import at_work, request_body
from glean.service.gateway.fleet_calls import CONTENT_TYPE, FLEET_CALLS, NODE_KEY_HEADER
from glean.web import connection_limits
from glean.web.connection_limits import ConnectionCounts, allow_many_files
from tests.processes import free_port, wait_until
from tests.service.gateways import (
    PULL,
    Bakery,
    ListeningGateway,
    gateway,
    join,
    read_answer,
)

BATCH_HEADERS = {"content-type": call_batch.CONTENT_TYPE}


@pytest.fixture(scope="module")
def listening_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListeningGateway]:
    """A gateway that listens."""
    with gateway(tmp_path_factory.mktemp("gateway") / "results") as found:
        yield found


@pytest.fixture
def front(listening_gateway: ListeningGateway) -> Iterator[ListeningGateway]:
    """The same, without what was sent by it before."""
    address = listening_gateway.superlink.address
    listening_gateway.superlink.seen.clear()
    yield listening_gateway
    listening_gateway.superlink.address = address


@pytest.fixture(scope="module")
def hafen(listening_gateway: ListeningGateway) -> Bakery:
    """A member."""
    return join(listening_gateway)


@pytest.fixture(scope="module")
def markt(listening_gateway: ListeningGateway) -> Bakery:
    """Another one."""
    return join(listening_gateway, "Markt")


def test_the_list_names_calls_that_flower_has() -> None:
    """All but registration, which the service does itself."""
    fleet = {path.encode() for _, path in PROTOBUF_REQUEST_TYPES if path.startswith("/v1/fleet/")}
    assert fleet - FLEET_CALLS == {b"/v1/fleet/register-node", b"/v1/fleet/unregister-node"}
    assert fleet > FLEET_CALLS
    assert CONTENT_TYPE.decode() == PROTOBUF_MEDIA_TYPE
    assert NODE_KEY_HEADER == FLEET_HTTP_PUBLIC_KEY_HEADER


def test_a_member_s_request_passes_whole_and_once(front: ListeningGateway, hafen: Bakery) -> None:
    """With the headers that are needed, and no others, either way."""
    headers = hafen.signed(body=b"content") | {"cookie": "a=b", "authorization": "Bearer x"}
    found = front.ask(headers=headers, body=b"content")
    assert (found.status, found.body) == (200, b"content")
    assert found.headers["content-type"] == CONTENT_TYPE.decode()
    assert not found.headers.keys() & {"x-inner", "set-cookie"}
    ((method, path, sent, body),) = front.superlink.seen
    assert (method, path, body) == ("POST", PULL, b"content")
    assert sent["flwr-signature"] == hafen.node_headers["flwr-signature"]
    assert not [name for name in sent if name in ("cookie", "authorization") or "glean" in name]
    assert front.ask(headers=headers, body=b"content").status == 409
    assert len(front.superlink.seen) == 1
    assert front.members.last_heard("Hafen") is not None


def test_large_bodies_pass_both_ways(front: ListeningGateway, hafen: Bakery) -> None:
    """By way of a file, and signed over all of it."""
    body = bytes(range(256)) * 40_000
    path = "/v1/fleet/push-object"
    found = front.ask(path, headers=hafen.signed(path, body), body=body)
    assert (found.status, found.body == body) == (200, True)
    changed = body[:-1] + b"\0"
    assert front.ask(path, headers=hafen.signed(path, body), body=changed).status == 401


PATHS = [
    "/v1/fleet/register-node",
    "/v1/fleet/unregister-node",
    "/v1/fleet/get-fab",
    "/v1/fleet/",
    "/v1/fleet",
    "/v1/fleet/pull-messages/",
    "/v1/fleet//pull-messages",
    "/v1//fleet/pull-messages",
    "//v1/fleet/pull-messages",
    "/v1/fleet/pull-messages?x=1",
    "/v1/fleet/pull-messages?",
    "/v1/fleet/pull-messages;x",
    "/v1/fleet/pull-messages%20",
    "/v1/fleet/pull-messages%00",
    "/v1/fleet/pull-message%73",
    "/v1/%66leet/pull-messages",
    "/%76%31/fleet/pull-messages",
    "/v1%2ffleet%2fpull-messages",
    "/v1/fleet%2fpull-messages",
    "/v1/fleet/..%2fcontrol/start-run",
    "/v1/fleet/../control/start-run",
    "/v1/fleet/%2e%2e/control/start-run",
    "/v1/./fleet/pull-messages",
    "/v1/fleet/./pull-messages",
    "/V1/fleet/pull-messages",
    "/v1/FLEET/pull-messages",
    "/v1/fleet/Pull-Messages",
    "\\v1\\fleet\\pull-messages",
    "/v1/fleet/pull-messages#x",
    "/v1/control/start-run",
    "/v1/control/stop-run",
    "/v1/control/list-nodes",
    "/v1/control/register-node",
    "/v1/control/stream-logs",
    "/v1/runtime/pull-messages",
    "/v1/runtime/acquire-task",
    "/v1/responses",
    "/health",
    "/docs",
    "/openapi.json",
    "/v1/",
    "/v1",
    "*",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_reaches_the_superlink(
    front: ListeningGateway, hafen: Bakery, path: str
) -> None:
    """Though a member signed it."""
    found = front.ask(path, headers=hafen.signed(path))
    assert found.status in (400, 401, 404, 0), found
    assert not front.superlink.seen


@pytest.mark.parametrize("scheme", ["http://localhost", "https://127.0.0.1", "//localhost"])
def test_a_whole_url_is_no_way_around(front: ListeningGateway, hafen: Bakery, scheme: str) -> None:
    """Its path counts, exactly as all paths do."""
    path = f"{scheme}/v1/control/start-run"
    assert front.ask(path, headers=hafen.signed(path)).status in (400, 404)
    assert not front.superlink.seen


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post"]
)
def test_no_other_method_reaches_the_superlink(
    front: ListeningGateway, hafen: Bakery, method: str
) -> None:
    """And no override by a header."""
    headers = hafen.signed(method=method) | {"X-HTTP-Method-Override": "POST"}
    assert front.ask(method=method, headers=headers).status in (400, 404, 405, 0)
    assert not front.superlink.seen


def test_strangers_reach_nothing(front: ListeningGateway, hafen: Bakery) -> None:
    """Not by keys of their own, nor by a member's node key that they saw."""
    stranger = Bakery(new_keys("Hafen"))
    assert front.ask(headers=stranger.signed()).status == 401
    assert front.ask(headers=hafen.node_headers).status == 401
    assert front.ask(headers={"content-type": CONTENT_TYPE.decode()}).status == 401
    borrowed = hafen.node_headers | sign_request(stranger.signer, "POST", PULL, b"")
    assert front.ask(headers=borrowed).status == 401
    mixed = stranger.node_headers | sign_request(hafen.signer, "POST", PULL, b"")
    assert front.ask(headers=mixed).status == 401
    for key in ("", "x", "AAAA", "A" * 5000):
        assert front.ask(headers=hafen.signed() | {NODE_KEY_HEADER: key}).status == 401
    assert not front.superlink.seen


def test_two_members_keys_dont_mix(front: ListeningGateway, hafen: Bakery, markt: Bakery) -> None:
    """Who signs as one member can't be another one's node."""
    mixed = markt.node_headers | sign_request(hafen.signer, "POST", PULL, b"")
    found = front.ask(headers=mixed)
    assert found.status == 401
    assert "aren't of one member" in json.loads(found.body)["detail"]
    assert not front.superlink.seen


def test_altered_requests_are_refused(front: ListeningGateway, hafen: Bakery) -> None:
    """Another path, body, method, time or nonce than was signed."""
    now = dt.datetime.now(dt.UTC)
    other = "/v1/fleet/push-messages"
    assert front.ask(other, headers=hafen.signed()).status == 401
    assert front.ask(headers=hafen.signed(body=b"a"), body=b"b").status == 401
    assert front.ask(headers=hafen.signed(method="GET")).status == 401
    assert front.ask(headers=hafen.signed() | {NONCE_HEADER: "A" * 24}).status == 401
    assert front.ask(headers=hafen.signed() | {SIGNATURE_HEADER: "AAAA"}).status == 401
    for off in (-301, 301):
        when = now + dt.timedelta(seconds=off)
        headers = hafen.node_headers | sign_request(hafen.signer, "POST", PULL, b"", now=when)
        found = front.ask(headers=headers)
        assert found.status == 401
        assert "clock" in json.loads(found.body)["detail"]
    assert not front.superlink.seen


def test_headers_that_say_two_things_are_refused(
    front: ListeningGateway, hafen: Bakery, markt: Bakery
) -> None:
    """Flower would believe the first and the gateway the last."""
    signed = hafen.signed()
    key = markt.node_headers[NODE_KEY_HEADER]
    assert front.ask(headers={"Flwr-Public-Key": key, **signed}).status == 400
    assert front.ask(headers={"Transfer-Encoding": "chunked", **signed}).status in (400, 411)
    twice = {"Content-Length": "0", "content-length": "5", **signed}
    assert front.ask(headers=twice).status == 400
    assert front.ask(headers={"Content-Length": "x", **signed}).status in (400, 411)
    assert not front.superlink.seen


def test_what_is_packed_or_of_another_kind_is_refused(
    front: ListeningGateway, hafen: Bakery
) -> None:
    """Nothing is unpacked on the way, and no form or JSON passes."""
    body = gzip.compress(b"x" * 1000)
    headers = hafen.signed(body=body) | {"content-encoding": "gzip"}
    assert front.ask(headers=headers, body=body).status == 200
    assert "content-encoding" not in front.superlink.seen[-1][2]
    for kind in ("application/json", "text/plain", "application/flower-protobuf-stream"):
        assert front.ask(headers=hafen.signed() | {"content-type": kind}).status == 415
    assert len(front.superlink.seen) == 1


def test_a_member_that_is_shut_out_gets_nothing(front: ListeningGateway) -> None:
    """From the next request on, until it is let in."""
    nord, snide = join(front, "Nord"), join(front, "Snide", by_invitation=False)
    assert front.ask(headers=nord.signed()).status == 200
    front.members.shut_out("Nord")
    front.members.shut_out("Snide")
    assert front.ask(headers=nord.signed()).status == 403
    assert front.ask(headers=snide.node_headers).status == 401
    assert front.ask("/v1/members/self", method="GET", headers=_own(nord)).status == 403
    front.members.let_in("Nord")
    assert front.ask(headers=nord.signed()).status == 200


def test_flower_s_own_node_passes_unsigned(front: ListeningGateway, hafen: Bakery) -> None:
    """Only where its keys came as a file; it alone may fetch the app."""
    old = join(front, "Old Town", by_invitation=False)
    assert front.ask(headers=old.node_headers).status == 200
    assert front.ask("/v1/fleet/get-fab", headers=old.node_headers).status == 200
    assert front.ask(headers=hafen.node_headers).status == 401


def test_a_body_s_length_has_a_limit(
    front: ListeningGateway, hafen: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused by what it says of itself, before it has come."""
    monkeypatch.setattr(request_body, "LARGEST", 1000)
    assert front.ask(headers=hafen.signed(body=b"x" * 1001), body=b"x" * 1001).status == 413
    assert front.ask(headers=hafen.signed() | {"content-length": "9" * 30}).status in (400, 411)
    assert not front.superlink.seen


def test_a_slow_body_is_given_up(
    front: ListeningGateway, hafen: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the headers are a member's."""
    monkeypatch.setattr(request_body, "PATIENCE_S", 0.5)
    with front.connect() as line:
        headers = hafen.signed(body=b"x" * 10) | {"Content-Length": "10"}
        lines = [f"POST {PULL} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        line.sendall("\r\n".join(lines).encode() + b"\r\n\r\nxxx")
        assert read_answer(line).status == 408
    assert not front.superlink.seen


def test_a_superlink_that_is_down_is_said_so(front: ListeningGateway, hafen: Bakery) -> None:
    """To be tried again in a moment."""
    front.superlink.address = None
    found = front.ask(headers=hafen.signed())
    assert (found.status, found.headers["retry-after"]) == (503, "1")
    front.superlink.address = "127.0.0.1:9"
    assert front.ask(headers=hafen.signed()).status == 503


def _own(bakery: Bakery, path: str = "/v1/members/self") -> dict[str, str]:
    return sign_request(bakery.signer, "GET", path, b"")


def test_a_member_asks_how_it_stands_and_for_the_log_of_keys(
    front: ListeningGateway, hafen: Bakery
) -> None:
    """Signed as well, and once."""
    west = join(front, "West")
    own = _own(hafen)
    found = json.loads(front.ask("/v1/members/self", method="GET", headers=own).body)
    assert (found["bakery"], found["federation"], found["state"]) == (
        "Hafen",
        "bakers.example",
        "member",
    )
    assert front.ask("/v1/members/self", method="GET", headers=own).status == 409
    last = front.members.log().entries[-1].number
    path = f"/v1/members/key-log?since={last}"
    log = json.loads(front.ask(path, method="GET", headers=_own(hafen, path)).body)["key_log"]
    assert [(entry["number"], entry["bakery"]) for entry in log] == [
        (last, west.keys.member.bakery)
    ]
    for other in ("/v1/members/key-log?since=x", "/v1/members/key-log?until=1"):
        assert front.ask(other, method="GET", headers=_own(hafen, other)).status == 422
    assert front.ask("/v1/members/key-log", method="GET").status == 401
    assert front.ask("/v1/members/self", method="POST", headers=own).status == 405


def test_a_thousand_connections_keep_nobody_out(tmp_path: Path) -> None:
    """Most say nothing at all, the others nothing after their handshake; a member is answered."""
    allow_many_files()
    counts = ConnectionCounts(of_address=50)
    with gateway(tmp_path / "results", counts) as front, ExitStack() as stack:
        hafen = join(front)
        for _ in range(900):
            line = socket.create_connection(("127.0.0.1", front.port), timeout=10)
            stack.callback(line.close)
        assert front.ask(headers=hafen.signed()).status == 200
        for _ in range(100):
            stack.callback(front.connect().close)
        assert counts.open["127.0.0.1"] <= 50
        # From another address, since that one has no connection left.
        began = time.monotonic()
        found = front.ask(headers=hafen.signed(), source="127.0.0.2")
        assert (found.status, time.monotonic() - began < 5) == (200, True)


def test_who_says_nothing_is_put_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And counts no longer."""
    monkeypatch.setattr(connection_limits, "REQUEST_S", 0.3)
    counts = ConnectionCounts()
    with gateway(tmp_path / "results", counts) as front, front.connect() as line:
        wait_until(lambda: counts.open.total() == 1, "a connection")
        assert read_answer(line).status == 0
        wait_until(lambda: not counts.open, "no connection")


def test_a_head_that_doesnt_end_is_given_up(
    front: ListeningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its time and by its length."""
    monkeypatch.setattr(connection_limits, "REQUEST_S", 0.5)
    with front.connect() as line:
        line.sendall(b"POST /v1/fleet/pull-messages HTTP/1.1\r\nA: ")
        assert read_answer(line).status == 0
    monkeypatch.setattr(connection_limits, "LARGEST_HEAD", 10_000)
    assert _refuses_a_flood(front)


def _refuses_a_flood(front: ListeningGateway) -> bool:
    with front.connect() as line:
        try:
            for _ in range(100):
                line.sendall(b"POST / HTTP/1.1\r\nA: " + b"a" * 10_000)
                time.sleep(0.02)
        except OSError:
            return True
    return False


def batch(hafen: Bakery, calls: list[FleetCall], **headers: str) -> dict[str, Any]:
    """A signed batch, for `ask`."""
    body = write_calls(calls)
    signed = {**hafen.signed(member_paths.FLEET_CALLS, body), **BATCH_HEADERS, **headers}
    return {"path": member_paths.FLEET_CALLS, "headers": signed, "body": body}


def test_calls_in_one_request_are_sent_on_one_by_one(
    front: ListeningGateway, hafen: Bakery
) -> None:
    """Each with what Flower knows the node by, its content as it was; results in their order."""
    calls = [
        FleetCall("/v1/fleet/push-object", bytes([number]) * 200_000 * number)
        for number in range(4)
    ]
    found = front.ask(**batch(hafen, calls))
    assert found.status == 200
    results = read_results(found.body, count=4)
    assert [(r.status, r.body) for r in results] == [(200, call.body) for call in calls]
    assert sorted(len(body) for *_, body in front.superlink.seen) == [0, 200_000, 400_000, 600_000]
    for method, path, headers, _ in front.superlink.seen:
        assert (method, path) == ("POST", "/v1/fleet/push-object")
        assert headers["content-type"] == "application/protobuf"
        assert headers["flwr-public-key"] == hafen.node_headers["flwr-public-key"]
        assert not any(name.startswith("x-glean") for name in headers)


@pytest.mark.parametrize(
    "path",
    [p for p in PATHS if p.startswith("/v1") and p.isascii()] + [member_paths.FLEET_CALLS, ""],
)
def test_nothing_else_goes_in_a_batch(front: ListeningGateway, hafen: Bakery, path: str) -> None:
    """One call that isn't on the list, and none of them is sent on."""
    calls = [FleetCall("/v1/fleet/pull-messages", b""), FleetCall(path, b"")]
    assert front.ask(**batch(hafen, calls)).status == 404
    assert not front.superlink.seen


def test_a_batch_is_signed_as_a_whole_and_taken_once(
    front: ListeningGateway, hafen: Bakery
) -> None:
    """Changed, unsigned, sent again, of another kind, or none at all: refused."""
    calls = [FleetCall("/v1/fleet/pull-messages", b"a")]
    good = batch(hafen, calls)
    assert front.ask(**good).status == 200
    assert front.ask(**good).status == 409
    fresh = batch(hafen, calls)
    assert front.ask(**{**fresh, "body": fresh["body"][:-1] + b"b"}).status == 401
    unsigned = {k: v for k, v in fresh["headers"].items() if not k.startswith("x-glean")}
    assert front.ask(**{**fresh, "headers": unsigned}).status in (401, 404)
    other = {**fresh["headers"], "content-type": "application/protobuf"}
    assert front.ask(**{**fresh, "headers": other}).status == 415
    for body in (b"", b"nonsense", write_calls([*calls] * 65)):
        headers = {**hafen.signed(member_paths.FLEET_CALLS, body), **BATCH_HEADERS}
        assert front.ask(member_paths.FLEET_CALLS, headers=headers, body=body).status == 422
    assert len(front.superlink.seen) == 1


def test_a_batch_at_a_superlink_that_is_gone_is_tried_again(
    front: ListeningGateway, hafen: Bakery
) -> None:
    """As a single call is."""
    front.superlink.address = f"127.0.0.1:{free_port()}"
    found = front.ask(**batch(hafen, [FleetCall("/v1/fleet/pull-messages", b"")]))
    assert (found.status, found.headers["retry-after"]) == (503, "1")


def test_a_member_that_leaves_is_known_as_that(front: ListeningGateway, hafen: Bakery) -> None:
    """It stays a member, and is back once it is heard of."""
    path = "/v1/members/leave"
    assert front.ask(path, headers=hafen.signed(path)).status == 200
    assert front.members.has_left("Hafen")
    assert front.ask(path, method="GET", headers=hafen.signed(path, method="GET")).status == 405
    about = "/v1/members/self"
    found = front.ask(about, method="GET", headers=hafen.signed(about, method="GET"))
    assert json.loads(found.body)["model_key"].startswith("ssh-ed25519 ")
    assert not front.members.has_left("Hafen")


def _begin(front: ListeningGateway, headers: dict[str, str], source: str) -> ssl.SSLSocket:
    """Send the head of a request whose body doesn't come."""
    line = front.connect(source)
    lines = [f"POST {PULL} HTTP/1.1", "Host: localhost", "Content-Length: 100000000"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    line.sendall("\r\n".join(lines).encode() + b"\r\n\r\nx")
    return line


def test_who_knows_a_member_s_public_keys_takes_none_of_its_room(
    front: ListeningGateway, hafen: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that isn't proved is refused before its body is waited for."""
    monkeypatch.setattr(at_work, "MOST_OF_A_MEMBER", 4)
    claimed = hafen.node_headers | {KEY_HEADER: hafen.signer.public_line}
    forged = hafen.signed() | {SIGNATURE_HEADER: "AAAA"}
    with ExitStack() as stack:
        for headers in [claimed, forged] * 4:
            line = stack.enter_context(_begin(front, headers, "127.0.0.1"))
            assert read_answer(line).status == 401
        assert front.ask(headers=hafen.signed()).status == 200


def test_what_proves_nothing_has_a_budget_of_its_own(
    front: ListeningGateway, hafen: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By address, and short of patience: members who sign don't notice."""
    monkeypatch.setattr(at_work, "MOST_OF_AN_ADDRESS", 2)
    monkeypatch.setattr(at_work, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(request_body, "PATIENCE_UNPROVED_S", 1.5)
    plain = join(front, "Plain", by_invitation=False)
    with ExitStack() as stack:
        lines = [
            stack.enter_context(_begin(front, plain.node_headers, "127.0.0.1")) for _ in range(2)
        ]
        time.sleep(0.3)
        assert front.ask(headers=plain.node_headers).status == 503
        assert front.ask(headers=plain.node_headers, source="127.0.0.2").status == 200
        assert front.ask(headers=hafen.signed()).status == 200
        assert [read_answer(line).status for line in lines] == [408, 408]


def test_a_batch_counts_by_its_calls(
    front: ListeningGateway, hafen: Bakery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In what a member may ask for at a time."""
    monkeypatch.setattr(at_work, "MOST_OF_A_MEMBER", 4)
    call = FleetCall("/v1/fleet/pull-messages", b"")
    assert front.ask(**batch(hafen, [call] * 4)).status == 200
    assert front.ask(**batch(hafen, [call] * 5)).status == 503
    assert front.ask(headers=hafen.signed()).status == 200

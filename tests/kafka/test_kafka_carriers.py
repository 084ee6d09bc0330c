"""Messages go through a real broker, each once, though it is killed and forgets all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.kafka import kafka_client_carrier
from glean.kafka.chunks import CHUNK_BYTES
from glean.kafka.envelope import Chunk
from glean.kafka.kafka_carrier import KafkaCarrier, Taken
from glean.kafka.kafka_client_carrier import KafkaClientCarrier
from tests.kafka_broker import KafkaBroker, kafka_broker, why_no_broker
from tests.kafka_ends import NAMES, RUN, Ends, all_ends, announcement, new_federation
from tests.processes import wait_until

REASON = why_no_broker()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

LIMIT_S = 30.0


@pytest.fixture(scope="module")
def _broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def broker(_broker: KafkaBroker) -> KafkaBroker:
    """A broker that runs and knows nothing yet; one for the tests of this file."""
    _broker.kill()
    _broker.start()
    return _broker


@pytest.fixture
def ends(broker: KafkaBroker, tmp_path: Path) -> Ends:
    """A federation on it."""
    return Ends(broker.url, tmp_path, new_federation())


def answer(clients: Mapping[str, KafkaClientCarrier], count: int) -> list[str]:
    """Have clients answer so many messages; ids in the order in which they were given out."""
    answered: list[str] = []

    def enough() -> bool:
        for client in clients.values():
            for run, message_id, body in client.receive(0.01):
                client.reply(run, message_id, b"to " + body)
                answered.append(message_id)
        return len(answered) >= count

    wait_until(enough, f"{count} messages came", limit_s=LIMIT_S)
    return answered


def replies(server: KafkaCarrier, count: int) -> list[Taken]:
    """So many replies."""
    found: list[Taken] = []

    def enough() -> bool:
        found.extend(server.receive(0.1))
        return len(found) >= count

    wait_until(enough, f"{count} replies came", limit_s=LIMIT_S)
    return found


def ask(server: KafkaCarrier, names: Sequence[str], body: bytes = b"model") -> None:
    """Send to each of them."""
    for name in names:
        server.send(name, f"{name}-{time.monotonic_ns()}", body)


def all_acknowledged(server: KafkaCarrier, clients: Mapping[str, KafkaClientCarrier]) -> bool:
    """Whether nothing waits any more."""
    ends = [server, *clients.values()]
    return not any(end._outbox.waiting() for end in ends)


def test_each_message_is_answered_once_whatever_its_size(ends: Ends) -> None:
    """Also empty ones, and those that a broker wouldn't take as a whole."""
    with all_ends(ends) as (server, clients):
        for body in (b"", b"model", bytes(range(256)) * 12_000):
            ask(server, NAMES, body)
            answer(clients, len(NAMES))
            found = replies(server, len(NAMES))
            assert sorted(reply.node for reply in found) == sorted(NAMES)
            assert {reply.body for reply in found} == {b"to " + body}
        wait_until(lambda: all_acknowledged(server, clients), "acknowledged", limit_s=LIMIT_S)
        server.end("completed")
        wait_until(lambda: not any(c.runs() for c in clients.values()), "ended", limit_s=LIMIT_S)
        assert not server.receive(0.0)


@pytest.mark.slow
def test_a_broker_that_forgets_all_loses_nothing(ends: Ends, broker: KafkaBroker) -> None:
    """Killed with requests on their way, then with replies on their way; nothing comes twice."""
    with all_ends(ends) as (server, clients):
        broker.kill()
        ask(server, NAMES)
        broker.start()
        answered = answer(clients, len(NAMES))
        broker.kill()
        broker.start()
        found = replies(server, len(NAMES))
        ask(server, NAMES)
        answered += answer(clients, len(NAMES))
        found += replies(server, len(NAMES))
        assert sorted(reply.reply_to for reply in found) == sorted(set(answered))
        assert len(answered) == len(set(answered)) == 2 * len(NAMES)
        wait_until(lambda: all_acknowledged(server, clients), "acknowledged", limit_s=LIMIT_S)
        assert server.present() == sorted(NAMES)


def test_what_wasn_t_answered_comes_again_to_the_next_process(ends: Ends) -> None:
    """And what was answered doesn't, though the server hadn't heard of it."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        name = NAMES[0]
        server.send(name, "one", b"first")
        answer(clients, 1)
        server.send(name, "two", b"second")
        wait_until(lambda: clients[name].receive(0.1) != [], "it came", limit_s=LIMIT_S)
        clients[name].close()
        again = ends.client(name)
        try:
            assert answer({name: again}, 1) == ["two"]
            assert [reply.reply_to for reply in replies(server, 2)] == ["one", "two"]
        finally:
            again.close()


def test_a_message_that_was_given_out_and_failed_is_given_out_again(ends: Ends) -> None:
    """By the same process, after a moment."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        server.send(NAMES[0], "one", b"first")
        client = clients[NAMES[0]]
        wait_until(lambda: client.receive(0.1) != [], "it came", limit_s=LIMIT_S)
        assert client.receive(0.0) == []
        wait_until(lambda: client.receive(0.1) != [], "it came again", limit_s=LIMIT_S)


def test_a_server_that_begins_again_takes_nothing_of_before(ends: Ends) -> None:
    """Answers to what an earlier process asked are named, and its messages are gone."""
    name = NAMES[0]
    with all_ends(ends, NAMES[:1]) as (server, clients):
        server.send(name, "one", b"first")
        wait_until(lambda: clients[name].receive(0.1) != [], "it came", limit_s=LIMIT_S)
        server.close()
        second = ends.server()
        try:
            second.announce(announcement(RUN + 1))
            wait_until(lambda: second.present() == [name], "it is here", limit_s=LIMIT_S)
            clients[name].reply(RUN, "one", b"late")
            wait_until(
                lambda: second.dead_letters.counts["other run"] > 0, "named", limit_s=LIMIT_S
            )
            second.send(name, "two", b"second")
            wait_until(
                lambda: any(asked[1] == "two" for asked in clients[name].receive(0.1)),
                "the new one came",
                limit_s=LIMIT_S,
            )
            clients[name].reply(RUN + 1, "two", b"well")
            assert [reply.body for reply in replies(second, 1)] == [b"well"]
        finally:
            second.close()


@pytest.mark.slow
def test_a_message_of_which_a_chunk_was_lost_comes_again(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a broker that is killed while it passes one on; nobody waits for the rest of it."""
    monkeypatch.setattr(kafka_client_carrier, "ARRIVING_S", 0.5)
    with all_ends(ends, NAMES[:1]) as (server, clients):
        client = clients[NAMES[0]]
        lost: list[Chunk] = []
        add = client._assembler.add

        def without_one(chunk: Chunk) -> bytes | None:
            if chunk.index == 1 and not lost:
                lost.append(chunk)
                return None
            return add(chunk)

        monkeypatch.setattr(client._assembler, "add", without_one)
        ask(server, NAMES[:1], bytes(2 * CHUNK_BYTES))
        wait_until(lambda: lost != [], "a chunk is lost", limit_s=LIMIT_S)
        answer(clients, 1)
        assert len(replies(server, 1)) == 1


def test_a_disk_that_is_full_for_a_while_is_got_over(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client says so to whoever fetches meanwhile, and goes on once there is room."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        client = clients[NAMES[0]]

        def full(_sender: str, _message_id: str) -> bool:
            raise FederationError("inbox.sqlite can't be used: database or disk is full")

        with monkeypatch.context() as while_full:
            while_full.setattr(client._inbox, "seen", full)
            ask(server, NAMES[:1])
            wait_until(lambda: client._failure is not None, "it is noticed", limit_s=LIMIT_S)
            with pytest.raises(FederationError, match="disk is full"):
                client.runs()
        server._resending.all_due()
        wait_until(lambda: client._failure is None, "it goes on", limit_s=LIMIT_S)
        answer(clients, 1)
        assert len(replies(server, 1)) == 1


def test_a_reply_isn_t_lost_by_a_disk_that_is_full(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was noted as taken, so it would never be taken again."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        ask(server, NAMES[:1])
        acknowledge = server._outbox.acknowledge
        failed: list[str] = []

        def full_once(message_id: str) -> bool:
            if not failed:
                failed.append(message_id)
                raise FederationError("outbox.sqlite can't be used: database or disk is full")
            return acknowledge(message_id)

        monkeypatch.setattr(server._outbox, "acknowledge", full_once)
        answer(clients, 1)
        found: list[Taken] = []

        def came() -> bool:
            with suppress(FederationError):
                found.extend(server.receive(0.1))
            return len(found) == 1 and bool(failed)

        wait_until(came, "the reply came", limit_s=LIMIT_S)

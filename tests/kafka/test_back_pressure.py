"""Whoever is slow holds up who sends to it: memory and disk keep to their limits on both sides."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.kafka import kafka_carrier
from glean.outbox.outbox import OutboxFullError
from tests.kafka.test_kafka_carriers import LIMIT_S, answer, replies
from tests.kafka_broker import kafka_broker, why_no_broker
from tests.kafka_ends import NAMES, RUN, Ends, all_ends, new_federation
from tests.processes import wait_until

REASON = why_no_broker()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

NAME = NAMES[0]
MOST = 1_000_000
BODY = bytes(300_000)


def test_a_full_outbox_holds_up_the_server_until_a_client_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And refuses once that has lasted; what was sent before is answered all the same."""
    with kafka_broker(tmp_path / "broker") as broker:
        ends = Ends(broker.url, tmp_path, new_federation([NAME]), most_bytes=MOST)
        with all_ends(ends, [NAME]) as (server, clients):
            for number in range(3):
                server.send(NAME, f"{number}", BODY)
            fourth = threading.Thread(target=server.send, args=(NAME, "3", BODY))
            fourth.start()
            fourth.join(0.5)
            assert fourth.is_alive()
            assert server._outbox.held_bytes() <= MOST
            answer(clients, 1)
            fourth.join(LIMIT_S)
            assert not fourth.is_alive()
            come: set[str] = set()

            def all_came(count: int) -> bool:
                for run, message_id, body in clients[NAME].receive(0.01):
                    with suppress(OutboxFullError):  # what isn't answered comes again
                        clients[NAME].reply(run, message_id, body)
                come.update(reply.reply_to for reply in server.receive(0.01))
                return len(come) == count and not server._outbox.waiting()

            wait_until(lambda: all_came(4), "all are answered", limit_s=LIMIT_S)
            monkeypatch.setattr(kafka_carrier, "ROOM_LIMIT_S", 0.0)
            broker.kill()
            for number in range(4, 7):
                server.send(NAME, f"{number}", BODY)
            with pytest.raises(OutboxFullError, match="wait until receivers have acknowledged"):
                server.send(NAME, "7", BODY)
            broker.start()
            wait_until(lambda: all_came(7), "all are answered", limit_s=LIMIT_S)


def test_replies_that_nobody_fetches_are_left_to_the_broker(tmp_path: Path) -> None:
    """The server reads on once it has fetched what it has."""
    with kafka_broker(tmp_path / "broker") as broker:
        ends = Ends(broker.url, tmp_path, new_federation([NAME]))
        with all_ends(replace(ends, most_bytes=4 * MOST), [NAME]) as (server, clients):
            for number in range(12):
                server.send(NAME, f"{number}", b"small")
            client = clients[NAME]

            def answered() -> bool:
                for run, message_id, _ in client.receive(0.01):
                    client.reply(run, message_id, BODY)
                return client._inbox.seen("", "11")

            wait_until(answered, "all are answered", limit_s=LIMIT_S)
            wait_until(lambda: server._reply_bytes > MOST, "it has its fill", limit_s=LIMIT_S)
            assert len(replies(server, 12)) == 12
            assert server.present() == [NAME]


def test_a_client_whose_outbox_is_full_hears_of_acknowledgements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has so much in hand that it reads no further messages."""
    with kafka_broker(tmp_path / "broker") as broker:
        ends = Ends(broker.url, tmp_path, new_federation([NAME]), most_bytes=MOST)
        with all_ends(ends, [NAME]) as (server, clients):
            client = clients[NAME]

            def answered() -> bool:
                for run, message_id, body in client.receive(0.01):
                    client.reply(run, message_id, body)
                return len(client._outbox.waiting()) == 3

            with monkeypatch.context() as lost:
                lost.setattr(server, "_acknowledge", lambda _head: None)
                for number in range(3):
                    server.send(NAME, f"{number}", BODY)
                wait_until(answered, "three are answered", limit_s=LIMIT_S)
                replies(server, 3)
                server.send(NAME, "3", BODY)
                consumer = client._connection._consumer
                assert consumer is not None
                wait_until(lambda: consumer._paused, "it has its fill", limit_s=LIMIT_S)
                with pytest.raises(OutboxFullError):
                    client.reply(RUN, "3", BODY)
            come: list[str] = []
            client._resending.all_due()

            def fourth_came() -> bool:
                for run, message_id, body in client.receive(0.01):
                    with suppress(OutboxFullError):
                        client.reply(run, message_id, body)
                come.extend(reply.reply_to for reply in server.receive(0.01))
                return come == ["3"]

            wait_until(fourth_came, "the fourth is answered", limit_s=LIMIT_S)


def test_a_server_that_still_sends_goes_on_reading(tmp_path: Path) -> None:
    """Answers that it hasn't fetched yet make room for what it has to send."""
    with kafka_broker(tmp_path / "broker") as broker:
        ends = Ends(broker.url, tmp_path, new_federation([NAME]))
        with all_ends(replace(ends, most_bytes=MOST), [NAME]) as (server, clients):
            client = clients[NAME]

            def send_all() -> None:
                for number in range(8):
                    server.send(NAME, f"{number}", BODY)

            sending = threading.Thread(target=send_all)
            sending.start()

            def sent() -> bool:
                for run, message_id, body in client.receive(0.01):
                    with suppress(OutboxFullError):
                        client.reply(run, message_id, body)
                return not sending.is_alive()

            wait_until(sent, "all are sent", limit_s=LIMIT_S)
            sending.join()


def test_a_member_that_is_none_is_sent_nothing(tmp_path: Path) -> None:
    """Before anything is kept for it."""
    server = Ends("kafka://127.0.0.1:1/test", tmp_path, new_federation()).server()
    try:
        with pytest.raises(FederationError, match="'Südbrot' is no member"):
            server.send("Südbrot", "one", b"model")
        assert server._outbox.waiting() == []
    finally:
        server.close()

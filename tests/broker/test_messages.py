"""What a message says, and what is read from one: without a broker."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.broker.messages import RunMessage, UnreadableMessageError, event_message
from glean.broker.topology import EVENTS, MOST_PRIORITY, RUNS

RUN_IDS = st.text(min_size=1)


@given(RUN_IDS, st.integers(0), st.integers())
def test_a_run_is_read_as_it_was_written(run_id: str, attempt: int, priority: int) -> None:
    """With any id, and a priority that the queue knows."""
    message = RunMessage(run_id, attempt)
    sent = message.to_outgoing(priority=priority)
    assert RunMessage.read(sent.body) == message
    assert (sent.exchange, sent.routing_key, sent.must_arrive) == (RUNS, RUNS, True)
    assert sent.priority == sorted((0, priority, MOST_PRIORITY))[1]


@given(st.integers(0, 9), st.integers(0, 9), RUN_IDS, RUN_IDS)
def test_messages_have_the_same_id_where_they_are_about_the_same(
    attempt: int, other: int, run_id: str, other_id: str
) -> None:
    """That is what a consumer knows them by."""
    one, two = RunMessage(run_id, attempt), RunMessage(other_id, other)
    assert (one.to_outgoing().message_id == two.to_outgoing().message_id) == (one == two)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "list"),
        (b"{}", "no run"),
        (b'{"run": 1, "attempt": 0}', "no run"),
        (b'{"run": "", "attempt": 0}', "no run"),
        (b'{"run": "\\ud800", "attempt": 0}', "no run"),
        (b'{"run": "r1"}', "no attempt"),
        (b'{"run": "r1", "attempt": true}', "no attempt"),
        (b'{"run": "r1", "attempt": -1}', "no attempt"),
        (b'{"run": "r1", "attempt": 1.0}', "no attempt"),
    ],
)
def test_what_is_no_run_is_refused_with_what_was_found(body: bytes, found: str) -> None:
    """It becomes the reason beside a dead letter."""
    with pytest.raises(UnreadableMessageError, match=f"found {found} in a message of {RUNS}"):
        RunMessage.read(body)


@given(st.binary())
def test_nothing_else_than_a_refusal_comes_of_any_bytes(body: bytes) -> None:
    """A worker reads what anybody put there."""
    try:
        RunMessage.read(body)
    except UnreadableMessageError:
        return


def test_an_event_goes_by_its_run_and_kind() -> None:
    """With its number outside, and all that `events.jsonl` has within."""
    row = {"event": "round_finished", "round": 3, "time": "2026-05-01T12:00:00+00:00"}
    sent = event_message("r1", 1_000_007, row)
    assert (sent.exchange, sent.routing_key) == (EVENTS, "glean.run.r1.round_finished")
    assert (sent.message_id, sent.headers) == ("r1/1000007", {"event_number": 1_000_007})
    assert json.loads(sent.body) == {"run": "r1", "number": 1_000_007, **row}
    assert not sent.must_arrive


def test_an_event_says_its_run_and_number_whatever_its_row_says() -> None:
    """A row of a later version may have fields of these names."""
    sent = event_message("r1", 7, {"event": "later", "run": "other", "number": "ten"})
    assert json.loads(sent.body) == {"event": "later", "run": "r1", "number": 7}

"""What is lent: a borrower may do to it what it likes, and the lender sees nothing of that."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from hypothesis import given
from hypothesis import strategies as st

from glean.federation.grids import lent_records
from glean.federation.grids.lent_records import LentRecords
from tests.federation.grids.grid_calls import CONTENT, answer, ask, grid_of, value_of

NAMES = ("config", "arrays", "metrics", "more")


def lender() -> RecordDict:
    return RecordDict(
        {
            "config": ConfigRecord({"text": "a", "list": [1, 2]}),
            "arrays": ArrayRecord({"a": Array.from_numpy_ndarray(np.arange(3.0))}),
            "metrics": MetricRecord({"loss": [0.5]}),
        }
    )


def put(records: RecordDict, name: str) -> None:
    records[name] = ConfigRecord({"new": name})


def change(records: RecordDict, name: str) -> None:
    """Change a record, and what is in it, in place."""
    if name in records:
        record: Any = records[name]
        for value in record.values():
            if isinstance(value, list):
                value.append(value[0])
            if isinstance(value, Array):
                value.data = b"other"
        if isinstance(record, ConfigRecord):
            record["changed"] = True


def drop(records: RecordDict, name: str) -> None:
    records.pop(name, None)


def read(records: RecordDict, name: str) -> None:
    records.get(name)
    list(records.values())


ACTIONS = st.lists(st.tuples(st.sampled_from([put, change, drop, read]), st.sampled_from(NAMES)))


@given(ACTIONS)
def test_a_borrower_has_a_copy_and_the_lender_no_trace(actions: list[Any]) -> None:
    """Whatever is done to it is what would be done to a deep copy."""
    whole, before = lender(), lender()
    lent, copied = LentRecords(whole), copy.deepcopy(whole)
    for action, name in actions:
        action(lent, name)
        action(copied, name)
    assert lent == copied
    assert dict(lent.items()) == dict(copied.items())
    assert whole == before


@given(ACTIONS, ACTIONS)
def test_what_is_lent_on_is_as_it_was_then(first: list[Any], second: list[Any]) -> None:
    """The second borrower's changes don't reach the first, nor the other way round."""
    lent = LentRecords(lender())
    for action, name in first:
        action(lent, name)
    then = copy.deepcopy(dict(lent.items()))
    further = LentRecords(lent)
    for action, name in second:
        action(further, name)
    assert dict(lent.items()) == then


def test_a_record_that_is_put_is_the_one_that_is_there() -> None:
    """A borrower that keeps hold of what it has put goes on writing into it."""
    lent = LentRecords(lender())
    mine = ConfigRecord({"n": 1})
    lent["config"] = mine
    mine["n"] = 2
    assert lent["config"] is mine
    del lent["config"]
    lent["config"] = mine
    assert lent["config"] is mine


def test_a_copy_is_plain_and_its_own() -> None:
    """Flower's own `copy` shares the records, as it always does."""
    whole = lender()
    copied: Any = LentRecords(whole).copy()
    assert type(copied) is RecordDict
    assert copied == whole
    mine: Any = copied["config"]
    mine["text"] = "b"
    assert whole == lender()


def test_only_what_is_looked_at_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state's arrays cost nothing in a message that doesn't want them."""
    seen: list[Any] = []
    copied = lent_records._copied

    def counted(record: Any) -> Any:
        seen.append(record)
        return copied(record)

    monkeypatch.setattr(lent_records, "_copied", counted)
    whole = lender()
    lent = LentRecords(whole)
    assert "arrays" in lent
    assert len(lent) == 3
    lent["config"], lent["config"], lent.get("config")
    assert len(seen) == 1
    assert seen[0] is whole["config"]


def test_a_failing_client_leaves_no_trace_in_what_is_inside_its_state() -> None:
    """Not in a list, nor in an array that it changed in place before it raised."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        if "kept" not in context.state:
            context.state["kept"] = ConfigRecord({"list": [1]})
            context.state["array"] = ArrayRecord({"a": Array.from_numpy_ndarray(np.zeros(2))})
            return answer(message, value=0)
        kept: Any = context.state["kept"]
        array = context.state.array_records["array"]["a"]
        found = len(kept["list"]) + int(array.numpy().sum())
        kept["list"].append(2)
        array.data = Array.from_numpy_ndarray(np.ones(2)).data
        if message.content.config_records["c"]["value"] == found:
            raise ValueError("no flour")
        return answer(message, value=found)

    grid = grid_of(app, nodes=1)
    ask(grid)
    for _ in range(2):
        (failed,) = ask(grid)
        assert failed.has_error()
    (host,) = grid._hosts.values()
    assert host.context.state.config_records["kept"]["list"] == [1]
    assert not host.context.state.array_records["array"]["a"].numpy().any()


def test_a_reply_is_written_onto_the_wire_as_a_plain_record() -> None:
    """Also where it is what the client was sent: Flower's server knows no other class."""
    app = ClientApp()

    @app.query()
    def query(message: Message, _context: Context) -> Message:
        return Message(message.content, reply_to=message)

    (reply,) = ask(grid_of(app, nodes=1))
    assert type(reply.content) is RecordDict
    assert reply.content.deflate() == CONTENT.deflate()


def test_what_was_sent_does_not_change_with_what_is_kept() -> None:
    """A reply that holds a record of the state tells what it was when it was sent."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        kept: Any = context.state.setdefault("c", ConfigRecord({"value": [0]}))
        kept["value"].append(len(kept["value"]))
        return Message(RecordDict({"c": kept}), reply_to=message)

    grid = grid_of(app, nodes=1)
    replies = [ask(grid)[0] for _ in range(3)]
    assert [value_of(reply) for reply in replies] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]

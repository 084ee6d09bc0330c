"""Messages as bytes: what comes back is what went in, and whatever else comes is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.proto.message_pb2 import Message as WireMessage
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.grids import message_codec
from glean.federation.grids.flower_internals import identity, number_message
from glean.federation.grids.message_codec import (
    decode_message,
    decode_records,
    encode_message,
    encode_record,
)

VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=100),
)


def records(config: dict[str, object]) -> RecordDict:
    return RecordDict(
        {
            "fields": ConfigRecord(config),  # type: ignore[arg-type]
            "arrays": ArrayRecord({"a": Array(np.arange(12.0).reshape(3, 4))}),
            "metrics": MetricRecord({"loss": 0.25, "counts": [1, 2]}),
        }
    )


def message_of(content: RecordDict | Error) -> Message:
    with identity(7, 1):
        asked = Message(RecordDict(), 12, "train.sum", group_id="3")
        number_message(asked)
    with identity(7, 12):
        message = Message(content, reply_to=asked)
        number_message(message)
    return message


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
def test_a_message_comes_back_as_it_went(config: dict[str, object]) -> None:
    """With its content and all that is said of it."""
    message = message_of(records(config))
    found = decode_message(encode_message(message))
    assert vars(found.metadata) == vars(message.metadata)
    assert found.content == message.content
    assert encode_message(found) == encode_message(message)


def test_an_error_comes_back_as_it_went() -> None:
    """With its code and its reason."""
    found = decode_message(encode_message(message_of(Error(2, "no rows: ü"))))
    assert (found.has_content(), found.error.code, found.error.reason) == (False, 2, "no rows: ü")


def test_records_of_a_state_come_back_one_by_one() -> None:
    """As many as there are, with their names."""
    state = records({"a": 1})
    assert decode_records(encode_record(name, state) for name in state) == state
    assert decode_records([]) == RecordDict()
    with pytest.raises(ModelError, match="can't be read"):
        decode_records([b"\xff\xff"])


def test_bytes_that_are_no_message_are_refused() -> None:
    """Cut short, changed and made up ones: a message or a refusal, and nothing else."""
    body = encode_message(message_of(records({"a": 1, "b": "text", "c": b"bytes"})))
    rng, refused = np.random.default_rng(1), 0
    for _ in range(2000):
        changed = bytearray(body[: rng.integers(len(body))] if rng.random() < 0.3 else body)
        for _ in range(rng.integers(1, 6)):
            if changed:
                changed[rng.integers(len(changed))] = rng.integers(256)
        try:
            decode_message(bytes(changed))
        except ModelError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"run_id": 2**63}, "run"),
        ({"src_node_id": 2**64 - 1}, "sender"),
        ({"dst_node_id": 2**63}, "receiver"),
        ({"group_id": "x" * 1000}, "name of 1000 characters"),
        ({"created_at": math.nan}, "isn't finite"),
        ({"ttl": math.inf}, "isn't finite"),
        ({"message_type": "no such"}, "can't be read"),
    ],
)
def test_what_is_said_of_a_message_has_limits(change: dict[str, object], wanted: str) -> None:
    """Each beyond them is refused by name."""
    wire = WireMessage.FromString(encode_message(message_of(RecordDict())))
    for name, value in change.items():
        setattr(wire.metadata, name, value)
    with pytest.raises(ModelError, match=wanted):
        decode_message(wire.SerializeToString())


def test_content_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither both nor none of content and error; each record once; not too many, not too long."""
    wire = WireMessage.FromString(encode_message(message_of(records({"a": 1}))))
    twice = WireMessage.FromString(wire.SerializeToString())
    twice.content.items.append(twice.content.items[0])
    with pytest.raises(ModelError, match="two records of one name"):
        decode_message(twice.SerializeToString())
    both = WireMessage.FromString(wire.SerializeToString())
    both.error.reason = "x"
    with pytest.raises(ModelError, match="both or none"):
        decode_message(both.SerializeToString())
    neither = WireMessage.FromString(wire.SerializeToString())
    neither.ClearField("content")
    with pytest.raises(ModelError, match="both or none"):
        decode_message(neither.SerializeToString())
    long = WireMessage.FromString(neither.SerializeToString())
    long.error.reason = "x" * 200_000
    with pytest.raises(ModelError, match="200000 characters"):
        decode_message(long.SerializeToString())
    monkeypatch.setattr(message_codec, "MOST_ENTRIES", 2)
    with pytest.raises(ModelError, match="3 records"):
        decode_message(wire.SerializeToString())
    monkeypatch.setattr(message_codec, "MOST_BYTES", 10)
    with pytest.raises(ModelError, match="wanted at most 10"):
        decode_message(wire.SerializeToString())
    with pytest.raises(ModelError, match="wanted at most 10"):
        encode_message(message_of(RecordDict()))

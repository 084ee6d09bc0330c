"""What travels: read again it is the same, and whatever is damaged is refused by name."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import astuple, fields
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.wire.compression import compress, decompress
from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    Task,
    TrainReply,
)
from glean.federation.wire.record_form import payload_bytes
from glean.federation.wire.sum_request import LEAVES, SCORES, SumRequest
from glean.metrics import ErrorSums
from tests.matrices import random_forest

AnyMessage = ClientInfo | Task | TrainReply | EvaluateReply | FinalReply

FINITE = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(0, 2**40)


def introductions() -> st.SearchStrategy[ClientInfo]:
    return st.builds(ClientInfo, partition=WHOLE)


def tasks() -> st.SearchStrategy[Task]:
    return st.builds(Task, round=WHOLE, learning_rate=FINITE)


def contributions() -> st.SearchStrategy[TrainReply]:
    return st.builds(TrainReply, weight=FINITE)


def scores() -> st.SearchStrategy[EvaluateReply]:
    return st.builds(EvaluateReply, sums=st.lists(FINITE, max_size=9).map(tuple))


@given(st.one_of(introductions(), tasks(), contributions(), scores(), st.builds(FinalReply)))
def test_what_is_sent_is_what_is_read(message: AnyMessage) -> None:
    """Every message survives the way through Flower's records, to the byte."""
    assert type(message).from_record(message.to_record()) == message


CONTRIBUTION = TrainReply(
    bakery="north",
    code="c0de",
    spec="d",
    lacks_model=False,
    weight=2.5,
    device="cpu",
    model=b"trees",
)


def with_field(name: str, value: Any) -> RecordDict:
    record = CONTRIBUTION.to_record()
    record.config_records["fields"][name] = value
    return record


@pytest.mark.parametrize("name", [item.name for item in fields(TrainReply)])
def test_a_missing_field_is_named(name: str) -> None:
    """Whichever field is left out, the refusal names it."""
    record = CONTRIBUTION.to_record()
    if name == "model":
        del record["model"]
    else:
        del record.config_records["fields"][name]
    with pytest.raises(ModelError, match=f"the message lacks '{name}'"):
        TrainReply.from_record(record)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("bakery", 7, "a str"),
        ("bakery", b"north", "a str"),
        ("lacks_model", 1, "a bool"),
        ("lacks_model", "False", "a bool"),
        ("weight", "2.5", "finite numbers"),
        ("weight", True, "finite numbers"),
        ("weight", [2.5], "finite numbers"),
        ("weight", math.nan, "finite numbers"),
        ("weight", math.inf, "finite numbers"),
        ("weight", 10**400, "finite numbers"),
    ],
)
def test_a_mistyped_field_is_named(name: str, value: Any, wanted: str) -> None:
    """The field, what was found and what was wanted stand in the refusal."""
    with pytest.raises(ModelError, match=f"field '{name}': found .*; wanted {wanted}"):
        TrainReply.from_record(with_field(name, value))


def test_a_whole_number_serves_where_a_number_is_wanted() -> None:
    """A weight of 3 is read as 3.0."""
    found = TrainReply.from_record(with_field("weight", 3)).weight
    assert (found, type(found)) == (3.0, float)


def record_of(array: Array) -> RecordDict:
    return RecordDict(
        {
            "fields": CONTRIBUTION.to_record().config_records["fields"],
            "model": ArrayRecord({"model": array}),
        }
    )


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


WHOLE_ARRAY = npy(np.frombuffer(b"trees", np.uint8))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04",
        npz(),
        npy(np.zeros(3)),
        npy(np.zeros((2, 2), np.uint8)),
        WHOLE_ARRAY[:-1],
        WHOLE_ARRAY + b"!",
        WHOLE_ARRAY.replace(b"(5,)", b"(9,)"),
        WHOLE_ARRAY.replace(b"(5,), }      ", b"(99999999,), }"),
        WHOLE_ARRAY.replace(b"|u1", b"|O8"),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_damaged_bytes_are_refused(data: bytes) -> None:
    """An array that is cut, grown, of another kind or lies about its size is refused unread."""
    assert data != WHOLE_ARRAY, "the damage changed nothing"
    array = Array(dtype="uint8", shape=(5,), stype="numpy.ndarray", data=data)
    with pytest.raises(ModelError, match="the message's bytes are damaged"):
        TrainReply.from_record(record_of(array))


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_model_error(data: bytes) -> None:
    """Nothing that a stranger puts into the array ends in another error."""
    array = Array(dtype="uint8", shape=(5,), stype="numpy.ndarray", data=data)
    with pytest.raises(ModelError):
        TrainReply.from_record(record_of(array))


@pytest.mark.parametrize(
    "record",
    [
        RecordDict(),
        RecordDict({"fields": ArrayRecord()}),
        RecordDict({"fields": ConfigRecord()}),
        RecordDict({"model": ConfigRecord({"model": b"x"})}),
    ],
)
def test_another_app_s_records_are_refused(record: RecordDict) -> None:
    """Records without Glean's fields are a model error for every kind of message."""
    for kind in (ClientInfo, Task, TrainReply, EvaluateReply, FinalReply):
        with pytest.raises(ModelError, match="the message lacks"):
            kind.from_record(record)


def score_record(sums: Any) -> RecordDict:
    flat = {"bakery": "north", "code": "c0de", "lacks_model": False, "sums": sums}
    return RecordDict({"fields": ConfigRecord(flat)})


@pytest.mark.parametrize(
    "sums", [["1"] * 7, [b"1"] * 7, [True] * 7, [1.0, math.nan], [math.inf] * 7, "1.0", 3.0]
)
def test_sums_that_are_not_finite_numbers_are_refused(sums: Any) -> None:
    """Text, truth values, infinities and single numbers are no list of sums."""
    with pytest.raises(ModelError, match="field 'sums'"):
        EvaluateReply.from_record(score_record(sums))


def test_error_sums_come_back_by_name() -> None:
    """The sums that a bakery sends are the ones that it made."""
    sums = ErrorSums.of([10.0, 0.0], [12.0, 1.0])
    score = EvaluateReply("north", "c0de", lacks_model=False, sums=astuple(sums))
    assert ErrorSums.from_values(EvaluateReply.from_record(score.to_record()).sums) == sums


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        ((1.0,) * 6, "found 6 sums of errors; wanted 7"),
        ((1.0, 1.0, 0.0, -1.0, 1.0, 1.0, 1.0), "found a negative sum of errors"),
    ],
)
def test_impossible_sums_are_refused(sums: tuple[float, ...], message: str) -> None:
    """A wrong number of sums, or a negative one that can't be, is a model error."""
    with pytest.raises(ModelError, match=message):
        ErrorSums.from_values(sums)


@pytest.mark.parametrize(
    ("parts", "contributes", "message"),
    [
        ((LEAVES,), (SCORES,), "wanted some of them"),
        ((LEAVES, SCORES, LEAVES), (LEAVES,), "wanted each once"),
    ],
)
def test_a_request_that_is_none_is_refused(
    parts: tuple[str, ...], contributes: tuple[str, ...], message: str
) -> None:
    """Of a part that is named twice a bakery would draw the noise twice, and count it once."""
    with pytest.raises(ModelError, match=message):
        SumRequest.from_json(SumRequest(parts, contributes).to_json())


def test_only_the_signed_error_may_be_negative() -> None:
    """Forecasts too low on the whole give a negative sum of signed errors."""
    score = EvaluateReply(
        "north", "c0de", lacks_model=False, sums=(1.0, 5.0, -2.0, 2.0, 4.0, 1.0, 0.4)
    )
    assert ErrorSums.from_values(score.sums).signed_error == -2.0


@given(st.binary(max_size=2000))
def test_the_payload_counts_every_byte_of_a_model(model: bytes) -> None:
    """What a model weighs is what it takes when squeezed, whatever is in it."""
    empty = payload_bytes(Task(1, "{}", "", "s", 0.1, newcomer=False, model=b"").to_record())
    full = payload_bytes(Task(1, "{}", "", "s", 0.1, newcomer=False, model=model).to_record())
    assert full - empty == len(compress(model))


@given(st.binary(max_size=2000))
def test_what_is_compressed_comes_back(content: bytes) -> None:
    """And a model of many trees shrinks to a third at most."""
    assert decompress(compress(content)) == content
    trees = random_forest(40).to_bytes()
    assert decompress(compress(trees)) == trees
    assert len(compress(trees)) < len(trees) / 3


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"!", lambda b: b[:5] + b[6:]])
def test_damaged_compressed_bytes_are_refused(damage: Callable[[bytes], bytes]) -> None:
    """Cut, grown or changed."""
    with pytest.raises(ModelError, match="the message's model"):
        decompress(damage(compress(random_forest(3).to_bytes())))


def test_a_small_message_can_t_become_a_huge_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking ends where a model would be larger than any is."""
    monkeypatch.setattr("glean.federation.wire.compression.MOST_BYTES", 1000)
    with pytest.raises(ModelError, match="cut short, too large"):
        decompress(zlib.compress(b"0" * 1001))


def test_the_payload_counts_the_fields() -> None:
    """Without arrays the payload is the text of keys and values."""
    assert payload_bytes(RecordDict()) == 0
    assert payload_bytes(RecordDict({"a": ConfigRecord({"key": "value", "raw": b"12"})})) == 13

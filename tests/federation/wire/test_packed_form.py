"""Messages of which there are many, as one piece of bytes: the same when read, or refused."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.federation.wire.packed_form import BESIDE
from glean.federation.wire.record_form import Packed
from glean.federation.wire.sum_messages import KeyReply, SumReply, SumTask, UnmaskResult, UnmaskTask

FINITE = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**63), 2**63 - 1)
PIECES = st.one_of(st.binary(max_size=99), st.sampled_from([b"v" * (BESIDE - 1), b"v" * BESIDE]))
AnyMessage = SumTask | SumReply | KeyReply | UnmaskTask

TASK = SumTask(
    round=3,
    spec="{}",
    base="",
    state="s",
    learning_rate=0.1,
    newcomer=False,
    model=b"trees",
    number=7,
    request="{}",
    structures=b"",
    participants=b"\x0f",
    cohort=b"",
)
REPLY = SumReply(
    bakery="Bäckerei Süd",
    code="c0de",
    spec="d",
    lacks_model=False,
    lacks_keys=True,
    device="cpu",
    sums=(1.0, 2.5),
    proposal=b"",
    vector=b"v" * BESIDE,
)


def messages() -> st.SearchStrategy[AnyMessage]:
    return st.one_of(
        st.builds(
            SumTask, round=WHOLE, number=WHOLE, learning_rate=FINITE, model=PIECES, cohort=PIECES
        ),
        st.builds(SumReply, sums=st.lists(FINITE, max_size=9).map(tuple), vector=PIECES),
        st.builds(KeyReply),
        st.builds(UnmaskTask, request=PIECES),
    )


def pieces_of(record: RecordDict) -> dict[str, Any]:
    return dict(record.config_records["message"])


def record_of(pieces: dict[str, Any]) -> RecordDict:
    return RecordDict({"message": ConfigRecord(pieces)})


@given(messages())
def test_what_is_sent_is_what_is_read(message: AnyMessage) -> None:
    """Every message survives the way through Flower's records, to the byte."""
    assert type(message).from_record(message.to_record()) == message


def test_no_kind_of_message_is_read_as_another() -> None:
    """Whose fields may be alike: a key that is asked for is no share that is."""
    for message in (
        TASK,
        REPLY,
        KeyReply("north", "c0de", b"key"),
        UnmaskTask(newcomer=False, request=b"r"),
    ):
        others: set[type[Packed]] = {SumTask, SumReply, KeyReply, UnmaskResult, UnmaskTask}
        for kind in others - {type(message)}:
            with pytest.raises(ModelError, match=r"of another kind|holds .* bytes"):
                kind.from_record(message.to_record())


def test_flower_takes_the_records() -> None:
    """They are what its own constructors make, and survive its way onto the wire."""
    record = REPLY.to_record()
    assert record == record_of(pieces_of(record))
    assert SumReply.from_record(RecordDict.inflate(record.deflate(), record.children)) == REPLY


def test_large_pieces_are_not_copied() -> None:
    """A vector stands in the record as it is, and in the message that is read."""
    record = REPLY.to_record()
    assert pieces_of(record)["vector"] is REPLY.vector
    assert SumReply.from_record(record).vector is REPLY.vector


def test_very_large_pieces_go_as_arrays() -> None:
    """Flower sends more than a megabyte in pieces only where it is an array."""
    large = replace(REPLY, vector=bytes(2**20 + 1))
    record = large.to_record()
    assert isinstance(record["vector"], ArrayRecord)
    assert SumReply.from_record(record) == large


def test_many_bakeries_of_a_process_share_the_task_that_they_are_sent() -> None:
    """Read once, as it can't be changed."""
    record = TASK.to_record()
    assert SumTask.from_record(record) is SumTask.from_record(record)
    assert SumTask.from_record(replace(TASK, number=8).to_record()).number == 8


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_model_error(content: bytes) -> None:
    """Nothing that a stranger puts into the record ends in another error."""
    for kind in (SumTask, SumReply):
        with pytest.raises(ModelError):
            kind.from_record(record_of({"message": content}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1],
        lambda whole: whole + b"!",
        lambda whole: whole[:30],
        lambda whole: b"\xff" * 8 + whole[8:],
        lambda whole: whole[:8] + b"\xff" * 8 + whole[16:],
        lambda whole: whole.replace("ä".encode(), b"\xff\xfe"),
    ],
)
def test_damaged_bytes_are_refused(damage: Callable[[bytes], bytes]) -> None:
    """Cut, grown, with a length beyond all bounds, or with a text that is none."""
    pieces = pieces_of(REPLY.to_record())
    changed = damage(pieces["message"])
    assert changed != pieces["message"], "the damage changed nothing"
    with pytest.raises(ModelError, match="the message"):
        SumReply.from_record(record_of(pieces | {"message": changed}))


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"vector": REPLY.vector[1:]},
        {"vector": REPLY.vector + b"!"},
        {"proposal": REPLY.vector},
        {"vector": REPLY.vector, "more": b""},
        {"vector": "text"},
        {"vector": [1.0]},
    ],
    ids=str,
)
def test_other_pieces_beside_are_refused(beside: dict[str, Any]) -> None:
    """Missing, of another length, under another name, too many, or no bytes."""
    pieces = pieces_of(REPLY.to_record())
    with pytest.raises(ModelError, match="the message"):
        SumReply.from_record(record_of({"message": pieces["message"]} | beside))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    """Whether alone or among others."""
    with pytest.raises(ModelError, match=r"field 'learning_rate': found .*; wanted finite numbers"):
        SumTask.from_record(replace(TASK, learning_rate=number).to_record())
    with pytest.raises(ModelError, match=r"field 'sums': found .*; wanted finite numbers"):
        SumReply.from_record(replace(REPLY, sums=(1.0, number)).to_record())


def test_a_truth_value_is_0_or_1() -> None:
    """A number in its place is none."""
    unmask: Any = UnmaskTask(newcomer=2, request=b"")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="field 'newcomer': found 2; wanted 0 or 1"):
        UnmaskTask.from_record(unmask.to_record())


@pytest.mark.parametrize(
    "record",
    [
        RecordDict(),
        RecordDict({"message": ArrayRecord()}),
        RecordDict({"message": ConfigRecord()}),
        RecordDict({"message": ConfigRecord({"message": "text"})}),
        RecordDict({"model": ConfigRecord({"model": b"x"})}),
    ],
)
def test_another_app_s_records_are_refused(record: RecordDict) -> None:
    """Records without Glean's piece of bytes are a model error."""
    for kind in (SumTask, SumReply, KeyReply):
        with pytest.raises(ModelError, match="the message"):
            kind.from_record(record)


@pytest.mark.parametrize("kind", [TASK, REPLY])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_message_is_few_of_flower_s_objects(kind: SumTask | SumReply, pieces: int) -> None:
    """Between machines each is fetched by itself: two, however many pieces are long."""
    names = ("model", "cohort") if isinstance(kind, SumTask) else ("vector", "proposal")
    long = {name: secrets.token_bytes(50_000) for name in names[:pieces]}
    record = replace(kind, **long).to_record()  # type: ignore[arg-type]
    assert type(kind).from_record(record) == replace(kind, **long)  # type: ignore[arg-type]
    assert sorted(type(one).__name__ for one in get_all_nested_objects(record).values()) == [
        "ConfigRecord",
        "RecordDict",
    ]

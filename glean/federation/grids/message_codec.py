"""A message of Flower's as bytes, and back: what travels where no SuperLink carries it.

It is Flower's own protobuf, so that nothing that arrives is run. Whatever else comes is refused in
plain words: the bytes are those of another machine. The imports from Flower's inner parts that this
takes stand here; `tests/federation/grids/test_message_codec.py` runs them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from flwr.app import Message, RecordDict
from flwr.common.serde import (
    message_from_proto,
    message_to_proto,
    recorddict_from_proto,
    recorddict_to_proto,
)
from flwr.proto.message_pb2 import Message as WireMessage
from flwr.proto.recorddict_pb2 import RecordDict as WireRecords
from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # it has no types

from glean.errors import ModelError

MOST_BYTES = 2**28
"""A message in whole; the models of all workloads here are far smaller."""

MOST_ENTRIES = 100_000
"""Records of a message, and entries of one."""

_LONGEST_NAME = 256
_LONGEST_REASON = 100_000
_LARGEST_NUMBER = 2**63


def encode_message(message: Message) -> bytes:
    """Write a message, or an error reply, with all that Flower says of it.

    Raises
    ------
    ModelError
        It is larger than what is carried.
    """
    body: bytes = message_to_proto(message).SerializeToString()
    _check_size(len(body))
    return body


def decode_message(body: bytes) -> Message:
    """Read what `encode_message` wrote.

    Raises
    ------
    ModelError
        It is something else, or beyond a limit.
    """
    _check_size(len(body))
    try:
        wire = WireMessage.FromString(body)
        _check_metadata(wire)
        _check_content(wire)
        found: Message = message_from_proto(wire)
    except DecodeError as error:
        raise ModelError(f"found {len(body)} bytes that are no message; wanted one") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"the message can't be read: {error!s:.200}") from error
    return found


def encode_record(name: str, records: RecordDict) -> bytes:
    """Write one record of several, with its name."""
    body: bytes = recorddict_to_proto(RecordDict({name: records[name]})).SerializeToString()
    return body


def decode_records(bodies: Iterable[bytes]) -> RecordDict:
    """Read records that `encode_record` wrote.

    Raises
    ------
    ModelError
        One of them is something else.
    """
    found = RecordDict()
    try:
        for body in bodies:
            for name, record in recorddict_from_proto(WireRecords.FromString(body)).items():
                found[name] = record
    except (DecodeError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"a kept record can't be read: {error!s:.200}") from error
    return found


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise ModelError(f"found a message of {size:,} bytes; wanted at most {MOST_BYTES:,}")


def _check_metadata(wire: WireMessage) -> None:
    told = wire.metadata
    for name, number in (
        ("run", told.run_id),
        ("sender", told.src_node_id),
        ("receiver", told.dst_node_id),
    ):
        if not 0 <= number < _LARGEST_NUMBER:
            raise ModelError(f"the message's {name}: found {number}; wanted one from 0 to 2^63")
    texts = (told.message_id, told.reply_to_message_id, told.group_id, told.message_type)
    longest = max(len(text) for text in texts)
    if longest > _LONGEST_NAME:
        raise ModelError(
            f"the message: found a name of {longest} characters; wanted at most {_LONGEST_NAME}"
        )
    if not (math.isfinite(told.created_at) and math.isfinite(told.ttl)):
        raise ModelError("the message: found a time that isn't finite; wanted seconds")


def _check_content(wire: WireMessage) -> None:
    if wire.HasField("content") == wire.HasField("error"):
        raise ModelError("the message: found both or none of content and error; wanted one of them")
    if len(wire.error.reason) > _LONGEST_REASON:
        raise ModelError(
            f"the message: found an error of {len(wire.error.reason)} characters; wanted at most "
            f"{_LONGEST_REASON}"
        )
    most = max([len(wire.content.items), *_entries(wire.content)])
    if most > MOST_ENTRIES:
        raise ModelError(f"the message: found {most} records; wanted at most {MOST_ENTRIES}")
    names = [item.key for item in wire.content.items]
    if len(set(names)) != len(names):
        raise ModelError("the message: found two records of one name; wanted each once")


def _entries(content: WireRecords) -> Iterator[int]:
    for item in content.items:
        kind = item.WhichOneof("value")
        if kind is not None:
            yield len(getattr(item, kind).items)

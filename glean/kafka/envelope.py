"""What stands in a record of a topic: a signed head, and one chunk of a message.

Each record proves itself: the signature covers the head (which federation, run, sender, receiver
and message, how large the whole is and its BLAKE2b) and which chunk this is, with the chunk's own
BLAKE2b. So nobody else can add a chunk to somebody's message, and what was changed on its way is
known before it is put to anything.

    mark | length of the head, 2 bytes | head, JSON | index, 4 | count, 4 | BLAKE2b of the chunk, 32
    | signature of all before, 64 | chunk
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from glean.errors import FederationError
from glean.privacy.envelope_signature import SIGNATURE_BYTES, EnvelopeKeys, EnvelopeSigner

MARK = b"glean kafka 1\n"
SERVER = ""
"""The server's name as a sender and as a receiver."""

EVERYONE = "*"

RUN, END = "run", "end"
MESSAGE, ACKNOWLEDGEMENT = "message", "acknowledgement"
REPLY = "reply"
HEARTBEAT = "heartbeat"
KINDS = frozenset({RUN, END, MESSAGE, ACKNOWLEDGEMENT, REPLY, HEARTBEAT})
_LARGE = frozenset({MESSAGE, REPLY})

LARGEST_HEAD = 4096
LARGEST_CHUNK = 8 * 2**20
LARGEST_MESSAGE = 2**28
"""As large as a message of Flower's may be, see `federation/grids/message_codec.py`."""

LARGEST_NOTICE = 2**20
"""Of what is neither a message nor its reply: settings, names of messages, a reason."""

_DIGEST_BYTES = 32
_PLACE = 4
_LONGEST_TEXT = 200
_TEXTS = (
    "federation", "sender", "receiver", "kind", "message_id", "reply_to", "digest",
)  # fmt: skip


class EnvelopeError(FederationError):
    """A record isn't taken.

    Parameters
    ----------
    reason : str
        Why, in the words by which such records are counted.
    text : str
        The same as a sentence.
    """

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True)
class EnvelopeHead:
    """What is said of a message, the same in each of its records.

    Parameters
    ----------
    federation : str
        Its federation.
    run : int
        Number of its run, drawn by each process that serves one: a run that is resumed has another.
    sender, receiver : str
        Members' names; "" for the server, "*" for all.
    kind : str
        One of `KINDS`.
    message_id, reply_to : str
        Its name, and that of the message that it answers, "" for none.
    sequence : int
        Goes up with each that a process sends.
    made_at : float
        When it was made, in seconds since 1970.
    size : int
        Bytes of the whole.
    digest : str
        BLAKE2b of the whole, 256 bits, hexadecimal.
    """

    federation: str
    run: int
    sender: str
    receiver: str
    kind: str
    message_id: str
    reply_to: str
    sequence: int
    made_at: float
    size: int
    digest: str

    def to_bytes(self) -> bytes:
        """Write it."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        EnvelopeError
            It is something else.
        """
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _unreadable("its head is no JSON") from error
        if not isinstance(found, dict) or found.keys() != cls.__dataclass_fields__.keys():
            raise _unreadable("its head has other fields")
        _check_fields(found)
        return cls(**found)


@dataclass(frozen=True)
class Chunk:
    """One chunk of a message, proved to be its sender's.

    Parameters
    ----------
    head : EnvelopeHead
        Of the message.
    index, count : int
        Which, from 0, of how many.
    data : bytes
        The chunk.
    """

    head: EnvelopeHead
    index: int
    count: int
    data: bytes


def digest_of(content: bytes) -> str:
    """Give the BLAKE2b of a whole message, as its head has it."""
    return _digest(content).hex()


def write_chunk(chunk: Chunk, signer: EnvelopeSigner) -> bytes:
    """Write a record."""
    head = chunk.head.to_bytes()
    assert len(head) <= LARGEST_HEAD, "names in a head are short"
    place = chunk.index.to_bytes(_PLACE, "big") + chunk.count.to_bytes(_PLACE, "big")
    statement = MARK + len(head).to_bytes(2, "big") + head + place + _digest(chunk.data)
    return statement + signer.sign(statement) + chunk.data


def read_head(record: bytes) -> EnvelopeHead:
    """Read only whom a record is from and for; nothing of it is proved yet.

    Raises
    ------
    EnvelopeError
        It is no envelope.
    """
    return EnvelopeHead.from_bytes(_head_bytes(record))


def read_chunk(record: bytes, keys: EnvelopeKeys) -> Chunk:
    """Read a record, and check all that it says of itself.

    Parameters
    ----------
    record : bytes
        As `write_chunk` wrote it, or anything else.
    keys : EnvelopeKeys
        Of those whose records are taken.

    Raises
    ------
    EnvelopeError
        It isn't one, was changed on its way, or isn't by whom it names.
    """
    head_bytes = _head_bytes(record)
    head = EnvelopeHead.from_bytes(head_bytes)
    at = len(MARK) + 2 + len(head_bytes)
    signed_to = at + 2 * _PLACE + _DIGEST_BYTES
    data_at = signed_to + SIGNATURE_BYTES
    if len(record) < data_at:
        raise _unreadable("it ends too early")
    index = int.from_bytes(record[at : at + _PLACE], "big")
    count = int.from_bytes(record[at + _PLACE : at + 2 * _PLACE], "big")
    data = record[data_at:]
    if not keys.knows(head.sender):
        raise EnvelopeError("unknown sender", f"{head.sender!r:.100} is no member")
    if _digest(data) != record[at + 2 * _PLACE : signed_to]:
        raise EnvelopeError("checksum", f"a chunk of {_named(head)} isn't what its checksum says")
    if not keys.signed(head.sender, record[signed_to:data_at], record[:signed_to]):
        raise EnvelopeError("signature", f"a chunk of {_named(head)} isn't signed by its key")
    _check_place(head, index, count, len(data))
    return Chunk(head, index, count, data)


def _head_bytes(record: bytes) -> bytes:
    if not record.startswith(MARK):
        raise _unreadable("it begins otherwise")
    at = len(MARK) + 2
    length = int.from_bytes(record[len(MARK) : at], "big")
    if length > LARGEST_HEAD or len(record) < at + length:
        raise _unreadable("its head has another length")
    return record[at : at + length]


def _check_fields(found: dict[str, Any]) -> None:
    for name in _TEXTS:
        if not _is_short_text(found[name]):
            raise _unreadable(f"{name} in its head is no short text")
    for name in ("run", "sequence", "size"):
        if type(found[name]) is not int or not 0 <= found[name] < 2**63:
            raise _unreadable(f"{name} in its head is no number of things")
    if type(found["made_at"]) is not float or not 0 <= found["made_at"] < 2**40:
        raise _unreadable("made_at in its head is no time")
    if found["kind"] not in KINDS:
        raise EnvelopeError("unknown kind", f"found an envelope of kind {found['kind']!r:.40}")
    most = LARGEST_MESSAGE if found["kind"] in _LARGE else LARGEST_NOTICE
    if found["size"] > most:
        raise EnvelopeError(
            "too large",
            f"found {found['size']:,} bytes of kind {found['kind']}; wanted at most {most:,}",
        )


def _is_short_text(found: object) -> bool:
    """Whether it can be written down too: JSON may have half a character, which no file takes."""
    if type(found) is not str or len(found) > _LONGEST_TEXT:
        return False
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_place(head: EnvelopeHead, index: int, count: int, length: int) -> None:
    fits = 0 < count <= max(head.size, 1) and index < count
    if not fits or length > min(head.size, LARGEST_CHUNK) or (length == 0) != (head.size == 0):
        raise EnvelopeError(
            "chunks that don't fit",
            f"{_named(head)}: found chunk {index} of {count}, {length:,} bytes of {head.size:,}",
        )


def _named(head: EnvelopeHead) -> str:
    return f"{head.kind} {head.message_id!r:.80} of {head.sender or 'the server'!r:.80}"


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _unreadable(how: str) -> EnvelopeError:
    return EnvelopeError("unreadable", f"a record is no envelope: {how}")

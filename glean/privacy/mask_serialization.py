"""What a bakery remembers of secure sums between two messages, as bytes.

A key pair or a `SecAggClient` comes in, bytes go out, and the other way round. They hold
private keys, so they stay in the bakery's own process or on its own disk.
"""

from __future__ import annotations

from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_pairs import PAIR_BYTES
from glean.privacy.mask_wire import Reader, text_field
from glean.privacy.secagg_client import SecAggClient, StepMemory
from glean.privacy.step_context import DIGEST_BYTES, StepContext

_KEY_MARK, _STATE_MARK = b"GK1", b"GS4"
_PRIVATE_BYTES = 32


def write_key(key_pair: KeyPair) -> bytes:
    """Write a key for which the cohort hasn't come yet."""
    return _KEY_MARK + _key_body(key_pair)


def read_key(content: bytes) -> KeyPair:
    """Read what `write_key` wrote.

    Raises
    ------
    SecureSumError
        It is something else.
    """
    reader = Reader(content, "saved key", mark=_KEY_MARK)
    key_pair = _read_key(reader)
    reader.end()
    return key_pair


def write_client(secagg_client: SecAggClient) -> bytes:
    """Write a client with its cohort, the keys that it made, and its last step."""
    return write_agreed(secagg_client) + write_step(secagg_client)


def write_agreed(secagg_client: SecAggClient) -> bytes:
    """Write what stays from step to step, once it has keys with all neighbours."""
    cohort = secagg_client.cohort.to_bytes()
    parts = [
        _STATE_MARK + _key_body(secagg_client.key_pair),
        len(cohort).to_bytes(4, "big") + cohort,
        len(secagg_client.keys.known).to_bytes(4, "big"),
        *(place.to_bytes(4, "big") + key for place, key in secagg_client.keys.known.items()),
    ]
    return b"".join(parts)


def write_step(secagg_client: SecAggClient) -> bytes:
    """Write what it did in its last step."""
    memory, size = secagg_client.memory, secagg_client.cohort.bitmap_bytes
    sent = memory.sent is not None
    sets = (memory.participants, memory.gone, memory.sent or 0)
    head = memory.step.to_bytes(8, "big") + bytes([sent])
    bitmaps = (bitmap.to_bytes(size, "big") for bitmap in sets)
    return b"".join((head, *bitmaps, memory.context.to_bytes(size), memory.opened))


def read_client(content: bytes) -> SecAggClient:
    """Read what `write_client` wrote.

    Raises
    ------
    SecureSumError
        It is something else.
    """
    reader = Reader(content, "saved state", mark=_STATE_MARK)
    key_pair = _read_key(reader)
    cohort = Cohort.from_bytes(reader.take(reader.number(4)))
    count = reader.number(4)
    pairs = {reader.number(4): reader.take(PAIR_BYTES) for _ in range(count)}
    step, sent, size = reader.number(8), reader.flag(), cohort.bitmap_bytes
    participants, gone, senders = (reader.number(size) for _ in range(3))
    context, opened = StepContext.read(reader, size), reader.take(DIGEST_BYTES)
    reader.end()
    memory = StepMemory(step, participants, gone, senders if sent else None, context, opened)
    return SecAggClient(key_pair, cohort, pairs=pairs, memory=memory)


def _key_body(key_pair: KeyPair) -> bytes:
    return text_field(key_pair.bakery) + text_field(key_pair.epoch) + key_pair.private_key


def _read_key(reader: Reader) -> KeyPair:
    return KeyPair(reader.text(), reader.text(), reader.take(_PRIVATE_BYTES))

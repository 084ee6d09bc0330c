"""Where a bakery keeps its keys for secure sums between two messages: in its node's own state.

What was agreed on and the last step stand there apart, as the first stays from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass

from flwr.app import ConfigRecord, RecordDict

from glean.federation.wire.record_form import config_record
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_serialization import (
    read_client,
    read_key,
    write_agreed,
    write_key,
    write_step,
)
from glean.privacy.secagg_client import SecAggClient

_NAME = "glean-masks"
_KEY, _AGREED, _STEP = "key", "agreed", "step"


@dataclass(frozen=True)
class _Held:
    """The last state that this process wrote of a client, and what it was written from."""

    secagg_client: SecAggClient
    pairs: int
    agreed: bytes
    step: bytes


_cached: dict[str, _Held] = {}
"""By client."""


def keep_key(key_pair: KeyPair, state: RecordDict) -> None:
    """Keep a key for which the cohort hasn't come yet, in place of all before."""
    state[_NAME] = ConfigRecord({_KEY: write_key(key_pair)})


def kept_key(state: RecordDict) -> KeyPair | None:
    """Give the key for which the cohort hasn't come yet; None where there is none."""
    record = _record(state)
    return read_key(_bytes(record, _KEY)) if _KEY in record else None


def load_client(bakery: str, state: RecordDict) -> SecAggClient | None:
    """Give a bakery's client with what it has agreed on and done; None where keys are lacking."""
    record = _record(state)
    if _AGREED not in record:
        return None
    agreed, step = _bytes(record, _AGREED), _bytes(record, _STEP)
    held = _cached.get(bakery)
    # The one in memory has gone on where a message failed after it; then the state counts.
    if held is None or (held.step, held.agreed) != (step, agreed):
        return read_client(agreed + step)
    return held.secagg_client


def save_client(secagg_client: SecAggClient, state: RecordDict) -> None:
    """Keep it; what was agreed on is written anew only where keys were added."""
    name, pairs, step = (
        secagg_client.key_pair.bakery,
        len(secagg_client.keys.known),
        write_step(secagg_client),
    )
    held = _cached.get(name)
    known = held is not None and (held.secagg_client, held.pairs) == (secagg_client, pairs)
    agreed = held.agreed if held is not None and known else write_agreed(secagg_client)
    state[_NAME] = config_record({_AGREED: agreed, _STEP: step})
    _cached[name] = _Held(secagg_client, pairs, agreed, step)


def _record(state: RecordDict) -> ConfigRecord:
    found = state.get(_NAME, ConfigRecord())
    assert isinstance(found, ConfigRecord), "Glean wrote it"
    return found


def _bytes(record: ConfigRecord, name: str) -> bytes:
    content = record[name]
    assert isinstance(content, bytes), "Glean wrote it"
    return content

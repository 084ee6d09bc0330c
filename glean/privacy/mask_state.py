"""What a bakery remembers of secure sums between two messages, as bytes.

A key or a masker comes in, bytes go out, and the other way round. They hold private keys, so they
stay in the bakery's own process or on its own disk.
"""

from __future__ import annotations

from glean.privacy.mask_keys import OwnKey
from glean.privacy.mask_pairs import PAIR_BYTES
from glean.privacy.mask_roster import Roster
from glean.privacy.mask_wire import Reader, text_field
from glean.privacy.masking import Masker, Turn

_KEY_MARK, _STATE_MARK = b"GK1", b"GS1"
_PRIVATE_BYTES = 32


def write_key(own: OwnKey) -> bytes:
    """Write a key for which the roster hasn't come yet."""
    return _KEY_MARK + _key_body(own)


def read_key(content: bytes) -> OwnKey:
    """Read what `write_key` wrote.

    Raises
    ------
    SecureSumError
        It is something else.
    """
    reader = Reader(content, "saved key", mark=_KEY_MARK)
    own = _read_key(reader)
    reader.end()
    return own


def write_masker(masker: Masker) -> bytes:
    """Write a masker with its last step, the keys that it made, and the roster."""
    turn, roster = masker.turn, masker.roster.to_bytes()
    size = masker.roster.mark_bytes
    sent = turn.sent is not None
    parts = [
        _STATE_MARK + _key_body(masker.own),
        len(roster).to_bytes(4, "big") + roster,
        turn.step.to_bytes(8, "big") + bytes([sent]),
        *(marks.to_bytes(size, "big") for marks in (turn.participants, turn.gone, turn.sent or 0)),
        len(masker.keys.known).to_bytes(4, "big"),
        *(place.to_bytes(4, "big") + key for place, key in masker.keys.known.items()),
    ]
    return b"".join(parts)


def read_masker(content: bytes) -> Masker:
    """Read what `write_masker` wrote.

    Raises
    ------
    SecureSumError
        It is something else.
    """
    reader = Reader(content, "saved state", mark=_STATE_MARK)
    own = _read_key(reader)
    roster = Roster.from_bytes(reader.take(reader.number(4)))
    step, sent, size = reader.number(8), reader.flag(), roster.mark_bytes
    participants, gone, senders = (reader.number(size) for _ in range(3))
    count = reader.number(4)
    pairs = {reader.number(4): reader.take(PAIR_BYTES) for _ in range(count)}
    reader.end()
    turn = Turn(step, participants, gone, senders if sent else None)
    return Masker(own, roster, pairs=pairs, turn=turn)


def _key_body(own: OwnKey) -> bytes:
    return text_field(own.bakery) + text_field(own.epoch) + own.private_key


def _read_key(reader: Reader) -> OwnKey:
    return OwnKey(reader.text(), reader.text(), reader.take(_PRIVATE_BYTES))

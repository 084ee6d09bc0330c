"""A bakery's keys for secure sums, kept in its node's own state from one message to the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.federation.participant import Participant
from glean.federation.step_messages import (
    KeysReply,
    KeysTask,
    OpeningReply,
    OpeningTask,
    StepTask,
)
from glean.federation.version import code_fingerprint
from glean.privacy.mask_keys import OwnKey
from glean.privacy.mask_messages import Question
from glean.privacy.mask_roster import Roster
from glean.privacy.mask_state import read_key, read_masker, write_key, write_masker
from glean.privacy.masking import Masker
from glean.privacy.members import read_members
from glean.settings import NodeSettings

Words = NDArray[np.int64]

_NAME = "glean-masks"
_KEY, _MASKER = "key", "masker"

_kept: dict[str, tuple[bytes, Masker]] = {}
"""By bakery: the last state that this process wrote, and what it was written from."""


class MaskHolder:
    """Masks the vectors of one bakery.

    Parameters
    ----------
    masker : Masker
        Its keys, and what it may not contradict.
    state : RecordDict
        The node's own state.
    """

    def __init__(self, masker: Masker, state: RecordDict) -> None:
        self._masker = masker
        self._state = state

    @classmethod
    def of(cls, bakery: Participant, task: StepTask, state: RecordDict) -> MaskHolder | None:
        """Get ready for a step; None where the keys for it aren't here.

        Raises
        ------
        SecureSumError
            The keys that came aren't those of members, or not for the key that was offered.
        SettingsError
            The bakery can't check them.
        """
        if task.roster and _KEY in _record(state):
            roster = Roster.from_bytes(task.roster)
            if bakery.sales.own_table:
                roster.verify(read_members(_file(bakery.node, "members")))
            masker = Masker(read_key(_bytes(state, _KEY)), roster)
            _save(masker, state)
            return cls(masker, state)
        found = _load(bakery.sales.name, state)
        return cls(found, state) if found else None

    def masked(self, words: Words, task: StepTask) -> bytes:
        """Mask a vector for a step.

        Raises
        ------
        SecureSumError
            The step can't be, or too few take part.
        """
        participants = int.from_bytes(task.participants, "big")
        masked = self._masker.mask(
            words.view(np.uint64), step=task.number, participants=participants
        )
        _save(self._masker, self._state)
        return masked.to_bytes()


def new_key(bakery: Participant, task: KeysTask, state: RecordDict) -> KeysReply:
    """Make a key, keep it, and give its public part; signed where the bakery is a real one.

    Raises
    ------
    SettingsError, SecureSumError
        It can't be signed.
    """
    own = OwnKey.new(bakery.sales.name, epoch=task.epoch)
    offer = own.offer
    if bakery.sales.own_table:
        offer = offer.signed(_file(bakery.node, "signing-key"), epoch=task.epoch)
    state[_NAME] = ConfigRecord({_KEY: write_key(own)})
    return KeysReply(bakery.sales.name, code_fingerprint(), offer.to_bytes())


def opening(bakery: Participant, task: OpeningTask, state: RecordDict) -> OpeningReply:
    """Answer what the server needs to open a sum.

    Raises
    ------
    SecureSumError
        It isn't to be answered: the question contradicts an earlier one, or too few are left.
    """
    masker = _load(bakery.sales.name, state)
    if masker is None:
        raise SettingsError("found no keys here for the sum; they went with the node's last state")
    answer = masker.answer(Question.from_bytes(task.question))
    _save(masker, state)
    return OpeningReply(bakery.sales.name, code_fingerprint(), answer.to_bytes())


def _load(bakery: str, state: RecordDict) -> Masker | None:
    if _MASKER not in _record(state):
        return None
    content = _bytes(state, _MASKER)
    held, masker = _kept.get(bakery, (b"", None))
    # The masker in memory has gone on where a message failed after it; then the state counts.
    if masker is None or held != content:
        masker = read_masker(content)
    return masker


def _save(masker: Masker, state: RecordDict) -> None:
    content = write_masker(masker)
    state[_NAME] = ConfigRecord({_MASKER: content})
    _kept[masker.own.bakery] = (content, masker)


def _record(state: RecordDict) -> ConfigRecord:
    found = state[_NAME] if _NAME in state else ConfigRecord()
    assert isinstance(found, ConfigRecord), "Glean wrote it"
    return found


def _bytes(state: RecordDict, name: str) -> bytes:
    content = _record(state)[name]
    assert isinstance(content, bytes), "Glean wrote it"
    return content


def _file(node: NodeSettings, key: str) -> bytes:
    path = {"members": node.members, "signing-key": node.signing_key}[key]
    if not path:
        raise SettingsError(
            f"node config: found no {key}; secure sums between machines want one, as `glean "
            "certificates` made it. Or let the operator run with secure-sums=false"
        )
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(
            f"node config {key}: {path} can't be read ({error.strerror})"
        ) from error

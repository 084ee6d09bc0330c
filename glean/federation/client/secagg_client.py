"""A client's keys for secure sums, stored in its node's own state from message to message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.federation.client.client import Client
from glean.federation.wire.sum_messages import (
    KeyReply,
    KeyTask,
    SumTask,
    UnmaskResult,
    UnmaskTask,
)
from glean.node_settings import NodeSettings
from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_messages import UnmaskRequest
from glean.privacy.mask_serialization import read_client, read_key, write_client, write_key
from glean.privacy.members import read_members
from glean.privacy.secagg_client import SecAggClient
from glean.regular_files import read_regular
from glean.runs.code_version import code_fingerprint

Encoded = NDArray[np.int64]

_NAME = "glean-masks"
_KEY, _CLIENT = "key", "client"

_cached: dict[str, tuple[bytes, SecAggClient]] = {}
"""By client: the last state that this process wrote, and what it was written from."""


class StoredSecAggClient:
    """Masks the vectors of one client.

    Parameters
    ----------
    secagg_client : SecAggClient
        Its keys, and what it may not contradict.
    state : RecordDict
        The node's own state.
    """

    def __init__(self, secagg_client: SecAggClient, state: RecordDict) -> None:
        self._secagg_client = secagg_client
        self._state = state

    @classmethod
    def of(cls, client: Client, task: SumTask, state: RecordDict) -> StoredSecAggClient | None:
        """Get ready for a sum; None where the keys for it aren't here.

        Raises
        ------
        SecureSumError
            The keys that came aren't those of members, or not for the key that was advertised.
        SettingsError
            The bakery can't check them.
        """
        if task.cohort and _KEY in _record(state):
            cohort = Cohort.from_bytes(task.cohort)
            if client.own_table:
                cohort.verify(read_members(_file(client.node, "members")))
            secagg_client = SecAggClient(read_key(_bytes(state, _KEY)), cohort)
            _save(secagg_client, state)
            return cls(secagg_client, state)
        found = _load(client.name, state)
        return cls(found, state) if found else None

    def masked(self, encoded: Encoded, task: SumTask) -> bytes:
        """Mask a vector for a sum.

        Raises
        ------
        SecureSumError
            The sum was masked before, or too few take part.
        """
        participants = int.from_bytes(task.participants, "big")
        masked = self._secagg_client.mask(
            encoded.view(np.uint64), step=task.number, participants=participants
        )
        _save(self._secagg_client, self._state)
        return masked.to_bytes()


def advertise_key(client: Client, task: KeyTask, state: RecordDict) -> KeyReply:
    """Make a key, keep it, and give its public part; signed where the bakery is a real one.

    Raises
    ------
    SettingsError, SecureSumError
        It can't be signed.
    """
    own = KeyPair.new(client.name, epoch=task.epoch)
    advertisement = own.advertisement
    if client.own_table:
        advertisement = advertisement.signed(_file(client.node, "signing-key"), epoch=task.epoch)
    state[_NAME] = ConfigRecord({_KEY: write_key(own)})
    return KeyReply(client.name, code_fingerprint(), advertisement.to_bytes())


def unmask_reply(client: Client, task: UnmaskTask, state: RecordDict) -> UnmaskResult:
    """Reply with what the server needs to unmask a sum.

    Raises
    ------
    SecureSumError
        The request contradicts an earlier one, or too few are left.
    """
    secagg_client = _load(client.name, state)
    if secagg_client is None:
        raise SettingsError("found no keys here for the sum; they went with the node's last state")
    answer = secagg_client.unmask(UnmaskRequest.from_bytes(task.request))
    _save(secagg_client, state)
    return UnmaskResult(client.name, code_fingerprint(), answer.to_bytes())


def _load(bakery: str, state: RecordDict) -> SecAggClient | None:
    if _CLIENT not in _record(state):
        return None
    content = _bytes(state, _CLIENT)
    held, secagg_client = _cached.get(bakery, (b"", None))
    # The one in memory has gone on where a message failed after it; then the state counts.
    if secagg_client is None or held != content:
        secagg_client = read_client(content)
    return secagg_client


def _save(secagg_client: SecAggClient, state: RecordDict) -> None:
    content = write_client(secagg_client)
    state[_NAME] = ConfigRecord({_CLIENT: content})
    _cached[secagg_client.key_pair.bakery] = (content, secagg_client)


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
        return read_regular(Path(path))
    except OSError as error:
        raise SettingsError(
            f"node config {key}: {path} can't be read ({error.strerror})"
        ) from error

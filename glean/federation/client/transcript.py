"""What a bakery was told of a sum, as one digest from which its masks derive.

A server that tells two bakeries different things gets noise from them: they share no masks. So
everything counts here that bears on what a vector means, and that an honest server tells all alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache

from glean.federation.wire.sum_messages import SumTask
from glean.privacy.members import Member
from glean.settings import RunSettings

_DOMAIN = b"glean sums: transcript 2"
_OWN = ("device",)
"""Settings that a bakery's own environment may change (`GLEAN_DEVICE`): not the server's word."""


def transcript_digest(
    task: SumTask, settings: RunSettings, members: Iterable[Member] = ()
) -> bytes:
    """Digest what a bakery was told of a sum.

    Parameters
    ----------
    task : SumTask
        What is asked. The part of the model that it brings isn't in the digest, as each bakery gets
        what it lacks; the name of the model's state is, which `check_state` holds it to.
    settings : RunSettings
        The run's, as this bakery was told.
    members : iterable of Member
        Those who take part, as this bakery's own list has them; none in a simulation. Where their
        keys are from a log of keys, its head counts too, as of the latest of these keys: all that
        the log said up to then.

    Returns
    -------
    bytes
        SHA-256, 32 bytes.
    """
    about = (
        task.number,
        task.round,
        task.spec,
        task.state,
        task.learning_rate,
        task.request,
        task.structures,
        task.participants,
    )
    return _digest(about, settings, tuple(members))


@lru_cache(maxsize=4)  # bakeries of one process are told the same
def _digest(
    about: tuple[object, ...],
    settings: RunSettings,
    listed: tuple[Member, ...],
) -> bytes:
    *fields, structures, participants = about
    fields += [
        {key: value for key, value in settings.to_config().items() if key not in _OWN},
        [[member.bakery, member.signing_key] for member in listed],
        max(((member.logged, member.log_head) for member in listed), default=()),
    ]
    digest = hashlib.sha256(_DOMAIN)
    for part in (json.dumps(fields, sort_keys=True).encode(), structures, participants):
        assert isinstance(part, bytes), "fields of a task"
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()

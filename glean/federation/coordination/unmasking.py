"""What takes the masks off sums is asked for: for all sums of a step in the same messages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.wire.sum_messages import UnmaskResult, UnmaskTask
from glean.privacy.mask_messages import UnmaskRequest
from glean.privacy.secagg_round import SecAggRound

UNMASK = "train.unmask"

Encoded = NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class MaskedSum:
    """A sum whose masked vectors have come.

    Parameters
    ----------
    summed : SecAggRound
        The server's side of it.
    check : callable
        Raises where the sum over those whose vectors count isn't to be opened.
    """

    summed: SecAggRound
    check: Callable[[tuple[str, ...]], None]

    def requests(self) -> dict[str, UnmaskRequest]:
        """Give what to ask next, by bakery; nothing once its masks are off.

        Raises
        ------
        SecureSumError
            Too few are left, or it isn't to be opened.
        FederationError
            It isn't to be opened.
        """
        found = self.summed.unmask_requests()
        if found:
            self.check(self.summed.counted)
        return found

    @property
    def senders(self) -> tuple[str, ...]:
        """Whose vectors are in the sum, once its masks are off."""
        return self.summed.counted

    def total(self) -> Encoded:
        """Give the sum, int64 of the vectors' length, once its masks are off.

        Raises
        ------
        SecureSumError
            Too few shares came, or wrong ones.
        """
        found: Encoded = self.summed.result().view(np.int64)
        return found


def unmask(
    manager: ClientManager, sums: Mapping[Key, MaskedSum], *, number: int
) -> dict[Key, FederationError | SecureSumError]:
    """Have sums unmasked that have no bakery in common.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    sums : mapping of hashable to MaskedSum
        By any key.
    number : int
        The round.

    Returns
    -------
    dict of hashable to exception
        Why a sum stays masked; the others' `result` can be taken.
    """
    stopped: dict[Key, FederationError | SecureSumError] = {}
    left = dict(sums)
    while left:
        asking: dict[str, tuple[MaskedSum, UnmaskRequest]] = {}
        for key, one in list(left.items()):
            try:
                requests = one.requests()
            except (FederationError, SecureSumError) as error:
                stopped[key], requests = error, {}
            asking |= {name: (one, request) for name, request in requests.items()}
            if not requests:
                del left[key]
        _ask(manager, asking, number)
    return stopped


def _ask(
    manager: ClientManager, asking: Mapping[str, tuple[MaskedSum, UnmaskRequest]], number: int
) -> None:
    records = {
        name: UnmaskTask(name in manager.newcomers, request.to_bytes()).to_record()
        for name, (_, request) in asking.items()
    }
    if not records:
        return
    for name, reply in manager.replies(UNMASK, records, UnmaskResult, number=number).items():
        taking = partial(asking[name][0].summed.take_reply, name, reply.answer)
        take(manager, name, number, taking)


def take(manager: ClientManager, name: str, number: int, taking: Callable[[], object]) -> None:
    """Take what a bakery sent, or write down why it can't be."""
    try:
        taking()
    except SecureSumError as error:
        manager.clients.report_failure(name, str(error), round_number=number)

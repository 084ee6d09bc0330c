"""What groups exchange for their sums: keys, vectors, shares; each time all groups at once.

The sums of a step have nobody in common. Each is masked among its own group, and opened or left
closed by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from flwr.app import RecordDict

from glean.errors import FederationError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.groups import Groups
from glean.federation.coordination.retries import ATTEMPTS
from glean.federation.coordination.secagg_server import (
    ADVERTISE_KEYS,
    SecAggServer,
    UnopenedError,
)
from glean.federation.coordination.sum_replies import trusted_replies
from glean.federation.coordination.sum_result import SumResult, plain_sum
from glean.federation.coordination.sum_task_records import record_maker
from glean.federation.coordination.unmasking import MaskedSum, unmask
from glean.federation.coordination.wanted_sum import WantedSum, fewest_contributors
from glean.federation.wire.sum_messages import KeyReply, SumReply
from glean.federation.wire.sum_request import SumRequest
from glean.privacy.mask_graph import FEWEST_BAKERIES

LOG = logging.getLogger("glean")

Wanted = Mapping[int, WantedSum]
"""By group."""


class GroupExchange:
    """Opens the sums of groups.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    groups : Groups
        Who adds up with whom.
    cohorts : CohortMemory
        Of whom what was opened.
    kind : str
        Type of the messages that ask for vectors.
    next_number : callable
        Gives the numbers of sums.

    Attributes
    ----------
    silent : set of str
        Who was asked in the last sums, and gave no vector that counts.
    """

    def __init__(
        self,
        manager: ClientManager,
        groups: Groups,
        cohorts: CohortMemory,
        *,
        kind: str,
        next_number: Callable[[], int],
    ) -> None:
        self._manager = manager
        self._groups = groups
        self._cohorts = cohorts
        self._kind = kind
        self._next_number = next_number
        self._numbers: dict[int, int] = {}
        self.silent: set[str] = set()
        self._secaggs = [SecAggServer(manager) for _ in range(groups.count)]

    def open_sums(self, wanted: Wanted) -> dict[int, SumResult]:
        """Open the sums of groups.

        Those whose masks are lost are made anew, as often as a phase is begun.

        Parameters
        ----------
        wanted : mapping of int to WantedSum
            By group.
        """
        opened: dict[int, SumResult] = {}
        left = wanted
        self.silent = set()
        for _ in range(ATTEMPTS):
            if not left:
                break
            found, left = self._step(left)
            opened |= found
        for place, result in opened.items():
            self._cohorts.note(wanted[place], result.replies)
        return dict(sorted(opened.items()))

    def _step(self, wanted: Wanted) -> tuple[dict[int, SumResult], Wanted]:
        """Ask all groups once: the sums that could be opened, and those to be made anew."""
        holders = self._with_keys(wanted)
        came = self._came(wanted, holders)
        opened: dict[int, SumResult] = {}
        masked: dict[int, MaskedSum] = {}
        lost: dict[int, SecureSumError] = {}
        for place, replies in came.items():
            one, secagg = wanted[place], self._secaggs[place]
            self.silent |= one.requests.keys() - replies.keys()
            with self._closing(place, one.number, lost):
                if not holders[place]:
                    self._check_opens(one, replies)
                    opened[place] = plain_sum(replies, one.requests, one.length)
                    continue
                secagg.agreed()
                self._check_opens(one, replies)
                masked[place] = secagg.begin(
                    self._numbers[place],
                    holders[place],
                    {name: reply.vector for name, reply in replies.items()},
                    length=one.length,
                    number=one.number,
                    check=partial(self._check_opens, one),
                )
        stopped = unmask(self._manager, masked, number=_number_of(wanted))
        for place, each in masked.items():
            with self._closing(place, wanted[place].number, lost):
                if place in stopped:
                    raise stopped[place]
                replies = {name: came[place][name] for name in each.senders}
                opened[place] = SumResult(replies, each.total(), wanted[place].requests)
        return opened, self._anew(wanted, came, lost)

    @contextmanager
    def _closing(self, place: int, number: int, lost: dict[int, SecureSumError]) -> Iterator[None]:
        """Note a group whose sum is lost, and say of one that stays closed why."""
        try:
            yield
        except (UnopenedError, FederationError) as stop:
            self._say_closed(place, number, stop)
        except SecureSumError as error:
            lost[place] = error

    def _with_keys(self, wanted: Wanted) -> dict[int, tuple[str, ...]]:
        """Name by group whose vectors are masked; nobody of a group whose are sent as they are.

        A group that is too small is missing.
        """
        number = _number_of(wanted)
        everybody = [name for one in wanted.values() for name in one.requests]
        self._manager.wait_for_quorum(number, len(self._manager.clients.present & {*everybody}))
        found: dict[int, tuple[str, ...]] = {}
        records: dict[str, RecordDict] = {}
        for place, one in wanted.items():
            there = self._secaggs[place].there(one.requests)
            asked = {name: one.requests[name] for name in there}
            if not self._manager.uses_secagg(fewest_contributors(one.requests)):
                found[place] = ()
            elif fewest_contributors(asked) >= max(FEWEST_BAKERIES, self._groups.floor):
                found[place] = there
                records |= self._secaggs[place].key_records(there)
        if not records:
            return found
        replies = self._manager.replies(ADVERTISE_KEYS, records, KeyReply, number=number)
        for place, there in list(found.items()):
            if there and there[0] in records:
                keys = {name: replies[name] for name in there if name in replies}
                try:
                    self._secaggs[place].take_keys(keys, number)
                except FederationError as stop:
                    self._say_closed(place, number, stop)
                    del found[place]
                else:
                    found[place] = self._secaggs[place].holders(there)
        return found

    def _came(
        self, wanted: Wanted, holders: Mapping[int, tuple[str, ...]]
    ) -> dict[int, dict[str, SumReply]]:
        """Ask everybody in one exchange; the replies that can be trusted, by group."""
        if not holders:
            return {}
        makers, asked = {}, dict[str, SumRequest]()
        for place, names in holders.items():
            one = wanted[place]
            part = {name: one.requests[name] for name in names or one.requests}
            self._numbers[place] = self._next_number()
            makers[place] = record_maker(
                part,
                number=self._numbers[place],
                structures=one.structures,
                masked=names,
                secagg=self._secaggs[place],
            )
            asked |= part
        one = next(iter(wanted.values()))
        replies = self._manager.request(
            self._kind,
            asked,
            one.model,
            number=one.number,
            form=SumReply,
            record_of=lambda name, task: makers[self._groups.places[name]](name, task),
        )
        return {
            place: trusted_replies(
                self._manager,
                wanted[place],
                {name: replies[name] for name in replies if self._groups.places[name] == place},
                secagg=self._secaggs[place] if names else None,
            )
            for place, names in holders.items()
        }

    def _check_opens(self, one: WantedSum, senders: Collection[str]) -> None:
        """Stop a group's sum that isn't to be opened over some senders.

        Raises
        ------
        UnopenedError
            It would tell of those who are missing.
        FederationError
            It would be of too few, or carry too little noise.
        """
        one.check_enough(senders)
        sent = fewest_contributors({name: one.requests[name] for name in senders})
        if sent < self._groups.floor:
            raise FederationError(
                f"found {sent} vectors; wanted {self._groups.floor} or more in each sum"
            )
        self._cohorts.check_opens(one, senders)

    def _anew(
        self,
        wanted: Wanted,
        came: Mapping[int, Mapping[str, SumReply]],
        lost: Mapping[int, SecureSumError],
    ) -> Wanted:
        """Give the sums of groups that are lost, to be made again by those who are left."""
        found: dict[int, WantedSum] = {}
        for place, error in lost.items():
            one, secagg = wanted[place], self._secaggs[place]
            secagg.abandon(str(error), one.number)
            usable = (came[place].keys() | secagg.without_keys) & self._manager.clients.present
            if not self._manager.requires_secagg:
                one = replace(one, requests={n: one.requests[n] for n in sorted(usable)})
            found[place] = one
        return found

    def _say_closed(self, place: int, number: int, why: Exception) -> None:
        names = ", ".join(self._groups.members[place])
        LOG.info("round %d: the sum of the group %s stays closed: %s", number, names, why)


def _number_of(wanted: Wanted) -> int:
    return next(iter(wanted.values())).number if wanted else 0

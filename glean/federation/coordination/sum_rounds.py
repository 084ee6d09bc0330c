"""Sums over all bakeries: each sends one vector, and only their sum counts; by secure sums, if on.

With masks a sum takes two exchanges, the vectors and the unmasking of their sum. A bakery that goes
in between spoils neither; its reply counts if its vector had come. Where too few are left to unmask
a sum it is lost, which is said, and those who are there make new keys and sum again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.errors import FederationError, ModelError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.reply_checks import check_length, check_sum_reply
from glean.federation.coordination.retries import ATTEMPTS, retries
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.coordination.sum_result import SumResult, Totals, plain_sum, totals_of
from glean.federation.wire.messages import Task, identity_of
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import TOTALS, SumRequest
from glean.federation.workload.registry import workload_of

SUM = "train.sum"

Encoded = NDArray[np.int64]


@dataclass(frozen=True)
class _Sum:
    """One sum to be made, as `SumRounds.run` is given it."""

    number: int
    model: GlobalModel | None
    requests: Mapping[str, SumRequest]
    length: int
    structures: bytes
    complete: bool
    at_least: int

    def absent(self, names: Collection[str]) -> frozenset[str]:
        """Name who keeps the sum unopened: contributors of its first part that aren't there."""
        return frozenset(
            name
            for name, request in self.requests.items()
            if self.complete and request.parts[0] in request.contributes and name not in names
        )

    def unopened(self, absent: frozenset[str]) -> SumResult:
        """Give the result without replies."""
        return SumResult({}, np.zeros(self.length, dtype=np.int64), self.requests, absent)


class SumRounds:
    """Has bakeries sum.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    """

    def __init__(self, manager: ClientManager) -> None:
        self.manager = manager
        self._secagg = SecAggServer(manager)
        self._number = 0
        self._totals: Totals | None = None

    def totals(self, number: int) -> Totals:
        """Sum up rows and weights, once a run.

        Not again when bakeries join: the difference of two sums would be the newcomer's summand.

        Raises
        ------
        FederationError
            Nobody has rows to learn from.
        """
        if self._totals is None:
            self._totals = self._summed_totals(number)
        return self._totals

    def run(
        self,
        number: int,
        model: GlobalModel | None,
        requests: Mapping[str, SumRequest],
        *,
        length: int,
        structures: bytes = b"",
        complete: bool = False,
        at_least: int = 0,
    ) -> SumResult:
        """Make one sum.

        Parameters
        ----------
        number : int
            The round.
        model : GlobalModel or None
            What it is about, if it is about a model.
        requests : mapping of str to SumRequest
            Who is asked what.
        length : int
            Numbers of the vector; 0 where nothing is summed.
        structures : bytes
            Model file of the trees whose leaves are wanted.
        complete : bool
            Whether it stays unopened, without replies, where one is missing who was asked for the
            first part.
        at_least : int
            Vectors that must have come before a masked sum is opened.

        Raises
        ------
        FederationError
            Vectors are to be masked, and too few bakeries are left for it, or fewer sent one than
            wanted.
        """
        wanted = _Sum(number, model, requests, length, structures, complete, at_least)
        left = dict(requests)
        lost = 0
        while length and self.manager.uses_secagg(_contributors(left)):
            names, replies = self._masked_replies(wanted, left)
            if absent := wanted.absent(replies):
                return wanted.unopened(absent)
            try:
                return self._unmasked(wanted, names, replies)
            except SecureSumError as error:
                self._secagg.abandon(str(error), number)
                lost += 1
                if lost == ATTEMPTS:
                    raise self._gave_up(number, lost, error) from error
            left = self._left_after_loss(wanted, replies)
        replies = self._ask(wanted, left)
        if absent := wanted.absent(replies):
            return wanted.unopened(absent)
        return plain_sum(replies, requests, length)

    def _gave_up(self, number: int, lost: int, error: SecureSumError) -> FederationError:
        said = self.manager.clients.last_failure
        last = f" The last reason that was given: {said}" if said else ""
        return FederationError(
            f"round {number}: {lost} secure sums were lost in a row: {error}.{last}"
        )

    def _masked_replies(
        self, wanted: _Sum, left: Mapping[str, SumRequest]
    ) -> tuple[tuple[str, ...], dict[str, SumReply]]:
        """Ask those who hold each other's keys for masked vectors; who they are, what came."""
        names = self._secagg.prepare(left, wanted.number)
        asked = {name: wanted.requests[name] for name in names}
        self._secagg.check(_contributors(asked), wanted.number)
        return names, self._ask(wanted, asked, masked=names)

    def _unmasked(
        self, wanted: _Sum, names: tuple[str, ...], replies: Mapping[str, SumReply]
    ) -> SumResult:
        if len(replies) < wanted.at_least:
            raise FederationError(
                f"round {wanted.number}: found {len(replies)} vectors for a sum that is opened "
                f"with {wanted.at_least} or more only, which carry the noise accounted for"
            )
        senders, total = self._secagg.total(
            self._number,
            names,
            {name: reply.vector for name, reply in replies.items()},
            length=wanted.length,
            number=wanted.number,
        )
        return SumResult({name: replies[name] for name in senders}, total, wanted.requests)

    def _left_after_loss(self, wanted: _Sum, replies: Collection[str]) -> dict[str, SumRequest]:
        if self.manager.requires_secagg:
            return dict(wanted.requests)
        # Who is there and sent nothing would do so again; the others can go on.
        usable = {*replies} | self._secagg.without_keys
        return {name: wanted.requests[name] for name in usable & self.manager.clients.present}

    def _ask(
        self, wanted: _Sum, asked: Mapping[str, SumRequest], *, masked: tuple[str, ...] = ()
    ) -> dict[str, SumReply]:
        """Ask everyone; the replies that can be trusted. Who lost its keys is none of them."""
        self._number += 1
        replies = self.manager.request(
            SUM,
            asked,
            wanted.model,
            number=wanted.number,
            form=SumReply,
            record_of=self._record_maker(asked, masked, wanted.structures),
        )
        found: dict[str, SumReply] = {}
        identity = identity_of(self.manager.spec)
        metrics = workload_of(self.manager.settings).metrics
        for name, reply in replies.items():
            try:
                check_sum_reply(reply, asked[name], identity=identity, metrics=metrics)
                if not masked:
                    check_length(reply.vector, wanted.length)
            except ModelError as error:
                self.manager.clients.report_failure(name, str(error), round_number=wanted.number)
            else:
                if masked and reply.lacks_keys:
                    self._secagg.forget_keys_of(name, wanted.number)
                else:
                    found[name] = reply
        return found

    def _record_maker(
        self, asked: Mapping[str, SumRequest], masked: tuple[str, ...], structures: bytes
    ) -> Callable[[str, Task], RecordDict]:
        """Give what makes a bakery's record of its task; most bakeries share one."""
        texts = self._request_texts(asked, masked=bool(masked))
        participants = self._secagg.bitmap(masked) if masked else b""
        records: dict[SumTask, RecordDict] = {}

        def record_of(name: str, task: Task) -> RecordDict:
            sum_task = SumTask(
                **vars(task),
                number=self._number,
                request=texts[asked[name]],
                structures=structures,
                participants=participants,
                cohort=self._secagg.cohort_for(name) if masked else b"",
            )
            if sum_task not in records:
                records[sum_task] = sum_task.to_record()
            return records[sum_task]

        return record_of

    def _request_texts(
        self, asked: Mapping[str, SumRequest], *, masked: bool
    ) -> dict[SumRequest, str]:
        """Write what bakeries are asked; of a masked sum the same for all, or it's noise."""
        if masked:
            return dict.fromkeys(
                asked.values(), SumRequest.shared(asked, self._secagg.members_of).to_json()
            )
        return {request: request.to_json() for request in {*asked.values()}}

    def _summed_totals(self, number: int) -> Totals:
        num_clients = len(self.manager.clients.registered)
        request = SumRequest((TOTALS,), (TOTALS,), num_clients=num_clients)
        for attempt in retries(self.manager, number):
            attempt.asked = sorted(self.manager.clients.present - attempt.spent)
            result = self.run(number, None, dict.fromkeys(attempt.asked, request), length=2)
            if result.replies:
                return totals_of(result.total, num_clients)
        raise self.manager.failed("the count of training rows")


def _contributors(requests: Mapping[str, SumRequest]) -> int:
    """Count the bakeries that contribute the part of the vector that the fewest contribute."""
    parts = {part for request in requests.values() for part in request.parts}
    return min(
        (sum(part in request.contributes for request in requests.values()) for part in parts),
        default=0,
    )

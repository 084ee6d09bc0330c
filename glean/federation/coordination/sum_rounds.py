"""Sums over all bakeries: each sends one vector, and only their sum counts; by secure sums, if on.

With masks a sum takes two exchanges, the vectors and the unmasking of their sum. A bakery that goes
in between spoils neither; its reply counts if its vector had come. Where too few are left to unmask
a sum it is lost, which is said, and those who are there make new keys and sum again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.errors import FederationError, ModelError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.reply_checks import check_length, check_sum_reply
from glean.federation.coordination.retries import ATTEMPTS, retries
from glean.federation.coordination.secagg_server import SecAggServer, UnopenedError
from glean.federation.coordination.sum_result import SumResult, Totals, plain_sum, totals_of
from glean.federation.coordination.wanted_sum import WantedSum, fewest_contributors
from glean.federation.wire.messages import Task, identity_of
from glean.federation.wire.opened_cohorts import VALIDATION
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import TOTALS, SumRequest
from glean.federation.workload.registry import workload_of

SUM = "train.sum"

Encoded = NDArray[np.int64]


class SumRounds:
    """Has bakeries sum.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.

    Attributes
    ----------
    cohorts : CohortMemory
        Of whom what was opened.

    Raises
    ------
    FederationError
        What a run that is resumed had opened can't be read.
    """

    def __init__(self, manager: ClientManager) -> None:
        self.manager = manager
        self.cohorts = CohortMemory(manager)
        self._secagg = SecAggServer(manager)
        self._number = 0

    def totals(self, number: int) -> Totals:
        """Sum up rows and weights, once a run.

        Not again when bakeries join: the difference of two sums would be the newcomer's summand.

        Raises
        ------
        FederationError
            Nobody has rows to learn from.
        """
        if self.cohorts.totals is None:
            self.cohorts.note_totals(self._summed_totals(number))
        assert self.cohorts.totals is not None, "they were noted"
        return self.cohorts.totals

    def scorers(self, *, without: Collection[str] = ()) -> tuple[str, ...]:
        """Name who scores in a sum: where there is a floor, the same as before, all or nobody."""
        drawn = self.manager.sample_evaluators(without=without)
        if self.manager.shows_scores:
            return drawn
        there = self.manager.clients.present - {*without}
        return self.cohorts.choose(VALIDATION, drawn, there=there, steady=True)

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
        """Make one sum; unopened, without replies, where it would tell of the few who are missing.

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
        wanted = WantedSum(number, model, requests, length, structures, complete, at_least)
        left = dict(requests)
        lost = 0
        while length and self.manager.uses_secagg(fewest_contributors(left)):
            names, replies = self._masked_replies(wanted, left)
            try:
                self._secagg.agreed()
                self._check_opens(wanted, replies)
                return self._noted(self._unmasked(wanted, names, replies))
            except UnopenedError as stop:
                return wanted.unopened(stop.absent)
            except SecureSumError as error:
                self._secagg.abandon(str(error), number)
                lost += 1
                if lost == ATTEMPTS:
                    raise self._gave_up(number, lost, error) from error
            left = self._left_after_loss(wanted, replies)
        replies = self._ask(wanted, left)
        try:
            self._check_opens(wanted, replies)
        except UnopenedError as stop:
            return wanted.unopened(stop.absent)
        return self._noted(plain_sum(replies, requests, length))

    def _check_opens(self, wanted: WantedSum, senders: Collection[str]) -> None:
        """Stop a sum over some senders that isn't to be opened.

        Raises
        ------
        UnopenedError
            Some are missing whom it would tell of.
        FederationError
            Nobody is missing, and it would tell of somebody all the same.
        """
        if absent := wanted.absent(senders):
            raise UnopenedError(absent)
        if near := self.cohorts.too_like(wanted.requests, senders):
            if missing := wanted.requests.keys() - {*senders}:
                raise UnopenedError(frozenset(missing))
            raise FederationError(
                f"round {wanted.number}: the sum over {', '.join(sorted(senders))} isn't opened: "
                f"one over {', '.join(sorted(near))} was, and the difference would tell of fewer "
                f"than {self.cohorts.floor}. Wait until those who are missing are back, or for "
                "newer rows"
            )

    def _noted(self, result: SumResult) -> SumResult:
        self.cohorts.note(result.requests, result.replies)
        return result

    def _gave_up(self, number: int, lost: int, error: SecureSumError) -> FederationError:
        said = self.manager.clients.last_failure
        last = f" The last reason that was given: {said}" if said else ""
        return FederationError(
            f"round {number}: {lost} secure sums were lost in a row: {error}.{last}"
        )

    def _masked_replies(
        self, wanted: WantedSum, left: Mapping[str, SumRequest]
    ) -> tuple[tuple[str, ...], dict[str, SumReply]]:
        """Ask those who hold each other's keys for masked vectors; who they are, what came."""
        names = self._secagg.prepare(left, wanted.number)
        asked = {name: wanted.requests[name] for name in names}
        self._secagg.check(fewest_contributors(asked), wanted.number)
        return names, self._ask(wanted, asked, masked=names)

    def _unmasked(
        self, wanted: WantedSum, names: tuple[str, ...], replies: Mapping[str, SumReply]
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
            check=partial(self._check_opens, wanted),
        )
        return SumResult({name: replies[name] for name in senders}, total, wanted.requests)

    def _left_after_loss(
        self, wanted: WantedSum, replies: Collection[str]
    ) -> dict[str, SumRequest]:
        if self.manager.requires_secagg:
            return dict(wanted.requests)
        # Who is there and sent nothing would do so again; the others can go on.
        usable = {*replies} | self._secagg.without_keys
        return {name: wanted.requests[name] for name in usable & self.manager.clients.present}

    def _ask(
        self, wanted: WantedSum, asked: Mapping[str, SumRequest], *, masked: tuple[str, ...] = ()
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
            attempt.asked = sorted(self._with_rows(number) - attempt.spent)
            result = self.run(number, None, dict.fromkeys(attempt.asked, request), length=2)
            if result.replies:
                return totals_of(result.total, num_clients)
        raise self.manager.failed("the count of training rows")

    def _with_rows(self, number: int) -> frozenset[str]:
        """Name who is asked for totals; with a floor only those who learn, who alone add to it."""
        if self.cohorts.floor and self.manager.settings.rounds.kind.sums:
            return frozenset(self.manager.present_trainers(number))
        return self.manager.clients.present

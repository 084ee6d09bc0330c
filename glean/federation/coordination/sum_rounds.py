"""Sums over all bakeries: each sends one vector, and only their sum counts; by secure sums, if on.

With masks a sum takes two exchanges, the vectors and the unmasking of their sum. A bakery that goes
in between spoils neither; its reply counts if its vector had come. Where too few are left to unmask
a sum it is lost, which is said, and those who are there make new keys and sum again. A sum that no
rows can have is refused, and made again; without masks it is a vector that is refused, and named.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import partial

from glean.aggregation.sum_bounds import SumBounds, without_rows
from glean.errors import ImpossibleSumError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.groups import Groups
from glean.federation.coordination.retries import ATTEMPTS, retries
from glean.federation.coordination.secagg_server import SecAggServer, UnopenedError
from glean.federation.coordination.sum_replies import trusted_replies
from glean.federation.coordination.sum_result import (
    SumResult,
    Totals,
    check_totals,
    plain_sum,
    totals_of,
)
from glean.federation.coordination.sum_task_records import record_maker
from glean.federation.coordination.unmasking import unmask
from glean.federation.coordination.wanted_sum import (
    Check,
    WantedSum,
    fewest_contributors,
    unchecked,
)
from glean.federation.wire.opened_cohorts import VALIDATION
from glean.federation.wire.packed_words import signed
from glean.federation.wire.sum_messages import SumReply
from glean.federation.wire.sum_request import TOTALS, SumRequest
from glean.learning.loss import Loss
from glean.runs.setback_events import SumRefused

LOG = logging.getLogger("glean")

SUM = "train.sum"


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
    groups : Groups or None
        In which sums are made; None where each is one over all.

    Raises
    ------
    FederationError
        What a run that is resumed had opened can't be read.
    """

    groups: Groups | None = None

    def __init__(self, manager: ClientManager) -> None:
        self.manager = manager
        self.cohorts = CohortMemory(manager)
        self._secagg = SecAggServer(manager)
        self._number = 0
        self._counted: frozenset[str] = frozenset()

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

    def bounds(self, number: int, contributors: Collection[str]) -> SumBounds:
        """Bound the sums of rows of some bakeries, by the totals.

        Raises
        ------
        FederationError
            As `totals`.
        """
        loss = Loss.of(self.manager.settings.boosting)
        if self.manager.settings.noise.wanted:
            return without_rows(loss, len(contributors))
        rows = self.totals(number).rows
        return SumBounds(loss, rows, 1 + len({*contributors} - self._counted))

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
        check: Check = unchecked,
    ) -> SumResult:
        """Make one sum; anew where it can't be, as often as a phase is begun.

        With noise it isn't made anew: that would be another release, which nobody accounts for. It
        stays unopened, without replies, where it would tell of the few who are missing.

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
        check : callable
            Refuses a sum that no rows can have.

        Raises
        ------
        ImpossibleSumError
            No rows can have the sum.
        FederationError
            Vectors are to be masked, and too few bakeries are left for it, or fewer sent one than
            wanted.
        """
        wanted = WantedSum(number, model, requests, length, structures, complete, at_least, check)
        attempts = 1 if self.manager.settings.noise.wanted else ATTEMPTS
        for attempt in range(1, attempts + 1):
            result = self._summed(wanted)
            self.cohorts.note(wanted, result.replies)
            try:
                if result.replies and length:
                    check(result.total)
            except ImpossibleSumError as error:
                self._report_refused(wanted, str(error))
                if attempt == attempts:
                    raise
            else:
                break
        return result

    def _summed(self, wanted: WantedSum) -> SumResult:
        """Make a sum, by secure sums where it is to be masked."""
        left = dict(wanted.requests)
        lost = 0
        while wanted.length and self.manager.uses_secagg(fewest_contributors(left)):
            names, replies = self._masked_replies(wanted, left)
            try:
                self._secagg.agreed()
                self.cohorts.check_opens(wanted, replies)
                return self._unmasked(wanted, names, replies)
            except UnopenedError as stop:
                return wanted.unopened(stop.absent)
            except SecureSumError as error:
                self._secagg.abandon(str(error), wanted.number)
                lost += 1
                if lost == ATTEMPTS:
                    raise self._secagg.gave_up(wanted.number, lost, error) from error
            left = self._left_after_loss(wanted, replies)
        replies = self._ask(wanted, left)
        try:
            self.cohorts.check_opens(wanted, replies)
        except UnopenedError as stop:
            return wanted.unopened(stop.absent)
        return plain_sum(replies, wanted.requests, wanted.length)

    def _report_refused(self, wanted: WantedSum, reason: str) -> None:
        event = SumRefused(wanted.number, wanted.parts, reason)
        self.manager.clients.folder.append_event(event)
        LOG.warning("round %d: %s", wanted.number, event.sentence)

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
        wanted.check_enough(replies)
        masked = self._secagg.begin(
            self._number,
            names,
            {name: reply.vector for name, reply in replies.items()},
            length=wanted.length,
            number=wanted.number,
            check=partial(self.cohorts.check_opens, wanted),
        )
        if stopped := unmask(self.manager, {0: masked}, number=wanted.number):
            raise stopped[0]
        found = {name: replies[name] for name in masked.senders}
        return SumResult(found, signed(masked.total(), wanted.word_bits), wanted.requests)

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
        self._next_number()
        replies = self.manager.request(
            SUM,
            asked,
            wanted.model,
            number=wanted.number,
            form=SumReply,
            record_of=record_maker(
                asked,
                number=self._number,
                structures=wanted.structures,
                masked=masked,
                secagg=self._secagg,
            ),
        )
        secagg = self._secagg if masked else None
        return trusted_replies(self.manager, wanted, replies, secagg=secagg)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _summed_totals(self, number: int) -> Totals:
        num_clients = len(self.manager.clients.registered)
        request = SumRequest((TOTALS,), (TOTALS,), num_clients=num_clients)
        for attempt in retries(self.manager, number):
            attempt.asked = sorted(self._with_rows(number) - attempt.spent)
            result = self.run(
                number,
                None,
                dict.fromkeys(attempt.asked, request),
                length=2,
                check=partial(check_totals, num_clients=num_clients),
            )
            if result.replies:
                self._counted = frozenset(result.replies)
                return totals_of(result.total, num_clients)
        raise self.manager.failed("the count of training rows")

    def _with_rows(self, number: int) -> frozenset[str]:
        """Name who is asked for totals; with a floor only those who learn, who alone add to it."""
        if self.cohorts.floor and self.manager.settings.rounds.kind.sums:
            return frozenset(self.manager.present_trainers(number))
        return self.manager.clients.present

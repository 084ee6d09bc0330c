"""Sums in groups: each group's is masked, opened and checked by itself, and the median counts.

One exchange asks all groups at once. What follows is the coordinate-wise median of the groups'
means, times the bakeries of all (`aggregation/robust_aggregation.py`), so that whoever lies moves
its own group's sum and little else. A group that can't be opened, or is off, is left out of a step.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.robust_aggregation import median_sum, off_groups
from glean.errors import ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.group_exchange import GroupExchange
from glean.federation.coordination.grouped_cohorts import GroupedCohorts
from glean.federation.coordination.groups import FILE, Groups
from glean.federation.coordination.quorum import own_floors
from glean.federation.coordination.sum_noise import noise_by_group
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SUM, SumRounds
from glean.federation.coordination.wanted_sum import Check, WantedSum, unchecked
from glean.federation.wire.sum_request import SCORES, WEIGHTS, SumRequest
from glean.federation.workload.registry import workload_of
from glean.privacy.noise_budget import relied_on
from glean.runs.setback_events import GroupLeftOut

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]
Floats = NDArray[np.float64]

MANY = 32
"""Numbers of a sum from which on a group can be told to be off by most of them."""

OFF_WORDS = "its sum is farther from the other groups' than chance makes, in most numbers"


class GroupedSums(SumRounds):
    """Has bakeries sum in groups.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    groups : Groups
        Who adds up with whom.

    Raises
    ------
    FederationError
        As `SumRounds`.
    """

    def __init__(self, manager: ClientManager, groups: Groups) -> None:
        super().__init__(manager)
        self.groups: Groups = groups
        self.cohorts = GroupedCohorts(manager, groups)
        self._exchange = GroupExchange(
            manager, groups, self.cohorts, kind=SUM, next_number=self._next_number
        )
        self._metrics = workload_of(manager.settings).metrics
        self._named: set[int] = set()

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
        """Make one sum of those of groups; parameters are those of `SumRounds.run`.

        Raises
        ------
        ImpossibleSumError
            Of half of the groups or more no sum could be opened, or none that can be.
        """
        whole = WantedSum(number, model, requests, length, structures, complete, at_least, check)
        if not length:
            return super().run(number, model, requests, length=0)
        usable = self._usable(whole, self.run_each(dict.fromkeys(range(self.groups.count), whole)))
        if len(usable) < self.groups.least:
            raise ImpossibleSumError(
                f"found {len(usable)} of {self.groups.count} groups whose sums of {whole.parts} "
                f"can be used; wanted {self.groups.least} or more"
            )
        return self._median(whole, usable)

    def run_each(self, wanted: Mapping[int, WantedSum]) -> dict[int, SumResult]:
        """Make a sum in each of some groups, all in one exchange.

        Parameters
        ----------
        wanted : mapping of int to WantedSum
            By group, each of its own; requests to others than its members are left out.

        Returns
        -------
        dict of int to SumResult
            What came of each that could be opened, and that rows can have; of the others those
            that no rows can have are named.
        """
        found: dict[int, SumResult] = {}
        for place, result in self._exchange.open_sums(self._by_group(wanted)).items():
            try:
                wanted[place].check(result.total)
            except ImpossibleSumError as error:
                self.leave_out(place, wanted[place].number, str(error))
            else:
                found[place] = result
        return found

    @property
    def silent(self) -> frozenset[str]:
        """Who was asked in the last sums, and gave no vector that counts."""
        return frozenset(self._exchange.silent)

    def without_off(
        self,
        found: Mapping[int, SumResult],
        numbers: Encoded | Floats,
        sizes: Floats,
        number: int,
        noise: Floats | None = None,
    ) -> dict[int, SumResult]:
        """Leave out groups that are off, which are named, as long as enough are left.

        Parameters
        ----------
        found : mapping of int to SumResult
            By group.
        numbers : array of shape (groups, n)
            Of each what is compared.
        sizes : float64 array of shape (groups,)
            What it is relative to.
        number : int
            The round.
        noise : float64 array of shape (groups,), optional
            Standard deviation of the noise in the numbers of each.
        """
        left = dict(found)
        if numbers.shape[1] >= MANY and len(found) >= self.groups.least:
            for place, off in zip(found, off_groups(numbers, sizes, noise), strict=True):
                if off and len(left) > self.groups.least:
                    self.leave_out(place, number, OFF_WORDS)
                    del left[place]
        return left

    def leave_out(self, place: int, number: int, reason: str) -> None:
        """Say that a group is left out of a step; once a run, as it may be so in every round."""
        event = GroupLeftOut(number, self.groups.members[place], reason)
        if place not in self._named:
            self.manager.clients.folder.append_event(event)
            LOG.warning("round %d: %s", number, event.sentence)
        self._named.add(place)

    def _by_group(self, wanted: Mapping[int, WantedSum]) -> dict[int, WantedSum]:
        """Part sums; in each group without scores that nobody in it gives."""
        found: dict[int, WantedSum] = {}
        for place, whole in wanted.items():
            names = [name for name in self.groups.members[place] if name in whole.requests]
            requests = {name: whole.requests[name] for name in names}
            length, at_least = whole.length, 0
            if self.manager.settings.noise.wanted:
                # The group's noise alone is what is accounted for.
                parties = self.groups.learning(place)
                at_least = relied_on(parties)
                requests = {n: replace(r, num_clients=parties) for n, r in requests.items()}
            if not any(SCORES in one.contributes for one in requests.values()):
                shorter = {n: _without_scores(one) for n, one in requests.items()}
                if shorter != requests:
                    requests, length = shorter, length - self._metrics.length()
                    requests = {n: one for n, one in requests.items() if one.contributes}
            if length and requests:
                found[place] = replace(whole, requests=requests, length=length, at_least=at_least)
        return found

    def _usable(self, whole: WantedSum, opened: Mapping[int, SumResult]) -> dict[int, SumResult]:
        """Leave out groups whose sum is off."""
        part, (sums, sizes, _) = _first(whole), self._stacked(whole, opened)
        senders = {place: _contributors(part, one) for place, one in opened.items()}
        noise = noise_by_group(self, part, senders)
        return self.without_off(opened, sums, sizes, whole.number, noise)

    def _stacked(
        self, whole: WantedSum, usable: Mapping[int, SumResult]
    ) -> tuple[Encoded, Floats, float]:
        """Stack the first part of groups' sums; what each is relative to, and all together are."""
        part, length = _first(whole), self._first_length(whole)
        totals = [result.total[:length] for result in usable.values()]
        sums = np.stack(totals) if totals else np.zeros((0, length), dtype=np.int64)
        if part == WEIGHTS:
            sizes = np.maximum(sums[:, -1].astype(np.float64), 1.0)
            return sums, sizes, float(np.median(sizes) * len(sizes)) if totals else 0.0
        sizes = np.array([_contributors(part, result) for result in usable.values()], float)
        return sums, np.maximum(sizes, 1.0), float(self._size(part, whole))

    def _first_length(self, whole: WantedSum) -> int:
        parts = next(iter(whole.requests.values())).parts
        scored = len(parts) > 1 and SCORES in parts
        return whole.length - self._metrics.length() * scored

    def _size(self, part: str, whole: WantedSum) -> int:
        """Count the bakeries that a part is of where nobody is missing."""
        giving = {name for name, one in whole.requests.items() if part in one.contributes}
        groups = self.groups
        return len(groups.trainers if giving <= groups.trainers else groups.places)

    def _median(self, whole: WantedSum, usable: Mapping[int, SumResult]) -> SumResult:
        """Make one result of the groups' that can be used; scores are read group by group."""
        part, first = _first(whole), self._first_length(whole)
        sums, sizes, size = self._stacked(whole, usable)
        total = np.zeros(whole.length, dtype=np.int64)
        total[:first] = median_sum(sums, sizes, size=size)
        replies = {n: reply for one in usable.values() for n, reply in one.replies.items()}
        return SumResult(
            dict(sorted(replies.items())),
            total,
            whole.requests,
            size=self._size(part, whole),
            groups=usable,
        )


def sums_of(manager: ClientManager) -> SumRounds:
    """Make what has bakeries sum: in groups where there are enough of them for the floor.

    One that wants more bakeries in each sum than most do is left out then, which is written down:
    its word would keep the others from being safe from each other.

    Raises
    ------
    FederationError
        What a run that is resumed had opened can't be read.
    """
    folder = manager.clients.folder
    groups = Groups.read(folder.path / FILE)
    # The noise of a whole client is dear: each group would carry all of it by itself.
    rounds = manager.settings.rounds  # nor is a buffer split further
    grouped = rounds.kind.grouped and not (manager.settings.noise.by_client or rounds.buffered)
    if groups is None and grouped:
        groups = _groups_of(manager)
    if groups is None:
        return SumRounds(manager)
    groups.write(folder)
    LOG.info(
        "sums are made in %d groups of %d %s or more, and their median counts: up to %d "
        "groups may hold somebody who lies (docs/privacy.md)",
        groups.count,
        min(len(members) for members in groups.members),
        manager.clients.vocabulary.many,
        groups.count - groups.least,
    )
    return GroupedSums(manager, groups)


def _groups_of(manager: ClientManager) -> Groups | None:
    settings, present = manager.settings, manager.clients.present
    own = own_floors(manager.infos, present) if settings.secure_sums else {}
    floor = max(
        settings.contributors_floor(deployed=manager.deployed),
        statistics.median_high(own.values()) if own else 0,
    )
    wary = {name: wanted for name, wanted in own.items() if wanted > floor}
    roster = [name for name in manager.infos if name not in wary]
    trainers = [name for name in roster if manager.infos[name].trains]
    others = {*roster} - {*trainers}
    groups = Groups.of_roster(trainers, others, floor=floor, roomy=settings.rounds.kind.proposals)
    if groups is not None:
        for name, wanted in wary.items():
            reason = f"its own min-contributors wants {wanted} in each sum; a group has {floor}"
            manager.clients.leave_out(name, reason, round_number=0)
    return groups


def _first(whole: WantedSum) -> str:
    return next(iter(whole.requests.values())).parts[0]


def _contributors(part: str, result: SumResult) -> int:
    return sum(part in result.requests[name].contributes for name in result.replies)


def _without_scores(request: SumRequest) -> SumRequest:
    if request.parts[1:] != (SCORES,):
        return request
    return replace(request, parts=request.parts[:1])

"""Of whom the server has opened counts, totals, hessians and scores in a run; it is kept on disk.

Only where something is asked of a sum's contributors (`min-contributors`, in a deployment five) and
sums carry no noise. `OpenedCohorts` says what may follow; a run that resumes goes on from the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path

from glean.errors import FederationError, ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.secagg_server import UnopenedError
from glean.federation.coordination.sum_result import Totals
from glean.federation.coordination.wanted_sum import WantedSum
from glean.federation.wire.opened_cohorts import Cohort, OpenedCohorts, rows_told
from glean.federation.wire.sum_request import LEARNED, SumRequest
from glean.seeds import draw

FILE = "cohorts.json"


class CohortMemory:
    """Remembers what was opened over whom.

    Parameters
    ----------
    manager : ClientManager
        The clients.

    Attributes
    ----------
    totals : Totals or None
        What sums are relative to, once it was opened.

    Raises
    ------
    FederationError
        The file of a run that is resumed can't be read.
    """

    def __init__(self, manager: ClientManager) -> None:
        self._manager = manager
        self._opened, self.totals = _read(manager.clients.folder.path / FILE)

    @property
    def floor(self) -> int:
        """By how many two cohorts have to differ; 0 where nothing is asked."""
        return 0 if self._manager.settings.noise.wanted else self._manager.contributors_floor

    def choose(
        self, rows: str, wanted: Collection[str], *, there: Collection[str], steady: bool = False
    ) -> tuple[str, ...]:
        """Choose over whom a sum about some rows is opened; nobody where it may be over none.

        Parameters
        ----------
        rows : str
            What it is about, from `opened_cohorts`.
        wanted : collection of str
            Who would be asked.
        there : collection of str
            Who could be.
        steady : bool
            Whether a cohort that was opened before is preferred to a new one.
        """
        before = self._opened.within(rows, there)
        allowed = self._opened.too_like(rows, wanted, floor=self.floor) is None
        if allowed and not (self.floor and steady and before):
            return tuple(sorted(wanted))
        return tuple(sorted(before or ()))

    def enough_fewer(self, rows: str, there: Collection[str], *, seed: int) -> tuple[str, ...]:
        """Choose some of those who are there, so few that their sums tell of no few others.

        Who isn't among them is left out by a draw; nobody where not so many are there.
        """
        left = list(draw(sorted(there), len(there), seed=seed))
        while len(left) >= self.floor and self._opened.too_like(rows, left, floor=self.floor):
            left.pop()
        return tuple(sorted(left)) if len(left) >= self.floor else ()

    def left_of(self, rows: str, there: Collection[str]) -> tuple[str, ...]:
        """Name those who are there of the opened cohort of which most are."""
        left = ({*one} & {*there} for one in self._opened.cohorts.get(rows, ()))
        return tuple(sorted(max(left, key=len, default=())))

    def too_like(
        self, requests: Mapping[str, SumRequest], senders: Collection[str]
    ) -> Cohort | None:
        """Find an opened cohort that forbids to open a sum over some senders."""
        for rows, names in _cohorts(requests, senders):
            if found := self._opened.too_like(rows, names, floor=self.floor):
                return found
        return None

    def check_opens(self, wanted: WantedSum, senders: Collection[str]) -> None:
        """Stop a sum over some senders that isn't to be opened.

        Raises
        ------
        UnopenedError
            Some are missing whom it would tell of.
        ImpossibleSumError
            It has gradients of a model of which others of these were opened, in a round that was
            lost: the round is lost too.
        FederationError
            Nobody is missing, and it would tell of somebody all the same.
        """
        self._check_gradients(wanted, senders)
        if absent := wanted.absent(senders):
            raise UnopenedError(absent)
        if near := self.too_like(wanted.requests, senders):
            if missing := wanted.requests.keys() - {*senders}:
                raise UnopenedError(frozenset(missing))
            raise FederationError(
                f"round {wanted.number}: the sum over {', '.join(sorted(senders))} isn't opened: "
                f"one over {', '.join(sorted(near))} was, and the difference would tell of fewer "
                f"than {self.floor}. Wait until those who are missing are back, or for newer rows"
            )

    def missing(self, rows: str) -> str:
        """Say who of the first opened cohort isn't there."""
        first = self._opened.cohorts.get(rows, (frozenset(),))[0]
        return ", ".join(sorted(first - self._manager.clients.present))

    def note(self, wanted: WantedSum, senders: Collection[str]) -> None:
        """Note that a sum over some senders was opened."""
        opened = self._opened
        for rows, names in _cohorts(wanted.requests, senders):
            opened = opened.plus(rows, names)
        if wanted.model is not None:
            opened = opened.plus_learned(wanted.model.state, _learning(wanted, senders))
        self._keep(opened, self.totals)

    def learned_from(self, state: str) -> frozenset[Cohort]:
        """Give the cohorts over which it was summed what is learned from a model, by its state."""
        return self._opened.learned_from(state)

    def _check_gradients(self, wanted: WantedSum, senders: Collection[str]) -> None:
        learning = _learning(wanted, senders)
        if not self.floor or wanted.model is None:
            return
        for before in self.learned_from(wanted.model.state):
            if learning & before and learning != before:
                raise ImpossibleSumError(
                    f"what is learned from this model was summed with {', '.join(sorted(before))}, "
                    f"and now without or with others: the difference would tell of "
                    f"{', '.join(sorted(learning ^ before))}"
                )

    def note_totals(self, totals: Totals) -> None:
        """Note what sums are relative to."""
        self._keep(self._opened, totals)

    def _keep(self, opened: OpenedCohorts, totals: Totals | None) -> None:
        if (opened, totals) != (self._opened, self.totals):
            self._opened, self.totals = opened, totals
            if self.floor:
                told = {"totals": asdict(totals) if totals else None, "opened": opened.to_lists()}
                self._manager.clients.folder.write_bytes(FILE, json.dumps(told).encode())


def _learning(wanted: WantedSum, senders: Collection[str]) -> Cohort:
    """Name those whose gradients are in a sum."""
    requests = {name: wanted.requests[name] for name in senders}
    return frozenset(n for n, one in requests.items() if LEARNED & {*one.contributes})


def _cohorts(
    requests: Mapping[str, SumRequest], senders: Collection[str]
) -> list[tuple[str, frozenset[str]]]:
    """Give for each part of a sum that tells of rows which, and whose numbers are in it."""
    parts = dict.fromkeys(part for request in requests.values() for part in request.parts)
    return [
        (rows, frozenset(name for name in senders if part in requests[name].contributes))
        for part in parts
        if (rows := rows_told(part))
    ]


def _read(path: Path) -> tuple[OpenedCohorts, Totals | None]:
    if not path.is_file():
        return OpenedCohorts(), None
    try:
        found = json.loads(path.read_bytes())
        totals = Totals(**found["totals"]) if found["totals"] else None
        return OpenedCohorts.from_lists(found["opened"]), totals
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FederationError(
            f"resume: {path.name} is damaged ({error!r:.80}); wanted what the interrupted run had "
            "opened, without which nothing may be opened: put the file back"
        ) from error

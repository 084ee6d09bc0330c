"""What a client has done for the sums of a run, so that it does nothing twice.

A server could make new keys and ask the same again without one client: the difference of both sums
would be that client's numbers. So steps only go up, whatever keys they are masked with, and what
was opened once isn't opened for others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

from glean.errors import FederationError, RefusalError
from glean.federation.wire.opened_cohorts import OpenedCohorts, rows_told
from glean.federation.wire.sum_request import LEAF_GRADIENTS

DONE_ALREADY, OPENED_ALREADY = "a step done already", "a sum opened already"
TOO_LIKE = "too like a sum opened already"
OTHER_UNIT, PROPOSED = "another unit than before", "structures given already"

_MOST_PROPOSALS = 2

Sets = Mapping[str, frozenset[str]]
"""By part of a sum, named with all that it is about: whose numbers are in it."""


@dataclass(frozen=True)
class StepJournal:
    """What a client has done in a run.

    Parameters
    ----------
    run : str
        The run.
    newest : str
        The last day of the client's data in it.
    count : int
        Entries so far; each writes the journal anew.
    step : int
        The last step that was masked.
    asked : mapping of str to frozenset of str
        Who was to contribute to each part of that step.
    opened : mapping of str to str
        Each part that this client has helped to open -> digest of those whose numbers were in it.
    cohorts : OpenedCohorts
        Of whom this client has helped to open counts, totals, hessians and scores, and of whom what
        is learned from which models; what outlives the run, as long as the data are the same.
    floor : int
        By how many the cohorts of the last step have to differ from these; 0 asks for nothing.
    ledger : int
        Releases that the ledger of privacy had when it was last written, in this run or before.
    unit : float
        What the run's sums are relative to; 0 before the first that is relative to anything.
    rows : int
        Rows of the federation, by which the run's sums are scaled; 0 before the first.
    proposed : int
        The last round that structures were proposed in.
    about : str
        What those proposals were about, a line each.
    """

    run: str = ""
    newest: str = ""
    count: int = 0
    step: int = 0
    asked: Sets = field(default_factory=dict)
    opened: Mapping[str, str] = field(default_factory=dict)
    cohorts: OpenedCohorts = field(default_factory=OpenedCohorts)
    floor: int = 0
    ledger: int = 0
    unit: float = 0.0
    rows: int = 0
    proposed: int = 0
    about: str = ""

    def masked(
        self, step: int, asked: Sets, *, floor: int = 0, unit: float = 0.0, rows: int = 0
    ) -> Self:
        """Note that a vector is masked.

        Parameters
        ----------
        step : int
            Number of the step.
        asked : mapping of str to frozenset of str
            Who is to contribute to each part of it.
        floor : int
            By how many its cohorts have to differ from those that were opened.
        unit : float
            What its numbers are relative to; 0 where they are to nothing. One a run: rounding and
            cutting make a sum tell who is above a threshold, and the unit moves that.
        rows : int
            Rows of the federation that it is scaled by, likewise; 0 where it isn't.

        Raises
        ------
        RefusalError
            The step isn't greater than the last one, a cohort differs by too few, or the unit or
            the number of rows is another one.
        """
        if step <= self.step:
            raise RefusalError(
                DONE_ALREADY,
                f"found step {step} of the run's sums after step {self.step}; wanted a greater "
                "one: no step is done twice. Nothing is sent",
            )
        if unit and self.unit not in (0.0, unit):
            raise RefusalError(
                OTHER_UNIT,
                f"found a sum in units of {unit:.6g}; wanted {self.unit:.6g}, as before in this "
                "run. Nothing is sent",
            )
        if rows and self.rows not in (0, rows):
            raise RefusalError(
                OTHER_UNIT,
                f"found a sum scaled for {rows} rows; wanted {self.rows}, as before in this run. "
                "Nothing is sent",
            )
        self._with_cohorts(asked, floor)
        return self._changed(
            count=self.count + 1,
            step=step,
            asked=asked,
            floor=floor,
            unit=unit or self.unit,
            rows=rows or self.rows,
        )

    def unmasked(self, senders: frozenset[str]) -> Self:
        """Note that shares are revealed for the sum over some senders.

        Raises
        ------
        RefusalError
            A part of it was opened before, over others, or something of the same rows over a
            cohort that differs by too few.
        """
        sent = {part: names & senders for part, names in self.asked.items()}
        found = {part: _digest(names) for part, names in sent.items()}
        for part, digest in found.items():
            if self.opened.get(part, digest) != digest:
                raise RefusalError(
                    OPENED_ALREADY,
                    "found a sum that was opened before, now over others than then; wanted each "
                    "once, since the difference of two tells of a single one. Nothing is "
                    "revealed",
                )
        cohorts = self._with_learned(sent, self._with_cohorts(sent, self.floor))
        return self._changed(opened={**self.opened, **found}, cohorts=cohorts)

    def proposing(self, number: int, about: str, *, rounds: int) -> Self:
        """Note that structures are proposed: one answer a round, which may be given again.

        Two in a round that was learned ahead from a model that is then taken back.

        Parameters
        ----------
        number : int
            The round.
        about : str
            All that the answer follows from.
        rounds : int
            Rounds that the run has.

        Raises
        ------
        RefusalError
            The round isn't one of the run, comes after a later one, or had other answers.
        """
        given = self.about.splitlines() if number == self.proposed else []
        again = about in given
        if not again and not (self.proposed <= number <= rounds and len(given) < _MOST_PROPOSALS):
            raise RefusalError(
                PROPOSED,
                f"found a request for structures of round {number}; wanted a round after "
                f"{self.proposed}, up to {rounds}, or the last request again: each proposes "
                "once a round, or twice where one is taken back. Nothing is sent",
            )
        told = given if again else [*given, about]
        return self._changed(count=self.count + (not again), proposed=number, about="\n".join(told))

    def next_run(self, run: str, *, newest: str) -> Self:
        """Begin a further run's; of the same data the cohorts stay, as sums would be the same."""
        return replace(
            type(self)(),
            run=run,
            newest=newest,
            ledger=self.ledger,
            cohorts=self.cohorts if newest == self.newest else OpenedCohorts(),
        )

    def noted(self) -> Self:
        """Note that something more was given away."""
        return self._changed(count=self.count + 1)

    def of_run(self, run: str) -> Self:
        """Give it under the name of its run."""
        return self if self.run == run else self._changed(run=run)

    def to_json(self) -> str:
        """Write it; `from_json` reads it."""
        global _last_written  # noqa: PLW0603 - bakeries of one process write the same in turn
        if vars(self) == vars(_last_written[0]):
            return _last_written[1]
        asked = {part: sorted(names) for part, names in self.asked.items()}
        changed = {"asked": asked, "opened": dict(self.opened), "cohorts": self.cohorts.to_lists()}
        _last_written = self, json.dumps({**vars(self), **changed})
        return _last_written[1]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        found = object.__new__(cls)
        vars(found).update(_read(text))
        return found

    def _changed(self, **fields: Any) -> Self:
        """Give one with other fields; `replace` takes ten times as long, in every step."""
        found = object.__new__(type(self))
        vars(found).update(vars(self), **fields)
        return found

    def _with_cohorts(self, sets: Sets, floor: int) -> OpenedCohorts:
        """Add who is in a sum to whom was opened, or refuse it."""
        cohorts = self.cohorts
        for part, names in sets.items():
            if rows := rows_told(_kind(part)):
                near = cohorts.too_like(rows, names, floor=floor)
                _check_like(f"about {rows} rows", names, near, floor)
                cohorts = cohorts.plus(rows, names)
        return cohorts

    def _with_learned(self, sets: Sets, cohorts: OpenedCohorts) -> OpenedCohorts:
        """Add of whom is learned from which model, or refuse it."""
        for part, names in sets.items():
            if _kind(part) == LEAF_GRADIENTS:
                near = cohorts.learned_too_like(part, names, floor=self.floor)
                _check_like("of what is learned from a model", names, near, self.floor)
                cohorts = cohorts.plus_learned(part, names)
        return cohorts


@lru_cache(maxsize=64)  # bakeries of one process have done the same, in a simulation
def _read(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
        asked = {part: frozenset(names) for part, names in found.pop("asked").items()}
        cohorts = OpenedCohorts.from_lists(found.pop("cohorts", {}))
        return vars(StepJournal(**found, asked=asked, cohorts=cohorts))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FederationError(f"the journal of sums can't be read: {error!r:.200}") from error


_last_written: tuple[StepJournal, str] = StepJournal(), ""


def part_name(part: str, *about: object) -> str:
    """Name a part of a sum by all that it is about, so that the same isn't opened twice."""
    return f"{part} {hashlib.sha256(repr(about).encode()).hexdigest()[:32]}"


def _kind(part: str) -> str:
    """Give the part's name in a request."""
    return part.rpartition(" ")[0]


def _check_like(about: str, names: frozenset[str], near: frozenset[str] | None, floor: int) -> None:
    if near is not None:
        raise RefusalError(
            TOO_LIKE,
            f"found a sum {about} over {_listed(names)}, where one over {_listed(near)} was "
            f"opened; wanted the same ones, or {floor} or more to differ, since the difference "
            f"tells of {_listed(names ^ near)}. Nothing is sent or revealed",
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"


def _digest(names: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:32]

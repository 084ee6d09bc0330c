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
from typing import Self

from glean.errors import FederationError, RefusalError

DONE_ALREADY, OPENED_ALREADY = "a step done already", "a sum opened already"

Sets = Mapping[str, frozenset[str]]
"""By part of a sum, named with all that it is about: whose numbers are in it."""


@dataclass(frozen=True)
class StepJournal:
    """What a client has done in a run.

    Parameters
    ----------
    run : str
        The run.
    count : int
        Entries so far; each writes the journal anew.
    step : int
        The last step that was masked.
    asked : mapping of str to frozenset of str
        Who was to contribute to each part of that step.
    opened : mapping of str to str
        Each part that this client has helped to open -> digest of those whose numbers were in it.
    ledger : int
        Releases that the ledger of privacy had when it was last written, in this run or before.
    """

    run: str = ""
    count: int = 0
    step: int = 0
    asked: Sets = field(default_factory=dict)
    opened: Mapping[str, str] = field(default_factory=dict)
    ledger: int = 0

    def masked(self, step: int, asked: Sets) -> Self:
        """Note that a vector is masked.

        Raises
        ------
        RefusalError
            The step isn't greater than the last one.
        """
        if step <= self.step:
            raise RefusalError(
                DONE_ALREADY,
                f"found step {step} of the run's sums after step {self.step}; wanted a greater "
                "one: no step is done twice. Nothing is sent",
            )
        return replace(self, count=self.count + 1, step=step, asked=asked)

    def unmasked(self, senders: frozenset[str]) -> Self:
        """Note that shares are revealed for the sum over some senders.

        Raises
        ------
        RefusalError
            A part of it was opened before, over others.
        """
        found = {part: _digest(names & senders) for part, names in self.asked.items()}
        for part, digest in found.items():
            if self.opened.get(part, digest) != digest:
                raise RefusalError(
                    OPENED_ALREADY,
                    "found a sum that was opened before, now over other bakeries; wanted each "
                    "once, since the difference of two tells of a single bakery. Nothing is "
                    "revealed",
                )
        return replace(self, opened={**self.opened, **found})

    def noted(self) -> Self:
        """Note that something more was given away."""
        return replace(self, count=self.count + 1)

    def to_json(self) -> str:
        """Write it; `from_json` reads it."""
        asked = {part: sorted(names) for part, names in self.asked.items()}
        return json.dumps({**vars(self), "asked": asked, "opened": dict(self.opened)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        try:
            found = json.loads(text)
            asked = {part: frozenset(names) for part, names in found.pop("asked").items()}
            return cls(**found, asked=asked)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FederationError(f"the journal of sums can't be read: {error!r:.200}") from error


def part_name(part: str, *about: object) -> str:
    """Name a part of a sum by all that it is about, so that the same isn't opened twice."""
    return f"{part} {hashlib.sha256(repr(about).encode()).hexdigest()[:32]}"


def _digest(names: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:32]

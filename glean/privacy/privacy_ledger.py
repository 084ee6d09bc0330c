"""What each of a bakery's days has spent of its privacy, and which days have room for more.

A release with noise costs a squared mu of Gaussian DP, and these add up, also where later runs are
chosen by what earlier ones gave (Smith and Thakurta, "Fully adaptive composition for Gaussian
differential privacy", 2022). A day is a calendar date: whatever table, product or name its rows
come under. Arithmetic only; who keeps the ledger writes it before anything is sent.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

from glean.errors import FederationError
from glean.noise_settings import NoiseSettings
from glean.privacy.gaussian_dp import epsilon_of, mu_of

TRAINING, SCORED = "training", "scored"
"""Windows that releases are about. Of the first each day counts for itself, in its records. What is
scored, validation and test, is released as a whole: each of its days spends what the whole does."""

Days = frozenset[str]
"""Dates like 2026-05-04; or `WHOLE_CLIENT`."""

WHOLE_CLIENT = "client"
"""Stands where a day does in runs whose noise hides a whole client: all of its data together."""

FULL_RUNS = 2
"""Of the default settings: what a day may spend where its owner says nothing."""

SLACK = 1e-9
"""Of the total: what rounding may add when costs of a run are added up in another order."""


@dataclass(frozen=True)
class Release:
    """What a part of a vector costs the days that are in it.

    Parameters
    ----------
    window : str
        `TRAINING` or `SCORED`.
    cost : float
        Squared mu.
    ahead : float
        Squared mu of what the run will still ask of the same days, if nothing is repeated.
    """

    window: str
    cost: float
    ahead: float = 0.0


@dataclass(frozen=True)
class PrivacyLedger:
    """What was spent so far.

    Parameters
    ----------
    count : int
        Releases so far; each writes the ledger anew.
    total : float
        Squared mu that a day might spend when the ledger was last written.
    run : str
        The run that was last begun.
    days : frozenset of str
        Days whose records take part in that run.
    reserved : float
        Squared mu that each of them is still to spend in it.
    scored : float
        Squared mu of the run's scores.
    spent : mapping of str to mapping of str to float
        Window -> day -> squared mu.

    Examples
    --------
    >>> ledger, days = PrivacyLedger().charged(
    ...     Release(TRAINING, 0.25, ahead=0.5), frozenset({"2026-05-04"}), run="1", total=1.0
    ... )
    >>> sorted(days), ledger.spent_on("2026-05-04", TRAINING)
    (['2026-05-04'], 0.25)
    """

    count: int = 0
    total: float = 0.0
    run: str = ""
    days: Days = frozenset()
    reserved: float = 0.0
    scored: float = 0.0
    spent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def spent_on(self, day: str, window: str) -> float:
        """Give what a day has spent in a window, squared mu."""
        return self.spent.get(window, {}).get(day, 0.0)

    def open_days(self, release: Release, days: Days, *, run: str, total: float) -> Days:
        """Say which days can take part in a release.

        In a run's first one about training records a day needs room for all that the run has ahead,
        so that it doesn't leave in the middle; who hasn't then stays out of the whole run. Later it
        needs room for the release itself. Scores come only of runs in which a day trains, and those
        of one run have the total for themselves.

        Parameters
        ----------
        release : Release
            What is asked.
        days : frozenset of str
            Days that the table has in the window.
        run : str
            The run that asks.
        total : float
            Squared mu that a day may spend.
        """
        if release.window == SCORED:
            trains = run == self.run and self.days
            return days if trains and enough(total, self.scored + release.cost) else frozenset()
        wanted = release.cost
        if run == self.run:
            days &= self.days
        else:
            wanted += release.ahead
        spent = self.spent.get(TRAINING, {})
        return frozenset(day for day in days if enough(total, spent.get(day, 0.0) + wanted))

    def charged(
        self, release: Release, days: Days, *, run: str, total: float
    ) -> tuple[PrivacyLedger, Days]:
        """Charge a release to the days that can take part in it, as `open_days` says.

        Returns
        -------
        ledger : PrivacyLedger
            With one release more; what an earlier run had reserved is free where another begins.
        days : frozenset of str
            Those that were charged.
        """
        taken = self.open_days(release, days, run=run, total=total)
        before = self.spent.get(release.window, {})
        spent = {**before, **{day: before.get(day, 0.0) + release.cost for day in taken}}
        noted = replace(
            self,
            count=self.count + 1,
            total=total,
            spent={**self.spent, release.window: dict(sorted(spent.items()))},
        )
        if release.window == SCORED:
            cost = release.cost if taken else 0.0
            return replace(noted, scored=noted.scored + cost), taken
        scored = self.scored if run == self.run else 0.0
        reserved = release.ahead if taken else 0.0
        return replace(noted, run=run, days=taken, reserved=reserved, scored=scored), taken

    def to_json(self) -> str:
        """Write it; `from_json` reads it."""
        return json.dumps({**vars(self), "days": sorted(self.days)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        FederationError
            It is something else.
        """
        try:
            found = cls(**json.loads(text))
            found = replace(found, days=frozenset(found.days))
            _check(found)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FederationError(f"it can't be read: {error!r:.200}") from error
        return found


def enough(total: float, wanted: float) -> bool:
    """Whether a squared mu has room in a total, but for rounding."""
    return wanted <= total * (1.0 + SLACK)


@lru_cache(maxsize=8)
def total_of(epsilon_total: float) -> float:
    """Give what a day may spend over all runs, as a squared mu.

    Parameters
    ----------
    epsilon_total : float
        At the default `delta`, whatever a run's own is; 0: what `FULL_RUNS` runs with the default
        settings add up to.

    Examples
    --------
    >>> round(epsilon_at(total_of(0.0)), 2), round(epsilon_at(total_of(3.0)), 2)
    (5.93, 3.0)
    """
    if epsilon_total > 0.0:
        return float(mu_of(epsilon_total, NoiseSettings().delta) ** 2)
    return float(FULL_RUNS * mu_of(NoiseSettings().epsilon, NoiseSettings().delta) ** 2)


def epsilon_at(spent: float) -> float:
    """Say what a squared mu comes to, as an epsilon at the default `delta`."""
    return epsilon_of(math.sqrt(spent), NoiseSettings().delta)


def _check(found: PrivacyLedger) -> None:
    """Refuse what `to_json` doesn't write."""
    amounts: list[Any] = [found.total, found.reserved, found.scored]
    days = [*found.days]
    for by_day in found.spent.values():
        amounts += by_day.values()
        days += by_day
    for day in days:
        if day != WHOLE_CLIENT and str(dt.date.fromisoformat(day)) != day:  # it reads 20260504 too
            raise ValueError(f"found the day {day!r:.40}; wanted one like 2026-05-04")
    if type(found.count) is not int or found.count < 0 or not isinstance(found.run, str):
        raise ValueError(f"found the count {found.count!r:.40} and the run {found.run!r:.40}")
    for amount in amounts:
        if not isinstance(amount, float | int) or not 0.0 <= amount < math.inf:
            raise ValueError(f"found the amount {amount!r:.40}; wanted a number from 0 up")

"""A bakery's ledger for its owner: by range of days what was spent, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from glean.errors import FederationError
from glean.federation.client.ledger_store import FILE, LedgerStore
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.privacy.noise_budget import RECORDS_OF_A_DAY
from glean.privacy.privacy_ledger import (
    SCORED,
    TRAINING,
    WHOLE_CLIENT,
    PrivacyLedger,
    epsilon_at,
)


@dataclass(frozen=True)
class SpentDays:
    """Days that follow each other in the ledger and have spent the same.

    Parameters
    ----------
    first, last : str
        Dates like 2026-05-04.
    count : int
        Days between them that have records.
    training, left, scored : float
        What each has spent in its records, the largest epsilon of a run that still has room, and
        what it has spent in scores: epsilons at the default `delta`.
    """

    first: str
    last: str
    count: int
    training: float
    left: float
    scored: float


@dataclass(frozen=True)
class LedgerReport:
    """What a ledger says.

    Parameters
    ----------
    days : tuple of SpentDays
        In the order of their dates.
    sentences : tuple of str
        What it means.
    """

    days: tuple[SpentDays, ...]
    sentences: tuple[str, ...]


def report_ledger(home: Path) -> LedgerReport:
    """Read the ledger in a bakery's home.

    Raises
    ------
    FederationError
        There is none.
    RefusalError
        It can't be read.
    """
    ledger = LedgerStore(home).read()
    if not ledger.count:
        raise FederationError(
            f"{home / FILE}: found no ledger; a bakery has one once it has taken part in a run "
            "with noise (privacy=noise) with this home"
        )
    return LedgerReport(tuple(_ranges(ledger)), tuple(_sentences(ledger)))


def budget_in_words(home: Path, language: Language) -> tuple[str, ...]:
    """Say to an owner what was spent of a bakery's privacy budget and what is left.

    Parameters
    ----------
    home : Path
        The bakery's home.
    language : Language
        Of the sentences.

    Returns
    -------
    tuple of str
        Empty where the bakery has taken part in no run with noise: then there is no ledger.

    Raises
    ------
    RefusalError
        The ledger can't be read.
    """
    ledger = LedgerStore(home).read()
    days = ledger.spent.get(TRAINING, {})
    if not ledger.count or not days:
        return ()
    most = max(days.values())
    return (
        language.translate(
            _BUDGET, total=language.shortest_number(epsilon_at(ledger.total), most=_DIGITS)
        ),
        language.translate_count(
            "{count} of your days has been learned from with noise: it has spent up to {spent}, "
            "and has at least {left} left. All other days have all of theirs.",
            "{count} of your days have been learned from with noise: each has spent up to {spent}, "
            "and has at least {left} left. All other days have all of theirs.",
            len(days),
            spent=language.shortest_number(epsilon_at(most), most=_DIGITS),
            left=language.shortest_number(epsilon_at(max(0.0, ledger.total - most)), most=_DIGITS),
        ),
    )


_DIGITS = 2
_BUDGET = translatable(
    "Noise hides the record of a single day in what leaves the shop. How much a record may give "
    "away over all runs is its privacy budget, an epsilon of {total}: the smaller it is, the less "
    "anybody can tell of it. When it is spent, your own program takes that day into no further "
    "run. What you sell over weeks and months isn't hidden by it."
)


def _ranges(ledger: PrivacyLedger) -> Iterator[SpentDays]:
    def amounts(day: str) -> tuple[float, float]:
        # Costs that were added in another order may differ in the last digits.
        both = (ledger.spent_on(day, window) for window in (TRAINING, SCORED))
        training, scored = (round(amount, 12) for amount in both)
        return training, scored

    days = sorted({day for by_day in ledger.spent.values() for day in by_day})
    for (training, scored), alike in groupby(days, key=amounts):
        listed = list(alike)
        yield SpentDays(
            listed[0],
            listed[-1],
            len(listed),
            epsilon_at(training),
            epsilon_at(max(0.0, ledger.total - training)),
            epsilon_at(scored),
        )


def _sentences(ledger: PrivacyLedger) -> Iterator[str]:
    training = {**ledger.spent.get(TRAINING, {})}
    if WHOLE_CLIENT in training:
        yield (
            "'client' stands for all of this client's data together, in runs that hide a whole "
            f"client (dp-fedavg), over all rounds and scores: {ledger.count} sums with noise so "
            f"far, epsilon {epsilon_at(training.pop(WHOLE_CLIENT)):.3g} of "
            f"{epsilon_at(ledger.total):.3g} (epsilon-total; delta 1e-06)"
        )
        if not training:
            return
    most = max(training.values(), default=0.0)
    both = max(
        (spent + ledger.spent_on(day, SCORED) for day, spent in training.items()), default=0.0
    )
    yield (
        f"{ledger.count} sums with noise so far. A day may spend epsilon "
        f"{epsilon_at(ledger.total):.3g} on training over all runs (epsilon-total; delta 1e-06). "
        "Days that aren't listed have all of theirs"
    )
    if ledger.reserved:
        yield (
            f"run {ledger.run}: {len(ledger.days)} days take part, and epsilon "
            f"{epsilon_at(ledger.reserved):.3g} of what they have left is reserved until it ends "
            "or another run begins"
        )
    yield (
        "'training' and 'scores' are about a day's records, all products of that day. Where a day "
        f"has both, they add up in squares: to {epsilon_at(both):.3g} at most"
    )
    yield (
        f"a day's sales enter the records of up to {RECORDS_OF_A_DAY} days: for them it is up to "
        f"{epsilon_at(RECORDS_OF_A_DAY**2 * most):,.0f}, as good as nothing. For all days of one "
        "product nothing is promised"
    )

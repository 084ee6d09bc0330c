"""What a bakery's days spend in a run with noise: who takes part in a sum, and what that costs.

A request of the server comes in, with what the bakery's ledger knows; out come the days whose
records may be in its parts, and the ledger as it has to be on disk before these leave.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from glean.federation.client.client import Client
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.ledger_store import LedgerStore
from glean.federation.wire.noised_parts import one_round, release_of, whole_run
from glean.privacy.privacy_ledger import (
    TRAINING,
    WHOLE_CLIENT,
    Days,
    PrivacyLedger,
    Release,
    epsilon_at,
)

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class Charge:
    """What a vector costs.

    Parameters
    ----------
    store : LedgerStore
        Where the ledger is kept.
    ledger : PrivacyLedger
        As it is once the vector has left.
    days : mapping of str to frozenset of str
        Part -> days that are in it; without any the part is noise alone.
    """

    store: LedgerStore
    ledger: PrivacyLedger
    days: Mapping[str, Days]

    def write(self) -> int:
        """Keep the ledger; how many releases it has now.

        Raises
        ------
        RefusalError
            The home can't be written to: nothing may leave.
        """
        self.store.write(self.ledger)
        return self.ledger.count


@dataclass(frozen=True)
class PrivacyAccount:
    """One bakery's account in one run.

    Parameters
    ----------
    client : Client
        The bakery.
    journal : JournalStore
        Its journal of sums, which has seen the ledger.
    store : LedgerStore
        Its ledger.
    """

    client: Client
    journal: JournalStore
    store: LedgerStore

    @classmethod
    def of(cls, client: Client, journal: JournalStore) -> PrivacyAccount | None:
        """Open a bakery's account; None where no ledger is kept."""
        if not client.policy.keeps_ledger:
            return None
        assert journal.home is not None, "the policy refuses a run with noise without a home"
        return cls(client, journal, LedgerStore(journal.home))

    def has_room(self) -> bool:
        """Whether any day can still learn in this run; says so in the bakery's log where none can.

        Raises
        ------
        RefusalError
            The ledger can't be trusted, or not be read.
        FederationError
            The journal can't be read.
        """
        settings, ledger = self.client.settings, self._read()
        if ledger.run == self.journal.run:
            return bool(ledger.days)
        # How far a run had come that is resumed, the first sum will tell.
        cost = one_round(settings) if settings.resume else whole_run(settings)
        found = self._open(ledger, Release(TRAINING, cost), self._days(TRAINING))
        if not found:
            self._tell_spent(ledger)
        return bool(found)

    def charge(self, lengths: Mapping[str, int], *, number: int) -> Charge:
        """Charge what this bakery contributes to the days that have room for it.

        Parameters
        ----------
        lengths : mapping of str to int
            Part with noise that it contributes -> how many numbers.
        number : int
            The round.

        Raises
        ------
        RefusalError, FederationError
            As `has_room`.
        """
        before = ledger = self._read()
        days: dict[str, Days] = {}
        for part, length in lengths.items():
            release = release_of(part, self.client.settings, number=number, length=length)
            ledger, days[part] = ledger.charged(
                release,
                self._days(release.window),
                run=self.journal.run,
                total=self.client.policy.total,
            )
            self._tell(before, release, days[part])
        return Charge(self.store, ledger, days)

    def _read(self) -> PrivacyLedger:
        return self.store.read(at_least=self.journal.ledger_seen())

    def _open(self, ledger: PrivacyLedger, release: Release, days: Days) -> Days:
        run, total = self.journal.run, self.client.policy.total
        return ledger.open_days(release, days, run=run, total=total)

    def _days(self, window: str) -> Days:
        """Name what spends: the days of a window, or the client as a whole."""
        if self.client.settings.noise.by_client:
            return frozenset({WHOLE_CLIENT})
        return self.client.partition.days(window)

    def _tell_spent(self, ledger: PrivacyLedger) -> None:
        """Say in the log that too much was spent for a run."""
        total = epsilon_at(self.client.policy.total)
        if self.client.settings.noise.by_client:
            LOG.warning(
                "privacy: this client has spent epsilon %.3g over earlier runs of the %.3g that "
                "epsilon-total allows, which leaves too little for this run (epsilon %.3g at delta "
                "1e-06). It takes no part in the training, and still gets the model",
                epsilon_at(ledger.spent_on(WHOLE_CLIENT, TRAINING)),
                total,
                epsilon_at(whole_run(self.client.settings)),
            )
            return
        LOG.warning(
            "privacy: all %d days that could be learned from here have spent too much of "
            "what epsilon-total=%.3g allows for this run. None takes part in the training; "
            "the model and its plan come all the same. Newer days have all of theirs",
            len(self._days(TRAINING)),
            total,
        )

    def _tell_client(self, before: PrivacyLedger, release: Release, taken: Days) -> None:
        """Say in the log what a client has spent as a whole."""
        spent = before.spent_on(WHOLE_CLIENT, TRAINING)
        if not taken:
            LOG.warning(
                "privacy: steps of this run were repeated more often than epsilon-total allows: "
                "this client adds nothing but noise"
            )
            return
        LOG.info(
            "privacy: over all runs epsilon %.3f of %.3f is spent (delta 1e-06, unit: this client "
            "with all of its data)",
            epsilon_at(spent + release.cost),
            epsilon_at(self.client.policy.total),
        )

    def _tell(self, before: PrivacyLedger, release: Release, taken: Days) -> None:
        """Say in the bakery's log who is in and who stays out, where that is new."""
        if self.client.settings.noise.by_client:
            self._tell_client(before, release, taken)
        elif release.window != TRAINING:
            if not taken:
                LOG.warning(
                    "privacy: no day takes part in this run, or scores were repeated more "
                    "often than epsilon-total allows: its score counts as the worst, with noise"
                )
        elif before.run != self.journal.run:
            there = len(self._days(TRAINING))
            others = "" if len(taken) == there else f"; {_others(there - len(taken))}"
            LOG.info(
                "privacy: %d of the %d days here take part in this run%s",
                len(taken),
                there,
                others,
            )
        elif len(taken) < len(before.days):
            LOG.warning(
                "privacy: %d days leave this run before its end: steps were repeated, which spends "
                "more than was reserved for them. They are in no sum any more",
                len(before.days) - len(taken),
            )


def _others(count: int) -> str:
    return f"the other {count} have spent too much of what epsilon-total allows for a whole run"

"""Where a bakery keeps its ledger of what its days have spent: a file in its home.

Unlike the journal it outlives runs. What is in it says nothing of sales: dates, and what they cost.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError, RefusalError
from glean.federation.client.journal_store import PUT_BACK
from glean.privacy.privacy_ledger import PrivacyLedger
from glean.runs.folder import write_whole

FILE = "privacy-ledger.json"
UNUSABLE = "a ledger that can't be used"


@dataclass(frozen=True)
class LedgerStore:
    """One bakery's ledger.

    Parameters
    ----------
    home : Path
        The bakery's folder.
    """

    home: Path

    def read(self, *, at_least: int = 0) -> PrivacyLedger:
        """Give the ledger so far; an empty one where there is none.

        Parameters
        ----------
        at_least : int
            Releases that it was seen with.

        Raises
        ------
        RefusalError
            It has fewer: it was put back from a copy, or deleted. Or it can't be read.
        """
        path = self.home / FILE
        try:
            ledger = PrivacyLedger.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            ledger = PrivacyLedger()
        except (OSError, UnicodeDecodeError, FederationError) as error:
            raise RefusalError(
                UNUSABLE,
                f"{path}, the ledger of what days here have spent: {error}. Nothing is "
                "sent. Put back its newest copy; where there is none, a new home begins a ledger "
                "that knows of no day what it spent before",
            ) from error
        if ledger.count < at_least:
            raise RefusalError(
                PUT_BACK,
                f"{path}: found {ledger.count} releases; wanted {at_least} or more, as the journal "
                "of sums has seen. It was put back from a copy, or deleted; by it days would spend "
                "twice. Nothing is sent. Put back the newest copy; where there is none, a new home "
                "begins a ledger that knows of no day what it spent before",
            )
        return ledger

    def write(self, ledger: PrivacyLedger) -> None:
        """Keep it, on disk: whatever is sent comes after.

        Raises
        ------
        RefusalError
            The home can't be written to.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            write_whole(self.home / FILE, ledger.to_json().encode())
            _sync(self.home)
        except OSError as error:
            raise RefusalError(
                UNUSABLE,
                f"home {self.home} can't be used for the ledger of what days here spend: "
                f"{error}. Nothing is sent. Make room there, or let the SuperNode's user write",
            ) from error


def _sync(folder: Path) -> None:
    """Have the new name of a file on disk too: a power cut would else bring back the old one."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
